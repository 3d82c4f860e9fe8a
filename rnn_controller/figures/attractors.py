"""Maps of a controller's attractors over the workspace."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arm_env.dynamics.parameters import Arm
from arm_env.envs.muscle_paths import workspace_outline
from arm_env.tasks.registry import TASKS
from arm_env.tasks.task import Task
from rnn_controller.analysis.attractors import Analysis
from rnn_controller.figures.common import COLOURS, FLESH, INK, STYLE, sign

BROKEN = COLOURS[1]


def figure_attractors(
    found: Analysis,
    arm: Arm | None = None,
    *,
    task: Task | None = None,
    name: str | None = None,
) -> Figure:
    """Draw maps of the attractors over the workspace, and histograms.

    The maps show the error, the slowest time constant, and the share of random starts that end on
    the attractor. A point is drawn as one marker for each command, a cycle as one circle. A command
    without a stable attractor is crossed out. ``task`` is the controller's, if its workspace is not
    the usual one.
    """
    columns = {
        "error": (
            "a   Distance from the command [mm]",
            [1000 * a.error for a in found.attractors],
            "viridis",
        ),
        "time": (
            "b   Slowest time constant [s]",
            [a.time_constant for a in found.attractors],
            "cividis",
        ),
        "same": (
            "c   Random starts that end on it [%]",
            [100 * a.same for a in found.attractors],
            "RdYlGn",
        ),
    }
    task = task or TASKS[found.task]
    with rc_context(STYLE):
        figure = Figure(figsize=(9.5, 5.4), layout="constrained")
        panels = figure.subplot_mosaic(
            [["error", "time", "same"], ["hist", "conv", "mult"]], height_ratios=(1.15, 1)
        )
        for key, (title, values, colours) in columns.items():
            _draw_map(panels[key], found, np.array(values), colours, arm or Arm(), task)
            panels[key].set(title=title, xlabel="x [m]", aspect="equal")
        panels["error"].set_ylabel("y [m]")
        _draw_histograms(panels, found)
        sign(figure, name)
    return figure


def _draw_map(
    axes: Axes, found: Analysis, values: np.ndarray, colours: str, arm: Arm, task: Task
) -> None:
    axes.fill(*workspace_outline(arm, task).T, color=FLESH, zorder=0)
    stable = np.array([a.stable for a in found.attractors])
    places = np.array([a.command[:2] for a in found.attractors])
    if task.cyclic:  # commands share centres: spread them by their other numbers
        shapes = sorted({a.command[2:] for a in found.attractors})
        angle = np.array(
            [2 * np.pi * shapes.index(a.command[2:]) / len(shapes) for a in found.attractors]
        )
        places = places + 0.018 * np.column_stack([np.cos(angle), np.sin(angle)])
    shown = stable & np.isfinite(values)
    limits = (
        (0, 100)
        if colours == "RdYlGn"
        else (0, np.quantile(values[shown], 0.98) if shown.any() else 1)
    )
    x, y = places[shown].T
    points = axes.scatter(x, y, 14, values[shown], cmap=colours, vmin=limits[0], vmax=limits[1])
    axes.plot(*places[~stable].T, "x", color=BROKEN, ms=5)
    axes.figure.colorbar(points, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02)


def _draw_histograms(panels: dict[str, Axes], found: Analysis) -> None:
    stable = [a for a in found.attractors if a.stable]
    for name, title, label, values in (
        ("hist", "d   Errors", "distance [mm]", [1000 * a.error for a in stable]),
        ("conv", r"e   Convergence time $\tau_c$", "time [s]", [a.convergence for a in stable]),
        ("mult", "f   Largest multiplier", "|eigenvalue|", [a.multiplier for a in stable]),
    ):
        kept = np.array(values)[np.isfinite(values)]
        panels[name].hist(kept, bins=_edges(kept), color=COLOURS[0])
        panels[name].set(title=title, xlabel=label)
        if len(kept):
            panels[name].axvline(np.median(kept), color=INK, ls=":", lw=1)
    panels["hist"].set_ylabel("commands")
    note = f"f   Largest multiplier, {len(stable)} of {len(found.attractors)} stable"
    panels["mult"].set_title(note)


def _edges(values: np.ndarray) -> list[float]:
    """Return the edges of 30 bins; values that differ in their last digits share one."""
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    least = 1e-6 * max(abs(low), abs(high)) or 1.0
    return np.linspace(low, high if high - low > least else low + least, 31).tolist()
