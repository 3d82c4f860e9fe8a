"""The physics and the cost are written once: NumPy, compiled kernels and torch agree to 1e-12.

They differ only in the order of sums and in fused multiply-adds.
"""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics import equations, layout, plant, task_kernels
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.random_numbers import standard_normals
from arm_env.tasks.reach import Reach
from arm_env.tasks.shapes import Circle, RoundedPolygon
from rnn_controller.networks.recurrent import ACTIVATIONS, NetworkConfig, RecurrentController
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.plant import TORCH, rollout, tensors
from rnn_controller.training.objective import values

ARM = Arm()
OTHER_ARM = Arm(
    mass=(1.9, 0.8),
    length=(0.33, 0.27),
    centre_of_mass=(0.15, 0.12),
    inertia=(0.06, 0.03),
    friction=(0.08, 0.01, 0.03),
    lower_stop=(0.1, 0.3),
    upper_stop=(2.0, 2.5),
    stop_stiffness=900.0,
    stop_damping=60.0,
    path_offset=(0.062, 0.099, 0.181, 0.158, 0.254, 0.179),
    path_slope=(
        (-0.03, 0.02, -0.002, 0.0, -0.01, 0.025),
        (0.0, -0.001, -0.015, 0.027, -0.005, 0.020),
    ),
    path_curvature=(0.001, 0.0, -0.004, -0.002, -0.005, -0.003),
    tendon_length=(0.02, 0.03, 0.10, 0.15, 0.20, 0.12),
    optimal_length=(0.08, 0.04, 0.06, 0.05, 0.05, 0.045),
    maximum_force=(600.0, 500.0, 400.0, 300.0, 200.0, 100.0),
    activation_time=0.04,
    tone=0.01,
    max_excitation=1.5,
    curl=20.0,
    field=((-6.0, 3.0), (7.0, 9.0)),
)
ARMS = pytest.mark.parametrize(
    "arm", [ARM, Arm.macaque(), OTHER_ARM], ids=["default", "macaque", "other"]
)
WEIGHTS = CostWeights(
    alpha=1.7, gamma=0.02, target_radius=0.09, brake_radius=0.05, reference_speed=0.4
)
SUBSTEP, SUBSTEPS = 0.005, 2
TASKS = pytest.mark.parametrize(
    "task", [Reach(), Circle(), RoundedPolygon()], ids=["reach", "circle", "triangle"]
)


def numbers(parameters):
    return parameters.arrays()


def assert_close(actual, expected):
    """To 1e-12 of the larger of 1 and the value."""
    actual = np.asarray(actual)
    expected = np.asarray(expected)
    assert actual.shape == expected.shape and np.isfinite(expected).all()
    assert (np.abs(actual - expected) / np.maximum(1, np.abs(expected))).max() < 1e-12


def states(rng, number=300):
    """Postures up to half a radian beyond the stops, fast, co-contracted."""
    angles = rng.uniform(
        np.array(ARM.lower_stop) - 0.5, np.array(ARM.upper_stop) + 0.5, (number, 2)
    )
    return np.concatenate(
        [angles, rng.uniform(-20, 20, (number, 2)), rng.uniform(0, 4, (number, 6))], -1
    )


def actions(rng, number=300):
    """Within the action space and beyond it on both sides."""
    return rng.uniform(-2, 6, (number, 6))


def compiled(kernel, size, arm, *rows):
    """The kernel's results for every row."""
    out = np.empty((len(rows[0]), size))
    for i, arguments in enumerate(zip(*rows, strict=True)):
        kernel(arm.flat(), *arguments, out[i])
    return out


def compiled_costs(arm, x, u, command, task=None, weights=WEIGHTS):
    """Three terms, distance, success, and the hand's x and y of every row."""
    kernels = task_kernels.compile_task(task or Reach())
    return costs_of(kernels, arm.flat(), weights.flat(), x, u, command)


def costs_of(kernels, p, w, x, u, command):
    """Costs (B, 7), without their observations."""
    unbounded = np.full(18 + command.shape[1], np.inf)
    return present(kernels, p, w, x, u, command, (0.0, 0, 0), (-unbounded, unbounded))[0]


def present(kernels, p, w, x, u, command, noise, bounds):
    """Costs (B, 7) and observations (B, n) of arms that do not move."""
    costs, seen = np.empty((len(x), layout.COSTS)), np.empty((len(x), len(bounds[0])), np.float32)
    clock = np.zeros(len(x), dtype=np.int64)
    before = x.copy()
    kernels.advance(
        p, w, SUBSTEP, 0, u, *noise, command, command, *bounds, x[None], clock, costs, seen
    )
    assert not clock.any() and np.array_equal(x, before)
    return costs, seen


def compiled_step(arm, x, u):
    out = np.empty_like(x)
    for i in range(len(x)):
        plant.step(arm.flat(), SUBSTEP, x[i], u[i], out[i])
    return out


# --- single equations -----------------------------------------------------------------------------


@ARMS
def test_step(arm):
    rng = np.random.default_rng(1)
    x, u = states(rng), rng.uniform(0, arm.max_excitation, (300, 6))
    expected = equations.step(NUMPY, numbers(arm), x, u, SUBSTEP)
    assert_close(compiled_step(arm, x, u), expected)
    h = torch.tensor(SUBSTEP, dtype=torch.float64)
    assert_close(equations.step(TORCH, tensors(arm), torch.tensor(x), torch.tensor(u), h), expected)


@ARMS
def test_sense(arm):
    x = states(np.random.default_rng(2))
    expected = equations.sense(NUMPY, numbers(arm), x)
    assert_close(compiled(plant.sense, 18, arm, x), expected)
    assert_close(equations.sense(TORCH, tensors(arm), torch.tensor(x)), expected)


@ARMS
def test_excitation(arm):
    rng = np.random.default_rng(3)
    u = actions(rng)
    noise = rng.normal(0, 0.5, (300, 6))
    expected = equations.excitation(NUMPY, numbers(arm), u, noise)
    assert (expected == arm.tone).any() and (expected == arm.max_excitation).any()
    assert_close(compiled(plant.excite, 6, arm, u, noise), expected)
    assert_close(
        equations.excitation(TORCH, tensors(arm), torch.tensor(u), torch.tensor(noise)), expected
    )


@ARMS
def test_hand(arm):
    x = states(np.random.default_rng(4))
    expected = np.stack(equations.hand(NUMPY, numbers(arm), x), -1)
    assert_close(
        compiled_costs(arm, x, np.zeros((300, 6)), np.zeros((300, 2)))[:, 5:], expected[:, :2]
    )
    assert_close(torch.stack(equations.hand(TORCH, tensors(arm), torch.tensor(x)), -1), expected)


@ARMS
def test_control_steps(arm):
    rng = np.random.default_rng(5)
    x = states(rng)
    u = actions(rng)
    noise = rng.normal(0, 0.2, (300, 6))
    expected = x
    held = equations.excitation(NUMPY, numbers(arm), u, noise)
    for _ in range(SUBSTEPS):
        expected = equations.step(NUMPY, numbers(arm), expected, held, SUBSTEP)
    plant.control_steps(arm.flat(), SUBSTEP, SUBSTEPS, u, noise, x)
    assert_close(x, expected)


@ARMS
def test_observation_is_the_noisy_sensory_signal_and_command(arm):
    rng = np.random.default_rng(6)
    x = states(rng)
    command = rng.uniform(-0.6, 0.6, (300, 2))
    noise = np.empty((300, 20))
    standard_normals(5, 6, noise.reshape(-1))
    noise *= 0.2
    bounds = np.full(20, -3.0), np.full(20, 3.0)
    given = (arm.flat(), WEIGHTS.flat(), x, np.zeros((300, 6)), command)
    kernels = task_kernels.compile_task(Reach())
    _, observation = present(kernels, *given, (0.2, 5, 6), bounds)
    signal = np.concatenate([equations.sense(NUMPY, numbers(arm), x), command], -1) * (1 + noise)
    assert (np.abs(signal) > 3).any()
    np.testing.assert_allclose(observation, np.clip(signal, -3, 3), rtol=1e-6, atol=1e-9)  # float32


@ARMS
@pytest.mark.parametrize("task", [Reach(), Circle()], ids=["reach", "circle"])
def test_the_whole_step_of_an_environment_is_its_kernels_in_turn(arm, task):
    """Noise of the excitations comes first, then that of the observations.

    The next command is seen, not charged.
    """
    rng = np.random.default_rng(14)
    size = task.command_size
    x, u = states(rng), actions(rng)
    command, following = (task.sample_commands(rng, 300, ARM) for _ in range(2))
    drawn = np.empty(300 * (24 + size))
    deviation = 0.3
    key = 2**62 + 5
    draw = 17
    standard_normals(key, draw, drawn)
    low, high = np.full(18 + size, -3.0), np.full(18 + size, 3.0)
    kernels = task_kernels.compile_task(task)
    numbers_of_arm = numbers(arm)
    given = (arm.flat(), WEIGHTS.flat())

    expected = x.copy()
    plant.control_steps(
        given[0], SUBSTEP, SUBSTEPS, u, deviation * drawn[:1800].reshape(300, 6), expected
    )
    costs = costs_of(kernels, *given, expected, u, command)
    signal = np.concatenate([equations.sense(NUMPY, numbers_of_arm, expected), following], -1)
    noisy = signal * (1 + deviation * drawn[1800:].reshape(300, -1))
    observation = np.clip(noisy, low, high).astype(np.float32)

    got = np.empty_like(costs)
    seen = np.empty_like(observation)
    clock = np.zeros(300, dtype=np.int64)
    kernels.advance(
        *given,
        SUBSTEP,
        SUBSTEPS,
        u,
        deviation,
        key,
        draw,
        command,
        following,
        low,
        high,
        x[None],
        clock,
        got,
        seen,
    )
    assert (clock == 1).all()
    assert_close(x, expected)
    assert_close(got, costs)
    np.testing.assert_allclose(seen, observation, rtol=1e-6, atol=1e-9)  # float32


@pytest.mark.parametrize("name", [field.name for field in fields(Arm)])
def test_every_parameter_of_the_arm_is_read_at_run_time(name):
    """Changing one field changes the compiled physics, and just as it changes the equations."""
    before = replace(ARM, curl=15.0, field=((3.0, 1.0), (-2.0, 4.0)))
    arm = replace(before, **{name: (1.1 * np.array(getattr(before, name))).tolist()})
    rng = np.random.default_rng(7)
    x = states(rng)
    u = actions(rng)
    noise = np.zeros((300, 6))

    def everything(arm):
        held = compiled(plant.excite, 6, arm, u, noise)
        return np.concatenate([held, compiled_step(arm, x, held)], -1)

    held = equations.excitation(NUMPY, numbers(arm), u, noise)
    after = equations.step(NUMPY, numbers(arm), x, held, SUBSTEP)
    assert_close(everything(arm), np.concatenate([held, after], -1))
    assert np.abs(everything(arm) - everything(before)).max() > 1e-4


# --- cost -----------------------------------------------------------------------------------------


def hands(arm, x):
    return np.stack(equations.hand(NUMPY, numbers(arm), x)[:2], -1)


def cost_samples(rng, task=None):
    """States, excitations, and commands whose attractors lie about the hand."""
    x, u = states(rng), rng.uniform(0, 4, (300, 6))
    place = hands(ARM, x) + rng.normal(0, 0.1, (300, 2))
    if (task or Reach()).command_size == 2:
        return x, u, place
    return x, u, np.column_stack([place, rng.uniform(0.0, 0.15, 300), rng.uniform(-1, 1, 300)])


@ARMS
@TASKS
def test_cost(arm, task):
    x, u, command = cost_samples(np.random.default_rng(8), task)
    expected = np.stack(task.cost(NUMPY, numbers(arm), numbers(WEIGHTS), x, u, command), -1)
    terms = task.cost(TORCH, tensors(arm), tensors(WEIGHTS), *map(torch.tensor, (x, u, command)))
    assert_close(torch.stack(terms, -1), expected)
    out = compiled_costs(arm, x, u, command, task)
    assert_close(out[:, :3], expected)
    assert_close(out[:, 3], np.sqrt(task.error(NUMPY, command, *hands(arm, x).T)[0]))


@ARMS
def test_distances_are_those_from_the_point_and_from_the_circle(arm):
    x, u, command = cost_samples(np.random.default_rng(8), Circle())
    centre_off = np.linalg.norm(hands(arm, x) - command[:, :2], axis=-1)
    assert_close(compiled_costs(arm, x, u, command[:, :2].copy())[:, 3], centre_off)
    assert_close(
        compiled_costs(arm, x, u, command, Circle())[:, 3], abs(centre_off - command[:, 2])
    )


def test_cost_of_a_circle_is_equation_7():
    """(1 − e)(1 + α/2 v_d²/v0²) + α/2 e |v − v_d n|²/v0² + γ/2 |u|².

    n is the clockwise tangent; both radii are d0.
    """
    weights = CostWeights(
        alpha=1.7, gamma=0.02, target_radius=0.05, brake_radius=0.05, reference_speed=0.4
    )
    x, u, command = cost_samples(np.random.default_rng(9), Circle())
    px, py, vx, vy = equations.hand(NUMPY, numbers(ARM), x)
    (cx, cy, radius, speed), away = command.T, np.arctan2(py - command[:, 1], px - command[:, 0])
    d = np.abs(np.hypot(px - cx, py - cy) - radius)
    nx, ny = np.cos(away - np.pi / 2), np.sin(away - np.pi / 2)
    e = np.exp(-(d**2) / (2 * 0.05**2))
    scale = 0.5 * 1.7 / 0.4**2
    off = (vx - speed * nx) ** 2 + (vy - speed * ny) ** 2
    expected = (1 - e) * (1 + scale * speed**2) + scale * e * off + 0.5 * 0.02 * (u**2).sum(-1)
    assert (e > 0.9).any() and (e < 0.1).any() and (speed < 0).any()
    assert_close(sum(Circle().cost(NUMPY, numbers(ARM), numbers(weights), x, u, command)), expected)


@pytest.mark.parametrize("place", ["anywhere", "on the target", "a hair off it"])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_circle_without_radius_and_speed_costs_exactly_what_the_point_does(place, library):
    x, u, target = cost_samples(np.random.default_rng(15))
    if place != "anywhere":
        target = hands(ARM, x) + (0.0 if place == "on the target" else 3e-5)
    point = np.column_stack([target, np.zeros((300, 2))])
    convert, xp, read = (
        (np.asarray, NUMPY, numbers) if library == "numpy" else (torch.tensor, TORCH, tensors)
    )
    x, u, target, point = map(convert, (x, u, target, point))
    reach = Reach().cost(xp, read(ARM), read(WEIGHTS), x, u, target)
    circle = Circle().cost(xp, read(ARM), read(WEIGHTS), x, u, point)
    assert all((one == other).all() for one, other in zip(reach, circle, strict=True))


def test_compiled_too_a_circle_without_radius_and_speed_costs_what_the_point_does():
    x, u, target = cost_samples(np.random.default_rng(15))
    target[:100] = hands(ARM, x[:100])
    point = np.column_stack([target, np.zeros((300, 2))])
    reach = compiled_costs(ARM, x, u, target)
    circle = compiled_costs(ARM, x, u, point, Circle())
    reach[:, 4] = reach[:, 3] < Circle.tolerance  # whose success is nearer
    # fused multiply-adds may differ
    np.testing.assert_allclose(circle, reach, rtol=1e-14, atol=1e-15)


def test_cost_is_equation_6():
    """1 − e + α/2 |v|²/v0² e + γ/2 |u|², e = exp(−d²/2d0²); both radii are d0."""
    weights = CostWeights(
        alpha=1.7, gamma=0.02, target_radius=0.05, brake_radius=0.05, reference_speed=0.4
    )
    x, u, command = cost_samples(np.random.default_rng(9))
    px, py, vx, vy = equations.hand(NUMPY, numbers(ARM), x)
    e = np.exp(-((px - command[:, 0]) ** 2 + (py - command[:, 1]) ** 2) / (2 * 0.05**2))
    expected = 1 - e + 0.5 * 1.7 * (vx**2 + vy**2) / 0.4**2 * e + 0.5 * 0.02 * (u**2).sum(-1)
    assert_close(sum(Reach().cost(NUMPY, numbers(ARM), numbers(weights), x, u, command)), expected)


def test_velocity_term_has_a_radius_of_its_own():
    """e of the distance has ``target_radius``, e of the velocity ``brake_radius``."""
    x, u, command = cost_samples(np.random.default_rng(13))

    def terms(weights):
        return Reach().cost(NUMPY, numbers(ARM), numbers(weights), x, u, command)

    distance, velocity, effort = terms(WEIGHTS)
    narrow = terms(replace(WEIGHTS, target_radius=WEIGHTS.brake_radius))
    wide = terms(replace(WEIGHTS, brake_radius=WEIGHTS.target_radius))
    assert (distance < narrow[0]).all() and (distance == wide[0]).all()
    assert (velocity < wide[1]).all() and (velocity == narrow[1]).all()
    assert (effort == wide[2]).all()


def test_cost_without_effort_vanishes_only_at_rest_on_the_target():
    x = np.zeros((3, 10))
    x[:, :2] = 1.0
    x[1, 2] = 0.5  # moving
    command = np.stack(equations.hand(NUMPY, numbers(ARM), x)[:2], -1)
    command[2] += 0.02  # beside the target
    total = sum(
        Reach().cost(
            NUMPY, numbers(ARM), numbers(CostWeights(alpha=1.0)), x, np.zeros((3, 6)), command
        )
    )
    assert total[0] == 0 and (total[1:] > 0.1).all()


# --- closed loop ----------------------------------------------------------------------------------

PERIODS = 100
"""Control periods of the closed loop, 1 s.

Rounding doesn't grow on the way: muscles damp it, to 4e-14 here.
"""


def movement(rng, activation, batch=4):
    network = RecurrentController(
        NetworkConfig(12, activation=activation), 2, torch.Generator().manual_seed(10)
    )
    x0 = np.zeros((batch, 10))
    x0[:, :2] = Reach().sample_angles(rng, batch)
    x0[:, 2:] = rng.uniform(0, 0.5, (batch, 8))
    commands = np.repeat(Reach().sample_commands(rng, batch, ARM)[:, None], PERIODS, 1)
    noise = rng.normal(0, 0.14, (batch, PERIODS, 26))
    return network, *(
        torch.from_numpy(a) for a in (x0, rng.uniform(0, 1, (batch, 12)), commands, noise)
    )


def by_hand(network, arm, x0, y0, commands, noise):
    """The closed loop over the kernels of the environment and the network's own forward."""
    x = x0.numpy().copy()
    y = y0
    states = [x0.numpy()]
    actions = []
    for t in range(commands.shape[1]):
        signal = torch.cat(
            [torch.from_numpy(compiled(plant.sense, 18, arm, x)), commands[:, t]], -1
        )
        with torch.no_grad():
            u, y = network(signal * (1 + noise[:, t, :20]), y)
        plant.control_steps(
            arm.flat(), SUBSTEP, SUBSTEPS, u.numpy(), noise[:, t, 20:].numpy().copy(), x
        )
        states.append(x.copy())
        actions.append(u.numpy())
    return np.stack(states, 1), np.stack(actions, 1), y.numpy()


@ARMS
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_closed_loop(arm, activation):
    network, x0, y0, commands, noise = movement(np.random.default_rng(11), activation)
    states, actions, y = by_hand(network, arm, x0, y0, commands, noise)
    assert np.ptp(states[:, :, 0], axis=1).min() > 0.05 and (actions > 0).any()  # the arm moves

    compiled_states, compiled_actions, compiled_y = pontryagin.rollout(
        network, arm, x0, y0, commands, noise
    )
    assert_close(compiled_states.detach(), states)
    assert_close(compiled_actions.detach(), actions)
    assert_close(compiled_y[:, -1], y)

    for compiled_body in (False, True):
        with torch.no_grad():
            torch_states, torch_actions = rollout(
                network, arm, x0, commands, noise, state=y0, compiled=compiled_body
            )
        assert_close(torch_states, states)
        assert_close(torch_actions, actions)


def test_value_is_the_sum_of_the_environments_costs():
    """A period is charged for the state it ends in and the excitation that led there."""
    network, x0, y0, commands, noise = movement(np.random.default_rng(12), "relu")
    with torch.no_grad():
        x, u, _ = pontryagin.rollout(network, ARM, x0, y0, commands, noise)
    expected = np.zeros(len(x))
    for t in range(PERIODS):
        after, action, command = (
            np.ascontiguousarray(a) for a in (x[:, t + 1], u[:, t], commands[:, t])
        )
        expected += compiled_costs(ARM, after, action, command)[:, :3].sum(-1) * 0.01
    assert_close(values(Reach(), ARM, WEIGHTS, x, u, commands, 0.01), expected)
