"""Tasks of the arm: commands, cost and success, and the schedules that change the command."""

from arm_env.tasks.reach import Reach
from arm_env.tasks.task import Task, cost_terms
from arm_env.tasks.workspace import hand_position, joint_angles, nearest_angles

__all__ = ["Reach", "Task", "cost_terms", "hand_position", "joint_angles", "nearest_angles"]
