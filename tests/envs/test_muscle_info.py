"""The signals of the muscles in ``info``, which come on request."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

NAMES = ["muscle_length", "muscle_velocity", "muscle_activation", "muscle_tension"]
IDS = pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0", "FollowArm-v0"])


@IDS
def test_without_noise_they_are_what_the_arm_senses(env_id):
    env = gym.make(env_id, noise=0, muscle_info=True)
    observation, info = env.reset(seed=3)
    for _ in range(5):
        sensed = np.concatenate([info[name] for name in NAMES if name != "muscle_activation"])
        np.testing.assert_allclose(sensed, observation[:18], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(info["muscle_activation"], info["state"][4:])
        observation, *_, info = env.step(np.linspace(0, 0.4, 6))
    assert info["muscle_activation"][-1] > 0.05


def test_they_are_free_of_noise_and_delay():
    def infos(**arguments):
        env = gym.make("ReachArm-v0", schedule=[0.0, 0.4], muscle_info=True, **arguments)
        env.reset(seed=3)
        for _ in range(3):  # an action of 0: the tone is all that reaches the muscles
            info = env.step(np.zeros(6))[4]
        return info

    quiet, noisy = infos(noise=0), infos(noise=0.2, perturbation={"delay": 0.05})
    for name in NAMES:
        np.testing.assert_array_equal(noisy[name], quiet[name])


@IDS
def test_gymnasium_s_checks_pass(env_id):
    check_env(gym.make(env_id, muscle_info=True).unwrapped, skip_render_check=True)


def test_they_come_on_request_only_and_change_nothing_else():
    plain, detailed = gym.make("ReachArm-v0"), gym.make("ReachArm-v0", muscle_info=True)
    for env in (plain, detailed):
        env.reset(seed=2)
    one, other = (env.step(np.full(6, 0.1)) for env in (plain, detailed))
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1] and not set(NAMES) & set(one[4])
    assert set(other[4]) == {*one[4], *NAMES}
    plain.unwrapped.muscle_info = True
    assert set(NAMES) <= set(plain.step(np.full(6, 0.1))[4])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_many_arms_have_them_too(mode):
    envs = gym.make_vec(
        "ReachArm-v0", num_envs=3, muscle_info=True, max_episode_steps=2,
        vector_kwargs=None, autoreset_mode=mode,
    )  # fmt: skip
    envs.reset(seed=0)
    for _ in range(2):
        info = envs.step(np.full((3, 6), 0.1))[4]
    assert all(info[name].shape == (3, 6) and info[f"_{name}"].all() for name in NAMES)
    np.testing.assert_array_equal(info["muscle_activation"], info["state"][:, 4:])
    if mode == "SameStep":
        final = info["final_info"]
        np.testing.assert_array_equal(final["muscle_activation"], final["state"][:, 4:])
        assert (final["muscle_activation"] > info["muscle_activation"]).all()


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_only_a_flag_will_do(make):
    with pytest.raises(ValueError, match="muscle_info must be True or False"):
        make("ReachArm-v0", muscle_info="yes")
    with pytest.raises(TypeError, match="did you mean muscle_info"):
        make("ReachArm-v0", muscle_infos=True)
