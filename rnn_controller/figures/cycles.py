"""Figures 7 and 8: circles, and drawings planned as circles."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import Controller
from arm_env.envs.settings import as_orbit
from arm_env.tasks.schedules import CommandList
from arm_env.tasks.shapes import Circle
from rnn_controller.figures.common import (
    COLOURS,
    INK,
    STYLE,
    Run,
    draw_space,
    explain,
    in_order,
    runs,
    sign,
)

HOLD = 2.5  # [s] how long a command of figure 7 is in force
# [m] figure 7a
CENTRES = np.array([(0.30, 0.38), (0.12, 0.50), (-0.12, 0.46), (-0.26, 0.28), (0.08, 0.30)])
MIDDLE = (0.0, 0.42)  # [m] centre of figures 7b and 8
# [m], [m/s] figure 7b
SHAPES = np.array([(0.05, 0.25), (0.10, 0.25), (0.10, 0.55), (0.10, -0.55), (0.06, -0.30)])
AT_PLACES = CommandList(np.column_stack([CENTRES, np.full((len(CENTRES), 2), (0.07, 0.4))]), HOLD)
OF_SHAPES = CommandList(np.column_stack([np.full((len(SHAPES), 2), MIDDLE), SHAPES]), HOLD)
PARTS = (*COLOURS, "#E69F00")  # one a command, of the same set
# [m] radii that a plan may command
WIDEST = 0.08
TIGHTEST = 0.03

Curve = Callable[[float], np.ndarray]
Course = Callable[[Run], np.ndarray]


def figure_7(
    controller: Controller,
    *,
    seed: int = 0,
    noise: float = 0.2,
    name: str | None = None,
    **environment: Any,
) -> Figure:
    """Draw circles: (a) at a sequence of centres; (b to d) of varying radius and speed.

    With the environment's argument ``orbit`` these are other curves, and (c) shows how far outside
    them the hand is. A positive speed is clockwise. Runs under noise are drawn behind one without.
    ``name`` is the controller's. Other arguments, such as ``arm``, go to the environment.
    """
    options = {"env_id": "CircleArm-v0", "before": 0, "seed": seed, "noise": noise, **environment}
    moving = runs(controller, AT_PLACES, HOLD * len(CENTRES), **options)
    varying = runs(controller, OF_SHAPES, HOLD * len(SHAPES), **options)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 5.6), layout="constrained")
        panels = figure.subplot_mosaic(
            [["centres", "radius"], ["shapes", "speed"]],
            width_ratios=(1.15, 1),
        )
        _draw_circles(panels["centres"], *moving, "a   Sequence of centres")
        _draw_circles(panels["shapes"], *varying, "b   Varying radius and speed")
        panels["shapes"].set(xlim=(-0.26, 0.26), ylim=(0.26, 0.58))
        radius, speed = varying[0].command[:, 2:].T
        if isinstance(varying[0].task, Circle):
            _draw_course(panels["radius"], *varying, _radius, 100 * radius)
            panels["radius"].set(title="c   Radius in b", ylabel="radius [cm]", ylim=(0, None))
        else:
            _draw_course(panels["radius"], *varying, _outside, 0 * radius)
            panels["radius"].set(title="c   Distance from the orbit in b", ylabel="outside [cm]")
        _draw_course(panels["speed"], *varying, _clockwise_speed, speed)
        panels["speed"].axhline(0, color=INK, lw=0.6)
        panels["speed"].set(title="d   Clockwise speed in b", ylabel="speed [m/s]")
        panels["speed"].set_xlabel("time [s]")
        explain(figure, noise, "command")
        sign(figure, name)
    return figure


def _parts(shown: Run) -> Iterator[tuple[str, np.ndarray, slice]]:
    """Yield the colour, the command and the instants of each command."""
    changes = np.flatnonzero(np.any(np.diff(shown.command, axis=0), axis=1)) + 1
    for i, (start, end) in enumerate(pairwise([0, *changes, len(shown.command)])):
        yield PARTS[i % len(PARTS)], shown.command[start], slice(start, end + 1)


def _draw_circles(axes: Axes, quiet: Run, noisy: list[Run], title: str) -> None:
    draw_space(axes, quiet, title)
    for shown, style in in_order(quiet, noisy):
        for colour, _, when in _parts(shown):
            axes.plot(*shown.hand[when].T, color=colour, **style)
    for _, command, _ in _parts(quiet):
        track = quiet.task.track(command)
        axes.plot(*np.vstack([track, track[:1]]).T, "--", color=INK, lw=0.9, zorder=3)
        for i in (0, 24):
            arrow = {"arrowstyle": "-|>", "color": INK, "lw": 0}
            axes.annotate("", track[(i + 2) % 48], track[i], arrowprops=arrow)
    axes.set(xlabel="x [m]")


def _radius(shown: Run) -> np.ndarray:
    """Return the distance from the commanded centre [cm], (T,)."""
    return 100 * np.linalg.norm(shown.hand[1:] - shown.target, axis=-1)


def _outside(shown: Run) -> np.ndarray:
    """Return the distance from the commanded orbit [cm], (T,), negative inside."""
    x, y = (shown.hand[1:] - shown.target).T
    return 100 * shown.task.outline(NUMPY, x, y, shown.command[:, 2])[0]


def _clockwise_speed(shown: Run) -> np.ndarray:
    """Return the speed along the clockwise tangent [m/s], (T,)."""
    x, y = (shown.hand[1:] - shown.target).T
    vx, vy = shown.velocity[1:].T
    if not isinstance(shown.task, Circle):
        _, out_x, out_y = shown.task.outline(NUMPY, x, y, shown.command[:, 2])
        return vx * out_y - vy * out_x
    return (vx * y - vy * x) / np.hypot(x, y)


def _draw_course(
    axes: Axes,
    quiet: Run,
    noisy: list[Run],
    course: Course,
    wanted: np.ndarray,
) -> None:
    """Draw ``course`` of the runs over time, and the values ``wanted``, (T,), dashed."""
    for shown, style in in_order(quiet, noisy):
        time = shown.time[1:]
        done = course(shown)
        for colour, _, when in _parts(shown):
            inside = slice(when.start, when.stop - 1)
            axes.plot(time[inside], done[inside], color=colour, **style)
    axes.plot(quiet.time[1:], wanted, "--", color=INK, lw=0.9, zorder=3)
    axes.set(xlim=(0, quiet.time[-1]))


# Drawings.


def figure_of_eight(phase: float) -> np.ndarray:
    """Return a point [m], (2,), of a lying figure of eight at a phase from 0 to 1."""
    angle = 2 * np.pi * phase
    return np.array([MIDDLE[0] + 0.14 * np.sin(angle), MIDDLE[1] + 0.07 * np.sin(2 * angle)])


def clover(phase: float) -> np.ndarray:
    """Return a point [m], (2,), of a clover of three leaves at a phase from 0 to 1."""
    angle = 2 * np.pi * phase
    distance = 0.075 + 0.035 * np.cos(3 * angle)
    return np.array([MIDDLE[0] + distance * np.sin(angle), MIDDLE[1] + distance * np.cos(angle)])


def plan(curve: Curve, lap: float) -> Callable[[float], np.ndarray]:
    """Return commands (4,) over time [s] whose circles move along a curve, in ``lap`` [s] a round.

    At every instant the command is the circle that osculates the curve there, in the direction of
    travel. Where its radius is outside the trained range, the command is the circle of the nearest
    radius in that range that touches the curve.
    """

    def command(time: float) -> np.ndarray:
        phase = time / lap
        eps = 1e-4
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


# curve, lap [s], title
DRAWINGS = ((figure_of_eight, 3.0, "a   Figure of eight"), (clover, 4.0, "b   Clover"))


def check_planned_for(orbit: Any) -> None:
    """Raise ValueError unless the orbit is a circle, as figure 8 needs it."""
    if not isinstance(as_orbit(orbit), Circle):
        raise ValueError(
            f"figure 8 plans its drawings of circles, and this controller runs along {orbit}"
        )


def figure_8(
    controller: Controller,
    *,
    seed: int = 0,
    noise: float = 0.2,
    name: str | None = None,
    **environment: Any,
) -> Figure:
    """Draw a figure of eight and a clover by planned commands, three rounds each.

    Runs under noise are drawn behind one without. ``name`` is the controller's. Other arguments,
    such as ``arm``, go to the environment.
    """
    check_planned_for(environment.get("orbit"))
    options = {"env_id": "CircleArm-v0", "seed": seed, "noise": noise, **environment}
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.6), layout="constrained")
        for axes, (curve, lap, title) in zip(
            figure.subplots(1, 2, sharey=True), DRAWINGS, strict=True
        ):
            quiet, noisy = runs(controller, plan(curve, lap), 3 * lap, before=lap, **options)
            wanted = np.array([curve(phase) for phase in np.linspace(0, 1, 200)])
            draw_space(axes, quiet, title)
            for shown, style in in_order(quiet, noisy):
                axes.plot(*shown.hand.T, color=COLOURS[0], **style)
            axes.plot(*wanted.T, "--", color=INK, lw=0.9, zorder=3)
            note = f"median distance {median_gap([quiet], wanted):.0f} mm"
            if noisy:
                note += f", with noise {median_gap(noisy, wanted):.0f} mm"
            box = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5}
            axes.text(0.98, 0.97, note, transform=axes.transAxes, ha="right", va="top", bbox=box)
            axes.set(xlim=(-0.22, 0.22), ylim=(0.24, 0.60), xlabel="x [m]")
        explain(figure, noise, "plan")
        sign(figure, name)
    return figure


def median_gap(shown: list[Run], curve: np.ndarray) -> float:
    """Return the median distance [mm] from the hand to a curve [m], (n, 2)."""
    hand = np.concatenate([each.hand for each in shown])
    return float(1000 * np.median(np.linalg.norm(hand[:, None] - curve, axis=-1).min(1)))
