"""The controllers that are compared: untrained ones, stored runs, and anybody's own."""

import importlib
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
from benchmarks.runs import Run, stored_runs

EVERYWHERE = tuple(ENVIRONMENTS)


def commands_are_positions(env_id: str) -> bool:
    """Whether a command is a target's position, as ``JointPD`` takes it."""
    return task_of_environment(env_id).command_names == Reach.command_names


@dataclass(frozen=True)
class Entry:
    """A controller in one environment, and what its training took."""

    name: str
    environment: str
    make: Callable[[], Controller]
    seed: int = 0
    train_steps: int = 0
    train_seconds: float = 0.0
    parameters: int = 0
    movements: int | None = None
    """How many movements it is measured over, if fewer than the others."""


def random_controller(env_id: str) -> Controller:
    """Excitations uniform over the action space."""
    space = gym.make(env_id).action_space
    assert isinstance(space, gym.spaces.Box)
    return arm_env.Random(space, np.random.default_rng(0))


FEW = 50  # movements over which slow controllers are measured, and all others too beside their own

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
    """A stored run as an entry."""
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
    """All of ours: untrained ones, then the stored runs below ``root``."""
    for name, (environments, make, movements) in UNTRAINED.items():
        for env_id in environments:
            yield Entry(name, env_id, partial(make, env_id), movements=movements)
    for run in stored_runs(root):
        yield stored(run)


def your_own(name: str, environments: tuple[str, ...] = EVERYWHERE) -> Iterator[Entry]:
    """``module:function`` in each environment.

    The function takes an environment's id and returns a controller.

    One that returns None sits that environment out. Raises ValueError for a name that leads
    nowhere.
    """
    module, _, function = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"a controller of your own is named module:function, not {name!r}: {error}"
        ) from error
    for env_id in environments:
        if make(env_id) is not None:
            yield Entry(name, env_id, partial(make, env_id))


def microseconds_per_action(
    controller: Controller, env_id: str, calls: int = 200, rounds: int = 5
) -> float:
    """Median time of ``predict`` for a single arm [µs], in the fastest of some rounds.

    Other work only slows it.
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
