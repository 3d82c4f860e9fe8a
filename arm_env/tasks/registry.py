"""The registered tasks: each has a name, an environment, and brings all that is particular to it.

``arm_env.register_task`` adds one of your own. Registration, evaluation, checkpoints, command line,
figures and comparison ask here.
"""

from arm_env.tasks.follow import Follow
from arm_env.tasks.orbits import Circle
from arm_env.tasks.reach import Reach
from arm_env.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (Reach(), Circle(), Follow())}
"""By name, each with its default settings."""
ENVIRONMENTS: dict[str, Task] = {task.env_id: task for task in TASKS.values()}
"""The same by the id of the environment that they stand in."""


def add_task(task: Task) -> None:
    """Add a task, or replace one of the same name and environment."""
    same_name = TASKS.get(task.name, task)
    same_environment = ENVIRONMENTS.get(task.env_id, task)
    for other in (same_name, same_environment):
        if (other.name, other.env_id) != (task.name, task.env_id):
            raise ValueError(
                f"a task {other.name} stands in {other.env_id}: another needs a name and an "
                f"environment of its own, not {task.name} and {task.env_id}"
            )
    TASKS[task.name] = ENVIRONMENTS[task.env_id] = task


def task_of_environment(env_id: str) -> Task:
    """The registered task that stands in an environment; ValueError if there is none."""
    if env_id not in ENVIRONMENTS:
        raise ValueError(
            f"no task of this package stands in {env_id}: there are {', '.join(ENVIRONMENTS)}"
        )
    return ENVIRONMENTS[env_id]
