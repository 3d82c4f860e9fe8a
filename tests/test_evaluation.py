"""Each measure on movements whose answer is known, and the evaluation that collects them."""

import json
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from arm_env import (
    Circle,
    CycleMeasures,
    JointPD,
    Random,
    RandomJumps,
    Recording,
    Still,
    evaluate,
    record,
)
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.measures import (
    TARGET_SIZE,
    closest_minimum_jerk,
    path_deviation,
    settling_time,
    starts_toward,
    trailing_mean,
)
from arm_env.tasks.orbits import cycle_measures
from arm_env.tasks.reach import reach_measures

PERIOD = 0.01
JUMP = 100
START = np.array([-0.1, 0.4])
TARGET = np.array([0.1, 0.3])
KEYS = {
    "fraction_within_target",
    "median_endpoint_error_m",
    "p95_endpoint_error_m",
    "mean_value",
    "median_movement_time_s",
    "median_peak_speed_m_s",
    "median_minimum_jerk_correlation",
    "fraction_toward_target",
    "median_path_deviation",
    "p90_path_deviation",
    "median_peak_speed_of_30_cm_m_s",
    "number_of_movements",
    "seed",
    "noise",
}


def minimum_jerk(steps):
    """Position from 0 to 1 in that many periods, and its derivative by s."""
    s = np.linspace(0, 1, steps + 1)
    return 10 * s**3 - 15 * s**4 + 6 * s**5, 30 * s**2 * (1 - s) ** 2


def movement(duration=0.6, end=TARGET):
    """Rest for 1 s, then a straight minimum-jerk movement to ``end``, then rest.

    Hand (T + 1, 2), speed (T + 1,).
    """
    steps = round(duration / PERIOD)
    share, rate = minimum_jerk(steps)
    rest = JUMP - steps
    progress = np.concatenate([np.zeros(JUMP), share, np.ones(rest)])
    speed = (
        np.concatenate([np.zeros(JUMP), rate, np.zeros(rest)])
        * np.linalg.norm(end - START)
        / duration
    )
    return START + progress[:, None] * (end - START), speed


def recording(*movements, rewards=None):
    """Movements as columns; commands jump from START to TARGET."""
    hand, speed = (np.stack(parts, 1) for parts in zip(*movements, strict=True))
    number = hand.shape[1]
    commands = np.repeat(
        np.concatenate([np.tile(START, (JUMP, 1)), np.tile(TARGET, (JUMP, 1))])[:, None], number, 1
    )
    if rewards is None:
        rewards = np.zeros((2 * JUMP, number))
    return Recording(
        states=np.zeros((2 * JUMP + 1, number, 10)),
        commands=commands,
        actions=np.zeros((2 * JUMP, number, 6)),
        rewards=rewards,
        hand=hand,
        velocity=speed[..., None] * [0.6, -0.8],
    )


def measures(*movements, **arguments):
    return reach_measures(recording(*movements, **arguments), JUMP, PERIOD, seed=3, noise=0.1)


def beside(metres):
    """Where a movement ends that misses the target by this much."""
    return TARGET + metres * np.array([0.6, 0.8])


# --- the shape of a movement ----------------------------------------------------------------------


def bell(steps, before=30, after=40, peak=1.0):
    """A minimum-jerk speed of that many periods between two rests, (T, 1)."""
    return np.concatenate([np.zeros(before), peak * minimum_jerk(steps)[1], np.zeros(after)])[
        :, None
    ]


@pytest.mark.parametrize("steps", [8, 20, 60])
@pytest.mark.parametrize("peak", [0.2, 3.0])
def test_minimum_jerk_correlates_fully_with_itself(steps, peak):
    speed = bell(steps, peak=peak)
    correlation, profile = closest_minimum_jerk(speed)
    assert correlation[0] == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(profile, speed, atol=1e-12)


def test_the_closest_profile_is_found_under_noise():
    """A bell of known onset and duration, with white noise of a twentieth of its peak."""
    clean = bell(40, peak=1.0)
    speed = clean + 0.09 * np.random.default_rng(1).standard_normal(clean.shape)
    correlation, profile = closest_minimum_jerk(speed)
    assert 0.97 < correlation[0] < 1
    assert np.abs(profile - clean).max() < 0.1


def test_a_steady_speed_added_to_the_bell_changes_no_correlation():
    assert closest_minimum_jerk(0.3 + 2 * bell(50))[0][0] == pytest.approx(1, abs=1e-12)


def test_fast_rise_and_slow_fall_correlate_less_and_so_do_their_reverse():
    t = np.arange(100) / 8
    skewed = (t * np.exp(1 - t))[:, None]
    correlations = closest_minimum_jerk(np.concatenate([skewed, skewed[::-1]], 1))[0]
    assert (correlations < 0.96).all() and correlations[0] == pytest.approx(
        correlations[1], abs=0.01
    )


def test_what_follows_the_movement_counts_against_it():
    alone = bell(30, 10, 60)
    again = alone + 0.5 * np.roll(alone, 45, axis=0)
    assert closest_minimum_jerk(again)[0][0] < 0.95


def test_no_other_onset_and_end_correlate_better():
    """Searched here by correlation coefficients, for a triangle."""
    speed = np.concatenate([np.zeros(5), 1 - np.abs(np.linspace(-1, 1, 21)), np.zeros(5)])
    s = [np.clip((np.arange(31) - a) / (b - a), 0, 1) for a in range(23) for b in range(a + 8, 31)]
    best = max(np.corrcoef(speed, s_ * s_ * (1 - s_) ** 2)[0, 1] for s_ in s)
    assert closest_minimum_jerk(speed[:, None])[0][0] == pytest.approx(best, abs=1e-12)


def test_of_a_long_recording_the_closest_profile_is_found_all_but_exactly():
    """Onset and end are looked for on a coarse grid then."""
    speed = bell(203, before=101, after=300)
    correlation, profile = closest_minimum_jerk(speed)
    assert 0.995 < correlation[0] <= 1 + 1e-12
    assert np.abs(profile - speed).max() < 0.1 * speed.max()


@pytest.mark.parametrize("number", [3, 5, 8, 9])
def test_a_short_recording_has_a_closest_profile_too(number):
    speed = minimum_jerk(number - 1)[1][:, None]
    correlation, profile = closest_minimum_jerk(speed)
    assert correlation[0] == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(profile, speed, atol=1e-12)


@pytest.mark.parametrize("speed", [0.0, 0.7])
def test_what_is_no_movement_correlates_with_nothing(speed):
    correlation, profile = closest_minimum_jerk(np.full((50, 1), speed))
    assert abs(correlation[0]) < 1e-6 and np.isfinite(profile).all()


def test_a_straight_line_deviates_by_nothing():
    path = movement()[0][JUMP:, None]
    assert path_deviation(path, path[0], TARGET[None])[0] < 1e-12


@pytest.mark.parametrize("turns", [1, -1])
def test_a_semicircle_deviates_by_half_its_length(turns):
    angle = np.linspace(0, np.pi, 181)
    path = np.stack([-np.cos(angle), turns * np.sin(angle)], -1)[:, None] * 0.2 + [0.1, 0.3]
    assert path_deviation(path, path[0], path[-1])[0] == pytest.approx(0.5)


def test_deviation_is_of_each_arm_and_its_own_line():
    t = np.linspace(0, 1, 101)
    bump = np.stack([t, 0.1 * np.sin(np.pi * t)], -1)
    turned = 0.3 * bump @ np.array([[0.6, 0.8], [-0.8, 0.6]]) + [0.2, 0.1]
    paths = np.stack([bump, turned, bump * [1, 3]], 1)
    np.testing.assert_allclose(
        path_deviation(paths, paths[0], paths[-1]), [0.1, 0.1, 0.3], atol=1e-4
    )


# --- time and endpoint ----------------------------------------------------------------------------


def distances(*inside):
    """Columns that are within the target in these periods of 50, and 10 cm off in the others."""
    columns = np.full((50, len(inside)), 0.1)
    for column, periods in zip(columns.T, inside, strict=True):
        column[list(periods)] = 0.01
    return columns


def test_settling_is_the_time_after_which_it_stays():
    columns = distances(
        range(20, 50), range(50), [10, 11, *range(30, 50)], range(49, 50), [], range(49)
    )
    np.testing.assert_allclose(settling_time(columns, 0.02), [0.4, 0, 0.6, 0.98, np.inf, np.inf])


def test_the_targets_edge_is_outside():
    columns = np.array([[0.1, 0.1], [TARGET_SIZE, 0.999 * TARGET_SIZE]])
    np.testing.assert_array_equal(settling_time(columns, 1.0), [np.inf, 1.0])


def test_movement_time_of_a_known_movement():
    """It comes within 4 cm when the minimum-jerk position has less than that to go."""
    share = minimum_jerk(60)[0]
    arrival = np.flatnonzero((1 - share) * np.linalg.norm(TARGET - START) < 0.04)[0] * PERIOD
    assert measures(movement(0.6)).median_movement_time_s == pytest.approx(arrival)


def test_endpoint_error_is_the_mean_of_the_last_fifth_of_a_second():
    hand, speed = movement()
    hand[-20:-10] = beside(0.01)
    hand[-10:] = beside(0.03)
    hand[-21] = beside(9.0)  # just before
    assert measures((hand, speed)).median_endpoint_error_m == pytest.approx(0.02)


def test_endpoint_errors_are_summed_up_by_median_and_percentile():
    misses = np.linspace(0, 0.1, 101)
    result = measures(*(movement(end=beside(miss)) for miss in misses))
    assert result.median_endpoint_error_m == pytest.approx(0.05)
    assert result.p95_endpoint_error_m == pytest.approx(0.095)


def test_fraction_counts_errors_below_four_centimetres():
    result = measures(*(movement(end=beside(miss)) for miss in (0.0, 0.01, 0.0399, 0.0401, 0.2)))
    assert result.fraction_within_target == pytest.approx(3 / 5)


def test_error_is_to_the_second_target():
    still = (np.tile(START, (2 * JUMP + 1, 1)), np.zeros(2 * JUMP + 1))
    assert measures(still).median_endpoint_error_m == pytest.approx(np.linalg.norm(TARGET - START))


def test_peak_speed_is_that_after_the_jump():
    hand, speed = movement(0.6)
    speed[: JUMP - 1] = 5.0
    expected = 1.875 * np.linalg.norm(TARGET - START) / 0.6
    assert measures((hand, speed)).median_peak_speed_m_s == pytest.approx(expected)


def test_shape_and_path_are_medians_over_movements():
    hand, speed = movement()
    bent = (
        hand
        + 0.1
        * np.linalg.norm(TARGET - START)
        * np.sin(np.pi * np.linspace(0, 1, 2 * JUMP + 1))[:, None]
    )
    result = measures((hand, speed), (hand, speed), (bent, speed))
    assert result.median_path_deviation < 1e-9 and result.median_minimum_jerk_correlation > 0.999


def going(*turns, length=0.2):
    """Paths (T, B, 2) from START that go on straight.

    They are turned from the target's direction by that much [rad].
    """
    ahead = (TARGET - START) / np.linalg.norm(TARGET - START)
    turned = [
        ahead @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] for turn in turns
    ]
    return START + np.linspace(0, length, 101)[:, None, None] * np.array(turned)


def test_a_hand_starts_toward_its_target_within_45_degrees_of_it():
    turns = np.deg2rad([0, 44, -44, 46, -46, 90, 180])
    found = starts_toward(going(*turns), np.tile(TARGET, (7, 1)))
    assert found.tolist() == [True, True, True, False, False, False, False]


def test_the_direction_is_taken_where_the_hand_first_is_3_cm_away():
    ahead = going(0.0)
    back = going(np.pi, length=0.02)
    swerving = np.concatenate([going(np.pi / 2, length=0.04), ahead])
    hesitant = np.concatenate([back, ahead])
    assert (
        not starts_toward(swerving, TARGET[None]).any()
        and starts_toward(hesitant, TARGET[None]).all()
    )


def test_a_hand_that_stays_does_not_start_toward_its_target():
    assert not starts_toward(going(0.0, length=0.029), TARGET[None]).any()
    assert starts_toward(going(0.0, length=0.031), TARGET[None]).all()


def jumping(*lengths, turn=0.0):
    """Measures of straight movements of 1 s that go that far [m].

    The last bends aside by ``turn`` times its length.
    """
    recorded = recording(*[movement(1.0) for _ in lengths])
    ahead = (TARGET - START) / np.linalg.norm(TARGET - START)
    lengths = np.array(lengths)
    share = (recorded.hand[..., :1] - START[0]) / (TARGET[0] - START[0])  # (T, B, 1) from 0 to 1
    hand = START + share * lengths[:, None] * ahead
    beside = np.array([-ahead[1], ahead[0]])
    hand[:, -1] += turn * np.sin(np.pi * share[:, -1]) * lengths[-1] * beside
    commands = np.broadcast_to(START, recorded.commands.shape).copy()
    commands[JUMP:] = START + lengths[:, None] * ahead
    velocity = np.linalg.norm(recorded.velocity, axis=-1, keepdims=True) / np.linalg.norm(
        TARGET - START
    )
    velocity = velocity * lengths[:, None] * ahead
    changed = replace(recorded, hand=hand, commands=commands, velocity=velocity)
    return reach_measures(changed, JUMP, PERIOD, seed=0, noise=0.0)


def test_short_jumps_have_no_direction_and_no_straightness():
    result = jumping(0.3, 0.2, 0.11, 0.09, turn=3.0)
    assert result.fraction_toward_target == 1 and result.p90_path_deviation < 1e-9
    result = jumping(0.3, 0.2, 0.11, 0.12, turn=3.0)
    assert result.fraction_toward_target == 0.75 and result.median_path_deviation < 1e-9
    # The 90th percentile of 0, 0, 0 and 3 lies seven tenths of the way from the third to the
    # fourth.
    assert result.p90_path_deviation == pytest.approx(0.7 * 3.0, rel=1e-3)


def test_peak_speeds_are_compared_between_jumps_of_25_to_35_cm():
    result = jumping(0.2, 0.24, 0.26, 0.30, 0.34, 0.36)
    assert result.median_peak_speed_of_30_cm_m_s == pytest.approx(1.875 * 0.30 / 1.0, rel=1e-6)


def test_what_no_jump_has_is_none():
    result = jumping(0.05, 0.08).as_dict()
    for name in (
        "fraction_toward_target",
        "median_path_deviation",
        "p90_path_deviation",
        "median_peak_speed_of_30_cm_m_s",
    ):
        assert result[name] is None
    json.dumps(result, allow_nan=False)


def test_value_is_the_mean_cost_of_whole_episodes():
    rewards = -np.concatenate([np.full((JUMP, 2), 0.001), np.tile([0.003, 0.005], (JUMP, 1))])
    result = measures(movement(), movement(), rewards=rewards)
    assert result.mean_value == pytest.approx(0.1 + (0.3 + 0.5) / 2)


def test_the_rest_is_as_it_was_given():
    result = measures(movement(), movement())
    assert (result.number_of_movements, result.seed, result.noise) == (2, 3, 0.1)


def test_measures_have_the_documented_names_and_are_json():
    result = measures(movement()).as_dict()
    assert result.keys() == KEYS
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_measures_are_json_even_if_nobody_arrives():
    json.dumps(measures(movement(end=START)).as_dict(), allow_nan=False)


# --- cycles ---------------------------------------------------------------------------------------

# a lap in 1 s
ORBITS = np.array([[0.0, 0.4, 0.1, 2 * np.pi * 0.1], [0.1, 0.3, 0.05, -2 * np.pi * 0.05]])
# periods of a lap, and of the recording after the jump
LAP = 100
SPAN = 300
CYCLE_KEYS = {
    "fraction_converged",
    "median_radial_error_m",
    "p95_radial_error_m",
    "median_speed_error",
    "fraction_correct_direction",
    "median_convergence_time_s",
    "mean_value",
    "number_of_movements",
    "seed",
    "noise",
}


def round_and_round(command, off=0.0, ratio=1.0):
    """Hand and velocity, (SPAN + 1, 2) each, on a path near the circle.

    From the jump on it is this far outside and this much too fast.
    """
    radius = command[2] + np.broadcast_to(off, SPAN + 1)
    rate = ratio * command[3] / command[2]
    phase = 0.3 - rate * PERIOD * np.arange(SPAN + 1)  # clockwise for a speed above 0
    out = np.stack([np.cos(phase), np.sin(phase)], -1)
    return command[:2] + radius[:, None] * out, ratio * command[3] * np.stack(
        [out[:, 1], -out[:, 0]], -1
    )


def cycles(*columns, rewards=0.0):
    """Measures of movements (command, hand, velocity) after a second somewhere else."""
    commands = np.array([command for command, _, _ in columns])
    hand, velocity = (np.stack(parts, 1) for parts in list(zip(*columns, strict=True))[1:])
    number = len(columns)
    before = np.full((JUMP, len(columns), 2), 7.0)
    elsewhere = np.tile([0.0, 0.3, 0.02, 0.1], (JUMP, number, 1))
    made = Recording(
        states=np.zeros((JUMP + SPAN + 1, number, 10)),
        commands=np.concatenate([elsewhere, np.tile(commands, (SPAN, 1, 1))]),
        actions=np.zeros((JUMP + SPAN, number, 6)),
        rewards=np.broadcast_to(rewards, (JUMP + SPAN, number)),
        hand=np.concatenate([before, hand]),
        velocity=np.concatenate([before, velocity]),
    )
    return cycle_measures(made, JUMP, PERIOD, Circle(), seed=3, noise=0.1)


def cycle(orbit=0, **changes):
    return (ORBITS[orbit], *round_and_round(ORBITS[orbit], **changes))


@pytest.mark.parametrize("orbit", [0, 1])
def test_a_perfect_cycle_has_no_errors_either_way_round(orbit):
    result = cycles(cycle(orbit))
    assert result.fraction_converged == result.fraction_correct_direction == 1
    assert result.median_radial_error_m < 1e-12 and result.median_speed_error < 1e-12
    assert result.median_convergence_time_s == 0


@pytest.mark.parametrize("off", [0.01, -0.02])
def test_radial_error_is_the_mean_distance_over_the_last_lap(off):
    assert cycles(cycle(off=off)).median_radial_error_m == pytest.approx(abs(off))
    late = np.where(np.arange(SPAN + 1) > SPAN - LAP / 2, off, 0.0)  # half a lap
    assert cycles(cycle(off=late)).median_radial_error_m == pytest.approx(abs(off) / 2)
    early = np.where(np.arange(SPAN + 1) <= SPAN - LAP, off, 0.0)  # until the last lap begins
    assert cycles(cycle(off=early)).median_radial_error_m < 1e-12


def test_radial_errors_are_summed_up_by_median_and_percentile():
    result = cycles(*(cycle(off=off) for off in np.linspace(0, 0.04, 101)))
    assert result.median_radial_error_m == pytest.approx(
        0.02
    ) and result.p95_radial_error_m == pytest.approx(0.038)
    assert result.fraction_converged == pytest.approx(38 / 101)  # those below 1.5 cm
    assert result.number_of_movements == 101


@pytest.mark.parametrize(
    ("ratio", "converged"), [(0.8, 1), (1.2, 1), (0.7, 0), (1.3, 0), (0.0, 0), (-1.0, 0)]
)
@pytest.mark.parametrize("orbit", [0, 1])
def test_speed_error_is_relative_and_against_the_commanded_direction(orbit, ratio, converged):
    result = cycles(cycle(orbit, ratio=ratio))
    assert result.median_speed_error == pytest.approx(abs(ratio - 1))
    assert result.fraction_converged == converged and result.fraction_correct_direction == (
        ratio > 0
    )


def test_directions_are_counted():
    result = cycles(cycle(0), cycle(1), cycle(0, ratio=-0.5), cycle(1, ratio=0.1))
    assert result.fraction_correct_direction == 0.75 and result.fraction_converged == 0.5


@pytest.mark.parametrize("arrival", [30, 120, 180])
def test_convergence_time_is_that_from_which_laps_are_good_on_average(arrival):
    """Far off until then, so that the average forgives a few periods at most."""
    late = np.where(np.arange(SPAN + 1) < arrival, 0.5, 0.0)
    assert cycles(cycle(off=late)).median_convergence_time_s == pytest.approx(
        arrival * PERIOD, abs=0.05
    )


def test_a_cycle_left_again_or_never_found_takes_for_ever():
    left = np.where(np.arange(SPAN + 1) > SPAN - 50, 0.5, 0.0)
    for off in (left, 0.1):
        assert cycles(cycle(off=off)).median_convergence_time_s == np.inf
    # left at 0.8 s, found again at 1.2 s
    again = np.where(np.abs(np.arange(SPAN + 1) - 100) < 20, 0.5, 0.0)
    assert cycles(cycle(off=again)).median_convergence_time_s == pytest.approx(1.2, abs=0.05)


def test_a_lap_longer_than_the_recording_counts_as_far_as_it_goes():
    slow = np.array([0.0, 0.4, 0.1, 2 * np.pi * 0.1 / 50])  # 50 s
    result = cycles((slow, *round_and_round(slow, off=0.01)))
    assert result.median_radial_error_m == pytest.approx(0.01) and result.fraction_converged == 1


def test_the_value_of_cycles_is_the_mean_cost_of_whole_episodes():
    result = cycles(cycle(0), cycle(1), rewards=np.array([-0.001, -0.003]))
    assert result.mean_value == pytest.approx(0.002 * (JUMP + SPAN))
    assert (result.seed, result.noise) == (3, 0.1)


def test_measures_of_cycles_have_the_documented_names_and_are_json():
    for made in (cycles(cycle(0)), cycles(cycle(0, off=0.1))):
        result = made.as_dict()
        assert result.keys() == CYCLE_KEYS
        assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("spans", [[1, 3, 20], [50, 7, 1], [60, 100, 2]])
def test_trailing_mean_is_the_mean_of_the_latest_samples(spans):
    signal = np.random.default_rng(1).normal(5, 1, (50, 3))
    result = trailing_mean(signal, np.array(spans))
    for column, span in enumerate(spans):
        expected = [signal[max(0, t + 1 - span) : t + 1, column].mean() for t in range(50)]
        np.testing.assert_allclose(result[:, column], expected, rtol=1e-12)


# --- recording and evaluating ---------------------------------------------------------------------


class Remembering:
    """Excites everything a little, counts its calls in its state, and notes what it was handed."""

    def __init__(self):
        self.handed = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.handed.append((observation, state, episode_start, deterministic))
        number = 0 if state is None else state
        return np.full((len(observation), 6), 0.01 * (1 + number)), number + 1


def test_state_and_episode_starts_are_handed_on():
    controller = Remembering()
    record(controller, gym.make_vec("ReachArm-v0", num_envs=3), 4, seed=1)
    assert [state for _, state, _, _ in controller.handed] == [None, 1, 2, 3]
    starts = np.array([start for _, _, start, _ in controller.handed])
    np.testing.assert_array_equal(starts, [[True] * 3, *[[False] * 3] * 3])
    assert all(deterministic for _, _, _, deterministic in controller.handed)


def test_a_recording_is_what_happened():
    controller = Remembering()
    envs = gym.make_vec("ReachArm-v0", num_envs=3)
    recorded = record(controller, envs, 120, seed=2)
    twin = gym.make_vec("ReachArm-v0", num_envs=3)
    observation, info = twin.reset(seed=2)
    np.testing.assert_array_equal(recorded.states[0], info["state"])
    for t in range(120):
        np.testing.assert_array_equal(controller.handed[t][0], observation)
        np.testing.assert_array_equal(recorded.actions[t], np.full((3, 6), 0.01 * (1 + t)))
        observation, reward, _, _, info = twin.step(recorded.actions[t])
        np.testing.assert_array_equal(recorded.rewards[t], reward)
        np.testing.assert_array_equal(recorded.commands[t], info["target"])
        np.testing.assert_array_equal(recorded.states[t + 1], info["state"])
        np.testing.assert_allclose(recorded.hand[t + 1], info["hand"], atol=1e-12)
    speed = np.linalg.norm(np.diff(recorded.hand, axis=0), axis=-1) / PERIOD
    np.testing.assert_allclose((recorded.speed[1:] + recorded.speed[:-1]) / 2, speed, atol=0.05)
    assert speed.max() > 0.2


def test_a_recording_can_begin_from_options():
    envs = gym.make_vec("ReachArm-v0", num_envs=2)
    recorded = record(
        Still(), envs, 1, seed=3, options={"posture": [0.5, 1.5], "targets": [START, TARGET]}
    )
    np.testing.assert_array_equal(recorded.states[0, :, :2], [[0.5, 1.5]] * 2)
    np.testing.assert_array_equal(recorded.commands[0], [START] * 2)


def test_every_controller_gets_the_same_starts_and_targets():
    space = gym.make("ReachArm-v0").action_space
    controllers = (Still(), Random(space, np.random.default_rng(1)), JointPD())
    first, *others = (
        record(c, gym.make_vec("ReachArm-v0", num_envs=5), 150, seed=4) for c in controllers
    )
    for other in others:
        np.testing.assert_array_equal(other.states[0], first.states[0])
        np.testing.assert_array_equal(other.commands, first.commands)
        assert (other.states[-1] != first.states[-1]).any()


def test_evaluation_is_deterministic_in_its_seed():
    first, again, other = (evaluate(JointPD(), movements=8, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert replace(other, seed=5) != first


def test_the_environments_task_decides_what_is_measured():
    result = evaluate(Still(), "CircleArm-v0", movements=4, seed=5, noise=0.1)
    assert isinstance(result, CycleMeasures) and result.as_dict().keys() == CYCLE_KEYS
    assert (result.number_of_movements, result.seed, result.noise) == (4, 5, 0.1)
    assert result.median_speed_error == pytest.approx(1, abs=0.2) and result.fraction_converged == 0
    assert result == evaluate(Still(), "CircleArm-v0", movements=4, seed=5, noise=0.1)


def test_the_orbit_reaches_the_environment_and_the_measures():
    """Circles of another size."""
    brief = RandomJumps(hold=0.2)
    small, large = (
        evaluate(
            Still(),
            "CircleArm-v0",
            movements=20,
            noise=0,
            schedule=brief,
            orbit=Circle(radius=(r, r)),
        )
        for r in (0.04, 0.1)
    )
    assert small.mean_value != large.mean_value


def test_evaluation_says_what_it_was():
    result = evaluate(Still(), movements=7, seed=8, noise=0.05)
    assert (result.number_of_movements, result.seed, result.noise) == (7, 8, 0.05)
    assert result.as_dict().keys() == KEYS


def test_noise_reaches_the_environment():
    quiet, noisy = (evaluate(JointPD(), movements=8, seed=9, noise=noise) for noise in (0.0, 0.2))
    assert quiet.mean_value != noisy.mean_value


def test_other_arguments_reach_the_environment():
    class SeesCeiling:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.full((len(observation), 6), 9.0), state

    gentle, strong = (
        evaluate(SeesCeiling(), movements=3, seed=10, arm=Arm(max_excitation=c)) for c in (0.1, 1.0)
    )
    assert gentle.mean_value < strong.mean_value


def test_standing_still_is_as_bad_as_the_jumps_are_long():
    """Without tone: with it, the arm drifts."""
    result = evaluate(Still(), movements=50, seed=11, noise=0, arm={"tone": 0})
    envs = gym.make_vec("ReachArm-v0", num_envs=50, noise=0, arm={"tone": 0})
    recorded = record(Still(), envs, 200, seed=11)
    jumps = np.linalg.norm(recorded.commands[150] - recorded.commands[0], axis=-1)
    assert result.median_endpoint_error_m == pytest.approx(np.median(jumps), rel=1e-9)
    assert result.median_peak_speed_m_s < 1e-9 and result.median_movement_time_s == np.inf


@pytest.mark.parametrize("movements", [0, -1])
def test_no_movements_are_refused(movements):
    with pytest.raises(ValueError, match="movements must be a whole number from 1"):
        evaluate(Still(), movements=movements)


@pytest.mark.parametrize(
    "arguments", [{"control_period": 0.005}, {"schedule": RandomJumps(hold=1.2)}], ids=str
)
def test_both_commands_belong_to_one_episode(arguments):
    """Standing still, the hand ends where it began: on the first target."""
    result = evaluate(Still(), movements=30, seed=12, noise=0, **arguments)
    assert result.median_endpoint_error_m > 0.1


def test_a_schedule_without_jumps_is_refused():
    with pytest.raises(ValueError, match=r"hold|jump"):
        evaluate(Still(), movements=3, seed=13, schedule=lambda t: START)


# --- what can't be evaluated ----------------------------------------------------------------------


class OneArray:
    """Fills one array of its own and returns it, as its state too."""

    def __init__(self, kind=np.array):
        self.action = kind(np.zeros((3, 6)))
        self.count = 0

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.count += 1
        self.action[:] = 0.01 * self.count
        return self.action, self.action


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_a_recording_keeps_copies(kind):
    recorded = record(OneArray(kind), gym.make_vec("ReachArm-v0", num_envs=3), 5, seed=1)
    expected = np.broadcast_to(0.01 * np.arange(1, 6)[:, None, None], (5, 3, 6))
    np.testing.assert_allclose(recorded.actions, expected)


def test_arrays_that_a_wrapper_fills_anew_are_recorded_as_they_were():
    class Reusing(gym.vector.VectorWrapper):
        def step(self, actions):
            observation, reward, *ends, info = super().step(actions)
            if not hasattr(self, "kept"):
                self.kept = reward.copy(), info["state"].copy()
            self.kept[0][:], self.kept[1][:] = reward, info["state"]
            return observation, self.kept[0], *ends, {**info, "state": self.kept[1]}

    plain, reused = (
        record(OneArray(), wrap(gym.make_vec("ReachArm-v0", num_envs=3)), 5, seed=1)
        for wrap in (lambda e: e, Reusing)
    )
    np.testing.assert_array_equal(plain.rewards, reused.rewards)
    np.testing.assert_array_equal(plain.states, reused.states)


NOT_EVALUATED = {
    "PD on circles": (
        {"env_id": "CircleArm-v0"},
        r"JointPD, which reaches for points, takes observations of 20",
    ),
    "brief": ({"schedule": {"hold": 0.01}}, r"commands hold for 0.2 s or longer, not 0.01 s"),
    "nearly": ({"schedule": {"hold": 0.19}}, r"commands hold for 0.2 s or longer, not 0.19 s"),
    "another package": (
        {"env_id": "CartPole-v1"},
        r"this package's arms .* not 'CartPole-v1': only those",
    ),
    "without a vector": (
        {"env_id": "Pendulum-v1"},
        r"this package's arms .* not 'Pendulum-v1': only those",
    ),
    "sync": ({"vectorization_mode": "sync"}, r"not 'ReachArm-v0' with vectorization_mode 'sync'"),
    "mode": (
        {"vectorization_mode": gym.VectorizeMode.ASYNC},
        r"with vectorization_mode <VectorizeMode.ASYNC",
    ),
    "no mode": ({"vectorization_mode": "quick"}, r"with vectorization_mode 'quick'"),
}


@pytest.mark.parametrize(("arguments", "match"), NOT_EVALUATED.values(), ids=NOT_EVALUATED)
def test_what_can_not_be_evaluated_is_refused_in_a_sentence(arguments, match):
    with pytest.raises(ValueError, match=match):
        evaluate(JointPD(), **{"movements": 3, **arguments})


@pytest.mark.filterwarnings("error")
def test_the_shortest_jumps_have_all_measures():
    for period in (0.01, 0.1):
        measures = evaluate(Still(), movements=20, schedule={"hold": 0.2}, control_period=period)
        assert np.isfinite(measures.median_endpoint_error_m)
    evaluate(Still(), movements=3, schedule={"hold": 0.2}, vectorization_mode="vector_entry_point")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"curl": 15}, r"perturbation={'curl': 15}"),
        ({"mass": 2}, r"perturbation={'mass': 2}"),
        ({"gamma": 0.1}, r"weights={'gamma': 0.1}"),
        ({"max_excitation": 0.5}, r"arm={'max_excitation': 0.5}"),
        ({"pertubation": None}, "perturbation"),
    ],
    ids=str,
)
def test_an_unknown_argument_comes_with_a_hint(arguments, hint):
    for made in (
        lambda: evaluate(Still(), movements=2, **arguments),
        lambda: gym.make("ReachArm-v0", **arguments),
    ):
        with pytest.raises(TypeError, match=f"unexpected keyword argument .*did you mean {hint}"):
            made()


def test_an_id_may_name_the_module_that_registers_it():
    assert evaluate(Still(), "arm_env:ReachArm-v0", movements=2) == evaluate(Still(), movements=2)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        evaluate(Still(), "no_such_module:ReachArm-v0", movements=2)
    with pytest.raises(gym.error.NameNotFound, match="NoSuchArm"):
        evaluate(Still(), "NoSuchArm-v0", movements=2)
