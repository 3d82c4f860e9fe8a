"""Trajectories of arm and network, and their gradient by the modified maximum principle, as torch functions.

``rnn_controller.closed_loop`` computes both (Huh & Todorov 2009, III.A). The costate pass receives the partial
derivatives of the cost from torch, so any cost of the trajectory can be trained.
"""

from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arm_env.compiling import Kernels
from arm_env.lanes import LANES
from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT, SENSORY_SIZE, STATE_SIZE
from rnn_controller.closed_loop import Body, Given, Path, closed_loop_of
from rnn_controller.parallel import in_parallel
from rnn_controller.vector_tracing import network_source


class EquationNetwork(Protocol):
    """A network that is given by its equations, and so can be compiled."""

    command_size: int

    @property
    def config(self) -> Any:
        """Its configuration, with ``control_period`` [s]."""

    @property
    def state_size(self) -> int:
        """Size N of its state."""

    @property
    def weights(self) -> Any:
        """A named tuple of the float64 matrices and vectors that are trained."""

    @property
    def constants(self) -> Any:
        """A named tuple of numbers and vectors that are not."""

    def equations(self, xp: Any, w: Any, c: Any, observation: Any, state: Any) -> tuple[Any, Any]:
        """Excitations (…, 6) and the next state (…, N), computed with ``NetworkPrimitives``."""


def has_equations(network: Any) -> bool:
    """Whether it is an ``EquationNetwork``."""
    return callable(getattr(network, "equations", None))


_known: WeakKeyDictionary[Any, tuple[Any, Kernels]] = WeakKeyDictionary()


def kernels_of(network: EquationNetwork) -> Kernels:
    """The compiled closed loop of the network's kind, whose equations are traced again if its configuration changes."""
    groups = (network.weights, network.constants)
    shapes = [[tuple(getattr(value, "shape", ())) for value in group] for group in groups]
    key = (network.config, shapes)
    if network not in _known or _known[network][0] != key:
        _known[network] = (key, closed_loop_of(network_source(network)))
    return _known[network][1]


def plain_constants(network: EquationNetwork) -> Any:
    """The network's constants as numbers and arrays."""
    constants = network.constants
    return type(constants)(*(c.detach().numpy() if isinstance(c, Tensor) else float(c) for c in constants))


class _Loop(NamedTuple):
    """What a rollout takes beside tensors."""

    kernels: Kernels
    body: Body
    weights: type  # the named tuple
    constants: Any


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
        (batch, periods, size), neurons = commands.shape, y0.shape[1]
        blocks = -(-batch // LANES)
        order = torch.argsort(lengths, descending=True, stable=True)
        given = Given(*(value.contiguous().numpy() for value in (order, lengths, commands, noise)))
        path = Path(
            x=np.empty((blocks, periods * loop.body.substeps + 1, LANES * STATE_SIZE)),
            y=np.empty((blocks, periods + 1, LANES * neurons)),
            o=np.empty((blocks, periods, LANES * (SENSORY_SIZE + size))),
            u=np.empty((blocks, periods, LANES * MUSCLE_COUNT)),
        )
        x, y = np.zeros((batch, periods + 1, STATE_SIZE)), np.zeros((batch, periods + 1, neurons))
        u = np.zeros((batch, periods, MUSCLE_COUNT))
        x[:, 0], y[:, 0] = x0.detach().numpy(), y0.detach().numpy()
        w = loop.weights(*(value.detach().contiguous().numpy() for value in weights))
        if periods:
            in_parallel(loop.kernels.forward, blocks, loop.body, w, loop.constants, given, path, x, u, y)
        ctx.save_for_backward(*weights)  # so that torch notices weights changed before backward
        ctx.loop, ctx.given, ctx.path = loop, given, path
        return tuple(map(torch.from_numpy, (x, u, y)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cx: Tensor, cu: Tensor, _cy: Tensor) -> Any:
        loop, (blocks, _, neurons) = ctx.loop, ctx.path.y.shape
        w = loop.weights(*(value.detach().contiguous().numpy() for value in ctx.saved_tensors))
        gw = loop.weights(*(np.zeros((blocks, *value.shape)) for value in w))
        cost = cx.contiguous().numpy(), cu.contiguous().numpy()
        gx, gy = cost[0][:, :1].copy(), np.zeros((len(cx), 1, neurons // LANES))
        if cu.shape[1]:
            in_parallel(
                loop.kernels.costate, blocks, loop.body, w, loop.constants, ctx.given, ctx.path, *cost, gw, gx, gy
            )
        summed = (torch.from_numpy(g.sum(0)) for g in gw)
        return None, torch.from_numpy(gx[:, 0]), torch.from_numpy(gy[:, 0]), None, None, None, *summed


def rollout(
    network: EquationNetwork,
    arm: Arm,
    x0: Tensor,
    y0: Tensor,
    commands: Tensor,
    noise: Tensor,
    substeps: int = 2,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run body and network in closed loop, compiled; gradients are those of the maximum principle.

    x0 (B, 10), y0 (B, N), commands (B, T, K), noise (B, T, 18 + K + 6), all float64. Returns body
    states (B, T + 1, 10), excitations (B, T, 6) and neural states (B, T + 1, N); the last carry no
    gradient. A movement may end early, after its ``lengths`` (B,) int64 ≤ T; zeros follow.
    ``torch.set_num_threads`` sets the number of threads.
    """
    weights = network.weights._asdict()
    given = {"x0": x0, "y0": y0, "commands": commands, "noise": noise, **weights}
    for name, value in given.items():
        if value.dtype != torch.float64 or value.device.type != "cpu":
            raise ValueError(f"{name} must be a float64 tensor on the CPU, not {value.dtype} on {value.device}")
    size, neurons = network.command_size, network.state_size
    batch, periods = (*commands.shape, 0, 0)[:2]
    expected = {
        "x0": (x0, (batch, STATE_SIZE)),
        "y0": (y0, (batch, neurons)),
        "commands": (commands, (batch, periods, size)),
        "noise": (noise, (batch, periods, SENSORY_SIZE + size + MUSCLE_COUNT)),
    }
    for name, (value, shape) in expected.items():
        if value.shape != shape:
            raise ValueError(
                f"{name} must be {shape} for {neurons} neurons and commands {tuple(commands.shape)}, "
                f"not {tuple(value.shape)}"
            )
    if substeps < 1:
        raise ValueError(f"a control period has at least one physics step, not {substeps}")
    lengths = torch.full((batch,), periods, device="cpu") if lengths is None else lengths
    if lengths.shape != (batch,) or lengths.dtype != torch.int64 or not ((lengths >= 0) & (lengths <= periods)).all():
        raise ValueError(f"lengths are int64, one a movement ({batch},), from 0 to {periods}, not {lengths}")
    body = Body(arm.flat(), network.config.control_period / substeps, substeps)
    loop = _Loop(kernels_of(network), body, type(network.weights), plain_constants(network))
    x, u, y = _Rollout.apply(loop, x0, y0, commands, noise, lengths, *weights.values())
    return x, u, y.detach()
