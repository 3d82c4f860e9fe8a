"""Optimal single movements, for ``benchmarks.yardstick``: ``python -m benchmarks.optimum reach|circle``.

The problem is not convex. Each part is solved from several starts (``STARTS``) and the best is kept, so
a value here is an upper bound of the least; the values of all starts are kept as well.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from tqdm import tqdm

from arm_env import Controller, JointPD, RandomJumps, Recording, Task
from arm_env.arm_problem import ArmProblem
from arm_env.ilqr import Solution, follow, solve
from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT
from arm_env.simulation import Simulation
from benchmarks.runs import command_line
from benchmarks.yardstick import (
    AGREE,
    MARGIN,
    PERIOD,
    STARTS,
    Optimum,
    both_commands,
    episodes,
    load_optimum,
    optimum_path,
    save,
    standing,
)
from rnn_controller import load
from rnn_controller.checkpoint import TASKS

RADII = (0.3, 0.15, 0.08)  # [m] of the narrowing target, before the true one
Drive = tuple[np.ndarray, object]
"""Controls (B, T, 6) and the controller's state afterwards."""


@dataclass(frozen=True)
class Args:
    """Find optimal movements, or go on finding them."""

    task: tyro.conf.Positional[Literal["reach", "circle"]]
    """Which environment."""
    movements: int = 200
    """How many; a shorter file of the same seed and number is resumed."""
    seed: int = 2_000_000
    """Of the environment's starts and commands, and of the perturbations."""
    output: Path | None = None
    """Where they go; benchmarks/results/optimum-TASK.npz by default."""
    threads: int = 1
    """Movements solved at a time."""
    batch: int = 4
    """Movements between two savings; the result does not depend on it."""


def drive(
    controller: Controller, task: Task, start: np.ndarray, commands: np.ndarray, length: int, memory: object = None
) -> Drive:
    """What a controller does noise-free from states (B, 10) under commands (B, K) that stay."""
    simulation = Simulation(len(start), task, weights=task.weights, noise=0.0, schedule=RandomJumps(1e6))
    rng, everyone = np.random.default_rng(0), np.ones(len(start), dtype=bool)
    simulation.reset(rng, everyone, simulation.start(None))
    simulation.state[:], simulation.command = start, commands.copy()
    observation, controls = simulation.observe(rng), np.empty((len(start), length, MUSCLE_COUNT))
    for t in range(length):
        begins = everyone if t == 0 and memory is None else ~everyone
        action, memory = controller.predict(observation, memory, begins, deterministic=True)
        controls[:, t] = simulation.checked_action(action)
        observation = simulation.step(rng, controls[:, t])[1]
    return controls, memory


def narrowed(problem: ArmProblem, start: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Controls carried from a wide target to the true one."""
    weights = problem.weights or problem.task.weights
    for radius in RADII:
        wide = replace(problem, weights=replace(weights, target_radius=radius))
        controls = solve(wide, start, controls, iterations=40, exact_iterations=0, slow=1e-3).controls
    return controls


def perturbed(rng: np.random.Generator, controls: np.ndarray) -> np.ndarray:
    """Controls (T, 6) with smooth noise: each muscle's up or down by some 30 %, and by some 0.05, over some 0.1 s."""
    window = np.hanning(21)
    noise = rng.standard_normal((2, *controls.shape))
    smooth = np.apply_along_axis(lambda n: np.convolve(n, window / np.linalg.norm(window), "same"), 1, noise)
    return np.clip(controls * np.exp(0.3 * smooth[0]) + 0.05 * smooth[1], 0, None)


@dataclass(frozen=True)
class Part:
    """The best solution of one part of a movement, and the values from all starts."""

    best: Solution
    tried: np.ndarray
    iterations: int


def best_of(problem: ArmProblem, start: np.ndarray, given: dict[str, np.ndarray], rng: np.random.Generator) -> Part:
    """Solve from every start: those ``given`` and those that need no controller."""
    shape, tried, iterations = given["network"].shape, np.full(len(STARTS), np.nan), 0
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
        if best.value < 1e-12:  # costs are never negative
            break
    assert best is not None
    return Part(best, tried, iterations)


def batches(args: Args, recording: Recording, known: int) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of an ``Optimum`` for the movements from ``known`` on, batch by batch."""
    task, network = TASKS[args.task], load(args.task)
    hold, margin = round(task.hold / PERIOD), round(MARGIN / PERIOD)
    commands, starts = both_commands(recording), recording.states[0]
    with ThreadPoolExecutor(args.threads) as pool:
        for first in range(known, args.movements, args.batch):
            chosen = np.arange(first, min(first + args.batch, args.movements))
            state, memory, parts = starts[chosen], None, []
            for part, length in ((0, hold + margin), (1, hold)):
                given = {"network": drive(network, task, state, commands[chosen, part], length, memory)[0]}
                if args.task == "reach":
                    given["feedback"] = drive(JointPD(), task, state, commands[chosen, part], length)[0]
                memory = drive(network, task, state, commands[chosen, part], hold, memory)[1]

                rows = ({name: u[i] for name, u in given.items()} for i in range(len(chosen)))
                problems = [ArmProblem(task, command) for command in commands[chosen, part]]
                rngs = [np.random.default_rng([args.seed, int(number), part]) for number in chosen]
                parts.append(list(pool.map(best_of, problems, state, rows, rngs)))
                state = np.array([p.best.states[hold] for p in parts[-1]])
            yield stacked(parts, commands[chosen], starts[chosen], task, hold)


def stacked(
    parts: list[list[Part]], commands: np.ndarray, start: np.ndarray, task: Task, hold: int
) -> dict[str, np.ndarray]:
    """A batch's arrays; the first part cut at the hold."""
    first, second = parts
    cut = [
        follow(ArmProblem(task, k[0]), x, p.best.controls[:hold])[2]
        for k, x, p in zip(commands, start, first, strict=True)
    ]
    pairs = list(zip(first, second, strict=True))
    return {
        "commands": commands,
        "start": start,
        "controls": np.array([np.vstack([a.best.controls[:hold], b.best.controls]) for a, b in pairs]),
        "parts": np.array([[value, b.best.value] for value, b in zip(cut, second, strict=True)]),
        "residuals": np.array([[p.best.residual for p in pair] for pair in pairs]),
        "tried": np.array([[p.tried for p in pair] for pair in pairs]),
        "iterations": np.array([[p.iterations for p in pair] for pair in pairs]),
    }


def summary(optimum: Optimum) -> str:
    """What was found, in a few lines."""
    second = optimum.tried[:, 1]
    best = np.nanmin(second, -1, keepdims=True)
    agree = (second <= best * (1 + AGREE)).sum(0) / np.maximum((~np.isnan(second)).sum(0), 1)
    first = np.bincount(optimum.won[:, 1], minlength=len(STARTS)) / len(second)
    lines = [
        f"{len(second)} of {optimum.movements} movements: mean value {optimum.value.mean():.5f} s "
        f"(parts {optimum.parts.mean(0).round(5).tolist()})",
        f"residual after the jump: median {np.median(optimum.residuals[:, 1]):.1e}, "
        f"largest {optimum.residuals[:, 1].max():.1e}; iterations a movement {optimum.iterations.sum(1).mean():.0f}",
        "after the jump, share of movements in which a start led to the best (first did): "
        + ", ".join(f"{n} {a:.2f} ({w:.2f})" for n, a, w in zip(STARTS, agree, first, strict=True)),
    ]
    return "\n".join(lines)


def resumed(path: Path, args: Args, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of a file to go on with; empty if there is none."""
    if not path.is_file():
        return {}
    old = load_optimum(path)
    asked = (args.task, args.seed, args.movements)
    if (old.task, old.seed, old.movements) != asked or not np.array_equal(old.parameters, parameters):
        raise ValueError(
            f"{path} holds other movements than {asked}, or another arm's: move it away or choose --output"
        )
    return {f.name: getattr(old, f.name) for f in fields(Optimum)[4:]}


def main(args: Args) -> Optimum:
    """Solve, save after every batch, print a summary."""
    path, task = args.output or optimum_path(args.task), TASKS[args.task]
    parameters = np.concatenate([Arm().flat(), task.weights.flat()])
    arrays = resumed(path, args, parameters)
    known = len(arrays["start"]) if arrays else 0
    recording = episodes(load(args.task), args.task, args.movements, args.seed)

    def optimum() -> Optimum:
        return Optimum(args.task, args.seed, args.movements, parameters, **arrays)

    with tqdm(total=args.movements, initial=known, desc="movements") as progress:
        for batch in batches(args, recording, known):
            arrays = {name: np.concatenate([arrays[name], new]) if arrays else new for name, new in batch.items()}
            save(path, optimum())
            progress.update(len(batch["start"]))
    found = optimum()
    print(f"{summary(found)}\nwritten to {path}")
    print(standing(load(args.task), found))
    return found


if __name__ == "__main__":
    command_line(main, Args)
