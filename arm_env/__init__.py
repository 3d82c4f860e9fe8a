"""A two-link, six-muscle human arm as Gymnasium environments.

>>> import gymnasium as gym, arm_env
>>> env = gym.make("ReachArm-v0")
>>> observation, info = env.reset(seed=1)
"""

import sys
from importlib import import_module
from typing import Any

from arm_env.comparison import Comparison, compare
from arm_env.control.arm_problem import ArmProblem
from arm_env.control.controllers import Controller, JointPD, Random, Still
from arm_env.control.ilqr import Solution, solve
from arm_env.control.joint_sense import JointSense
from arm_env.control.mpc import RecedingHorizon
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.contacts import Channel, Push
from arm_env.dynamics.parameters import MUSCLES, Arm, CostWeights, Parameters
from arm_env.dynamics.perturbations import SADDLE, Perturbation
from arm_env.envs.env import CircleArmEnv, ReachArmEnv
from arm_env.envs.registration import register_task
from arm_env.evaluation import evaluate
from arm_env.moved import Moved
from arm_env.recording import record
from arm_env.tasks.orbits import CycleMeasures, Orbit
from arm_env.tasks.reach import Reach, ReachMeasures
from arm_env.tasks.recording import Recording
from arm_env.tasks.registry import TASKS
from arm_env.tasks.schedules import CommandList, MovingCommand, RandomJumps, Schedule
from arm_env.tasks.shapes import Circle, Ellipse, RoundedPolygon
from arm_env.tasks.task import Task
from arm_env.tasks.variables import Labels
from arm_env.tasks.workspace import hand_position, joint_angles

_EARLIER = {
    "compiling": "codegen.compiling",
    "elementary": "codegen.elementary",
    "lanes": "codegen.lanes",
    "tracing": "codegen.tracing",
    "parameters": "dynamics.parameters",
    "equations": "dynamics.equations",
    "perturbations": "dynamics.perturbations",
    "random_numbers": "dynamics.random_numbers",
    "plant": "dynamics.plant",
    "orbits": "tasks.orbits",
    "schedules": "tasks.schedules",
    "simulation": "envs.simulation",
    "env": "envs.env",
    "vector_env": "envs.vector_env",
    "rendering": "envs.rendering",
    "settings": "envs.settings",
    "specifications": "envs.specifications",
    "attributes": "envs.attributes",
    "controllers": "control.controllers",
    "ilqr": "control.ilqr",
    "box_qp": "control.box_qp",
    "arm_problem": "control.arm_problem",
    "receding": "control.mpc",
    "control.receding": "control.mpc",
}
sys.meta_path.insert(0, Moved(__name__, _EARLIER))
__version__ = "0.1.0"

__all__ = [
    "ARM",
    "MUSCLES",
    "SADDLE",
    "Arm",
    "ArmProblem",
    "Body",
    "Channel",
    "Circle",
    "CircleArmEnv",
    "CommandList",
    "Comparison",
    "Controller",
    "CostWeights",
    "CycleMeasures",
    "Ellipse",
    "JointPD",
    "JointSense",
    "Labels",
    "MovingCommand",
    "Orbit",
    "Parameters",
    "Perturbation",
    "Push",
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
    "compare",
    "evaluate",
    "hand_position",
    "joint_angles",
    "record",
    "register_task",
    "solve",
]

for _task in TASKS.values():
    register_task(_task)


def __getattr__(name: str) -> Any:
    if name in _EARLIER:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
