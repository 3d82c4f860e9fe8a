"""The compiled plant: kernels of a body's equations, for one body or a batch.

Every kernel takes ``p``, the body's flat parameter vector (``Arm.flat()``), and fills its last
arguments. Kernels with ``_vjp`` are exact adjoints: they turn cotangents of the results into those
of the arguments. ``arm_env.codegen.emitting.FORMS`` says how the arms lie in memory. The names
``step`` to ``control_steps`` of this module are kernels of the arm.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen.compiling import Kernels, compile_source, jit
from arm_env.codegen.emitting import emitted, kernels
from arm_env.codegen.tracing import SYMBOLIC, Symbol, flatten, gradient, load
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.bounds import (  # noqa: F401  for old imports
    PULL_BOUND,
    SPEED_BOUND,
    STOP_BOUND,
    sensory_bounds,
)
from arm_env.dynamics.layout import CONTACT_SIZE
from arm_env.dynamics.parameters import CostWeights, Parameters


def symbols(parameters: Parameters, name: str) -> Any:
    """Return the fields of a group as symbols that are read from its flat vector ``name``."""
    position = 0

    def next_symbols(value: np.ndarray) -> Any:
        nonlocal position
        position += value.size
        loaded = load(name, value.shape, position - value.size)
        return loaded if value.ndim else loaded.item()

    return parameters.map(next_symbols)


@functools.cache
def parameter_symbols(body: Body) -> Any:
    """Return the parameters of a body as symbols."""
    return symbols(body.parameters, "p")


WEIGHT_SYMBOLS = symbols(CostWeights(), "w")


class Function(NamedTuple):
    """A function as symbols.

    Attributes:
        arguments: Names of its arguments.
        results: Names of the arrays that it fills, each with the symbols of its elements.
    """

    arguments: list[str]
    results: dict[str, list[Symbol]]


def compiled(functions: Mapping[str, Function]) -> dict[str, Any]:
    """Return functions for compiled code, in all ``FORMS``."""
    return {
        form: made
        for name, function in functions.items()
        for form, made in emitted(name, *function).items()
    }


def with_adjoint(
    name: str, arguments: list[str], outputs: list[Symbol], inputs: dict[str, list[Symbol]]
) -> dict[str, Function]:
    """Return a function that fills ``out``, and its adjoint, which fills an array for each input.

    The name of the adjoint ends in ``_vjp``.
    """
    cotangents = flatten([load("g", (len(outputs),))])
    flat = gradient(outputs, cotangents, [s for group in inputs.values() for s in group])
    results = {}
    start = 0
    # One reverse pass gives the cotangents of all inputs, since they share most of the work.
    for key, group in inputs.items():
        results[f"g_{key}"] = flat[start : start + len(group)]
        start += len(group)
    return {
        name: Function(arguments, {"out": outputs}),
        f"{name}_vjp": Function([*arguments, "g"], results),
    }


@functools.cache
def functions_of(body: Body) -> dict[str, Function]:
    """Return ``step``, ``sense`` and ``excite`` of a body as symbols, with their adjoints."""
    p = parameter_symbols(body)
    x = load("x", (body.state_size,))
    u = load("u", (body.muscle_count,))
    noise = load("noise", (body.muscle_count,))
    h = Symbol("scalar", "h")
    xs, us = flatten([x]), flatten([u])
    step = flatten([body.step(SYMBOLIC, p, x, u, h)])
    sense = flatten([body.sense(SYMBOLIC, p, x)])
    excite = flatten([body.excitation(SYMBOLIC, p, u, noise)])
    return {
        **with_adjoint("step", ["p", "h", "x", "u"], step, {"x": xs, "u": us}),
        **with_adjoint("sense", ["p", "x"], sense, {"x": xs}),
        **with_adjoint("excite", ["p", "u", "noise"], excite, {"u": us}),
    }


@functools.cache
def physics_of(body: Body) -> dict[str, Any]:
    """Return ``functions_of`` a body for compiled code, in all ``FORMS``."""
    return compiled(functions_of(body))


@functools.cache
def contact_step_of(body: Body) -> dict[str, Function]:
    """Return ``contact_step``, the step of a body whose hand is pushed or held, as symbols.

    It is a function of its own, so that an arm that nobody touches computes nothing more.
    """
    p = parameter_symbols(body)
    x, u = load("x", (body.state_size,)), load("u", (body.muscle_count,))
    contact = load("contact", (CONTACT_SIZE,))
    stepped = flatten([body.step(SYMBOLIC, p, x, u, Symbol("scalar", "h"), contact)])
    return {"contact_step": Function(["p", "h", "x", "u", "contact"], {"out": stepped})}


@functools.cache
def kernels_of(body: Body) -> Kernels:
    """Return the functions of ``physics_of`` for callers outside compiled code."""
    return kernels(physics_of(body)).made_by(kernels_of, body)


PERIOD = """
def control_steps(p, h, substeps, u, noise, x):
    # advance states x (B, S) in place by one control period under u (B, M), with noise ω (B, M)
    excitation = noise.copy()
    excite_rows(0, len(x), p, u, noise, excitation)
    for _ in range(substeps):
        step_rows(0, len(x), p, h, x, excitation, x)
"""


@functools.cache
def period_of(body: Body) -> Kernels:
    """Return the kernel ``control_steps``, which advances a batch by one control period."""
    return compile_source("period", PERIOD, **physics_of(body)).made_by(period_of, body)


# The kernels of the arm by name, for code that computes with this body only.
_arm = kernels_of(ARM)
step, step_vjp = _arm.step, _arm.step_vjp
sense, sense_vjp = _arm.sense, _arm.sense_vjp
excite, excite_vjp = _arm.excite, _arm.excite_vjp
step_lanes, step_vjp_lanes = _arm.step_lanes, _arm.step_vjp_lanes
sense_lanes, sense_vjp_lanes = _arm.sense_lanes, _arm.sense_vjp_lanes
excite_lanes, excite_vjp_lanes = _arm.excite_lanes, _arm.excite_vjp_lanes
step_rows, step_vjp_rows = _arm.step_rows, _arm.step_vjp_rows
sense_rows, sense_vjp_rows = _arm.sense_rows, _arm.sense_vjp_rows
excite_rows, excite_vjp_rows = _arm.excite_rows, _arm.excite_vjp_rows
control_steps = period_of(ARM).control_steps

# observations lie within their noise-free bounds × (1 ± this): ten standard deviations
NOISE_MARGIN = 1.5


@jit
def hold_to_action_space(u, max_excitation):
    """Clip u, (B, M), to [0, max_excitation] in place, and return −1.

    If a row is not finite, nothing is clipped, and the index of the first of them is returned.
    """
    for i in range(len(u)):
        for j in range(u.shape[1]):
            if u[i, j] - u[i, j] != 0:  # NaN, as of a value that is not finite
                return i
    for i in range(len(u)):
        for j in range(u.shape[1]):
            at_least = 0.0 if u[i, j] < 0 else u[i, j]
            u[i, j] = max_excitation if at_least > max_excitation else at_least
    return -1
