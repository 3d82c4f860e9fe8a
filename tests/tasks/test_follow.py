"""The following task: how targets move, and what the measures say of known tracking."""

import copy
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest

import arm_env
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.follow import FASTEST, SHARES, Follow, best_lag, gains
from arm_env.tasks.measures import Recording
from arm_env.tasks.registry import TASKS
from arm_env.tasks.schedules import CommandList
from rnn_controller.training.config import TrainConfig

ARM = Arm()
PERIOD = 0.01
ZERO = np.zeros(6)


def paths(task=Follow(), number=50, seconds=8.0, seed=0):  # noqa: B008
    """Commands (T, number, 4) along random courses."""
    courses = task.sample_courses(np.random.default_rng(seed), number, ARM)
    time = np.arange(round(seconds / PERIOD)) * PERIOD
    return task.command_at(courses[:, None], time).swapaxes(0, 1)


def commands_of(env, steps, seed=3, **options):
    """Commands (steps + 1, 4) that an environment gives."""
    env.reset(seed=seed, options=options or None)
    found = [env.unwrapped.simulation.command[0]]
    for _ in range(steps):
        env.step(ZERO)
        found.append(env.unwrapped.simulation.command[0])
    return np.array(found)


@pytest.mark.parametrize("band", [0.2, 0.5, 2.0])
def test_a_velocity_is_the_derivative_of_the_position(band):
    path = paths(Follow(band=band))
    slope = (path[2:, :, :2] - path[:-2, :, :2]) / (2 * PERIOD)
    assert np.abs(slope - path[1:-1, :, 2:]).max() < 0.01 * band**2


@pytest.mark.parametrize("band", [0.1, 0.5, 2.0])
def test_a_path_stays_in_the_workspace_and_moves_at_no_other_frequency(band):
    task = Follow(band=band)
    seconds = 4 / band
    path = paths(task, seconds=seconds)
    assert task.in_workspace(ARM, path[..., :2]).mean() > 0.999
    assert np.linalg.norm(path[..., 2:], axis=-1).max() <= 1.05 * FASTEST
    power = np.abs(np.fft.rfft(path[..., :2], axis=0)) ** 2  # one period: bin k is k band / 4
    assert power[1:5].sum() > (1 - 1e-9) * power[1:].sum()
    assert (power[1:5].sum((1, 2)) > 1e-3 * power[1:].sum()).all()


def test_paths_have_the_extent_that_they_should():
    path = paths(Follow(extent=(0.05, 0.06)))[..., :2]
    extent = np.sqrt(((path - path.mean(0)) ** 2).sum(-1).mean(0))
    assert extent.min() > 0.0499 and extent.max() < 0.0601


def test_an_extent_without_room_is_refused():
    with pytest.raises(ValueError, match="hardly any path lies in the workspace"):
        Follow(extent=(0.5, 0.6)).sample_courses(np.random.default_rng(0), 5, ARM)


def test_the_environment_moves_the_target_every_period_along_a_path():
    commands = commands_of(gym.make("FollowArm-v0"), 100)
    slope = (commands[2:, :2] - commands[:-2, :2]) / (2 * PERIOD)
    np.testing.assert_allclose(slope, commands[1:-1, 2:], atol=2e-3)
    assert (np.diff(commands, axis=0) != 0).any(1).all()


def test_a_path_ends_with_its_hold_and_another_begins():
    env = gym.make("FollowArm-v0", schedule={"kind": "random-jumps", "hold": 0.5})
    commands = commands_of(env, 120)
    steps = np.linalg.norm(np.diff(commands[:, :2], axis=0), axis=1)
    assert (np.flatnonzero(steps > 0.02) == [49, 99]).all()


def test_one_arm_and_many_follow_the_same_paths_by_the_same_seed():
    single = commands_of(gym.make("FollowArm-v0", noise=0.0), 30, seed=5)
    envs = gym.make_vec("FollowArm-v0", num_envs=1, noise=0.0)
    envs.reset(seed=5)
    many = [envs.unwrapped.simulation.command[0]]
    for _ in range(30):
        envs.step(np.zeros((1, 6)))
        many.append(envs.unwrapped.simulation.command[0])
    np.testing.assert_array_equal(single, many)


def test_arms_that_begin_anew_get_paths_of_their_own():
    envs = gym.make_vec("FollowArm-v0", num_envs=3, max_episode_steps=20)
    envs.reset(seed=1)
    commands = []
    for _ in range(45):
        envs.step(np.zeros((3, 6)))
        commands.append(envs.unwrapped.simulation.command.copy())
    jumps = np.linalg.norm(np.diff(commands, axis=0)[..., :2], axis=-1) > 0.02  # (T, 3)
    assert (jumps.sum(0) == 2).all() and jumps[19].all() and jumps[40].all()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_along_the_same_path(duplicate):
    env = gym.make("FollowArm-v0")
    commands_of(env, 10)
    again = duplicate(env)
    for _ in range(10):
        assert (env.step(ZERO)[0] == again.step(ZERO)[0]).all()


def test_a_schedule_of_ones_own_is_kept_as_it_is():
    target = [0.0, 0.4, 0.0, 0.0]
    env = gym.make("FollowArm-v0", schedule=CommandList([target, [0.1, 0.4, 0.1, 0.0]], 0.1))
    commands = commands_of(env, 15)
    assert commands[9].tolist() == target and commands[10].tolist() == [0.1, 0.4, 0.1, 0.0]
    moving = commands_of(gym.make("FollowArm-v0"), 5, targets=[target])
    assert (moving == target).all()


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ([0.0, 0.9, 0.0, 0.0], "can't reach"),
        ([0.0, 0.4, 3.0, 0.0], "speed is up to 2.0 m/s"),
        ([0.0, 0.4], "a command has 4 components"),
    ],
)
def test_commands_that_nobody_can_follow_are_refused(target, what):
    with pytest.raises(ValueError, match=what):
        gym.make("FollowArm-v0", schedule=[target])


def test_the_band_is_an_argument_and_stands_in_the_specification():
    env = gym.make("FollowArm-v0", band=0.25)
    assert env.unwrapped.task == Follow(band=0.25)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.task.band == 0.25
    assert (
        env.unwrapped.task.arguments == {"band": 0.25, "extent": (0.04, 0.12)}
        and TASKS["follow"].arguments == {}
    )
    with pytest.raises(ValueError, match=r"band must be a number from 0.1 to 5"):
        gym.make("FollowArm-v0", band=-1)
    with pytest.raises(TypeError, match=r"it is an argument of FollowArm-v0"):
        gym.make("ReachArm-v0", band=1.0)


def test_the_hand_starts_on_the_target_and_moves_with_it():
    env = gym.make("FollowArm-v0")
    _, info = env.reset(seed=2)
    state, arm = info["state"], ARM
    h = 1e-6
    ahead = arm_env.hand_position(arm, state[:2] + h * state[2:4])
    np.testing.assert_allclose(info["hand"], info["command"][:2], atol=1e-12)
    np.testing.assert_allclose((ahead - info["hand"]) / h, info["command"][2:], atol=1e-5)


def recorded(command, hand):
    """A recording of hands (T, B, 2) under commands (T, B, 4), as if sampled every 10 ms."""
    hand = np.concatenate([hand[:1], hand])
    velocity = np.gradient(hand, PERIOD, axis=0)
    periods, arms = command.shape[:2]
    nothing = np.zeros((periods, arms))
    states, actions = np.zeros((periods + 1, arms, 10)), np.zeros((periods, arms, 6))
    return Recording(states, command, actions, nothing, hand, velocity)


@pytest.mark.parametrize("delay", [0, 7, 25])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_lag_gain_and_error_of_known_tracking(delay, scale):
    task = Follow()
    long = paths(seconds=9.0, number=30)
    command = long[100:]
    centre = long[:800, :, :2].mean(0)
    hand = centre + scale * (long[100 - delay : 900 - delay, :, :2] - centre)
    found = task.measures(recorded(command, hand), 0, PERIOD, seed=1, noise=0.0)
    assert found.median_lag_s == pytest.approx(delay * PERIOD, abs=0.011)
    for name in ("quarter_band", "half_band", "three_quarters_band", "band_limit"):
        assert getattr(found, f"gain_at_{name}") == pytest.approx(scale, rel=1e-6)
    error = np.linalg.norm(hand - command[..., :2], axis=-1).mean(0)
    assert found.median_tracking_error_m == pytest.approx(np.median(error))
    assert found.fraction_on_target == (error < 0.04).mean()


def test_noise_of_the_hand_is_no_gain():
    long = paths(number=200)
    rng = np.random.default_rng(0)
    hand = long[:, :1, :2] + 0.02 * rng.standard_normal((800, 200, 2))
    assert max(gains(hand, long[..., :2], PERIOD * 0.5 * SHARES)) < 0.2


def test_a_slow_path_lasts_longer_and_a_short_recording_has_no_gain():
    assert (Follow().hold, Follow(band=2.0).hold, Follow(band=0.25).hold) == (8.0, 8.0, 16.0)
    path = paths(Follow(band=0.25), seconds=8.0)
    assert np.isnan(gains(path[..., :2], path[..., :2], PERIOD * 0.25 * SHARES)).all()


def test_without_any_movement_of_the_target_there_is_no_gain_and_json_says_null():
    still = np.tile([0.0, 0.4, 0.0, 0.0], (300, 2, 1))
    found = Follow().measures(recorded(still, still[..., :2]), 0, PERIOD, seed=0, noise=0.0)
    assert json.loads(json.dumps(found.as_dict()))["gain_at_band_limit"] is None
    assert found.fraction_on_target == 1 and found.as_dict()["median_lag_s"] is None


def test_a_target_that_moves_otherwise_has_no_gain():
    time = np.arange(800)[:, None] * PERIOD
    target = np.stack([0.1 * np.sin(time), 0.4 + 0 * time], -1)  # at 0.16 Hz
    assert np.isnan(gains(target, target, PERIOD * 0.5 * SHARES)).all()


def test_a_workspace_that_the_environment_does_not_know_is_not_trained():
    with pytest.raises(ValueError, match="one that its environment can be made for"):
        TrainConfig(task=Follow(shoulder=(0.5, 1.0)))
    assert TrainConfig(task=Follow(band=1.0)).orbit == Follow(band=1.0)


def test_the_lag_of_many_is_that_of_each():
    signal = np.random.default_rng(1).standard_normal((400, 3, 2))
    hand = np.stack([np.roll(signal[:, i], k, axis=0) for i, k in enumerate((0, 3, 40))], 1)
    assert best_lag(hand, signal, 50).tolist() == [0, 3, 40]


def test_evaluation_measures_one_path_and_not_its_first_second():
    assert Follow().measured(8.0) == (1.0, 8.0) and Follow().measured(0.0) == (1.0, 8.0)
    with pytest.raises(ValueError, match=r"must hold it for 2.0 s or longer, not 1.5 s"):
        arm_env.evaluate(
            arm_env.Still(),
            "FollowArm-v0",
            movements=2,
            schedule={"kind": "random-jumps", "hold": 1.5},
        )
    found = arm_env.evaluate(arm_env.Still(), "FollowArm-v0", movements=20, seed=1)
    assert found.number_of_movements == 20 and found.median_tracking_error_m > 0.1
