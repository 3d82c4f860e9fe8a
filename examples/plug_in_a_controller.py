"""Run your own controller, and compare its measures with those of others."""

import sys

import gymnasium as gym
import numpy as np

import arm_env
from rnn_controller import load


class Springs:
    """Co-contract all muscles a little, and those more that pull towards the target's side."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        target_x = np.atleast_2d(observation)[:, 18]
        action = np.full((len(target_x), 6), 0.1, dtype=np.float32)
        # flexors bring the hand to the left
        action[:, [0, 2, 4]] += np.clip(0.2 - target_x, 0, 0.3)[:, None]
        action[:, [1, 3, 5]] += np.clip(target_x - 0.2, 0, 0.3)[:, None]
        return action, state


movements = int(sys.argv[1]) if len(sys.argv) > 1 else 500
space = gym.make("ReachArm-v0").action_space
controllers = {
    "network": load("reach"),
    "joint PD": arm_env.JointPD(),
    "springs": Springs(),
    "random": arm_env.Random(space, np.random.default_rng(0)),
    "still": arm_env.Still(),
}
print("controller   within target   median error [cm]   mean value")
for name, controller in controllers.items():
    m = arm_env.evaluate(controller, "ReachArm-v0", movements=movements, seed=1)
    error = 100 * m.median_endpoint_error_m
    print(f"{name:12s} {m.fraction_within_target:13.1%} {error:19.1f} {m.mean_value:12.2f}")
