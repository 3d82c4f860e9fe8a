"""The model beside people: ``python -m benchmarks.human``."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from arm_env.arguments import count
from arm_env.files import write_whole
from benchmarks.human.experiments import EXPERIMENTS, Settings, in_order, measured, tally
from benchmarks.human.rows import LIKE, PARTLY, UNLIKE, Row, read_csv, table, to_csv
from benchmarks.places import RESULTS, STORED
from benchmarks.runs import command_line
from rnn_controller.figures import save

MAKE = "`python -m benchmarks.human` made this file."


@dataclass(frozen=True)
class Args:
    """Measure the model beside people, and write human.csv, human.md and a figure of each part.

    Nothing is trained: the networks are stored runs. `python -m benchmarks.human.training` made
    those of the curves.

    Examples:
      python -m benchmarks.human
      python -m benchmarks.human --only strength reaches --output runs/human
    """

    only: tuple[str, ...] = ()
    """Experiments to measure, of stiffness, strength, reaches, endpoints and curvature; all without
    any. The rows of the others stay as they are."""
    seed: int = 1
    """Seed of the noise. The same seed gives the same files."""
    repeats: int = 100
    """Number of noisy reaches to each target."""
    runs: Path = STORED
    """Folder of the stored networks."""
    output: Path = RESULTS
    """Folder that the files are written to."""


def chosen(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the experiments of these names, all for none. Raises ValueError for another name."""
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown:
        raise ValueError(
            f"no experiment is called {', '.join(unknown)}: there are {', '.join(EXPERIMENTS)}"
        )
    return names or tuple(EXPERIMENTS)


def summary(rows: list[Row]) -> str:
    """Return a Markdown table of the number of rows of each verdict, by experiment."""
    lines = [f"| experiment | {LIKE} | {PARTLY} | {UNLIKE} |", "|---|---:|---:|---:|"]
    for name, experiment in EXPERIMENTS.items():
        counts = tally(row for row in rows if row.experiment == name)
        if counts:
            cells = " | ".join(str(counts.get(verdict, 0)) for verdict in (LIKE, PARTLY, UNLIKE))
            lines.append(f"| {experiment.title.lower()} | {cells} |")
    return "\n".join(lines)


def section(name: str, rows: list[Row]) -> str:
    """Return the protocol and the table of an experiment, in Markdown."""
    experiment = EXPERIMENTS[name]
    mine = [row for row in rows if row.experiment == name]
    return f"## {experiment.title}\n\n{experiment.protocol}\n\n{table(mine)}"


def report(rows: list[Row]) -> str:
    """Return human.md."""
    names = [name for name in EXPERIMENTS if any(row.experiment == name for row in rows)]
    parts = ["# The model beside people", MAKE, summary(rows)]
    for name in names:
        parts += [section(name, rows), f"![{EXPERIMENTS[name].title}](human-{name}.png)"]
    return "\n\n".join(parts) + "\n"


def main(args: Args) -> None:
    """Measure, and write the table and the figures."""
    torch.set_num_threads(1)
    names = chosen(args.only)
    settings = Settings(count("seed", args.seed), count("repeats", args.repeats, 3), runs=args.runs)
    path = args.output / "human.csv"
    rows = [row for row in read_csv(path) if row.experiment not in names]
    progress = tqdm(names)
    for name in progress:
        progress.set_description(name)
        begun = time.monotonic()
        found, figure = measured(name, settings)
        rows = in_order([*rows, *found])
        to_csv(path, rows)
        picture = save(figure, args.output / f"human-{name}.png")
        tqdm.write(f"written: {picture} ({time.monotonic() - begun:.0f} s)")
    print(f"written: {path}")
    print(f"written: {write_whole(path.with_suffix('.md'), report(rows))}")


if __name__ == "__main__":
    command_line(main, Args)
