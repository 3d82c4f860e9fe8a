"""At the ends of every allowed range, all that an environment returns is finite.

It also lies in its space.
"""

import itertools

import gymnasium as gym
import numpy as np
import pytest

import arm_env  # noqa: F401  (registers the environments)

ENDS = {"mass": (0.5, 4.0), "strength": (0.05, 2.0), "curl": (-200.0, 200.0), "load": (0.0, 10.0)}
CORNERS = [dict(zip(ENDS, corner, strict=True)) for corner in itertools.product(*ENDS.values())]
SPEED = 200.0  # [rad/s] nothing that looks like an arm is faster; divergence is, within a few steps


def check(envs, steps, rng, hold):
    observation, info = envs.reset(seed=1)
    for step in range(steps):
        if step % hold == 0:
            action = (rng.random(envs.action_space.shape) < 0.5).astype(np.float32)  # bang-bang
        observation, reward, _, _, info = envs.step(action)
        assert envs.observation_space.contains(observation)
        assert np.isfinite(reward).all() and np.isfinite(info["state"]).all()
        assert np.abs(info["state"][:, 2:4]).max() < SPEED


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
@pytest.mark.parametrize("control_period", [0.005, 0.01, 0.1])
def test_every_corner_of_what_a_perturbation_may_be(env_id, control_period):
    rng = np.random.default_rng(0)
    for corner, hold in zip(CORNERS, itertools.cycle((0.05, 0.3, 0.8)), strict=False):
        envs = gym.make_vec(
            env_id, 8, perturbation=corner, control_period=control_period, max_episode_steps=-1
        )
        check(envs, round(4 / control_period), rng, max(1, round(hold / control_period)))


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
@pytest.mark.parametrize("arguments", [
    {"noise": 10.0}, {"noise": 10.0, "control_period": 1e-4},
    {"control_period": 0.1, "perturbation": {"delay": 1.0}},
    {"weights": {"alpha": 1e6, "gamma": 1e6, "reference_speed": 1e-3}},
    {"weights": {"target_radius": 1e-4}},
    {"schedule": {"hold": 0}}, {"schedule": {"hold": 1e-9}}, {"schedule": {"hold": 1e9}},
    {"arm": {"max_excitation": 4.0}},
    {"arm": {"friction": (0.0, 0.0, 0.0)}},
], ids=str)  # fmt: skip
def test_every_end_of_the_other_arguments(env_id, arguments):
    check(gym.make_vec(env_id, 8, **arguments), 300, np.random.default_rng(1), 5)


@pytest.mark.parametrize("control_period", [0.007, 1 / 30, 0.0123456, 0.0999])
def test_control_periods_that_are_not_round(control_period):
    """Holds last the nearest whole number of periods, and delays must be one."""
    envs = gym.make_vec(
        "ReachArm-v0",
        4,
        control_period=control_period,
        schedule=[[0.0, 0.4], [0.1, 0.4]],
        perturbation={"delay": 3 * control_period},
    )
    envs.reset(seed=1)
    commands = np.array(
        [envs.step(envs.action_space.sample())[4]["target"][0, 0] for _ in range(150)]
    )
    assert np.flatnonzero(np.diff(commands)).tolist()[:1] in ([round(1 / control_period) - 1], [])
    assert (commands[: round(1 / control_period)] == 0).all()
    with pytest.raises(ValueError, match="multiple of the control period"):
        gym.make(
            "ReachArm-v0",
            control_period=control_period,
            perturbation={"delay": 2.5 * control_period},
        )
