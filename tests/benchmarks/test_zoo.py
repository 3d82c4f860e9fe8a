"""Settings as others read them are those of ``settings.toml``: rl_zoo3's files, documentation."""

import inspect
import re
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import pytest
import stable_baselines3
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from arm_env.sb3 import Smoothed
from benchmarks.baselines import ALGORITHMS, settings
from benchmarks.runs import NOISE

zoo = pytest.importorskip("benchmarks.zoo", reason="rl_zoo3's files need PyYAML")
REACH = "ReachArm-v0"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "reinforcement-learning.md"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_file_of_rl_zoo3_holds_the_settings(algorithm):
    stored = (zoo.FOLDER / f"{zoo.NAMES[algorithm]}.yml").read_text("utf-8")
    assert stored == zoo.written(algorithm), "write it again: python -m benchmarks.zoo"


def test_every_file_of_rl_zoo3_is_one_of_an_algorithm():
    names = {f"{zoo.NAMES[algorithm]}.yml" for algorithm in ALGORITHMS}
    assert {path.name for path in zoo.FOLDER.iterdir()} == names


def check_curriculum(callback, envs, s, noise=NOISE):
    """Assert that environments have the table's noise and target at the start of each leg.

    No algorithm is trained: the callback is told the steps.
    """
    policy = torch.nn.ModuleDict({"action_net": torch.nn.Linear(3, 6)})
    callback.model = SimpleNamespace(get_env=lambda: envs, num_timesteps=0, policy=policy)
    callback.on_training_start({"total_timesteps": s.steps}, {})
    for leg in range(s.legs):
        callback.num_timesteps = s.steps * leg // s.legs
        callback._on_rollout_start()
        progress = leg / s.legs
        for weights in envs.get_attr("weights"):
            assert asdict(weights) == pytest.approx(asdict(s.weights(REACH, progress)))
        for found in envs.get_attr("noise"):
            assert found == pytest.approx(noise * s.loudness(progress))


def test_the_curriculum_reaches_every_environment_below_its_wrappers():
    s = settings("ppo", REACH)
    ((name, arguments),) = zoo.hyperparameters("ppo", REACH)["callback"][0].items()
    assert name == "benchmarks.zoo.Curriculum"
    noise = 0.1
    arms = DummyVecEnv(
        [lambda: gym.wrappers.RescaleAction(gym.make(REACH, noise=noise), -1, 1)] * 2
    )
    envs = VecNormalize(Smoothed(arms, 0.05))
    callback = zoo.Curriculum(**arguments)
    check_curriculum(callback, envs, s, noise)
    bias = callback.model.policy.action_net.bias
    assert torch.equal(bias.detach(), torch.full((6,), s.initial_action))
    assert [env.unwrapped.noise for env in arms.envs] == [noise] * 2


def rounded(value):
    """A number that a search has drawn, as the page writes it: with two digits."""
    return float(f"{value:.2g}") if isinstance(value, float) else value


class BegunError(Exception):
    """The block has come to its training."""


def test_the_documentation_s_ppo_has_the_settings_of_the_table(tmp_path, monkeypatch):
    """So has the example, which another test holds to the page."""
    found = {}

    class Recorded:
        def __init__(self, policy, envs, **arguments):
            found.update(policy=policy, envs=envs, arguments=arguments, model=self)
            self.policy = torch.nn.ModuleDict({"action_net": torch.nn.Linear(3, 6)})

        def learn(self, steps, callback, **_):
            found.update(steps=steps, callback=callback)
            raise BegunError

    monkeypatch.setattr(stable_baselines3, "PPO", Recorded)
    monkeypatch.chdir(tmp_path)
    block = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)[0]
    with pytest.raises(BegunError):
        exec(compile(block, PAGE.name, "exec"), {"__name__": "page"})
    s, envs, arguments = settings("ppo", REACH), found["envs"], found["arguments"]
    assert (found["policy"], found["steps"], envs.num_envs) == (s.policy, s.steps, s.num_envs)
    assert envs.observation_space.time_constant == s.smoothing
    assert envs.gamma == s.model["gamma"]
    for name, value in s.environment.items():
        assert envs.get_attr(name)[0] == value
    bias = found["model"].policy.action_net.bias
    assert torch.equal(bias.detach(), torch.full((6,), s.initial_action))
    rate = rounded(s.model["learning_rate"])
    assert s.decay and arguments["learning_rate"](0.25) == pytest.approx(rate / 4)
    shown = {key: value for key, value in arguments.items() if key not in ("seed", "device")}
    same_as_default = {"gae_lambda": inspect.signature(PPO).parameters["gae_lambda"].default}
    table = {key: rounded(value) for key, value in s.model.items()}
    assert same_as_default | shown | {"learning_rate": rate} == table
    check_curriculum(found["callback"], envs, s)
