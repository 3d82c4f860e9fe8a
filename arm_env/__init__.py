"""A two-link, six-muscle human arm as Gymnasium environments.

>>> import gymnasium as gym, arm_env
>>> env = gym.make("ReachArm-v0")
"""

from gymnasium.envs.registration import register

from arm_env.arm_problem import ArmProblem
from arm_env.controllers import Controller, JointPD, Random, Still
from arm_env.env import CircleArmEnv, ReachArmEnv
from arm_env.evaluation import CycleMeasures, ReachMeasures, Recording, evaluate, record
from arm_env.ilqr import Solution, solve
from arm_env.orbits import Circle, Ellipse, Orbit, RoundedPolygon
from arm_env.parameters import MUSCLES, Arm, CostWeights
from arm_env.perturbations import Perturbation
from arm_env.receding import RecedingHorizon
from arm_env.schedules import CommandList, MovingCommand, RandomJumps, Schedule
from arm_env.tasks import Reach, Task, hand_position, joint_angles

__version__ = "0.1.0"

__all__ = [
    "MUSCLES",
    "Arm",
    "ArmProblem",
    "Circle",
    "CircleArmEnv",
    "CommandList",
    "Controller",
    "CostWeights",
    "CycleMeasures",
    "Ellipse",
    "JointPD",
    "MovingCommand",
    "Orbit",
    "Perturbation",
    "Random",
    "RandomJumps",
    "Reach",
    "ReachArmEnv",
    "ReachMeasures",
    "RecedingHorizon",
    "Recording",
    "RoundedPolygon",
    "Schedule",
    "Solution",
    "Still",
    "Task",
    "evaluate",
    "hand_position",
    "joint_angles",
    "record",
    "solve",
]

register(
    "ReachArm-v0",
    entry_point="arm_env.env:ReachArmEnv",
    vector_entry_point="arm_env.vector_env:ReachArmVectorEnv",
    max_episode_steps=200,
)
register(
    "CircleArm-v0",
    entry_point="arm_env.env:CircleArmEnv",
    vector_entry_point="arm_env.vector_env:CircleArmVectorEnv",
    max_episode_steps=600,
)
