"""Compiled rollouts of body and network, with the gradient of the modified maximum principle.

They are torch functions, and ``rnn_controller.rollouts.closed_loop`` computes both directions (Huh
& Todorov 2009, III.A). The costate pass receives the partial derivatives of the cost from torch, so
any cost of the trajectory can be trained.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arm_env.codegen.compiling import Kernels, once_for_each_trace
from arm_env.codegen.lanes import LANES
from arm_env.devices import checked_device
from arm_env.dynamics.body import Body, body_of
from arm_env.dynamics.parameters import Parameters
from rnn_controller.rollouts.closed_loop import Given, Path, Physics, closed_loop
from rnn_controller.rollouts.parallel import in_parallel
from rnn_controller.rollouts.vector_tracing import Traced, trace


class EquationNetwork(Protocol):
    """The attributes and methods of a network that is given by its equations.

    It controls the arm, or the body of M muscles that it has as ``body``.
    """

    command_size: int

    @property
    def config(self) -> Any:
        """The network's configuration, with ``control_period`` [s]."""

    @property
    def state_size(self) -> int:
        """Size N of the state."""

    @property
    def weights(self) -> Any:
        """A named tuple of the float64 matrices, vectors and numbers that are trained."""

    @property
    def constants(self) -> Any:
        """A named tuple of the numbers, vectors and matrices that are not trained."""

    def equations(self, xp: Any, w: Any, c: Any, observation: Any, state: Any) -> tuple[Any, Any]:
        """Return excitations (…, M) and the next state (…, N), by ``NetworkPrimitives``."""


def has_equations(network: Any) -> bool:
    """Return whether a network is given by its equations, as an ``EquationNetwork`` is."""
    return callable(getattr(network, "equations", None))


def _trace_for_body(network: EquationNetwork) -> tuple[Traced, Body]:
    return trace(network), body_of(network)


@once_for_each_trace(_trace_for_body)
def kernels_of(traced: tuple[Traced, Body]) -> Kernels:
    """Return the compiled closed loop of a network's kind and its body."""
    return closed_loop(*traced)


def plain_constants(network: EquationNetwork) -> Any:
    """Return the network's constants as the numbers and arrays that compiled code takes."""
    constants = network.constants
    return type(constants)(
        *(_plain(f"c.{name}", value) for name, value in constants._asdict().items())
    )


def _plain(name: str, value: Any) -> float | np.ndarray:
    array = (
        value.detach().cpu().resolve_neg().numpy()
        if isinstance(value, Tensor)
        else np.asarray(value)
    )
    if not np.can_cast(array.dtype, np.float64, "same_kind"):
        raise TypeError(
            f"{name} must be a number, a vector or a matrix of real numbers, not {value!r}"
        )
    # The products take matrices that lie row after row. A read-only array is another type to Numba,
    # for which it would compile the closed loop again.
    array = np.require(array, np.float64, ["C", "W"])
    return array if array.ndim else float(array)


def plain_weights(weights: Iterable[Tensor]) -> tuple[np.ndarray, ...]:
    """Return the weights as a plain tuple of arrays, in which a number is a vector of one.

    Matrices (m, n) and vectors (n,) keep their shapes; a number becomes a vector (1,). A named
    tuple's class would be part of the compiled code, which might then outlive the class.
    """
    return tuple(np.atleast_1d(value.detach().contiguous().numpy()) for value in weights)


class _Loop(NamedTuple):
    """The arguments of a rollout that are not tensors."""

    kernels: Kernels
    body: Body
    physics: Physics
    constants: tuple[Any, ...]


class _Rollout(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        loop: _Loop,
        x0: Tensor,
        y0: Tensor,
        commands: Tensor,
        noise: Tensor,
        lengths: Tensor,
        *weights: Tensor,
    ) -> Any:
        body = loop.body
        batch, periods, size = commands.shape
        neurons = y0.shape[1]
        blocks = -(-batch // LANES)
        # A block runs as long as its longest movement. Sorted by length, the movements of a block
        # end together, and few lanes run idle. The sort is stable, so that the same batch always
        # makes the same blocks, and the gradient's sums round the same.
        order = torch.argsort(lengths, descending=True, stable=True)
        given = Given(
            *(value.detach().contiguous().numpy() for value in (order, lengths, commands, noise))
        )
        path = Path(
            x=np.empty((blocks, periods * loop.physics.substeps + 1, LANES * body.state_size)),
            y=np.empty((blocks, periods + 1, LANES * neurons)),
            o=np.empty((blocks, periods, LANES * (body.sensory_size + size))),
            u=np.empty((blocks, periods, LANES * body.muscle_count)),
        )
        x = np.empty((batch, periods + 1, body.state_size))
        u = np.empty((batch, periods, body.muscle_count))
        y = np.empty((batch, periods + 1, neurons))
        x[:, 0] = x0.detach().numpy()
        y[:, 0] = y0.detach().numpy()
        if periods:
            network = (plain_weights(weights), loop.constants)
            inputs = (tuple(loop.physics), network, tuple(given), tuple(path))
            in_parallel(loop.kernels.forward, blocks, *inputs, (x, u, y))
        ctx.save_for_backward(*weights)  # so that torch notices weights changed before backward
        ctx.loop = loop
        ctx.given = given
        ctx.path = path
        return tuple(map(torch.from_numpy, (x, u, y)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cx: Tensor, cu: Tensor, _cy: Tensor) -> Any:
        loop = ctx.loop
        blocks, _, neurons = ctx.path.y.shape
        w = plain_weights(ctx.saved_tensors)
        # Each block has a gradient of its own, and these are summed in a fixed order: the result
        # has the same bits for any number of threads.
        gw = tuple(np.zeros((blocks, *value.shape)) for value in w)
        cost = (cx.contiguous().numpy(), cu.contiguous().numpy())
        gx = cost[0][:, :1].copy()
        gy = np.zeros((len(cx), 1, neurons // LANES))
        commands = ctx.given.commands
        asked = ctx.needs_input_grad[3]
        gk = np.zeros(commands.shape if asked else (len(cx), 0, commands.shape[2]))
        if cu.shape[1]:
            inputs = (tuple(loop.physics), (w, loop.constants), tuple(ctx.given), tuple(ctx.path))
            in_parallel(loop.kernels.costate, blocks, *inputs, cost, (gw, gx, gy, gk))
        # a number was a vector of one
        pairs = zip(gw, ctx.saved_tensors, strict=True)
        summed = (torch.from_numpy(g.sum(0)).reshape(value.shape) for g, value in pairs)
        starts = (torch.from_numpy(gx[:, 0]), torch.from_numpy(gy[:, 0]))
        # of loop, x0, y0, commands, noise, lengths and the weights
        return (None, *starts, torch.from_numpy(gk) if asked else None, None, None, *summed)


def rollout(
    network: EquationNetwork,
    arm: Parameters,
    x0: Tensor,
    y0: Tensor,
    commands: Tensor,
    noise: Tensor,
    substeps: int = 2,
    lengths: Tensor | None = None,
    device: str = "cpu",
) -> tuple[Tensor, Tensor, Tensor]:
    """Run body and network in closed loop, compiled, with gradients by the maximum principle.

    The body is the network's ``body``, or the arm, of S states and M muscles. x0 (B, S), y0 (B, N),
    commands (B, T, K), noise (B, T, 3 M + K + M), all float64. Returns body states (B, T + 1, S),
    excitations (B, T, M) and neural states (B, T + 1, N); the last carry no gradient. There are
    gradients along the weights, x0, y0 and the commands, none along the noise. A movement may end
    early, after its ``lengths`` (B,) int64 ≤ T; zeros follow. ``torch.set_num_threads`` sets the
    number of threads. With the ``device`` "cuda" an NVIDIA GPU computes; the tensors are on the CPU
    all the same.

    Raises TypeError if an argument or a weight is not a tensor, and ValueError for another dtype,
    device or shape, for ``substeps`` below 1, for lengths that are not from 0 to T, and for a GPU
    where there is none.
    """
    weights = network.weights._asdict()
    given = {"x0": x0, "y0": y0, "commands": commands, "noise": noise, **weights}
    for name, value in given.items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} must be a float64 tensor on the CPU, not {type(value).__name__}"
            )
        if value.dtype != torch.float64 or value.device.type != "cpu":
            raise ValueError(
                f"{name} must be a float64 tensor on the CPU, not {value.dtype} on {value.device}"
            )
    body = body_of(network)
    size = network.command_size
    neurons = network.state_size
    batch, periods = (*commands.shape, 0, 0)[:2]
    expected = {
        "x0": (x0, (batch, body.state_size)),
        "y0": (y0, (batch, neurons)),
        "commands": (commands, (batch, periods, size)),
        "noise": (noise, (batch, periods, body.sensory_size + size + body.muscle_count)),
    }
    for name, (value, shape) in expected.items():
        if value.shape != shape:
            raise ValueError(
                f"{name} must be {shape} for {neurons} neurons "
                f"and commands {tuple(commands.shape)}, not {tuple(value.shape)}"
            )
    if substeps < 1:
        raise ValueError(f"a control period has at least one physics step, not {substeps}")
    # A length beyond T would make compiled code read past the end of its arrays: it does not look.
    lengths = torch.full((batch,), periods, device="cpu") if lengths is None else lengths
    if (
        lengths.shape != (batch,)
        or lengths.dtype != torch.int64
        or not ((lengths >= 0) & (lengths <= periods)).all()
    ):
        raise ValueError(
            f"lengths are int64, one a movement ({batch},), from 0 to {periods}, not {lengths}"
        )
    physics = Physics(arm.flat(), network.config.control_period / substeps, substeps)
    inputs = (x0, y0, commands, noise, lengths, *weights.values())
    if checked_device(device) == "cuda":
        from rnn_controller.rollouts.cuda_rollout import CudaRollout

        recorded = (trace(network), body, tuple(plain_constants(network)))
        x, u, y = CudaRollout.apply(recorded, physics, *inputs)
        return x, u, y.detach()
    loop = _Loop(kernels_of(network), body, physics, tuple(plain_constants(network)))
    x, u, y = _Rollout.apply(loop, *inputs)
    return x, u, y.detach()
