"""Measure reaching networks of five sizes: ``python -m benchmarks.sizes``.

Success, error and value are measured on 1000 held-out jumps under noise, and the error without
noise on the same jumps. A command has a stable attractor if the closed loop without noise has a
stable fixed point for it. The share of starts counts the random starts whose hand ends within 2 mm
of that attractor (``rnn_controller.analysis.attractors``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from tqdm import tqdm

import arm_env
from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS
from benchmarks.compare import SEED, read_rows, write_rows
from benchmarks.places import RECORD, RESULTS, STORED
from benchmarks.report import Column, Rows
from benchmarks.runs import NOISE, Run, command_line, read_run
from rnn_controller.analysis.attractors import ClosedLoop, analyse, grid
from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.figures import save
from rnn_controller.figures.common import COLOURS, STYLE

ENVIRONMENT = arm_env.Reach.env_id
NETWORKS = ("rnn-6", "rnn-12", "rnn-24", "rnn", "rnn-64")
UNDER_NOISE = ("fraction_within_target", "median_endpoint_error_m", "mean_value")
COLUMNS: tuple[Column, ...] = (
    ("fraction_within_target", "within target", lambda x: f"{100 * x:.1f} %"),
    ("median_endpoint_error_m", "endpoint error", lambda x: f"{100 * x:.2f} cm"),
    ("mean_value", "V", lambda x: f"{x:.3f} s"),
    ("noise_free_endpoint_error_m", "endpoint error without noise", lambda x: f"{1000 * x:.1f} mm"),
    ("fraction_stable", "commands with a stable attractor", lambda x: f"{100 * x:.0f} %"),
    ("fraction_same_attractor", "starts that end there", lambda x: f"{100 * x:.0f} %"),
    ("parameters", "parameters", lambda x: f"{x:,.0f}"),
    ("train_seconds", "training on one thread", lambda x: f"{x:.0f} s"),
)
PANELS: tuple[tuple[str, float, dict[str, str]], ...] = (
    ("within the target [%]", 100, {"fraction_within_target": ""}),
    (
        "median endpoint error [cm]",
        100,
        {"median_endpoint_error_m": "with noise", "noise_free_endpoint_error_m": "without"},
    ),
    ("mean value V [s]", 1, {"mean_value": ""}),
    (
        "attractors [%]",
        100,
        {"fraction_stable": "stable, of commands", "fraction_same_attractor": "reached, of starts"},
    ),
    ("training on one thread [min]", 1 / 60, {"train_seconds": ""}),
)
"""Label, factor and columns of each panel."""


@dataclass(frozen=True)
class Args:
    """Measure networks of several sizes, and write sizes.csv, sizes.md and sizes.png.

    Examples:
      python -m benchmarks.sizes
      python -m benchmarks.sizes --again --movements 100 --output runs/sizes
    """

    again: bool = False
    """Also measure the networks that have a row."""
    movements: int = 1000
    """Number of jumps that each network is measured on."""
    commands: int = 100
    """Number of commands whose attractors are searched."""
    starts: int = 20
    """Number of random starts for each command."""
    runs: Path = STORED
    """Folder of the stored runs."""
    output: Path = RESULTS
    """Folder that sizes.csv, sizes.md and sizes.png are written to."""


def row(run: Run, args: Args) -> dict[str, Any]:
    """Return one row of the table."""
    checkpoint = load_checkpoint(run.folder)
    controller = run.controller()
    noisy, quiet = (
        arm_env.evaluate(controller, movements=args.movements, seed=SEED, noise=noise).as_dict()
        for noise in (NOISE, 0.0)
    )
    task = TASKS[checkpoint.task]
    arm = checkpoint.arm
    config = checkpoint.network.config
    loop = ClosedLoop(checkpoint.network, task, arm, config.control_period)
    commands = grid(task, arm, args.commands)
    found = analyse(loop, commands, starts=args.starts, progress=False).measures
    return {
        "controller": run.algorithm,
        "environment": run.environment,
        "seed": run.seed,
        "neurons": config.neurons,
        "movements": args.movements,
        "commands": args.commands,
        "starts": args.starts,
        **{name: noisy[name] for name in UNDER_NOISE},
        "noise_free_endpoint_error_m": quiet["median_endpoint_error_m"],
        "fraction_stable": found.fraction_stable,
        "fraction_same_attractor": found.fraction_same_attractor,
        "parameters": run.parameters,
        "train_seconds": round(run.seconds, 1),
    }


def stored(args: Args) -> list[Run]:
    """Return the runs of seed 0. Raises ValueError if some are missing."""
    folders = [args.runs / f"{name}-{ENVIRONMENT}-0" for name in NETWORKS]
    missing = [folder.name for folder in folders if not (folder / RECORD).exists()]
    if missing:
        names = ", ".join(missing)
        command = "python -m benchmarks.sweep benchmarks/comparison.toml"
        raise ValueError(f"not in {args.runs}: {names}; {command} trains them")
    return [read_run(folder) for folder in folders]


def markdown(rows: Rows) -> str:
    """Return the Markdown table."""
    lines = [
        "| neurons | " + " | ".join(title for _, title, _ in COLUMNS) + " |",
        "|---:|" + "---:|" * len(COLUMNS),
    ]
    for row in rows:
        cells = [show(row[name]) for name, _, show in COLUMNS]
        lines.append(f"| {row['neurons']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@rc_context(STYLE)
def figure(rows: Rows) -> Figure:
    """Draw every measure against the number of neurons."""
    whole = Figure(figsize=(12, 2.8), layout="constrained")
    sizes = [row["neurons"] for row in rows]
    for axes, (label, factor, names) in zip(whole.subplots(1, len(PANELS)), PANELS, strict=True):
        for colour, (name, legend) in zip(COLOURS, names.items(), strict=False):
            values = [factor * row[name] for row in rows]
            axes.plot(sizes, values, ".-", color=colour, label=legend, ms=7)
        axes.set_xscale("log")
        axes.set_xticks(sizes, sizes)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="neurons", ylabel=label)
        lowest = min(factor * row[name] for row in rows for name in names)
        axes.set_ylim(bottom=min(90, lowest) if label.endswith("[%]") else 0)
        if len(names) > 1:
            axes.legend(loc="lower right" if label.endswith("[%]") else "best")
        axes.grid()
    return whole


def write_report(rows: Rows, output: Path) -> Iterator[Path]:
    """Write sizes.md and sizes.png."""
    rows = sorted(rows, key=lambda row: row["neurons"])
    parts = ["# Quality against size", (__doc__ or "").strip()]
    parts += ["One training of each size, seed 0.", markdown(rows), "![Measures](sizes.png)"]
    yield write_whole(output / "sizes.md", "\n\n".join(parts) + "\n")
    yield save(figure(rows), output / "sizes.png")


def main(args: Args) -> None:
    """Measure the networks that have no row yet, and write table and figure."""
    path = args.output / "sizes.csv"
    rows = {row["controller"]: row for row in read_rows(path)}
    for run in tqdm(stored(args), desc="sizes"):
        if args.again or run.algorithm not in rows:
            rows[run.algorithm] = row(run, args)
            write_rows(path, list(rows.values()))
    for written in [path, *write_report(list(rows.values()), args.output)]:
        print(f"written: {written}")


if __name__ == "__main__":
    command_line(main, Args)
