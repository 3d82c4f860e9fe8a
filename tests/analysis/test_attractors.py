"""Fixed points, limit cycles and their stability, against systems whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from arm_env import Arm, Circle, Reach
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import hand
from rnn_controller import NetworkConfig, RecurrentController, load_checkpoint
from rnn_controller.analysis import attractors
from rnn_controller.analysis.attractors import (
    ClosedLoop,
    components,
    fixed_point,
    limit_cycle,
    return_map,
)
from rnn_controller.rollouts import pontryagin

EYE = torch.eye(3, dtype=torch.float64)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def controller(task, seed=0, neurons=5):
    return RecurrentController(
        NetworkConfig(neurons), task.command_size, torch.Generator().manual_seed(seed)
    )


def random_states(loop, number, seed=0):
    return attractors.random_starts(np.random.default_rng(seed), loop, number)


# --- points ---------------------------------------------------------------------------------------


def test_fixed_point_of_a_linear_map_is_the_closed_form_one():
    matrix = tensor([[0.9, 0.3, 0.0], [-0.2, 0.7, 0.1], [0.0, 0.4, -0.5]])
    shift = tensor([1.0, -2.0, 0.5])
    point, residual = fixed_point(
        lambda q: matrix @ q + shift, lambda q: matrix, tensor([10.0, 10.0, 10.0])
    )
    torch.testing.assert_close(
        point, torch.linalg.solve(EYE - matrix, shift), rtol=1e-12, atol=1e-12
    )
    assert residual < 1e-12


def test_fixed_point_of_a_nonlinear_map():
    point, residual = fixed_point(
        torch.cos, lambda q: torch.diag(-torch.sin(q)), tensor([0.2, 1.0, 1.4])
    )
    torch.testing.assert_close(
        point, torch.full((3,), 0.7390851332151607, dtype=torch.float64), rtol=1e-12, atol=0
    )
    assert residual < 1e-12


# --- cycles: the Hopf normal form and a third, decaying direction ---------------------------------

MU = 1.7
DECAY = 0.8


def hopf(omega, step):
    """The exact flow over one step of ṙ = r (μ − r²), φ̇ = ω, ż = −λ z."""

    def flow(q):
        x, y, z = q
        square = x * x + y * y
        growth = (MU / (square + (MU - square) * np.exp(-2 * MU * step))) ** 0.5
        c, s = np.cos(omega * step), np.sin(omega * step)
        return torch.stack(
            [growth * (c * x - s * y), growth * (s * x + c * y), z * np.exp(-DECAY * step)]
        )

    return flow


def lap_of(flow):
    def crossing(q):
        return torch.where(q[..., 0] < 0, -torch.ones_like(q[..., 1]), q[..., 1])

    def jacobians(path):
        return torch.stack([torch.autograd.functional.jacobian(flow, q) for q in path])

    def follow(q):
        path = [q]
        for _ in range(300):
            path.append(flow(path[-1]))
        return torch.stack(path)

    return lambda q: return_map(follow, jacobians, crossing, q)


@pytest.mark.parametrize("omega", [2 * np.pi, 5.0])  # with a period of whole steps, and without
def test_limit_cycle_and_floquet_multipliers_of_the_hopf_normal_form(omega):
    step = 0.01
    period = 2 * np.pi / omega
    lap, residual = limit_cycle(lap_of(hopf(omega, step)), tensor([1.0, 0.0, 0.3]))
    assert residual < 1e-12
    assert lap.steps * step == pytest.approx(period, rel=1e-4)
    torch.testing.assert_close(lap.end, tensor([MU**0.5, 0.0, 0.0]), rtol=0, atol=1e-3)
    found = torch.linalg.eigvals(lap.jacobian).abs().sort().values
    expected = sorted([0.0, np.exp(-2 * MU * period), np.exp(-DECAY * period)])  # 0: along the flow
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_jacobian_of_the_return_map_is_its_finite_difference():
    go_round = lap_of(hopf(5.0, 0.05))
    start = tensor([1.2, 0.01, 0.3])
    jacobian = go_round(start).jacobian
    for i in range(3):
        ahead, behind = go_round(start + 1e-6 * EYE[i]).end, go_round(start - 1e-6 * EYE[i]).end
        torch.testing.assert_close(jacobian[:, i], (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)


def test_a_section_that_is_never_met_gives_no_lap():
    flow = hopf(1e-9, 0.05)
    assert lap_of(flow)(tensor([1.2, 0.1, 0.0])) is None
    assert limit_cycle(lap_of(flow), tensor([1.2, 0.1, 0.0])) == (None, np.inf)


# --- the closed loop ------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [Reach(), Circle()], ids=lambda t: type(t).__name__)
def test_closed_loop_is_the_rollout_without_noise(task):
    loop = ClosedLoop(controller(task), task)
    q, rng = random_states(loop, 4), np.random.default_rng(1)
    command = torch.from_numpy(task.sample_commands(rng, 4, Arm()))
    stepped = [q]
    with torch.no_grad():
        for _ in range(30):
            stepped.append(loop.step(stepped[-1], command))
    torch.testing.assert_close(
        loop.run(q, command, 30), torch.stack(stepped, 1), rtol=1e-12, atol=1e-12
    )


def test_any_module_with_a_state_runs_as_the_recurrent_controller_does():
    class Wrapped(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def initial_state(self, batch):
            return self.inner.initial_state(batch)

        def forward(self, observation, state):
            return self.inner(observation, state)

    inner = controller(Reach())
    plain = ClosedLoop(inner, Reach())
    wrapped = ClosedLoop(Wrapped(inner), Reach())
    q = random_states(plain, 2)
    command = torch.tensor([[0.1, 0.4], [0.2, 0.3]], dtype=torch.float64)
    torch.testing.assert_close(
        plain.run(q, command, 20), wrapped.run(q, command, 20), rtol=1e-12, atol=1e-12
    )


def test_jacobian_of_the_closed_loop_is_its_finite_difference():
    loop = ClosedLoop(controller(Reach()), Reach())
    q = random_states(loop, 2)
    command = torch.tensor([[0.1, 0.4], [0.2, 0.3]], dtype=torch.float64)
    jacobian = loop.jacobian(q, command)
    for i in range(loop.size):
        shift = torch.zeros(loop.size, dtype=torch.float64)
        shift[i] = 1e-6
        difference = (loop.step(q + shift, command) - loop.step(q - shift, command)).detach() / 2e-6
        torch.testing.assert_close(jacobian[:, :, i], difference, rtol=1e-5, atol=1e-6)


def test_a_controller_without_a_tensor_for_a_state_is_refused():
    class Stateless(torch.nn.Module):
        def initial_state(self, batch):
            return None

    with pytest.raises(TypeError, match="state must be a tensor"):
        ClosedLoop(Stateless(), Reach())


# --- the analysis ---------------------------------------------------------------------------------


def test_the_shipped_reach_controller_has_attractors_near_its_commands():
    checkpoint = load_checkpoint("reach")
    loop = ClosedLoop(checkpoint.network, Reach(), checkpoint.arm)
    commands = attractors.grid(Reach(), checkpoint.arm, 6)
    found = attractors.analyse(loop, commands, starts=3, progress=False)
    assert found.measures.fraction_stable == 1 and found.measures.max_residual < 1e-9
    for attractor in found.attractors:
        assert attractor.multiplier < 1 and attractor.error < 0.06
    again = attractors.analyse(loop, commands, starts=3, progress=False)
    assert again == found


def test_the_shipped_circle_controller_has_limit_cycles_near_its_commands():
    checkpoint = load_checkpoint("circle")
    loop = ClosedLoop(checkpoint.network, Circle(), checkpoint.arm)
    commands = np.array([[0.0, 0.42, 0.07, 0.4], [0.1, 0.4, 0.06, -0.35]])
    found = attractors.analyse(loop, commands, starts=3, progress=False)
    for command, attractor in zip(commands, found.attractors, strict=True):
        assert attractor.stable and attractor.residual < 1e-9 and attractor.error < 0.02
        assert attractor.period == pytest.approx(2 * np.pi * command[2] / abs(command[3]), rel=0.3)


@pytest.mark.parametrize("task", [Reach(), Circle()], ids=lambda t: type(t).__name__)
def test_without_muscles_nothing_is_stable(task):
    """Nor without tone: with it, the relaxed arm drifts to one posture, where it stays."""
    network = controller(task)
    with torch.no_grad():
        for weights in network.weights:
            weights.zero_()
    loop = ClosedLoop(network, task, replace(Arm(), tone=0.0))
    commands = attractors.grid(task, Arm(), 2)
    found = attractors.analyse(loop, commands, starts=2, progress=False)
    assert found.measures.fraction_stable == 0
    assert found.measures.as_dict()["max_residual"] is None


@pytest.mark.parametrize(
    ("task", "number"), [(Reach(), 200), (Reach(), 7), (Circle(), 100), (Circle(), 5)]
)
def test_grid_has_as_many_different_commands_as_asked_for_all_within_the_workspace(task, number):
    commands = attractors.grid(task, Arm(), number)
    assert commands.shape == (number, task.command_size)
    assert len(np.unique(commands.round(9), axis=0)) == number
    task.check_commands(Arm(), commands)
    if isinstance(task, Reach):
        assert task.in_workspace(Arm(), commands).all()


def test_random_starts_differ_and_are_driven_by_other_commands():
    loop = ClosedLoop(controller(Reach()), Reach())
    q = random_states(loop, 20)
    assert q.shape == (20, loop.size) and torch.isfinite(q).all()
    x, y, _, _ = hand(NUMPY, Arm().map(lambda v: v), q.numpy())
    assert np.std(x) > 0.05 and np.std(y) > 0.05
    torch.testing.assert_close(random_states(loop, 20), q, rtol=0, atol=0)
    assert not torch.equal(random_states(loop, 20, seed=1), q)


def test_components_count_the_directions_that_vary():
    rng = np.random.default_rng(0)
    flat = torch.from_numpy(rng.standard_normal((500, 2)) @ rng.standard_normal((2, 7)))
    assert components(flat) == 2
    assert components(torch.from_numpy(rng.standard_normal((5000, 7)))) == 7
    assert components(torch.zeros(10, 3, dtype=torch.float64)) == 0


def test_the_table_has_a_row_for_every_command(tmp_path):
    loop = ClosedLoop(controller(Reach()), Reach())
    found = attractors.analyse(loop, attractors.grid(Reach(), Arm(), 3), starts=1, progress=False)
    path = found.save_table(tmp_path / "table.csv", Reach().command_names)
    header, *rows = path.read_text().split()
    assert header.startswith("target_x,target_y,stable,residual") and len(rows) == 3


def test_lengths_beyond_the_rollout_are_refused():
    network = controller(Reach())
    task = Reach()
    x0 = torch.zeros(1, 10, dtype=torch.float64)
    with pytest.raises(ValueError, match="lengths"):
        pontryagin.rollout(
            network, Arm(), x0, network.initial_state(1), torch.zeros(1, 4, 2, dtype=torch.float64),
            torch.zeros(1, 4, 18 + task.command_size + 6, dtype=torch.float64),
            lengths=torch.tensor([5]),
        )  # fmt: skip
