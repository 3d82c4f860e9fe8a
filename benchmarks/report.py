"""The comparison as a Markdown table and a figure, made from its rows and learning curves."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from arm_env.files import write_whole
from arm_env.tasks.registry import ENVIRONMENTS
from benchmarks.entries import FEW, UNTRAINED
from benchmarks.optimality import SHORT
from benchmarks.runs import Run, stored_runs
from benchmarks.statistics import interquartile_mean, interval
from rnn_controller.figures import save
from rnn_controller.figures.common import STYLE

Rows = list[dict[str, Any]]
Column = tuple[str, str, Callable[[float], str]]

# Okabe & Ito, and two more: colour-blind eyes tell them apart.
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#332288",
)  # fmt: skip
SIZED, GREY = re.compile(r".*-\d+"), "#888888"
"""Names of networks of another size, such as rnn-12, and their colour; sizes.png compares them."""
SUCCESS = {env_id: task.success_measure[0] for env_id, task in ENVIRONMENTS.items()}
WORDS = {env_id: task.success_measure[1] for env_id, task in ENVIRONMENTS.items()}
COMMON: tuple[Column, ...] = (
    ("mean_value", "V", lambda x: f"{x:.2f}"),
    ("value_over_best", "V / best", lambda x: f"{x:.2f}"),
    ("optimality_ratio_of_means", "V / optimum", lambda x: f"{x:.2f}"),
)
OWN: dict[str, tuple[Column, ...]] = {
    env_id: tuple((m.name, m.title, m.show) for m in task.shown_measures)
    for env_id, task in ENVIRONMENTS.items()
}
"""Columns that an environment has beside the common ones."""
EFFORT: tuple[Column, ...] = (
    ("train_steps", "steps of training", lambda x: f"{x / 1e6:.3g} M" if x else "–"),
    ("train_seconds", "time of training", lambda x: f"{x / 60:.1f} min" if x else "–"),
    ("parameters", "parameters", lambda x: f"{x:,.0f}" if x else "–"),
    ("microseconds_per_action", "an action", lambda x: f"{x:,.0f} µs"),
)


AXES = {
    "steps": "environment steps",
    "seconds": "seconds of training",
    "core_seconds": "processor time [s]",
}
"""Titles of the axes of learning curves."""


def by_controller(rows: Rows, env_id: str) -> dict[str, Rows]:
    """Return the rows of an environment by controller, the most successful first."""
    groups: dict[str, Rows] = defaultdict(list)
    for row in rows:
        if row["environment"] == env_id:
            groups[row["controller"]].append(row)

    def place(group: tuple[str, Rows]) -> tuple[float, float]:
        successes, values = (scores(group[1], name) for name in (SUCCESS[env_id], "mean_value"))
        return -interquartile_mean(successes), float(np.mean(values))

    return dict(sorted(groups.items(), key=place))


def with_value_over_best(rows: Rows) -> Rows:
    """Return the rows with their mean value over the best one, on the same 50 movements."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        values[row["environment"]].append(row["mean_value_of_50"])
    best = {env_id: min(those) for env_id, those in values.items()}
    ratios = [row["mean_value_of_50"] / best[row["environment"]] for row in rows]
    return [{**row, "value_over_best": ratio} for row, ratio in zip(rows, ratios, strict=True)]


def scores(rows: Rows, name: str) -> list[float]:
    """Return the values of a column, without empty cells."""
    return [row[name] for row in rows if row.get(name) is not None]


def cell(values: list[float], show: Callable[[float], str]) -> str:
    """Return the interquartile mean as text, with its 95 % interval over seeds."""
    if not values:
        return "–"
    middle = show(interquartile_mean(values))
    if len(values) == 1:
        return middle
    low, high = interval([values], np.random.default_rng(0))
    unit = middle.split(" ", 1)[1] if " " in middle else ""
    ends = [show(end).removesuffix(unit).strip() for end in (low, high)]
    return f"{middle} [{', '.join(ends)}]"


def markdown(rows: Rows, env_id: str) -> str:
    """Return the Markdown table of one environment."""
    columns = (*OWN[env_id], *COMMON)
    lines = [
        "| controller | seeds | " + " | ".join(title for _, title, _ in (*columns, *EFFORT)) + " |",
        "|---|" + "---:|" * (1 + len(columns) + len(EFFORT)),
    ]
    for name, group in by_controller(rows, env_id).items():
        cells = [cell(scores(group, column), show) for column, _, show in columns]
        cells += [show(float(np.median(scores(group, column)))) for column, _, show in EFFORT]
        lines.append(f"| {name} | {len(group)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measured(rows: Rows) -> list[str]:
    """Return the environments that have rows."""
    return [env_id for env_id in OWN if any(row["environment"] == env_id for row in rows)]


def overview(rows: Rows, env_id: str) -> str:
    """Return a task's table with its first columns, as the page of results shows it."""
    columns = (*OWN[env_id][:2], *COMMON[1:])
    lines = ["| | " + " | ".join(title for _, title, _ in columns) + " |"]
    lines += ["|---|" + "---:|" * len(columns)]
    for name, group in by_controller(rows, env_id).items():
        cells = [cell(scores(group, column), show) for column, _, show in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def efforts(rows: Rows) -> str:
    """Return a table of seeds, training and time of an action, the fastest controller first."""
    environments = measured(rows)
    titles = ["seeds", *(f"training, {ENVIRONMENTS[env_id].name}" for env_id in environments)]
    lines = ["| | " + " | ".join([*titles, "an action"]) + " |"]
    lines += ["|---|" + "---:|" * (len(titles) + 1)]
    found = []
    for controller in dict.fromkeys(row["controller"] for row in rows):
        groups = [by_controller(rows, env_id).get(controller, []) for env_id in environments]
        seeds = ", ".join(dict.fromkeys(str(len(group)) for group in groups if group))
        times = [time for group in groups for time in scores(group, "microseconds_per_action")]
        action = float(np.median(times))
        cells = [controller, seeds, *map(training, groups), f"{action:,.0f} µs"]
        found.append((action, "| " + " | ".join(cells) + " |"))
    return "\n".join([*lines, *(line for _, line in sorted(found))])


def training(rows: Rows) -> str:
    """Return the median steps and minutes of training as text; a dash without training."""
    steps, seconds = (scores(rows, name) for name in ("train_steps", "train_seconds"))
    if not any(steps):
        return "–"
    return f"{np.median(steps) / 1e6:.3g} M steps, {np.median(seconds) / 60:.0f} min"


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each controller: black if it is not trained, grey for another size."""
    every = sorted(set(names))
    colours = {name: GREY if SIZED.fullmatch(name) else "black" for name in every}
    own = [name for name in every if name not in UNTRAINED and not SIZED.fullmatch(name)]
    return {**colours, **dict(zip(own, cycle(PALETTE), strict=False))}


def draw_scores(axes: Axes, rows: Rows, env_id: str, colours: dict[str, str]) -> None:
    """Draw the success of every controller with its interval, and every seed as a dot."""
    groups = list(by_controller(rows, env_id).items())[::-1]
    for place, (name, group) in enumerate(groups):
        values = 100 * np.array(scores(group, SUCCESS[env_id]))
        low, high = interval([values], np.random.default_rng(0))
        axes.plot(
            [low, high],
            [place, place],
            color=colours[name],
            lw=6,
            alpha=0.35,
            solid_capstyle="butt",
        )
        axes.plot(values, np.full(len(values), place), ".", color=colours[name], ms=4, alpha=0.7)
        axes.plot(interquartile_mean(values), place, "|", color=colours[name], ms=11, mew=2)
    axes.set_yticks(range(len(groups)), [name for name, _ in groups])
    axes.set(xlim=(-2, 102), title=f"{env_id}: {WORDS[env_id]} [%]")
    axes.grid(axis="x")


def draw_curves(
    axes: Axes, runs: list[Run], env_id: str, against: str, colours: dict[str, str]
) -> None:
    """Draw learning curves: mean value of held-out movements against one of ``AXES``."""
    for run in runs:
        if run.environment == env_id and len(run.curve) > 1:
            x, y = ([point[key] for point in run.curve] for key in (against, "mean_value"))
            axes.plot(x, y, color=colours[run.algorithm], lw=1.1, alpha=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yscale("log")  # else one collapse hides all others
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set(
        xlabel=AXES[against],
        ylabel="mean value V",
    )
    axes.grid()


@rc_context(STYLE)
def figure(rows: Rows, runs: list[Run]) -> Figure:
    """Draw scores, and learning curves against steps and seconds, of every environment."""
    trained = list(dict.fromkeys(run.algorithm for run in runs))
    colours = colours_of([*trained, *(row["controller"] for row in rows)])
    environments = measured(rows)
    whole = Figure(figsize=(11, 3.2 * len(environments)), layout="constrained")
    grid = whole.subplots(len(environments), 3, squeeze=False)
    for line, env_id in zip(grid, environments, strict=True):
        draw_scores(line[0], rows, env_id, colours)
        draw_curves(line[1], runs, env_id, "steps", colours)
        draw_curves(line[2], runs, env_id, "seconds", colours)
    if trained:
        shown = {name: colours[name] for name in trained if not SIZED.fullmatch(name)}
        if len(shown) < len(trained):
            shown["other sizes"] = GREY
        handles = [Line2D([], [], color=colour, label=name) for name, colour in shown.items()]
        whole.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return whole


def overall(rows: Rows) -> str:
    """Return the success over all tasks, for the controllers trained on all of them."""
    groups = {env_id: by_controller(rows, env_id) for env_id in measured(rows)}
    how_many = "both" if len(groups) == 2 else "all"
    lines = [f"## {how_many.capitalize()}", ""]
    lines += [f"| controller | success over {how_many} tasks |", "|---|---:|"]
    first, *others = groups.values()
    for name in [name for name in first if all(name in group for group in others)]:
        strata = [scores(group[name], SUCCESS[env_id]) for env_id, group in groups.items()]
        low, high = interval(strata, np.random.default_rng(0))
        middle = interquartile_mean(np.concatenate(strata))
        lines.append(f"| {name} | {100 * middle:.1f} % [{100 * low:.1f}, {100 * high:.1f}] |")
    return "\n".join(lines)


def write_report(rows: Rows, stored: Path, output: Path) -> Iterator[Path]:
    """Write comparison.md and comparison.png."""
    parts = [
        "# Comparison",
        "Written by `python -m benchmarks.compare`; every row, seed by seed, is in "
        "`comparison.csv`. Interquartile means over seeds [95 % intervals, stratified bootstrap]; "
        "efforts are medians. The most successful controllers stand first. All under noise, on the "
        f"same held-out movements; the planner `receding-horizon` is measured over {FEW} others.",
        "V / optimum is the ratio of the mean values without noise, of all movements "
        "(`python -m benchmarks.optimum`). The column `optimality_ratio` of `comparison.csv` is a "
        f"mean of ratios; it leaves out jumps shorter than {100 * SHORT:g} cm, whose optimal "
        "values are small.",
        "V / best is the mean value under noise over the best that any row of the table reaches. "
        f"For this, all are measured over the {FEW} movements of the planner. The optimum under "
        "noise is not known; the best row, 1.00, stands for it.",
    ]
    for env_id in measured(rows):
        parts += [f"## {env_id}", markdown(rows, env_id)]
    parts += [overall(rows), "![Scores and learning curves](comparison.png)"]
    yield write_whole(output / "comparison.md", "\n\n".join(parts) + "\n")
    yield save(figure(rows, list(stored_runs(stored))), output / "comparison.png")
