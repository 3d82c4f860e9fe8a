"""The closed loop of body and network on a GPU, and its costate equations backwards.

A thread computes a movement. The equations are those of ``rnn_controller.rollouts.closed_loop``.
Arrays on the GPU have the movement as their last axis, so that neighbouring threads read
neighbouring numbers.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, float64

from arm_env.cuda.functions import THREADS, blocks_for, physics_on_gpu, printed
from arm_env.dynamics.body import Body
from rnn_controller.rollouts.closed_loop import Physics
from rnn_controller.rollouts.cuda_network import CudaNetwork
from rnn_controller.rollouts.statements import Traced

CHUNK = 32  # movements whose gradients are summed by one thread


class OnGpu(NamedTuple):
    """A rollout's arrays on the GPU, for B movements of T control periods.

    Attributes:
        p: (P,) parameters of the body.
        w: (W,) weights and constants.
        lengths: (B,) numbers of control periods.
        noise: (T, 3 M + K + M, B) noise ω.
        x: (T substeps + 1, S, B) body states.
        y: (T + 1, N, B) neural states.
        o: (T, 3 M + K, B) noisy observations.
        u: (T, M, B) excitations.
    """

    p: Any
    w: Any
    lengths: Any
    noise: Any
    x: Any
    y: Any
    o: Any
    u: Any


class Sizes(NamedTuple):
    """Numbers of components that the kernels are compiled for.

    Attributes:
        states: S of the body.
        muscles: M of the body.
        signals: 3 M of the body.
        commands: K.
        neurons: N.
        work: Of the array that the network works in.
    """

    states: int
    muscles: int
    signals: int
    commands: int
    neurons: int
    work: int


class CudaLoop:
    """The kernels of a network's record for one size, and a body."""

    def __init__(
        self,
        traced: Traced,
        values: Mapping[str, np.ndarray],
        body: Body,
        command_size: int,
        neurons: int,
    ):
        self.values = values
        self.network = CudaNetwork(traced, values, body.sensory_size + command_size, neurons)
        self.sizes = Sizes(
            body.state_size, body.muscle_count, body.sensory_size, command_size, neurons,
            self.network.work_size,
        )  # fmt: skip
        functions = physics_on_gpu(body)
        step = printed("network_step", self.network.step_source())
        adjoint = printed("network_vjp", self.network.adjoint_source())
        self._forward = forward_kernel(
            self.sizes, functions["sense"], step, functions["excite"], functions["step"]
        )
        self._costate = costate_kernel(
            self.sizes, functions["sense_vjp"], adjoint,
            (functions["excite"], functions["excite_vjp"]), functions["step_vjp"],
        )  # fmt: skip

    def forward(
        self, physics: Physics, x0: Any, y0: Any, commands: Any, noise: Any, lengths: Any
    ) -> tuple[OnGpu, tuple[np.ndarray, ...]]:
        """Run the loop; return its arrays on the GPU, and x, u and y as ``rollout`` does.

        x0 (B, S), y0 (B, N), commands (B, T, K), noise (B, T, 3 M + K + M), lengths (B,) int64.
        """
        size = self.sizes
        batch, periods, _ = commands.shape
        p, h, substeps = physics
        x = np.zeros((periods * substeps + 1, size.states, batch))
        y = np.zeros((periods + 1, size.neurons, batch))
        x[0], y[0] = x0.T, y0.T
        weights = np.concatenate([np.ravel(value) for value in self.values.values()])
        at = OnGpu(
            *map(
                cuda.to_device,
                (
                    p, weights, lengths, periods_first(noise), x, y,
                    np.zeros((periods, size.signals + size.commands, batch)),
                    np.zeros((periods, size.muscles, batch)),
                ),
            )
        )  # fmt: skip
        given = cuda.to_device(periods_first(commands))
        self._forward[blocks_for(batch)](
            at.p, h, substeps, at.w, at.lengths, given, at.noise, at.x, at.y, at.o, at.u
        )
        x = at.x.copy_to_host()[::substeps]
        return at, tuple(map(movements_first, (x, at.u.copy_to_host(), at.y.copy_to_host())))

    def backward(
        self, at: OnGpu, physics: Physics, cx: np.ndarray, cu: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Carry the costate back; return the gradients of w, x0, y0 and the commands.

        cx (B, T + 1, S) and cu (B, T, M) are the partial derivatives of the cost. The gradients are
        (W,), (B, S), (B, N) and (B, T, K).
        """
        size = self.sizes
        batch, periods, _ = cu.shape
        _, h, substeps = physics
        kept = cuda.device_array((periods, batch, max(1, self.network.kept_size)))
        gx, gy = (cuda.to_device(np.zeros((n, batch))) for n in (size.states, size.neurons))
        gk = cuda.to_device(np.zeros((periods, size.commands, batch)))
        costs = [cuda.to_device(periods_first(c)) for c in (cx, cu)]
        self._costate[blocks_for(batch)](
            at.p, h, substeps, at.w, at.lengths, at.noise, at.x, at.y, at.o, at.u, *costs,
            kept, gx, gy, gk,
        )  # fmt: skip
        gw = np.zeros(len(at.w))
        weight, *factors = self.network.terms()
        if len(weight):
            chunks = -(-batch // CHUNK)
            sums = cuda.device_array((chunks, len(weight)))
            blocks, _ = blocks_for(len(weight))
            sum_terms[(blocks, chunks), (THREADS, 1)](
                kept, at.lengths, *map(cuda.to_device, map(np.ascontiguousarray, factors)), sums
            )
            np.add.at(gw, weight, sums.copy_to_host().sum(0))
        starts = (gx.copy_to_host().T, gy.copy_to_host().T)
        return gw, *starts, movements_first(gk.copy_to_host())


def periods_first(array: np.ndarray) -> np.ndarray:
    """Return an array (B, T, n) as (T, n, B)."""
    return np.ascontiguousarray(array.transpose(1, 2, 0))


def movements_first(array: np.ndarray) -> np.ndarray:
    """Return an array (T, n, B) as (B, T, n)."""
    return np.ascontiguousarray(array.transpose(2, 0, 1))


@functools.cache
def forward_kernel(size: Sizes, sense: Any, network_step: Any, excite: Any, step: Any) -> Any:
    """Return the kernel that fills x, y, o and u from their first rows."""
    states, muscles, signals, commands, neurons, work_size = size
    observed = signals + commands
    # an array of no components does not compile
    y_size, w_size = max(1, neurons), max(1, work_size)

    @cuda.jit
    def forward(p, h, substeps, w, lengths, given, noise, xs, ys, os, us):  # type: ignore[no-untyped-def]
        b = cuda.grid(1)
        if b >= lengths.shape[0]:
            return
        x, o = cuda.local.array(states, float64), cuda.local.array(observed, float64)
        y, following = cuda.local.array(y_size, float64), cuda.local.array(y_size, float64)
        u, excitation = cuda.local.array(muscles, float64), cuda.local.array(muscles, float64)
        omega, work = cuda.local.array(muscles, float64), cuda.local.array(w_size, float64)
        for i in range(states):
            x[i] = xs[0, i, b]
        for i in range(neurons):
            y[i] = ys[0, i, b]
        for t in range(lengths[b]):
            sense(p, x, o)
            for i in range(commands):
                o[signals + i] = given[t, i, b]
            for i in range(observed):
                o[i] *= 1 + noise[t, i, b]
                os[t, i, b] = o[i]
            network_step(w, o, y, work, u, following)
            for i in range(neurons):
                y[i] = following[i]
                ys[t + 1, i, b] = y[i]
            for i in range(muscles):
                us[t, i, b] = u[i]
                omega[i] = noise[t, observed + i, b]
            excite(p, u, omega, excitation)
            for s in range(substeps):
                step(p, h, x, excitation, x)
                for i in range(states):
                    xs[t * substeps + s + 1, i, b] = x[i]

    return forward


@functools.cache
def costate_kernel(
    size: Sizes, sense_vjp: Any, network_vjp: Any, excites: tuple[Any, Any], step_vjp: Any
) -> Any:
    """Return the kernel that carries the costate back, and keeps the factors of the gradient."""
    states, muscles, signals, commands, neurons, work_size = size
    observed = signals + commands
    y_size, w_size = max(1, neurons), max(1, work_size)
    excite, excite_vjp = excites

    @cuda.jit
    def costate(p, h, substeps, w, lengths, noise, xs, ys, os, us, cx, cu, kept, gx, gy, gk):  # type: ignore[no-untyped-def]
        b = cuda.grid(1)
        if b >= lengths.shape[0]:
            return
        x, g = cuda.local.array(states, float64), cuda.local.array(states, float64)
        more = cuda.local.array(states, float64)
        y, g_y = cuda.local.array(y_size, float64), cuda.local.array(y_size, float64)
        o, g_o = cuda.local.array(observed, float64), cuda.local.array(observed, float64)
        u, g_u = cuda.local.array(muscles, float64), cuda.local.array(muscles, float64)
        omega, excitation = cuda.local.array(muscles, float64), cuda.local.array(muscles, float64)
        part, g_excitation = cuda.local.array(muscles, float64), cuda.local.array(muscles, float64)
        g_state, work = cuda.local.array(y_size, float64), cuda.local.array(w_size, float64)
        for i in range(states):
            g[i] = 0.0
        for i in range(neurons):
            g_y[i] = 0.0
        for t in range(lengths[b] - 1, -1, -1):
            for i in range(states):
                g[i] += cx[t + 1, i, b]
            for i in range(neurons):
                y[i] = ys[t, i, b]
            for i in range(observed):
                o[i] = os[t, i, b]
            for i in range(muscles):
                u[i], omega[i] = us[t, i, b], noise[t, observed + i, b]
                g_excitation[i] = 0.0
            excite(p, u, omega, excitation)
            for s in range(substeps - 1, -1, -1):
                for i in range(states):
                    x[i] = xs[t * substeps + s, i, b]
                step_vjp(p, h, x, excitation, g, g, part)
                for i in range(muscles):
                    g_excitation[i] += part[i]
            excite_vjp(p, u, omega, g_excitation, g_u)
            for i in range(muscles):
                g_u[i] += cu[t, i, b]
            network_vjp(w, o, y, g_u, g_y, work, g_o, g_state, kept[t, b])
            for i in range(neurons):
                g_y[i] = g_state[i]
            # s (1 + ω) was observed
            for i in range(observed):
                g_o[i] *= 1 + noise[t, i, b]
            for i in range(commands):
                gk[t, i, b] = g_o[signals + i]
            sense_vjp(p, x, g_o, more)
            for i in range(states):
                g[i] += more[i]
        for i in range(states):
            gx[i, b] = g[i] + cx[0, i, b]
        for i in range(neurons):
            gy[i, b] = g_y[i]

    return costate


@cuda.jit
def sum_terms(kept, lengths, first, second, sums):  # type: ignore[no-untyped-def]
    """Fill sums (chunks, n): a thread sums a term of the gradient over a chunk of movements."""
    e, chunk = cuda.grid(2)
    if e >= first.shape[0]:
        return
    total = 0.0
    for b in range(chunk * CHUNK, min((chunk + 1) * CHUNK, lengths.shape[0])):
        for t in range(lengths[b]):
            factor = kept[t, b, second[e]] if second[e] >= 0 else 1.0
            total += kept[t, b, first[e]] * factor
    sums[chunk, e] = total
