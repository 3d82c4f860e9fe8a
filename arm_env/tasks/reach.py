"""The reaching task of the paper (Huh & Todorov 2009, V.B.1)."""

from dataclasses import dataclass

import numpy as np

from arm_env.dynamics.parameters import CostWeights
from arm_env.tasks.measures import ShownMeasure, reach_measures
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import hand_position, joint_angles, resting_state


@dataclass(frozen=True)
class Reach(Task):
    """Point attractors: the command is the target's position x, y [m] from the shoulder."""

    name = "reach"
    env_id = "ReachArm-v0"
    summary = "Reach to points."
    entry_points = (
        "arm_env.envs.env:ReachArmEnv",
        "arm_env.envs.vector_env:ReachArmVectorEnv",
    )
    success_measure = ("fraction_within_target", "within the target")
    shown_measures = (
        ShownMeasure("fraction_within_target", "within target", "%", 100, 1),
        ShownMeasure("median_endpoint_error_m", "endpoint error", "cm", 100, 1),
        ShownMeasure("fraction_toward_target", "toward target", "%", 100, 1),
    )

    command_names = ("target_x", "target_y")
    tolerance = 0.04
    hold = 1.0
    weights = CostWeights()

    def error(self, xp, command, x, y):
        dx, dy = x - command[..., 0], y - command[..., 1]
        return dx * dx + dy * dy, 0.0, 0.0

    def sample_commands(self, rng, number, arm):
        return hand_position(arm, self.sample_angles(rng, number))

    def command_bounds(self, arm):
        reach = np.full(2, sum(arm.length))
        return -reach, reach

    def check_commands(self, arm, commands):
        joint_angles(arm, self.checked_shape(commands))

    def attractor_state(self, rng, arm, commands):
        return resting_state(arm, commands)

    def period(self, commands):
        return np.full(len(commands), 0.5)

    def measures(self, recording, start, period, *, seed, noise):
        return reach_measures(recording, start, period, seed=seed, noise=noise)
