"""The network of eq. 2: its blocks, its step by hand, its limits, and what it refuses."""

import math

import pytest
import torch

from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE
from rnn_controller.networks.recurrent import ACTIVATIONS, NetworkConfig, RecurrentController

NEURONS = 5
COMMANDS = 2
SHAPES = {
    "recurrent": (NEURONS, NEURONS),
    "sensory": (NEURONS, SENSORY_SIZE),
    "command": (NEURONS, COMMANDS),
    "motor": (MUSCLE_COUNT, NEURONS),
    "reflex": (MUSCLE_COUNT, SENSORY_SIZE),
    "neural_bias": (NEURONS,),
    "motor_bias": (MUSCLE_COUNT,),
}


def network(seed=0, **config):
    return RecurrentController(
        NetworkConfig(NEURONS, **config), COMMANDS, torch.Generator().manual_seed(seed)
    )


def signals(seed=1, batch=4):
    generator = torch.Generator().manual_seed(seed)
    observation = torch.randn(
        batch, SENSORY_SIZE + COMMANDS, dtype=torch.float64, generator=generator
    )
    return observation, torch.rand(batch, NEURONS, dtype=torch.float64, generator=generator)


def settled(controller, observation, duration):
    """The neural state after a duration [s] of constant input, from rest."""
    state = controller.initial_state(len(observation))
    for _ in range(round(duration / controller.config.control_period)):
        _, state = controller(observation, state)
    return state


# --- blocks ---------------------------------------------------------------------------------------


def test_five_blocks_and_two_biases_by_name():
    assert {name: tuple(p.shape) for name, p in network().named_parameters()} == SHAPES


def test_weights_are_in_the_order_of_the_compiled_rollout():
    controller = network()
    assert [id(w) for w in controller.weights] == [
        id(controller.get_parameter(name)) for name in SHAPES
    ]


def test_all_weights_are_double_precision():
    assert {p.dtype for p in network().parameters()} == {torch.float64}


def test_command_block_follows_the_size_of_the_command():
    controller = RecurrentController(NetworkConfig(NEURONS), 4, torch.Generator().manual_seed(0))
    assert controller.command.shape == (NEURONS, 4)


def test_same_generator_seed_gives_same_weights_and_another_others():
    one, same, other = (
        torch.nn.utils.parameters_to_vector(network(seed).parameters()) for seed in (3, 3, 4)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_first_weights_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    network(3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_muscle_has_drive_and_gradient_at_the_start():
    controller = network()
    assert (controller.motor > 0).all() and (controller.motor_bias > 0).all()


def test_without_bias_there_is_no_tonic_drive_and_none_is_trained():
    controller = network(bias=False)
    assert not controller.neural_bias.any() and not controller.motor_bias.any()
    assert not controller.neural_bias.requires_grad and not controller.motor_bias.requires_grad
    assert all(
        controller.get_parameter(name).requires_grad for name in SHAPES if "bias" not in name
    )


# --- one step -------------------------------------------------------------------------------------


def hand_made():
    """One neuron; s = (1, …, 1), k = (0.4, 0.1), y = 2."""
    controller = RecurrentController(NetworkConfig(1, time_constant=0.02, control_period=0.01), 2)
    with torch.no_grad():
        controller.recurrent.fill_(0.5)
        controller.sensory.fill_(0.1)
        controller.command.copy_(torch.tensor([[1.0, -2.0]]))
        controller.motor.copy_(torch.tensor([[0.5], [-0.5], [0.0], [1.0], [-0.3], [-0.2]]))
        controller.reflex.fill_(0.01)
        controller.neural_bias.fill_(-0.3)
        controller.motor_bias.fill_(0.2)
    observation = torch.tensor([[1.0] * SENSORY_SIZE + [0.4, 0.1]], dtype=torch.float64)
    return controller, observation, torch.tensor([[2.0]], dtype=torch.float64)


def test_excitations_are_eq_2_worked_out_by_hand():
    controller, observation, state = hand_made()
    u, _ = controller(observation, state)
    # [2 w + 18 · 0.01 + 0.2]₊ for each motor weight w
    expected = torch.tensor([[1.38, 0.0, 0.38, 2.38, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(u, expected, rtol=0, atol=1e-15)


def test_neural_state_is_eq_2_worked_out_by_hand():
    controller, observation, state = hand_made()
    # 0.5 · 2 + 0.1 · 18 + (0.4 − 0.2) − 0.3 = 2.7, of which half a time constant lets in 1 − e^−½
    expected = math.exp(-0.5) * 2 + (1 - math.exp(-0.5)) * 2.7
    assert controller(observation, state)[1].item() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("activation", "rate"),
    [("relu", 0.0), ("tanh", math.tanh(-2.3)), ("sigmoid", 1 / (1 + math.exp(2.3)))],
)
def test_transfer_function_acts_on_the_drive(activation, rate):
    controller, observation, state = hand_made()
    controller.config = NetworkConfig(
        1, time_constant=0.02, control_period=0.01, activation=activation
    )
    with torch.no_grad():
        controller.neural_bias.fill_(-5.3)  # the drive is now −2.3
    expected = math.exp(-0.5) * 2 + (1 - math.exp(-0.5)) * rate
    assert controller(observation, state)[1].item() == pytest.approx(expected, abs=1e-14)


def test_no_route_leads_from_the_command_to_the_excitations_within_one_step():
    controller, (observation, state) = network(), signals()
    slope = torch.autograd.functional.jacobian(
        lambda o: controller(o, state)[0].sum(0), observation
    )
    assert slope[..., :SENSORY_SIZE].abs().max() > 0  # the reflex is such a route
    assert slope[..., SENSORY_SIZE:].abs().max() == 0


def test_the_command_reaches_the_excitations_by_the_neurons_one_step_later():
    controller, (observation, state) = network(), signals()

    def second_excitation(o):
        return controller(observation, controller(o, state)[1])[0].sum(0)

    slope = torch.autograd.functional.jacobian(second_excitation, observation)
    assert slope[..., SENSORY_SIZE:].abs().max() > 0


def test_excitations_are_never_negative():
    controller = network()
    with torch.no_grad():
        controller.reflex.mul_(100)
    u, _ = controller(*signals(batch=50))
    assert (u == 0).any() and (u > 0).any() and not (u < 0).any()


def test_rows_of_a_batch_do_not_mix():
    controller, (observation, state) = network(), signals()
    together = controller(observation, state)
    alone = [controller(observation[i : i + 1], state[i : i + 1]) for i in range(len(state))]
    for joint, single in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(joint, torch.cat(single), rtol=1e-14, atol=1e-15)


def test_neurons_start_at_rest():
    assert torch.equal(network().initial_state(3), torch.zeros(3, NEURONS, dtype=torch.float64))


# --- in time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [0.0025, 0.005, 0.01, 0.02, 0.1])
def test_neurons_without_recurrence_follow_the_ode_exactly_at_any_control_period(period):
    controller, (observation, _) = network(control_period=period, time_constant=0.03), signals()
    with torch.no_grad():
        controller.recurrent.zero_()
    s, k = observation[:, :SENSORY_SIZE], observation[:, SENSORY_SIZE:]
    rate = torch.relu(s @ controller.sensory.T + k @ controller.command.T + controller.neural_bias)
    expected = rate * (1 - math.exp(-0.1 / 0.03))  # y(0.1 s) of τ ẏ = −y + r from rest
    torch.testing.assert_close(
        settled(controller, observation, 0.1), expected, rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("period", [0.005, 0.01, 0.04])
def test_constant_input_settles_on_the_fixed_point_of_eq_2_at_any_control_period(
    period, activation
):
    controller = network(control_period=period, time_constant=0.02, activation=activation)
    observation, _ = signals()
    with torch.no_grad():  # contracting: half the largest gain
        controller.recurrent.mul_(0.5 / torch.linalg.matrix_norm(controller.recurrent, 2))
    y = settled(controller, observation, 2.0)
    s, k = observation[:, :SENSORY_SIZE], observation[:, SENSORY_SIZE:]
    drive = (
        y @ controller.recurrent.T
        + s @ controller.sensory.T
        + k @ controller.command.T
        + controller.neural_bias
    )
    torch.testing.assert_close(y, getattr(torch, activation)(drive), rtol=1e-12, atol=1e-13)
    assert y.abs().max() > 0.1


def test_the_leak_is_what_one_time_constant_leaves():
    assert network(time_constant=0.02, control_period=0.02).leak == pytest.approx(
        math.exp(-1), rel=1e-15
    )


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("neurons", [0, -3])
def test_a_network_without_neurons_is_refused(neurons):
    with pytest.raises(
        ValueError, match=f"neurons must be a whole number from 1 to 10000, not {neurons}"
    ):
        NetworkConfig(neurons)


def test_an_unknown_activation_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'swish': choose one of relu, tanh, sigmoid"):
        NetworkConfig(activation="swish")


@pytest.mark.parametrize("name", ["time_constant", "control_period"])
@pytest.mark.parametrize("value", [0.0, -0.01, math.nan])
def test_times_that_are_none_are_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a number from 0.0001 to "):
        NetworkConfig(**{name: value})
