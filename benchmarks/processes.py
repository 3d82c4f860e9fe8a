"""Time training by several processes: ``torchrun --nproc-per-node 2 -m benchmarks.processes``.

Each process takes the iterations of a training without files. The first prints how long an
iteration takes, and how long the exchange of the results of the parts takes alone.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from arm_env.checked import Checked, within
from benchmarks.runs import TaskName, command_line
from rnn_controller.networks.plain_torch import training_conditions
from rnn_controller.training.team import Team, joined, part_size, started_by_torchrun
from rnn_controller.training.trainer import DEFAULTS, Trainer

NUMBERS = 6  # of a part, besides its gradient


@dataclass(frozen=True)
class Args(Checked):
    """Time iterations of a training that the processes of torchrun share, or of one process.

    Examples:
      python -m benchmarks.processes --batch-size 400 --neurons 36
      torchrun --nproc-per-node 2 -m benchmarks.processes --batch-size 400 --neurons 36
    """

    task: TaskName = "reach"
    """Task that is trained."""
    batch_size: int = within(200, 1, 1_000_000)
    """Number of movements in a batch."""
    neurons: int = within(12, 1, 10_000)
    """Number of neurons."""
    iterations: int = within(20, 1, 10_000)
    """Number of iterations that are timed."""


def median_time(call: Callable[[], object], number: int) -> float:
    """Return the median duration of a call [s]."""
    times = []
    for _ in range(number):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def training_of(task: str, batch_size: int, neurons: int) -> Trainer:
    """Return a training with the default settings but for its size. It writes no files."""
    config = DEFAULTS[task]
    network = replace(config.network, neurons=neurons)
    config = replace(config, network=network, batch_size=batch_size)
    return Trainer(config, Path("runs/none"))


@training_conditions()
def measure(args: Args, team: Team | None) -> None:
    """Time iterations and exchanges, and print them in the first process."""
    trainer = training_of(args.task, args.batch_size, args.neurons)
    if team:
        trainer.share(team)
    stage = trainer.stages[0]
    trainer._iterate(stage)  # compiles
    iteration = median_time(lambda: trainer._iterate(stage), args.iterations)
    lines = [f"{args.batch_size} movements, {args.neurons} neurons"]
    lines.append(f"processes: {team.size if team else 1}{'' if team else ' (without torchrun)'}")
    lines.append(f"iteration: {1e3 * iteration:.1f} ms")
    if team:
        parts = -(-args.batch_size // part_size(args.batch_size))
        share = team.share(parts)
        size = NUMBERS + len(trainer.vector)
        rows = torch.zeros((share.stop - share.start, size), dtype=torch.float64)
        exchange = median_time(lambda: team.gathered(rows, parts), 10 * args.iterations)
        megabytes = 8e-6 * size * parts
        lines.append(f"exchange of {parts} parts, {megabytes:.3f} MB: {1e3 * exchange:.2f} ms")
    if team is None or team.is_first:
        print("\n".join(lines))


def main(args: Args) -> None:
    """Measure, with the processes of torchrun if there are any."""
    with joined(started_by_torchrun()) as team:
        measure(args, team)


if __name__ == "__main__":
    command_line(main, Args)
