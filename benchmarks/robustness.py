"""Trained controllers under untrained conditions: ``python -m benchmarks.robustness``.

The conditions are noise, a heavier or weaker arm, a curl field, a load in the hand, a sensory
delay, and targets that jump during the movement. Of each kind of controller the run with the first
seed is measured. Networks of other sizes are measured if they are named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro
from matplotlib import rc_context
from matplotlib.figure import Figure
from tqdm import tqdm

import arm_env
from arm_env import Perturbation
from arm_env.control.controllers import Controller
from arm_env.evaluation import record
from arm_env.files import write_whole
from arm_env.tasks.registry import task_of_environment
from benchmarks.compare import read_rows, write_rows
from benchmarks.entries import Entry, commands_are_positions, entries
from benchmarks.places import RESULTS, STORED
from benchmarks.report import SUCCESS, WORDS, Rows, colours_of, measured
from benchmarks.runs import NOISE, command_line
from rnn_controller.figures import save
from rnn_controller.figures.common import STYLE

SEED = 1_000_000
SECOND_JUMP = 0.2  # [s] after the first


@dataclass(frozen=True)
class Condition:
    """A condition of the measurement: the kind of change, and its amount."""

    kind: str
    amount: float
    arguments: dict[str, Any]


def perturbed(name: str, *amounts: float) -> list[Condition]:
    """Return conditions that differ in one field of ``Perturbation``."""
    changes: list[dict[str, Any]] = [{name: amount} for amount in amounts]
    return [Condition(name, of[name], {"perturbation": Perturbation(**of)}) for of in changes]


CONDITIONS = [
    *(Condition("noise", level, {"noise": level}) for level in (0.0, 0.1, 0.2, 0.3, 0.4)),
    *perturbed("mass", 0.8, 0.9, 1.1, 1.2),
    *perturbed("strength", 0.8, 0.9, 1.1, 1.2),
    *perturbed("curl", -15.0, -7.5, 7.5, 15.0),
    *perturbed("load", 0.25, 0.5, 1.0),
    *perturbed("delay", 0.01, 0.02, 0.03, 0.04, 0.05, 0.06),
]
UNITS = {
    "noise": "standard deviation",
    "mass": "factor",
    "strength": "factor",
    "curl": "N s/m",
    "load": "kg",
    "delay": "s",
    "second jump": "s after the first",
}
SIZES = {f"rnn-{neurons}" for neurons in (6, 12, 24, 36, 64)}
UNASKED = {"still", "random", "receding-horizon", *SIZES}
"""Not measured unless named: trivial, slow (an hour), or the network in another size."""
AS_TRAINED = {"noise": NOISE, "mass": 1.0, "strength": 1.0, "curl": 0.0, "load": 0.0, "delay": 0.0}
"""Where each axis shows the condition of training, noise of 20 % and no perturbation."""


@dataclass(frozen=True)
class Args:
    """Measure stored controllers under perturbations, and write robustness.csv, .md and .png.

    Examples:
      python -m benchmarks.robustness
      python -m benchmarks.robustness rnn --movements 50 --output runs/robustness
    """

    controllers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Controllers to measure, all without any. The rows of others stay as they are."""
    movements: int = 500
    """Number of movements in each condition."""
    table_only: bool = False
    """Measure nothing, and make tables and figure from the existing rows."""
    runs: Path = STORED
    """Folder of the stored runs."""
    output: Path = RESULTS
    """Folder that robustness.csv, robustness.md and robustness.png are written to."""


@dataclass(frozen=True)
class DoubleStep:
    """A schedule of targets (3, B, 2): the second after 1 s, the third ``SECOND_JUMP`` later."""

    targets: np.ndarray
    hold: float = SECOND_JUMP

    def commands(self, rng, segment, time, task, arm):
        return self.targets[
            np.clip(segment - round(1.0 / self.hold) + 1, 0, 2), np.arange(len(segment))
        ]


def double_step(controller: Controller, env_id: str, movements: int) -> dict[str, Any]:
    """Return the measures of reaching for a target that jumps again during the movement."""
    task = task_of_environment(env_id)
    arm = arm_env.Arm()
    targets = task.sample_commands(np.random.default_rng(SEED), 3 * movements, arm).reshape(
        3, movements, 2
    )
    schedule = DoubleStep(targets)
    envs = gym.make_vec(env_id, num_envs=movements, schedule=schedule, max_episode_steps=10**9)
    period = envs.unwrapped.simulation.control_period  # type: ignore[attr-defined]
    jump = round((1.0 + SECOND_JUMP) / period)
    recording = record(controller, envs, jump + round(1.0 / period), SEED)
    return task.measures(recording, jump, period, seed=SEED, noise=NOISE).as_dict()


def rows_of(
    name: str, controller: Controller, env_id: str, movements: int
) -> Iterator[dict[str, Any]]:
    """Yield a row for each condition."""
    shown = {"controller": name, "environment": env_id, "seed": SEED}
    for condition in CONDITIONS:
        measures = arm_env.evaluate(
            controller, env_id, movements=movements, seed=SEED, **condition.arguments
        )
        yield {
            **measures.as_dict(),
            **shown,
            "condition": condition.kind,
            "amount": condition.amount,
        }
    if commands_are_positions(env_id):
        yield {
            **double_step(controller, env_id, movements),
            **shown,
            "condition": "second jump",
            "amount": SECOND_JUMP,
        }


def markdown(rows: Rows, env_id: str) -> str:
    """Return a Markdown table of success under each condition, a line for each controller."""
    here = [row for row in rows if row["environment"] == env_id]
    columns = list(dict.fromkeys((row["condition"], row["amount"]) for row in here))
    lines = []
    for kind in dict.fromkeys(kind for kind, _ in columns):
        amounts = [amount for other, amount in columns if other == kind]
        lines += [
            f"| {kind} [{UNITS[kind]}] | " + " | ".join(f"{amount:g}" for amount in amounts) + " |"
        ]
        lines += ["|---|" + "---:|" * len(amounts)]
        for name in dict.fromkeys(row["controller"] for row in here):
            found = {
                row["amount"]: row
                for row in here
                if row["controller"] == name and row["condition"] == kind
            }
            cells = [
                f"{100 * found[a][SUCCESS[env_id]]:.1f} %" if a in found else "–" for a in amounts
            ]
            lines += [f"| {name} | " + " | ".join(cells) + " |"]
        lines += [""]
    return "\n".join(lines)


@rc_context(STYLE)
def figure(rows: Rows) -> Figure:
    """Draw success against the size of every perturbation, a line for each controller."""
    environments = measured(rows)
    colours = colours_of(row["controller"] for row in rows)
    whole = Figure(figsize=(12, 2.6 * len(environments)), layout="constrained")
    grid = whole.subplots(len(environments), len(AS_TRAINED), squeeze=False, sharey=True)
    for line, env_id in zip(grid, environments, strict=True):
        line[0].set(ylabel=f"{env_id}\n{WORDS[env_id]} [%]", ylim=(-3, 103))
        for axes, (kind, neutral) in zip(line, AS_TRAINED.items(), strict=True):
            for name, colour in colours.items():
                mine = [r for r in rows if (r["environment"], r["controller"]) == (env_id, name)]
                points = {r["amount"]: r[SUCCESS[env_id]] for r in mine if r["condition"] == kind}
                trained = [r for r in mine if (r["condition"], r["amount"]) == ("noise", NOISE)]
                points.update((neutral, r[SUCCESS[env_id]]) for r in trained)
                axes.plot(
                    sorted(points),
                    [100 * points[a] for a in sorted(points)],
                    ".-",
                    color=colour,
                    label=name,
                )
            axes.axvline(neutral, color="0.8", lw=0.8, zorder=0)
            axes.set(xlabel=f"{kind} [{UNITS[kind]}]")
            axes.grid(axis="y")
    whole.legend(
        *grid[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=len(colours)
    )
    return whole


def write_report(path: Path, rows: Rows) -> Iterator[Path]:
    """Write the tables and the figure beside the rows."""
    parts = ["# Robustness", (__doc__ or "").strip()]
    for env_id in measured(rows):
        parts += [f"## {env_id}: share {WORDS[env_id]}", markdown(rows, env_id)]
    yield write_whole(
        path.with_suffix(".md"), "\n\n".join([*parts, "![Success](robustness.png)"]) + "\n"
    )
    yield save(figure(rows), path.with_suffix(".png"))


def chosen(args: Args) -> list[Entry]:
    """Return the first run in each environment of the named controllers.

    Without names these are all but ``UNASKED``.
    """
    first: dict[tuple[str, str], Entry] = {}
    for entry in entries(args.runs):
        first.setdefault((entry.name, entry.environment), entry)
    known = {name for name, _ in first}
    unknown = [name for name in args.controllers if name not in known]
    if unknown:
        raise ValueError(
            f"no controller is called {', '.join(unknown)}: there are {', '.join(sorted(known))}"
        )
    wanted = args.controllers or tuple(known - UNASKED)
    return [entry for (name, _), entry in first.items() if name in wanted]


def main(args: Args) -> None:
    """Measure under each condition, and write tables and figure."""
    path = args.output / "robustness.csv"
    rows = read_rows(path)
    for entry in tqdm([] if args.table_only else chosen(args), desc="controllers"):
        mine = (entry.name, entry.environment)
        new = rows_of(
            entry.name,
            entry.make(),
            entry.environment,
            entry.movements or args.movements,
        )
        rows = [row for row in rows if (row["controller"], row["environment"]) != mine] + list(new)
        write_rows(path, rows)
    for written in [path, *write_report(path, read_rows(path))]:
        print(f"written: {written}")


if __name__ == "__main__":
    command_line(main, Args)
