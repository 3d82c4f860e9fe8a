"""Registration of tasks as environments of Gymnasium."""

from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import parse_env_id

from arm_env.arguments import shown
from arm_env.envs.base import ArmEnv
from arm_env.envs.vector_env import ArmVectorEnv
from arm_env.tasks.registry import TASKS, add_task
from arm_env.tasks.task import Task

REQUIRED = (
    *("name", "env_id", "summary", "success_measure"),
    *("command_names", "tolerance", "hold", "weights"),
)
"""Attributes that every task must define."""


def register_task(task: Task) -> None:
    """Make a task and its environment known to ``gymnasium.make``, ``evaluate`` and the trainer.

    Its name and the id of its environment must not be those of different tasks. The task is known
    in the processes that register it, so register it where its module is imported; the command line
    imports no module by itself. If it is registered again, it replaces the earlier one. Raises
    ValueError for an object that is no task, and for a task that lacks an attribute.
    """
    if not isinstance(task, Task):
        raise ValueError(f"task must be an arm_env.Task, such as Reach(), not {shown(task)}")
    missing = [name for name in REQUIRED if not hasattr(task, name)]
    if missing:
        kind = type(task).__name__
        raise ValueError(f"a task needs {', '.join(missing)}: define them in the class {kind}")
    parse_env_id(task.env_id)  # may refuse, before anything has changed
    # A task derived from another one inherits the entry points, whose environments have the other.
    others = [other.entry_points for name, other in TASKS.items() if name != task.name]
    own = task.entry_points if task.entry_points not in others else None
    add_task(task)
    gym.registry.pop(task.env_id, None)
    single, vector = own or GENERIC
    gym.register(
        task.env_id,
        entry_point=single,
        vector_entry_point=vector,
        max_episode_steps=task.max_episode_steps,
        kwargs={} if own else {"task": task.name},
    )


GENERIC = (f"{__name__}:environment_of", f"{__name__}:vector_environment_of")
"""Addresses of the functions that make the environments of a task without entry points."""


def environment_of(task: str, **arguments: Any) -> ArmEnv:
    """Return an environment of the registered task of that name."""
    return ArmEnv(TASKS[task], **arguments)


def vector_environment_of(task: str, **arguments: Any) -> ArmVectorEnv:
    """Return a vector environment of the registered task of that name."""
    return ArmVectorEnv(TASKS[task], **arguments)
