"""The contract of every registered environment, and what the reaching one promises beyond it."""

import copy
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordEpisodeStatistics, RecordVideo, RescaleAction
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import arm_env
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics import equations
from arm_env.dynamics.parameters import MUSCLES, Arm, CostWeights
from arm_env.tasks.registry import TASKS

REACH = "ReachArm-v0"
CIRCLE = "CircleArm-v0"
IDS = sorted(
    spec.id for spec in gym.registry.values() if str(spec.entry_point).startswith("arm_env.")
)
EVERY = pytest.mark.parametrize("env_id", IDS)
TARGETS = [[0.0, 0.4], [0.15, 0.35], [-0.2, 0.3]]
CIRCLES = [[0.0, 0.4, 0.08, 0.5], [0.05, 0.35, 0.05, -0.3]]
STEPS = {task.env_id: task.max_episode_steps for task in TASKS.values()}  # of an episode
INFO_KEYS = {
    "hand",
    "target",
    "command",
    "distance",
    "cost_distance",
    "cost_velocity",
    "cost_effort",
    "is_success",
    "state",
}


def random_actions(env, steps, seed, hold=1):
    """Uniform over the action space, (steps, 6), each held for ``hold`` periods."""
    space = env.action_space
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(space.low, space.high, (-(-steps // hold), *space.shape))
    return np.repeat(drawn, hold, 0)[:steps].astype(np.float32)


def run(env, actions):
    """Observations (T, n), rewards (T,) and infos of these actions."""
    results = [env.step(action) for action in actions]
    return (
        np.array([r[0] for r in results]),
        np.array([r[1] for r in results]),
        [r[4] for r in results],
    )


def unwrapped(env_id=REACH, **arguments):
    """Without a time limit."""
    return gym.make(env_id, **arguments).unwrapped


def forward_kinematics(arm, angles):
    """Written here once more: the hand of links at angles (..., 2)."""
    first = angles[..., 0]
    both = angles[..., 0] + angles[..., 1]
    l1, l2 = arm.length
    return np.stack(
        [l1 * np.cos(first) + l2 * np.cos(both), l1 * np.sin(first) + l2 * np.sin(both)], -1
    )


def hand_velocity(arm, state):
    """Central difference of the kinematics along the joint velocities."""
    angles = state[..., :2]
    velocities = state[..., 2:4]
    h = 1e-6
    ahead = forward_kinematics(arm, angles + h * velocities)
    behind = forward_kinematics(arm, angles - h * velocities)
    return (ahead - behind) / (2 * h)


def sensed(arm, state):
    return equations.sense(NUMPY, arm.arrays(), np.asarray(state))


def arrays_of(observation, info):
    return [observation, *(value for value in info.values() if isinstance(value, np.ndarray))]


# --- making ---------------------------------------------------------------------------------------


def test_both_arms_are_registered():
    assert {REACH, CIRCLE} <= set(IDS)


@EVERY
def test_made_after_the_import(env_id):
    gym.register_envs(arm_env)  # what keeps linters from removing the import
    assert gym.make(env_id).unwrapped.spec.id == env_id


def test_made_by_module_and_name_without_an_import():
    code = f"import gymnasium; print(gymnasium.make('arm_env:{REACH}').spec.id)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == [REACH]


@EVERY
def test_spec_survives_json(env_id):
    spec = gym.make(env_id, noise=0.125, control_period=0.02).spec
    again = EnvSpec.from_json(spec.to_json())
    assert again == spec
    env = gym.make(again).unwrapped
    assert (env.noise, env.control_period) == (0.125, 0.02)


def raise_warnings(env):
    """Every warning is an error, but for the two that can't be avoided."""
    warnings.simplefilter("error")
    # pygame 2.6 imports it when the checker renders
    warnings.filterwarnings("ignore", ".*pkg_resources")
    # advice to normalise: RescaleAction is how to follow it
    if env.unwrapped.simulation.arm.max_excitation != 1:
        warnings.filterwarnings("ignore", ".*For Box action spaces, we recommend")


@EVERY
def test_gymnasiums_checker_finds_nothing(env_id, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # it renders to the human, too
    env = gym.make(env_id).unwrapped
    with warnings.catch_warnings():
        raise_warnings(env)
        check_env(env)


@EVERY
def test_stable_baselines_checker_finds_nothing(env_id):
    env = RescaleAction(gym.make(env_id), -1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check_env(env)


# --- randomness -----------------------------------------------------------------------------------


def trajectory(env, seed, steps=40):
    observation, info = env.reset(seed=seed)
    observations, rewards, infos = run(env, random_actions(env, steps, 1))
    states = [i["state"] for i in (info, *infos)]
    return np.concatenate([np.ravel(a) for a in (observation, observations, rewards, states)])


@EVERY
def test_same_seed_same_trajectory(env_id):
    env = gym.make(env_id)
    first = trajectory(env, 5)
    np.testing.assert_array_equal(trajectory(env, 5), first)
    np.testing.assert_array_equal(trajectory(gym.make(env_id), 5), first)


@EVERY
def test_other_seed_other_trajectory(env_id):
    env = gym.make(env_id)
    assert (trajectory(env, 5) != trajectory(env, 6)).mean() > 0.5


@EVERY
def test_the_next_episode_is_another_one(env_id):
    env = gym.make(env_id)
    first, second = env.reset(seed=5)[1], env.reset()[1]
    assert (first["state"][:2] != second["state"][:2]).all()


def test_starts_are_spread_evenly_over_the_workspace():
    env = gym.make(REACH)
    env.reset(seed=7)
    states = np.array([env.reset()[1]["state"] for _ in range(2000)])
    task = env.unwrapped.task
    # Uniform in space is uniform in the shoulder angle and in the cosine of the elbow's.
    for values, edges in (
        (states[:, 0], task.shoulder),
        (np.cos(states[:, 1]), np.cos(task.elbow)[::-1]),
    ):
        counts = np.histogram(values, np.linspace(*edges, 5))[0]
        # three and a half standard errors
        assert counts.sum() == 2000 and np.abs(counts - 500).max() < 70


def test_an_episode_starts_at_rest_on_the_first_target():
    env = unwrapped()
    env.reset(seed=8)
    for _ in range(20):
        info = env.reset()[1]
        assert (info["state"][2:] == 0).all() and info["distance"] < 1e-9


def test_an_episode_starts_on_the_first_circle_with_the_velocity_commanded_there():
    env = unwrapped(CIRCLE)
    env.reset(seed=8)
    phases = []
    for _ in range(40):
        info = env.reset()[1]
        (*centre, radius, speed), away = info["command"], info["hand"] - info["command"][:2]
        np.testing.assert_array_equal(info["target"], centre)
        assert np.linalg.norm(away) == pytest.approx(radius, abs=1e-9) and info["distance"] < 1e-9
        clockwise = np.array([away[1], -away[0]]) / radius
        velocity = hand_velocity(env.simulation.arm, info["state"])
        np.testing.assert_allclose(velocity, speed * clockwise, rtol=0, atol=1e-8)
        assert (info["state"][4:] == 0).all() and info["cost_velocity"] < 1e-9
        phases.append(np.arctan2(*away))
    assert np.histogram(phases, 4, (-np.pi, np.pi))[0].min() > 2


# --- observations ---------------------------------------------------------------------------------


def extreme_actions(env, kind):
    low, high = env.action_space.low, env.action_space.high
    switching = np.where(np.arange(200)[:, None] // 10 % 2, low, high)
    return {
        "random": random_actions(env, 200, 2),
        "nothing": np.tile(low, (200, 1)),
        "everything": np.tile(high, (200, 1)),
        "flexors": np.tile(np.where(np.arange(len(low)) % 2, low, high), (200, 1)),
        "switching": switching,
        "beyond the space": 1e6 * (switching - high / 2),
    }[kind]


@EVERY
@pytest.mark.parametrize(
    "kind", ["random", "nothing", "everything", "flexors", "switching", "beyond the space"]
)
@pytest.mark.parametrize("noise", [0.2, 5.0])
def test_observations_lie_in_the_space(env_id, kind, noise):
    env = unwrapped(env_id, noise=noise)
    env.reset(seed=9)
    for observation in run(env, extreme_actions(env, kind))[0]:
        assert observation.dtype == np.float32 and env.observation_space.contains(observation)


@EVERY
def test_spaces_are_finite_float32_boxes(env_id):
    env = gym.make(env_id)
    for space in (env.observation_space, env.action_space):
        assert space.dtype == np.float32 and space.is_bounded()
    assert (env.action_space.low == 0).all() and (
        env.action_space.high == env.unwrapped.simulation.arm.max_excitation
    ).all()


@EVERY
def test_no_component_of_the_observation_is_constant(env_id):
    """Noise off: it must not hide one."""
    env = gym.make(env_id, noise=0)
    seen = []
    for seed in range(4):
        env.reset(seed=seed)
        seen.append(run(env, random_actions(env, 100, seed, hold=20))[0])
    assert np.ptp(np.concatenate(seen), axis=0).min() > 0.01


@EVERY
def test_observation_names_are_one_for_each_component(env_id):
    env = unwrapped(env_id)
    assert (
        len(set(env.observation_names))
        == len(env.observation_names)
        == env.observation_space.shape[0]
    )


def test_without_noise_the_observation_is_what_its_names_say():
    env = unwrapped(noise=0, schedule=TARGETS)
    env.reset(seed=10)
    arm = env.simulation.arm
    numbers = env.simulation.arm.arrays()
    for action in random_actions(env, 120, 3, hold=15):
        observation, _, _, _, info = env.step(action)
        named = dict(zip(env.observation_names, observation, strict=True))
        state = info["state"]
        length = equations.muscle_length(numbers, state[:2])
        velocity = equations.muscle_velocity(numbers, state[:2], state[2:4])
        tension = state[4:] * equations.force_curves(NUMPY, length, velocity)[0]
        for i, muscle in enumerate(MUSCLES):
            expected = [length[i], velocity[i], tension[i]]
            actual = [named[f"{signal}_{muscle}"] for signal in ("length", "velocity", "tension")]
            np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(observation[:18], sensed(arm, state).astype(np.float32))
    assert named["target_x"] == np.float32(TARGETS[1][0]) and named["target_y"] == np.float32(
        TARGETS[1][1]
    )


# --- noise ----------------------------------------------------------------------------------------


def observed_noise(period, level=0.2, steps=4000):
    """ω of every component that isn't 0, out of a long movement, as a masked array (T, 20)."""
    env = unwrapped(control_period=period, noise=level, schedule=[TARGETS[1]])
    env.reset(seed=11, options={"posture": [0.8, 1.6]})
    observations, _, infos = run(env, random_actions(env, steps, 4, hold=25))
    clean = sensed(env.simulation.arm, [i["state"] for i in infos])
    clean = np.concatenate([clean, np.tile(TARGETS[1], (steps, 1))], -1)
    still = np.abs(clean) < 1e-9
    return np.ma.array(observations, mask=still) / np.ma.array(clean, mask=still) - 1


@pytest.mark.parametrize("period", [0.005, 0.01])
def test_observation_noise_means_the_same_at_any_control_period(period):
    omega = observed_noise(period)
    expected = 0.2 * np.sqrt(0.005 / period)
    assert omega.count(axis=0).min() > 2000  # the estimate is good to 2 % then
    np.testing.assert_allclose(omega.std(axis=0), expected, rtol=0.06)
    assert np.abs(omega.mean(axis=0)).max() < 4 * expected / np.sqrt(2000)


def test_observation_noise_is_white_and_independent():
    omega = observed_noise(0.01).filled(0)
    correlations = np.corrcoef(np.concatenate([omega[1:], omega[:-1]], -1), rowvar=False)
    assert np.abs(correlations - np.eye(40)).max() < 0.08  # five standard errors


@pytest.mark.parametrize("period", [0.005, 0.01])
def test_excitations_are_noisy_too(period):
    env = unwrapped(control_period=period)
    arm = env.simulation.arm
    u = np.full(6, env.simulation.arm.max_excitation / 4)
    omega = []
    env.reset(seed=12)
    for _ in range(400):
        env.reset()
        reached = env.step(u)[4]["state"][4:]  # activations start at 0
        omega.append(reached / (u * (1 - np.exp(-period / arm.activation_time))) - 1)
    assert abs(np.std(omega) / (0.2 * np.sqrt(0.005 / period)) - 1) < 0.06
    assert abs(np.mean(omega)) < 0.02


def test_no_noise_at_level_zero():
    env = unwrapped(noise=0)
    results = []
    for seed in (1, 2):
        env.reset(seed=seed, options={"posture": [0.8, 1.6], "targets": TARGETS[:1]})
        results.append(run(env, random_actions(env, 50, 5))[:2])
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


# --- reward, end, info ----------------------------------------------------------------------------


@EVERY
def test_reward_is_a_float_and_the_negative_cost_of_the_period(env_id):
    env = unwrapped(env_id)
    env.reset(seed=13)
    for action in random_actions(env, 120, 6):
        _, reward, _, _, info = env.step(action)
        cost = info["cost_distance"] + info["cost_velocity"] + info["cost_effort"]
        assert type(reward) is float
        assert reward == pytest.approx(-cost * env.simulation.control_period, rel=1e-12)


def test_reward_is_equation_6():
    weights = CostWeights(
        alpha=1.7, gamma=0.02, target_radius=0.05, brake_radius=0.05, reference_speed=0.4
    )
    env = unwrapped(weights=weights, control_period=0.02)
    env.reset(seed=14)
    # some beyond the space
    actions = 1.5 * random_actions(env, 120, 7) - 0.25 * env.action_space.high
    _, rewards, infos = run(env, actions)
    state = np.array([i["state"] for i in infos])
    target = np.array([i["target"] for i in infos])
    u = np.clip(actions.astype(float), 0, env.simulation.arm.max_excitation)
    d = np.linalg.norm(forward_kinematics(env.simulation.arm, state[:, :2]) - target, axis=-1)
    v = np.linalg.norm(hand_velocity(env.simulation.arm, state), axis=-1)
    e = np.exp(-(d**2) / (2 * 0.05**2))
    # every term matters somewhere
    assert (e > 0.9).any() and (e < 0.1).any() and (v * e).max() > 0.1
    cost = 1 - e + 1.7 / 2 * v**2 / 0.4**2 * e + 0.02 / 2 * (u**2).sum(-1)
    np.testing.assert_allclose(rewards, -cost * 0.02, rtol=1e-8)


def test_reward_of_a_circle_is_equation_7():
    weights = CostWeights(
        alpha=1.7, gamma=0.02, target_radius=0.05, brake_radius=0.05, reference_speed=0.4
    )
    env = unwrapped(
        CIRCLE,
        weights=weights,
        control_period=0.02,
        schedule=arm_env.CommandList(np.array(CIRCLES), 1.0),
    )
    env.reset(seed=14)
    actions = 0.3 * random_actions(env, 120, 7)
    _, rewards, infos = run(env, actions)
    state = np.array([i["state"] for i in infos])
    command = np.array([i["command"] for i in infos])
    away = forward_kinematics(env.simulation.arm, state[:, :2]) - command[:, :2]
    radius = command[:, 2]
    speed = command[:, 3]
    d = np.abs(np.linalg.norm(away, axis=-1) - radius)
    tangent = np.stack([away[:, 1], -away[:, 0]], -1) / np.linalg.norm(away, axis=-1, keepdims=True)
    off = hand_velocity(env.simulation.arm, state) - speed[:, None] * tangent
    e = np.exp(-(d**2) / (2 * 0.05**2))
    scale = 1.7 / 2 / 0.4**2
    assert (e > 0.9).any() and (e < 0.1).any()
    cost = (
        (1 - e) * (1 + scale * speed**2)
        + scale * e * (off**2).sum(-1)
        + 0.02 / 2 * (actions.astype(float) ** 2).sum(-1)
    )
    np.testing.assert_allclose(rewards, -cost * 0.02, rtol=1e-8)


def test_a_circle_without_radius_and_speed_is_reaching():
    """The same start, signals and rewards, but for the two commands that are 0."""
    reach = unwrapped(noise=0, schedule=TARGETS)
    points = arm_env.CommandList(np.column_stack([TARGETS, np.zeros((3, 2))]), hold=1.0)
    circle = unwrapped(CIRCLE, noise=0, schedule=points, weights=CostWeights())
    start = {"posture": [0.8, 1.6]}
    np.testing.assert_array_equal(
        circle.reset(seed=1, options=start)[0][:20], reach.reset(seed=1, options=start)[0]
    )
    actions = random_actions(reach, 150, 7)
    ours = run(circle, actions)
    theirs = run(reach, actions)
    np.testing.assert_array_equal(ours[0], np.pad(theirs[0], ((0, 0), (0, 2))))
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-13)


@EVERY
def test_by_default_both_radii_of_the_cost_are_d0(env_id):
    """Else the reward were not eq. 6 or 7."""
    weights = unwrapped(env_id).weights
    assert weights.brake_radius == weights.target_radius


@EVERY
def test_truncates_after_so_many_steps_and_never_terminates(env_id):
    env = gym.make(env_id)
    steps = STEPS[env_id]
    for seed in (1, 2):
        env.reset(seed=seed)
        ends = [env.step(action)[2:4] for action in random_actions(env, steps, seed)]
        assert all(terminated is False for terminated, _ in ends)
        assert [truncated for _, truncated in ends] == (steps - 1) * [False] + [True]


@pytest.mark.parametrize("env_id", [task.env_id for task in TASKS.values() if not task.moving])
def test_an_episode_has_one_jump_half_way(env_id):
    env = gym.make(env_id)
    env.reset(seed=14)
    commands = np.array(
        [i["command"] for i in run(env, np.zeros((STEPS[env_id], 6), dtype=np.float32))[2]]
    )
    changed = (np.diff(commands, axis=0) != 0).any(-1)
    assert np.flatnonzero(changed).tolist() == [STEPS[env_id] // 2 - 1]


@EVERY
def test_info_has_the_documented_keys_and_types(env_id):
    env = gym.make(env_id)
    for info in (env.reset(seed=15)[1], env.step(env.action_space.high)[4]):
        assert info.keys() == INFO_KEYS
        assert info["hand"].shape == info["target"].shape == (2,) and info["state"].shape == (10,)
        assert info["command"].shape == (env.unwrapped.task.command_size,)
        assert type(info["is_success"]) is bool
        assert {
            type(info[key])
            for key in INFO_KEYS - {"hand", "target", "command", "state", "is_success"}
        } == {float}


def test_info_is_the_truth_and_the_command_in_force():
    env = unwrapped(noise=0.2, schedule=TARGETS)
    env.reset(seed=16)
    infos = run(env, random_actions(env, 250, 8, hold=10))[2]
    for step, info in enumerate(infos):
        np.testing.assert_allclose(
            info["hand"], forward_kinematics(env.simulation.arm, info["state"][:2]), atol=1e-12
        )
        assert info["distance"] == pytest.approx(
            np.linalg.norm(info["hand"] - info["target"]), rel=1e-9
        )
        np.testing.assert_array_equal(info["target"], TARGETS[step // 100])
        np.testing.assert_array_equal(info["command"], info["target"])


def test_info_of_a_circle_is_the_truth_and_the_command_in_force():
    env = unwrapped(CIRCLE, schedule=CIRCLES)
    env.reset(seed=16)
    infos = run(env, random_actions(env, 400, 8, hold=10))[2]
    for step, info in enumerate(infos):
        np.testing.assert_array_equal(info["command"], CIRCLES[step // 300])
        np.testing.assert_array_equal(info["target"], CIRCLES[step // 300][:2])
        away = np.linalg.norm(info["hand"] - info["target"])
        assert info["distance"] == pytest.approx(abs(away - info["command"][2]), rel=1e-9)


def test_state_is_angles_velocities_activations():
    """Activation follows the excitation; a speed is the change of its angle."""
    env = unwrapped(noise=0)
    arm = env.simulation.arm
    period = 0.01
    before = env.reset(seed=17)[1]["state"]
    for action in random_actions(env, 50, 9, hold=10):
        after = env.step(action)[4]["state"]
        left = np.exp(-period / arm.activation_time)
        np.testing.assert_allclose(after[4:], action + (before[4:] - action) * left, rtol=1e-9)
        np.testing.assert_allclose(
            after[:2] - before[:2], period * (before[2:4] + after[2:4]) / 2, atol=2e-3
        )
        before = after


# --- nothing is shared ----------------------------------------------------------------------------


@EVERY
def test_no_array_is_returned_twice(env_id):
    env = gym.make(env_id)
    results = [env.reset(seed=18)]
    results += [env.step(action)[::4] for action in random_actions(env, 8, 10)]
    results.append(env.reset())
    for i, result in enumerate(results):
        for other in results[:i]:
            assert result[1] is not other[1]
            assert not any(
                np.shares_memory(a, b) for a in arrays_of(*result) for b in arrays_of(*other)
            )


@EVERY
def test_later_steps_do_not_change_earlier_results(env_id):
    env = gym.make(env_id)
    results = [env.reset(seed=19)]
    kept = copy.deepcopy(results)
    for action in random_actions(env, 120, 11):
        results.append(env.step(action)[::4])
        kept.append(copy.deepcopy(results[-1]))
    for result, copied in zip(results, kept, strict=True):
        for a, b in zip(arrays_of(*result), arrays_of(*copied), strict=True):
            np.testing.assert_array_equal(a, b)


def scribble(observation, info):
    for array in arrays_of(observation, info):
        array[...] = 0.123


@EVERY
def test_scribbling_on_results_and_actions_changes_nothing(env_id):
    env = gym.make(env_id)
    other = gym.make(env_id)
    scribble(*env.reset(seed=20))
    other.reset(seed=20)
    for action in random_actions(env, 120, 12):
        handed = action.copy()
        observation, reward, _, _, info = env.step(handed)
        handed[...] = np.nan
        expected = other.step(action)
        assert reward == expected[1]
        for a, b in zip(
            arrays_of(observation, info), arrays_of(expected[0], expected[4]), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        scribble(observation, info)


def test_a_step_leaves_the_action_as_it_was():
    env = unwrapped()
    env.reset(seed=21)
    action = np.array([-1.0, 99.0, 0.1, 0.2, 0.3, 0.4])
    env.step(action)
    np.testing.assert_array_equal(action, [-1.0, 99.0, 0.1, 0.2, 0.3, 0.4])


def test_scribbling_on_the_hand_does_not_change_the_picture():
    frames = []
    for value in (None, 0.2):
        env = unwrapped(render_mode="rgb_array")
        info = env.reset(seed=22)[1]
        for action in random_actions(env, 20, 13):
            info["hand"][...] = info["hand"] if value is None else value
            info = env.step(action)[4]
        frames.append(env.render())
    np.testing.assert_array_equal(*frames)


# --- reset options --------------------------------------------------------------------------------


def test_posture_sets_where_the_arm_rests():
    env = unwrapped()
    observation, info = env.reset(seed=23, options={"posture": [0.4, 1.9]})
    np.testing.assert_array_equal(info["state"], [0.4, 1.9] + 8 * [0])
    assert info["distance"] > 0.01 and env.observation_space.contains(observation)


def test_targets_and_schedule_are_for_one_episode():
    env = unwrapped(schedule=TARGETS[:1])
    for options in (
        {"targets": TARGETS[1:]},
        {"schedule": TARGETS[1:]},
        {"schedule": lambda t: TARGETS[1]},
    ):
        np.testing.assert_array_equal(env.reset(seed=24, options=options)[1]["target"], TARGETS[1])
        np.testing.assert_array_equal(env.reset()[1]["target"], TARGETS[0])


def test_posture_and_targets_go_together():
    info = unwrapped().reset(seed=25, options={"posture": [0.4, 1.9], "targets": TARGETS})[1]
    np.testing.assert_array_equal(info["state"][:2], [0.4, 1.9])
    np.testing.assert_array_equal(info["target"], TARGETS[0])


def test_options_are_not_changed():
    options = {"posture": [0.4, 1.9], "targets": np.array(TARGETS)}
    kept = copy.deepcopy(options)
    unwrapped().reset(seed=26, options=options)
    assert options.keys() == kept.keys() and options["posture"] == kept["posture"]
    np.testing.assert_array_equal(options["targets"], kept["targets"])


# --- bad input ------------------------------------------------------------------------------------


BAD_ACTIONS = {
    "NaN": (np.array([0, 0, np.nan, 0, 0, 0]), "finite"),
    "infinite": (np.array([0, 0, 0, np.inf, 0, 0]), "finite"),
    "minus infinite": (np.array([0, 0, 0, -np.inf, 0, 0]), "finite"),
    "five": (np.zeros(5), "6 excitations"),
    "seven": (np.zeros(7), "6 excitations"),
    "batched": (np.zeros((1, 6)), "6 excitations"),
    "a number": (0.5, "6 excitations"),
    "None": (None, "6 excitations"),
    "strings": (6 * ["high"], "float"),
}
BAD_OPTIONS = {
    "far target": ({"targets": [[0.9, 0.1]]}, r"can't reach \[0\.9, 0\.1\] m"),
    "near target": ({"targets": [[0.01, 0.0]]}, "can't reach"),
    "target behind the stops": ({"targets": [[0.0, -0.4]]}, "can't reach"),
    "second target unreachable": (
        {"targets": [[0.0, 0.4], [0.9, 0.1]]},
        r"can't reach \[0\.9, 0\.1\] m",
    ),
    "NaN target": ({"targets": [[np.nan, 0.3]]}, "must be finite.*'target_x': nan"),
    "three numbers": (
        {"targets": [0.1, 0.4, 0.0]},
        r"2 components \(target_x, target_y\), not shape \(3,\)",
    ),
    "no targets": ({"targets": np.zeros((0, 2))}, r"shape \(n, 2\)"),
    "unknown schedule": (
        {"schedule": "circle"},
        "'circle' is no schedule.*give None.*function of time",
    ),
    "number as schedule": ({"schedule": 7}, r"shape \(n, 2\)"),
    "function out of reach": ({"schedule": lambda t: [0.9, 0.1]}, r"can't reach \[0\.9, 0\.1\] m"),
    "function of one number": ({"schedule": lambda t: 0.3}, "2 components .*target_x, target_y"),
    "unknown key": (
        {"pose": [0.4, 1.9]},
        r"unknown reset options \['pose'\].*posture, targets and schedule",
    ),
    "targets and schedule": (
        {"targets": TARGETS, "schedule": TARGETS},
        "either targets or a schedule",
    ),
    "mask of a batch": (
        {"reset_mask": np.ones(1, dtype=bool)},
        r"unknown reset options \['reset_mask'\]",
    ),
}
BAD_CIRCLES = {
    "negative radius": (
        {"targets": [[0.0, 0.4, -0.05, 0.5]]},
        r"a radius is 0 m or above, not -0\.05",
    ),
    "too fast": (
        {"targets": [[0.0, 0.4, 0.05, -2.5]]},
        r"a speed is up to 2\.0 m/s either way, not -2\.5",
    ),
    "NaN speed": ({"targets": [[0.0, 0.4, 0.05, np.nan]]}, "must be finite.*'speed': nan"),
    "partly unreachable": (
        {"targets": [*CIRCLES, [0.0, 0.6, 0.05, 0.5]]},
        "the orbit leaves what the arm can reach",
    ),
    "a point": (
        {"targets": TARGETS},
        r"4 components \(centre_x, centre_y, radius, speed\), not shape \(2,\)",
    ),
    "unknown key": ({"orbit": arm_env.Ellipse()}, r"unknown reset options \['orbit'\]"),
}
BAD_POSTURES = {
    "beyond the stops": [0.4, 3.0],
    "before the stops": [-0.3, 1.0],
    "NaN": [np.nan, 1.0],
    "one angle": [0.4],
    "three angles": [0.4, 1.0, 0.1],
}


def cases(table):
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


def assert_as_if_nothing_had_happened(call, error, match, env_id=REACH):
    """A refused call changes neither the episode nor its successor."""
    env = unwrapped(env_id)
    other = unwrapped(env_id)
    actions = random_actions(env, 140, 14)
    for e in (env, other):
        e.reset(seed=27)
        run(e, actions[:30])
    with pytest.raises(error, match=match):
        call(env)
    for _ in range(2):
        observations, rewards, infos = run(env, actions)  # over a jump, so over a draw
        expected = run(other, actions)
        np.testing.assert_array_equal(observations, expected[0])
        np.testing.assert_array_equal(rewards, expected[1])
        np.testing.assert_array_equal(infos[-1]["state"], expected[2][-1]["state"])
        np.testing.assert_array_equal(env.reset()[0], other.reset()[0])


@cases(BAD_ACTIONS)
def test_bad_action_is_refused_and_leaves_no_trace(case):
    action, match = case
    assert_as_if_nothing_had_happened(lambda env: env.step(action), ValueError, match)


@pytest.mark.parametrize("action", [np.zeros((1, 6)), np.zeros(5)], ids=["batched", "five"])
def test_message_for_a_wrong_shape_names_the_right_one_and_the_one_given(action):
    env = unwrapped()
    env.reset(seed=28)
    with pytest.raises(ValueError) as refused:
        env.step(action)
    assert str((6,)) in str(refused.value) and str(action.shape) in str(refused.value)


SEEDS = pytest.mark.parametrize("seed", [None, 99], ids=["no seed", "a seed"])


@cases(BAD_OPTIONS)
@SEEDS
def test_bad_option_is_refused_and_leaves_no_trace(case, seed):
    options, match = case
    assert_as_if_nothing_had_happened(
        lambda env: env.reset(seed=seed, options=options), ValueError, match
    )


@cases(BAD_CIRCLES)
@SEEDS
def test_bad_circle_is_refused_and_leaves_no_trace(case, seed):
    options, match = case
    assert_as_if_nothing_had_happened(
        lambda env: env.reset(seed=seed, options=options), ValueError, match, CIRCLE
    )


@cases(BAD_POSTURES)
@SEEDS
def test_bad_posture_is_refused_and_leaves_no_trace(case, seed):
    options = {"posture": case}
    assert_as_if_nothing_had_happened(
        lambda env: env.reset(seed=seed, options=options), ValueError, "posture"
    )


@cases(BAD_POSTURES)
def test_bad_posture_is_refused_and_the_episode_goes_on(case):
    env = unwrapped()
    env.reset(seed=29)
    state = env.step(env.action_space.high)[4]["state"]
    with pytest.raises(ValueError, match=r"posture.*between.*rad"):
        env.reset(options={"posture": case})
    np.testing.assert_array_equal(env.simulation.state[0], state)


def test_moving_target_that_leaves_the_reach_is_refused_before_the_arm_moves():
    env = unwrapped(noise=0, schedule=lambda t: TARGETS[0] if t < 0.105 else [0.9, 0.1])
    env.reset(seed=30)
    infos = run(env, np.tile(env.action_space.high, (10, 1)))[2]
    for _ in range(2):
        with pytest.raises(ValueError, match="can't reach"):
            env.step(env.action_space.high)
        np.testing.assert_array_equal(env.simulation.state[0], infos[-1]["state"])


@EVERY
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"noise": -0.1}, "noise must be a number from 0 to 10, not -0.1"),
        ({"noise": np.nan}, "noise.*not nan"),
        ({"noise": np.inf}, "noise.*not inf"),
        ({"control_period": 0}, "control_period.*not 0"),
        ({"control_period": -0.01}, "control_period.*not -0.01"),
        ({"control_period": np.nan}, "control_period.*not nan"),
        ({"control_period": 1.0}, r"control_period.*to 0\.1, not 1\.0"),
        ({"schedule": "circle"}, "'circle' is no schedule"),
        ({"schedule": [[0.9, 0.1, 0.0]]}, "components"),
    ],
    ids=str,
)
def test_bad_argument_is_refused(env_id, arguments, match):
    with pytest.raises(ValueError, match=match):
        gym.make(env_id, **arguments)


@pytest.mark.parametrize(
    ("env_id", "command"), [(REACH, [0.9, 0.1]), (CIRCLE, [0.9, 0.1, 0.05, 0.5])]
)
def test_a_schedule_out_of_reach_is_refused(env_id, command):
    with pytest.raises(ValueError, match="can't reach"):
        gym.make(env_id, schedule=[command])


@EVERY
def test_unknown_render_mode_is_refused(env_id):
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match=r"render_mode 'ansi'.*rgb_array"),
    ):
        warnings.simplefilter("ignore")  # gymnasium warns of it too
        gym.make(env_id, render_mode="ansi")


@EVERY
def test_step_before_reset_is_refused(env_id):
    env = gym.make(env_id)
    for e in (env, env.unwrapped):
        with pytest.raises(gym.error.ResetNeeded, match="reset"):
            e.step(env.action_space.low)


def test_step_after_a_refused_first_reset_is_refused():
    env = unwrapped()
    with pytest.raises(ValueError, match="can't reach"):
        env.reset(seed=31, options={"targets": [[0.9, 0.1]]})
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step(env.action_space.low)


# --- arguments ------------------------------------------------------------------------------------


def test_control_periods_simulate_the_same_physical_time():
    hands = []
    values = []
    for period in (0.005, 0.01, 0.02):
        env = unwrapped(noise=0, control_period=period, schedule=TARGETS[1:2])
        start = env.reset(seed=32, options={"posture": [0.5, 1.5]})[1]["hand"]
        # Half a second of shoulder flexion against a little co-contraction.
        action = 0.1 * env.action_space.high * np.array([1, 0.2, 0.2, 0.2, 0, 0])
        _, rewards, infos = run(env, np.tile(action, (round(0.5 / period), 1)))
        hands.append(infos[-1]["hand"])
        values.append(rewards.sum())
    assert np.linalg.norm(hands[0] - start) > 0.05
    np.testing.assert_allclose(hands, [hands[1]] * 3, atol=1e-3)
    np.testing.assert_allclose(values, [values[1]] * 3, rtol=0.03)


@pytest.mark.parametrize("period", [0.005, 0.02])
def test_frames_a_second_follow_the_control_period(period):
    assert unwrapped(control_period=period).metadata["render_fps"] == round(1 / period)
    assert unwrapped().metadata["render_fps"] == 100  # of its own, not of the class


def test_another_arm_has_its_own_action_space_and_physics():
    arm = Arm(max_excitation=0.5, length=(0.33, 0.3))
    env = unwrapped(arm=arm)
    assert (env.action_space.high == 0.5).all()
    info = env.reset(seed=33, options={"posture": [0.5, 1.5]})[1]
    np.testing.assert_allclose(
        info["hand"], forward_kinematics(arm, np.array([0.5, 1.5])), atol=1e-12
    )
    assert (run(env, np.full((50, 6), 9.0))[2][-1]["state"][4:] <= 0.5).all()


def test_another_orbit_is_another_task():
    """Its starts, its distances, its commands."""
    orbit = arm_env.RoundedPolygon(radius=(0.05, 0.05), lap=(1.0, 1.0))
    env = unwrapped(CIRCLE, orbit=orbit, noise=0)
    assert env.task is env.simulation.task is orbit
    info = env.reset(seed=34)[1]
    assert info["distance"] < 1e-9 and info["command"][2] == 0.05
    assert abs(info["command"][3]) == pytest.approx(2 * np.pi * 0.05)
    infos = run(env, random_actions(env, 30, 15))[2]
    for info in infos:
        squared = orbit.error(NUMPY, info["command"], *info["hand"])[0]
        assert info["distance"] == pytest.approx(np.sqrt(squared), abs=1e-12)
    away = np.linalg.norm(infos[-1]["hand"] - infos[-1]["target"]) - 0.05
    assert abs(abs(away) - infos[-1]["distance"]) > 1e-4  # a circle's were another
    assert type(unwrapped(CIRCLE).task) is arm_env.Circle


# --- pictures and wrappers ------------------------------------------------------------------------


@EVERY
def test_frames_change_as_the_arm_moves(env_id):
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=34)
    first = env.render()
    kept = env.render()
    np.testing.assert_array_equal(first, kept)
    run(
        env,
        np.tile(env.action_space.high * np.array([1, 0, 1, 0, 0, 0], dtype=np.float32), (10, 1)),
    )
    assert (env.render() != first).any(-1).sum() > 500
    np.testing.assert_array_equal(first, kept)
    env.close()


@EVERY
def test_rendering_does_not_change_the_trajectory(env_id):
    env = gym.make(env_id, render_mode="rgb_array")
    actions = random_actions(env, 5, 15)
    results = []
    for draw in (False, True):
        env.reset(seed=35)
        results.append(
            [env.step(action)[0] for action in actions if not draw or env.render() is not None]
        )
    np.testing.assert_array_equal(*results)


def test_a_video_is_recorded(tmp_path):
    env = gym.make(REACH, render_mode="rgb_array", max_episode_steps=12)
    env = RecordVideo(env, str(tmp_path / "new"), episode_trigger=lambda episode: episode == 0)
    env.reset(seed=36)
    run(env, random_actions(env, 12, 16))
    env.close()
    (video,) = tmp_path.glob("new/*.mp4")
    from moviepy import VideoFileClip

    with VideoFileClip(str(video)) as clip:
        assert clip.size == [720, 540] and clip.fps == 100
        assert clip.duration == pytest.approx(0.13, abs=0.011)  # the reset's frame and twelve


@EVERY
def test_episode_statistics_are_recorded(env_id):
    env = RecordEpisodeStatistics(gym.make(env_id, max_episode_steps=20))
    env.reset(seed=37)
    _, rewards, infos = run(env, random_actions(env, 20, 17))
    assert "episode" not in infos[-2]
    assert infos[-1]["episode"]["l"] == 20 and infos[-1]["episode"]["r"] == pytest.approx(
        rewards.sum()
    )
