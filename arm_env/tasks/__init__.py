"""What the arm is asked to do: commands, cost and success, and when the command changes."""

from arm_env.tasks.reach import Reach
from arm_env.tasks.task import Task, cost_terms
from arm_env.tasks.workspace import hand_position, joint_angles, nearest_angles

__all__ = ["Reach", "Task", "cost_terms", "hand_position", "joint_angles", "nearest_angles"]
