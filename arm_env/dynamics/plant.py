"""The compiled plant: a body's equations turned into Numba kernels, for one body or a batch.

Every kernel takes ``p``, the body's flat parameter vector (``Arm.flat()``), and fills its last
arguments. Kernels ending in ``_vjp`` are exact adjoints: cotangents in, cotangents out. The names
``step`` to ``observe`` of this module are the arm's.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen import elementary
from arm_env.codegen.compiling import Kernels, compile_source, jit, once_for_each_trace
from arm_env.codegen.lanes import lane_source, row_source
from arm_env.codegen.tracing import (
    SYMBOLIC,
    Symbol,
    explained,
    flatten,
    function_source,
    gradient,
    load,
)
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.bounds import (  # noqa: F401  for those who look for them here
    PULL_BOUND,
    SPEED_BOUND,
    STOP_BOUND,
    sensory_bounds,
)
from arm_env.dynamics.parameters import CostWeights, Parameters
from arm_env.dynamics.random_numbers import standard_normals


def symbols(parameters: Parameters, name: str) -> Any:
    """The group's fields as symbols read from its flat vector ``name``."""
    position = 0

    def next_symbols(value: np.ndarray) -> Any:
        nonlocal position
        position += value.size
        loaded = load(name, value.shape, position - value.size)
        return loaded if value.ndim else loaded.item()

    return parameters.map(next_symbols)


@functools.cache
def parameter_symbols(body: Body) -> Any:
    """The body's parameters as symbols."""
    return symbols(body.parameters, "p")


WEIGHT_SYMBOLS = symbols(CostWeights(), "w")


def with_adjoint(
    name: str, arguments: list[str], outputs: list[Symbol], inputs: dict[str, list[Symbol]]
) -> str:
    """Source of a kernel filling ``out``, and of its adjoint filling one array per input."""
    cotangents = flatten([load("g", (len(outputs),))])
    flat = gradient(outputs, cotangents, [s for group in inputs.values() for s in group])
    results = {}
    start = 0
    for key, group in inputs.items():
        results[f"g_{key}"] = flat[start : start + len(group)]
        start += len(group)
    return batch_source(name, arguments, {"out": outputs}) + batch_source(
        f"{name}_vjp", [*arguments, "g"], results
    )


def batch_source(name: str, arguments: list[str], results: dict[str, list[Symbol]]) -> str:
    """Source of a kernel for one arm, in lanes, and on rows."""
    return "".join(
        form(name, arguments, results) for form in (function_source, lane_source, row_source)
    )


ELEMENTARY = {
    name: getattr(elementary, name) for name in ("exp", "log", "sin", "cos", "widest_registers")
}
"""What generated functions call."""


def physics_source(body: Body) -> str:
    """Source of the kernels of a body's equations."""
    p = parameter_symbols(body)
    x = load("x", (body.state_size,))
    u = load("u", (body.muscle_count,))
    noise = load("noise", (body.muscle_count,))
    h = Symbol("scalar", "h")
    xs, us = flatten([x]), flatten([u])
    return "\n".join(
        [
            with_adjoint(
                "step",
                ["p", "h", "x", "u"],
                flatten([body.step(SYMBOLIC, p, x, u, h)]),
                {"x": xs, "u": us},
            ),
            with_adjoint("sense", ["p", "x"], flatten([body.sense(SYMBOLIC, p, x)]), {"x": xs}),
            with_adjoint(
                "excite",
                ["p", "u", "noise"],
                flatten([body.excitation(SYMBOLIC, p, u, noise)]),
                {"u": us},
            ),
        ]
    )


@functools.cache
def physics_of(body: Body) -> Kernels:
    """The kernels ``step``, ``sense`` and ``excite`` of a body, each with its adjoint (``_vjp``),
    in lanes (``_lanes``) and on rows (``_rows``).
    """
    made = compile_source("physics", physics_source(body), **ELEMENTARY)
    return made.made_by(physics_of, body)


PERIOD = """
def control_steps(p, h, substeps, u, noise, x):
    # advance states x (B, {states}) in place by one control period under u (B, {muscles}), with
    # noise ω (B, {muscles})
    excitation = empty((len(x), {muscles}))
    excite_rows(0, len(x), p, u, noise, excitation)
    for _ in range(substeps):
        step_rows(0, len(x), p, h, x, excitation, x)

def observe(p, x, command, noise, low, high, observation):
    # fill float32 observations (B, {signals} + K): noisy sensory signal and command, within their
    # bounds
    signal = empty((len(x), {signals}))
    sense_rows(0, len(x), p, x, signal)
    for i in range(len(x)):
        for j in range(len(low)):
            value = signal[i, j] if j < {signals} else command[i, j - {signals}]
            observation[i, j] = min(max(value * (1 + noise[i, j]), low[j]), high[j])
"""


@functools.cache
def period_of(body: Body) -> Kernels:
    """The kernels of a control period: ``control_steps``, which moves a batch, and ``observe``."""
    physics = physics_of(body)
    sizes = {"states": body.state_size, "signals": body.sensory_size, "muscles": body.muscle_count}
    called = {name: getattr(physics, name) for name in ("step_rows", "sense_rows", "excite_rows")}
    return compile_source("period", PERIOD.format(**sizes), **called).made_by(period_of, body)


_arm = physics_of(ARM)
step, step_vjp = _arm.step, _arm.step_vjp
sense, sense_vjp = _arm.sense, _arm.sense_vjp
excite, excite_vjp = _arm.excite, _arm.excite_vjp
step_lanes, step_vjp_lanes = _arm.step_lanes, _arm.step_vjp_lanes
sense_lanes, sense_vjp_lanes = _arm.sense_lanes, _arm.sense_vjp_lanes
excite_lanes, excite_vjp_lanes = _arm.excite_lanes, _arm.excite_vjp_lanes
step_rows, step_vjp_rows = _arm.step_rows, _arm.step_vjp_rows
sense_rows, sense_vjp_rows = _arm.sense_rows, _arm.sense_vjp_rows
excite_rows, excite_vjp_rows = _arm.excite_rows, _arm.excite_vjp_rows
control_steps, observe = period_of(ARM).control_steps, period_of(ARM).observe

# observations lie within their noise-free bounds × (1 ± this): ten standard deviations
NOISE_MARGIN = 1.5


@jit
def hold_to_action_space(u, max_excitation):
    """Clip u, (B, M), to [0, max_excitation] in place; or return the first row that is not finite
    (else −1).
    """
    for i in range(len(u)):
        for j in range(u.shape[1]):
            if not np.isfinite(u[i, j]):
                return i
    for i in range(len(u)):
        for j in range(u.shape[1]):
            u[i, j] = min(max(u[i, j], 0.0), max_excitation)
    return -1


@jit
def noise_of(deviation, key, draw, noise):
    """Fill noise (n,) with normal numbers of that deviation, the ``draw``-th under a key."""
    if deviation == 0:
        noise[:] = 0.0
        return
    standard_normals(key, draw, noise)
    for i in range(len(noise)):
        noise[i] *= deviation


TASKS_MAY_HOLD = (
    "A task's equations may hold numbers, + - * / ** and abs of their values, parts such as "
    "command[..., 0], and exp, log, sin, cos, sqrt, where, stack and concatenate of xp "
    "(docs/equations.md)"
)


class TracedTask(NamedTuple):
    """What a task's equations compute of the state x, excitations u and command k, as symbols."""

    terms: list[Symbol]  # of the cost
    squared_distance: Symbol  # [m²]
    success: Symbol  # above 0 on the attractor
    body: Body


def trace_task(task: Any) -> TracedTask:
    """Run the equations of a task on symbols."""
    body = task.body
    p = parameter_symbols(body)
    weights = WEIGHT_SYMBOLS
    x, u = load("x", (body.state_size,)), load("u", (body.muscle_count,))
    k = load("k", (task.command_size,))
    name = type(task).__name__
    with explained(name, TASKS_MAY_HOLD):
        hand = body.hand(SYMBOLIC, p, x)
        error = _parts(f"{name}.error", task.error(SYMBOLIC, k, *hand[:2]), ERROR)
        terms = _parts(f"{name}.cost", task.cost(SYMBOLIC, p, weights, x, u, k), TERMS)
        (success,) = _parts(f"{name}.success", [task.success(SYMBOLIC, k, *hand)], SUCCESS)
    return TracedTask(terms, error[0], success, body)


ERROR = ("squared distance", "desired velocity x", "desired velocity y")
TERMS = ("distance", "velocity", "effort")
SUCCESS = ("success",)


def _parts(name: str, values: Any, parts: tuple[str, ...]) -> list[Symbol]:
    """The symbols of what a function returned, if it is one number for each of the ``parts``."""
    shapes = (
        [np.shape(value) for value in values]
        if isinstance(values, tuple | list)
        else [np.shape(values)]
    )
    if [math.prod(shape) for shape in shapes] != [1] * len(parts):
        raise TypeError(
            f"{name} must give one number for each of {', '.join(parts)}, not shapes {shapes}"
        )
    return flatten(values)


def task_kernels(traced: TracedTask) -> Kernels:
    """Kernels over a batch that know the task's cost.

    ``costs`` fills out (B, 7), whose columns ``COSTS`` names. ``advance`` is an environment's whole
    step in one call: it takes ``control_steps`` from the last of the states ``history``, (D + 1, B,
    S), which moves up by one, counts the period in ``elapsed``, (B,), fills ``costs`` under the
    present command, and lets the first states ``observe`` with the following command. Noise is that
    of the ``key`` and the number of the ``draw``.
    """
    body = traced.body
    muscles = body.muscle_count
    hand = body.hand(SYMBOLIC, parameter_symbols(body), load("x", (body.state_size,)))
    distance = SYMBOLIC.sqrt(traced.squared_distance)
    success = SYMBOLIC.where(traced.success, 1.0, 0.0)
    results = {"out": flatten([*traced.terms, distance, success, *hand[:2]])}
    batch = f"""
def costs(p, w, x, u, k, out):
    cost_rows(0, len(x), p, w, x, u, k, out)

def advance(p, w, h, substeps, u, deviation, key, draw, k, following, low, high, history, elapsed, out, observation):
    for i in range(len(elapsed)):
        elapsed[i] += 1
    for age in range(len(history) - 1):
        history[age] = history[age + 1]
    x = history[-1]
    noise = empty(len(x) * ({muscles} + len(low)))
    noise_of(deviation, key, draw, noise)
    split = len(x) * {muscles}
    control_steps(p, h, substeps, u, noise[:split].reshape(len(x), {muscles}), x)
    costs(p, w, x, u, k, out)
    observe(p, history[0], following, noise[split:].reshape(len(x), len(low)), low, high, observation)
"""
    source = batch_source("cost", ["p", "w", "x", "u", "k"], results) + batch
    period = period_of(body)
    known = {"control_steps": period.control_steps, "observe": period.observe, "noise_of": noise_of}
    return compile_source("task", source, **known, **ELEMENTARY)


@once_for_each_trace(trace_task)
def compile_task(traced: TracedTask) -> Kernels:
    """Return the ``task_kernels`` of a task."""
    return task_kernels(traced)
