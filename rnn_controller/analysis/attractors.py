"""The attractors of body and controller together, and their stability.

Huh & Todorov (2009), section IV, ask that every command has one stable attractor, which the state
reaches from any start. This module measures that without noise, for any controller that
``rnn_controller.rollouts.plant.rollout`` can run. F is the map of one control period of the closed
loop, from a state q = [x; y] (body and neural state) to the next.

Point attractors are fixed points of F (``points``), limit cycles those of a return map
(``cycles``).
"""

import numpy as np
import torch
from torch import Tensor

from arm_env.arguments import count
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.registry import task_of_environment
from arm_env.tasks.task import Task
from rnn_controller.analysis.closed_loop import ClosedLoop
from rnn_controller.analysis.cycles import Lap, find_cycle, limit_cycle, return_map
from rnn_controller.analysis.points import find_point, fixed_point
from rnn_controller.analysis.results import NEAR, SAME, Analysis, Attractor, AttractorMeasures
from rnn_controller.training.trials import thrown_bodies
from rnn_controller.watching import DELAY, progress_bar

__all__ = [
    "NEAR",
    "SAME",
    "Analysis",
    "Attractor",
    "AttractorMeasures",
    "ClosedLoop",
    "Lap",
    "analyse",
    "components",
    "fixed_point",
    "grid",
    "limit_cycle",
    "random_starts",
    "return_map",
]


def grid(task: Task, arm: Arm, number: int) -> np.ndarray:
    """Return ``number`` commands (n, K), spread evenly over the range of the task's commands."""
    return task.grid(arm, count("number", number, 1))


def random_starts(rng: np.random.Generator, loop: ClosedLoop, number: int) -> Tensor:
    """Draw random states (number, n) to start from.

    Posture, velocity, muscle activation and neural state are random. The closed loop then runs for
    half a second under another random command.
    """
    task = loop.task
    arm = loop.arm
    body = thrown_bodies(rng, task, number)
    neural = rng.uniform(0, 2, (number, 1)) * rng.uniform(0, 1, (number, loop.neurons))
    before = torch.from_numpy(task.sample_commands(rng, number, arm))
    states = torch.from_numpy(np.hstack([body, neural]))
    return loop.run(states, before, round(0.5 / loop.period))[:, -1]


def analyse(
    loop: ClosedLoop,
    commands: np.ndarray,
    *,
    starts: int = 50,
    seed: int = 0,
    progress: bool = True,
) -> Analysis:
    """Find the attractors of ``commands`` (n, K), and test their stability.

    For each command, ``starts`` random states are simulated until they have converged; ``seed`` is
    theirs. Raises ValueError for commands that the task does not have, or none.
    """
    starts = count("starts", starts, 1)
    seed = count("seed", seed)
    if not len(commands):
        raise ValueError("at least one command is needed")
    loop.task.check_commands(loop.arm, commands)
    rng = np.random.default_rng(seed)
    find = find_cycle if loop.task.cyclic else find_point
    attractors = []
    on = []
    towards = []
    for command in progress_bar(commands, disable=not progress, desc="attractors", delay=DELAY):
        begin = random_starts(rng, loop, starts)
        attractor, states, paths = find(loop, torch.from_numpy(command), begin, rng)
        attractors.append(attractor)
        on.append(states)
        towards.append(paths[:4, ::5].reshape(-1, loop.size))  # some of them
    both = components(torch.cat(on)), components(torch.cat(towards))
    # a user's orbit may have another name
    name = task_of_environment(loop.task.env_id).name
    return Analysis(name, attractors, seed, starts, both, loop.task.dimensions)


def components(states: Tensor, share: float = 0.95) -> int:
    """Return how many principal components hold a share of the variance of states (n, ·).

    The states are standardised first.
    """
    deviation = states.std(0, correction=0)
    varying = states[:, deviation > 1e-9]
    if not varying.shape[1]:
        return 0
    variances = torch.linalg.svdvals((varying - varying.mean(0)) / varying.std(0)) ** 2
    held = variances.cumsum(0) / variances.sum()
    return int((held < share).sum()) + 1
