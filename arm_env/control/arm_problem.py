"""The arm under one command as a problem of optimal control.

Step and cost are those of the environment, and so are their derivatives.
"""

from dataclasses import dataclass, field

import numpy as np

from arm_env.codegen.compiling import Kernels, compile_source, once_for_each_trace
from arm_env.codegen.emitting import emitted
from arm_env.codegen.tracing import constant, flatten, gradient, load
from arm_env.control.ilqr import Expansion, Trajectory
from arm_env.dynamics.body import ARM
from arm_env.dynamics.layout import ACTIVATIONS, COSTS, MUSCLE_COUNT, STATE_SIZE
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.plant import physics_of, step_rows, step_vjp_rows
from arm_env.dynamics.task_kernels import TracedTask, trace_task
from arm_env.envs.simulation import substeps_of
from arm_env.tasks.task import Task

SIZE = STATE_SIZE + MUSCLE_COUNT
# angles and velocities lead the state; activations are linear in it and the excitations
MOTION = ACTIVATIONS.start
NUDGE = 1e-6  # [-] step of the finite difference of exact adjoints

PASSES = f"""
def follow(
    p, w, h, substeps, command, tone, max_excitation,
    states, controls, change, gains, scale, x, u, terms,
):
    value = 0.0
    for j in range({STATE_SIZE}):
        x[0, j] = states[0, j]
    for t in range(len(controls)):
        for i in range({MUSCLE_COUNT}):
            wanted = controls[t, i] + scale * change[t, i]
            for j in range({STATE_SIZE}):
                wanted += gains[t, i, j] * (x[t, j] - states[t, j])
            wanted = tone if wanted < tone else wanted
            u[t, i] = max_excitation if wanted > max_excitation else wanted
        for j in range({STATE_SIZE}):
            x[t + 1, j] = x[t, j]
        for _ in range(substeps):
            step(p, h, x[t + 1], u[t], x[t + 1])
        cost(p, w, x[t + 1], u[t], command, terms)
        value += (terms[0] + terms[1] + terms[2]) * h * substeps
    return value

def expand_cost(p, w, command, states, controls, slope, hessian):
    for t in range(len(controls)):
        cost_derivatives(p, w, states[t + 1], controls[t], command, slope[t], hessian[t])
"""


@once_for_each_trace(trace_task)
def compiled(traced: TracedTask) -> Kernels:
    """Return kernels that know a task's cost: ``follow``, ``expand_cost`` and their parts."""
    x, u = load("x", (STATE_SIZE,)), load("u", (MUSCLE_COUNT,))
    total = flatten([sum(traced.terms)])
    z, one = flatten([x, u]), [constant(1.0)]
    slope = gradient(total, one, z)
    rows = [entry for partial in slope for entry in gradient([partial], one, z)]
    arguments = ["p", "w", "x", "u", "k"]
    known = {
        **emitted("cost", arguments, {"terms": traced.terms}),
        **emitted("cost_derivatives", arguments, {"slope": slope, "hessian": rows}),
        **physics_of(ARM),
    }
    return compile_source("problem", PASSES, **known)


def advance(p: np.ndarray, h: float, x: np.ndarray, u: np.ndarray, substeps: int) -> np.ndarray:
    """Return the states (substeps, R, 10) at which the steps of one control period begin.

    The period begins in states x (R, 10), under excitations u (R, 6). p is the flat parameter
    vector of the arm, (P,), and h the length of a step [s].
    """
    between = np.empty((substeps, *x.shape))
    between[0] = x
    for s in range(1, substeps):
        step_rows(0, len(x), p, h, between[s - 1], u, between[s])
    return between


def advance_vjp(
    p: np.ndarray, h: float, u: np.ndarray, between: np.ndarray, gx: np.ndarray
) -> np.ndarray:
    """Turn costates gx (R, 10) of the ends of control periods into those of their starts.

    gx is changed in place; the costates gu (R, 6) of the excitations are returned. ``between``
    (substeps, R, 10) is the result of ``advance``. Excitations within the box reach the muscles as
    they are, so that ``excite`` without noise has no part in it (at the box's edge its derivative
    would be zero both ways).
    """
    part, gu = np.empty_like(u), np.zeros_like(u)
    for states in between[::-1]:
        step_vjp_rows(0, len(gx), p, h, states, u, gx, gx, part)
        gu += part
    return gu


def jacobians(
    p: np.ndarray, h: float, substeps: int, x: np.ndarray, u: np.ndarray, which: np.ndarray
) -> np.ndarray:
    """Return components ``which`` (n,) of the Jacobians of control periods, (T, n, 16).

    The periods begin in states x (T, 10), under excitations u (T, 6). The columns are those of the
    state and of the excitations.
    """
    number = len(which)
    gx = np.tile(np.eye(STATE_SIZE)[which], (len(x), 1))
    x, u = x.repeat(number, 0), u.repeat(number, 0)
    gu = advance_vjp(p, h, u, advance(p, h, x, u, substeps), gx)
    return np.concatenate([gx, gu], 1).reshape(-1, number, SIZE)


def curvatures(
    p: np.ndarray, h: float, substeps: int, x: np.ndarray, u: np.ndarray, costates: np.ndarray
) -> np.ndarray:
    """Return the second derivatives, (T, 16, 16), of costatesᵀ times the ends of control periods.

    The periods begin in states x (T, 10), under u (T, 6); costates are (T, 10). The derivatives are
    finite differences of adjoints.
    """
    nearby = SIZE + 1  # the point itself, and one nudged along each axis
    nudges = NUDGE * np.concatenate([np.zeros((1, SIZE)), np.eye(SIZE)])
    points = (np.concatenate([x, u], 1)[:, None] + nudges).reshape(-1, SIZE)
    x, u = (part.copy() for part in np.split(points, [STATE_SIZE], axis=1))
    gx = costates.repeat(nearby, 0)
    gu = advance_vjp(p, h, u, advance(p, h, x, u, substeps), gx)
    adjoints = np.concatenate([gx, gu], 1).reshape(-1, nearby, SIZE)
    slopes = (adjoints[:, 1:] - adjoints[:, :1]) / NUDGE
    return 0.5 * (slopes + slopes.swapaxes(1, 2))


def expand_dynamics(
    p: np.ndarray, h: float, substeps: int, states: np.ndarray, controls: np.ndarray,
    slope: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Return Jacobians (T, 10, 16), gradients (T, 6) and costates (T, 10) along a trajectory.

    States are (T + 1, 10), controls (T, 6), and ``slope`` (T, 16) is the gradient of the cost.
    """
    length = len(controls)
    dynamics = np.empty((length, STATE_SIZE, SIZE))
    every = np.arange(STATE_SIZE)
    dynamics[:, :MOTION] = jacobians(p, h, substeps, states[:length], controls, every[:MOTION])
    # activations follow the same linear equation at all times
    dynamics[:, MOTION:] = jacobians(p, h, substeps, states[:1], controls[:1], every[MOTION:])
    gradient = np.empty((length, MUSCLE_COUNT))
    costates = np.empty((length, STATE_SIZE))
    costate = np.zeros(STATE_SIZE)
    for t in range(length - 1, -1, -1):
        costates[t] = costate + slope[t, :STATE_SIZE]
        both = costates[t] @ dynamics[t]
        costate = both[:STATE_SIZE]
        gradient[t] = both[STATE_SIZE:] + slope[t, STATE_SIZE:]
    return dynamics, gradient, costates


@dataclass
class ArmProblem:
    """The arm under one command of a task, held from start to end, as a ``Problem`` for ``solve``.

    The value of a movement is Σ c Δt, minus the return of the environment without noise: c is the
    cost of the state in which a period ends and the excitations held during it. Controls lie within
    [tone, max_excitation]. (Excitations below the tone act on the muscles as the tone does, so the
    value has no slope there. The effort that a command of 0 would save is γ/2 tone² a muscle, below
    1e-4 of the cost.) Raises ValueError for a command of another shape or that is not finite.

    Attributes:
        task: The task.
        command: The command, (K,).
        arm: The parameters of the arm.
        weights: Weights of the cost; None for those of the task.
        control_period: Δt [s].
    """

    task: Task
    command: np.ndarray
    arm: Arm = field(default_factory=Arm)
    weights: CostWeights | None = None
    control_period: float = 0.01

    def __post_init__(self) -> None:
        self.command = np.array(self.command, dtype=float)
        self.task.checked_shape(self.command[None])
        self.size = STATE_SIZE
        self.low = np.full(MUSCLE_COUNT, self.arm.tone)
        self.high = np.full(MUSCLE_COUNT, self.arm.max_excitation)
        self._kernels = compiled(self.task)
        self._p, self._w = self.arm.flat(), (self.weights or self.task.weights).flat()
        self._substeps = substeps_of(self.control_period)
        self._step = self.control_period / self._substeps

    def follow(
        self,
        states: np.ndarray,
        controls: np.ndarray,
        change: np.ndarray,
        gains: np.ndarray,
        scale: float,
    ) -> Trajectory:
        """Return states (T + 1, 10), controls (T, 6) and value of a changed trajectory.

        As in ``Problem.follow``.
        """
        x, u = np.empty_like(states), np.empty_like(controls)
        value = self._kernels.follow(
            self._p, self._w, self._step, self._substeps, self.command,
            self.arm.tone, self.arm.max_excitation,
            states, controls, change, gains, scale, x, u, np.empty(COSTS),
        )  # fmt: skip
        return x, u, float(value)

    def expand(self, states: np.ndarray, controls: np.ndarray, exact: bool) -> Expansion:
        """Return the derivatives along a trajectory of states (T + 1, 10) and controls (T, 6).

        As in ``Problem.expand``.
        """
        length = len(controls)
        slope = np.empty((length, SIZE))
        hessian = np.empty((length, SIZE * SIZE))
        self._kernels.expand_cost(self._p, self._w, self.command, states, controls, slope, hessian)
        slope *= self.control_period
        hessian = self.control_period * hessian.reshape(length, SIZE, SIZE)
        if not exact:
            convexify(hessian)
        plant = (self._p, self._step, self._substeps)
        dynamics, slopes, costates = expand_dynamics(*plant, states, controls, slope)
        curvature = np.zeros((length, SIZE, SIZE))
        if exact:
            curvature = curvatures(*plant, states[:length], controls, costates)
        return Expansion(dynamics, slope, hessian, curvature, slopes)


def convexify(hessian: np.ndarray) -> None:
    """Remove, in place, the negative curvature of the cost in the arm's motion; (T, 16, 16)."""
    values, vectors = np.linalg.eigh(hessian[:, :MOTION, :MOTION])
    hessian[:, :MOTION, :MOTION] = (vectors * np.maximum(values, 0)[:, None]) @ vectors.swapaxes(
        1, 2
    )
