"""Networks compiled from their equations: trajectory and gradient are those of torch, whatever the network."""

import os
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from arm_env.lanes import LANES
from arm_env.parameters import Arm, CostWeights
from arm_env.tasks import Reach
from rnn_controller import NetworkConfig, RecurrentController, pontryagin
from rnn_controller.lane_algebra import add_outer, add_product, add_sums, add_transposed_product, spread
from rnn_controller.modules import Baseline, ModuleConfig
from rnn_controller.movements import sample
from rnn_controller.objective import risk_sensitive, values
from rnn_controller.plant import rollout
from rnn_controller.policy import Policy
from rnn_controller.vector_tracing import network_source

ARM, TASK, WEIGHTS = Arm(), Reach(), CostWeights()


class Blocks(NamedTuple):
    first: Any
    second: Any
    shared: Any
    motor: Any
    tonic: Any


class Leaks(NamedTuple):
    fast: Any
    offset: Any


class Odd(torch.nn.Module):
    """Everything that equations may hold: a shared matrix, cuts of cuts, quotients, numbers and vectors that stay."""

    def __init__(self, n: int = 3):
        super().__init__()
        self.config, self.command_size, self.state_size, self.n = NetworkConfig(), 2, 2 * n, n
        generator = torch.Generator().manual_seed(3)
        shapes = [(n, 18), (n, 2), (n, n), (6, 2 * n), (6,)]
        self.blocks = torch.nn.ParameterList(
            0.3 * torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes
        )
        self.constants = Leaks(0.8, torch.linspace(0.5, 1.5, n, dtype=torch.float64))

    @property
    def weights(self):
        return Blocks(*self.blocks)

    def equations(self, xp, w, c, observation, state):
        sensed, command = observation[..., :18], observation[..., 18:]
        old = state[..., self.n :][..., 0:]
        fast = xp.tanh(xp.product(w.first, sensed) + xp.product(w.shared, state[..., : self.n]) / 2)
        slow = xp.relu(1 - xp.product(w.second, command) * c.offset + xp.product(w.shared, old))
        slow = c.fast * old + (1 - c.fast) * (slow - old * fast) / (2.0 + fast)
        both = xp.concatenate(fast, slow)
        return xp.sigmoid(xp.product(w.motor, both) + w.tonic), both


def recurrent(activation):
    return RecurrentController(NetworkConfig(activation=activation), 2, torch.Generator().manual_seed(1))


def baseline(kind):
    return Baseline(ModuleConfig(kind, 5), TASK, ARM, torch.Generator().manual_seed(2))


NETWORKS = {
    **{name: lambda name=name: recurrent(name) for name in ("relu", "tanh", "sigmoid")},
    "gru": lambda: baseline("gru"),
    "mlp": lambda: baseline("mlp"),
    "odd": Odd,
}


class Eager:
    """A network as torch sees it."""

    def __init__(self, network):
        self.network = network

    def __call__(self, observation, state):
        from rnn_controller.vector_tracing import TENSORS

        n = self.network
        return n.equations(TENSORS, n.weights, n.constants, observation, state)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("number", [1, LANES, LANES + 3])
def test_trajectory_and_gradient_are_those_of_torch(name, number):
    network = NETWORKS[name]()
    m = sample(np.random.default_rng(number), number, network.state_size, task=TASK, arm=ARM, settling=0.1,
               second=(1.0, 2.0))  # fmt: skip
    found = []
    for compiled in (True, False):
        network.zero_grad()
        x0, y0 = m.x0.clone().requires_grad_(), m.y0.clone().requires_grad_()
        if compiled:
            x, u, _ = pontryagin.rollout(network, ARM, x0, y0, m.commands, m.noise, lengths=m.lengths)
        else:
            x, u = rollout(Eager(network), ARM, x0, m.commands, m.noise, state=y0, compiled=False)
        v = values(TASK, ARM, WEIGHTS, x, u, m.commands, 0.01, m.lengths, compiled=compiled)
        risk_sensitive(v, 3.0).backward()
        initial = [x0.grad, y0.grad if y0.numel() else y0]
        found.append([v.detach(), *initial, *(w.grad for w in network.weights)])
    for compiled, eager in zip(*found, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-9, atol=1e-11 * float(1 + eager.detach().abs().sum()))
    assert all(float(g.abs().sum()) > 0 for g in found[0][3:])


@pytest.mark.parametrize("name", NETWORKS)
def test_one_movement_alone_has_the_bits_it_has_among_many(name):
    network = NETWORKS[name]()
    m = sample(np.random.default_rng(0), 2 * LANES + 5, network.state_size, task=TASK, arm=ARM, settling=0.1,
               second=(1.0, 3.0))  # fmt: skip
    with torch.no_grad():
        x, u, y = pontryagin.rollout(network, ARM, m.x0, m.y0, m.commands, m.noise, lengths=m.lengths)
        for i in (0, 17, 36):
            own = (value[i : i + 1] for value in (m.x0, m.y0, m.commands, m.noise))
            xi, ui, yi = pontryagin.rollout(network, ARM, *own, lengths=m.lengths[i : i + 1])
            assert torch.equal(xi[0], x[i]) and torch.equal(ui[0], u[i]) and torch.equal(yi[0], y[i])


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_threads_gives_the_same_gradient_to_the_bit(name):
    network, before, found = NETWORKS[name](), torch.get_num_threads(), []
    m = sample(np.random.default_rng(0), 75, network.state_size, task=TASK, arm=ARM, settling=0.1, first=(1.0, 3.0))
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            network.zero_grad()
            x, u, _ = pontryagin.rollout(network, ARM, m.x0, m.y0, m.commands, m.noise, lengths=m.lengths)
            (x.square().sum() + u.square().sum()).backward()
            found.append([w.grad for w in network.weights])
    finally:
        torch.set_num_threads(before)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_policy_computes_the_step_that_was_trained(name):
    network = NETWORKS[name]()
    rng = np.random.default_rng(0)
    o, y = rng.normal(0, 1, (LANES + 2, 20)), rng.normal(0, 1, (LANES + 2, network.state_size))
    u, following = Policy(network)._step(o, y)
    expected = Eager(network)(torch.from_numpy(o), torch.from_numpy(y))
    np.testing.assert_allclose(u, expected[0].detach(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(following, expected[1].detach(), rtol=1e-12, atol=1e-14)
    alone = Policy(network)._step(o[:1], y[:1])
    np.testing.assert_array_equal(alone[0][0], u[0])
    np.testing.assert_array_equal(alone[1][0], following[0])


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (5, 4), (12, 18), (7, 0), (0, 3)])
def test_lane_algebra(n, m):
    rng = np.random.default_rng(0)
    matrix, v, g = rng.normal(size=(n, m)), rng.normal(size=(m, LANES)), rng.normal(size=(n, LANES))
    out = rng.normal(size=(n, LANES))
    result = out.copy().ravel()
    add_product(matrix, v.ravel(), result)
    np.testing.assert_allclose(result.reshape(n, LANES), out + matrix @ v, rtol=1e-13, atol=1e-13)
    back = np.ones(m * LANES)
    add_transposed_product(matrix, g.ravel(), back)
    np.testing.assert_allclose(back.reshape(m, LANES), 1 + matrix.T @ g, rtol=1e-13, atol=1e-13)
    outer = np.ones((n, m))
    add_outer(g.ravel(), v.ravel(), outer)
    np.testing.assert_allclose(outer, 1 + g @ v.T, rtol=1e-13, atol=1e-13)
    sums, lanes = np.ones(n), np.empty(n * LANES)
    add_sums(g.ravel(), sums)
    np.testing.assert_allclose(sums, 1 + g.sum(1), rtol=1e-13, atol=1e-13)
    spread(sums, lanes)
    np.testing.assert_array_equal(lanes.reshape(n, LANES), np.repeat(sums[:, None], LANES, 1))


def test_equations_that_cannot_be_compiled_are_refused():
    network = recurrent("relu")
    network.equations = lambda xp, w, c, o, state: (o[0], state)
    with pytest.raises(TypeError, match=r"cut as v\[..., a:b\]"):
        network_source(network)
    cube = Odd()
    cube.constants = Leaks(0.8, torch.zeros(2, 2, 2))
    with pytest.raises(TypeError, match=r"c\.offset must be a matrix, a vector or a number"):
        network_source(cube)


def test_a_debugger_may_step_through_the_closed_loop():
    code = (
        "import numpy as np, torch\n"
        "from arm_env import Arm, Reach\n"
        "from rnn_controller import NetworkConfig, RecurrentController, pontryagin\n"
        "from rnn_controller.movements import sample\n"
        "n = RecurrentController(NetworkConfig(neurons=2), 2, torch.Generator().manual_seed(0))\n"
        "m = sample(np.random.default_rng(0), 1, 2, task=Reach(), arm=Arm(), settling=0, first=(.04, .04),"
        " second=(.02, .02))\n"
        "x, u, y = pontryagin.rollout(n, Arm(), m.x0, m.y0, m.commands, m.noise)\n"
        "x.sum().backward(); print(float(x.sum()), float(n.motor.grad.sum()))"
    )
    results = []
    for off in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": off}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        results.append([float(number) for number in run.stdout.split()])
    np.testing.assert_allclose(*results, rtol=1e-9)
