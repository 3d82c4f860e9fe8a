"""The controllers of the comparison: untrained ones, stored runs, and a user's own."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np

import arm_env
from arm_env.control.controllers import Controller
from arm_env.tasks.reach import Reach
from arm_env.tasks.registry import ENVIRONMENTS, task_of_environment
from benchmarks.named import named_function
from benchmarks.runs import Run, stored_runs

EVERYWHERE = tuple(ENVIRONMENTS)


def commands_are_positions(env_id: str) -> bool:
    """Return whether a command is the position of a target, as ``JointPD`` needs it."""
    return task_of_environment(env_id).command_names == Reach.command_names


@dataclass(frozen=True)
class Entry:
    """A controller in one environment, with the steps and seconds of its training."""

    name: str
    environment: str
    make: Callable[[], Controller]
    seed: int = 0
    train_steps: int = 0
    train_seconds: float = 0.0
    parameters: int = 0
    movements: int | None = None
    """Number of movements that it is measured on, if fewer than the others."""


def random_controller(env_id: str) -> Controller:
    """Return a controller with uniformly random excitations."""
    space = gym.make(env_id).action_space
    assert isinstance(space, gym.spaces.Box)
    return arm_env.Random(space, np.random.default_rng(0))


FEW = 50  # movements for slow controllers; the others are measured on these, too

UNTRAINED: dict[str, tuple[tuple[str, ...], Callable[[str], Controller], int | None]] = {
    "still": (EVERYWHERE, lambda env_id: arm_env.Still(), None),
    "random": (EVERYWHERE, random_controller, None),
    "receding-horizon": (
        EVERYWHERE,
        lambda env_id: arm_env.RecedingHorizon(task_of_environment(env_id)),
        FEW,
    ),
    "joint-pd": (
        tuple(filter(commands_are_positions, EVERYWHERE)),
        lambda env_id: arm_env.JointPD(),
        None,
    ),
}
"""Environments, factory, number of movements if measuring is slow."""


def stored(run: Run) -> Entry:
    """Return a stored run as an entry."""
    return Entry(
        run.algorithm,
        run.environment,
        run.controller,
        run.seed,
        run.steps,
        run.seconds,
        run.parameters,
    )


def entries(root: Path) -> Iterator[Entry]:
    """Return all entries: untrained controllers, then the stored runs below ``root``."""
    for name, (environments, make, movements) in UNTRAINED.items():
        for env_id in environments:
            yield Entry(name, env_id, partial(make, env_id), movements=movements)
    for run in stored_runs(root):
        yield stored(run)


def your_own(name: str, environments: tuple[str, ...] = EVERYWHERE) -> Iterator[Entry]:
    """Return a user's controllers, given as ``module:function``, in each environment.

    The function takes an environment's id and returns a controller.

    If it returns None, the environment is left out. Raises ValueError if there is no such function.
    """
    make = named_function(name)
    for env_id in environments:
        if make(env_id) is not None:
            yield Entry(name, env_id, partial(make, env_id))


def microseconds_per_action(
    controller: Controller, env_id: str, calls: int = 200, rounds: int = 5
) -> float:
    """Return the time of ``predict`` for one arm [µs]: the median of the fastest round.

    Other programs can only slow it down.
    """
    return min(_median_time(controller, env_id, calls) for _ in range(rounds)) * 1e6


def _median_time(controller: Controller, env_id: str, calls: int) -> float:
    env = gym.make(env_id)
    observation, _ = env.reset(seed=0)
    state = None
    times = []
    for i in range(calls):
        begun = time.perf_counter()
        action, state = controller.predict(
            observation[None], state, np.array([i == 0]), deterministic=True
        )
        times.append(time.perf_counter() - begun)
        observation = env.step(np.asarray(action, dtype=np.float32).reshape(6))[0]
        if (i + 1) % 100 == 0:  # short of the time limit
            observation, _ = env.reset()
            state = None
    return float(np.median(times[10:]))
