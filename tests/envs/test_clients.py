"""The ways in which other packages make, wrap and send an environment.

Nothing but its id is changed.

A test whose package is not installed is skipped. ``pip install -c constraints.txt -e '.[clients]'``
installs all of them.
"""

import os
import pickle
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

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


ROOT = Path(__file__).parents[2]


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


def zoo(program: str, algorithm: str, env_id: str, *others: str) -> str:
    """What rl_zoo3 prints, as the documentation runs it."""
    common = ("--algo", algorithm, "--env", env_id, "--gym-packages", "arm_env", "--device", "cpu")
    return run("-m", f"rl_zoo3.{program}", *common, *others, folder=ROOT)


EVALUATION = ("--eval-freq", "50", "--eval-episodes", "1")
ON_POLICY = ("n_envs:2", "n_steps:40", "batch_size:40", "n_epochs:1")
OFF_POLICY = ("n_envs:2", "learning_starts:50", "batch_size:16", "gradient_steps:1")


# in a process of its own, since the model holds a schedule of rl_zoo3, which it imports
LOADED = """
import arm_env
from arm_env.sb3 import Smoothed, Trained, as_sb3_vec_env
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

folder = {folder!r} + "/ppo/ReachArm-v0_1/ReachArm-v0"
model = PPO.load(folder + ".zip", device="cpu")
arm = Smoothed(as_sb3_vec_env("ReachArm-v0", 1), model.observation_space.time_constant)
controller = Trained(model, VecNormalize.load(folder + "/vecnormalize.pkl", arm))
assert arm_env.evaluate(controller, movements=4, seed=0).mean_value > 0
print("smoothed over", controller.smoothing, "s")
"""


def test_rl_zoo3_trains_and_enjoys_with_the_file_of_this_repository(tmp_path):
    skip_without("rl_zoo3")
    keywords = ("--env-kwargs", "control_period:0.05", "max_episode_steps:40")
    keywords += ("noise:0.1", "perturbation:dict(curl=5)")
    training = ("--conf-file", "benchmarks/rl_zoo3/ppo.yml", "--hyperparams", *ON_POLICY)
    training += ("-n", "160", "-f", str(tmp_path))
    trained = zoo("train", "ppo", REACH, *training, *EVALUATION, *keywords)
    assert "'curl': 5" in trained and "Success rate" in trained
    assert (tmp_path / "ppo/ReachArm-v0_1/ReachArm-v0.zip").exists()
    enjoyed = zoo("enjoy", "ppo", REACH, "-f", str(tmp_path), "-n", "41", "--no-render")
    assert "Episode Length 40" in enjoyed and "Success rate" in enjoyed
    assert "smoothed over [0.05, 0.3] s" in run(
        "-c", LOADED.format(folder=str(tmp_path)), folder=ROOT
    )


def test_rl_zoo3_trains_off_policy_with_the_file_of_this_repository(tmp_path):
    skip_without("rl_zoo3")
    training = ("--conf-file", "benchmarks/rl_zoo3/crossq.yml", "--hyperparams", *OFF_POLICY)
    training += ("-n", "100", "-f", str(tmp_path))
    trained = zoo("train", "crossq", "CircleArm-v0", *training, *EVALUATION)
    assert "critic_loss" in trained and "Success rate" in trained
    assert (tmp_path / "crossq/CircleArm-v0_1/CircleArm-v0/vecnormalize.pkl").exists()


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
