"""Figures 7 and 8: circles, and drawings planned as circles."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arm_env.controllers import Controller
from arm_env.orbits import Circle
from arm_env.schedules import CommandList
from rnn_controller.figures.common import COLOURS, INK, STYLE, Run, draw_space, legend, run

HOLD = 2.5  # [s] how long a command of figure 7 is in force
CENTRES = np.array([(0.30, 0.38), (0.12, 0.50), (-0.12, 0.46), (-0.26, 0.28), (0.08, 0.30)])  # [m] figure 7a
MIDDLE = (0.0, 0.42)  # [m] centre of figures 7b and 8
SHAPES = np.array([(0.05, 0.25), (0.10, 0.25), (0.10, 0.55), (0.10, -0.55), (0.06, -0.30)])  # [m], [m/s] figure 7b
AT_PLACES = CommandList(np.column_stack([CENTRES, np.full((len(CENTRES), 2), (0.07, 0.4))]), HOLD)
OF_SHAPES = CommandList(np.column_stack([np.full((len(SHAPES), 2), MIDDLE), SHAPES]), HOLD)
WIDEST, TIGHTEST = 0.08, 0.03  # [m] radii that a plan may command

Curve = Callable[[float], np.ndarray]


def figure_7(controller: Controller, *, seed: int = 0, noise: float = 0.2, **environment: Any) -> Figure:
    """Circles: (a) at a sequence of centres; (b) of varying radius and speed at one centre, positive clockwise."""
    environment = {"env_id": "CircleArm-v0", "before": 0, **environment}
    moving, varying = (
        run(controller, commands, HOLD * len(commands.values), seed=seed, noise=noise, **environment)
        for commands in (AT_PLACES, OF_SHAPES)
    )
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 5.4), layout="constrained")
        panels = figure.subplot_mosaic([["a", "radius"], ["b", "speed"]], width_ratios=(1.15, 1))
        draw_space(panels["a"], moving, "a   Sequence of centres")
        draw_space(panels["b"], varying, "b   Varying radius and speed")
        for axes, shown in ((panels["a"], moving), (panels["b"], varying)):
            _draw_circles(axes, shown)
            axes.set(xlabel="x [m]")
        _draw_radius(panels["radius"], varying)
        _draw_speed(panels["speed"], varying)
        panels["speed"].set_xlabel("time [s]")
    return figure


def _parts(shown: Run) -> Iterator[tuple[str, np.ndarray, slice]]:
    """Colour, command and instants of each command's time."""
    starts = [0, *(np.flatnonzero(np.any(np.diff(shown.command, axis=0), axis=1)) + 1), len(shown.command)]
    for i, (start, end) in enumerate(pairwise(starts)):
        yield COLOURS[i % len(COLOURS)], shown.command[start], slice(start, end + 1)


def _draw_circles(axes: Axes, shown: Run) -> None:
    for colour, command, when in _parts(shown):
        track = Circle().track(command)
        axes.plot(*shown.hand[when].T, color=colour, lw=1.2)
        axes.plot(*np.vstack([track, track[:1]]).T, "--", color=INK, lw=1.1, zorder=3)
        for i in (0, 24):
            axes.annotate("", track[(i + 2) % 48], track[i], arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 0})
    axes.plot([], "--", color=INK, lw=1.1, label="command")
    legend(axes)


def _draw_radius(axes: Axes, shown: Run) -> None:
    radius = np.linalg.norm(shown.hand[1:] - shown.command[:, :2], axis=-1)
    _draw_course(axes, shown, 100 * radius, 100 * shown.command[:, 2])
    axes.set(title="b   Radius", ylabel="radius [cm]", ylim=(0, None))


def _draw_speed(axes: Axes, shown: Run) -> None:
    """Speed along the clockwise tangent."""
    x, y = (shown.hand[1:] - shown.command[:, :2]).T
    vx, vy = shown.velocity[1:].T
    _draw_course(axes, shown, (vx * y - vy * x) / np.hypot(x, y), shown.command[:, 3])
    axes.axhline(0, color=INK, lw=0.6)
    axes.set(title="b   Speed, clockwise", ylabel="speed [m/s]")


def _draw_course(axes: Axes, shown: Run, done: np.ndarray, wanted: np.ndarray) -> None:
    for colour, _, when in _parts(shown):
        inside = slice(when.start, when.stop - 1)
        axes.plot(shown.time[1:][inside], done[inside], color=colour, lw=1.4)
    axes.plot(shown.time[1:], wanted, "--", color=INK, lw=1.1)
    axes.set(xlim=(0, shown.time[-1]))


# Drawings.


def figure_of_eight(phase: float) -> np.ndarray:
    """A lying eight [m], (2,), once round for a phase from 0 to 1."""
    angle = 2 * np.pi * phase
    return np.array([MIDDLE[0] + 0.14 * np.sin(angle), MIDDLE[1] + 0.07 * np.sin(2 * angle)])


def clover(phase: float) -> np.ndarray:
    """A clover of three leaves [m], (2,)."""
    angle = 2 * np.pi * phase
    distance = 0.075 + 0.035 * np.cos(3 * angle)
    return np.array([MIDDLE[0] + distance * np.sin(angle), MIDDLE[1] + distance * np.cos(angle)])


def plan(curve: Curve, lap: float) -> Callable[[float], np.ndarray]:
    """Commands (4,) over time [s] whose circles roll along a curve, once round in ``lap`` [s].

    At every instant the command is the circle that osculates the curve there, in the direction of
    travel; where the curve is straighter or tighter than a circle of the trained range, the nearest
    such circle that touches it.
    """

    def command(time: float) -> np.ndarray:
        phase, eps = time / lap, 1e-4
        behind, here, ahead = (curve(phase + shift) for shift in (-eps, 0.0, eps))
        velocity = (ahead - behind) / (2 * eps * lap)
        acceleration = (ahead - 2 * here + behind) / (eps * lap) ** 2
        speed = float(np.linalg.norm(velocity))
        left = np.array([-velocity[1], velocity[0]]) / speed
        turn = float(acceleration @ left)  # above 0 to the left, anticlockwise
        side = 1.0 if turn > 0 else -1.0
        radius = float(np.clip(speed * speed / max(abs(turn), 1e-9), TIGHTEST, WIDEST))
        return np.array([*(here + side * radius * left), radius, -side * speed])

    return command


DRAWINGS = ((figure_of_eight, 3.0, "a   Figure of eight"), (clover, 4.0, "b   Clover"))  # curve, lap [s], title


def figure_8(controller: Controller, *, seed: int = 0, noise: float = 0.2, **environment: Any) -> Figure:
    """Drawings by planned commands: a figure of eight and a clover, three rounds each."""
    environment = {"env_id": "CircleArm-v0", **environment}
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.4), layout="constrained")
        for axes, (curve, lap, title) in zip(figure.subplots(1, 2, sharey=True), DRAWINGS, strict=True):
            schedule = plan(curve, lap)
            shown = run(controller, schedule, 3 * lap, seed=seed, noise=noise, before=lap, **environment)
            wanted = np.array([curve(phase) for phase in np.linspace(0, 1, 200)])
            draw_space(axes, shown, title)
            axes.set(xlim=(-0.22, 0.22), ylim=(0.24, 0.58))
            axes.plot(*shown.hand.T, color=COLOURS[0], lw=1.3, label="hand")
            axes.plot(*wanted.T, "--", color=INK, lw=1.1, label="plan")
            gaps = np.linalg.norm(shown.hand[:, None] - wanted, axis=-1).min(1)
            note = f"median distance {1000 * np.median(gaps):.0f} mm"
            axes.text(0.98, 0.95, note, transform=axes.transAxes, ha="right")
            legend(axes)
            axes.set_xlabel("x [m]")
    return figure
