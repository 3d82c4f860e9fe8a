"""The ratio of a controller's values to those of optimal movements (``benchmarks.optimum``).

A movement is one noise-free episode of the environment with its random jump: reset onto the first
command, which is held for the task's ``hold`` (1 s reach, 3 s circle), then the second for as long.
The optimum must not know of the jump in advance. It therefore has two parts: a hold under the first
command, then the optimal control under the second command from the state at that time to the end of
the episode. Two holds are tried, and the one with the smaller total is kept. One is the optimal
control under the first command, planned ``MARGIN`` beyond the hold, so that the end of the horizon
has no effect. The other is that of the shipped network, which expects a jump and tenses the muscles
for it. The value is the sum over the whole episode.

Means of ratios of values leave out jumps shorter than 5 cm (``SHORT``): their optimal values are so
small that a few of them would decide the mean. Ratios of means keep all movements.
"""

from dataclasses import dataclass, fields
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from arm_env import Controller, Recording, record
from arm_env.codegen.primitives import NUMPY
from arm_env.control.arm_problem import ArmProblem
from arm_env.control.ilqr import solve
from arm_env.dynamics.parameters import Arm
from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS, task_of_environment
from benchmarks.places import RESULTS

STARTS = ("nothing", "tonic", "network", "feedback", "narrowing", "perturbed")
"""First guesses of the optimiser: no excitation but the tone; a little on all muscles; the shipped
network's excitations; those of ``JointPD`` (reach); a solution for a wide target, which is narrowed
to the true one; the best solution so far, smoothly perturbed."""
HOLDS = ("optimal", "network")
"""Names of the two holds before the jump."""
MARGIN = 1.0  # [s]
PERIOD = 0.01  # [s]
SHORT = 0.05  # [m] means of ratios leave out shorter jumps
ROUNDING = 1e-12  # [m, rad, rad/s] NumPy rounds arccos and its like otherwise on other processors
AGREE = 1e-4  # [-] values this near the best, as a share of it, count as the same


@dataclass(frozen=True)
class Optimum:
    """Optimal movements: M are solved of the N that were asked for, in the environment's order."""

    task: str
    seed: int
    movements: int  # N
    parameters: np.ndarray  # of arm and cost, flat
    commands: np.ndarray  # (M, 2, K)
    start: np.ndarray  # (M, 10) the body's state
    controls: np.ndarray  # (M, T, 6)
    parts: np.ndarray  # (M, 2) values under first and second command
    # (M, len(HOLDS)) values of whole episodes after each hold; inf where the hold alone costs more
    wholes: np.ndarray
    # (M, 2) projected gradients as in ``Solution``; the first of the optimal hold before its cut
    residuals: np.ndarray
    # (M, 2, len(STARTS)) values from each start, the first of the optimal hold; NaN where not tried
    tried: np.ndarray
    iterations: np.ndarray  # (M, 2) summed over the starts

    @property
    def value(self) -> np.ndarray:
        """Values (M,) [s] of whole episodes."""
        return self.parts.sum(1)

    @property
    def jumps(self) -> np.ndarray:
        """Distances (M,) [m] between the attractors of the first and the second command.

        For points this is the distance of the two targets; for orbits it is the largest distance of
        a point on the first from the second.
        """
        task, (first, second) = TASKS[self.task], self.commands.swapaxes(0, 1)
        points = task.outlines(first)  # (M, P, 2)
        squared = task.error(NUMPY, second[:, None], points[..., 0], points[..., 1])[0]
        return np.sqrt(squared).max(1)

    @property
    def held(self) -> np.ndarray:
        """Index (M,) in ``HOLDS`` of the better hold."""
        return self.wholes.argmin(-1)

    @property
    def won(self) -> np.ndarray:
        """Index (M, 2) in ``STARTS`` of the first guess that led to each part's best."""
        best = np.nanmin(self.tried, -1, keepdims=True)
        return (self.tried <= best * (1 + AGREE)).argmax(-1)


def optimum_path(task: str) -> Path:
    """Return the file of the stored movements of a task."""
    return RESULTS / f"optimum-{task}.npz"


@cache
def stored_optimum(env_id: str) -> Optimum | None:
    """Return the stored movements of an environment, or None if there are none."""
    path = optimum_path(task_of_environment(env_id).name)
    return load_optimum(path) if path.exists() else None


def load_optimum(path: Path | str) -> Optimum:
    """Read a file that ``save`` wrote. Raises ValueError for any other file."""
    try:
        with np.load(path) as stored:
            values = {f.name: stored[f.name] for f in fields(Optimum)}
    except (KeyError, ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} holds no optimal movements of this version: {error}") from error
    return Optimum(
        str(values.pop("task")), int(values.pop("seed")), int(values.pop("movements")), **values
    )


def save(path: Path, optimum: Optimum) -> None:
    """Write the movements to a file, which appears whole or not at all."""
    stream = BytesIO()
    arrays: dict[str, Any] = {f.name: getattr(optimum, f.name) for f in fields(Optimum)}
    np.savez_compressed(stream, **arrays)
    write_whole(path, stream.getvalue())


def episodes(controller: Controller, task: str, movements: int, seed: int) -> Recording:
    """Simulate episodes without noise, as those of the optimum, under a controller."""
    envs = gym.make_vec(TASKS[task].env_id, num_envs=movements, noise=0.0, max_episode_steps=10**9)
    recording = record(controller, envs, 2 * round(TASKS[task].hold / PERIOD), seed)
    envs.close()
    return recording


def optimality_ratios(controller: Controller, env_id: str, optimum: Optimum) -> np.ndarray:
    """Return a controller's values on these episodes over the optimum's, (M,); 1 is optimal."""
    if env_id != TASKS[optimum.task].env_id:
        raise ValueError(f"this optimum is one of {TASKS[optimum.task].env_id}, not of {env_id}")
    return -same_episodes(controller, optimum).rewards.sum(0)[: len(optimum.start)] / optimum.value


def mean_of_ratios(ratios: np.ndarray, optimum: Optimum) -> float:
    """Return the mean of ``optimality_ratios`` over the jumps longer than ``SHORT``."""
    return float(ratios[optimum.jumps >= SHORT].mean())


def ratio_of_means(ratios: np.ndarray, optimum: Optimum) -> float:
    """Return the mean value of all movements over the optimum's mean value."""
    return float(ratios @ optimum.value / optimum.value.sum())


def same_episodes(controller: Controller, optimum: Optimum) -> Recording:
    """Simulate the optimum's episodes under a controller.

    Raises ValueError if the environment no longer makes these episodes.
    """
    if not np.array_equal(arm_and_cost(optimum.task), optimum.parameters):
        raise ValueError("this optimum is that of another arm or another cost: compute it again")
    recording = episodes(controller, optimum.task, optimum.movements, optimum.seed)
    found = len(optimum.start)
    same = partial(np.allclose, rtol=0, atol=ROUNDING)
    if not (
        same(both_commands(recording)[:found], optimum.commands)
        and same(recording.states[0, :found], optimum.start)
    ):
        raise ValueError(
            "the environment no longer draws the starts and commands of this optimum: "
            "compute it again"
        )
    return recording


def arm_and_cost(task: str) -> np.ndarray:
    """Return the parameters of arm and cost that an optimum belongs to, as a flat array."""
    return np.concatenate([Arm().flat(), TASKS[task].weights.flat()])


def from_own_state(controller: Controller, optimum: Optimum, movements: int = 40) -> np.ndarray:
    """Return values (M, 2) after the jump: a controller's, and the optimum's from the same state.

    A controller that expects jumps tenses its muscles before them, and the optimum does not. Here
    the optimum starts with the same tension. The controller's excitations are one of its first
    guesses, so it is above the controller's value by the effort of the tone at most (see
    ``ArmProblem``).
    """
    recording = same_episodes(controller, optimum)
    task = TASKS[optimum.task]
    jump = len(recording.rewards) // 2
    pairs = []
    for i in tqdm(range(min(movements, len(optimum.start))), desc="from its own state"):
        problem = ArmProblem(task, optimum.commands[i, 1])
        state = recording.states[jump, i]
        own = recording.actions[jump:, i]
        best = optimum.controls[i, jump:]
        values = [solve(problem, state, controls).value for controls in (own, best)]
        pairs.append((-recording.rewards[jump:, i].sum(), min(values)))
    return np.array(pairs)


def both_commands(recording: Recording) -> np.ndarray:
    """Return first and second commands, (B, 2, K)."""
    return recording.commands[[0, -1]].swapaxes(0, 1)


def standing(controller: Controller, optimum: Optimum) -> str:
    """Return two lines of text on a controller's ratios to the optimum.

    The mean, the median and the range of the ratios leave out jumps shorter than 5 cm.
    """
    ratios = optimality_ratios(controller, TASKS[optimum.task].env_id, optimum)
    ours, best = from_own_state(controller, optimum).T
    far = ratios[optimum.jumps >= SHORT]
    return (
        f"network / optimum: ratio of the means {ratio_of_means(ratios, optimum):.3f}; without the "
        f"{len(ratios) - len(far)} jumps below {100 * SHORT:g} cm mean {far.mean():.3f}, "
        f"median {np.median(far):.3f}, from {far.min():.3f} to {far.max():.3f}, "
        f"below 1: {(far < 1).sum()}\n"
        f"after the jump, {len(ours)} movements, the optimum from the state that the network was "
        f"in: ratio of the means {ours.sum() / best.sum():.3f}"
    )
