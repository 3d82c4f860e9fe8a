"""Which command holds when: random jumps, lists, functions of time, and one's own."""

from dataclasses import dataclass, field

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils import seeding

import arm_env
from arm_env import CommandList, MovingCommand, RandomJumps, Reach, Schedule, joint_angles
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.schedules import as_schedule

TARGETS = [[0.0, 0.4], [0.15, 0.35], [-0.2, 0.3]]
PERIODS = pytest.mark.parametrize("period", [0.005, 0.01, 0.02])


def make(**arguments):
    """Noise off, no time limit."""
    return gym.make("ReachArm-v0", noise=0, **arguments).unwrapped


def observed_commands(env, steps, **reset):
    """The command in the observation after the reset and after every step, (steps + 1, 2)."""
    still = np.zeros(6)
    return np.array([env.reset(**reset)[0][18:], *(env.step(still)[0][18:] for _ in range(steps))])


def changes(commands):
    """The observations that show another command than the one before."""
    return np.flatnonzero((np.diff(commands, axis=0) != 0).any(-1)) + 1


def circling(time):
    return np.array([0.1 * np.cos(2 * time), 0.4 + 0.1 * np.sin(2 * time)])


# --- random jumps ---------------------------------------------------------------------------------


@PERIODS
def test_random_jumps_hold_for_exactly_the_hold_time(period):
    env = make(control_period=period, schedule=RandomJumps(hold=0.3))
    jumps = changes(observed_commands(env, round(1 / period), seed=1))
    np.testing.assert_array_equal(jumps, np.array([0.3, 0.6, 0.9]) / period)


def test_random_jumps_every_second_are_the_default():
    np.testing.assert_array_equal(changes(observed_commands(make(), 350, seed=2)), [100, 200, 300])


def test_random_circles_every_three_seconds_are_the_default():
    env = gym.make("CircleArm-v0", noise=0).unwrapped
    np.testing.assert_array_equal(changes(observed_commands(env, 650, seed=2)), [300, 600])


def test_targets_of_a_reset_hold_as_long_as_random_circles():
    circles = [[0.0, 0.4, 0.08, 0.5], [0.05, 0.35, 0.05, -0.3]]
    env = gym.make("CircleArm-v0", noise=0).unwrapped
    commands = observed_commands(env, 350, options={"targets": circles})
    np.testing.assert_array_equal(changes(commands), [300])
    np.testing.assert_array_equal(commands[[0, 300]], np.float32(circles))


def test_a_reset_begins_a_whole_hold_time():
    env = make()
    observed_commands(env, 70, seed=3)
    np.testing.assert_array_equal(changes(observed_commands(env, 199)), [100])


def test_a_reset_to_a_faster_schedule_takes_effect_at_once():
    env = make()
    observed_commands(env, 30, seed=3)
    commands = observed_commands(env, 60, options={"schedule": RandomJumps(0.25)})
    np.testing.assert_array_equal(changes(commands), [25, 50])


def test_random_targets_are_spread_over_the_workspace():
    env = make(schedule=RandomJumps(hold=0.01))
    commands = observed_commands(env, 500, seed=4)
    task = Reach()
    angles = joint_angles(env.simulation.arm, commands)
    assert len(np.unique(commands[:, 0])) > 490
    for values, (low, high) in zip(angles.T, (task.shoulder, task.elbow), strict=True):
        assert low - 1e-5 < values.min() < low + 0.15 and high - 0.15 < values.max() < high + 1e-5


def test_the_step_before_a_jump_is_charged_for_the_old_command():
    """The observation shows the new one already."""
    env = make(schedule=TARGETS)
    observation, info = env.reset(seed=5)
    for _ in range(100):
        observation, _, _, _, info = env.step(np.zeros(6))
    np.testing.assert_array_equal(info["target"], TARGETS[0])
    np.testing.assert_array_equal(observation[18:], np.float32(TARGETS[1]))
    np.testing.assert_array_equal(env.step(np.zeros(6))[4]["target"], TARGETS[1])


def test_arms_of_a_batch_jump_to_targets_of_their_own():
    envs = gym.make_vec("ReachArm-v0", num_envs=20, noise=0)
    envs.reset(seed=6)
    for _ in range(100):
        observations = envs.step(np.zeros((20, 6)))[0]
    assert len(np.unique(observations[:, 18])) == 20


# --- lists ----------------------------------------------------------------------------------------


@PERIODS
def test_a_list_is_gone_through_and_its_last_target_stays(period):
    commands = observed_commands(
        make(control_period=period, schedule=TARGETS), round(5 / period), seed=7
    )
    second = np.minimum(np.arange(len(commands)) * period + 1e-9, 2).astype(int)
    np.testing.assert_array_equal(commands, np.float32(TARGETS)[second])


def test_one_target_may_be_given_without_a_list_around_it():
    commands = observed_commands(make(schedule=[0.1, 0.4]), 150)
    np.testing.assert_array_equal(commands[[0, -1]], np.float32([[0.1, 0.4]] * 2))


def test_a_list_with_a_hold_time_of_its_own():
    env = make(schedule=CommandList(np.array(TARGETS), hold=0.25))
    np.testing.assert_array_equal(changes(observed_commands(env, 100)), [25, 50])


def test_a_list_that_is_faster_than_the_control_period_is_refused():
    quick = CommandList(np.array(TARGETS), hold=0.004)
    with pytest.raises(
        ValueError, match=r"0\.004 s, which is less than the control period of 0\.01"
    ):
        make(schedule=quick)
    env = make()
    with pytest.raises(ValueError, match="less than the control period"):
        env.reset(seed=0, options={"schedule": quick})
    assert changes(observed_commands(make(schedule=CommandList(TARGETS, 0)), 10)).tolist() == [1, 2]
    make(schedule=quick, control_period=0.004)


def test_targets_of_a_reset_hold_as_long_as_those_of_the_environment():
    env = make(schedule=RandomJumps(hold=0.4))
    commands = observed_commands(env, 130, options={"targets": TARGETS})
    np.testing.assert_array_equal(changes(commands), [40, 80])
    np.testing.assert_array_equal(commands[[0, 40, 80]], np.float32(TARGETS))


def test_a_list_is_copied():
    targets = np.array(TARGETS)
    env = make(schedule=targets)
    targets[:] = 0.2
    np.testing.assert_array_equal(observed_commands(env, 100)[[0, 100]], np.float32(TARGETS[:2]))


def test_a_list_draws_nothing_from_the_random_stream():
    env = make(schedule=TARGETS)
    observed_commands(env, 150, seed=8)
    assert env.np_random.bit_generator.state == seeding.np_random(8)[0].bit_generator.state


# --- functions of time ----------------------------------------------------------------------------


@PERIODS
def test_a_function_is_asked_at_every_control_period_and_seen_at_that_time(period):
    asked = []

    def target(time):
        asked.append(time)
        return circling(time)

    env = make(control_period=period, schedule=target)
    assert asked == [0.0]  # its first command is checked at once
    asked.clear()
    commands = observed_commands(env, 50, seed=9)
    np.testing.assert_allclose(asked, period * np.arange(51), rtol=1e-12)
    np.testing.assert_array_equal(commands, np.float32([circling(time) for time in asked]))


def test_time_begins_anew_at_every_reset():
    env = make(schedule=circling)
    first = observed_commands(env, 30, seed=10)
    np.testing.assert_array_equal(observed_commands(env, 30), first)


def test_every_arm_of_a_batch_has_its_own_time():
    envs = gym.make_vec("ReachArm-v0", num_envs=3, noise=0, schedule=circling)
    envs.reset(seed=11)
    still = np.zeros((3, 6))
    late = np.array([False, True, False])
    for _ in range(20):
        envs.step(still)
    envs.reset(options={"reset_mask": late})
    for _ in range(5):
        observations = envs.step(still)[0]
    np.testing.assert_array_equal(
        observations[:, 18:], np.float32([circling(t) for t in (0.25, 0.05, 0.25)])
    )


def test_a_function_can_be_held_for_a_while():
    env = make(schedule=MovingCommand(circling, hold=0.1))
    np.testing.assert_array_equal(changes(observed_commands(env, 45)), [10, 20, 30, 40])


def test_the_reward_follows_the_moving_target():
    env = make(schedule=circling)
    env.reset(seed=12)
    for step in range(40):
        info = env.step(np.zeros(6))[4]
        np.testing.assert_allclose(info["target"], circling(0.01 * step), rtol=1e-12)


# --- one's own ------------------------------------------------------------------------------------


@dataclass
class Noted:
    """Alternates between two targets, and notes what it was asked."""

    hold: float = 0.2
    asked: list = field(default_factory=list)

    def commands(self, rng, segment, time, task, arm):
        self.asked.append((segment.tolist(), np.round(time, 9).tolist()))
        return np.array(TARGETS)[segment % 2]


def test_anything_with_a_hold_time_and_commands_is_a_schedule():
    assert (
        isinstance(Noted(), Schedule)
        and not isinstance(TARGETS, Schedule)
        and not isinstance(circling, Schedule)
    )


def test_ones_own_schedule_is_asked_for_each_segment():
    schedule = Noted()
    commands = observed_commands(make(schedule=schedule), 50, seed=13)
    assert schedule.asked == [([0], [0.0]), ([1], [0.2]), ([2], [0.4])]
    np.testing.assert_array_equal(commands[[0, 20, 40]], np.float32(TARGETS)[[0, 1, 0]])


def test_ones_own_schedule_is_asked_for_the_arms_that_are_due_only():
    schedule = Noted()
    envs = gym.make_vec("ReachArm-v0", num_envs=3, noise=0, schedule=schedule)
    envs.reset(seed=14)
    for _ in range(5):
        envs.step(np.zeros((3, 6)))
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    for _ in range(20):
        envs.step(np.zeros((3, 6)))
    assert schedule.asked == [
        ([0, 0, 0], [0.0] * 3),
        ([0], [0.0]),
        ([1, 1], [0.2] * 2),
        ([1], [0.2]),
    ]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("circle", "'circle' is no schedule.*None.*function of time"),
        ({"x": 1}, "is no schedule"),
        ([[0.1, 0.4], [0.2]], "is no schedule"),
        (3.0, r"shape \(n, 2\)"),
        ([], "target_x, target_y|shape"),
        ([[0.1, 0.4, 0.0]], r"2 components \(target_x, target_y\), not shape \(3,\)"),
        ([[[0.1, 0.4]]], r"shape \(n, 2\)"),
        ([[0.1, 0.4], [0.9, 0.0]], r"can't reach \[0\.9, 0\.0\] m"),
        ([[0.1, np.inf]], "must be finite.*'target_y': inf"),
        ([[np.nan, 0.4]], "must be finite.*'target_x': nan"),
    ],
    ids=str,
)
def test_what_is_no_schedule_is_refused(value, match):
    with pytest.raises(ValueError, match=match):
        as_schedule(value, Reach(), Arm())


@pytest.mark.parametrize(
    "schedule",
    [
        CommandList(np.array([[0.9, 0.0]])),
        MovingCommand(lambda t: [0.9, 0.0]),
        MovingCommand(lambda t: [np.nan, 0.4]),
    ],
    ids=["list", "moving", "NaN"],
)
def test_a_schedules_unreachable_command_is_refused_at_once(schedule):
    with pytest.raises(ValueError, match=r"can't reach|must be finite.*nan"):
        make(schedule=schedule)


def test_an_unreachable_command_of_a_schedule_of_ones_own_is_refused_when_the_episode_begins():
    class Away:
        hold = 1.0

        def commands(self, rng, segment, time, task, arm):
            return np.tile([0.9, 0.0], (len(segment), 1))

    env = make(schedule=Away())
    with pytest.raises(ValueError, match="can't reach"):
        env.reset(seed=15)


@pytest.mark.parametrize("value", [[0.9, 0.0], [np.nan, 0.4], [0.1]])
def test_a_functions_first_command_is_checked_at_once(value):
    with pytest.raises(ValueError, match=r"can't reach|must be finite.*nan|2 components"):
        make(schedule=lambda t: value)


@pytest.mark.parametrize("hold", [-1.0, float("nan"), float("inf")])
def test_a_hold_time_that_is_none_is_refused(hold):
    with pytest.raises(ValueError, match="hold"):
        make(schedule=RandomJumps(hold)).reset(seed=16)


def test_a_schedules_class_instead_of_an_instance_is_refused():
    with pytest.raises(ValueError, match="schedule"):
        make(schedule=arm_env.RandomJumps).reset(seed=17)


def test_targets_and_schedule_together_are_refused():
    with pytest.raises(ValueError, match=r"targets.*schedule|schedule.*targets"):
        make().reset(seed=18, options={"targets": TARGETS, "schedule": circling})


class Own:
    """A schedule of one's own, with what it is given."""

    def __init__(self, hold=1.0, commands=None):
        self.hold, self._commands = hold, commands

    def commands(self, rng, segment, time, task, arm):
        return (
            self._commands(len(segment))
            if self._commands
            else np.tile([0.0, 0.4], (len(segment), 1))
        )


@pytest.mark.parametrize(
    "hold", [None, [0.5], np.array([0.5]), "long", -1, np.nan, 1e300, True], ids=repr
)
def test_a_hold_of_ones_own_that_is_no_time_is_refused_at_once(hold):
    with pytest.raises(
        ValueError, match=r"^schedule: the hold of a schedule must be a number from 0"
    ):
        make(schedule=Own(hold))


@pytest.mark.parametrize("hold", ["0.5", np.float32(0.5), 1])
def test_a_hold_of_ones_own_is_a_time_in_any_form(hold):
    make(schedule=Own(hold)).reset(seed=1)


def test_commands_of_ones_own_may_be_lists_and_must_be_one_for_each_arm():
    env = make(schedule=Own(commands=lambda number: [[0.1, 0.4]] * number))
    assert env.reset(seed=1)[1]["target"].tolist() == [0.1, 0.4]
    for commands in (
        lambda number: [[0.1, 0.4]] * (number + 1),
        lambda number: [0.1, 0.4],
        lambda number: [],
    ):
        with pytest.raises(ValueError, match=r"for each of 1 arms|2 components"):
            make(schedule=Own(commands=commands)).reset(seed=1)


# --- what is wrong says of which argument ---------------------------------------------------------


def needs_nothing():
    return [0.0, 0.4]


NAMED = {
    "word": (lambda t: "x", r"must return a command \(target_x, target_y\), not 'x'"),
    "pair of words": (lambda t: ["x", "y"], r"must return a command"),
    "ragged": (lambda t: [[0.1], [0.1, 0.4]], r"must return a command"),
    "nothing": (lambda t: None, r"2 components"),
    "no time": (needs_nothing, r"function must take the time \[s\] alone"),
    "two arguments": (lambda t, u: [0.0, 0.4], r"function must take the time \[s\] alone"),
    "out of reach": ([[9, 9]], r"the hand can't reach \[9\.0, 9\.0\] m"),
    "empty": ([], r"a command a row, not shape \(0,\)"),
    "empty rows": ([[]], r"a command a row, not shape \(1, 0\)"),
    "underscore": ([["0.1", "0_4"]], r"array of numbers"),
    "truth": ([[True, False]], r"array of numbers"),
}


@pytest.mark.parametrize(("value", "match"), NAMED.values(), ids=NAMED)
def test_an_error_of_a_schedule_names_the_argument(value, match):
    env = make()
    for name, given in (
        ("schedule", lambda: make(schedule=value)),
        ("schedule", lambda: env.reset(options={"schedule": value})),
        ("targets", lambda: env.reset(options={"targets": value})),
        ("schedule", lambda: setattr(env, "schedule", value)),
    ):
        with pytest.raises(ValueError, match=f"^{name}: .*{match}"):
            given()


@pytest.mark.parametrize("wrong", ["x", [9, 9], [0.1], None, [0.1, "0.4m"]], ids=str)
def test_a_function_that_goes_wrong_on_the_way_names_the_argument_and_moves_nothing(wrong):
    env = make(schedule=lambda t: wrong if t > 0.015 else [0.0, 0.4])
    env.reset(seed=1)
    env.step(np.zeros(6))
    before = env.simulation.state.copy()
    with pytest.raises(ValueError, match=r"^schedule: "):
        env.step(np.zeros(6))
    np.testing.assert_array_equal(env.simulation.state, before)


def test_a_schedule_of_ones_own_that_gives_no_numbers_names_the_argument():
    for commands in ("x", [["x", "y"]], {1: 2}):
        with pytest.raises(ValueError, match=r"^schedule: commands must be numbers"):
            make(schedule=Own(commands=lambda number, c=commands: c)).reset(seed=1)


def test_a_function_s_own_error_is_its_own():
    def broken(t):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        make(schedule=broken)


def test_tensors_whose_gradient_is_wanted_are_commands():
    target = torch.tensor([0.1, 0.4], dtype=torch.float64, requires_grad=True)
    for schedule in (
        target,
        lambda t: target,
        Own(commands=lambda number: target.expand(number, 2)),
    ):
        assert make(schedule=schedule).reset(seed=1)[1]["target"].tolist() == [0.1, 0.4]
