"""Figure 8, and the figure of any plan: drawings, by osculating circles and by planned commands."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from arm_env.control.controllers import Controller
from arm_env.envs.settings import as_orbit
from arm_env.tasks.shapes import Circle
from rnn_controller.figures.common import (
    BEHIND,
    COLOURS,
    IN_FRONT,
    INK,
    STYLE,
    Run,
    draw_space,
    explain,
    in_order,
    runs,
    sign,
)
from rnn_controller.planning.curves import distances
from rnn_controller.planning.drawings import DRAWINGS
from rnn_controller.planning.osculating import osculating
from rnn_controller.planning.plans import Plan

LAPS = 3  # of a drawing
SETTLING = 3.0  # [s] before the laps that are drawn
BOX = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5}


def settling(lap: float) -> float:
    """Return the duration of the laps before those that are drawn [s]."""
    return float(np.ceil(SETTLING / lap) * lap)


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
    plans: Mapping[str, Plan] | None = None,
    **environment: Any,
) -> Figure:
    """Draw a figure of eight and a clover by osculating circles and by plans, three laps each.

    ``plans`` are those of ``DRAWINGS`` for the controller, by name; without them the figure shows
    the osculating circles alone. Runs under noise are drawn behind one without. ``name`` is the
    controller's. Other arguments, such as ``arm``, go to the environment.
    """
    check_planned_for(environment.get("orbit"))
    options = {"env_id": "CircleArm-v0", "seed": seed, "noise": noise, **environment}
    rows = [{key: osculating(*drawing[:2]) for key, drawing in DRAWINGS.items()}, plans or {}]
    ways = ("osculating circles", "planned commands")
    letters = iter("abcd")
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 6.7 if plans else 3.6), layout="constrained")
        panels = figure.subplots(len(rows) if plans else 1, 2, sharex=True, sharey=True)
        for row, schedules, way in zip(np.atleast_2d(panels), rows, ways, strict=False):
            for axes, (key, drawing) in zip(row, DRAWINGS.items(), strict=True):
                before = settling(drawing.lap)
                quiet, noisy = runs(
                    controller, schedules[key], LAPS * drawing.lap, before=before, **options
                )
                wanted = np.array([drawing.curve(phase) for phase in np.linspace(0, 1, 400)])
                title = f"{next(letters)}   {drawing.title}, {way}"
                _draw_paths(axes, quiet, noisy, wanted, title)
                axes.set(xlim=(-0.22, 0.22), ylim=(0.24, 0.60))
        for axes in np.atleast_2d(panels)[-1]:
            axes.set(xlabel="x [m]")
        explain(figure, noise, "curve")
        sign(figure, name)
    return figure


def figure_drawing(
    plan: Plan,
    controller: Controller,
    *,
    seed: int = 0,
    noise: float = 0.2,
    name: str | None = None,
    **environment: Any,
) -> Figure:
    """Draw (a) a plan's drawing, three laps of it, (b) the distance from the curve over a lap.

    (c) shows the positions that are commanded. Runs under noise are drawn behind one without.
    ``name`` is the controller's. Other arguments, such as ``arm``, go to the environment. Raises
    ValueError for anything but a plan, and for a controller of other commands.
    """
    if not isinstance(plan, Plan):
        raise ValueError(f"plan must be a Plan, such as Plan.load returns, not {plan!r:.60}")
    options = {"env_id": plan.goal.env_id, "seed": seed, "noise": noise, **environment}
    before = settling(plan.lap)
    quiet, noisy = runs(controller, plan, LAPS * plan.lap, before=before, **options)
    wanted = np.concatenate([plan.curve, plan.curve[:1]])
    commanded = "commanded centres" if plan.task == "circle" else "commanded targets"
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        panels = figure.subplot_mosaic(
            [["path", "distance"], ["path", "command"]], width_ratios=(1.3, 1)
        )
        path = panels["path"]
        _draw_paths(path, quiet, noisy, wanted, f"a   Drawing, {plan.lap:.3g} s a lap")
        centres = np.concatenate([plan.values, plan.values[:1]])[:, :2]
        path.plot(*centres.T, color=COLOURS[1], lw=0.8, zorder=1.8)
        _show_all(path, np.concatenate([wanted, centres]))
        _draw_distances(panels["distance"], plan, quiet, noisy)
        time = np.arange(len(plan.values) + 1) * plan.hold
        for column, style in ((0, "-"), (1, "--")):
            panels["command"].plot(time, centres[:, column], style, color=COLOURS[1], lw=1.2)
            where = (time[-1], centres[-1, column])
            panels["command"].annotate(
                "xy"[column], where, (4, 0), textcoords="offset points", va="center"
            )
        panels["command"].set(
            title=f"c   {commanded.capitalize()}", xlabel="time in the lap [s]", ylabel="[m]",
            xlim=(0, plan.lap),
        )  # fmt: skip
        entries = [
            Line2D([], [], color=COLOURS[0], **IN_FRONT, label="without noise"),
            Line2D([], [], color=COLOURS[0], **BEHIND, label=f"with {100 * noise:g} % noise"),
            Line2D([], [], color=COLOURS[1], lw=0.8, label=commanded),
            Line2D([], [], color=INK, ls="--", lw=0.9, label="curve"),
        ]
        shown = [entry for entry in entries if noise or entry.get_alpha() is None]
        figure.legend(handles=shown, ncols=4, loc="outside lower left")
        sign(figure, name)
    return figure


def _draw_paths(axes: Axes, quiet: Run, noisy: list[Run], wanted: np.ndarray, title: str) -> None:
    draw_space(axes, quiet, title)
    for shown, style in in_order(quiet, noisy):
        axes.plot(*shown.hand.T, color=COLOURS[0], **style)
    axes.plot(*wanted.T, "--", color=INK, lw=0.9, zorder=3)
    note = f"median distance {median_gap([quiet], wanted):.1f} mm"
    if noisy:
        note += f", with noise {median_gap(noisy, wanted):.1f} mm"
    axes.text(0.98, 0.97, note, transform=axes.transAxes, ha="right", va="top", bbox=BOX)


def _show_all(axes: Axes, points: np.ndarray) -> None:
    """Show a square around points (n, 2), with room above them for a line of text."""
    low, high = points.min(0) - 0.03, points.max(0) + np.array([0.03, 0.06])
    middle, half = (low + high) / 2, 0.5 * (high - low).max()
    axes.set(
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
        xlabel="x [m]",
    )


def _draw_distances(axes: Axes, plan: Plan, quiet: Run, noisy: list[Run]) -> None:
    """Draw the distances over the lap, of all laps."""
    for shown, style in in_order(quiet, noisy):
        laps = 1000 * plan.distances(shown.hand[1:]).reshape(LAPS, -1)
        time = np.linspace(0, plan.lap, laps.shape[1] + 1)[1:]
        axes.plot(time, laps.T, color=COLOURS[0], **style)
    axes.set(title="b   Distance from the curve", ylabel="[mm]", xlim=(0, plan.lap), ylim=(0, None))


def median_gap(shown: list[Run], curve: np.ndarray) -> float:
    """Return the median distance [mm] from the hand to a closed curve [m], (n, 2)."""
    hand = np.concatenate([each.hand for each in shown])
    return float(1000 * np.median(distances(hand, curve)))
