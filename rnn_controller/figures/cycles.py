"""Figure 7: circles."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import Controller
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
MIDDLE = (0.0, 0.42)  # [m] centre of figure 7b
# [m], [m/s] figure 7b
SHAPES = np.array([(0.05, 0.25), (0.10, 0.25), (0.10, 0.55), (0.10, -0.55), (0.06, -0.30)])
AT_PLACES = CommandList(np.column_stack([CENTRES, np.full((len(CENTRES), 2), (0.07, 0.4))]), HOLD)
OF_SHAPES = CommandList(np.column_stack([np.full((len(SHAPES), 2), MIDDLE), SHAPES]), HOLD)
PARTS = (*COLOURS, "#E69F00")  # one a command, of the same set
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
