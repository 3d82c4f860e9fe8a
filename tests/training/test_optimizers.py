"""The optimisers on functions with known minima, LQR among them, and their line search."""

import itertools
import math

import numpy as np
import pytest
import safetensors.torch
import torch

from rnn_controller.training.optimizers import (
    OPTIMIZERS,
    Adam,
    ConjugateGradient,
    Soap,
    line_search,
)

SUFFICIENT = 1e-4  # the first Wolfe constant; the second is an argument


def quadratic(seed, size, condition=100.0):
    """½ wᵀ A w − bᵀ w with eigenvalues from 1 to ``condition``, and its minimum."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    a = (
        basis
        @ torch.diag(torch.logspace(0, math.log10(condition), size, dtype=torch.float64))
        @ basis.T
    )
    b = torch.randn(size, generator=generator, dtype=torch.float64)
    return lambda w: ((0.5 * w @ a @ w - b @ w).item(), a @ w - b), torch.linalg.solve(a, b)


def differentiated(value):
    """The function w ↦ (value, gradient) of a differentiable one."""

    def function(w):
        w = w.detach().requires_grad_()
        v = value(w)
        return v.item(), torch.autograd.grad(v, w)[0]

    return function


rosenbrock = differentiated(lambda w: (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum())


def bumpy(seed, size=5):
    """A bowl with waves on it: bounded below, not convex."""
    generator = torch.Generator().manual_seed(seed)
    a, c = (torch.randn(size, size, generator=generator, dtype=torch.float64) for _ in range(2))
    return differentiated(lambda w: 0.5 * (a @ w).square().sum() + 3 * torch.sin(2 * c @ w).sum())


def vector(seed, size=5, scale=1.0):
    return scale * torch.randn(
        size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def minimise(optimizer, function, w, iterations, rate=None):
    """The last w; an initial rate falls to zero along a cosine, as in training."""
    for i in range(iterations):
        if rate is not None:
            optimizer.learning_rate = rate * 0.5 * (1 + math.cos(math.pi * i / iterations))
        w, _ = optimizer.step(function, w)
    return w


# --- known minima ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 5, 10])
def test_a_quadratic_is_solved_to_rounding(size):
    function, minimum = quadratic(size, size)
    w = minimise(ConjugateGradient(), function, torch.zeros(size, dtype=torch.float64), 60)
    assert (w - minimum).norm() < 1e-6 * minimum.norm()  # values alone tell points apart to √1e-16


def test_a_quadratic_of_one_curvature_is_solved_in_two_steps():
    function, minimum = quadratic(0, 6, condition=1.0)
    w = minimise(ConjugateGradient(), function, vector(1, 6), 2)
    assert (w - minimum).norm() < 1e-12


@pytest.mark.parametrize("size", [2, 6])
def test_rosenbrock_is_solved(size):
    start = torch.tensor([-1.2, 1.0] * (size // 2), dtype=torch.float64)
    w = minimise(ConjugateGradient(), rosenbrock, start, 300)
    assert (w - 1).abs().max() < 1e-7


def test_adam_solves_a_quadratic():
    function, minimum = quadratic(3, 5)
    w = minimise(Adam(), function, torch.zeros(5, dtype=torch.float64), 1500, rate=0.1)
    assert (w - minimum).norm() < 1e-8


def test_soap_is_adam_before_it_first_looks_for_axes():
    function = bumpy(1)
    start = vector(2, scale=3.0)
    adam, soap = (
        minimise(optimizer(0.05), function, start, Soap.refresh - 1) for optimizer in (Adam, Soap)
    )
    assert (adam - start).norm() > 0.1
    torch.testing.assert_close(soap, adam, rtol=1e-9, atol=1e-12)


def test_from_then_on_its_axes_are_those_of_the_gradients_second_moment(monkeypatch):
    monkeypatch.setattr(Soap, "refresh", 5)
    function = bumpy(1)
    w = vector(2, scale=3.0)
    soap = Soap(0.05)
    moment = torch.zeros(5, 5, dtype=torch.float64)
    for _ in range(10):
        gradient = function(w)[1]
        gradient = gradient / max(1.0, float(gradient.norm()))
        moment = 0.999 * moment + 0.001 * torch.outer(gradient, gradient)
        w, _ = soap.step(function, w)
    (axes,), (square,) = soap.state["axes"], soap.state["square"]
    # a row each
    torch.testing.assert_close(axes @ axes.T, torch.eye(5, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(axes.T @ torch.diag(square) @ axes, moment, rtol=1e-9, atol=1e-14)


def test_soap_minimises_where_adams_axes_are_of_no_use():
    """A quadratic, long and narrow along directions that are no coordinates.

    After as many steps, SOAP is far lower.
    """
    function, minimum = quadratic(4, 20, condition=1e5)
    lowest = function(minimum)[0]
    left = {}
    for name in ("adam", "soap"):
        w = minimise(
            OPTIMIZERS[name](), function, torch.zeros(20, dtype=torch.float64), 1500, rate=0.05
        )
        left[name] = function(w)[0] - lowest
    assert left["soap"] < 1e-3 * left["adam"]


def test_a_block_of_soap_goes_as_if_it_were_alone(monkeypatch):
    monkeypatch.setattr(Soap, "refresh", 4)
    (function, _), parts = quadratic(4, 7), [torch.tensor([0, 3, 5]), torch.tensor([1, 2, 4, 6])]
    blocks = torch.tensor([[0, 3, 5, 7], [1, 2, 4, 6]])  # filled up with the number of weights
    together = Soap(0.05, blocks)
    alone = [Soap(0.05) for _ in parts]
    w = vector(1, 7)
    for _ in range(11):
        gradient = function(w)[1]
        gradient = gradient / max(1.0, float(gradient.norm()))  # as a whole
        expected = w.clone()
        for soap, part in zip(alone, parts, strict=True):
            own = gradient[part]
            expected[part], _ = soap.step(lambda _, own=own: (0.0, own), w[part])
        w, _ = together.step(function, w)
        torch.testing.assert_close(w, expected, rtol=1e-9, atol=1e-12)


def test_soap_survives_a_gradient_that_is_not_finite(monkeypatch):
    """The trainer sees it and goes back; a decomposition of it would raise."""
    monkeypatch.setattr(Soap, "refresh", 1)
    w, value = Soap().step(lambda w: (math.nan, w * math.nan), vector(1))
    assert math.isnan(value) and w.isnan().all()


def test_adam_first_step_is_its_rate_in_every_direction():
    function, _ = quadratic(3, 5)
    w = vector(1)
    moved, _ = Adam(learning_rate=0.05).step(function, w)
    torch.testing.assert_close(moved - w, -0.05 * function(w)[1].sign(), rtol=1e-6, atol=0)


def test_adam_clips_the_gradient_to_norm_1():
    _, gradient = rosenbrock(vector(1, scale=10.0))
    optimizer = Adam()
    optimizer.step(rosenbrock, vector(1, scale=10.0))
    assert gradient.norm() > 100
    torch.testing.assert_close(optimizer.state["mean"], 0.1 * gradient / gradient.norm())


def test_adam_does_not_clip_a_small_gradient():
    function, _ = quadratic(3, 5)
    w = 1e-4 * vector(1) + quadratic(3, 5)[1]
    optimizer = Adam()
    optimizer.step(function, w)
    torch.testing.assert_close(optimizer.state["mean"], 0.1 * function(w)[1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_reports_the_value_it_started_from(name):
    function = bumpy(1)
    optimizer = OPTIMIZERS[name]()
    w = vector(2)
    for _ in range(4):
        moved, value = optimizer.step(function, w)
        assert value == function(w)[0]
        w = moved


@pytest.mark.parametrize("seed", range(5))
def test_values_never_rise(seed):
    method = ConjugateGradient()
    function = bumpy(seed)
    w = vector(seed + 50, scale=3.0)
    values = []
    for _ in range(30):
        w, value = method.step(function, w)
        values.append(value)
    assert all(later <= earlier for earlier, later in itertools.pairwise(values))
    assert values[-1] < values[0]


def test_at_the_minimum_nothing_moves():
    function, minimum = quadratic(1, 4, condition=1.0)
    method = ConjugateGradient()
    w = minimise(method, function, minimum, 5)
    assert (w - minimum).norm() < 1e-12
    assert all(torch.isfinite(value).all() for value in method.state.values())


# --- the closed-form oracle -----------------------------------------------------------------------

STEP = 0.1  # [s]
PLANTS = {
    "scalar": ([[1.1]], [[0.5]], [[1.0]], [[0.3]]),
    "double integrator": (
        [[1.0, STEP], [0.0, 1.0]],
        [[STEP**2 / 2], [STEP]],
        [[1.0, 0.0], [0.0, 0.1]],
        [[0.1]],
    ),
}
STABLE = {"scalar": [[1.0]], "double integrator": [[0.5, 1.0]]}  # gains to start from


def riccati(a, b, q, r):
    """The optimal gain and cost matrix of x' = A x + B u by the Riccati recursion.

    The cost is Σ xᵀ Q x + uᵀ R u.
    """
    p = q
    for _ in range(2000):
        gain = np.linalg.solve(r + b.T @ p @ b, b.T @ p @ a)
        p = q + a.T @ p @ (a - b @ gain)
    return gain, p


def regulation(a, b, q, r):
    """Cost of the feedback u = −K x, as a function of K's elements.

    It is summed over 4096 steps from each unit vector.
    """
    a, b, q, r = (torch.from_numpy(m) for m in (a, b, q, r))

    def cost(w):
        gain = w.reshape(b.shape[1], a.shape[0])
        closed = a - b @ gain
        total = q + gain.T @ r @ gain
        for _ in range(12):  # S_2n = S_n + (Mⁿ)ᵀ S_n Mⁿ
            total = total + closed.T @ total @ closed
            closed = closed @ closed
        return torch.trace(total)

    return differentiated(cost)


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize(
    ("name", "iterations", "rate"),
    [("conjugate-gradient", 15, None), ("adam", 800, 0.1), ("soap", 800, 0.1)],
)
def test_on_a_linear_plant_the_optimisers_reach_the_lqr_solution(plant, name, iterations, rate):
    matrices = [np.array(m) for m in PLANTS[plant]]
    gain, p = riccati(*matrices)
    function = regulation(*matrices)
    start = torch.tensor(STABLE[plant], dtype=torch.float64).flatten()
    w = minimise(OPTIMIZERS[name](), function, start, iterations, rate)
    assert function(start)[0] > 1.05 * np.trace(p)  # there was something to find
    assert function(w)[0] == pytest.approx(np.trace(p), rel=1e-12)
    np.testing.assert_allclose(w.numpy(), gain.flatten(), rtol=1e-8)


# --- line search ----------------------------------------------------------------------------------


def searched(function, w, direction, length, curvature):
    value, gradient = function(w)
    return (
        value,
        float(gradient @ direction),
        line_search(function, w, value, gradient, direction, length, curvature),
    )


@pytest.mark.parametrize("curvature", [0.1, 0.9])
@pytest.mark.parametrize("length", [1e-4, 1.0, 1e3])
@pytest.mark.parametrize("seed", range(8))
def test_line_search_meets_the_strong_wolfe_conditions(seed, length, curvature):
    function = bumpy(seed)
    w = vector(seed + 10, scale=2.0)
    direction = -function(w)[1] + 0.1 * vector(seed + 20)
    direction = direction / direction.norm()
    value, slope, (found, new_value, new_gradient) = searched(
        function, w, direction, length, curvature
    )
    assert slope < 0 < found
    assert new_value <= value + SUFFICIENT * found * slope
    assert abs(float(new_gradient @ direction)) <= -curvature * slope


@pytest.mark.parametrize("seed", range(4))
def test_line_search_returns_value_and_gradient_of_the_point_it_names(seed):
    function = bumpy(seed)
    w = vector(seed)
    direction = -function(w)[1]
    _, _, (found, new_value, new_gradient) = searched(function, w, direction, 0.1, 0.1)
    value, gradient = function(w + found * direction)
    assert new_value == value and torch.equal(new_gradient, gradient)


@pytest.mark.parametrize("beyond", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("radius", [0.3, 0.01])
def test_line_search_stays_where_the_function_is_finite(radius, beyond):
    """The minimum lies outside; the values there are no numbers, or absurd ones."""

    def function(w):
        inside = w.norm() < radius
        return ((w - 1).square().sum().item() if inside else beyond), 2 * (w - 1)

    w = torch.zeros(3, dtype=torch.float64)
    value, _, (found, new_value, new_gradient) = searched(function, w, -function(w)[1], 1.0, 0.1)
    assert new_value < value and math.isfinite(new_value) and torch.isfinite(new_gradient).all()
    assert 0 < found * 2 * 3**0.5 < radius


def test_line_search_does_not_use_a_gradient_that_is_not_finite():
    def function(w):
        gradient = 2 * (w - 1)
        return (w - 1).square().sum().item(), gradient if w.norm() < 0.5 else gradient * math.nan

    w = torch.zeros(3, dtype=torch.float64)
    value, _, (_, new_value, new_gradient) = searched(function, w, -function(w)[1], 1.0, 0.1)
    assert new_value < value and torch.isfinite(new_gradient).all()


@pytest.mark.parametrize("seed", range(10))
def test_line_search_never_returns_a_worse_point(seed):
    """Not even on a function that jumps and whose gradient is that of another."""
    smooth = bumpy(seed)
    rng = np.random.default_rng(seed)

    def function(w):
        value, gradient = smooth(w)
        return value + rng.normal(0, 20), gradient

    w = vector(seed)
    value, gradient = function(w)
    found, new_value, _ = line_search(function, w, value, gradient, -gradient, 0.1, 0.1)
    assert new_value < value if found else new_value == value


def test_line_search_stays_put_if_every_point_is_worse():
    w = vector(1)
    gradient = torch.ones_like(w)  # points the wrong way
    found, value, same = searched(lambda p: (-p.sum().item(), gradient), w, -gradient, 1.0, 0.1)[2]
    assert found == 0 and value == -w.sum().item() and torch.equal(same, gradient)


def test_line_search_ends_within_its_evaluations_on_a_function_without_a_minimum():
    calls = []

    def slide(w):
        calls.append(w)
        return -w.sum().item(), -torch.ones_like(w)

    w = vector(1)
    found, value, _ = line_search(
        slide, w, -w.sum().item(), -torch.ones_like(w), torch.ones_like(w), 1.0, 0.1, 7
    )
    assert len(calls) == 7 and found == 2.0**6 and value < -w.sum().item()


# --- state ----------------------------------------------------------------------------------------


def through_a_file(state):
    """The state as a checkpoint would give it back."""
    return safetensors.torch.load(safetensors.torch.save(state))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("interrupted", [0, 1, 2, 7, 25])
def test_a_copy_of_the_state_goes_on_to_the_same_bits(monkeypatch, name, interrupted):
    monkeypatch.setattr(Soap, "refresh", 4)
    start = torch.tensor([-1.2, 1.0, 0.5, -0.3], dtype=torch.float64)
    whole = minimise(OPTIMIZERS[name](), rosenbrock, start, 30)
    first = OPTIMIZERS[name]()
    w = minimise(first, rosenbrock, start, interrupted)
    second = OPTIMIZERS[name]()
    second.state = through_a_file(first.state)
    assert torch.equal(minimise(second, rosenbrock, w.clone(), 30 - interrupted), whole)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_is_a_dictionary_of_tensors(name):
    optimizer = OPTIMIZERS[name]()
    assert optimizer.state == {}
    minimise(optimizer, rosenbrock, vector(1, 4), 3)
    assert optimizer.state and all(
        isinstance(value, torch.Tensor) for value in optimizer.state.values()
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_leaves_the_weights_and_the_state_given_to_it_alone(name):
    """So that a step that fails or is interrupted half-way can be taken again."""
    optimizer = OPTIMIZERS[name]()
    w = vector(1, 4)
    w = minimise(optimizer, rosenbrock, w, 4)
    state = optimizer.state
    before = w.clone()
    copies = {key: value.clone() for key, value in state.items()}
    optimizer.step(rosenbrock, w)
    assert torch.equal(w, before)
    assert all(torch.equal(state[key], value) for key, value in copies.items())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_interrupted_step_leaves_the_state_as_it_was(name):
    optimizer = OPTIMIZERS[name]()
    w = vector(1, 4)
    w = minimise(optimizer, rosenbrock, w, 4)
    state = optimizer.state

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(interrupted, w)
    assert optimizer.state is state
