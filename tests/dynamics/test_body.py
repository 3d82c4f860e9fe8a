"""A body of one joint and two muscles goes through environment, trainer and evaluation."""

import json
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import onnx
from gymnasium.utils.env_checker import check_env

from arm_env import (
    Body,
    CostWeights,
    Parameters,
    Reach,
    Recording,
    Still,
    evaluate,
    record,
    register_task,
)
from arm_env.checked import within
from arm_env.dynamics.equations import excitation
from arm_env.tasks.registry import ENVIRONMENTS, TASKS
from rnn_controller import Policy, TrainConfig, Trainer, load_checkpoint, to_json, to_onnx
from rnn_controller.training.trials import sample


@dataclass(frozen=True)
class Lever(Parameters):
    length: tuple[float] = within((0.3,), 0.01, 10)  # [m]
    tone: float = within(0.002, 0, 1)
    max_excitation: float = within(1.0, 0, 100, above=True)
    lower_stop: tuple[float] = within((-1.0,))  # [rad]
    upper_stop: tuple[float] = within((1.0,))


def step(xp, p, x, u, h):
    torque = 4 * (x[..., 2:3] - x[..., 3:4] - x[..., 0:1])  # [N m] of muscles and a spring
    w = (x[..., 1:2] + h * 20 * torque) / (1 + h * 10)  # [rad/s] an inertia, with friction
    return xp.concatenate([x[..., 0:1] + h * w, w, u + (x[..., 2:4] - u) * xp.exp(-20 * h)], -1)


def sense(xp, p, x):
    turn, speed = 0.3 * x[..., 0:1], 0.3 * x[..., 1:2]
    return xp.concatenate([1 - turn, 1 + turn, -speed, speed, x[..., 2:4]], -1)


def hand(xp, p, x):
    c, s = p.length[0] * xp.cos(x[..., 0]), p.length[0] * xp.sin(x[..., 0])
    return c, s, -s * x[..., 1], c * x[..., 1]


def bounds(p):
    high = np.repeat([2.0, 20.0, p.max_excitation], 2)
    return high * np.repeat([0, -1, 0], 2), high


SCALE = (1.0, 0.0, 0.3), (0.2, 0.5, 0.3)
LEVER = Body(Lever(), ("hinge",), ("SF", "SE"), step, sense, excitation, hand, bounds, *SCALE)


class Hold(Reach):
    name, env_id, entry_points = "hold", "HoldLever-v0", None
    body, weights = LEVER, CostWeights(gamma=0.05)

    def sample_commands(self, rng, number, arm):
        angle = rng.uniform(-0.8, 0.8, (number, 1))
        return np.concatenate([np.cos(angle), np.sin(angle)], -1) * arm.length

    def attractor_state(self, rng, arm, commands):
        return np.arctan2(commands[:, 1:], commands[:, :1]) * [1, 0, 0, 0]


def test_a_body_of_one_joint_and_two_muscles(tmp_path, monkeypatch):
    for table, key in ((TASKS, "hold"), (ENVIRONMENTS, Hold.env_id), (gym.registry, Hold.env_id)):
        monkeypatch.setitem(table, key, Hold())  # gone after the test
    register_task(Hold())
    env = gym.make(Hold.env_id, render_mode="rgb_array").unwrapped
    check_env(env)
    assert env.action_space.shape == (2,) and env.reset(seed=1)[1]["state"].shape == (4,)
    assert env.observation_names[4:] == ("tension_SF", "tension_SE", "target_x", "target_y")
    assert gym.make_vec(Hold.env_id, 3, arm={"length": [0.4]}).reset()[0].shape == (3, 8)
    config = {"iterations": 30, "batch_size": 20, "network": {"neurons": 4}, "cost": Hold.weights}
    trainer = Trainer(TrainConfig(task=Hold(), **config), tmp_path)
    trials = sample(np.random.default_rng(0), 50, 4, task=Hold(), arm=Lever())
    before = trainer.evaluate(trainer.vector, trials, Hold.weights).value
    stored = load_checkpoint(trainer.run(progress=False) and trainer.path)
    assert trainer.evaluate(trainer.vector, trials, Hold.weights).value < 0.8 * before
    assert stored.goal == Hold() and stored.arm == Lever()
    envs = gym.make_vec(Hold.env_id, 3)
    recording = record(Policy(stored.network, stored.arm), envs, 4, seed=0, senses=True)
    again = Recording.load(recording.save(tmp_path / "lever.nc"))
    assert again.senses.tobytes() == recording.senses.tobytes() and again.senses.shape == (5, 3, 6)
    assert "joint_angle_hinge_rad" in recording.to_dataframe()
    told = json.loads(to_json(stored, tmp_path / "lever.json").read_text())
    assert len(told["observation"]) == 8 and told["task"] == "hold"
    model = onnx.load(to_onnx(stored, tmp_path / "lever.onnx"))
    assert [array.name for array in model.graph.output] == ["action", "next_state"]
    trained = evaluate(Policy(stored.network, stored.arm), Hold.env_id, movements=50)
    assert trained.mean_value < evaluate(Still(2), Hold.env_id, movements=50).mean_value
