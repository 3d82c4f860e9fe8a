"""Networks compiled from their equations.

Trajectory and gradient are those of torch, whatever the network.|
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
import torch

from arm_env.codegen.cache import cache_folder
from arm_env.codegen.lanes import LANES
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.tasks.reach import Reach
from rnn_controller import NetworkConfig, RecurrentController
from rnn_controller.networks.modules import Baseline, ModuleConfig
from rnn_controller.policy import Policy
from rnn_controller.rollouts import lane_algebra, network_emitting, pontryagin
from rnn_controller.rollouts.closed_loop import closed_loop
from rnn_controller.rollouts.plant import rollout
from rnn_controller.rollouts.vector_tracing import trace
from rnn_controller.training.objective import risk_sensitive, torch_values, values
from rnn_controller.training.trials import Sampling, sample

ARM = Arm()
TASK = Reach()
WEIGHTS = CostWeights()


class Blocks(NamedTuple):
    first: Any
    second: Any
    shared: Any
    motor: Any
    tonic: Any
    gain: Any
    lift: Any


class Leaks(NamedTuple):
    fast: Any
    offset: Any
    average: Any
    mixing: Any


class Odd(torch.nn.Module):
    """Everything that equations may hold, in one network.

    That is a shared matrix, cuts of cuts, quotients, numbers and vectors that stay.

    And a layer norm, powers, vectors of one component, trained numbers, and a matrix in another
    order of memory.
    """

    def __init__(self, n: int = 3):
        super().__init__()
        self.config, self.command_size, self.state_size, self.n = NetworkConfig(), 2, 2 * n, n
        generator = torch.Generator().manual_seed(3)
        shapes = [(n, 18), (n, 2), (n, n), (6, 2 * n), (6,), (), (1,)]
        self.blocks = torch.nn.ParameterList(
            0.3 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes
        )
        self.constants = Leaks(
            fast=torch.tensor(0.8),
            offset=torch.linspace(0.5, 1.5, n, dtype=torch.float64),
            average=torch.full((1, n), 1 / n, dtype=torch.float64),
            mixing=torch.randn(n, n, generator=generator, dtype=torch.float64).T,
        )

    @property
    def weights(self):
        return Blocks(*self.blocks)

    def equations(self, xp, w, c, observation, state):
        sensed = observation[..., :18]
        command = observation[..., 18:]
        old = state[..., self.n :][..., 0:]
        fast = xp.tanh(xp.product(w.first, sensed) + xp.product(w.shared, state[..., : self.n]) / 2)
        slow = xp.relu(1 - xp.product(w.second, command) * c.offset + xp.product(w.shared, old))
        slow = c.fast * old + (1 - c.fast) * (slow - old * fast) / (2.0 + fast)
        centred = old - xp.product(c.average, old)
        normed = centred / xp.sqrt(xp.product(c.average, centred**2) + 0.1)
        fast = xp.tanh(fast + w.gain * xp.product(-0.5 * c.mixing, normed) + w.lift + 0.0 * old)
        fast = fast / (1 + xp.exp(-abs(fast))) * xp.tanh(0.3) - 1 / (4.0 + fast[..., -1:])
        both = xp.concatenate(fast, slow)
        return xp.sigmoid(xp.product(w.motor, both) + w.tonic), both


def recurrent(activation):
    return RecurrentController(
        NetworkConfig(activation=activation), 2, torch.Generator().manual_seed(1)
    )


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
        from rnn_controller.rollouts.vector_tracing import TENSORS

        n = self.network
        return n.equations(TENSORS, n.weights, n.constants, observation, state)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("number", [1, LANES, LANES + 3])
def test_trajectory_and_gradient_are_those_of_torch(name, number):
    network = NETWORKS[name]()
    m = sample(np.random.default_rng(number), number, network.state_size, task=TASK, arm=ARM,
               sampling=Sampling(settling=0.1, second=(1.0, 2.0)))  # fmt: skip
    found = []
    for compiled in (True, False):
        network.zero_grad()
        x0, y0, k = (part.clone().requires_grad_() for part in (m.x0, m.y0, m.commands))
        if compiled:
            x, u, _ = pontryagin.rollout(network, ARM, x0, y0, k, m.noise, lengths=m.lengths)
        else:
            x, u = rollout(Eager(network), ARM, x0, k, m.noise, state=y0, compiled=False)
        sums = values if compiled else torch_values
        v = sums(TASK, ARM, WEIGHTS, x, u, m.commands, 0.01, m.lengths)
        risk_sensitive(v, 3.0).backward()
        given = [x0.grad, y0.grad if y0.numel() else y0, k.grad]
        found.append([v.detach(), *given, *(w.grad for w in network.weights)])
    for compiled, eager in zip(*found, strict=True):
        torch.testing.assert_close(
            compiled, eager, rtol=1e-9, atol=1e-11 * float(1 + eager.detach().abs().sum())
        )
    assert all(float(g.abs().sum()) > 0 for g in found[0][3:])


def on_device(network, given, noise, lengths, device):
    """Trajectory and all gradients of a rollout."""
    network.zero_grad()
    given = [part.clone().requires_grad_() for part in given]
    x, u, y = pontryagin.rollout(network, ARM, *given, noise, lengths=lengths, device=device)
    (x.square().sum() + 3 * u.square().sum() + x[:, :, :2].sum()).backward()
    gradients = [part.grad for part in given if part.numel()]
    return [x, u, y, *gradients, *(w.grad for w in network.weights)]


@pytest.mark.parametrize("name", ["relu", "gru", "mlp", "odd"])
def test_a_simulated_gpu_gives_the_same_trajectory_and_gradient(name):
    network = Odd() if name == "odd" else NETWORKS[name]()
    if name == "relu":
        network = RecurrentController(NetworkConfig(neurons=5), 2)
    n, periods = network.state_size, 4
    m = sample(np.random.default_rng(0), 3, n, task=TASK, arm=ARM)
    given = (m.x0, m.y0 + 0.1, m.commands[:, :periods])
    noise, lengths = m.noise[:, :periods], torch.tensor([4, 3, 0])
    cpu, gpu = (on_device(network, given, noise, lengths, device) for device in ("cpu", "cuda"))
    for a, b in zip(cpu, gpu, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
    assert all(float(g.abs().sum()) > 0 for g in gpu[6:])


def test_a_gradient_on_a_gpu_is_summed_over_all_chunks_of_movements():
    network = baseline("mlp")
    m = sample(np.random.default_rng(0), 35, network.state_size, task=TASK, arm=ARM)
    given = (m.x0, m.y0, m.commands[:, :1])
    lengths = torch.ones(35, dtype=torch.int64)
    cpu, gpu = (
        on_device(network, given, m.noise[:, :1], lengths, device) for device in ("cpu", "cuda")
    )
    for a, b in zip(cpu, gpu, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_movement_alone_has_the_bits_it_has_among_many(name):
    network = NETWORKS[name]()
    m = sample(np.random.default_rng(0), 2 * LANES + 5, network.state_size, task=TASK, arm=ARM,
               sampling=Sampling(settling=0.1, second=(1.0, 3.0)))  # fmt: skip
    with torch.no_grad():
        x, u, y = pontryagin.rollout(
            network, ARM, m.x0, m.y0, m.commands, m.noise, lengths=m.lengths
        )
        for i in (0, 17, 36):
            own = (value[i : i + 1] for value in (m.x0, m.y0, m.commands, m.noise))
            xi, ui, yi = pontryagin.rollout(network, ARM, *own, lengths=m.lengths[i : i + 1])
            assert (
                torch.equal(xi[0], x[i]) and torch.equal(ui[0], u[i]) and torch.equal(yi[0], y[i])
            )


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_threads_gives_the_same_gradient_to_the_bit(name):
    network = NETWORKS[name]()
    before = torch.get_num_threads()
    found = []
    m = sample(
        np.random.default_rng(0),
        75,
        network.state_size,
        task=TASK,
        arm=ARM,
        sampling=Sampling(settling=0.1, first=(1.0, 3.0)),
    )
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            network.zero_grad()
            x, u, _ = pontryagin.rollout(
                network, ARM, m.x0, m.y0, m.commands, m.noise, lengths=m.lengths
            )
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


def compiled(emit):
    """A function of a matrix and two flat arrays that does what was emitted."""

    @numba.extending.intrinsic
    def call(typing_context, matrix, a, b):
        def generate(context, builder, signature, arguments):
            data, one, other = (
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(signature.args, arguments, strict=True)
            )
            shape = numba.core.cgutils.unpack_tuple(builder, data.shape)
            emit(builder, lane_algebra.Matrix(data.data, *shape), one.data, other.data)
            return context.get_dummy_value()

        return numba.types.void(matrix, a, b), generate

    return numba.njit(lambda matrix, a, b: call(matrix, a, b))


PRODUCT = compiled(lambda b, matrix, v, out: lane_algebra.emit_product(b, matrix, v, out, True))
FRESH = compiled(lambda b, matrix, v, out: lane_algebra.emit_product(b, matrix, v, out, False))
TRANSPOSED = compiled(
    lambda b, matrix, g, out: lane_algebra.emit_transposed_product(b, matrix, g, out, True)
)
OUTER = compiled(lambda b, matrix, g, v: lane_algebra.emit_outer(b, g, v, matrix))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (5, 4), (12, 18), (7, 0), (0, 3)])
def test_lane_algebra(n, m):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(n, m))
    v = rng.normal(size=(m, LANES))
    g = rng.normal(size=(n, LANES))
    out = rng.normal(size=(n, LANES))
    for product, before in ((PRODUCT, out), (FRESH, 0 * out)):
        result = out.copy().ravel()
        product(matrix, v.ravel(), result)
        expected = before + matrix @ v
        np.testing.assert_allclose(result.reshape(n, LANES), expected, rtol=1e-13, atol=1e-13)
    back = np.ones(m * LANES)
    TRANSPOSED(matrix, g.ravel(), back)
    np.testing.assert_allclose(back.reshape(m, LANES), 1 + matrix.T @ g, rtol=1e-13, atol=1e-13)
    outer = np.ones((n, m))
    OUTER(outer, g.ravel(), v.ravel())
    np.testing.assert_allclose(outer, 1 + g @ v.T, rtol=1e-13, atol=1e-13)


def test_equations_that_cannot_be_compiled_are_refused():
    network = recurrent("relu")
    network.equations = lambda xp, w, c, o, state: (o[0], state)
    with pytest.raises(TypeError, match=r"cut as v\[..., a:b\]"):
        trace(network)
    cube = Odd()
    cube.constants = cube.constants._replace(offset=torch.zeros(2, 2, 2))
    with pytest.raises(TypeError, match=r"c\.offset must be a matrix, a vector or a number"):
        trace(cube)


class FewWeights(NamedTuple):
    inputs: Any
    bias: Any
    motor: Any
    one: Any


class FewConstants(NamedTuple):
    leak: Any
    shape: Any


class Few:
    """A network of 8 neurons with any equations, to be traced only."""

    command_size = 2
    state_size = 8
    config = NetworkConfig()
    scale = 1.0

    def __init__(self, equations):
        shapes = [(8, 20), (5,), (6, 8), (1,)]
        self.weights = FewWeights(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))
        self.constants, self._equations = FewConstants(0.5, torch.zeros(8)), equations

    def equations(self, xp, w, c, observation, state):
        following = self._equations(xp, w, c, observation, state)
        return (
            following if isinstance(following, tuple) else (xp.product(w.motor, state), following)
        )


ASKED = "no if, and, or.*xp.relu"
HELD = "must be a field of the network's weights if it is trained, else of its const"
REFUSED = {
    "a bias of 5 on 8 neurons": (
        lambda xp, w, c, o, y: y + w.bias,
        r"\+ of the state \(8\) and w.bias \(5\).*length",
    ),
    "too few columns": (
        lambda xp, w, c, o, y: xp.product(w.inputs, y),
        r"w.inputs \(8, 20\) and the state \(8\)",
    ),
    "too many columns": (
        lambda xp, w, c, o, y: xp.product(w.motor, o),
        r"w.motor \(6, 8\) and the observation \(20\)",
    ),
    "a part beyond the end": (
        lambda xp, w, c, o, y: y[..., 4:12],
        r"no part \[\.\.\., 4:12\].*within 0:8",
    ),
    "a part before the start": (lambda xp, w, c, o, y: y[..., -9:], r"no part .*within 0:8"),
    "one component": (
        lambda xp, w, c, o, y: y[..., 0],
        r"one component is v\[\.\.\., a : a \+ 1\]",
    ),
    "every second": (lambda xp, w, c, o, y: y[..., ::2], r"cut as v\[\.\.\., a:b\]"),
    "one output": (lambda xp, w, c, o, y: (y,), "must give two vectors"),
    "three outputs": (lambda xp, w, c, o, y: (y, y, y), "must give two vectors"),
    "wrong excitations": (
        lambda xp, w, c, o, y: (y, y),
        r"excitations must be a vector \(6\), not the state \(8\)",
    ),
    "wrong state": (
        lambda xp, w, c, o, y: o,
        r"the next state must be a vector \(8\), not the observation \(20\)",
    ),
    "a number as state": (
        lambda xp, w, c, o, y: c.leak,
        r"the next state must be a vector \(8\), not a number",
    ),
    "if": (lambda xp, w, c, o, y: y if y[..., :1] else -y, ASKED),
    "equal": (lambda xp, w, c, o, y: y * (y == 0), ASKED),
    "max": (lambda xp, w, c, o, y: max(y, -y), ASKED),
    "a random tensor": (lambda xp, w, c, o, y: y + torch.rand(8), HELD),
    "an array": (lambda xp, w, c, o, y: np.ones(8) * y, HELD),
    "a trained number": (lambda xp, w, c, o, y: torch.ones((), requires_grad=True) + y, HELD),
    "NumPy": (lambda xp, w, c, o, y: np.tanh(y), "may hold numbers.*sqrt of xp"),
    "torch": (lambda xp, w, c, o, y: torch.tanh(y), "may hold numbers.*sqrt of xp"),
    "no such function": (lambda xp, w, c, o, y: xp.cos(y), "may hold numbers.*sqrt of xp"),
    "a mean": (lambda xp, w, c, o, y: y - y.mean(-1), "may hold numbers.*sqrt of xp"),
    "a power": (lambda xp, w, c, o, y: y**1.3, "whole exponents and halves"),
    "@": (lambda xp, w, c, o, y: w.inputs @ o, r"xp.product\(matrix, vector\), not by @"),
    "a matrix and a number": (
        lambda xp, w, c, o, y: xp.product(w.inputs + 1, o),
        r"w.inputs \(8, 20\) is a matrix",
    ),
    "a function of a matrix": (
        lambda xp, w, c, o, y: xp.tanh(w.inputs),
        r"vector or a number, not w.inputs",
    ),
    "a number in a product": (
        lambda xp, w, c, o, y: xp.product(w.motor, 1.0),
        "takes a matrix .* and then a vector",
    ),
    "numbers put together": (lambda xp, w, c, o, y: xp.concatenate(y, 1.0), "takes vectors"),
}


@pytest.mark.parametrize(("equations", "text"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_before_anything_runs(equations, text):
    with pytest.raises(TypeError, match=rf"^the equations of Few can't be compiled: .*{text}"):
        Policy(Few(equations))


def test_what_is_no_named_tuple_or_no_number_is_refused():
    network = Few(lambda xp, w, c, o, y: y)
    network.weights = list(network.weights)
    with pytest.raises(TypeError, match="weights must be a named tuple, not list"):
        trace(network)
    network = Few(lambda xp, w, c, o, y: y)
    network.constants = FewConstants(0.5j, "8")
    with pytest.raises(
        TypeError,
        match=r"c\.leak must be a number, a vector or a matrix of real numbers, not 0\.5j",
    ):
        pontryagin.plain_constants(network)


def test_what_equations_read_may_change_after_the_first_call():
    network = Few(lambda xp, w, c, o, y: network.scale * y)
    before = pontryagin.kernels_of(network).steps
    network.scale = 2.0
    assert pontryagin.kernels_of(network).steps is not before
    network.scale = 1.0
    assert pontryagin.kernels_of(network).steps is before


def test_equations_that_are_others_each_time_are_refused():
    network = Few(lambda xp, w, c, o, y: torch.rand(()).item() * y)
    with pytest.raises(ValueError, match=r"Few differ each time .* must not draw random numbers"):
        pontryagin.kernels_of(network)


def test_constants_in_any_order_of_memory_and_of_any_kind_are_made_plain():
    class Kinds(NamedTuple):
        turned: Any
        every_second: Any
        single: Any
        whole: Any
        read_only: Any

    network = Few(None)
    matrix = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    network.constants = Kinds(
        matrix.T, matrix[:, ::2], torch.ones(3), np.int64(2), np.broadcast_to(1.5, (2, 2))
    )
    plain = pontryagin.plain_constants(network)
    for given, array in zip(network.constants[:3], plain[:3], strict=True):
        assert array.flags["C_CONTIGUOUS"] and array.dtype == np.float64
        np.testing.assert_array_equal(array, given.numpy())
    assert plain.whole == 2.0 and type(plain.whole) is float and plain.read_only.flags.writeable


def test_a_matrix_in_another_order_of_memory_is_refused():
    """The products walk through memory: they would compute with the wrong elements."""
    network = recurrent("relu")
    kernels = closed_loop(trace(network))
    weights = list(pontryagin.plain_weights(network.weights))
    weights[0] = np.asfortranarray(np.ones((network.state_size + 1,) * 2))[:-1, :-1]
    o, y, u = np.ones((1, 1, 20)), np.ones((1, 1, network.state_size)), np.ones((1, 1, 6))
    with pytest.raises(numba.TypingError, match="row after row"):
        kernels.steps(tuple(weights), tuple(network.constants), o, y, u, y.copy())


def test_no_class_of_a_user_is_part_of_compiled_code():
    """A named tuple whose fields were put into another order would run the old code."""
    network = recurrent("relu")
    policy = Policy(network)
    policy._step(np.zeros((1, 20)), np.zeros((1, network.state_size)))
    arguments = policy._kernels.steps.nopython_signatures[0].args[:2]
    assert not any(
        isinstance(argument, numba.types.NamedTuple | numba.types.NamedUniTuple)
        for argument in arguments
    )

    class Turned(NamedTuple):
        motor: Any
        bias: Any
        inputs: Any
        one: Any

    network = Few(lambda xp, w, c, o, y: xp.product(w.inputs, o))
    before = network_emitting.described(trace(network))
    network.weights = Turned(*(getattr(network.weights, field) for field in Turned._fields))
    after = network_emitting.described(trace(network))
    assert "product(w[0], signal" in before and "product(w[2], signal" in after


def test_the_named_tuples_of_a_script_are_found_in_the_cache(tmp_path):
    network = recurrent("relu")
    policy = Policy(network)
    policy._step(np.zeros((1, 20)), np.zeros((1, network.state_size)))
    (tmp_path / "script.py").write_text(
        """
from typing import Any, NamedTuple
import numpy as np
from rnn_controller import NetworkConfig, RecurrentController
from rnn_controller.networks.recurrent import Weights
from rnn_controller.policy import Policy
Mine = NamedTuple("Mine", [(field, Any) for field in Weights._fields])
class Network(RecurrentController):
    weights = property(lambda self: Mine(*RecurrentController.weights.fget(self)))
network = Network(NetworkConfig(), 2)
Policy(network)._step(np.zeros((1, 20)), np.zeros((1, network.state_size)))
"""
    )
    # other tests may add other functions
    kept = f"{policy._kernels.steps.py_func.__module__}.steps*.nbc"
    before = sorted(cache_folder().rglob(kept))
    environment = {**os.environ, "ARM_ENV_QUIET": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")  # it did not say that it compiles
    assert before and sorted(cache_folder().rglob(kept)) == before


WRONG_SHAPES = {
    "states": {"x": torch.zeros(3, 5, 10)},
    "excitations": {"u": torch.zeros(3, 5, 5)},
    "commands": {"commands": torch.zeros(3, 5, 1)},
    "lengths": {"lengths": torch.tensor([5, 5])},
    "long": {"lengths": torch.tensor([5, 6, 5])},
    "negative": {"lengths": torch.tensor([5, -1, 5])},
}


@pytest.mark.parametrize("wrong", WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_values_of_what_does_not_fit_are_refused(wrong):
    given = {
        "x": torch.zeros(3, 6, 10),
        "u": torch.zeros(3, 5, 6),
        "commands": torch.zeros(3, 5, 2),
    }
    given = (
        {name: value.double() for name, value in given.items()}
        | {"lengths": torch.tensor([5, 4, 5])}
        | wrong
    )
    with pytest.raises(
        ValueError, match=r"^(x, u, commands and lengths must be|lengths go from 0 to 5)"
    ):
        values(TASK, ARM, WEIGHTS, control_period=0.01, **given)


def test_a_debugger_may_step_through_the_closed_loop():
    code = (
        "import numpy as np, torch\n"
        "from arm_env import Arm, Reach\n"
        "from rnn_controller import NetworkConfig, RecurrentController, pontryagin\n"
        "from rnn_controller.training.trials import Sampling, sample\n"
        "n = RecurrentController(NetworkConfig(neurons=2), 2, torch.Generator().manual_seed(0))\n"
        "m = sample(np.random.default_rng(0), 1, 2, task=Reach(), arm=Arm(),"
        " sampling=Sampling(settling=0, first=(.04, .04), second=(.02, .02)))\n"
        "x, u, y = pontryagin.rollout(n, Arm(), m.x0, m.y0, m.commands, m.noise)\n"
        "x.sum().backward(); print(float(x.sum()), float(n.motor.grad.sum()))"
    )
    results = []
    for off in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": off}
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        results.append([float(number) for number in run.stdout.split()])
    np.testing.assert_allclose(*results, rtol=1e-6)  # other roundings
