"""A trained network behind ``predict`` gives the same numbers as the module.

It is called alone, in batches, and in the environments.
"""

from dataclasses import asdict, replace
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch

import arm_env
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.plant import SPEED_BOUND
from arm_env.tasks.reach import Reach
from rnn_controller import load
from rnn_controller.analysis.attractors import ClosedLoop
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.networks.modules import ModuleConfig, build
from rnn_controller.networks.recurrent import ACTIVATIONS, NetworkConfig, RecurrentController
from rnn_controller.policy import ModuleController, Policy
from rnn_controller.rollouts import pontryagin
from rnn_controller.training.objective import values
from rnn_controller.training.trials import Sampling, sample

NEURONS = 4
SIGNALS = 20
ARM = Arm(max_excitation=2.0)
HIGH = Arm(max_excitation=100)
SINGLE = 2.0**-24  # relative rounding of float32


def network(seed=1, **config):
    """Untrained but lively: some excitations are silent, some strong."""
    controller = RecurrentController(
        NetworkConfig(NEURONS, time_constant=0.02, **config), 2, torch.Generator().manual_seed(seed)
    )
    with torch.no_grad():
        controller.motor.mul_(3)
        controller.reflex.mul_(5)
    return controller


def observations(seed=2, batch=50):
    return np.random.default_rng(seed).normal(0, 2, (batch, SIGNALS))


def states(seed=3, batch=50):
    return np.random.default_rng(seed).uniform(0, 2, (batch, NEURONS))


def rollout_of(controller, noise=None, number=4, seed=5):
    """Compiled rollout of a few movements from silent neurons, with ω as given."""
    rng = np.random.default_rng(seed)
    hold = {"settling": 0.0, "first": (0.6, 0.6), "second": (0.6, 0.6)}  # of 0.5 s
    drawn = sample(
        rng, number, NEURONS, task=Reach(), arm=ARM, sampling=Sampling(noise=0.0, **hold)
    )
    omega = drawn.noise if noise is None else torch.from_numpy(noise(drawn.noise.shape))
    y0 = torch.zeros_like(drawn.y0)
    with torch.no_grad():
        x, u, y = pontryagin.rollout(controller, ARM, drawn.x0, y0, drawn.commands, omega)
    return drawn, x, u, y


# --- the numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_actions_and_states_are_those_of_the_module(activation):
    controller = network(activation=activation)
    o, y = observations(), states()
    with torch.no_grad():
        u, y_next = (
            value.numpy() for value in controller(torch.from_numpy(o), torch.from_numpy(y))
        )
    action, state = Policy(controller, HIGH).predict(o, y)
    np.testing.assert_allclose(state, y_next, rtol=0, atol=1e-12)
    np.testing.assert_allclose(action, u, rtol=2 * SINGLE, atol=1e-12)
    assert action.dtype == np.float32 and (u == 0).any() and (u > 0).any()


def test_over_time_the_states_stay_those_of_the_module():
    controller = network()
    policy = Policy(controller, HIGH)
    memory = None
    y = controller.initial_state(50)
    for o in (observations(seed) for seed in range(30)):
        _, memory = policy.predict(o, memory)
        with torch.no_grad():
            y = controller(torch.from_numpy(o), y)[1]
    np.testing.assert_allclose(memory, y.numpy(), rtol=1e-12, atol=1e-12)


def test_single_precision_observations_give_what_their_values_give():
    policy = Policy(network())
    o = observations().astype(np.float32)
    for one, other in zip(
        policy.predict(o, states()), policy.predict(o.astype(float), states()), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_batch_gives_what_its_rows_give_alone():
    policy = Policy(network())
    o = observations()
    y = states()
    together = policy.predict(o, y)
    alone = [policy.predict(o[i], y[i : i + 1]) for i in range(len(o))]
    np.testing.assert_array_equal(together[0], [action for action, _ in alone])
    np.testing.assert_array_equal(together[1], np.concatenate([state for _, state in alone]))


def test_shapes_of_one_and_of_many():
    policy = Policy(network())
    shapes = [
        [np.shape(part) for part in policy.predict(o)]
        for o in (observations()[0], observations(batch=3))
    ]
    assert shapes == [[(6,), (1, NEURONS)], [(3, 6), (3, NEURONS)]]


def test_no_state_means_neurons_at_rest():
    policy = Policy(network())
    o = observations()
    for one, other in zip(
        policy.predict(o), policy.predict(o, np.zeros((50, NEURONS))), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_prediction_is_deterministic_whatever_is_asked():
    policy = Policy(network())
    o = observations()
    y = states()
    one, other = (policy.predict(o, y, deterministic=flag) for flag in (True, False))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_prediction_leaves_its_arguments_alone():
    policy = Policy(network())
    o = observations()
    y = states()
    before = o.copy(), y.copy()
    action, state = policy.predict(o, y, np.ones(50, dtype=bool))
    action += 1
    state += 1
    np.testing.assert_array_equal(o, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_episode_start_resets_those_rows_only():
    policy = Policy(network())
    o = observations(batch=4)
    y = states(batch=4)
    start = np.array([True, False, True, False])
    action, state = policy.predict(o, y, start)
    fresh = policy.predict(o)
    kept = policy.predict(o, y)
    np.testing.assert_array_equal(action, np.where(start[:, None], fresh[0], kept[0]))
    np.testing.assert_array_equal(state, np.where(start[:, None], fresh[1], kept[1]))
    assert (fresh[1] != kept[1]).any()


def test_a_second_episode_repeats_the_first():
    policy = Policy(network())
    memory = None
    episodes = []
    for _ in range(2):
        actions = []
        for i, o in enumerate(observations(batch=10)):
            action, memory = policy.predict(o, memory, np.array([i == 0]))
            actions.append(action)
        episodes.append(np.array(actions))
    np.testing.assert_array_equal(*episodes)
    assert (episodes[0].std(0) > 0).any()


@pytest.mark.parametrize("max_excitation", [0.1, 0.5])
def test_actions_stay_in_the_action_space(max_excitation):
    arm = replace(Arm(), max_excitation=max_excitation)
    space = gym.make("arm_env:ReachArm-v0", arm=arm).action_space
    actions, _ = Policy(network(), arm).predict(100 * observations())
    assert all(space.contains(action) for action in actions)
    assert (actions == np.float32(max_excitation)).any() and (actions == 0).any()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (19,), (21,), (3, 19), (2, 3, SIGNALS), (0,)])
def test_observations_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=rf"observations of {SIGNALS} signals, not of shape"):
        Policy(network()).predict(np.zeros(shape))


@pytest.mark.parametrize("shape", [(NEURONS,), (3, NEURONS - 1), (2, NEURONS), (4, NEURONS)])
def test_states_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"the state of 3 arms is \(3, 4\), not"):
        Policy(network()).predict(observations(batch=3), np.zeros(shape))


@pytest.mark.parametrize("shape", [(2,), (4,), (3, NEURONS)])
def test_an_episode_start_of_another_shape_is_refused(shape):
    with pytest.raises((ValueError, IndexError)):
        Policy(network()).predict(
            observations(batch=3), states(batch=3), np.ones(shape, dtype=bool)
        )


# --- in the environments --------------------------------------------------------------------------


def drive(policy, targets, steps=60, **arguments):
    """States and actions of an episode in a fresh environment, and its return."""
    env = gym.make("arm_env:ReachArm-v0", arm=ARM, **arguments)
    observation, info = env.reset(
        seed=7, options=None if targets is None else {"schedule": targets}
    )
    path = [info["state"]]
    actions = []
    total = 0.0
    memory = None
    start = np.array([True])
    for _ in range(steps):
        action, memory = policy.predict(observation, memory, start)
        observation, reward, _, _, info = env.step(action)
        assert env.observation_space.contains(observation) and env.action_space.contains(action)
        path.append(info["state"])
        actions.append(action)
        total += reward
        start = np.array([False])
    return np.array(path), np.array(actions), total


def test_without_noise_the_environment_is_the_rollout_that_was_trained():
    """But for the rounding of observations and actions to float32.

    That is a relative noise of 2⁻²⁴ on every signal: ten times what such a noise does to the
    rollout is allowed.
    """
    controller = network()
    drawn, x, u, _ = rollout_of(controller)
    rng = np.random.default_rng(8)
    rounded = [
        rollout_of(controller, lambda shape: rng.uniform(-SINGLE, SINGLE, shape)) for _ in range(5)
    ]
    allowed_x = 10 * max((x - other).abs().max().item() for _, other, _, _ in rounded)
    allowed_u = 10 * max((u - other).abs().max().item() for _, _, other, _ in rounded)
    assert allowed_x < 1e-3 and allowed_u < 1e-3  # small enough to mean something
    assert (x[:, -1] - x[:, 0]).abs().max() > 0.1 and u.max() < ARM.max_excitation
    for i, commands in enumerate(drawn.commands.numpy()):
        jump = arm_env.CommandList(commands[[0, -1]], hold=0.3)
        path, actions, total = drive(Policy(controller, ARM), jump, noise=0.0)
        np.testing.assert_allclose(path, x[i].numpy(), rtol=0, atol=allowed_x)
        np.testing.assert_allclose(actions, u[i].numpy(), rtol=0, atol=allowed_u)
        v = values(
            Reach(), ARM, CostWeights(), x[i : i + 1], u[i : i + 1], drawn.commands[i : i + 1], 0.01
        )
        assert -total == pytest.approx(v.item(), abs=10 * allowed_x)


def test_noisy_episodes_run_and_repeat_themselves():
    one, same = (drive(Policy(network(), ARM), None, noise=0.2) for _ in range(2))
    np.testing.assert_array_equal(one[0], same[0])
    silent = drive(Policy(network(), ARM), None, noise=0.0)
    assert (one[0] != silent[0]).any()


def test_evaluation_runs_in_the_vector_environment_and_repeats_itself():
    one, same, other = (
        arm_env.evaluate(Policy(network()), movements=3, seed=seed) for seed in (1, 1, 2)
    )
    assert asdict(one) == asdict(same) and one.mean_value != other.mean_value
    assert one.number_of_movements == 3 and np.isfinite(one.median_endpoint_error_m)


def test_in_the_vector_environment_each_arm_does_what_it_does_alone():
    envs = gym.make_vec("arm_env:ReachArm-v0", num_envs=3, noise=0.0, arm=ARM)
    targets = Reach().sample_commands(np.random.default_rng(4), 2, ARM)
    together = arm_env.record(
        Policy(network(), ARM), envs, 40, seed=1, options={"targets": targets}
    )
    path, actions, _ = drive(
        Policy(network(), ARM), arm_env.CommandList(targets), steps=40, noise=0.0
    )
    for arm in range(3):
        np.testing.assert_array_equal(together.states[:, arm], path)
        np.testing.assert_array_equal(together.actions[:, arm], actions)


@pytest.mark.parametrize("period", [0.005, 0.02])
def test_evaluation_measures_one_whole_jump_at_any_control_period(period, monkeypatch):
    """The arm must not be put back to a start on the way: the recorded path has no leap in it."""
    recordings, record = [], arm_env.evaluation.record

    def kept(*arguments, **keywords):
        recordings.append(record(*arguments, **keywords))
        return recordings[-1]

    monkeypatch.setattr(arm_env.evaluation, "record", kept)
    arm_env.evaluate(
        Policy(network(control_period=period)), movements=3, seed=1, control_period=period
    )
    angles = recordings[0].states[..., :2]
    commands = recordings[0].commands
    half = round(1.0 / period)
    assert len(commands) == 2 * half
    assert abs(np.diff(angles, axis=0)).max() < SPEED_BOUND * period
    assert (commands[:half] == commands[0]).all() and (commands[half:] == commands[-1]).all()


# --- loading --------------------------------------------------------------------------------------


def test_a_checkpoint_loads_as_a_controller_that_runs_at_once(tmp_path):
    arm = replace(Arm(), max_excitation=0.3)
    path = Checkpoint(network(), arm=arm).save(tmp_path / "checkpoint.safetensors")
    expected = Policy(network(), arm).predict(observations(), states())
    for name in (path, str(path), tmp_path):
        for one, other in zip(load(name).predict(observations(), states()), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_network_trained_on_goes_its_own_way():
    """A policy holds the weights it was made from: all of them or, worse, some."""
    controller = network()
    policy = Policy(controller, HIGH)
    before, _ = policy.predict(observations(), states())
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(policy.predict(observations(), states())[0], before)
    assert (Policy(controller, HIGH).predict(observations(), states())[0] != before).any()


# --- what a controller was made for ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["network", "module", "other module", "shipped", "receding"])
def test_a_controller_is_refused_at_another_control_period(kind):
    if kind == "receding":
        controller = arm_env.RecedingHorizon(Reach())
    elif kind == "shipped":
        controller = load("reach")
    elif kind == "network":
        controller = Policy(network())
    else:
        module = network()
        if kind == "other module":
            module.control_period, module.config = 0.01, SimpleNamespace(neurons=NEURONS)
        controller = ModuleController(module)
    assert controller.control_period == 0.01
    with pytest.raises(
        ValueError, match=r"acts every 0.01 s, and the environment takes a step in 0.02 s"
    ):
        arm_env.evaluate(controller, movements=2, control_period=0.02)
    with pytest.raises(ValueError, match=r"acts every 0.01 s"):
        arm_env.record(controller, gym.make_vec("ReachArm-v0", 2, control_period=0.005), 2, seed=1)


def test_equal_control_periods_may_differ_in_the_digits_that_a_person_leaves_out():
    arm_env.record(
        arm_env.JointPD(control_period=0.0333333),
        gym.make_vec("ReachArm-v0", 2, control_period=1 / 30),
        2,
        1,
    )


def test_the_loop_of_a_network_is_that_of_its_control_period():
    with pytest.raises(ValueError, match=r"acts every 0.01 s, .* in 0.02 s"):
        ClosedLoop(network(), Reach(), ARM, control_period=0.02)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "kind", [Policy, ModuleController, lambda n: arm_env.JointPD()], ids=["p", "m", "pd"]
)
def test_an_observation_that_is_not_finite_is_refused(kind, value):
    controller = kind(network())
    observation = np.zeros((2, SIGNALS))
    observation[1, 3] = value
    for given in (observation, observation[1]):
        with pytest.raises(ValueError, match=f"finite observations, and signal 3 is {value}"):
            controller.predict(given)
    assert np.isfinite(controller.predict(np.full((2, SIGNALS), 1e100))[0]).all()


@pytest.mark.parametrize(
    "kind", [Policy, ModuleController, lambda n: arm_env.JointPD()], ids=["p", "m", "pd"]
)
def test_a_tensor_whose_gradient_is_wanted_is_an_observation(kind):
    controller = kind(network())
    observation = np.full((2, SIGNALS), 0.5)
    expected, _ = controller.predict(observation)
    np.testing.assert_array_equal(
        controller.predict(torch.tensor(observation, requires_grad=True))[0], expected
    )


def test_a_function_may_return_a_tensor_whose_gradient_is_wanted():
    layer = torch.nn.Linear(20, 6)
    ours = arm_env.evaluate(lambda o: layer(torch.as_tensor(o)).sigmoid(), movements=3, seed=1)
    assert ours == arm_env.evaluate(
        lambda o: layer(torch.as_tensor(o)).sigmoid().tolist(), movements=3, seed=1
    )


def test_a_controller_keeps_what_it_was_made_of():
    module = build(ModuleConfig("mlp", 4), Reach(), ARM, torch.Generator().manual_seed(1))
    controller = Policy(module)
    observation = np.full((1, SIGNALS), 0.5)
    expected = controller.predict(observation)[0]
    module.shift += 1.0
    np.testing.assert_array_equal(controller.predict(observation)[0], expected)
