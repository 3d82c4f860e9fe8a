"""The native vector environment is the same arm as the single one, in batches.

It has three ways to begin anew.
"""

import copy
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import (
    ClipAction,
    DictInfoToList,
    RecordEpisodeStatistics,
    TransformAction,
)

from arm_env import CommandList, RoundedPolygon
from arm_env.envs.vector_env import CircleArmVectorEnv, ReachArmVectorEnv

REACH = "ReachArm-v0"
CIRCLE = "CircleArm-v0"
TARGETS = [[0.0, 0.4], [0.15, 0.35], [-0.2, 0.3]]
CIRCLES = [[0.0, 0.4, 0.08, 0.5], [0.05, 0.35, 0.05, -0.3]]
OTHER_TARGETS = [[-0.1, 0.45], [0.1, 0.3]]
STEPS = 7  # of a short episode
EVERY = pytest.mark.parametrize("env_id", [REACH, CIRCLE])
MODES = pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.value)


def make(number, env_id=REACH, **arguments):
    return gym.make_vec(env_id, num_envs=number, **arguments)


def random_actions(envs, steps, seed, hold=1):
    """Uniform over the action space, (steps, B, 6), each held for ``hold`` periods."""
    space = envs.action_space
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(space.low, space.high, (-(-steps // hold), *space.shape))
    return np.repeat(drawn, hold, 0)[:steps].astype(np.float32)


def mask(*which, number=3):
    return np.isin(np.arange(number), which)


def arrays_of(value):
    """All arrays in what reset or step returned, however deep."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        return [array for item in value for array in arrays_of(item)]
    return [value] if isinstance(value, np.ndarray) else []


# --- making ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "kind", "steps"),
    [(REACH, ReachArmVectorEnv, 200), (CIRCLE, CircleArmVectorEnv, 600)],
)
def test_make_vec_makes_the_native_class_without_a_warning(env_id, kind, steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs = make(3, env_id)
    assert isinstance(envs, kind) and envs.num_envs == 3
    assert envs.max_episode_steps == steps and envs.spec.id == env_id


@EVERY
def test_spaces_are_those_of_the_single_environment_in_a_batch(env_id):
    envs, env = make(3, env_id), gym.make(env_id)
    assert envs.single_observation_space == env.observation_space
    assert envs.single_action_space == env.action_space
    assert envs.observation_space.shape == (
        3,
        *env.observation_space.shape,
    ) and envs.action_space.shape == (3, 6)
    assert envs.observation_names == env.unwrapped.observation_names


@MODES
def test_metadata_tells_the_mode_of_this_one(mode):
    """By member or by name; the class keeps its own."""
    for given in (mode, mode.value):
        assert make(2, autoreset_mode=given).metadata["autoreset_mode"] is mode
    assert ReachArmVectorEnv.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert make(2).metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"num_envs": 0}, "num_envs"),
        ({"max_episode_steps": 0}, "max_episode_steps"),
        ({"autoreset_mode": "Sometimes"}, "Sometimes"),
        ({"render_mode": "human"}, r"render_mode 'human'.*rgb_array"),
        ({"noise": -1}, "noise must be"),
        ({"control_period": 0}, "control_period must be"),
        ({"schedule": "circle"}, "is no schedule"),
    ],
    ids=str,
)
def test_bad_argument_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        gym.make_vec(REACH, **{"num_envs": 2, **arguments})


# --- the same arm ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "arguments"),
    [
        *(
            (env_id, arguments)
            for env_id in (REACH, CIRCLE)
            for arguments in ({}, {"noise": 0}, {"control_period": 0.005})
        ),
        (REACH, {"schedule": TARGETS}),
        (CIRCLE, {"schedule": CommandList(np.array(CIRCLES), hold=0.5)}),
        (CIRCLE, {"orbit": RoundedPolygon()}),
    ],
    ids=str,
)
def test_one_arm_is_the_single_environment(env_id, arguments):
    """Over a jump and to the end."""
    envs, env = make(1, env_id, **arguments), gym.make(env_id, **arguments)
    observations, infos = envs.reset(seed=1)
    observation, info = env.reset(seed=1)
    np.testing.assert_array_equal(observations[0], observation)
    for action in random_actions(envs, envs.max_episode_steps, 2):
        observations, rewards, terminations, truncations, infos = envs.step(action)
        observation, reward, terminated, truncated, info = env.step(action[0])
        np.testing.assert_array_equal(observations[0], observation)
        assert rewards[0] == pytest.approx(reward, rel=1e-12)
        assert (terminations[0], truncations[0]) == (terminated, truncated)
        for key, value in info.items():
            np.testing.assert_allclose(infos[key][0], value, rtol=0, atol=1e-12)
    assert truncated


def assert_they_step_alike(envs, singles, steps):
    """The i-th arm of a batch does and tells what the i-th single environment does."""
    for action in random_actions(envs, steps, 4, hold=10):
        observations, rewards, _, _, infos = envs.step(action)
        for i, env in enumerate(singles):
            observation, reward, _, _, info = env.step(action[i])
            np.testing.assert_array_equal(observations[i], observation)
            for name in ("state", "distance"):
                np.testing.assert_allclose(infos[name][i], info[name], rtol=0, atol=1e-12)
            assert rewards[i] == pytest.approx(reward, rel=1e-12)


def test_many_arms_are_as_many_single_environments():
    """Noise off, for the arms of a batch share one random stream."""
    envs = make(4, noise=0)
    singles = [gym.make(REACH, noise=0) for _ in range(4)]
    postures = np.array([[0.2, 1.0], [0.9, 1.4], [1.5, 2.0], [0.6, 2.3]])
    options = {"targets": TARGETS}
    envs.reset(seed=3, options=options)
    envs.unwrapped.simulation.state[:, :2] = postures
    for env, posture in zip(singles, postures, strict=True):
        env.reset(seed=3, options={**options, "posture": posture})
    assert_they_step_alike(envs, singles, 200)


def test_many_circling_arms_are_as_many_single_environments():
    """Each from its own start and under its own command; noise off."""
    envs = make(4, CIRCLE, noise=0)
    singles = [gym.make(CIRCLE, noise=0) for _ in range(4)]
    _, infos = envs.reset(seed=3)
    for i, env in enumerate(singles):
        env.reset(seed=3, options={"targets": infos["command"][i]})
        env.unwrapped.simulation.state[0] = infos["state"][i]
    assert_they_step_alike(envs, singles, 100)


def test_arms_differ_in_start_target_and_noise():
    envs = make(50)
    observations, infos = envs.reset(seed=5)
    assert len(np.unique(infos["target"][:, 0])) == len(np.unique(infos["state"][:, 1])) == 50
    envs.reset(options={"posture": [0.8, 1.6], "targets": TARGETS[1:2]})
    observations = envs.step(np.full((50, 6), 0.1))[0]
    assert (observations.std(axis=0) > 0).all()


# --- returned values ------------------------------------------------------------------------------


@EVERY
def test_types_and_shapes(env_id):
    envs = make(3, env_id)
    observations, infos = envs.reset(seed=6)
    assert envs.observation_space.contains(observations)
    observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.high)
    assert envs.observation_space.contains(observations)
    assert (rewards.dtype, rewards.shape) == (np.float64, (3,))
    for flags in (terminations, truncations):
        assert (flags.dtype, flags.shape) == (np.bool_, (3,))
    for key in ("distance", "cost_distance", "cost_velocity", "cost_effort"):
        assert infos[key].shape == (3,) and infos[f"_{key}"].all()
    assert infos["hand"].shape == infos["target"].shape == (3, 2) and infos["state"].shape == (
        3,
        10,
    )
    assert (
        infos["command"].shape == (3, envs.unwrapped.task.command_size) and infos["_command"].all()
    )


def test_reward_is_the_negative_cost_of_the_period():
    envs = make(3, control_period=0.02)
    envs.reset(seed=7)
    for action in random_actions(envs, 60, 8):
        _, rewards, _, _, infos = envs.step(action)
        cost = infos["cost_distance"] + infos["cost_velocity"] + infos["cost_effort"]
        np.testing.assert_allclose(rewards, -cost * 0.02, rtol=1e-12)


def test_same_seed_same_trajectory_and_other_seed_another():
    def trajectory(envs, seed):
        results = [envs.reset(seed=seed)[0]]
        return np.array(results + [envs.step(action)[0] for action in random_actions(envs, 20, 9)])

    envs = make(3, max_episode_steps=STEPS)  # beyond its ends, too
    first = trajectory(envs, 10)
    np.testing.assert_array_equal(trajectory(envs, 10), first)
    np.testing.assert_array_equal(trajectory(make(3, max_episode_steps=STEPS), 10), first)
    assert (trajectory(envs, 11) != first).mean() > 0.5


def results_over_ends(envs, seed):
    """What reset and steps return, over two ends of short episodes and a reset of one arm."""
    results = [envs.reset(seed=seed)]
    for action in random_actions(envs, 2 * STEPS + 4, 12):
        results.append(envs.step(action))
    results.append(envs.reset(options={"reset_mask": mask(1)}))
    return results


@MODES
def test_returned_arrays_are_never_shared(mode):
    results = results_over_ends(make(3, autoreset_mode=mode, max_episode_steps=STEPS), 13)
    arrays = [arrays_of(result) for result in results]
    for i, earlier in enumerate(arrays):
        for later in arrays[i + 1 :]:
            assert not any(np.shares_memory(a, b) for a in earlier for b in later)


@MODES
def test_no_two_arrays_of_one_result_share_an_element(mode):
    for result in results_over_ends(make(3, autoreset_mode=mode, max_episode_steps=STEPS), 14):
        arrays = arrays_of(result)
        assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


@MODES
def test_scribbling_on_what_came_back_changes_nothing(mode):
    envs, others = (make(3, autoreset_mode=mode, max_episode_steps=STEPS) for _ in range(2))
    envs.reset(seed=15)
    others.reset(seed=15)
    for action in random_actions(envs, 2 * STEPS + 4, 16):
        handed = action.copy()
        result = envs.step(handed)
        expected = others.step(action)
        np.testing.assert_array_equal(handed, action)
        for a, b in zip(arrays_of(result), arrays_of(expected), strict=True):
            np.testing.assert_array_equal(a, b)
            a[...] = True if a.dtype == bool else 0.123
        handed[...] = np.nan


# --- bad actions and masks ------------------------------------------------------------------------


def bad_action(row, value):
    action = np.full((3, 6), 0.2)
    action[row, 2] = value
    return action


BAD_ACTIONS = {
    "NaN": (bad_action(1, np.nan), "finite"),
    "infinite": (bad_action(2, np.inf), "finite"),
    "one row short": (np.zeros((2, 6)), r"\(3, 6\), not \(2, 6\)"),
    "one muscle short": (np.zeros((3, 5)), r"\(3, 6\), not \(3, 5\)"),
    "of one arm": (np.zeros(6), r"\(3, 6\), not \(6,\)"),
    "strings": ([6 * ["high"]] * 3, "float"),
}
BAD_RESETS = {
    "mask too short": {"reset_mask": np.ones(2, dtype=bool)},
    "mask of nothing": {"reset_mask": np.zeros(3, dtype=bool)},
    "mask of numbers": {"reset_mask": np.ones(3, dtype=int)},
    "indices": {"reset_mask": np.array([0, 2])},
    "mask with a bad target": {"reset_mask": mask(1), "targets": [[0.9, 0.1]]},
    "unknown key": {"mask": mask(1)},
}


def assert_as_if_nothing_had_happened(call, match):
    envs = make(3)
    others = make(3)
    actions = random_actions(envs, 250, 17)  # over a jump and an end
    for e in (envs, others):
        e.reset(seed=18)
        e.step(actions[0])
    with pytest.raises(ValueError, match=match):
        call(envs)
    for action in actions:
        result = envs.step(action)
        expected = others.step(action)
        for a, b in zip(arrays_of(result), arrays_of(expected), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("action", "match"), BAD_ACTIONS.values(), ids=BAD_ACTIONS.keys())
def test_bad_action_is_refused_and_leaves_no_trace(action, match):
    assert_as_if_nothing_had_happened(lambda envs: envs.step(action), match)


def test_refusal_names_the_row():
    envs = make(30)
    envs.reset(seed=19)
    action = np.full((30, 6), 0.2)
    action[17, 2] = np.nan
    with pytest.raises(ValueError, match="17"):
        envs.step(action)


@pytest.mark.parametrize("options", BAD_RESETS.values(), ids=BAD_RESETS.keys())
@pytest.mark.parametrize("seed", [None, 99], ids=["no seed", "a seed"])
def test_bad_reset_is_refused_and_leaves_no_trace(options, seed):
    match = "reset_mask is a boolean|can't reach|unknown reset options"
    assert_as_if_nothing_had_happened(lambda envs: envs.reset(seed=seed, options=options), match)


def test_step_before_reset_is_refused():
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        make(3).step(np.zeros((3, 6)))


def test_the_first_reset_is_of_all():
    with pytest.raises(gym.error.ResetNeeded, match="first reset"):
        make(3).reset(options={"reset_mask": mask(1)})


# --- NEXT_STEP and SAME_STEP, against Gymnasium's own ---------------------------------------------


def native_and_synchronous(mode):
    """Three arms of ours and of Gymnasium's, arm 1 two steps behind.

    So jumps and ends come at different times.
    """
    schedule = CommandList(np.array(TARGETS), hold=0.03)
    arguments = {"noise": 0, "schedule": schedule, "max_episode_steps": STEPS}
    ours = make(3, autoreset_mode=mode, **arguments)
    theirs = SyncVectorEnv([lambda: gym.make(REACH, **arguments)] * 3, autoreset_mode=mode)
    for envs in (ours, theirs):
        envs.reset(seed=20)
        for action in random_actions(ours, 2, 21):
            envs.step(action)
        envs.reset(options={"reset_mask": mask(1)})
    return ours, theirs


def assert_same_infos(ours, theirs):
    """Same keys and masks, and the same values where the masks say that there are some."""
    assert ours.keys() == theirs.keys()
    for key in (k for k in theirs if not k.startswith("_")):
        where = theirs[f"_{key}"]
        np.testing.assert_array_equal(ours[f"_{key}"], where)
        if isinstance(theirs[key], dict):
            assert_same_infos(ours[key], theirs[key])
        else:
            for a, b in zip(ours[key][where], theirs[key][where], strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.value
)
def test_autoreset_is_gymnasiums(mode):
    ours, theirs = native_and_synchronous(mode)
    ends = np.zeros(3, dtype=int)
    for action in random_actions(ours, 4 * STEPS, 22):
        result = ours.step(action)
        expected = theirs.step(action)
        np.testing.assert_array_equal(result[0], expected[0])
        np.testing.assert_allclose(result[1], expected[1], rtol=1e-12)
        np.testing.assert_array_equal(result[2], expected[2])
        np.testing.assert_array_equal(result[3], expected[3])
        assert_same_infos(result[4], expected[4])
        ends += result[3]
    assert (ends >= 3).all()


def test_next_step_ignores_the_action_after_an_end():
    """Reward 0, nothing truncated, and what comes back is a start."""
    envs = make(3, max_episode_steps=STEPS, schedule=TARGETS)
    envs.reset(seed=23)
    for action in random_actions(envs, STEPS, 24):
        truncations = envs.step(action)[3]
    assert truncations.all()
    _, rewards, terminations, truncations, infos = envs.step(envs.action_space.high)
    assert (rewards == 0).all() and not (terminations | truncations).any()
    assert (infos["state"][:, 2:] == 0).all() and (infos["distance"] < 1e-9).all()
    assert (infos["cost_effort"] == 0).all()
    rewards, _, truncations = envs.step(envs.action_space.high)[1:4]
    assert (rewards < 0).all() and not truncations.any()


@pytest.mark.parametrize("options", [None, {"reset_mask": mask(0, 2)}], ids=["all", "masked"])
def test_after_a_reset_by_hand_no_action_is_ignored(options):
    envs = make(3, max_episode_steps=STEPS, noise=0, schedule=TARGETS)
    envs.reset(seed=24)
    for action in random_actions(envs, STEPS, 24):
        truncations = envs.step(action)[3]
    assert truncations.all()
    envs.reset(options=options)
    activations = envs.step(envs.action_space.high)[4]["state"][:, 4:]
    assert (activations[[0, 2]] > 0).all() and (activations[1] > 0).all() == (options is None)


def ended_and_running():
    """Noise-free arms in NEXT_STEP mode; arms 0 and 2 have just ended, arm 1 goes on."""
    envs = make(3, max_episode_steps=STEPS, noise=0, schedule=TARGETS)
    envs.reset(seed=25)
    actions = random_actions(envs, STEPS, 26)
    for t, action in enumerate(actions):
        if t == 2:
            envs.reset(options={"reset_mask": mask(1)})
        truncations = envs.step(action)[3]
    np.testing.assert_array_equal(truncations, mask(0, 2))
    return envs


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e9])
def test_whatever_stands_in_an_ignored_row_is_ignored(value):
    results = []
    for ignored in (0.2, value):
        envs = ended_and_running()
        action = np.full((3, 6), 0.2)
        action[[0, 2]] = ignored
        results.append(envs.step(action))
    for a, b in zip(*map(arrays_of, results), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nan_in_a_running_row_is_refused_even_beside_ignored_ones():
    envs = ended_and_running()
    action = np.full((3, 6), np.nan)
    with pytest.raises(ValueError, match="finite"):
        envs.step(action)
    action[1] = 0.2
    envs.step(action)
    with pytest.raises(ValueError, match="finite"):
        envs.step(action)  # now all are running


def test_same_step_returns_the_start_and_keeps_the_end_in_info():
    envs = make(3, max_episode_steps=STEPS, noise=0, schedule=TARGETS, autoreset_mode="SameStep")
    twin = make(3, max_episode_steps=STEPS, noise=0, schedule=TARGETS, autoreset_mode="Disabled")
    for e in (envs, twin):
        e.reset(seed=27)
        e.step(random_actions(e, 1, 28)[0])
        e.reset(options={"reset_mask": mask(1)})
    for action in random_actions(envs, STEPS - 1, 29):
        observations, rewards, _, truncations, infos = envs.step(action)
        expected = twin.step(action)
    np.testing.assert_array_equal(truncations, mask(0, 2))
    np.testing.assert_array_equal(rewards, expected[1])  # of the last step, not of the start
    np.testing.assert_array_equal(infos["_final_obs"], mask(0, 2))
    np.testing.assert_array_equal(infos["_final_info"], mask(0, 2))
    assert infos["final_obs"][1] is None
    for i in (0, 2):
        np.testing.assert_array_equal(infos["final_obs"][i], expected[0][i])
        np.testing.assert_array_equal(infos["final_info"]["state"][i], expected[4]["state"][i])
        assert (observations[i, 6:18] == 0).all() and (infos["state"][i, 2:] == 0).all()
    np.testing.assert_array_equal(observations[1], expected[0][1])
    np.testing.assert_array_equal(infos["state"][1], expected[4]["state"][1])


def test_no_final_keys_while_nothing_ends():
    envs = make(3, autoreset_mode="SameStep")
    envs.reset(seed=30)
    assert not any("final" in key for key in envs.step(envs.action_space.high)[4])


@pytest.mark.parametrize(
    "mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.value
)
def test_reset_options_hold_for_the_episodes_that_follow_by_themselves(mode):
    envs = make(3, max_episode_steps=STEPS, autoreset_mode=mode)
    envs.reset(seed=31, options={"targets": OTHER_TARGETS, "posture": [0.5, 1.5]})
    for action in random_actions(envs, STEPS + 1, 32):
        infos = envs.step(action)[4]
    np.testing.assert_array_equal(infos["target"], [OTHER_TARGETS[0]] * 3)
    if mode is AutoresetMode.NEXT_STEP:
        np.testing.assert_array_equal(infos["state"][:, :2], [[0.5, 1.5]] * 3)
    targets = envs.reset()[1]["target"]
    assert len(np.unique(targets)) == 6


def test_what_the_caller_does_to_the_options_later_does_not_matter():
    envs = make(3, max_episode_steps=STEPS)
    options = {"targets": TARGETS[:1]}
    envs.reset(seed=33, options=options)
    options["targets"] = OTHER_TARGETS
    for action in random_actions(envs, STEPS + 1, 34):
        infos = envs.step(action)[4]
    np.testing.assert_array_equal(infos["target"], TARGETS[:1] * 3)


# --- DISABLED, and reset_mask ---------------------------------------------------------------------


def test_disabled_resets_nothing_by_itself():
    envs = make(3, max_episode_steps=STEPS, autoreset_mode="Disabled")
    envs.reset(seed=35)
    actions = random_actions(envs, STEPS + 3, 36)
    ends = np.array([envs.step(action)[3] for action in actions])
    assert not ends[: STEPS - 1].any() and ends[STEPS - 1 :].all()
    assert (envs.simulation.elapsed == STEPS + 3).all()


@MODES
def test_reset_mask_resets_only_those(mode):
    envs = make(3, autoreset_mode=mode)
    envs.reset(seed=37)
    for action in random_actions(envs, 30, 38):
        before = envs.step(action)[4]
    observations, infos = envs.reset(options={"reset_mask": mask(0, 2)})
    assert envs.observation_space.contains(observations)
    np.testing.assert_array_equal(infos["state"][1], before["state"][1])
    np.testing.assert_array_equal(infos["target"][1], before["target"][1])
    assert (infos["state"][[0, 2], 2:] == 0).all() and (infos["distance"][[0, 2]] < 1e-9).all()
    assert (infos["target"][[0, 2]] != before["target"][[0, 2]]).all()


@MODES
def test_a_reset_arm_has_its_whole_time_and_the_others_keep_theirs(mode):
    envs = make(3, max_episode_steps=STEPS, autoreset_mode=mode)
    envs.reset(seed=39)
    actions = random_actions(envs, STEPS + 3, 40)
    for action in actions[:3]:
        envs.step(action)
    envs.reset(options={"reset_mask": mask(1)})
    ends = np.array([envs.step(action)[3] for action in actions[3:]])
    np.testing.assert_array_equal(ends.argmax(0) + 4, [STEPS, STEPS + 3, STEPS])


def test_jumps_come_a_hold_time_after_the_arms_own_reset():
    """Arm 1 is reset after the others' first jump."""
    envs = make(3, noise=0, max_episode_steps=1000)
    last = envs.reset(seed=41)[0][:, 18:]
    changes = []
    for t, action in enumerate(random_actions(envs, 260, 42), start=1):
        command = envs.step(action)[0][:, 18:]
        changes += [(t, int(i)) for i in np.flatnonzero((command != last).any(-1))]
        last = command if t != 140 else envs.reset(options={"reset_mask": mask(1)})[0][:, 18:]
    assert changes == [(100, 0), (100, 1), (100, 2), (200, 0), (200, 2), (240, 1)]


def test_masked_targets_and_posture_are_for_the_masked():
    envs = make(3, noise=0, autoreset_mode="Disabled")
    before = envs.reset(seed=43)[1]
    options = {"reset_mask": mask(1), "targets": OTHER_TARGETS, "posture": [0.5, 1.5]}
    after = envs.reset(options=options)[1]
    np.testing.assert_array_equal(after["target"][1], OTHER_TARGETS[0])
    np.testing.assert_array_equal(after["state"][1, :2], [0.5, 1.5])
    for key in ("state", "target"):
        np.testing.assert_array_equal(after[key][[0, 2]], before[key][[0, 2]])


@pytest.mark.parametrize("options", [{"targets": OTHER_TARGETS}, {}], ids=["targets", "none"])
def test_masked_reset_leaves_the_later_commands_of_the_others_alone(options):
    envs = make(3, noise=0, autoreset_mode="Disabled")
    envs.reset(seed=44, options={"targets": TARGETS})
    envs.reset(options={"reset_mask": mask(1), **options})
    for action in random_actions(envs, 110, 45):
        infos = envs.step(action)[4]
    np.testing.assert_array_equal(infos["target"][[0, 2]], [TARGETS[1]] * 2)


def test_the_mask_stays_in_the_options():
    """Gymnasium's wrappers read it after us."""
    envs = make(3)
    options = {"reset_mask": mask(1)}
    envs.reset(seed=46)
    envs.reset(options=options)
    np.testing.assert_array_equal(options["reset_mask"], mask(1))


# --- wrappers and pictures ------------------------------------------------------------------------


@MODES
def test_episode_statistics_are_recorded(mode):
    envs = RecordEpisodeStatistics(make(3, max_episode_steps=STEPS, autoreset_mode=mode))
    envs.reset(seed=47)
    for _ in range(2):
        total = np.zeros(3)
        for action in random_actions(envs, STEPS, 48):
            _, rewards, _, _, infos = envs.step(action)
            total += rewards
        np.testing.assert_allclose(infos["episode"]["r"], total)
        np.testing.assert_array_equal(infos["episode"]["l"], [STEPS] * 3)
        if mode is AutoresetMode.NEXT_STEP:
            envs.step(envs.action_space.high)
        if mode is AutoresetMode.DISABLED:
            envs.reset(options={"reset_mask": mask(0, 1, 2)})


def test_episode_statistics_follow_a_reset_mask():
    envs = RecordEpisodeStatistics(make(3, max_episode_steps=STEPS, autoreset_mode="Disabled"))
    envs.reset(seed=49)
    actions = random_actions(envs, STEPS + 2, 50)
    for action in actions[:2]:
        envs.step(action)
    envs.reset(options={"reset_mask": mask(1)})
    for action in actions[2:STEPS]:
        infos = envs.step(action)[4]
    np.testing.assert_array_equal(infos["_episode"], mask(0, 2))
    np.testing.assert_array_equal(infos["episode"]["l"], [STEPS, 0, STEPS])


def test_actions_can_be_transformed_and_clipped():
    """Some of them at the maximum excitation, where the clipped ones are beyond it."""
    plain = make(3)
    clipped = ClipAction(make(3))
    high = plain.action_space.high
    rescaled = TransformAction(
        make(3), lambda a: (a + 1) / 2 * high, None, gym.spaces.Box(-1, 1, (6,))
    )
    for envs in (plain, clipped, rescaled):
        envs.reset(seed=51)
    for drawn in random_actions(plain, 20, 52):
        action = np.minimum(1.3 * drawn, high)
        expected = plain.step(action)
        np.testing.assert_array_equal(
            clipped.step(np.where(action == high, 3 * high, action))[0], expected[0]
        )
        np.testing.assert_allclose(rescaled.step(2 * action / high - 1)[0], expected[0], atol=1e-4)


@MODES
def test_infos_can_be_had_as_a_list(mode):
    envs, twin = (make(3, max_episode_steps=STEPS, autoreset_mode=mode) for _ in range(2))
    envs = DictInfoToList(envs)
    listed = envs.reset(seed=53)[1]
    infos = twin.reset(seed=53)[1]
    for action in [*random_actions(twin, STEPS, 54), None]:
        assert len(listed) == 3
        for i, info in enumerate(listed):
            np.testing.assert_array_equal(info["state"], infos["state"][i])
            assert info["distance"] == infos["distance"][i]
        if action is not None:
            listed = envs.step(action)[4]
            infos = twin.step(action)[4]
    if mode is AutoresetMode.SAME_STEP:
        np.testing.assert_array_equal(listed[2]["final_obs"], infos["final_obs"][2])
        np.testing.assert_array_equal(
            listed[2]["final_info"]["state"], infos["final_info"]["state"][2]
        )


def test_render_returns_a_frame_of_its_own_for_each_arm():
    envs = make(3, render_mode="rgb_array")
    envs.reset(seed=55)
    frames = envs.render()
    kept = copy.deepcopy(frames)
    assert len(frames) == 3 and all(
        f.shape == (540, 720, 3) and f.dtype == np.uint8 for f in frames
    )
    assert (frames[0] != frames[1]).any() and (frames[1] != frames[2]).any()
    for _ in range(10):
        envs.step(envs.action_space.high * np.array([1, 0, 1, 0, 0, 0]))
    for before, after, copied in zip(frames, envs.render(), kept, strict=True):
        assert (after != before).any(-1).sum() > 500
        np.testing.assert_array_equal(before, copied)
    envs.close()


def test_frames_are_those_of_the_single_environment_at_its_start():
    envs, env = make(1, render_mode="rgb_array"), gym.make(REACH, render_mode="rgb_array")
    envs.reset(seed=56)
    env.reset(seed=56)
    np.testing.assert_array_equal(envs.render()[0], env.render())
