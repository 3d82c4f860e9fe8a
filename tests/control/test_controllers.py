"""The simple controllers speak ``predict``, and the feedback one reaches."""

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

import arm_env
from arm_env import JointPD, Random, Reach, Still, evaluate, hand_position
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import as_controller
from arm_env.control.joint_sense import BEYOND, JointSense
from arm_env.dynamics.equations import (
    force_curves,
    moment_arms,
    muscle_length,
    muscle_velocity,
    sense,
)
from arm_env.dynamics.parameters import Arm

ARM = Arm()
NAMES = ("still", "random", "joint PD")
EACH = pytest.mark.parametrize("name", NAMES)


def controller(name, seed=1):
    space = gym.make("ReachArm-v0").action_space
    return {
        "still": Still(),
        "random": Random(space, np.random.default_rng(seed)),
        "joint PD": JointPD(),
    }[name]


def clean_observations(angles, targets, velocities=0.0):
    """What arms at rest, or at these velocities, see without noise, (B, 20) float32."""
    state = np.zeros((len(angles), 10))
    state[:, :2], state[:, 2:4] = angles, velocities
    return np.concatenate([sense(NUMPY, ARM.arrays(), state), targets], -1).astype(np.float32)


def situations(number, seed):
    """Postures and wanted postures over the workspace, and what is seen there."""
    rng = np.random.default_rng(seed)
    task = Reach()
    angles = task.sample_angles(rng, number)
    wanted = task.sample_angles(rng, number)
    return angles, wanted, clean_observations(angles, hand_position(ARM, wanted))


def torques(angles, excitation):
    """Joint torques [N m] of muscles at rest that have reached this excitation, (B, 2)."""
    numbers = ARM.arrays()
    pull = force_curves(NUMPY, muscle_length(numbers, angles), np.zeros((len(angles), 6)))[0]
    r1, r2 = moment_arms(numbers, angles)
    force = excitation * numbers.maximum_force * pull
    return np.stack([(force * r1).sum(-1), (force * r2).sum(-1)], -1)


# --- predict --------------------------------------------------------------------------------------


@EACH
def test_actions_for_a_batch_and_for_one(name):
    space = gym.make("ReachArm-v0").action_space
    observations = situations(5, 1)[2]
    actions, _ = controller(name).predict(observations)
    single, _ = controller(name).predict(observations[0])
    assert actions.shape == (5, 6) and actions.dtype == np.float32
    assert all(space.contains(action) for action in actions) and space.contains(single)


@pytest.mark.parametrize("name", ["still", "joint PD"])
def test_one_row_is_treated_as_it_would_be_alone(name):
    """Over several steps, its state handed on."""
    batched = controller(name)
    alone = controller(name)
    state = None
    own = None
    for seed in range(5):
        observations = situations(4, seed)[2]
        start = np.full(4, seed == 0)
        actions, state = batched.predict(observations, state, start)
        action, own = alone.predict(observations[2], own, start[2:3])
        np.testing.assert_allclose(actions[2], action, rtol=1e-6)


@EACH
def test_the_observation_is_left_as_it_was(name):
    observations = situations(3, 2)[2]
    kept = observations.copy()
    one = controller(name)
    _, state = one.predict(observations)
    one.predict(observations, state, np.array([False, True, False]))
    np.testing.assert_array_equal(observations, kept)


@EACH
def test_it_drives_the_environment(name):
    env = gym.make("ReachArm-v0")
    driver = controller(name)
    state = None
    start = np.ones(1, dtype=bool)
    observation, _ = env.reset(seed=2)
    for _ in range(20):
        action, state = driver.predict(observation, state, start)
        observation = env.step(action)[0]
        start = np.zeros(1, dtype=bool)
    assert env.observation_space.contains(observation)


@EACH
def test_stable_baselines_can_evaluate_it(name):
    rewards, lengths = evaluate_policy(
        controller(name),
        Monitor(gym.make("ReachArm-v0", max_episode_steps=15)),
        n_eval_episodes=2,
        return_episode_rewards=True,
    )
    assert lengths == [15, 15] and np.isfinite(rewards).all()


def test_still_excites_nothing():
    assert (Still().predict(situations(3, 3)[2])[0] == 0).all()


def test_random_is_uniform_over_its_space_and_follows_its_generator():
    space = gym.spaces.Box(np.array([0, 0, 0, 0, 0, 0.5], dtype=np.float32), 2.0)
    first, again = (
        Random(space, np.random.default_rng(4)).predict(np.zeros((2000, 20)))[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first.mean(0), [1, 1, 1, 1, 1, 1.25], atol=0.08)
    np.testing.assert_allclose(first.std(0), (space.high - space.low) / np.sqrt(12), rtol=0.08)


# --- joint PD -------------------------------------------------------------------------------------


def test_excitations_are_of_the_space_of_its_arm():
    actions = JointPD(Arm(max_excitation=0.3)).predict(situations(200, 5)[2])[0]
    assert actions.min() >= 0 and actions.max() == np.float32(0.3)


def test_on_the_target_at_rest_it_does_nothing():
    angles = Reach().sample_angles(np.random.default_rng(6), 50)
    actions = JointPD().predict(clean_observations(angles, hand_position(ARM, angles)))[0]
    assert actions.max() < 1e-3 * ARM.max_excitation


def test_torque_of_each_joint_points_to_the_target():
    """From the middle of the workspace, where every muscle pulls; one joint off at a time."""
    angles = np.tile(np.deg2rad([40.0, 90.0]), (4, 1))
    offsets = 0.2 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    actions = JointPD().predict(clean_observations(angles, hand_position(ARM, angles + offsets)))[0]
    torque = torques(angles, actions)
    assert (np.sign(torque[np.abs(offsets) > 0]) == np.sign(offsets[np.abs(offsets) > 0])).all()
    assert ((torque * offsets).sum(-1) > 0.8 * np.linalg.norm(torque, axis=-1) * 0.2).all()


def test_torque_brakes_a_moving_arm():
    angles = np.tile(np.deg2rad([40.0, 90.0]), (4, 1))
    velocities = np.array([[2.0, 0], [-2, 0], [0, 2], [0, -2]])
    actions = JointPD().predict(clean_observations(angles, hand_position(ARM, angles), velocities))[
        0
    ]
    assert ((torques(angles, actions) * velocities).sum(-1) < 0).all()


def test_torque_points_the_right_way_nearly_everywhere():
    angles, wanted, observations = situations(500, 7)
    torque = torques(angles, JointPD().predict(observations)[0])
    assert ((torque * (wanted - angles)).sum(-1) > 0).mean() > 0.95


def test_torque_is_parallel_to_the_error_nearly_everywhere():
    """Short or stretched muscles pull little: it takes more of the others.

    (Errors small, below any max_excitation.)
    """
    error = np.random.default_rng(8).normal(0, 0.02, (500, 2))
    angles = situations(500, 8)[0]
    observations = clean_observations(angles, hand_position(ARM, angles + error))
    torque = torques(angles, JointPD().predict(observations)[0])
    cosine = (
        (torque * error).sum(-1) / np.linalg.norm(torque, axis=-1) / np.linalg.norm(error, axis=-1)
    )
    assert (cosine > 0.95).mean() > 0.9


def test_targets_out_of_reach_are_reached_for_as_far_as_it_goes():
    """The command is noisy: it may be seen anywhere."""
    observations = situations(300, 9)[2]
    observations[:, 18:] = np.random.default_rng(9).normal(0, 1, (300, 2))
    actions = JointPD().predict(observations)[0]
    assert np.isfinite(actions).all() and (actions.max(1) > 0).mean() > 0.95


def test_an_observation_of_zeros_is_no_error():
    assert np.isfinite(JointPD().predict(np.zeros((1, 20)))[0]).all()


def test_it_uses_the_whole_range_of_its_arm():
    arm = Arm(lower_stop=(-0.6, 0.1))
    angles = np.array([[-0.3, 1.5]])
    actions = JointPD(arm).predict(clean_observations(angles, hand_position(arm, angles)))[0]
    assert actions.max() < 1e-3 * arm.max_excitation


def test_only_rows_that_start_forget():
    feedback = JointPD()
    before, after = situations(6, 10)[2], situations(6, 11)[2]
    start = np.array([False, True, False, False, True, False])
    state = feedback.predict(before)[1]
    mixed = feedback.predict(after, state, start)[0]
    np.testing.assert_array_equal(mixed[start], feedback.predict(after)[0][start])
    remembering = feedback.predict(after, state, np.zeros(6, dtype=bool))[0]
    np.testing.assert_array_equal(mixed[~start], remembering[~start])
    assert (np.abs(remembering - feedback.predict(after)[0]).max(1) > 1e-3).all()


def test_a_start_can_be_repeated():
    """As evaluate_policy does for an environment past its quota."""
    feedback = JointPD()
    observations = situations(3, 12)[2]
    state, start = None, np.ones(3, dtype=bool)
    actions = []
    for _ in range(3):
        action, state = feedback.predict(observations, state, start)
        actions.append(action)
    np.testing.assert_array_equal(actions[1], actions[0])
    np.testing.assert_array_equal(actions[2], actions[0])


def test_a_state_without_episode_starts_goes_on():
    """As in stable-baselines3, where None means that no row starts."""
    feedback = JointPD()
    before, after = situations(6, 13)[2], situations(6, 14)[2]
    state = feedback.predict(before)[1]
    expected = feedback.predict(after, state, np.zeros(6, dtype=bool))[0]
    np.testing.assert_array_equal(feedback.predict(after, state)[0], expected)


def test_handing_a_state_in_does_not_change_it():
    feedback = JointPD()
    observations = situations(4, 15)[2]
    state = feedback.predict(observations)[1]
    kept = state.copy()
    feedback.predict(situations(4, 16)[2], state, np.array([True, False, False, False]))
    np.testing.assert_array_equal(state, kept)


def test_it_brings_the_hand_much_closer_than_standing_still():
    still, feedback = (evaluate(c, movements=200, seed=3, noise=0) for c in (Still(), JointPD()))
    assert feedback.median_endpoint_error_m < still.median_endpoint_error_m / 3
    assert feedback.fraction_within_target > still.fraction_within_target + 0.2


def test_it_gets_closer_than_standing_still_in_noise():
    still, feedback = (evaluate(c, movements=200, seed=3, noise=0.2) for c in (Still(), JointPD()))
    assert feedback.median_endpoint_error_m < 0.6 * still.median_endpoint_error_m


@pytest.mark.parametrize(("noise", "share", "error"), [(0.0, 0.85, 0.015), (0.2, 0.75, 0.025)])
def test_it_reaches(noise, share, error):
    result = evaluate(JointPD(), movements=200, seed=3, noise=noise)
    assert result.fraction_within_target >= share and result.median_endpoint_error_m <= error


# --- the joints as the muscles show them
# ------------------------------------------------------------


@pytest.mark.parametrize("arm", [ARM, Arm.macaque()], ids=["human", "macaque"])
def test_clean_muscles_show_the_joints_exactly(arm):
    """Anywhere between the stops."""
    rng = np.random.default_rng(17)
    joints = JointSense(arm)
    angles = rng.uniform(arm.lower_stop, arm.upper_stop, (500, 2))
    velocities = rng.normal(0, 5, (500, 2))
    length = muscle_length(arm.arrays(), angles)
    np.testing.assert_allclose(joints.angles(length), angles, rtol=0, atol=1e-12)
    stretch = muscle_velocity(arm.arrays(), angles, velocities)
    np.testing.assert_allclose(joints.velocities(stretch, angles), velocities, rtol=0, atol=1e-12)


def test_noisy_muscles_show_the_joints_that_fit_best():
    """The slope of the squared error is zero there, unless the angles are held to their range."""
    rng = np.random.default_rng(18)
    joints = JointSense(ARM)
    length = muscle_length(ARM.arrays(), rng.uniform(ARM.lower_stop, ARM.upper_stop, (500, 2)))
    noisy = length * (1 + 0.1 * rng.normal(size=length.shape))
    found = joints.angles(noisy)
    eps = 1e-6
    inside = ((found > ARM.lower_stop) & (found < ARM.upper_stop)).all(-1)
    assert inside.mean() > 0.7

    def error(angles):
        return ((muscle_length(ARM.arrays(), angles) - noisy) ** 2).sum(-1)

    for turn in eps * np.eye(2):
        slope = (error(found + turn) - error(found - turn)) / (2 * eps)
        assert abs(slope[inside]).max() < 2e-3  # a milliradian or so where the noise is worst
        assert np.median(abs(slope[inside])) < 1e-8


@pytest.mark.parametrize("length", [-100.0, 0.0, 1.0, 100.0])
def test_lengths_that_no_posture_has_still_show_a_posture(length):
    angles = JointSense(ARM).angles(np.full((1, 6), length))
    assert (angles >= np.subtract(ARM.lower_stop, BEYOND)).all()
    assert (angles <= np.add(ARM.upper_stop, BEYOND)).all()


# --- what is taken as a controller
# ------------------------------------------------------------------


def half(observation):
    return np.full((len(observation), 6), 0.5)


class OnlyObservation:
    def predict(self, observation):
        return half(observation)


class WithoutDeterministic:
    def predict(self, observation, state=None, episode_start=None):
        return half(observation), state


class Whole:
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return half(observation), state


def test_a_function_of_the_observations_is_a_controller():
    expected = arm_env.evaluate(Whole(), movements=3, seed=1)
    assert arm_env.evaluate(half, movements=3, seed=1) == expected
    assert arm_env.evaluate(lambda o: half(o).tolist(), movements=3, seed=1) == expected


def test_what_is_a_controller_is_itself():
    for controller in (Whole(), arm_env.Still(), arm_env.JointPD()):
        assert as_controller(controller) is controller


@pytest.mark.parametrize(
    "value", [OnlyObservation(), WithoutDeterministic()], ids=lambda v: type(v).__name__
)
def test_a_controller_of_another_signature_is_refused_with_the_right_one(value):
    with pytest.raises(
        ValueError, match=rf"^{type(value).__name__}\.predict .* must be predict\(observation"
    ):
        arm_env.evaluate(value, movements=2)


@pytest.mark.parametrize(
    "function", [lambda o: None, lambda o: (half(o), None), lambda o: [half(o), 1]]
)
def test_a_function_that_returns_something_else_is_refused(function):
    with pytest.raises(
        ValueError, match=r"must return the excitations \(B, M\)|an action is 6 excitations"
    ):
        arm_env.evaluate(function, movements=2)


def test_a_controller_that_returns_its_action_alone_is_refused():
    class Alone:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return half(observation)

    with pytest.raises(ValueError, match=r"Alone\.predict must return \(action, state\)"):
        arm_env.evaluate(Alone(), movements=2)


def test_a_controller_of_another_clock_is_refused():
    with pytest.raises(ValueError, match=r"acts every 0.01 s, and .* in 0.05 s"):
        arm_env.evaluate(JointPD(), movements=2, control_period=0.05)
    arm_env.evaluate(JointPD(control_period=0.05), movements=2, control_period=0.05)
    with pytest.raises(ValueError, match="not max_episode_steps"):
        arm_env.evaluate(JointPD(), movements=2, max_episode_steps=3)


@pytest.mark.parametrize("value", [None, 3, "reach", Whole, np.zeros(6)], ids=str)
def test_what_is_no_controller_is_refused_with_the_signature(value):
    with pytest.raises(
        ValueError, match=r"^a controller is an object with predict\(observation, state.*not"
    ):
        arm_env.evaluate(value, movements=2)


def test_scaled_actions_are_not_taken_for_excitations():
    class Scaled(Whole):
        action_space = gym.spaces.Box(-1.0, 1.0, (6,))

    with pytest.raises(ValueError, match=r"begin at -1.*Trained"):
        arm_env.evaluate(Scaled(), movements=2)


def test_only_arms_are_recorded_and_evaluated():
    with pytest.raises(ValueError, match="vector environment of this package"):
        arm_env.record(arm_env.Still(), gym.make_vec("CartPole-v1", 2), 3, 0)
    with pytest.raises(ValueError, match="vector environment of this package"):
        arm_env.record(arm_env.Still(), gym.make("ReachArm-v0"), 3, 0)
    with pytest.raises(ValueError, match="as movements, not as num_envs"):
        arm_env.evaluate(arm_env.Still(), movements=2, num_envs=2)


@pytest.mark.parametrize("name", ["movements", "seed"])
@pytest.mark.parametrize("value", [-1, 1.5, "many", None, True])
def test_numbers_of_an_evaluation_are_checked(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number"):
        arm_env.evaluate(arm_env.Still(), **{"movements": 2, name: value})
