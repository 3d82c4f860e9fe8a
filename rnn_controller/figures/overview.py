"""One episode of any task under a controller: path, error and speed of the hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import Controller
from arm_env.tasks.task import Task
from rnn_controller.figures.common import (
    COLOURS,
    INK,
    NOISY,
    STYLE,
    Run,
    draw_space,
    explain,
    in_order,
    run,
    sign,
)


def figure_overview(
    controller: Controller,
    task: Task,
    *,
    seed: int = 0,
    noise: float = 0.2,
    name: str | None = None,
    **environment: Any,
) -> Figure:
    """Draw (a) the hand's path, (b) its coordinates, (c) its distance from the goal, (d) its speed.

    The commands are the environment's random ones, from a reset with ``seed``. Runs under noise are
    drawn behind one without. ``name`` is the controller's. Other arguments, such as ``arm``, go to
    the environment.
    """
    _, seconds = task.measured(task.hold)
    options = {"env_id": task.env_id, "before": 0, **task.arguments, **environment}
    quiet = run(controller, None, seconds, seed=seed, noise=0.0, **options)
    again = _replay(quiet)
    noisy = [
        run(controller, again, seconds, seed=seed + i, noise=noise, **options)
        for i in range(NOISY if noise else 0)
    ]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 4.6), layout="constrained")
        panels = figure.subplot_mosaic(
            [["path", "place"], ["path", "distance"], ["path", "speed"]], width_ratios=(1.2, 1)
        )
        _draw_paths(panels["path"], quiet, noisy)
        for title, key, label, course in (
            ("b   Position", "place", "x, y [m]", _place),
            ("c   Distance from the command", "distance", "distance [cm]", _distance),
            ("d   Speed", "speed", "speed [m/s]", _speed),
        ):
            for shown, style in in_order(quiet, noisy):
                for colour, line in zip(COLOURS, course(shown), strict=False):
                    panels[key].plot(shown.time[1:], line, color=colour, **style)
            panels[key].set(title=title, ylabel=label, xlim=(0, quiet.time[-1]))
        for axis, colour, end in zip("xy", COLOURS, quiet.hand[-1], strict=False):
            panels["place"].annotate(
                axis,
                (quiet.time[-1], end),
                (3, 0),
                color=colour,
                va="center",
                textcoords="offset points",
                annotation_clip=False,
            )
        if not task.cyclic:
            panels["place"].plot(quiet.time[1:], quiet.target, "--", color=INK, lw=0.9, zorder=3)
        panels["speed"].plot(
            quiet.time[1:], _wanted_speed(quiet), "--", color=INK, lw=0.9, zorder=3
        )
        panels["distance"].set_ylim(0, None)
        panels["speed"].set(xlabel="time [s]", ylim=(0, None))
        for key in ("place", "distance"):
            panels[key].tick_params(labelbottom=False)
        explain(figure, noise, "command")
        sign(figure, name)
    return figure


def _replay(shown: Run) -> Callable[[float], np.ndarray]:
    """Return the commands of a run as a function of time [s], for other runs to have the same."""

    def command(time: float) -> np.ndarray:
        index = round(time / shown.time[1])
        return shown.command[min(index, len(shown.command) - 1)]

    return command


def _draw_paths(axes: Axes, quiet: Run, noisy: list[Run]) -> None:
    draw_space(axes, quiet, "a   Path of the hand")
    for shown, style in in_order(quiet, noisy):
        axes.plot(*shown.hand.T, color=COLOURS[0], **style)
    for command in _different(quiet):
        track = quiet.task.track(command)
        if track is not None:
            axes.plot(*np.vstack([track, track[:1]]).T, "--", color=INK, lw=0.9, zorder=3)
    if quiet.task.moving:
        axes.plot(*quiet.target.T, "--", color=INK, lw=0.9, zorder=3)
    elif not quiet.task.cyclic:
        axes.plot(*_different(quiet)[:, :2].T, "o", mfc="none", color=INK, ms=9, zorder=3)
    axes.set_xlabel("x [m]")


def _different(shown: Run) -> np.ndarray:
    """Return the different commands (n, K) of a run in their order; one if they move."""
    changes = np.flatnonzero(np.any(np.diff(shown.command, axis=0), axis=1)) + 1
    return shown.command[:1] if shown.task.moving else shown.command[[0, *changes]]


def _place(shown: Run) -> list[np.ndarray]:
    return list(shown.hand[1:].T)


def _distance(shown: Run) -> list[np.ndarray]:
    squared, _, _ = shown.task.error(NUMPY, shown.command, *shown.hand[1:].T)
    return [100 * np.sqrt(squared)]


def _speed(shown: Run) -> list[np.ndarray]:
    return [shown.speed[1:]]


def _wanted_speed(shown: Run) -> np.ndarray:
    _, x, y = shown.task.error(NUMPY, shown.command, *shown.hand[1:].T)
    return np.hypot(x, y) + 0 * shown.time[1:]
