"""Compare all controllers on the same movements, in a table and a figure.

``python -m benchmarks.compare`` measures every stored run and every untrained controller, writes
``benchmarks/results/comparison.csv``, and makes table and figure from it. ``--table-only`` measures
nothing.

Three columns compare a controller with the best one. ``optimality_ratio_of_means`` is its mean
value over that of the optimum, both without noise. ``optimality_ratio`` is the mean of the ratios
of single movements; it leaves out jumps shorter than 5 cm (``benchmarks.optimality``).
``value_over_best`` is its mean value under noise over the best of the table, on the same 50
movements for all: the receding-horizon controller is too slow for more.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from tqdm import tqdm

import arm_env
from arm_env.control.controllers import Controller
from benchmarks.csv_files import write_csv
from benchmarks.entries import FEW, Entry, entries, microseconds_per_action, your_own
from benchmarks.optimality import mean_of_ratios, optimality_ratios, ratio_of_means, stored_optimum
from benchmarks.places import RESULTS, STORED
from benchmarks.report import with_value_over_best, write_report
from benchmarks.runs import NOISE, command_line

SEED = 1_000_000  # of the movements, which are not those of training
FIRST = ("controller", "environment", "seed")
LAST = (
    "mean_value_of_50",
    "value_over_best",
    "optimality_ratio",
    "optimality_ratio_of_means",
    "train_steps",
    "train_seconds",
    "parameters",
    "microseconds_per_action",
)


@dataclass(frozen=True)
class Args:
    """Measure the compared controllers, and write comparison.csv, comparison.md and comparison.png.

    Examples:
      python -m benchmarks.compare
      python -m benchmarks.compare rnn joint-pd --movements 100 --output runs/comparison
    """

    controllers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Controllers to measure, all without any: rnn, ppo and so on, or your own as module:function.
    The rows of other controllers stay as they are.
    """
    table_only: bool = False
    """Measure nothing, and make table and figure from the existing rows."""
    movements: int = 1000
    """Number of movements that each controller is measured on."""
    noise: float = NOISE
    """Standard deviation of the process noise at a step of 5 ms."""
    runs: Path = STORED
    """Folder of the stored runs."""
    output: Path = RESULTS
    """Folder that comparison.csv, comparison.md and comparison.png are written to."""


def row(entry: Entry, movements: int, noise: float) -> dict[str, Any]:
    """Return one row of the table."""
    controller = entry.make()
    env_id = entry.environment
    few = min(FEW, movements)
    found = {}
    for number in {entry.movements or movements, few}:
        result = arm_env.evaluate(controller, env_id, movements=number, seed=SEED, noise=noise)
        found[number] = result.as_dict()
    measures = dict(found[entry.movements or movements])
    measures["movements_seed"] = measures.pop("seed")
    return {
        "controller": entry.name,
        "environment": env_id,
        "seed": entry.seed,
        **measures,
        "mean_value_of_50": found[few]["mean_value"],
        **optimality(controller, env_id),
        "train_steps": entry.train_steps,
        "train_seconds": round(entry.train_seconds, 1),
        "parameters": entry.parameters,
        "microseconds_per_action": round(microseconds_per_action(controller, env_id), 1),
    }


def optimality(controller: Controller, env_id: str) -> dict[str, float]:
    """Return the ratios of a controller to the stored optimum; none if no optimum is stored."""
    optimum = stored_optimum(env_id)
    if optimum is None:
        return {}
    ratios = optimality_ratios(controller, env_id, optimum)
    return {
        "optimality_ratio": mean_of_ratios(ratios, optimum),
        "optimality_ratio_of_means": ratio_of_means(ratios, optimum),
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a stored table, with numbers as numbers and empty cells as None."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            {key: number(value) for key, value in line.items()} for line in csv.DictReader(file)
        ]


def number(text: str) -> Any:
    """Return the value of a cell: a number, a text, or None."""
    if text == "":
        return None
    try:
        return float(text) if any(c in text for c in ".en") else int(text)
    except ValueError:
        return text


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write the table, with columns in the order in which the rows name them."""
    rows = sorted(rows, key=lambda r: (str(r["environment"]), str(r["controller"]), r["seed"]))
    filled = dict.fromkeys(name for r in rows for name in r)
    middle = [name for name in filled if name not in FIRST + LAST]
    last = [name for name in LAST if name in filled]
    return write_csv(path, rows, [*FIRST, *middle, *last])


def chosen(args: Args) -> list[Entry]:
    """Return the controllers of these names. Raises ValueError for an unknown name."""
    ours = list(entries(args.runs))
    known = {entry.name for entry in ours}
    unknown = [name for name in args.controllers if name not in known and ":" not in name]
    if unknown:
        raise ValueError(
            f"no controller is called {', '.join(unknown)}: there are {', '.join(sorted(known))}"
        )
    own = [entry for name in args.controllers if ":" in name for entry in your_own(name)]
    return [c for c in ours if not args.controllers or c.name in args.controllers] + own


def main(args: Args) -> None:
    """Measure row by row, and write table and figure."""
    path = args.output / "comparison.csv"
    rows = {tuple(r[name] for name in FIRST): r for r in read_rows(path)}
    for entry in () if args.table_only else tqdm(chosen(args), desc="controllers"):
        new = row(entry, args.movements, args.noise)
        rows[tuple(new[name] for name in FIRST)] = new
        write_rows(path, with_value_over_best(list(rows.values())))
    found = read_rows(path)
    if not found:
        raise ValueError(
            f"there are no rows in {path} to make a table of: measure controllers first"
        )
    for written in write_report(found, args.runs, args.output):
        print(f"written: {written}")


if __name__ == "__main__":
    command_line(main, Args)
