"""The solver against closed forms and scipy.

Derivatives are held against differences, values against the environment.
"""

import gymnasium as gym
import numpy as np
import pytest
from scipy.optimize import lsq_linear

from arm_env import Arm, Circle, CostWeights, Reach
from arm_env.codegen.primitives import NUMPY
from arm_env.control.arm_problem import ArmProblem, curvatures, expand_dynamics
from arm_env.control.box_qp import box_qp
from arm_env.control.ilqr import Expansion, residual, solve
from arm_env.envs.simulation import Simulation

ARM = Arm()
TASKS = pytest.mark.parametrize("task", [Reach(), Circle()], ids=["reach", "circle"])


class LinearQuadratic:
    """x' = A x + B u, cost ½ x'ᵀ Q x' + ½ uᵀ R u."""

    def __init__(self, rng, n=4, m=2, bound=np.inf):
        self.size = n
        self.a = 0.8 * np.eye(n) + 0.1 * rng.normal(size=(n, n))
        self.b = rng.normal(size=(n, m))
        factor = rng.normal(size=(n, n))
        self.q, self.r = factor @ factor.T, np.diag(rng.uniform(0.5, 2, m))
        self.low, self.high = np.full(m, -bound), np.full(m, bound)

    def follow(self, states, controls, change, gains, scale):
        x = np.empty_like(states)
        u = np.empty_like(controls)
        value = 0.0
        x[0] = states[0]
        for t in range(len(controls)):
            u[t] = np.clip(
                controls[t] + scale * change[t] + gains[t] @ (x[t] - states[t]), self.low, self.high
            )
            x[t + 1] = self.a @ x[t] + self.b @ u[t]
            value += 0.5 * x[t + 1] @ self.q @ x[t + 1] + 0.5 * u[t] @ self.r @ u[t]
        return x, u, value

    def expand(self, states, controls, exact):
        length = len(controls)
        n = self.size
        m = len(self.low)
        dynamics = np.tile(np.hstack([self.a, self.b]), (length, 1, 1))
        slope = np.hstack([states[1:] @ self.q, controls @ self.r])
        hessian = np.zeros((length, n + m, n + m))
        hessian[:, :n, :n], hessian[:, n:, n:] = self.q, self.r
        costate = np.zeros(n)
        gradient = np.empty((length, m))
        for t in range(length - 1, -1, -1):
            costate = costate + slope[t, :n]
            gradient[t] = self.b.T @ costate + slope[t, n:]
            costate = self.a.T @ costate
        return Expansion(dynamics, slope, hessian, np.zeros_like(hessian), gradient)

    def riccati_value(self, start, length):
        v = np.zeros_like(self.q)
        for _ in range(length):
            w = self.q + v
            gain = np.linalg.solve(self.r + self.b.T @ w @ self.b, self.b.T @ w @ self.a)
            v = self.a.T @ w @ (self.a - self.b @ gain)
        return 0.5 * start @ v @ start

    def condensed(self, start, length):
        """M and c with value ½ |M u − c|² for all controls u in one vector."""
        n, m = self.size, len(self.low)
        half = np.linalg.cholesky(self.q).T
        rows = np.zeros((length * n, length * m))
        free = np.empty(length * n)
        response = np.zeros((n, length * m))
        state = start
        for t in range(length):
            response = self.a @ response
            state = self.a @ state
            response[:, t * m : (t + 1) * m] += self.b
            rows[t * n : (t + 1) * n], free[t * n : (t + 1) * n] = half @ response, half @ state
        effort = np.kron(np.eye(length), np.sqrt(self.r))
        return np.vstack([rows, effort]), np.concatenate([-free, np.zeros(length * m)])


def movement(task, seed, length=25, excitation=0.3):
    """A problem, a start on an attractor a tenth further out, and random excitations.

    They lie well within the box.
    """
    rng = np.random.default_rng(seed)
    commands = task.sample_commands(rng, 2, ARM)
    commands[1, :2] = 0.9 * commands[0, :2]
    start = task.attractor_state(rng, ARM, commands[:1])[0]
    start[2:4] += rng.normal(0, 0.3, 2)  # a muscle's damping jumps where it is at rest
    start[4:] = rng.uniform(0, 0.2, 6)
    return ArmProblem(task, commands[1]), start, rng.uniform(0.05, excitation, (length, 6))


def rolled(problem, start, controls):
    states = np.tile(start, (len(controls) + 1, 1))
    return problem.follow(states, controls, 0 * controls, np.zeros((len(controls), 6, 10)), 0.0)


def differences(function, z, step):
    """Central differences of function(z), one column a component of z."""
    columns = []
    for i in range(len(z)):
        up = z.copy()
        down = z.copy()
        up[i] += step
        down[i] -= step
        columns.append((function(up) - function(down)) / (2 * step))
    return np.stack(columns, -1)


# --- on linear plants -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_without_bounds_it_reaches_the_riccati_cost_in_one_step(seed):
    rng = np.random.default_rng(seed)
    problem = LinearQuadratic(rng)
    start = rng.normal(size=4)
    solution = solve(problem, start, rng.normal(size=(30, 2)), tolerance=1e-7)
    assert solution.value == pytest.approx(problem.riccati_value(start, 30), rel=1e-8)
    assert solution.iterations <= 2 and solution.residual < 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_within_bounds_it_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    problem = LinearQuadratic(rng, bound=0.15)
    start = rng.normal(size=4)
    solution = solve(problem, start, np.zeros((15, 2)))
    matrix, wanted = problem.condensed(start, 15)
    reference = lsq_linear(matrix, wanted, (-0.15, 0.15), method="bvls", tol=1e-14)
    bound = np.abs(solution.controls) == 0.15
    assert bound.any() and not bound.all()
    assert solution.value == pytest.approx(reference.cost, rel=1e-10)
    np.testing.assert_allclose(solution.controls.ravel(), reference.x, atol=1e-6)


def test_box_qp_agrees_with_scipy():
    rng = np.random.default_rng(0)
    for _ in range(100):
        factor = rng.normal(size=(6, 6))
        g = rng.normal(size=6)
        low, high = rng.uniform(-0.5, 0, 6), rng.uniform(0, 0.5, 6)
        x = rng.uniform(low, high)
        free = np.empty(6, dtype=np.int64)
        triangle = np.empty((6, 6))
        number = box_qp(factor.T @ factor + 1e-3 * np.eye(6), g, low, high, x, free, triangle)
        stacked = np.vstack([factor, 1e-3**0.5 * np.eye(6)])
        expected = lsq_linear(
            stacked, -np.linalg.pinv(stacked.T) @ g, (low, high), method="bvls", tol=1e-14
        ).x
        np.testing.assert_allclose(x, expected, atol=1e-7)
        inside = (x > low) & (x < high)
        assert set(free[:number]) >= set(np.flatnonzero(inside))


def test_box_qp_says_where_there_is_no_minimum():
    x = np.zeros(2)
    wide = np.full(2, 9.0)
    args = (x, np.empty(2, dtype=np.int64), np.empty((2, 2)))
    assert box_qp(np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2), -wide, wide, *args) == -1


# --- derivatives of the arm -----------------------------------------------------------------------


@TASKS
def test_jacobians_are_those_of_the_step(task):
    problem, start, controls = movement(task, 1)
    states, controls, _ = rolled(problem, start, controls)
    expansion = problem.expand(states, controls, exact=False)

    def next_state(z):
        return rolled(problem, z[:10], z[None, 10:])[0][1]

    for t in (0, 12, 24):
        z = np.concatenate([states[t], controls[t]])
        np.testing.assert_allclose(
            expansion.dynamics[t], differences(next_state, z, 1e-5), atol=1e-7, rtol=1e-5
        )


@TASKS
def test_slope_and_hessian_are_those_of_the_cost(task):
    problem, start, controls = movement(task, 2)
    states, controls, _ = rolled(problem, start, controls)
    expansion = problem.expand(states, controls, exact=True)
    numbers = ARM.arrays()

    def cost(z):
        return 0.01 * sum(task.cost(NUMPY, numbers, task.weights, z[:10], z[10:], problem.command))

    for t in (0, 12, 24):
        z = np.concatenate([states[t + 1], controls[t]])
        np.testing.assert_allclose(
            expansion.slope[t], differences(cost, z, 1e-5), atol=1e-8, rtol=1e-5
        )
        hessian = differences(lambda z: differences(cost, z, 1e-4), z, 1e-4)
        scale = np.abs(hessian).max()
        np.testing.assert_allclose(expansion.hessian[t], hessian, atol=1e-4 * scale)


@TASKS
def test_gradient_and_residual_are_those_of_the_value(task):
    problem, start, controls = movement(task, 3)
    states, controls, _ = rolled(problem, start, controls)
    gradient = problem.expand(states, controls, exact=True).gradient
    numeric = differences(
        lambda u: rolled(problem, start, u.reshape(-1, 6))[2], controls.ravel(), 1e-5
    )
    np.testing.assert_allclose(
        gradient.ravel(), numeric, atol=1e-6 * np.abs(numeric).max(), rtol=1e-5
    )
    projected = controls - np.clip(controls - numeric.reshape(-1, 6), 0, 1)
    assert residual(controls, gradient, problem.low, problem.high) == pytest.approx(
        np.abs(projected).max(), rel=1e-5
    )


def test_curvature_is_that_of_the_costate_times_the_step():
    problem, start, controls = movement(Reach(), 4, length=1)
    states, controls, _ = rolled(problem, start, controls)
    slope = np.random.default_rng(4).normal(size=(1, 16))
    plant = (ARM.flat(), 0.005, 2)
    dynamics, gradient, costates = expand_dynamics(*plant, states, controls, slope)
    curvature = curvatures(*plant, states[:1], controls, costates)

    def weighed(z):
        return np.array(slope[0, :10] @ rolled(problem, z[:10], z[None, 10:])[0][1])

    z = np.concatenate([start, controls[0]])
    numeric = differences(lambda z: differences(weighed, z, 1e-4), z, 1e-4)
    np.testing.assert_allclose(curvature[0], numeric, atol=1e-4 * np.abs(numeric).max())
    np.testing.assert_allclose(
        gradient[0], slope[0, :10] @ dynamics[0][:, 10:] + slope[0, 10:], rtol=1e-9
    )


def test_without_exactness_the_cost_is_convex_and_the_dynamics_are_straight():
    problem, start, controls = movement(Reach(), 5)
    states, controls, _ = rolled(problem, start, controls)
    newton, gauss = (problem.expand(states, controls, exact) for exact in (True, False))
    assert np.linalg.eigvalsh(newton.hessian).min() < -1e-6 and (gauss.curvature == 0).all()
    assert np.linalg.eigvalsh(gauss.hessian).min() > -1e-12


# --- movements of the arm -------------------------------------------------------------------------


@TASKS
def test_the_value_is_what_the_environment_takes(task):
    problem, start, controls = movement(task, 6)
    solution = solve(problem, start, controls, iterations=5, exact_iterations=2)
    simulation = Simulation(1, task, ARM, task.weights, noise=0.0, schedule=problem.command)
    rng = np.random.default_rng(0)
    simulation.reset(rng, np.ones(1, dtype=bool), simulation.start(None))
    simulation.state[0] = start
    total = 0.0
    for t, u in enumerate(solution.controls):
        costs, _ = simulation.step(rng, simulation.checked_action(u[None]))
        total += 0.01 * costs[0, :3].sum()
        np.testing.assert_allclose(simulation.state[0], solution.states[t + 1], atol=1e-9)
    assert solution.value == pytest.approx(total, rel=1e-9)


def test_rewards_of_reach_arm_add_up_to_minus_the_value():
    target = np.array([0.0, 0.45])
    angles = np.array([0.7, 1.6])
    env = gym.make("ReachArm-v0", noise=0.0, disable_env_checker=True)
    start = env.reset(seed=0, options={"posture": angles, "targets": target[None]})[1]["state"]
    solution = solve(ArmProblem(Reach(), target), start, np.full((60, 6), 0.05), exact_iterations=0)
    rewards = [env.step(u)[1] for u in solution.controls]
    assert -sum(rewards) == pytest.approx(solution.value, abs=1e-6)


@TASKS
@pytest.mark.parametrize("seed", [7, 8, 9])
def test_never_worse_than_its_start_and_within_the_box(task, seed):
    problem, start, controls = movement(task, seed, length=40, excitation=1.2)
    solution = solve(problem, start, controls, iterations=8, exact_iterations=3)
    assert solution.value < rolled(problem, start, np.clip(controls, 0, 1))[2]
    assert solution.controls.min() >= 0 and solution.controls.max() <= 1
    np.testing.assert_array_equal(solution.states[0], start)
    assert rolled(problem, start, solution.controls)[2] == pytest.approx(solution.value, rel=1e-9)


def test_a_short_reach_converges_and_cannot_be_improved():
    rng = np.random.default_rng(10)
    task = Reach()
    angles = np.array([[0.7, 1.6]])
    start = np.concatenate([angles, np.zeros((1, 8))], -1)[0]
    problem = ArmProblem(task, np.array([-0.05, 0.4]))
    solution = solve(problem, start, np.full((60, 6), 0.05))
    assert solution.residual < 1e-8
    for _ in range(20):
        other = np.clip(solution.controls + 0.02 * rng.normal(size=(60, 6)), 0, 1)
        assert rolled(problem, start, other)[2] > solution.value


def test_bounds_weights_and_period_are_the_problems():
    arm = Arm(max_excitation=0.2)
    weights = CostWeights(gamma=0.5)
    problem = ArmProblem(Reach(), np.array([0.0, 0.4]), arm, weights, control_period=0.02)
    start = np.concatenate([[0.7, 1.6], np.zeros(8)])
    solution = solve(problem, start, np.full((30, 6), 0.05), iterations=10, exact_iterations=0)
    assert solution.controls.max() == 0.2 and solution.controls.min() == arm.tone == 0.002
    simulation = Simulation(1, Reach(), arm, weights, 0.0, 0.02, problem.command)
    rng = np.random.default_rng(0)
    simulation.reset(rng, np.ones(1, dtype=bool), simulation.start({"posture": start[:2]}))
    total = sum(
        0.02 * simulation.step(rng, u[None])[0][0, :3].sum() for u in solution.controls.copy()
    )
    assert solution.value == pytest.approx(total, rel=1e-9)


def test_the_same_twice_and_arguments_left_alone():
    problem, start, controls = movement(Reach(), 11)
    kept = start.copy(), controls.copy()
    first, again = (
        solve(problem, start, controls, iterations=5, exact_iterations=1) for _ in range(2)
    )
    np.testing.assert_array_equal(first.controls, again.controls)
    np.testing.assert_array_equal(start, kept[0])
    np.testing.assert_array_equal(controls, kept[1])


@pytest.mark.parametrize(
    ("start", "controls"),
    [
        (np.zeros(9), np.zeros((5, 6))),
        (np.zeros((1, 10)), np.zeros((5, 6))),
        (np.zeros(10), np.zeros((5, 7))),
        (np.zeros(10), np.zeros(6)),
        (np.zeros(10), np.zeros((0, 6))),
        (np.full(10, np.nan), np.zeros((5, 6))),
        (np.zeros(10), np.full((5, 6), np.inf)),
    ],
)
def test_bad_input_is_refused(start, controls):
    with pytest.raises(ValueError, match="movement"):
        solve(ArmProblem(Reach(), np.array([0.0, 0.4])), start, controls)


@pytest.mark.parametrize("command", [np.zeros(3), np.array([np.nan, 0]), np.zeros((1, 2))])
def test_bad_commands_are_refused(command):
    with pytest.raises(ValueError, match="command"):
        ArmProblem(Reach(), command)
