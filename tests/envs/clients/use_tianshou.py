"""Collect episodes with the vector environments of Tianshou, and train PPO on them."""

import gymnasium as gym
import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, ShmemVectorEnv, SubprocVectorEnv
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from torch.distributions import Independent, Normal

import arm_env  # noqa: F401

for kind in (DummyVectorEnv, SubprocVectorEnv, ShmemVectorEnv):
    env = gym.make("ReachArm-v0")
    envs = kind([lambda: gym.make("ReachArm-v0", max_episode_steps=20) for _ in range(2)])
    shapes = {"state_shape": env.observation_space.shape, "hidden_sizes": [16]}
    policy = ProbabilisticActorPolicy(
        actor=ContinuousActorProbabilistic(
            preprocess_net=Net(**shapes), action_shape=env.action_space.shape, unbounded=True
        ),
        dist_fn=lambda location_and_scale: Independent(Normal(*location_and_scale), 1),
        action_space=env.action_space,
    )
    critic = ContinuousCritic(preprocess_net=Net(**shapes))
    algorithm = PPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(lr=1e-3))
    collector = Collector(algorithm, envs, VectorReplayBuffer(200, 2))
    collector.reset()
    assert collector.collect(n_episode=2).lens.tolist() == [20, 20]
    assert collector.buffer[:20].info.distance.shape == (20,)
    budget = {
        "max_epochs": 1,
        "epoch_num_steps": 80,
        "collection_step_num_env_steps": 40,
        "batch_size": 20,
    }
    algorithm.run_training(OnPolicyTrainerParams(training_collector=collector, **budget))
    assert all(torch.isfinite(weight).all() for weight in policy.parameters())
    envs.close()
