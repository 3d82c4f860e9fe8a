"""The modified Pontryagin maximum principle (Huh & Todorov 2009, III.A), compiled.

ṗ = −f_qᵀ p − c_qᵀ backwards from p(t_f) = 0 and dV/dW = ∫ (pᵀ f_W + c_W) dt; in discrete time the
exact adjoint of the environment's own step. The forward pass stores the trajectory of q = [x; y];
the costate pass receives c_x and c_u from torch, so any cost on the trajectory can be trained.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arm_env.compiling import jit
from arm_env.lanes import LANES
from arm_env.parameters import Arm
from arm_env.plant import (
    MUSCLE_COUNT,
    SENSORY_SIZE,
    STATE_SIZE,
    excite_lanes,
    excite_vjp_lanes,
    sense_lanes,
    sense_vjp_lanes,
    step_lanes,
    step_vjp_lanes,
)
from rnn_controller.network import ACTIVATIONS, RecurrentController
from rnn_controller.parallel import in_parallel


@jit
def _add_product(matrix, vector, out):
    """out += matrix @ vector, given the matrix transposed so that the inner loop is contiguous."""
    for j in range(len(vector)):
        if vector[j] != 0:
            for i in range(len(out)):
                out[i] += matrix[j, i] * vector[j]


@jit
def _add_outer(left, right, out):
    """out += left rightᵀ."""
    for i in range(len(left)):
        if left[i] != 0:
            for j in range(len(right)):
                out[i, j] += left[i] * right[j]


@jit
def _transfer(activation, drive):
    if activation == 0:
        return drive if drive > 0 else 0.0
    return np.tanh(drive) if activation == 1 else 1 / (1 + np.exp(-drive))


@jit
def _transfer_slope(activation, rate):
    if activation == 0:
        return 1.0 if rate > 0 else 0.0
    return 1 - rate * rate if activation == 1 else rate * (1 - rate)


@jit
def network_step(leak, activation, yy, ys, yk, uy, us, by, bu, o, y, r, u, y_next):
    """Eq. 2 over one control period, weights transposed: from observation o and neural state y to
    rates r, excitations u and the next neural state."""
    s, k = o[:SENSORY_SIZE], o[SENSORY_SIZE:]
    r[:] = by
    _add_product(yy, y, r)
    _add_product(ys, s, r)
    _add_product(yk, k, r)
    u[:] = bu
    _add_product(uy, y, u)
    _add_product(us, s, u)
    for i in range(MUSCLE_COUNT):
        u[i] = u[i] if u[i] > 0 else 0.0
    for i in range(len(by)):
        r[i] = _transfer(activation, r[i])
        y_next[i] = leak * y[i] + (1 - leak) * r[i]


@jit
def network_steps(leak, activation, yy, ys, yk, uy, us, by, bu, o, y, u, y_next):
    """``network_step`` for a batch."""
    r = np.empty(len(by))
    for i in range(len(o)):
        network_step(leak, activation, yy, ys, yk, uy, us, by, bu, o[i], y[i], r, u[i], y_next[i])


@jit
def _by_length(first, last, lengths):
    """Movements first … last − 1 from the longest to the shortest, so that those of a block end at about one time."""
    return first + np.argsort(-lengths[first:last], kind="mergesort")


@jit
def _to_lane(row, lane, lanes):
    """Put the values of one arm into its lane."""
    for i in range(len(row)):
        lanes[LANES * i + lane] = row[i]


@jit
def _from_lane(lanes, lane, row):
    """Take the values of one arm from its lane."""
    for i in range(len(row)):
        row[i] = lanes[LANES * i + lane]


@jit
def _forward(
    first, last, p, h, substeps, leak, activation, yy, ys, yk, uy, us, by, bu, commands, noise, lengths, x, y, o, r, u
):  # fmt: skip
    """Trajectories of movements first … last − 1, the bodies of ``LANES`` at a time. Weights come transposed.

    commands (B, T, K), noise (B, T, 18 + K + 6), lengths (B,) ≤ T; fills x (B, T · substeps + 1, 10) and
    y (B, T + 1, N) from their first rows, observations o (B, T, 18 + K), rates r (B, T, N), excitations u (B, T, 6).
    """
    size = commands.shape[2]
    order = _by_length(first, last, lengths)
    body, moved = np.zeros(LANES * STATE_SIZE), np.zeros(LANES * STATE_SIZE)
    signal = np.empty(LANES * SENSORY_SIZE)
    # A lane that is empty, or whose movement has ended, goes on without excitation, and nobody looks.
    controls, omega = np.zeros(LANES * MUSCLE_COUNT), np.zeros(LANES * MUSCLE_COUNT)
    excitation = np.empty(LANES * MUSCLE_COUNT)
    for block in range(0, len(order), LANES):
        members = order[block : block + LANES]
        for lane in range(len(members)):
            _to_lane(x[members[lane], 0], lane, body)
        for t in range(lengths[members[0]]):
            sense_lanes(p, body, signal)
            controls[:] = 0
            for lane in range(len(members)):
                b = members[lane]
                if t < lengths[b]:
                    _from_lane(signal, lane, o[b, t, :SENSORY_SIZE])
                    o[b, t, SENSORY_SIZE:] = commands[b, t]
                    for i in range(SENSORY_SIZE + size):
                        o[b, t, i] *= 1 + noise[b, t, i]
                    network_step(
                        leak, activation, yy, ys, yk, uy, us, by, bu, o[b, t], y[b, t], r[b, t], u[b, t], y[b, t + 1]
                    )
                    _to_lane(u[b, t], lane, controls)
                    _to_lane(noise[b, t, SENSORY_SIZE + size :], lane, omega)
            excite_lanes(p, controls, omega, excitation)
            for i in range(t * substeps, (t + 1) * substeps):
                step_lanes(p, h, body, excitation, moved)
                body, moved = moved, body
                for lane in range(len(members)):
                    if t < lengths[members[lane]]:
                        _from_lane(body, lane, x[members[lane], i + 1])


@jit
def _costate(
    first, last, p, h, substeps, leak, activation, yy, ys, yk, uy, us, noise, lengths, x, y, o, r, u, cx, cu,
    gyy, gys, gyk, guy, gus, gby, gbu, gx, gy,
):  # fmt: skip
    """The backward pass of ``_forward``; weights as in eq. 2, gradients per movement.

    cx (B, T + 1, 10) and cu (B, T, 6) are the cost's partials; gx (B, 10) and gy (B, N) receive the
    costate at the start.
    """
    size, neurons = noise.shape[2] - SENSORY_SIZE - MUSCLE_COUNT, y.shape[2]
    order = _by_length(first, last, lengths)
    body, costate = np.zeros(LANES * STATE_SIZE), np.zeros(LANES * STATE_SIZE)
    earlier = np.zeros(LANES * STATE_SIZE)
    controls, omega = np.zeros(LANES * MUSCLE_COUNT), np.zeros(LANES * MUSCLE_COUNT)
    excitation, part = np.empty(LANES * MUSCLE_COUNT), np.empty(LANES * MUSCLE_COUNT)
    ge, gu_lanes = np.empty(LANES * MUSCLE_COUNT), np.empty(LANES * MUSCLE_COUNT)
    gs_lanes = np.zeros(LANES * SENSORY_SIZE)
    gu, gr, gs = np.empty(MUSCLE_COUNT), np.empty(neurons), np.empty(SENSORY_SIZE)
    for block in range(0, len(order), LANES):
        members = order[block : block + LANES]
        costate[:] = 0  # also of movements that have ended: their cotangents stay zero until their last period
        for lane in range(len(members)):
            b = members[lane]
            _to_lane(cx[b, lengths[b]], lane, costate)
            gy[b] = 0
        for t in range(lengths[members[0]] - 1, -1, -1):
            controls[:] = 0
            for lane in range(len(members)):
                b = members[lane]
                if t < lengths[b]:
                    _to_lane(u[b, t], lane, controls)
                    _to_lane(noise[b, t, SENSORY_SIZE + size :], lane, omega)
            excite_lanes(p, controls, omega, excitation)
            ge[:] = 0
            for i in range((t + 1) * substeps - 1, t * substeps - 1, -1):
                for lane in range(len(members)):
                    _to_lane(x[members[lane], i], lane, body)
                step_vjp_lanes(p, h, body, excitation, costate, earlier, part)
                for lane in range(len(members)):
                    if t < lengths[members[lane]]:
                        for j in range(STATE_SIZE):
                            costate[LANES * j + lane] = earlier[LANES * j + lane]
                        for j in range(MUSCLE_COUNT):
                            ge[LANES * j + lane] += part[LANES * j + lane]
            excite_vjp_lanes(p, controls, omega, ge, gu_lanes)
            for lane in range(len(members)):
                b = members[lane]
                if t >= lengths[b]:
                    continue
                _from_lane(gu_lanes, lane, gu)
                py = gy[b]
                for j in range(MUSCLE_COUNT):
                    gu[j] = gu[j] + cu[b, t, j] if u[b, t, j] > 0 else 0.0
                for j in range(neurons):
                    gr[j] = (1 - leak) * py[j] * _transfer_slope(activation, r[b, t, j])
                    py[j] *= leak
                    gby[b, j] += gr[j]
                for j in range(MUSCLE_COUNT):
                    gbu[b, j] += gu[j]
                s, k = o[b, t, :SENSORY_SIZE], o[b, t, SENSORY_SIZE:]
                _add_outer(gr, y[b, t], gyy[b])
                _add_outer(gr, s, gys[b])
                _add_outer(gr, k, gyk[b])
                _add_outer(gu, y[b, t], guy[b])
                _add_outer(gu, s, gus[b])
                _add_product(yy, gr, py)
                _add_product(uy, gu, py)
                gs[:] = 0
                _add_product(ys, gr, gs)
                _add_product(us, gu, gs)
                for j in range(SENSORY_SIZE):
                    gs[j] *= 1 + noise[b, t, j]
                _to_lane(gs, lane, gs_lanes)
            for lane in range(len(members)):
                _to_lane(x[members[lane], t * substeps], lane, body)
            sense_vjp_lanes(p, body, gs_lanes, earlier)
            for lane in range(len(members)):
                b = members[lane]
                if t < lengths[b]:
                    for j in range(STATE_SIZE):
                        costate[LANES * j + lane] += earlier[LANES * j + lane] + cx[b, t, j]
        for lane in range(len(members)):
            _from_lane(costate, lane, gx[members[lane]])


class _Rollout(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        constants: Any,
        x0: Tensor,
        y0: Tensor,
        commands: Tensor,
        noise: Tensor,
        lengths: Tensor,
        *weights: Tensor,
    ) -> Any:
        substeps = constants[2]
        batch, period = commands.shape[:2]
        blocks = [w.detach().numpy() for w in weights]
        x = np.zeros((batch, period * substeps + 1, STATE_SIZE))
        y = np.zeros((batch, period + 1, y0.shape[1]))
        o = np.empty((batch, period, SENSORY_SIZE + commands.shape[2]))
        r, u = np.empty((batch, period, y0.shape[1])), np.zeros((batch, period, MUSCLE_COUNT))
        x[:, 0], y[:, 0] = x0.detach().numpy(), y0.detach().numpy()
        transposed = [np.ascontiguousarray(w.T) for w in blocks]
        given = noise.numpy(), lengths.numpy()
        in_parallel(_forward, batch, *constants, *transposed, commands.numpy(), *given, x, y, o, r, u)
        ctx.save_for_backward(*weights)  # so that torch notices weights changed before backward
        ctx.constants, ctx.path = constants, (*given, x, y, o, r, u)
        return torch.from_numpy(x[:, ::substeps].copy()), torch.from_numpy(u.copy()), torch.from_numpy(y.copy())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cx: Tensor, cu: Tensor, _cy: Tensor) -> Any:
        batch, blocks = len(cx), [w.detach().numpy() for w in ctx.saved_tensors]
        gradients = [np.zeros((batch, *w.shape)) for w in blocks]
        gx, gy = np.empty((batch, STATE_SIZE)), np.empty((batch, ctx.path[3].shape[2]))
        cost = cx.contiguous().numpy(), cu.contiguous().numpy()
        in_parallel(_costate, batch, *ctx.constants, *blocks[:5], *ctx.path, *cost, *gradients, gx, gy)
        summed = [torch.from_numpy(g.sum(0)) for g in gradients]
        return None, torch.from_numpy(gx), torch.from_numpy(gy), None, None, None, *summed


def rollout(
    network: RecurrentController,
    arm: Arm,
    x0: Tensor,
    y0: Tensor,
    commands: Tensor,
    noise: Tensor,
    substeps: int = 2,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Body and network in closed loop, compiled; gradients by the maximum principle.

    x0 (B, 10), y0 (B, N), commands (B, T, K), noise (B, T, 18 + K + 6), all float64. Returns body
    states (B, T + 1, 10), excitations (B, T, 6) and neural states (B, T + 1, N); the last carry no
    gradient. A movement may end early, after its ``lengths`` (B,) int64 ≤ T; zeros follow.
    ``torch.set_num_threads`` sets the number of threads.
    """
    given = {"x0": x0, "y0": y0, "commands": commands, "noise": noise, **dict(network.named_parameters())}
    for name, value in given.items():
        if value.dtype != torch.float64 or value.device.type != "cpu":
            raise ValueError(f"{name} must be a float64 tensor on the CPU, not {value.dtype} on {value.device}")
    config, size = network.config, network.command_size
    batch, periods = (*commands.shape, 0, 0)[:2]
    expected = {
        "x0": (x0, (batch, STATE_SIZE)),
        "y0": (y0, (batch, config.neurons)),
        "commands": (commands, (batch, periods, size)),
        "noise": (noise, (batch, periods, SENSORY_SIZE + size + MUSCLE_COUNT)),
    }
    for name, (value, shape) in expected.items():
        if value.shape != shape:
            raise ValueError(
                f"{name} must be {shape} for {config.neurons} neurons and commands {tuple(commands.shape)}, "
                f"not {tuple(value.shape)}"
            )
    if substeps < 1:
        raise ValueError(f"a control period has at least one physics step, not {substeps}")
    lengths = torch.full((batch,), periods, device="cpu") if lengths is None else lengths
    if lengths.shape != (batch,) or lengths.dtype != torch.int64 or not ((lengths >= 0) & (lengths <= periods)).all():
        raise ValueError(f"lengths are int64, one a movement ({batch},), from 0 to {periods}, not {lengths}")
    h = config.control_period / substeps
    constants = (arm.flat(), h, substeps, network.leak, ACTIVATIONS.index(config.activation))
    x, u, y = _Rollout.apply(
        constants, x0, y0, commands.contiguous(), noise.contiguous(), lengths.contiguous(), *network.weights
    )
    return x, u, y.detach()
