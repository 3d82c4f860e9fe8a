"""The arm under one command as a problem of optimal control: the environment's step and cost, and their derivatives."""

from dataclasses import dataclass, field

import numpy as np

from arm_env.compiling import Kernels, compile_source, jit, once_for_each_task
from arm_env.ilqr import Expansion, Trajectory
from arm_env.parameters import Arm, CostWeights
from arm_env.plant import (
    ACTIVATIONS,
    COSTS,
    ELEMENTARY,
    MUSCLE_COUNT,
    STATE_SIZE,
    compile_task,
    step,
    step_vjp,
    symbols,
)
from arm_env.simulation import substeps_of
from arm_env.tasks import Task
from arm_env.tracing import SYMBOLIC, constant, flatten, function_source, gradient, load

SIZE = STATE_SIZE + MUSCLE_COUNT
MOTION = ACTIVATIONS.start  # angles and velocities lead the state; activations are linear in it and the excitations
NUDGE = 1e-6  # [-] step of the finite difference of exact adjoints

PASSES = f"""
def follow(p, w, h, substeps, command, ceiling, states, controls, change, gains, scale, x, u, terms):
    value = 0.0
    x[0] = states[0]
    for t in range(len(controls)):
        for i in range({MUSCLE_COUNT}):
            wanted = controls[t, i] + scale * change[t, i]
            for j in range({STATE_SIZE}):
                wanted += gains[t, i, j] * (x[t, j] - states[t, j])
            u[t, i] = min(max(wanted, 0.0), ceiling)
        x[t + 1] = x[t]
        for _ in range(substeps):
            step(p, h, x[t + 1], u[t], x[t + 1])
        cost(p, w, x[t + 1], u[t], command, terms)
        value += (terms[0] + terms[1] + terms[2]) * h * substeps
    return value

def expand_cost(p, w, period, command, states, controls, slope, hessian):
    for t in range(len(controls)):
        cost_derivatives(p, w, states[t + 1], controls[t], command, slope[t], hessian[t].reshape({SIZE * SIZE}))
        slope[t] *= period
        hessian[t] *= period
"""


@once_for_each_task
def compiled(task: Task) -> Kernels:
    """Kernels that know the task's cost: ``follow`` and ``expand_cost``, and the parts they call."""
    arm, weights = symbols(Arm(), "p"), symbols(CostWeights(), "w")
    x, u, k = load("x", (STATE_SIZE,)), load("u", (MUSCLE_COUNT,)), load("k", (task.command_size,))
    total = flatten([sum(task.cost(SYMBOLIC, arm, weights, x, u, k))])
    z, one = flatten([x, u]), [constant(1.0)]
    slope = gradient(total, one, z)
    rows = [entry for partial in slope for entry in gradient([partial], one, z)]
    source = function_source("cost_derivatives", ["p", "w", "x", "u", "k"], {"slope": slope, "hessian": rows}) + PASSES
    return compile_source("problem", source, step=step, cost=compile_task(task).cost, **ELEMENTARY)


@jit
def substep_states(p, h, x, u, between):
    """States (substeps, 10) at which the steps of one control period begin."""
    between[0] = x
    for s in range(1, len(between)):
        step(p, h, between[s - 1], u, between[s])


@jit
def period_vjp(p, h, u, between, costate, gx, gu, part):
    """Adjoint of one control period from its substep states: fills gx (10,), gu (6,).

    Excitations within the box reach the muscles as they are, so that ``excite`` without noise has no part in it
    (at the box's edge its derivative would be zero both ways).
    """
    gx[:] = costate
    gu[:] = 0.0
    for s in range(len(between) - 1, -1, -1):
        step_vjp(p, h, between[s], u, gx, gx, part)
        gu += part


@jit
def expand_dynamics(p, h, substeps, states, controls, slope, exact, dynamics, curvature, gradient):
    """Jacobians and, along the costate, the gradient and if wanted the curvature (a difference of adjoints a row)."""
    between, nudged = np.empty((substeps, STATE_SIZE)), np.empty((substeps, STATE_SIZE))
    gx, gu, part, unit = np.empty(STATE_SIZE), np.empty(MUSCLE_COUNT), np.empty(MUSCLE_COUNT), np.zeros(STATE_SIZE)
    gradient_x, gradient_u = np.empty(STATE_SIZE), np.empty(MUSCLE_COUNT)
    near_x, near_u = np.empty(STATE_SIZE), np.empty(MUSCLE_COUNT)
    costate = np.zeros(STATE_SIZE)
    for t in range(len(controls) - 1, -1, -1):
        x, u = states[t], controls[t]
        substep_states(p, h, x, u, between)
        for i in range(STATE_SIZE):
            if i < MOTION or t == len(controls) - 1:
                unit[i] = 1.0
                period_vjp(p, h, u, between, unit, gx, gu, part)
                unit[i] = 0.0
                dynamics[t, i, :STATE_SIZE] = gx
                dynamics[t, i, STATE_SIZE:] = gu
            else:
                dynamics[t, i] = dynamics[t + 1, i]
        costate += slope[t, :STATE_SIZE]
        period_vjp(p, h, u, between, costate, gradient_x, gradient_u, part)
        gradient[t] = gradient_u + slope[t, STATE_SIZE:]
        if exact:
            for j in range(SIZE):
                near_x[:] = x
                near_u[:] = u
                if j < STATE_SIZE:
                    near_x[j] += NUDGE
                else:
                    near_u[j - STATE_SIZE] += NUDGE
                substep_states(p, h, near_x, near_u, nudged)
                period_vjp(p, h, near_u, nudged, costate, gx, gu, part)
                curvature[t, j, :STATE_SIZE] = (gx - gradient_x) / NUDGE
                curvature[t, j, STATE_SIZE:] = (gu - gradient_u) / NUDGE
            curvature[t] = 0.5 * (curvature[t] + curvature[t].T)
        costate[:] = gradient_x


@dataclass
class ArmProblem:
    """The arm under one ``command`` (K,) of a task, held from start to end; controls within [0, ceiling].

    Its value is Σ c Δt, what the environments return without noise, negated: c of the state that a
    period ends in and the excitations held during it.
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
        self.low, self.high = np.zeros(MUSCLE_COUNT), np.full(MUSCLE_COUNT, float(self.arm.ceiling))
        self._kernels = compiled(self.task)
        self._p, self._w = self.arm.flat(), (self.weights or self.task.weights).flat()
        self._substeps = substeps_of(self.control_period)
        self._step = self.control_period / self._substeps

    def follow(
        self, states: np.ndarray, controls: np.ndarray, change: np.ndarray, gains: np.ndarray, scale: float
    ) -> Trajectory:
        x, u = np.empty_like(states), np.empty_like(controls)
        value = self._kernels.follow(
            self._p, self._w, self._step, self._substeps, self.command, self.arm.ceiling,
            states, controls, change, gains, scale, x, u, np.empty(COSTS),
        )  # fmt: skip
        return x, u, float(value)

    def expand(self, states: np.ndarray, controls: np.ndarray, exact: bool) -> Expansion:
        length = len(controls)
        slope, hessian = np.empty((length, SIZE)), np.empty((length, SIZE, SIZE))
        self._kernels.expand_cost(self._p, self._w, self.control_period, self.command, states, controls, slope, hessian)
        if not exact:
            convexify(hessian)
        dynamics, curvature = np.empty((length, STATE_SIZE, SIZE)), np.zeros((length, SIZE, SIZE))
        slopes = np.empty((length, MUSCLE_COUNT))
        expand_dynamics(
            self._p, self._step, self._substeps, states, controls, slope, exact, dynamics, curvature, slopes
        )
        return Expansion(dynamics, slope, hessian, curvature, slopes)


def convexify(hessian: np.ndarray) -> None:
    """Flatten, in place, the concave directions of the cost of the arm's motion."""
    values, vectors = np.linalg.eigh(hessian[:, :MOTION, :MOTION])
    hessian[:, :MOTION, :MOTION] = (vectors * np.maximum(values, 0)[:, None]) @ vectors.swapaxes(1, 2)
