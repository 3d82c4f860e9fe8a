"""CleanRL's PPO: its wrappers around an environment, and its script.

The script is not part of a package that could be installed. Its test runs if the environment
variable CLEANRL_PPO holds the path of ``ppo_continuous_action.py``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import nn
from torch.distributions import Normal

import arm_env  # noqa: F401

REACH = "arm_env:ReachArm-v0"
EDITS = Path(__file__).parents[2] / "examples" / "cleanrl" / "gymnasium_1.sed"
BOTH_MODES = pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])


def cleanrl_env(env_id: str, video_folder: str | None = None) -> Callable[[], gym.Env]:
    """The wrappers of CleanRL's ppo_continuous_action.py, in their order."""

    def thunk() -> gym.Env:
        if video_folder:
            env = gym.wrappers.RecordVideo(gym.make(env_id, render_mode="rgb_array"), video_folder)
        else:
            env = gym.make(env_id)
        env = gym.wrappers.FlattenObservation(env)
        env = gym.wrappers.RecordEpisodeStatistics(env)
        env = gym.wrappers.ClipAction(env)
        env = gym.wrappers.NormalizeObservation(env)
        env = gym.wrappers.TransformObservation(
            env, lambda seen: np.clip(seen, -10, 10), env.observation_space
        )
        env = gym.wrappers.NormalizeReward(env, gamma=0.99)
        return gym.wrappers.TransformReward(env, lambda reward: np.clip(reward, -10, 10))

    return thunk


@BOTH_MODES
def test_cleanrl_ppo(mode):
    envs = SyncVectorEnv([cleanrl_env(REACH) for _ in range(2)], autoreset_mode=mode)
    torch.manual_seed(0)
    (inputs,), (outputs,) = envs.single_observation_space.shape, envs.single_action_space.shape
    actor = nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs))
    critic = nn.Linear(inputs, 1)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=3e-4)
    rollout = []
    episodes = []
    observation = torch.Tensor(envs.reset(seed=1)[0])
    for _ in range(210):  # over the end of an episode
        with torch.no_grad():
            action = Normal(actor(observation), 1.0).sample()
        following, reward, terminated, _, infos = envs.step(action.numpy())
        assert np.abs(following).max() <= 10 and not terminated.any()
        rollout.append((observation, action, torch.Tensor(reward)))
        ended = infos.get("final_info", infos)
        if "episode" in ended:
            episodes += zip(
                ended["episode"]["l"][ended["_episode"]], ended["episode"]["r"], strict=True
            )
        observation = torch.Tensor(following)
    assert [length for length, _ in episodes] == [200, 200] and all(
        -20 < total < 0 for _, total in episodes
    )

    observations, actions, rewards = (torch.stack(kind) for kind in zip(*rollout, strict=True))
    probability = Normal(actor(observations), 1.0).log_prob(actions).sum(-1)
    values = critic(observations).squeeze(-1)
    ratio = (probability - probability.detach()).exp()
    loss = ((rewards - values) ** 2).mean() - (ratio * (rewards - values).detach()).mean()
    loss.backward()
    optimizer.step()
    assert np.isfinite(loss.item()) and all(
        torch.isfinite(weight).all() for weight in actor.parameters()
    )
    envs.close()


def test_cleanrl_records_videos(tmp_path):
    if find_spec("moviepy") is None:
        pytest.skip("moviepy is not installed: it is one of the extras")
    envs = SyncVectorEnv(
        [cleanrl_env(REACH, str(tmp_path / "videos"))], autoreset_mode=AutoresetMode.SAME_STEP
    )
    envs.reset(seed=1)
    for _ in range(5):
        envs.step(envs.action_space.sample())
    envs.close()
    assert (tmp_path / "videos/rl-video-episode-0.mp4").stat().st_size > 1000


def returns(seed: int) -> list[tuple[int, int, float]]:
    """Step, arm and return of each ended episode, read from the infos as CleanRL reads them."""
    envs = SyncVectorEnv([cleanrl_env(REACH)] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    first, _ = envs.reset(seed=seed)
    assert not np.array_equal(*first), "both arms got the same seed"
    envs.action_space.seed(seed)
    found = []
    for step in range(1, 401):
        infos = envs.step(envs.action_space.sample())[4]
        if "final_info" in infos:
            ended = infos["final_info"]["episode"]
            found += [(step, arm, float(ended["r"][arm])) for arm in np.flatnonzero(ended["_r"])]
    envs.close()
    return found


def test_the_seed_decides_the_returns_that_cleanrl_logs():
    ours = returns(1)
    assert [episode[:2] for episode in ours] == [(200, 0), (200, 1), (400, 0), (400, 1)]
    assert returns(1) == ours
    assert not {total for *_, total in ours} & {total for *_, total in returns(2)}


def test_cleanrl_s_script_runs(tmp_path):
    """With the edits that Gymnasium 1 asks for, those of the documentation."""
    script = os.environ.get("CLEANRL_PPO", "")
    if not script:
        pytest.skip("CLEANRL_PPO is not set: the path of CleanRL's ppo_continuous_action.py")
    if shutil.which("sed") is None or find_spec("tensorboard") is None:
        pytest.skip("CleanRL's script needs tensorboard, and its edits need sed")
    edited = subprocess.run(["sed", "-f", EDITS, script], capture_output=True, text=True)
    assert edited.returncode == 0, edited.stderr
    (tmp_path / "ppo.py").write_text(edited.stdout)
    size = ("--num-envs", "2", "--num-steps", "256", "--total-timesteps", "1024")
    learning = ("--num-minibatches", "4", "--update-epochs", "1", "--no-cuda")
    done = subprocess.run(
        [sys.executable, "ppo.py", "--env-id", REACH, *size, *learning],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("episodic_return=-") == 4  # two arms, 512 steps each
    assert "nan" not in done.stdout and list(tmp_path.glob("runs/*/events.*"))
