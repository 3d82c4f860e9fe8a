"""Make, wrap and collect from environments with TorchRL."""

import gymnasium as gym
import torch
from gymnasium.vector import AutoresetMode
from torchrl.collectors import Collector
from torchrl.data import Unbounded
from torchrl.envs import (
    Compose,
    DoubleToFloat,
    GymEnv,
    GymWrapper,
    ObservationNorm,
    StepCounter,
    TransformedEnv,
    check_env_specs,
    default_info_dict_reader,
)

import arm_env  # noqa: F401

for env_id in ("ReachArm-v0", "CircleArm-v0"):
    env = GymEnv(env_id, noise=0.1, perturbation={"curl": 5})
    check_env_specs(env)
    env.set_info_dict_reader(
        default_info_dict_reader(["hand"], spec=[Unbounded((2,), dtype=torch.float64)])
    )
    normalised = Compose(ObservationNorm(in_keys=["observation"]), DoubleToFloat(), StepCounter())
    env = TransformedEnv(env, normalised)
    env.transform[0].init_stats(num_iter=20, reduce_dim=0, cat_dim=0)
    check_env_specs(env)
    env.set_seed(1)
    first = env.reset()["observation"]
    env.set_seed(1)
    assert torch.equal(env.reset()["observation"], first)
    rollout = env.rollout(3)
    assert rollout["step_count"].flatten().tolist() == [0, 1, 2]
    assert rollout["next", "hand"].shape == (3, 2)

env = GymWrapper(gym.make("ReachArm-v0", max_episode_steps=7))
check_env_specs(env)
rollout = env.rollout(20, break_when_any_done=False)
assert rollout["next", "truncated"].sum() == 2
assert not rollout["next", "terminated"].any()

for mode in (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED):
    envs = GymWrapper(
        gym.make_vec("ReachArm-v0", num_envs=3, max_episode_steps=5, autoreset_mode=mode)
    )
    check_env_specs(envs)
    rollout = envs.rollout(12, break_when_any_done=False)
    assert rollout.batch_size == (3, 12)
    assert rollout["next", "truncated"].sum() == 6

collector = Collector(GymEnv("ReachArm-v0"), None, frames_per_batch=50, total_frames=100)
assert [batch.batch_size for batch in collector] == [(50,), (50,)]
collector.shutdown()
