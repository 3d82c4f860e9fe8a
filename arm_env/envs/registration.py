"""Tasks become environments of Gymnasium."""

from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import parse_env_id

from arm_env.envs.env import ArmEnv
from arm_env.envs.vector_env import ArmVectorEnv
from arm_env.tasks.registry import add_task
from arm_env.tasks.task import Task

REQUIRED = (
    *("name", "env_id", "summary", "success_measure"),
    *("command_names", "tolerance", "hold", "weights"),
)
"""Attributes that every task has of its own."""


def register_task(task: Task) -> None:
    """Register a task and its environment, so that ``gymnasium.make``, ``evaluate`` and the trainer
    know it.

    Its name and the id of its environment must be its own. A task is known in the processes that
    register it, so best where its module is imported; the command line imports none. Registered
    again, it replaces the earlier one. Raises ValueError for a task that lacks an attribute.
    """
    missing = [name for name in REQUIRED if not hasattr(task, name)]
    if missing:
        kind = type(task).__name__
        raise ValueError(f"a task needs {', '.join(missing)}: say so in the body of {kind}")
    parse_env_id(task.env_id)  # may refuse, before anything has changed
    generic: tuple[Any, Any] = (partial(ArmEnv, task), partial(ArmVectorEnv, task))
    single, vector = task.entry_points or generic
    add_task(task)
    gym.registry.pop(task.env_id, None)
    gym.register(
        task.env_id,
        entry_point=single,
        vector_entry_point=vector,
        max_episode_steps=task.max_episode_steps,
    )
