"""The registered tasks, by name and by the id of their environment.

``arm_env.register_task`` adds a task of your own. Registration, evaluation, checkpoints, command
line, figures and comparison look tasks up here.
"""

from arm_env.tasks.follow import Follow
from arm_env.tasks.reach import Reach
from arm_env.tasks.shapes import Circle
from arm_env.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (Reach(), Circle(), Follow())}
"""Tasks by name, each with its default settings."""
ENVIRONMENTS: dict[str, Task] = {task.env_id: task for task in TASKS.values()}
"""The same tasks by the id of their environment."""


def add_task(task: Task) -> None:
    """Add a task, or replace the one of the same name and environment.

    Raises ValueError if only the name or only the environment is that of another task.
    """
    same_name = TASKS.get(task.name, task)
    same_environment = ENVIRONMENTS.get(task.env_id, task)
    for other in (same_name, same_environment):
        if (other.name, other.env_id) != (task.name, task.env_id):
            raise ValueError(
                f"the task {other.name} has the environment {other.env_id}: another task needs "
                f"another name and another env_id, not {task.name} and {task.env_id}"
            )
    TASKS[task.name] = ENVIRONMENTS[task.env_id] = task


def task_of_environment(env_id: str) -> Task:
    """Return the registered task of an environment; raise ValueError if there is none."""
    if env_id not in ENVIRONMENTS:
        raise ValueError(
            f"no registered task has the environment {env_id}: there are {', '.join(ENVIRONMENTS)}"
        )
    return ENVIRONMENTS[env_id]
