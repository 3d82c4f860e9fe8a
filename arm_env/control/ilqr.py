"""Optimal movements: control-limited differential dynamic programming.

The method is that of Tassa, Mansard & Todorov (2014), Control-limited differential dynamic
programming.

``solve`` improves a sequence of controls within a box until its projected gradient vanishes. It
knows a problem by two passes over a trajectory, ``follow`` and ``expand``; ``ArmProblem`` is the
arm under one command, with the step and cost of the environment. Gauss-Newton steps come first
(iLQR: the cost's curvature is made convex, that of the dynamics is left out). They make progress
from a start that is far from the optimum. Newton steps follow (DDP with the curvature of both, in
which the costate of the trajectory weighs that of the dynamics), and converge.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from arm_env.codegen.compiling import jit
from arm_env.control.box_qp import box_qp, solve_factored

SCALES = 0.5 ** np.arange(0, 14, 1.5)
"""Shares of a change that a forward pass tries, largest first."""
Trajectory = tuple[np.ndarray, np.ndarray, float]
"""States (T + 1, n), controls (T, m), value."""


class Expansion(NamedTuple):
    """Derivatives along a trajectory with respect to z_t = (x_t, u_t).

    The cost of period t is that of (x_{t+1}, u_t). n is the size of a state, m that of the
    controls.

    Attributes:
        dynamics: Jacobian of x_{t+1} with respect to z_t, (T, n, n + m).
        slope: Gradient of the cost of (x_{t+1}, u_t), (T, n + m).
        hessian: Hessian of the same, (T, n + m, n + m).
        curvature: Hessian of λᵀ x_{t+1} with respect to z_t, λ being the costate, or 0,
            (T, n + m, n + m).
        gradient: Gradient of the value with respect to the controls, (T, m).
    """

    dynamics: np.ndarray
    slope: np.ndarray
    hessian: np.ndarray
    curvature: np.ndarray
    gradient: np.ndarray


class Problem(Protocol):
    """The protocol of a problem for ``solve``: its plant and its cost, known by two passes.

    Attributes:
        size: Size n of a state.
        low: Lowest controls, (m,).
        high: Highest controls, (m,).
    """

    size: int
    low: np.ndarray
    high: np.ndarray

    def follow(
        self,
        states: np.ndarray,
        controls: np.ndarray,
        change: np.ndarray,
        gains: np.ndarray,
        scale: float,
    ) -> Trajectory:
        """Return the trajectory of changed controls, from the same first state.

        They are u_t = clip(controls_t + scale · change_t + gains_t (x_t − states_t)).
        States are (T + 1, n), controls and their change (T, m), gains (T, m, n).
        """

    def expand(self, states: np.ndarray, controls: np.ndarray, exact: bool) -> Expansion:
        """Return the derivatives along a trajectory of states (T + 1, n) and controls (T, m).

        They are the exact ones, or those of Gauss-Newton, with a convex cost and without the
        curvature of the dynamics.
        """


@dataclass(frozen=True)
class Solution:
    """A locally optimal movement, as ``solve`` returns it.

    Attributes:
        controls: Controls u, (T, m).
        states: States x, (T + 1, n).
        value: Sum V of the costs; for the arm Σ c Δt.
        residual: Largest |u − clip(u − ∂V/∂u)| over all controls. It is the slope of the value
            along the controls that can still change. The effort term alone has the slope γ Δt u, so
            a residual of 1e-3 γ Δt is an error of about 1e-3 in the excitations.
        iterations: Number of iterations.
    """

    controls: np.ndarray
    states: np.ndarray
    value: float
    residual: float
    iterations: int


def solve(
    problem: Problem,
    start: ArrayLike,
    controls: ArrayLike,
    *,
    iterations: int = 300,
    exact_iterations: int = 200,
    tolerance: float = 1e-9,
    slow: float = 1e-7,
) -> Solution:
    """Improve controls (T, m) from the state ``start`` (n,), never to a higher value.

    ``iterations`` is the largest number of Gauss-Newton steps; they end when one gains less than
    the share ``slow`` of the value. Then up to ``exact_iterations`` Newton steps follow. They end
    at a residual of ``tolerance``, or where no step improves. Raises ValueError for shapes that do
    not fit, and for numbers that are not finite.
    """
    low, high = problem.low, problem.high
    best = follow(problem, start, controls)
    done = 0
    expansion = problem.expand(*best[:2], False)
    for exact, most in ((False, iterations), (True, exact_iterations)):
        damping = Damping()
        gain = np.inf
        if exact and most:
            expansion = problem.expand(*best[:2], True)
        for _ in range(most):
            if residual(best[1], expansion.gradient, low, high) <= tolerance or (
                not exact and gain < slow * best[2]
            ):
                break
            better = improve(problem, expansion, best, damping)
            done += 1
            if better is None:
                break
            gain = best[2] - better[2]
            best = better
            expansion = problem.expand(*best[:2], exact)
    states, tried, value = best
    return Solution(tried, states, value, residual(tried, expansion.gradient, low, high), done)


def follow(problem: Problem, start: ArrayLike, controls: ArrayLike) -> Trajectory:
    """Return the trajectory of the controls (T, m), held to the box, from the state ``start`` (n,).

    Raises ValueError as ``solve`` does.
    """
    first, tried = _checked(problem, start, controls)
    gains = np.zeros((*tried.shape, len(first)))
    best = problem.follow(
        np.tile(first, (len(tried) + 1, 1)), tried, np.zeros_like(tried), gains, 0.0
    )
    if not np.isfinite(best[2]):
        raise ValueError(f"the value that a movement starts with must be finite, not {best[2]}")
    return best


def residual(
    controls: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray
) -> float:
    """Return the largest component of the projected gradient, |u − clip(u − ∂V/∂u, low, high)|.

    Controls u and gradient ∂V/∂u are (T, m), the bounds (m,).
    """
    return float(np.abs(controls - np.clip(controls - gradient, low, high)).max())


@dataclass
class Damping:
    """The schedule of the regularisation μ of Q_uu.

    It rises quickly where a step fails, and falls quickly again.

    Attributes:
        value: Present μ.
        factor: Factor of its latest change.
        least: Value below which μ is 0.
        most: Largest value.
    """

    value: float = 0.0
    factor: float = 1.0
    least: float = 1e-9
    most: float = 1e6

    def raised(self) -> bool:
        """Raise μ; return False if it is above its largest value."""
        self.factor = max(2.0, 2 * self.factor)
        self.value = max(self.least, self.value * self.factor)
        return self.value <= self.most

    def lowered(self) -> None:
        """Lower μ."""
        self.factor = min(0.5, self.factor / 2)
        self.value *= self.factor
        if self.value < self.least:
            self.value = 0.0


def improve(
    problem: Problem, expansion: Expansion, best: Trajectory, damping: Damping
) -> Trajectory | None:
    """Return a better trajectory after one iteration, or None if no damping leads to one.

    ``damping`` keeps the regularisation that it took.
    """
    states, controls, value = best
    while True:
        ok, change, gains, linear, quadratic = backward(
            *expansion[:4], controls, problem.low, problem.high, damping.value
        )
        for scale in SCALES if ok else ():
            new = problem.follow(states, controls, change, gains, scale)
            gain = value - new[2]
            expected = -scale * (linear + scale * quadratic)
            if gain > max(0.0, 0.01 * expected):  # False for NaN
                damping.lowered()
                return new
        if not damping.raised():
            return None


def _checked(
    problem: Problem, start: ArrayLike, controls: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of both, the controls held to the box."""
    first = np.array(start, dtype=float)
    tried = np.array(controls, dtype=float)
    n, m = problem.size, len(problem.low)
    if first.shape != (n,) or tried.ndim != 2 or tried.shape[1] != m or not len(tried):
        wanted = f"a start ({n},) and controls (T, {m}), T at least 1"
        raise ValueError(f"a movement has {wanted}, not {first.shape} and {tried.shape}")
    if not (np.isfinite(first).all() and np.isfinite(tried).all()):
        raise ValueError("the start and the controls of a movement must be finite")
    return first, np.clip(tried, problem.low, problem.high)


@jit
def backward(dynamics, slope, hessian, curvature, controls, low, high, damping):
    """Return success, changes (T, m), gains (T, m, n) and expected change of the value.

    The last is two numbers: scale · linear + scale² · quadratic for a step of that scale. The pass
    fails if Q_uu + ``damping`` is not positive definite.
    """
    length, n, nm = dynamics.shape
    m = nm - n
    change = np.zeros((length, m))
    gains = np.zeros((length, m, n))
    vx, vxx = np.zeros(n), np.zeros((n, n))
    jacobian = np.zeros((nm, nm))
    g = np.empty(nm)
    w = np.empty((nm, nm))
    damped = np.empty((m, m))
    free = np.empty(m, dtype=np.int64)
    factor = np.empty((m, m))
    column = np.empty(m)
    linear = quadratic = 0.0
    for i in range(m):
        jacobian[n + i, n + i] = 1.0
    for t in range(length - 1, -1, -1):
        jacobian[:n] = dynamics[t]
        g[:] = slope[t]
        w[:] = hessian[t]
        g[:n] += vx
        w[:n, :n] += vxx
        qz = g @ jacobian
        qzz = jacobian.T @ (w @ jacobian) + curvature[t]
        damped[:] = qzz[n:, n:]
        for i in range(m):
            damped[i, i] += damping
        du, k = change[t], gains[t]
        if t + 1 < length:
            for i in range(m):
                du[i] = min(
                    max(change[t + 1, i], low[i] - controls[t, i]), high[i] - controls[t, i]
                )
        number = box_qp(damped, qz[n:], low - controls[t], high - controls[t], du, free, factor)
        if number < 0:
            return False, change, gains, linear, quadratic
        for j in range(n):
            for i in range(number):
                column[i] = -qzz[n + free[i], j]
            solve_factored(factor, number, column)
            for i in range(number):
                k[free[i], j] = column[i]
        quu, qux = qzz[n:, n:].copy(), qzz[n:, :n].copy()
        linear += du @ qz[n:]
        quadratic += 0.5 * (du @ (quu @ du))
        back = quu @ k + qux
        vx = qz[:n] + k.T @ qz[n:] + back.T @ du
        vxx = qzz[:n, :n] + k.T @ back + qux.T @ k
        vxx = 0.5 * (vxx + vxx.T)
    return True, change, gains, linear, quadratic
