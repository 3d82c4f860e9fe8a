"""The closed loop of body and network, and the costate equations backwards through it.

These functions are compiled for each kind of network together with its ``network_step`` and
``network_vjp`` (``rnn_controller.rollouts.network_emitting``). They take ``LANES`` movements at a
time, a block, from the longest to the shortest. Within a block an array of n components holds
component i of all its movements in [LANES i : LANES (i + 1)].

The gradient is that of the modified maximum principle (Huh & Todorov 2009, III.A). With the state
q = [x; y], its dynamics f, the cost c and the costate p:

    ṗ = −f_qᵀ p − c_qᵀ,  backwards from p(t_f) = 0
    dV/dW = ∫ (pᵀ f_W + c_W) dt

In discrete time this is the exact adjoint of the integrator's steps.
"""

import inspect
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen.compiling import Kernels, compile_source
from arm_env.codegen.lanes import LANES
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.plant import physics_of
from rnn_controller.rollouts.lane_moves import clear, from_lanes, to_lanes
from rnn_controller.rollouts.network_emitting import network_functions
from rnn_controller.rollouts.statements import Traced

# These three belong to a kind of network. The functions below are compiled together with it: their
# source is copied behind the network's, which defines the names that they call.
network_scratch: Any = None
network_step: Any = None
network_vjp: Any = None
# So do these belong to a body.
ZERO: Any = None
ONE: Any = None
STATE_SIZE: Any = None
SENSORY_SIZE: Any = None
MUSCLE_COUNT: Any = None
excite_lanes: Any = None
excite_vjp_lanes: Any = None
sense_lanes: Any = None
sense_vjp_lanes: Any = None
step_lanes: Any = None
step_vjp_lanes: Any = None


# Periods that are moved into lanes, or out of them, at once: so memory is read and written in runs.
TILE = 16


class Physics(NamedTuple):
    """The body's parameters, and the length and number of its integration steps.

    Attributes:
        p: (P,) the body's parameters as one vector.
        h: Length of an integration step [s].
        substeps: Number of integration steps in a control period.
    """

    p: np.ndarray
    h: float
    substeps: int


class Given(NamedTuple):
    """B movements of up to T control periods.

    Attributes:
        order: (B,) indices of the movements, from the longest to the shortest.
        lengths: (B,) numbers of control periods.
        commands: (B, T, K) commands, in the units of the task.
        noise: (B, T, 3 M + K + M) noise ω of sensory signals, command and excitations.
    """

    order: np.ndarray
    lengths: np.ndarray
    commands: np.ndarray
    noise: np.ndarray


class Path(NamedTuple):
    """The trajectories that the costate equations need, with one row for each block of movements.

    Attributes:
        x: (blocks, T substeps + 1, S LANES) body states.
        y: (blocks, T + 1, N LANES) neural states.
        o: (blocks, T, (3 M + K) LANES) noisy observations.
        u: (blocks, T, M LANES) excitations, before their noise.
    """

    x: np.ndarray
    y: np.ndarray
    o: np.ndarray
    u: np.ndarray


def silence(members, lengths, t, lanes):
    """Set the lanes of movements that have ended to zero."""
    # Their block goes on. No result contains their values, but the costate pass multiplies them by
    # zero and adds the products to those of other lanes: an overflow would make that sum NaN.
    for lane in range(len(members)):
        if t >= lengths[members[lane]]:
            for i in range(len(lanes) // LANES):
                lanes[LANES * i + lane] = 0.0


def take_command_costate(signals, members, lengths, t, gk):
    """Take gk[b, t], of the movements that go on, from the costate of all signals."""
    for lane in range(len(members)):
        b = members[lane]
        if t < lengths[b]:
            for i in range(gk.shape[2]):
                gk[b, t, i] = signals[LANES * (SENSORY_SIZE + i) + lane]


def forward(first, last, body, network, given, path, trajectory):
    """Fill the path of blocks first … last − 1, and the trajectory from it.

    The network is its weights and constants. The trajectory is x (B, T + 1, 10), u (B, T, 6) and
    y (B, T + 1, N), of which x and y hold their first rows already; zeros follow after a movement.
    """
    p, h, substeps = body
    w, c = network
    order, lengths, commands, noise = given
    bodies, neurons, observations, controls = path
    x, u, y = trajectory
    observed = observations.shape[2]
    omega = np.zeros((TILE, observed + LANES * MUSCLE_COUNT))
    excitation = np.empty(LANES * MUSCLE_COUNT)
    work = np.empty(network_scratch(w, c, observations[0, 0], neurons[0, 0]))
    always = np.ones_like(lengths)
    for block in range(first, last):
        members = order[LANES * block : LANES * (block + 1)]
        # the last block may have lanes without a movement, whose arms must stay finite, too
        bodies[block, 0] = 0.0
        neurons[block, 0] = 0.0
        observations[block] = 0.0
        to_lanes(x, members, always, ZERO, ONE, ZERO, ZERO, bodies[block])
        to_lanes(y, members, always, ZERO, ONE, ZERO, ZERO, neurons[block])
        longest = lengths[members[0]]  # the first of a block is its longest
        for begin in range(0, longest, TILE):
            end = min(begin + TILE, longest)
            tile = observations[block, begin:end]
            to_lanes(commands, members, lengths, begin, end, ZERO, SENSORY_SIZE, tile)
            to_lanes(noise, members, lengths, begin, end, ZERO, ZERO, omega)
            for t in range(begin, end):
                o = observations[block, t]
                drawn = omega[t - begin]
                i = t * substeps
                sense_lanes(p, bodies[block, i], o)
                for j in range(observed):
                    o[j] *= 1 + drawn[j]
                silence(members, lengths, t, o)
                # the state that a movement ends in is still to be taken from its lane
                silence(members, lengths, t - 1, neurons[block, t])
                network_step(
                    w, c, o, neurons[block, t], work, controls[block, t], neurons[block, t + 1]
                )
                excite_lanes(p, controls[block, t], drawn[observed:], excitation)
                for s in range(i, i + substeps):
                    step_lanes(p, h, bodies[block, s], excitation, bodies[block, s + 1])
            from_lanes(bodies[block], members, lengths, begin, end, ONE, substeps, x)
            from_lanes(controls[block], members, lengths, begin, end, ZERO, ONE, u)
            from_lanes(neurons[block], members, lengths, begin, end, ONE, ONE, y)
        clear(members, lengths, ONE, x)
        clear(members, lengths, ZERO, u)
        clear(members, lengths, ONE, y)


def costate(first, last, body, network, given, path, cost, gradient):
    """Carry the costate back through blocks first … last − 1.

    The cost is its partial derivatives, cx (B, T + 1, 10) and cu (B, T, 6). The gradient is that of
    the weights for each block, gw (blocks, …), to which this adds, the costate at the start, gx (B,
    1, 10) and gy (B, 1, N), and that of the commands, gk (B, T, K), which this fills. If gk is (B,
    0, K), it is not computed.
    """
    p, h, substeps = body
    w, c = network
    order, lengths, _, noise = given
    bodies, neurons, observations, controls = path
    cx, cu = cost
    gw, gx, gy, gk = gradient
    observed = observations.shape[2]
    omega = np.zeros((TILE, observed + LANES * MUSCLE_COUNT))
    body_slopes = np.zeros((TILE, LANES * STATE_SIZE))
    control_slopes = np.zeros((TILE, LANES * MUSCLE_COUNT))
    excitation = np.empty(LANES * MUSCLE_COUNT)
    part = np.empty(LANES * MUSCLE_COUNT)
    excitation_costate = np.empty(LANES * MUSCLE_COUNT)
    control_costate = np.empty(LANES * MUSCLE_COUNT)
    signal_costate = np.empty(observed)
    body_costate = np.empty((1, LANES * STATE_SIZE))
    earlier = np.empty((1, LANES * STATE_SIZE))
    neural_costate = np.empty((1, neurons.shape[2]))
    earlier_neural = np.empty((1, neurons.shape[2]))
    work = np.empty(network_scratch(w, c, observations[0, 0], neurons[0, 0]))
    always = np.ones_like(lengths)
    for block in range(first, last):
        members = order[LANES * block : LANES * (block + 1)]
        # The costate of a shorter movement stays zero until its own last period: the equations are
        # linear in it, and its derivatives of the cost are added from there on.
        body_costate[:] = 0.0
        neural_costate[:] = 0.0
        longest = lengths[members[0]]
        for begin in range((longest - 1) // TILE * TILE, -1, -TILE):
            end = min(begin + TILE, longest)
            to_lanes(noise, members, lengths, begin, end, ZERO, ZERO, omega)
            to_lanes(cx, members, lengths, begin, end, ONE, ZERO, body_slopes)
            to_lanes(cu, members, lengths, begin, end, ZERO, ZERO, control_slopes)
            for t in range(end - 1, begin - 1, -1):
                drawn = omega[t - begin]
                # p(t + 1) is complete with the cost's derivative there; a period's steps carry it
                # to t
                for j in range(body_costate.shape[1]):
                    body_costate[0, j] += body_slopes[t - begin, j]
                # computed again, not kept: it is cheap, and the same for all steps of the period
                excite_lanes(p, controls[block, t], drawn[observed:], excitation)
                excitation_costate[:] = 0.0
                for s in range((t + 1) * substeps - 1, t * substeps - 1, -1):
                    step_vjp_lanes(
                        p, h, bodies[block, s], excitation, body_costate[0], earlier[0], part
                    )
                    body_costate, earlier = earlier, body_costate  # no copy
                    for j in range(len(part)):
                        excitation_costate[j] += part[j]
                excite_vjp_lanes(
                    p, controls[block, t], drawn[observed:], excitation_costate, control_costate
                )
                for j in range(len(part)):
                    control_costate[j] += control_slopes[t - begin, j]
                network_vjp(
                    w, c, observations[block, t], neurons[block, t], control_costate,
                    neural_costate[0], work, signal_costate, earlier_neural[0], gw, block,
                )  # fmt: skip
                neural_costate, earlier_neural = earlier_neural, neural_costate
                # s (1 + drawn) was observed
                for j in range(observed):
                    signal_costate[j] *= 1 + drawn[j]
                if gk.shape[1]:
                    take_command_costate(signal_costate, members, lengths, t, gk)
                sense_vjp_lanes(p, bodies[block, t * substeps], signal_costate, earlier[0])
                for j in range(body_costate.shape[1]):
                    body_costate[0, j] += earlier[0, j]
        to_lanes(cx, members, always, ZERO, ONE, ZERO, ZERO, earlier)
        for j in range(body_costate.shape[1]):
            body_costate[0, j] += earlier[0, j]
        from_lanes(body_costate, members, always, ZERO, ONE, ZERO, ONE, gx)
        from_lanes(neural_costate, members, always, ZERO, ONE, ZERO, ONE, gy)


def steps(w, c, o, y, u, following):
    """Fill u (B, 1, 6) and the next neural states from observations o (B, 1, 18 + K) and y."""
    signal = np.zeros((1, LANES * o.shape[2]))
    state = np.zeros((1, LANES * y.shape[2]))
    excitations = np.empty((1, LANES * MUSCLE_COUNT))
    moved = np.empty((1, LANES * y.shape[2]))
    work = np.empty(network_scratch(w, c, signal[0], state[0]))
    every = np.arange(len(o))
    always = np.ones(len(o), dtype=np.int64)
    for first in range(0, len(o), LANES):
        members = every[first : first + LANES]
        to_lanes(o, members, always, ZERO, ONE, ZERO, ZERO, signal)
        to_lanes(y, members, always, ZERO, ONE, ZERO, ZERO, state)
        network_step(w, c, signal[0], state[0], work, excitations[0], moved[0])
        from_lanes(excitations, members, always, ZERO, ONE, ZERO, ONE, u)
        from_lanes(moved, members, always, ZERO, ONE, ZERO, ONE, following)


SHARED = (
    to_lanes, from_lanes, clear, silence, take_command_costate, forward, costate, steps,
)  # fmt: skip
HEADER = """
import numpy as np
LANES = {lanes}
TILE = {tile}
STATE_SIZE = {body.state_size}
SENSORY_SIZE = np.int64({body.sensory_size})
MUSCLE_COUNT = {body.muscle_count}
# a literal would be a type of its own, for which Numba compiles the function again
ZERO, ONE = np.int64(0), np.int64(1)
"""


def closed_loop(network: Traced, body: Body = ARM) -> Kernels:
    """Return ``forward``, ``costate`` and ``steps``, compiled for a network's record and a body.

    Networks of one kind for one body share them, whatever their sizes.
    """
    header = HEADER.format(lanes=LANES, tile=TILE, body=body)
    source = "\n".join([header, *(inspect.getsource(function) for function in SHARED)])
    known = network_functions(network) | physics_of(body)
    return compile_source("closed_loop", source, **known)
