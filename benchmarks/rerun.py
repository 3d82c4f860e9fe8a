"""Train all controllers of the comparison: ``python -m benchmarks.rerun``.

Runs that were stopped go on, and finished runs are not repeated.

The stored runs in ``benchmarks/results/runs`` came from these commands; ``python -m
benchmarks.compare`` measures them.
"""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tyro
from tqdm import tqdm

from arm_env.tasks.registry import TASKS
from benchmarks.places import RECORD, STORED
from benchmarks.runs import command_line

EVERY = tuple(TASKS)
REACH = ("reach",)
CIRCLE = ("circle",)
PLAN = {
    "rnn": (EVERY, 3, "train_network rnn {task}"),
    "rnn-36": (CIRCLE, 1, "train_network rnn {task} --neurons 36"),  # the paper's size for circles
    "rnn-12": (REACH, 1, "train_network rnn {task} --neurons 12"),  # the paper's size for reaching
    "rnn-6": (REACH, 1, "train_network rnn {task} --neurons 6"),
    "rnn-24": (REACH, 1, "train_network rnn {task} --neurons 24"),
    "rnn-64": (REACH, 1, "train_network rnn {task} --neurons 64"),
    "gru": (EVERY, 1, "train_network gru {task}"),
    "mlp": (EVERY, 1, "train_network mlp {task}"),
    "ppo": (REACH, 1, "train_baseline --algo ppo --env {env_id}"),
}
"""Tasks, number of seeds, and what trains them."""
# the record last
KEPT = ("checkpoint.safetensors", "policy.pt", "normalisation.pkl", "evaluations.npz", RECORD)


@dataclass(frozen=True)
class Args:
    """Train the controllers of the comparison, on one thread each, and store the finished runs.

    Examples:
      python -m benchmarks.rerun --dry
      python -m benchmarks.rerun rnn --tasks reach --jobs 1
    """

    controllers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Controllers to train, all without any: rnn, rnn-6, rnn-12, rnn-24, rnn-36, rnn-64, gru, mlp,
    ppo.
    """
    tasks: tuple[str, ...] = EVERY
    """Tasks to train for."""
    jobs: int = 2
    """Number of runs at the same time."""
    work: Path = Path("runs/comparison")
    """Folder that the runs are trained in."""
    stored: Path = STORED
    """Folder that finished runs are copied to."""
    dry: bool = False
    """Print the commands, and train nothing."""


def commands(args: Args) -> dict[str, list[str]]:
    """Return the names of runs, with the modules and arguments that train them."""
    unknown = set(args.controllers) - set(PLAN)
    if unknown:
        raise ValueError(
            f"nothing is called {', '.join(sorted(unknown))}: there are {', '.join(PLAN)}"
        )
    found = {}
    for name, (tasks, seeds, line) in PLAN.items():
        for task in tasks:
            env_id = TASKS[task].env_id
            if task in args.tasks and (not args.controllers or name in args.controllers):
                words = line.format(task=task, env_id=env_id).split()
                found.update(
                    {
                        f"{name}-{env_id}-{seed}": [*words, "--seed", str(seed)]
                        for seed in range(seeds)
                    }
                )
    return found


def keep(folder: Path, kept: Path) -> None:
    """Copy the files of a finished run that the comparison needs; the folder appears whole."""
    partial = kept.with_name(f".{kept.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in KEPT:
        if (folder / name).exists():
            shutil.copy2(folder / name, partial)
    partial.rename(kept)


def finish(name: str, line: list[str], args: Args) -> None:
    """Train one run to its end, and keep it."""
    folder = args.work / name
    command = [sys.executable, "-m", f"benchmarks.{line[0]}", *line[1:], "--output", str(folder)]
    begun = any(folder.glob("leg-*")) or (folder / "checkpoint.safetensors").exists()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        subprocess.run(
            [*command, *(["--resume"] if begun else [])], check=True, stdout=log, stderr=log
        )
    keep(folder, args.stored / name)


def main(args: Args) -> None:
    """Train the runs that are not stored yet."""
    left = {
        name: line
        for name, line in commands(args).items()
        if not (args.stored / name / RECORD).exists()
    }
    if args.dry:
        print(
            "\n".join(
                f"{name:32s} python -m benchmarks.{' '.join(line)}" for name, line in left.items()
            )
        )
        return
    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(finish, name, line, args) for name, line in left.items()]
        for job in tqdm(jobs, desc="runs"):
            try:
                job.result()
            except subprocess.CalledProcessError as error:
                raise ValueError(
                    f"a run failed, see log.txt in its folder: {' '.join(error.cmd)}"
                ) from None
    print(f"{len(left)} new runs in {args.stored}")


if __name__ == "__main__":
    command_line(main, Args)
