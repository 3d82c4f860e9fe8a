"""Figure 6: reaching."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from arm_env.control.controllers import Controller
from arm_env.tasks.measures import TARGET_SIZE, closest_minimum_jerk, path_deviation
from arm_env.tasks.reach import Reach
from arm_env.tasks.schedules import CommandList
from rnn_controller.checkpoint import Checkpoint, environment_of
from rnn_controller.figures.common import (
    COLOURS,
    FLESH,
    INK,
    STYLE,
    Run,
    draw_space,
    legend,
    run,
    sign,
)
from rnn_controller.figures.overview import figure_overview
from rnn_controller.policy import controller_of

START = (0.12, 0.31)  # [m] the first command, on which figure 6 begins
TARGETS = np.array([(0.38, 0.40), (-0.04, 0.55), (-0.36, 0.24), (0.04, 0.40)])  # [m] the next four
HOLD = 1.0  # [s] how long each is in force
ROUND = 8.0  # [s] one round of the moving target
LONGEST_LAG = 1.0  # [s] that is looked for


def moving_target(time: float) -> np.ndarray:
    """Return a point [m], (2,), of a figure of eight within the task's workspace."""
    phase = 2 * np.pi * time / ROUND
    return np.array([0.05 + 0.22 * np.sin(phase), 0.42 + 0.09 * np.sin(2 * phase)])


def tracking_lag(hand: np.ndarray, target: np.ndarray, longest: int) -> int:
    """Return the delay of a hand behind a target, (T, 2) each, in instants up to ``longest``.

    It is the delay of the target for which the median distance is least. All delays are compared
    over the same hand positions, those after the first ``longest``.
    """
    last = len(target)
    delayed = (target[longest - lag : last - lag] for lag in range(longest + 1))
    return int(np.argmin([median_distance(hand[longest:], places) for places in delayed]))


def median_distance(hand: np.ndarray, target: np.ndarray) -> float:
    """Return the median [m] over time of the distance between positions, (T, 2) each."""
    return float(np.median(np.linalg.norm(hand - target, axis=-1)))


def figure_reaches(
    controller: Controller,
    *,
    seed: int = 0,
    noise: float = 0.2,
    name: str | None = None,
    **environment: Any,
) -> Figure:
    """Draw the first three panels of figure 6: reaching for four targets in turn.

    The arguments are those of ``figure_6``.
    """
    commands = CommandList(np.vstack([START, TARGETS]), HOLD)
    reaching = run(controller, commands, HOLD * len(TARGETS), seed=seed, noise=noise, **environment)
    with rc_context(STYLE):
        # fixed margins: a layout engine would take longer than all the rest
        margins = {"left": 0.08, "right": 0.94, "bottom": 0.15, "top": 0.92}
        figure = Figure(figsize=(7.5, 4.0))
        panels = figure.subplot_mosaic(
            [["a", "b"], ["a", "c"]],
            width_ratios=(1.3, 1),
            gridspec_kw={**margins, "wspace": 0.22, "hspace": 0.5},
        )
        panels["b"].sharex(panels["c"])
        _draw_reaches(panels["a"], reaching)
        _draw_distance(panels["b"], reaching)
        _draw_speed(panels["c"], reaching)
        low, _ = panels["a"].get_ylim()
        panels["a"].set_ylim(low - 0.14)  # room for the note
        panels["a"].set_xlabel("x [m]")
        panels["c"].set_xlabel("time [s]")
        sign(figure, name)
    return figure


def figure_training(checkpoint: Checkpoint) -> Figure:
    """Draw the movements of a network in training: four reaches, or an episode of another task."""
    controller, environment = controller_of(checkpoint), environment_of(checkpoint)
    name = f"after {checkpoint.training['state']['done']} iterations"
    if checkpoint.task == Reach.name:
        return figure_reaches(controller, name=name, **environment)
    # one run without noise, since drawing more would slow the training down
    return figure_overview(controller, checkpoint.goal, noise=0.0, name=name, **environment)


def figure_6(
    controller: Controller,
    *,
    seed: int = 0,
    noise: float = 0.2,
    name: str | None = None,
    **environment: Any,
) -> Figure:
    """Draw (a) reaching for four targets in turn, with (b) distance and (c) speed.

    Panel (d) shows following of a moving target.

    The curves behind (a) and (d) are those of constant shoulder and of constant elbow angle.
    ``name`` is the controller's. Other arguments, such as ``arm`` and ``control_period``, go to the
    environment.
    """
    commands = CommandList(np.vstack([START, TARGETS]), HOLD)
    reaching = run(controller, commands, HOLD * len(TARGETS), seed=seed, noise=noise, **environment)
    tracking = run(controller, moving_target, ROUND, seed=seed, noise=noise, **environment)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 5.8), layout="constrained")
        panels = figure.subplot_mosaic([["a", "b"], ["c", "d"]])
        for one, other in ("ad", "bc"):
            panels[one].sharex(panels[other])
        panels["a"].sharey(panels["d"])
        _draw_reaches(panels["a"], reaching)
        _draw_distance(panels["b"], reaching)
        _draw_speed(panels["c"], reaching)
        _draw_tracking(panels["d"], tracking)
        low, _ = panels["d"].get_ylim()
        panels["d"].set_ylim(low - 0.14)  # room for the notes
        for letter, label in zip("abcd", ("x [m]", "time [s]", "time [s]", "x [m]"), strict=True):
            panels[letter].set_xlabel(label)
        sign(figure, name)
    return figure


def _movements(reaching: Run) -> Iterator[tuple[str, np.ndarray, slice]]:
    """Yield the colour, target and instants of each movement, from one jump to the next."""
    jumps = [int((reaching.target == target).all(-1).argmax()) for target in TARGETS]
    for colour, target, (start, end) in zip(
        COLOURS, TARGETS, pairwise([*jumps, len(reaching.target)]), strict=True
    ):
        yield colour, target, slice(start, end + 1)


def _draw_reaches(axes: Axes, reaching: Run) -> None:
    draw_space(axes, reaching, "a   Four consecutive targets")
    axes.plot(*reaching.hand[0], "s", color=INK, ms=4)
    axes.annotate(
        "start", reaching.hand[0], (-5, -2), textcoords="offset points", ha="right", va="top"
    )
    way = np.diff(np.vstack([START, TARGETS]), axis=0)
    beyond = TARGETS + 1.8 * TARGET_SIZE * way / np.linalg.norm(way, axis=-1, keepdims=True)
    deviations = []
    for number, (colour, target, when) in enumerate(_movements(reaching), 1):
        path = reaching.hand[when]
        axes.plot(*np.stack([path[0], target]).T, "--", color=colour, lw=0.9)
        deviations.append(path_deviation(path[:, None], path[:1], target[None])[0])
        axes.add_patch(Circle(tuple(target), TARGET_SIZE, fill=False, ec=colour, lw=1.3))
        axes.plot(*path.T, color=colour, lw=1.8)
        axes.annotate(
            str(number), beyond[number - 1], color=colour, weight="bold", ha="center", va="center"
        )
    axes.plot([], "--", color=INK, lw=0.9, label="straight")
    legend(axes)
    shares = ", ".join(f"{100 * deviation:.0f}" for deviation in deviations)
    _note(axes, f"largest distance from the straight line:\n{shares} % of its length")


def _draw_distance(axes: Axes, reaching: Run) -> None:
    axes.axhspan(0, 100 * TARGET_SIZE, color=FLESH, lw=0)
    for colour, target, when in _movements(reaching):
        distance = np.linalg.norm(reaching.hand[when] - target, axis=-1)
        axes.plot(reaching.time[when], 100 * distance, color=colour, lw=1.8)
    _draw_jumps(axes, reaching)
    axes.text(
        1.01,
        100 * TARGET_SIZE,
        f"{100 * TARGET_SIZE:.0f} cm",
        transform=axes.get_yaxis_transform(),
        va="center",
    )
    axes.set(title="b   Distance to target", ylabel="distance [cm]")


def _draw_speed(axes: Axes, reaching: Run) -> None:
    correlations = []
    for colour, _, when in _movements(reaching):
        time = reaching.time[when]
        speed = reaching.speed[when]
        correlation, bell = (part[..., 0] for part in closest_minimum_jerk(speed[:, None]))
        correlations.append(correlation)
        axes.plot(time, np.where(bell > 1e-9, bell, np.nan), "--", color=colour, lw=1.2)
        axes.plot(time, speed, color=colour, lw=1.8)
    _draw_jumps(axes, reaching)
    least = np.floor(100 * min(correlations)) / 100
    axes.plot([], "--", color=INK, lw=1.2, label=f"minimum jerk, r ≥ {least:.2f}")
    legend(axes)
    axes.set(title="c   Speed", ylabel="speed [m/s]")


def _draw_jumps(axes: Axes, reaching: Run) -> None:
    for _, _, when in _movements(reaching):
        axes.axvline(reaching.time[when.start], color=INK, lw=0.7, ls=":")
    axes.set(xlim=reaching.time[[0, -1]], ylim=(0, None))


def _draw_tracking(axes: Axes, tracking: Run) -> None:
    draw_space(axes, tracking, "d   Moving target")
    hand = tracking.hand[1:]
    target = tracking.target
    axes.plot(*target.T, ":", color=INK, label="target")
    axes.plot(*tracking.hand.T, color=COLOURS[0], lw=1.5, label="hand")
    legend(axes)
    period = tracking.time[1]
    lag = tracking_lag(hand, target, min(round(LONGEST_LAG / period), len(hand) - 1))
    plain, delayed = (median_distance(hand[k:], target[: len(target) - k]) for k in (0, lag))
    distances = f"median distance {100 * plain:.1f} cm,\n{100 * delayed:.1f} cm"
    _note(axes, f"{distances} with the lag of {period * lag:.2f} s taken out")


def _note(axes: Axes, text: str) -> None:
    """Write a text in the lower right corner, below the arm."""
    axes.text(0.99, 0.02, text, transform=axes.transAxes, ha="right", linespacing=1.3)
