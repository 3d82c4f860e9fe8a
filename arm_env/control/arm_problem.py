"""The arm under one command as a problem of optimal control.

Step and cost are the environment's own, and so are their derivatives.
"""

from dataclasses import dataclass, field

import numpy as np

from arm_env.codegen.compiling import Kernels, compile_source, jit, once_for_each_trace
from arm_env.codegen.tracing import constant, flatten, function_source, gradient, load
from arm_env.control.ilqr import Expansion, Trajectory
from arm_env.dynamics.layout import ACTIVATIONS, COSTS, MUSCLE_COUNT, STATE_SIZE
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.plant import (
    ELEMENTARY,
    TracedTask,
    step,
    step_rows,
    step_vjp_rows,
    task_kernels,
    trace_task,
)
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
    x[0] = states[0]
    for t in range(len(controls)):
        for i in range({MUSCLE_COUNT}):
            wanted = controls[t, i] + scale * change[t, i]
            for j in range({STATE_SIZE}):
                wanted += gains[t, i, j] * (x[t, j] - states[t, j])
            u[t, i] = min(max(wanted, tone), max_excitation)
        x[t + 1] = x[t]
        for _ in range(substeps):
            step(p, h, x[t + 1], u[t], x[t + 1])
        cost(p, w, x[t + 1], u[t], command, terms)
        value += (terms[0] + terms[1] + terms[2]) * h * substeps
    return value

def expand_cost(p, w, period, command, states, controls, slope, hessian):
    for t in range(len(controls)):
        flat = hessian[t].reshape({SIZE * SIZE})
        cost_derivatives(p, w, states[t + 1], controls[t], command, slope[t], flat)
        slope[t] *= period
        hessian[t] *= period
"""


@once_for_each_trace(trace_task)
def compiled(traced: TracedTask) -> Kernels:
    """Kernels that know a task's cost: ``follow`` and ``expand_cost``, and the parts they call."""
    x, u = load("x", (STATE_SIZE,)), load("u", (MUSCLE_COUNT,))
    total = flatten([sum(traced.terms)])
    z, one = flatten([x, u]), [constant(1.0)]
    slope = gradient(total, one, z)
    rows = [entry for partial in slope for entry in gradient([partial], one, z)]
    source = (
        function_source(
            "cost_derivatives", ["p", "w", "x", "u", "k"], {"slope": slope, "hessian": rows}
        )
        + PASSES
    )
    return compile_source(
        "problem", source, step=step, cost=task_kernels(traced).cost, **ELEMENTARY
    )


@jit
def advance(p, h, x, u, between):
    """Fill in the states (substeps, R, 10) at which the steps of one control period begin.

    It begins in states x (R, 10), under u (R, 6).
    """
    between[0] = x
    for s in range(1, len(between)):
        step_rows(0, len(x), p, h, between[s - 1], u, between[s])


@jit
def advance_vjp(p, h, u, between, gx, gu):
    """Turn costates gx (R, 10) of a control period's ends into those of its starts, and fill gu.

    Excitations within the box reach the muscles as they are, so that ``excite`` without noise has
    no part in it (at the box's edge its derivative would be zero both ways).
    """
    part = np.empty_like(gu)
    gu[:] = 0.0
    for s in range(len(between) - 1, -1, -1):
        step_vjp_rows(0, len(gx), p, h, between[s], u, gx, gx, part)
        gu += part


@jit
def repeated(values, times):
    """Each row of values (T, n) that many times, (T times, n)."""
    rows = np.empty((len(values) * times, values.shape[1]))
    for row in range(len(rows)):
        rows[row] = values[row // times]
    return rows


@jit
def jacobians(p, h, substeps, x, u, first, last, dynamics):
    """Fill components first … last − 1 of the Jacobians (T, 10, 16) of control periods.

    They begin in states x (T, 10), under u (T, 6).
    """
    number = last - first
    x, u = repeated(x, number), repeated(u, number)
    between = np.empty((substeps, *x.shape))
    gx = np.zeros(x.shape)
    gu = np.empty(u.shape)
    for row in range(len(x)):
        gx[row, first + row % number] = 1.0
    advance(p, h, x, u, between)
    advance_vjp(p, h, u, between, gx, gu)
    for row in range(len(x)):
        entry = dynamics[row // number, first + row % number]
        entry[:STATE_SIZE] = gx[row]
        entry[STATE_SIZE:] = gu[row]


@jit
def curvatures(p, h, substeps, x, u, costates, curvature):
    """Second derivatives (T, 16, 16) of costatesᵀ times the periods' ends.

    They are differences of adjoints.
    """
    nearby = SIZE + 1  # the point itself, and one nudged along each axis
    x, u, gx = repeated(x, nearby), repeated(u, nearby), repeated(costates, nearby)
    between = np.empty((substeps, *x.shape))
    gu = np.empty(u.shape)
    for row in range(len(x)):
        j = row % nearby - 1
        if 0 <= j < STATE_SIZE:
            x[row, j] += NUDGE
        elif j >= STATE_SIZE:
            u[row, j - STATE_SIZE] += NUDGE
    advance(p, h, x, u, between)
    advance_vjp(p, h, u, between, gx, gu)
    for t in range(len(curvature)):
        point = nearby * t
        for j in range(SIZE):
            curvature[t, j, :STATE_SIZE] = (gx[point + 1 + j] - gx[point]) / NUDGE
            curvature[t, j, STATE_SIZE:] = (gu[point + 1 + j] - gu[point]) / NUDGE
        curvature[t] = 0.5 * (curvature[t] + curvature[t].T)


@jit
def expand_dynamics(p, h, substeps, states, controls, slope):
    """Jacobians (T, 10, 16), gradients (T, 6) and costates (T, 10) along a trajectory."""
    length = len(controls)
    x = states[:length]
    dynamics = np.empty((length, STATE_SIZE, SIZE))
    gradient = np.empty((length, MUSCLE_COUNT))
    costates = np.empty((length, STATE_SIZE))
    jacobians(p, h, substeps, x, controls, 0, MOTION, dynamics)
    jacobians(p, h, substeps, x[:1], controls[:1], MOTION, STATE_SIZE, dynamics[:1])
    for t in range(1, length):
        # activations follow the same linear equation at all times
        dynamics[t, MOTION:] = dynamics[0, MOTION:]
    costate = np.zeros(STATE_SIZE)
    for t in range(length - 1, -1, -1):
        costates[t] = costate + slope[t, :STATE_SIZE]
        both = costates[t] @ dynamics[t]
        costate = both[:STATE_SIZE]
        gradient[t] = both[STATE_SIZE:] + slope[t, STATE_SIZE:]
    return dynamics, gradient, costates


@dataclass
class ArmProblem:
    """The arm under one ``command`` (K,) of a task, held from start to end.

    Controls lie within [tone, max_excitation].

    Its value is Σ c Δt, what the environments return without noise, negated: c of the state that a
    period ends in and the excitations held during it.

    Excitations below the tone act on the muscles as the tone does. They have no slope to follow, so
    the controls begin at the tone. The effort that a command of 0 would save is γ/2 tone² a muscle,
    below 1e-4 of the cost.
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
        x, u = np.empty_like(states), np.empty_like(controls)
        value = self._kernels.follow(
            self._p, self._w, self._step, self._substeps, self.command,
            self.arm.tone, self.arm.max_excitation,
            states, controls, change, gains, scale, x, u, np.empty(COSTS),
        )  # fmt: skip
        return x, u, float(value)

    def expand(self, states: np.ndarray, controls: np.ndarray, exact: bool) -> Expansion:
        length = len(controls)
        slope = np.empty((length, SIZE))
        hessian = np.empty((length, SIZE, SIZE))
        self._kernels.expand_cost(
            self._p, self._w, self.control_period, self.command, states, controls, slope, hessian
        )
        if not exact:
            convexify(hessian)
        plant = (self._p, self._step, self._substeps)
        dynamics, slopes, costates = expand_dynamics(*plant, states, controls, slope)
        curvature = np.zeros((length, SIZE, SIZE))
        if exact:
            curvatures(*plant, states[:length], controls, costates, curvature)
        return Expansion(dynamics, slope, hessian, curvature, slopes)


def convexify(hessian: np.ndarray) -> None:
    """Flatten, in place, the concave directions of the cost of the arm's motion."""
    values, vectors = np.linalg.eigh(hessian[:, :MOTION, :MOTION])
    hessian[:, :MOTION, :MOTION] = (vectors * np.maximum(values, 0)[:, None]) @ vectors.swapaxes(
        1, 2
    )
