"""Make environments in processes with stable-baselines3, set an attribute of them, and train."""

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

import arm_env  # noqa: F401

ARGUMENTS = {"noise": 0.1, "perturbation": {"curl": 5}}

if __name__ == "__main__":  # the processes import this file
    ours, theirs = (
        make_vec_env("ReachArm-v0", n_envs=2, seed=4, env_kwargs=ARGUMENTS, vec_env_cls=kind)
        for kind in (DummyVecEnv, SubprocVecEnv)
    )
    for envs in (ours, theirs):
        assert envs.get_attr("noise") == [0.1, 0.1]
        envs.set_attr("noise", 0.3)
        assert envs.get_attr("noise") == [0.3, 0.3]
    np.testing.assert_array_equal(theirs.reset(), ours.reset())
    actions = np.full((2, 6), 0.2, np.float32)
    for _ in range(3):
        np.testing.assert_array_equal(theirs.step(actions)[0], ours.step(actions)[0])
    PPO("MlpPolicy", theirs, n_steps=16, batch_size=16, n_epochs=1).learn(64)
    theirs.close()
