"""Send environments to the processes of joblib."""

import gymnasium as gym
import joblib
import numpy as np

import arm_env  # noqa: F401


def act(env):
    return np.array([env.step(env.action_space.high / 4)[0] for _ in range(4)])


env = gym.make("ReachArm-v0", noise=0.1, perturbation={"curl": 5})
env.reset(seed=3)
env.step(env.action_space.high / 2)
# Every array is memory-mapped, as joblib does with those above 1 MB, and so arrives read-only.
results = joblib.Parallel(n_jobs=2, max_nbytes=1)(joblib.delayed(act)(env) for _ in range(2))
expected = act(env)
for observations in results:
    np.testing.assert_array_equal(observations, expected)
