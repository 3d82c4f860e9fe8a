"""The yardstick: optimal control of single movements. ``python -m benchmarks.optimum reach|circle``.

A movement is one noise-free episode of the environment with its random jump: reset onto the first
command, which is held for the task's ``hold`` (1 s reach, 3 s circle), then the second for as long. The
optimum may not know of the jump in advance, so it is two movements chained: the optimal control
under the first command, planned ``MARGIN`` beyond the hold, so that the end of the horizon does not show, and
cut at the hold (in reaching it does nothing, at no cost); then, from the state so reached, the optimal
control under the second command until the episode ends. Its value is the sum over the whole episode.

The problem is not convex. Each part is solved from several starts (``STARTS``) and the best is kept, so
a value here is an upper bound of the least; the values of all starts are kept as well.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import tyro
from tqdm import tqdm

from arm_env import Circle, Controller, JointPD, RandomJumps, Reach, Recording, Task, record
from arm_env.arm_problem import ArmProblem
from arm_env.ilqr import Solution, follow, solve
from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT
from arm_env.simulation import Simulation
from benchmarks.runs import command_line
from rnn_controller import load
from rnn_controller.checkpoint import write_whole

RESULTS = Path(__file__).parent / "results"
ENVIRONMENTS: dict[str, tuple[str, Task]] = {"reach": ("ReachArm-v0", Reach()), "circle": ("CircleArm-v0", Circle())}
STARTS = ("nothing", "tonic", "network", "feedback", "narrowing", "perturbed")
"""No excitation; a little on all muscles; what the shipped network does in this place; what ``JointPD`` does
(reach); a solution carried from a wide target to the true one; the best so far, smoothly perturbed."""
MARGIN = 1.0  # [s]
PERIOD = 0.01  # [s]
RADII = (0.3, 0.15, 0.08)  # [m] of the narrowing target, before the true one
AGREE = 1e-4  # [-] values this near the best, as a share of it, count as the same
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


@dataclass(frozen=True)
class Optimum:
    """Optimal movements, M of the N asked for; arrays in the environment's order."""

    task: str
    seed: int
    movements: int  # N
    parameters: np.ndarray  # of arm and cost, flat
    commands: np.ndarray  # (M, 2, K)
    start: np.ndarray  # (M, 10) the body's state
    controls: np.ndarray  # (M, T, 6)
    parts: np.ndarray  # (M, 2) values under first and second command
    residuals: np.ndarray  # (M, 2) projected gradients as in ``Solution``; the first of the part before its cut
    tried: np.ndarray  # (M, 2, len(STARTS)) values from each start; NaN where not tried
    iterations: np.ndarray  # (M, 2) summed over the starts

    @property
    def value(self) -> np.ndarray:
        """Values of whole episodes, (M,)."""
        return self.parts.sum(1)

    @property
    def won(self) -> np.ndarray:
        """Index in ``STARTS`` of what led to each part's best, (M, 2); the first of those that agree."""
        best = np.nanmin(self.tried, -1, keepdims=True)
        return (self.tried <= best * (1 + AGREE)).argmax(-1)


def load_optimum(path: Path | str) -> Optimum:
    """Read what ``main`` wrote."""
    with np.load(path) as stored:
        values = {f.name: stored[f.name] for f in fields(Optimum)}
    return Optimum(str(values.pop("task")), int(values.pop("seed")), int(values.pop("movements")), **values)


def save(path: Path, optimum: Optimum) -> None:
    """Write it whole."""
    stream = BytesIO()
    arrays: dict[str, Any] = {f.name: getattr(optimum, f.name) for f in fields(Optimum)}
    np.savez_compressed(stream, **arrays)
    write_whole(path, stream.getvalue())


def episodes(controller: Controller, task: str, movements: int, seed: int) -> Recording:
    """The yardstick's episodes, driven by a controller, noise-free."""
    env_id, kind = ENVIRONMENTS[task]
    envs = gym.make_vec(env_id, num_envs=movements, noise=0.0, max_episode_steps=10**9)
    recording = record(controller, envs, 2 * round(kind.hold / PERIOD), seed)
    envs.close()
    return recording


def optimality_ratios(controller: Controller, env_id: str, optimum: Optimum) -> np.ndarray:
    """Values of any controller on exactly these episodes over those of the optimum, (M,); 1 is optimal."""
    if env_id != ENVIRONMENTS[optimum.task][0]:
        raise ValueError(f"this optimum is one of {ENVIRONMENTS[optimum.task][0]}, not of {env_id}")
    return -same_episodes(controller, optimum).rewards.sum(0)[: len(optimum.start)] / optimum.value


def same_episodes(controller: Controller, optimum: Optimum) -> Recording:
    """The optimum's episodes, driven by a controller; ValueError if they have become others."""
    recording, found = episodes(controller, optimum.task, optimum.movements, optimum.seed), len(optimum.start)
    same = np.array_equal(both_commands(recording)[:found], optimum.commands)
    if not same or not np.array_equal(recording.states[0, :found], optimum.start):
        raise ValueError("the environment no longer draws the starts and commands of this optimum: compute it anew")
    return recording


def from_own_state(controller: Controller, optimum: Optimum, movements: int = 40) -> np.ndarray:
    """Values after the jump of a controller, and of the optimum from the state that *it* was in then, (M, 2).

    A controller that expects jumps tenses its muscles for them, and the yardstick does not. Here the optimum starts
    as tense, from the controller's own excitations among others, so it is never above the controller's value.
    """
    recording, task = same_episodes(controller, optimum), ENVIRONMENTS[optimum.task][1]
    jump, pairs = len(recording.rewards) // 2, []
    for i in tqdm(range(min(movements, len(optimum.start))), desc="from its own state"):
        problem, state = ArmProblem(task, optimum.commands[i, 1]), recording.states[jump, i]
        own, best = recording.actions[jump:, i], optimum.controls[i, jump:]
        values = [solve(problem, state, controls).value for controls in (own, best)]
        pairs.append((-recording.rewards[jump:, i].sum(), min(values)))
    return np.array(pairs)


def both_commands(recording: Recording) -> np.ndarray:
    """First and second commands, (B, 2, K)."""
    return recording.commands[[0, -1]].swapaxes(0, 1)


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
    task, network = ENVIRONMENTS[args.task][1], load(args.task)
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


def standing(controller: Controller, optimum: Optimum) -> str:
    """How far a controller is from the optimum, in two lines."""
    ratios = optimality_ratios(controller, ENVIRONMENTS[optimum.task][0], optimum)
    ours, best = from_own_state(controller, optimum).T
    whole, after = ratios @ optimum.value / optimum.value.sum(), ours.sum() / best.sum()
    return (
        f"network / optimum: of the means {whole:.3f}, mean {ratios.mean():.3f}, median {np.median(ratios):.3f}, "
        f"from {ratios.min():.3f} to {ratios.max():.3f}; below 1: {(ratios < 1).sum()}\n"
        f"after the jump, {len(ours)} movements, the optimum from the state that the network was in: "
        f"of the means {after:.3f}, median {np.median(ours / best):.3f}, least {(ours / best).min():.3f}"
    )


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
    path, task = args.output or RESULTS / f"optimum-{args.task}.npz", ENVIRONMENTS[args.task][1]
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
