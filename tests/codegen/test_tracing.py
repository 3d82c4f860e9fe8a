"""Traced functions and their gradients against torch, and the rules of the expression graph."""

import math

import numpy as np
import pytest
import torch

from arm_env.codegen.primitives import NUMPY
from arm_env.codegen.tracing import (
    SYMBOLIC,
    Symbol,
    constant,
    flatten,
    function_source,
    gradient,
    load,
)
from arm_env.dynamics.task_kernels import trace_task
from arm_env.tasks.reach import Reach
from rnn_controller.rollouts.plant import TORCH

POINT = np.array([0.7, 1.3, -0.4])
"""Positive, positive, negative: logarithms and roots take the first two, branches take both ways.
"""


def run(outputs, **arrays):
    """The values of the symbols at the arrays they load from, by the code printed for them."""
    source = function_source("f", list(arrays), {"out": outputs})
    scope = {name: getattr(math, name) for name in ("exp", "log", "sin", "cos", "sqrt")}
    exec(source, scope)
    out = np.full(len(outputs), np.nan)
    scope["f"](*arrays.values(), out)
    return out


FUNCTIONS = {
    "add": lambda xp, x: x[0] + x[2],
    "add number": lambda xp, x: 1.5 + x[0] + 2,
    "subtract": lambda xp, x: x[0] - x[2],
    "subtract from number": lambda xp, x: 2.5 - x[0],
    "negate": lambda xp, x: -x[1],
    "multiply": lambda xp, x: x[0] * x[2],
    "multiply number": lambda xp, x: 3.0 * x[0] * 0.5,
    "square": lambda xp, x: x[0] * x[0],
    "whole power": lambda xp, x: x[2] ** 5 + x[0] ** 2 + x[1] ** 1 + x[1] ** 0,
    "negative power": lambda xp, x: x[2] ** -3,
    "half power": lambda xp, x: x[0] ** 0.5 + x[1] ** 2.5 + x[1] ** -1.5,
    "power of an array": lambda xp, x: (x**2 + x[0:2].sum(-1) ** np.float64(3)).sum(-1),
    "absolute": lambda xp, x: abs(x[2]) * abs(x[0]) + abs(x).sum(-1) + +x[0],
    "divide": lambda xp, x: x[0] / x[2],
    "divide number": lambda xp, x: 2.0 / x[1],
    "divide by itself": lambda xp, x: x[1] / x[1],
    "exp": lambda xp, x: xp.exp(x[2]),
    "log": lambda xp, x: xp.log(x[1]),
    "sin": lambda xp, x: xp.sin(x[1]),
    "cos": lambda xp, x: xp.cos(x[1]),
    "sqrt": lambda xp, x: xp.sqrt(x[0]),
    "where taken": lambda xp, x: xp.where(x[0], x[1] * x[1], x[2] * x[2]),
    "where not taken": lambda xp, x: xp.where(x[2], x[1] * x[1], x[0] * x[0]),
    "where number": lambda xp, x: (
        xp.where(x[2], x[1], 0.0) + xp.where(x[1], 0.0, x[0]) + xp.where(x[0], x[0], 1.0)
    ),
    "where of its own condition": lambda xp, x: (
        xp.where(x[2], x[2], -x[2]) * xp.where(x[0], x[0], -x[0])
    ),
    "shared subexpression": lambda xp, x: xp.exp(x[0] * x[1]) * xp.sin(x[0] * x[1]) + x[0] * x[1],
    "chain": lambda xp, x: xp.sqrt(xp.exp(xp.sin(x[0] / x[1])) + xp.log(1 + x[2] * x[2])),
    "stack": lambda xp, x: (xp.stack([x[0], x[1] * x[2]], -1) * xp.stack([x[2], x[0]], -1)).sum(-1),
    "concatenate": lambda xp, x: (
        xp.concatenate([x, x[0:2] * x[2]], -1) * xp.concatenate([x[1:3], x], -1)
    ).sum(-1),
    "broadcast": lambda xp, x: xp.exp(x * x[0:1] - 1.0).sum(-1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_gradient_equal_those_of_torch(name):
    function = FUNCTIONS[name]
    symbols = load("x", (3,))
    (output,) = flatten([function(SYMBOLIC, symbols)])
    slopes = gradient([output], [constant(1.0)], list(symbols))
    traced = run([output, *slopes], x=POINT)

    point = torch.tensor(POINT, requires_grad=True)
    value = function(TORCH, point)
    (expected,) = torch.autograd.grad(value, point)
    assert traced[0] == pytest.approx(value.item(), rel=1e-14)
    np.testing.assert_allclose(traced[1:], expected.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_equals_central_differences(name):
    function = FUNCTIONS[name]
    symbols = load("x", (3,))
    eps = 1e-5
    (output,) = flatten([function(SYMBOLIC, symbols)])
    slopes = run(gradient([output], [constant(1.0)], list(symbols)), x=POINT)
    ends = [[function(NUMPY, POINT + sign * d) for sign in (1, -1)] for d in eps * np.eye(3)]
    # eps² of truncation and 1e-16 / eps of rounding
    np.testing.assert_allclose(slopes, [(a - b) / (2 * eps) for a, b in ends], rtol=1e-8, atol=1e-9)


def test_cotangents_weigh_the_outputs():
    x, g = load("x", (3,)), load("g", (2,))
    outputs = [x[0] * x[1], x[1] / x[2]]
    slopes = run(gradient(outputs, list(g), list(x)), x=POINT, g=np.array([2.0, -3.0]))
    a, b, c = POINT
    np.testing.assert_allclose(slopes, [2 * b, 2 * a - 3 / c, 3 * b / c**2], rtol=1e-14)


def test_an_output_given_twice_counts_twice():
    x = load("x", (1,))
    slope = gradient([x[0] * x[0]] * 2, [constant(1.0), constant(10.0)], list(x))
    assert run(slope, x=POINT[:1])[0] == pytest.approx(11 * 2 * POINT[0])


def test_an_output_that_another_output_needs_passes_both_cotangents_on():
    x, g = load("x", (2,)), load("g", (2,))
    inner = x[0] * x[1]
    slopes = run(
        gradient([inner, inner * inner], list(g), list(x)), x=POINT[:2], g=np.array([3.0, 5.0])
    )
    through = 3 + 5 * 2 * POINT[0] * POINT[1]
    np.testing.assert_allclose(slopes, through * POINT[1::-1], rtol=1e-14)


def test_an_input_as_output_has_its_cotangent():
    x, g = load("x", (2,)), load("g", (1,))
    assert gradient([x[0]], [g[0]], list(x)) == [g[0], constant(0.0)]


def test_an_unused_input_has_gradient_zero():
    x, y = load("x", (1,)), load("y", (2,))
    slopes = gradient([x[0] * y[0]], [constant(1.0)], list(y))
    assert slopes == [x[0], constant(0.0)]


def test_a_constant_output_has_gradient_zero():
    x = load("x", (1,))
    assert gradient([constant(3.0)], [constant(1.0)], list(x)) == [constant(0.0)]


def test_only_the_taken_branch_has_a_gradient():
    x = load("x", (3,))
    slopes = gradient([SYMBOLIC.where(x[0], x[1], x[2])], [constant(1.0)], list(x))
    np.testing.assert_array_equal(run(slopes, x=np.array([1.0, 5, 5])), [0, 1, 0])
    np.testing.assert_array_equal(run(slopes, x=np.array([-1.0, 5, 5])), [0, 0, 1])
    np.testing.assert_array_equal(run(slopes, x=np.array([0.0, 5, 5])), [0, 0, 1])  # "where x > 0"


def test_equal_branches_need_no_condition():
    x = load("x", (2,))
    choice = SYMBOLIC.where(x[0], x[1] * 2, x[1] * 2)
    assert choice is x[1] * 2
    assert gradient([choice], [constant(1.0)], list(x)) == [constant(0.0), constant(2.0)]


def test_equal_expressions_are_one_object():
    a, b = load("x", (2,)), load("x", (2,))
    assert a[0] is b[0]
    assert SYMBOLIC.exp(a[0] * a[1] + 2.0) is SYMBOLIC.exp(b[0] * b[1] + constant(2))
    assert Symbol("scalar", "h") is Symbol("scalar", "h")


def test_different_expressions_are_different_objects():
    x, y = load("x", (2,)), load("y", (1,))
    distinct = [
        x[0],
        x[1],
        y[0],
        Symbol("scalar", "x"),
        x[0] - x[1],
        x[1] - x[0],
        x[0] / x[1],
        x[1] / x[0],
        1.0 / x[0],
    ]
    assert len({id(symbol) for symbol in distinct}) == len(distinct)


def test_a_shared_subexpression_is_computed_once():
    x = load("x", (1,))
    twice = [np.exp(x[0]) + 1, np.exp(x[0]) * 2]
    assert function_source("f", ["x"], {"out": twice}).count("exp(") == 1


def test_constants_fold():
    two = constant(2.0)
    assert [two + 3, 3 - two, two * 3, 3 / two, -two] == [constant(v) for v in (5, 1, 6, 1.5, -2)]
    assert [two.exp(), two.log(), two.sqrt()] == [
        constant(f(2)) for f in (math.exp, math.log, math.sqrt)
    ]
    assert [two.sin(), two.cos()] == [constant(math.sin(2)), constant(math.cos(2))]


def test_neutral_elements_vanish():
    x = load("x", (1,))[0]
    assert all(same is x for same in (x + 0, 0 + x, x - 0, x * 1, 1.0 * x, x / 1))
    assert all(zero is constant(0.0) for zero in (x * 0, 0.0 * x, 0 / x))


def test_what_looks_neutral_but_is_not_stays():
    x = load("x", (1,))[0]
    np.testing.assert_array_equal(run([0 - x, 1 / x, x - x, x - 1], x=[4.0]), [-4, 0.25, 0, 3])


@pytest.mark.parametrize(
    "number", [np.float64(0.3), np.float32(0.5), np.int64(2), np.array(0.3), 2, True]
)
def test_numbers_of_any_kind_mix_with_symbols_on_either_side(number):
    x = load("x", (1,))[0]
    mixed = flatten(
        [
            number + x,
            x + number,
            number - x,
            x - number,
            number * x,
            x * number,
            number / x,
            x / number,
        ]
    )
    n, v = float(number), 1.7
    assert all(isinstance(symbol, Symbol) for symbol in mixed)
    np.testing.assert_array_equal(
        run(mixed, x=[v]), [n + v, v + n, n - v, v - n, n * v, v * n, n / v, v / n]
    )


@pytest.mark.parametrize("number", [0.1 + 0.2, 1e-300, -1e-6, 1 / 3, 5e22, -2.0])
def test_constants_are_printed_to_the_last_bit(number):
    x = load("x", (1,))[0]
    assert run([constant(number), x * number, x - number], x=[1.0]).tolist() == [
        number,
        number,
        1.0 - number,
    ]


def test_arrays_broadcast_with_symbols():
    x, row = load("x", (2, 1)), np.array([1.0, 2.0, 3.0])
    for product in (x * row, row * x):
        assert product.shape == (2, 3)
        np.testing.assert_array_equal(run(flatten([product]), x=[2.0, 5.0]), [2, 4, 6, 5, 10, 15])


def test_load_counts_on_from_its_start():
    x = load("x", (2, 2), start=3)
    np.testing.assert_array_equal(run(flatten([x]), x=np.arange(10.0)), [3, 4, 5, 6])


def test_results_may_overwrite_the_arguments():
    """The compiled step writes the new state over the old one."""
    x = load("x", (3,))
    scope = {}
    exec(function_source("rotate", ["x"], {"out": [x[1], x[2], x[0] + x[1]]}), scope)
    values = np.array([1.0, 2.0, 3.0])
    scope["rotate"](values, values)
    np.testing.assert_array_equal(values, [2, 3, 3])


def test_an_absolute_value_has_torch_s_slope_at_0_and_what_is_no_number_stays_so():
    x = load("x", (1,))
    outputs = [abs(x[0]), *gradient([abs(x[0])], [constant(1.0)], list(x))]
    assert run(outputs, x=[0.0]).tolist() == [0.0, 0.0]
    assert np.isnan(run(outputs, x=[np.nan])[0])


ASKED = {
    "if": lambda x: x[1] if x[0] else x[2],
    "greater": lambda x: x[1] if x[0] > 0 else x[2],
    "equal": lambda x: x[0] == 0,
    "unequal array": lambda x: x != 1.0,
    "and": lambda x: x[0] and x[1],
    "max": lambda x: max(x[0], 0.0),
    "np.maximum": lambda x: np.maximum(x[0], 0.0),
    "np.where": lambda x: np.where(x > 0, x, 0.0),
    "np.clip": lambda x: np.clip(x, 0.0, 1.0),
    "np.sign": lambda x: np.sign(x[0]),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_nothing_can_be_asked_of_a_value_and_the_message_says_what_to_write(ask):
    with pytest.raises(TypeError, match=r"no if.*xp\.where\(x, a, b\).*at_least and at_most"):
        ask(load("x", (3,)))


@pytest.mark.parametrize("power", [lambda x: x**1.3, lambda x: 2**x, lambda x: x**x])
def test_other_powers_are_refused(power):
    with pytest.raises(TypeError, match=r"whole exponents and halves.*exp\(p \* log\(x\)\)"):
        power(load("x", (3,))[0])


@pytest.mark.parametrize(
    "broken, text",
    [
        (lambda xp, c, x: (c + np.ones(3)).sum(), "could not be broadcast"),
        (lambda xp, c, x: xp.log(0 * x), "math domain error|expected a positive"),
        (lambda xp, c, x: "abc", "could not convert"),
        (lambda xp, c, x: {}["a"], "'a'"),
    ],
)
def test_any_error_of_equations_says_whose_they_are_and_what_they_may_hold(broken, text):
    class Broken(Reach):
        def success(self, xp, command, x, y, vx, vy):
            return broken(xp, command, x)

    with pytest.raises(
        (TypeError, ValueError), match=rf"the equations of Broken can't be compiled: .*({text})"
    ) as found:
        trace_task(Broken())
    assert "may hold" in str(found.value)
