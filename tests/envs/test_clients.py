"""The ways in which other packages make, wrap and send an environment.

Nothing but its id is changed.

A test whose package is not installed is skipped. ``pip install -c constraints.txt -e '.[clients]'``
installs all of them.
"""

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from torch import nn
from torch.distributions import Normal

import arm_env  # noqa: F401

SCRIPTS = Path(__file__).with_name("clients")
REACH = "ReachArm-v0"
ARGUMENTS = {"noise": 0.1, "perturbation": {"curl": 5}}
BOTH_MODES = pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])


# --- scripts as their users write them, in processes of their own
# ----------------------------------


def run(*command: str, folder: Path) -> str:
    """What a Python command prints; an error in it fails the test."""
    environment = {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    command = (sys.executable, *command)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "reinforcement-learning.md"


def skip_without(package: str) -> None:
    """Skip the test unless a package is installed.

    rl_zoo3, ray and torchrl change the process that imports them.
    """
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: it is one of the extras")


@pytest.mark.parametrize(
    "package",
    ["joblib", "ray", "stable_baselines3", "tianshou", "torchrl"],
)
def test_script(package, tmp_path):
    skip_without(package)
    run(str(SCRIPTS / f"use_{package}.py"), folder=tmp_path)


def test_rl_zoo3_trains_and_enjoys(tmp_path):
    skip_without("rl_zoo3")
    (hyperparameters,) = re.findall(
        r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    for name, small in (("n_envs", 2), ("n_steps", 64), ("batch_size", 64), ("n_epochs", 1)):
        hyperparameters = re.sub(rf"{name}: \d+", f"{name}: {small}", hyperparameters)
    (tmp_path / "ppo.yml").write_text(hyperparameters)
    common = ("--algo", "ppo", "--env", REACH, "--gym-packages", "arm_env", "--device", "cpu")
    keywords = ("--env-kwargs", "noise:0.1", "perturbation:dict(curl=5)")
    training = ("--conf-file", "ppo.yml", "-n", "200", "--vec-env", "subproc")
    evaluation = ("--eval-freq", "100", "--eval-episodes", "1")
    trained = run(
        "-m", "rl_zoo3.train", *common, *training, *evaluation, *keywords, folder=tmp_path
    )
    assert "'curl': 5" in trained and "Success rate" in trained
    assert (tmp_path / "logs/ppo/ReachArm-v0_1/ReachArm-v0.zip").exists()
    enjoyed = run(
        "-m", "rl_zoo3.enjoy", *common, "-f", "logs", "-n", "201", "--no-render", folder=tmp_path
    )
    assert "Episode Length 200" in enjoyed and "Success rate" in enjoyed


# --- Gymnasium ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [gym.make, partial(gym.make_vec, num_envs=3)], ids=["one", "many"])
def test_an_environment_whose_arrays_are_sent_beside_its_pickle(make):
    """As Ray and Dask send it.

    The arrays are memory that is shared between processes, and may not be written to.
    """
    original = make(REACH, **ARGUMENTS)
    original.reset(seed=1)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(original, protocol=5, buffer_callback=buffers.append)
    first, second = (
        pickle.loads(data, buffers=[bytes(buffer) for buffer in buffers]) for _ in range(2)
    )
    action = original.action_space.high / 4
    expected = original.step(action)[0]
    np.testing.assert_array_equal(first.step(action)[0], expected)
    options = (
        {"reset_mask": np.array([True, False, False])}
        if first.unwrapped.simulation.number > 1
        else None
    )
    assert np.isfinite(second.reset(options=options)[0]).all()


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_asynchronous_environments_do_what_synchronous_ones_do(context):
    functions = [partial(gym.make, "arm_env:ReachArm-v0", max_episode_steps=4, **ARGUMENTS)] * 2
    ours = SyncVectorEnv(functions)
    theirs = AsyncVectorEnv(functions, context=context)
    try:
        np.testing.assert_array_equal(theirs.reset(seed=2)[0], ours.reset(seed=2)[0])
        theirs.set_attr("noise", [0.0, 0.3])
        ours.set_attr("noise", [0.0, 0.3])
        assert theirs.get_attr("noise") == ours.get_attr("noise") == (0.0, 0.3)
        for _ in range(7):
            actions = theirs.action_space.sample()
            expected = ours.step(actions)
            results = theirs.step(actions)
            for ones, others in zip(results[:4], expected[:4], strict=True):
                np.testing.assert_array_equal(ones, others)
            assert results[4].keys() == expected[4].keys()
    finally:
        theirs.close()


@BOTH_MODES
def test_wrappers_of_vector_environments(mode):
    wrappers = gym.wrappers.vector
    envs = gym.make_vec(REACH, num_envs=3, autoreset_mode=mode, max_episode_steps=20, **ARGUMENTS)
    envs = wrappers.RecordEpisodeStatistics(envs)
    envs = wrappers.ClipAction(wrappers.RescaleAction(envs, -1, 1))
    if mode is AutoresetMode.NEXT_STEP:  # Gymnasium refuses them after SAME_STEP
        envs = wrappers.NormalizeObservation(envs)
        envs = wrappers.TransformObservation(
            envs, lambda observations: np.clip(observations, -10, 10)
        )
    envs = wrappers.NormalizeReward(envs, gamma=0.99)
    envs = wrappers.TransformReward(envs, lambda rewards: np.clip(rewards, -10, 10))
    envs.reset(seed=1)
    envs.action_space.seed(1)
    lengths = []
    for _ in range(45):
        observations, rewards, _, _, infos = envs.step(envs.action_space.sample())
        assert observations.shape == (3, 20) and np.abs(observations).max() <= 10
        assert rewards.shape == (3,) and np.isfinite(rewards).all()
        lengths += [*infos["episode"]["l"]] if "episode" in infos else []
        lengths += (
            [*infos["final_info"]["episode"]["l"]]
            if "episode" in infos.get("final_info", ())
            else []
        )
    assert lengths == [20] * 6


# --- CleanRL --------------------------------------------------------------------------------------


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
    skip_without("moviepy")
    envs = SyncVectorEnv(
        [cleanrl_env(REACH, str(tmp_path / "videos"))], autoreset_mode=AutoresetMode.SAME_STEP
    )
    envs.reset(seed=1)
    for _ in range(5):
        envs.step(envs.action_space.sample())
    envs.close()
    assert (tmp_path / "videos/rl-video-episode-0.mp4").stat().st_size > 1000


# --- skrl -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", ["CartPole-v1", REACH, "CircleArm-v0"])
@pytest.mark.parametrize(
    "make",
    [gym.make, partial(gym.make_vec, num_envs=2), lambda i: gym.make(i).unwrapped],
    ids=["one", "many", "bare"],
)
def test_skrl_knows_the_environments_by_their_bases(env_id, make):
    """As its ``wrap_env`` does.

    One of the direct bases, of the environment or of what it wraps, is Gymnasium's.
    """
    env = make(env_id)
    bases = [
        f"{b.__module__}.{b.__qualname__}" for e in (env, env.unwrapped) for b in type(e).__bases__
    ]
    assert any(base.startswith("gymnasium.") for base in bases), bases


# --- none of them ---------------------------------------------------------------------------------

WITHOUT_EXTRAS = """
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name in {missing}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing)
import gymnasium, arm_env
for env_id in {environments}:
    env = gymnasium.make(env_id, render_mode="rgb_array")
    env.reset(seed=1)
    env.step(env.action_space.sample())
    assert env.render().ndim == 3
    gymnasium.make_vec(env_id, num_envs=2).reset(seed=1)
"""


def test_an_environment_needs_none_of_them(tmp_path):
    missing = {"joblib", "ray", "rl_zoo3", "tensordict", "tianshou", "torchrl"}
    missing |= {"moviepy", "sb3_contrib", "stable_baselines3", "tensorboard"}
    code = WITHOUT_EXTRAS.format(missing=missing, environments=("ReachArm-v0", "CircleArm-v0"))
    run("-c", code, folder=tmp_path)
