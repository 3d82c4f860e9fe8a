"""Send an environment to an actor of Ray, and let the actor make another."""

import gymnasium as gym
import numpy as np
import ray

import arm_env  # noqa: F401


@ray.remote
class Worker:
    def __init__(self, env):
        self.env = env

    def make(self, function):
        self.env = function()

    def reset(self, seed):
        return self.env.reset(seed=seed)[0]

    def act(self):
        return [self.env.step(self.env.action_space.high / 4)[0] for _ in range(4)]


ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
env = gym.make("ReachArm-v0", noise=0.1, perturbation={"curl": 5})
env.reset(seed=3)
env.step(env.action_space.high / 2)
worker = Worker.remote(env)
np.testing.assert_array_equal(
    ray.get(worker.act.remote()), [env.step(env.action_space.high / 4)[0] for _ in range(4)]
)

# With "arm_env:" before the id, Gymnasium imports arm_env in the worker.
ray.get(
    worker.make.remote(lambda: gym.make("arm_env:ReachArm-v0", noise=0.1, perturbation={"curl": 5}))
)
np.testing.assert_array_equal(ray.get(worker.reset.remote(4)), env.reset(seed=4)[0])
np.testing.assert_array_equal(
    ray.get(worker.act.remote()), [env.step(env.action_space.high / 4)[0] for _ in range(4)]
)
