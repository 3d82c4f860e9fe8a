"""The fair comparison: ``python -m benchmarks.fair``.

Each method was trained for the same processor time, after the same search of its settings. This
command makes a table, a CSV file and a figure of the stored runs and studies.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from arm_env.files import write_whole
from benchmarks.csv_files import write_csv
from benchmarks.places import RESULT, RESULTS, STUDIES
from benchmarks.report import (
    SUCCESS,
    WORDS,
    Rows,
    by_controller,
    cell,
    colours_of,
    draw_curves,
    draw_scores,
    measured,
    scores,
)
from benchmarks.runs import Run, command_line, stored_runs
from benchmarks.statistics import improvement, improvement_interval
from benchmarks.sweep.jobs import result_in
from rnn_controller.figures import save
from rnn_controller.figures.common import STYLE

NETWORK = "rnn"
LONG = 2.0  # a run with more than this multiple of the network's processor time is a long one


@dataclass(frozen=True)
class Args:
    """Make fair.csv, fair.md and fair.png of the stored runs of the fair comparison.

    Examples:
      python -m benchmarks.fair
      python -m benchmarks.fair --runs runs/fair --output runs
    """

    runs: Path = RESULTS / "fair"
    """Folder of the stored runs."""
    studies: Path = STUDIES
    """Folder of the searches of settings."""
    output: Path = RESULTS
    """Folder that the files are written to."""


@dataclass(frozen=True)
class Fair:
    """The stored runs with their rows of the table."""

    runs: list[Run]
    rows: Rows
    studies: Path

    def budget(self, env_id: str) -> float:
        """Return the processor time of the network in an environment [s]; NaN without one."""
        of_network = scores(by_controller(self.rows, env_id).get(NETWORK, []), "core_seconds")
        return float(np.mean(of_network)) if of_network else np.nan

    def split(self, env_id: str) -> tuple[dict[str, Rows], dict[str, Rows]]:
        """Return the rows by method: those with the budget, and those with more than that."""
        limit = LONG * self.budget(env_id)
        equal: dict[str, Rows] = {}
        long: dict[str, Rows] = {}
        for name, rows in by_controller(self.rows, env_id).items():
            is_long = np.mean(scores(rows, "core_seconds")) > limit
            (long if is_long else equal)[name] = rows
        return equal, long

    def search_of(self, method: str, env_id: str) -> str:
        """Return trials and processor time of the search of a method as text."""
        path = self.studies / f"{method}-{env_id}.json"
        if not path.exists():
            return "–"
        study = json.loads(path.read_text("utf-8"))
        return f"{len(study['trials'])} trials, {study['core_seconds_of_all']:,.0f} s"


def read(args: Args) -> Fair:
    """Return the stored runs. Raises ValueError if there are none."""
    runs = list(stored_runs(args.runs))
    if not runs:
        raise ValueError(
            f"there are no runs in {args.runs}: "
            f"python -m benchmarks.sweep benchmarks/fair.toml --store {args.runs}"
        )
    if missing := [run.folder.name for run in runs if not (run.folder / RESULT).exists()]:
        raise ValueError(f"these runs in {args.runs} have no {RESULT}: {', '.join(missing)}")
    rows = [result_in(run.folder) for run in runs]
    return Fair(runs, rows, args.studies)


def share(values: Sequence[float], budget: float) -> str:
    """Return processor times as text, with their largest deviation from the budget."""
    mean, off = float(np.mean(values)), float(np.max(np.abs(np.array(values) / budget - 1)))
    return f"{mean:,.0f} s (± {100 * off:.0f} %)"


def better(rows: Rows, network: Rows, env_id: str) -> str:
    """Return the probability that a run of the network is more successful, with its interval."""
    theirs, ours = (scores(group, SUCCESS[env_id]) for group in (rows, network))
    if not ours or rows is network:
        return "–"
    middle = improvement(ours, theirs)
    low, high = improvement_interval(ours, theirs, np.random.default_rng(0))
    return f"{100 * middle:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def table(fair: Fair, env_id: str) -> str:
    """Return the Markdown tables of one environment."""
    equal, long = fair.split(env_id)
    budget = fair.budget(env_id)
    titles = (
        "method", "seeds", WORDS[env_id], "V", "steps", "processor time",
        "search before it", "network is better",
    )  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|---|" + "---:|" * (len(titles) - 1)]
    for name, rows in equal.items():
        cells = [
            *outcome(name, rows, env_id),
            share(scores(rows, "core_seconds"), budget),
            fair.search_of(name, env_id),
            better(rows, equal.get(NETWORK, []), env_id),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if not long:
        return "\n".join(lines)
    lines += ["", "With more processor time:", ""]
    lines += ["| " + " | ".join(titles[:6]) + " |", "|---|" + "---:|" * 5]
    for name, rows in long.items():
        times = [time / budget for time in scores(rows, "core_seconds")]
        cells = [*outcome(name, rows, env_id), f"{np.mean(times):.1f} × the budget"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def outcome(name: str, rows: Rows, env_id: str) -> tuple[str, str, str, str, str]:
    """Return the first cells of a line: method, seeds, success, value and steps of training."""
    return (
        name,
        str(len(rows)),
        cell(scores(rows, SUCCESS[env_id]), lambda x: f"{100 * x:.1f} %"),
        cell(scores(rows, "mean_value"), lambda x: f"{x:.2f}"),
        f"{np.median(scores(rows, 'train_steps')) / 1e6:.3g} M",
    )


@rc_context(STYLE)
def figure(fair: Fair) -> Figure:
    """Draw the success of every run, and learning curves against processor time."""
    environments = measured(fair.rows)
    colours = colours_of(run.algorithm for run in fair.runs)
    for run, row in zip(fair.runs, fair.rows, strict=True):  # a long run has a name of its own
        colours[row["controller"]] = colours[run.algorithm]
    whole = Figure(figsize=(9, 3.2 * len(environments)), layout="constrained")
    grid = whole.subplots(len(environments), 2, squeeze=False)
    for line, env_id in zip(grid, environments, strict=True):
        draw_scores(line[0], fair.rows, env_id, colours)
        draw_curves(line[1], fair.runs, env_id, "core_seconds", colours)
    names = list(dict.fromkeys(run.algorithm for run in fair.runs))
    handles = [Line2D([], [], color=colours[name], label=name) for name in names]
    whole.legend(handles=handles, loc="outside lower center", ncols=min(len(names), 7))
    return whole


def written(fair: Fair, output: Path) -> Iterator[Path]:
    """Write fair.csv, fair.md and fair.png; yield their paths."""
    yield write_csv(output / "fair.csv", fair.rows)
    parts = [
        "# Fair comparison",
        "Written by `python -m benchmarks.fair`; every run is in `fair.csv`. All methods have the "
        "same processor time, which is that of the network, and are reported at its end; ± is the "
        "largest deviation of a run. Steps are control steps (M: million); how many fit into the "
        "processor time depends on the machine and on its other work. Before that, the settings "
        "of each baseline were searched (`benchmarks.search`). Interquartile means over seeds "
        "[95 % intervals, stratified bootstrap]. The last column is the probability that a run of "
        "the network is more successful than one of the method (Agarwal et al. 2021).",
    ]
    for env_id in measured(fair.rows):
        parts += [f"## {env_id}", table(fair, env_id)]
    parts.append("![Success and learning curves](fair.png)")
    yield write_whole(output / "fair.md", "\n\n".join(parts) + "\n")
    yield save(figure(fair), output / "fair.png")


def main(args: Args) -> None:
    """Read the runs, and write the report."""
    for path in written(read(args), args.output):
        print(f"written: {path}")


if __name__ == "__main__":
    command_line(main, Args)
