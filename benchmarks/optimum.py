"""Optimal movements for ``benchmarks.optimality``: ``python -m benchmarks.optimum reach``.

The problem is not convex. The movement after each hold (``HOLDS``) is optimised from several first
guesses (``STARTS``), and the best result is kept. A value here is thus an upper bound of the least
value. It is above the shipped network's by the effort of the tone at most (see ``ArmProblem``).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tqdm import tqdm

from arm_env import Controller, JointPD, RandomJumps, Recording, Task
from arm_env.control.arm_problem import ArmProblem
from arm_env.control.ilqr import Solution, follow, solve
from arm_env.dynamics.layout import MUSCLE_COUNT
from arm_env.envs.simulation import Simulation
from arm_env.tasks.registry import TASKS
from benchmarks.entries import commands_are_positions
from benchmarks.optimality import (
    AGREE,
    HOLDS,
    MARGIN,
    PERIOD,
    STARTS,
    Optimum,
    arm_and_cost,
    both_commands,
    episodes,
    load_optimum,
    optimum_path,
    save,
    standing,
)
from benchmarks.runs import TaskName, command_line
from rnn_controller import load
from rnn_controller.options import value

MOVEMENTS = 100
FEWER = {"circle": 24}  # its movements last three times as long
FREE = 2e-4  # [s] a part that costs less, as holding a target does, is not solved from other starts
RADII = (0.3, 0.15, 0.08)  # [m] of the narrowing target, before the true one
Drive = tuple[np.ndarray, object]
"""Controls (B, T, 6) and the controller's state afterwards."""


@dataclass(frozen=True)
class Args:
    """Compute optimal movements of a task, and write them to benchmarks/results/optimum-TASK.npz.

    Examples:
      python -m benchmarks.optimum reach
      python -m benchmarks.optimum reach --movements 4 --output runs/optimum.npz
    """

    task: tyro.conf.Positional[TaskName]
    """Task to solve."""
    movements: Annotated[int | None, value(default="100, or 24 for circle")] = None
    """Number of movements. A file that is not complete is continued."""
    seed: int = 2_000_000
    """Seed of the starts, of the commands, and of the perturbed first guesses."""
    output: Annotated[Path | None, value("FILE", default="benchmarks/results/optimum-TASK.npz")] = (
        None
    )
    """File to write."""
    threads: int = 1
    """Number of movements that are solved at the same time."""
    batch: int = 4
    """Number of movements between two writes of the file. It does not change the result."""

    @property
    def number(self) -> int:
        """Number of movements to solve."""
        return self.movements or FEWER.get(self.task, MOVEMENTS)


def drive(
    controller: Controller,
    task: Task,
    start: np.ndarray,
    commands: np.ndarray,
    length: int,
    memory: object = None,
) -> Drive:
    """Simulate a controller from states (B, 10) under constant commands (B, K), without noise."""
    simulation = Simulation(
        len(start), task, weights=task.weights, noise=0.0, schedule=RandomJumps(1e6)
    )
    rng = np.random.default_rng(0)
    everyone = np.ones(len(start), dtype=bool)
    simulation.reset(rng, everyone, simulation.start(None))
    simulation.state[:], simulation.command = start, commands.copy()
    observation = simulation.present()[1]
    controls = np.empty((len(start), length, MUSCLE_COUNT))
    for t in range(length):
        begins = everyone if t == 0 and memory is None else ~everyone
        action, memory = controller.predict(observation, memory, begins, deterministic=True)
        controls[:, t] = simulation.checked_action(action)
        observation = simulation.step(rng, controls[:, t])[1]
    return controls, memory


def narrowed(problem: ArmProblem, start: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Return controls that were optimised for a wide target, then for narrower ones."""
    weights = problem.weights or problem.task.weights
    for radius in RADII:
        wide = replace(problem, weights=replace(weights, target_radius=radius))
        controls = solve(
            wide, start, controls, iterations=40, exact_iterations=0, slow=1e-3
        ).controls
    return controls


def perturbed(rng: np.random.Generator, controls: np.ndarray) -> np.ndarray:
    """Return controls (T, 6) with added noise that is smooth over some 0.1 s.

    The excitations of each muscle change by some 30 %, and by some 0.05.
    """
    window = np.hanning(21)
    noise = rng.standard_normal((2, *controls.shape))
    smooth = np.apply_along_axis(
        lambda n: np.convolve(n, window / np.linalg.norm(window), "same"), 1, noise
    )
    return np.clip(controls * np.exp(0.3 * smooth[0]) + 0.05 * smooth[1], 0, None)


@dataclass(frozen=True)
class Part:
    """The best solution of one part of a movement, and the values from all first guesses."""

    best: Solution
    tried: np.ndarray
    iterations: int


def best_of(
    problem: ArmProblem, start: np.ndarray, given: dict[str, np.ndarray], rng: np.random.Generator
) -> Part:
    """Optimise from every first guess: those ``given``, and those that need no controller."""
    shape = given["network"].shape
    tried = np.full(len(STARTS), np.nan)
    iterations = 0
    best: Solution | None = None
    makers: dict[str, Callable[[], np.ndarray]] = {
        "nothing": lambda: np.zeros(shape),
        "tonic": lambda: np.full(shape, 0.02),
        "narrowing": lambda: narrowed(problem, start, np.full(shape, 0.02)),
        **{name: lambda value=controls: value for name, controls in given.items()},  # type: ignore[misc]
    }
    for i, name in enumerate(STARTS):
        if name == "perturbed":
            assert best is not None
            controls = perturbed(rng, best.controls)
        elif name in makers:
            controls = makers[name]()
        else:
            continue
        solution = solve(problem, start, controls)
        tried[i], iterations = solution.value, iterations + solution.iterations
        if best is None or solution.value < best.value:
            best = solution
        if best.value < FREE:
            break
    assert best is not None
    return Part(best, tried, iterations)


def movement(
    name: str, network: Controller, start: np.ndarray, commands: np.ndarray, seed: list[int]
) -> dict[str, np.ndarray]:
    """Return the best movement from a state (10,) under two commands (2, K)."""
    task = TASKS[name]
    hold = round(task.hold / PERIOD)
    margin = round(MARGIN / PERIOD)
    before, after = (ArmProblem(task, command) for command in commands)

    def part(
        problem: ArmProblem, state: np.ndarray, length: int, memory: object, number: int
    ) -> Part:
        moment = (task, state[None], problem.command[None], length)
        given = {"network": drive(network, *moment, memory)[0][0]}
        if commands_are_positions(task.env_id):
            given["feedback"] = drive(JointPD(), *moment)[0][0]
        return best_of(problem, state, given, np.random.default_rng([*seed, number]))

    own, memory = drive(network, task, start[None], commands[None, 0], hold)
    first = part(before, start, hold + margin, None, 0)
    wholes = np.full(len(HOLDS), np.inf)
    best = {}
    for i, held in enumerate((first.best.controls[:hold], own[0])):
        states, held, cost = follow(before, start, held)  # held to the tone
        if cost >= wholes.min():  # what comes after it costs no less than nothing
            continue
        second = part(after, states[-1], hold, memory, 1)
        wholes[i] = cost + second.best.value
        if i == wholes.argmin():
            best = {
                "controls": np.vstack([held, second.best.controls]),
                "parts": np.array([cost, second.best.value]),
                "residuals": np.array([first.best.residual, second.best.residual]),
                "tried": np.array([first.tried, second.tried]),
                "iterations": np.array([first.iterations, second.iterations]),
            }
    return {"commands": commands, "start": start, "wholes": wholes, **best}


def batches(args: Args, recording: Recording, known: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield the arrays of an ``Optimum`` for the movements from ``known`` on, in batches."""
    network = load(args.task)
    commands = both_commands(recording)

    def solved(number: int) -> dict[str, np.ndarray]:
        return movement(
            args.task, network, recording.states[0, number], commands[number], [args.seed, number]
        )

    with ThreadPoolExecutor(args.threads) as pool:
        for first in range(known, args.number, args.batch):
            rows = list(pool.map(solved, range(first, min(first + args.batch, args.number))))
            yield {name: np.array([row[name] for row in rows]) for name in rows[0]}


def summary(optimum: Optimum) -> str:
    """Return a summary of the movements in a few lines."""
    second = optimum.tried[:, 1]
    best = np.nanmin(second, -1, keepdims=True)
    agree = (second <= best * (1 + AGREE)).sum(0) / np.maximum((~np.isnan(second)).sum(0), 1)
    first = np.bincount(optimum.won[:, 1], minlength=len(STARTS)) / len(second)
    network = np.mean(optimum.held == HOLDS.index("network"))
    lines = [
        f"{len(second)} of {optimum.movements} movements: mean value {optimum.value.mean():.5f} s "
        f"(parts {optimum.parts.mean(0).round(5).tolist()}); "
        f"held as the network does: {network:.0%}",
        f"residual after the jump: median {np.median(optimum.residuals[:, 1]):.1e}, "
        f"largest {optimum.residuals[:, 1].max():.1e}; "
        f"iterations a movement {optimum.iterations.sum(1).mean():.0f}",
        "after the jump, share of movements in which a start led to the best (first did): "
        + ", ".join(f"{n} {a:.2f} ({w:.2f})" for n, a, w in zip(STARTS, agree, first, strict=True)),
    ]
    return "\n".join(lines)


def resumed(path: Path, args: Args) -> dict[str, np.ndarray]:
    """Return the arrays of a file to continue; none if there is no file."""
    if not path.is_file():
        return {}
    old = load_optimum(path)
    asked = (args.task, args.seed, args.number)
    if (old.task, old.seed, old.movements) != asked or not np.array_equal(
        old.parameters, arm_and_cost(args.task)
    ):
        raise ValueError(
            f"{path} holds other movements than {asked}, or another arm's: "
            "move it away or choose --output"
        )
    return {f.name: getattr(old, f.name) for f in fields(Optimum)[4:]}


def main(args: Args) -> Optimum:
    """Solve the movements, write the file after every batch, and print a summary."""
    path = args.output or optimum_path(args.task)
    parameters = arm_and_cost(args.task)
    arrays = resumed(path, args)
    known = len(arrays["start"]) if arrays else 0
    recording = episodes(load(args.task), args.task, args.number, args.seed)

    def optimum() -> Optimum:
        return Optimum(args.task, args.seed, args.number, parameters, **arrays)

    with tqdm(total=args.number, initial=known, desc="movements") as progress:
        for batch in batches(args, recording, known):
            arrays = {
                name: np.concatenate([arrays[name], new]) if arrays else new
                for name, new in batch.items()
            }
            save(path, optimum())
            progress.update(len(batch["start"]))
    found = optimum()
    print(f"{summary(found)}\nwritten to {path}")
    print(standing(load(args.task), found))
    return found


if __name__ == "__main__":
    command_line(main, Args)
