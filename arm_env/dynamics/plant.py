"""The compiled plant: state layout, and the equations turned into Numba kernels, one arm or a
batch.

Every kernel takes ``p``, the arm's flat parameter vector (``Arm.flat()``), and fills its last
arguments. Kernels ending in ``_vjp`` are exact adjoints: cotangents in, cotangents out.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen import elementary
from arm_env.codegen.compiling import Kernels, compile_source, jit, once_for_each_trace
from arm_env.codegen.lanes import lane_source, row_source
from arm_env.codegen.primitives import NUMPY
from arm_env.codegen.tracing import (
    SYMBOLIC,
    Symbol,
    explained,
    flatten,
    function_source,
    gradient,
    load,
)
from arm_env.dynamics import equations
from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE, STATE_SIZE
from arm_env.dynamics.parameters import Arm, CostWeights, Parameters
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


ARM_SYMBOLS, WEIGHT_SYMBOLS = symbols(Arm(), "p"), symbols(CostWeights(), "w")


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


def _source() -> str:
    arm = ARM_SYMBOLS
    x = load("x", (STATE_SIZE,))
    u = load("u", (MUSCLE_COUNT,))
    noise = load("noise", (MUSCLE_COUNT,))
    h = Symbol("scalar", "h")
    xs, us = flatten([x]), flatten([u])
    return "\n".join(
        [
            with_adjoint(
                "step",
                ["p", "h", "x", "u"],
                flatten([equations.step(SYMBOLIC, arm, x, u, h)]),
                {"x": xs, "u": us},
            ),
            with_adjoint(
                "sense", ["p", "x"], flatten([equations.sense(SYMBOLIC, arm, x)]), {"x": xs}
            ),
            with_adjoint(
                "excite",
                ["p", "u", "noise"],
                flatten([equations.excitation(SYMBOLIC, arm, u, noise)]),
                {"u": us},
            ),
        ]
    )


_compiled = compile_source("physics", _source(), **ELEMENTARY)
step, step_vjp = _compiled.step, _compiled.step_vjp
sense, sense_vjp = _compiled.sense, _compiled.sense_vjp
excite, excite_vjp = _compiled.excite, _compiled.excite_vjp
step_lanes, step_vjp_lanes = _compiled.step_lanes, _compiled.step_vjp_lanes
sense_lanes, sense_vjp_lanes = _compiled.sense_lanes, _compiled.sense_vjp_lanes
excite_lanes, excite_vjp_lanes = _compiled.excite_lanes, _compiled.excite_vjp_lanes
step_rows, step_vjp_rows = _compiled.step_rows, _compiled.step_vjp_rows
sense_rows, sense_vjp_rows = _compiled.sense_rows, _compiled.sense_vjp_rows
excite_rows, excite_vjp_rows = _compiled.excite_rows, _compiled.excite_vjp_rows


# Bounds on the default arm: a quarter above the worst that searches for bad actions found at a
# max_excitation of 4. They found 45, 54 and 63 rad/s at maximum excitations of 1, 2 and 4, and 0.22, 0.25 and 0.28
# rad.
SPEED_BOUND = 80.0  # [rad/s] no action makes a joint faster
STOP_BOUND = 0.36  # [rad] no action drives a joint further into its stop
PULL_BOUND = 2.0  # [-] no length and velocity give a larger normalised tension
# observations lie within their noise-free bounds × (1 ± this): ten standard deviations
NOISE_MARGIN = 1.5


def sensory_bounds(arm: Arm) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest noise-free sensory signal, (18,) each, over all states the arm can be in."""
    low, high = np.array(arm.lower_stop) - STOP_BOUND, np.array(arm.upper_stop) + STOP_BOUND
    arrays = arm.arrays()
    # A length is linear in the shoulder's angle and quadratic in the elbow's: its extremes lie at
    # the ends of both, or where its moment arm about the elbow vanishes. Moment arms are linear.
    bent = np.where(arrays.path_curvature == 0, 1.0, 2 * arrays.path_curvature)
    elbows = [low[1], high[1], *np.clip(-arrays.path_slope[1] / bent, low[1], high[1])]
    postures = np.array([[shoulder, elbow] for shoulder in (low[0], high[0]) for elbow in elbows])
    lengths = equations.muscle_length(arrays, postures)
    arms = equations.moment_arm_matrix(NUMPY, arrays, postures)  # (P, 2, 6)
    speed = abs(arms).max(0).sum(0) * SPEED_BOUND / arrays.optimal_length
    tension = np.full(MUSCLE_COUNT, arm.max_excitation * PULL_BOUND)
    return (
        np.concatenate([lengths.min(0), -speed, 0 * tension]),
        np.concatenate([lengths.max(0), speed, tension]),
    )


@jit
def hold_to_action_space(u, max_excitation):
    """Clip u, (B, 6), to [0, max_excitation] in place; or return the first row that is not finite (else
    −1).
    """
    for i in range(len(u)):
        for j in range(MUSCLE_COUNT):
            if not np.isfinite(u[i, j]):
                return i
    for i in range(len(u)):
        for j in range(MUSCLE_COUNT):
            u[i, j] = min(max(u[i, j], 0.0), max_excitation)
    return -1


@jit
def control_steps(p, h, substeps, u, noise, x):
    """Advance states x, (B, 10), in place by one control period under u, (B, 6), with noise ω, (B,
    6).
    """
    excitation = np.empty((len(x), MUSCLE_COUNT))
    excite_rows(0, len(x), p, u, noise, excitation)
    for _ in range(substeps):
        step_rows(0, len(x), p, h, x, excitation, x)


@jit
def observe(p, x, command, noise, low, high, observation):
    """Fill float32 observations (B, 18 + K): noisy sensory signal and command, within their bounds."""
    signal = np.empty((len(x), SENSORY_SIZE))
    sense_rows(0, len(x), p, x, signal)
    for i in range(len(x)):
        for j in range(len(low)):
            value = signal[i, j] if j < SENSORY_SIZE else command[i, j - SENSORY_SIZE]
            observation[i, j] = min(max(value * (1 + noise[i, j]), low[j]), high[j])


@jit
def noise_of(deviation, key, draw, noise):
    """Fill noise (n,) with normal numbers of that standard deviation, the ``draw``-th under a key."""
    if deviation == 0:
        noise[:] = 0.0
        return
    standard_normals(key, draw, noise)
    for i in range(len(noise)):
        noise[i] *= deviation


TASKS_MAY_HOLD = (
    "A task's equations may hold numbers, + - * / ** and abs of their values, parts such as command[..., 0], and exp, "
    "log, sin, cos, sqrt, where, stack and concatenate of xp (docs/equations.md)"
)


class TracedTask(NamedTuple):
    """What a task's equations compute of the state x, excitations u and command k, as symbols."""

    terms: list[Symbol]  # of the cost
    squared_distance: Symbol  # [m²]
    success: Symbol  # above 0 on the attractor


def trace_task(task: Any) -> TracedTask:
    """Run the equations of a task on symbols."""
    arm = ARM_SYMBOLS
    weights = WEIGHT_SYMBOLS
    x, u, k = load("x", (STATE_SIZE,)), load("u", (MUSCLE_COUNT,)), load("k", (task.command_size,))
    name = type(task).__name__
    with explained(name, TASKS_MAY_HOLD):
        hand = equations.hand(SYMBOLIC, arm, x)
        error = _parts(f"{name}.error", task.error(SYMBOLIC, k, *hand[:2]), ERROR)
        terms = _parts(f"{name}.cost", task.cost(SYMBOLIC, arm, weights, x, u, k), TERMS)
        (success,) = _parts(f"{name}.success", [task.success(SYMBOLIC, k, *hand)], SUCCESS)
    return TracedTask(terms, error[0], success)


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
    10), which moves up by one, counts the period in ``elapsed``, (B,), fills ``costs`` under the
    present command, and lets the first states ``observe`` with the following command. Noise is that
    of the ``key`` and the number of the ``draw``.
    """
    hand = equations.hand(SYMBOLIC, ARM_SYMBOLS, load("x", (STATE_SIZE,)))
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
    noise = empty(len(x) * ({MUSCLE_COUNT} + len(low)))
    noise_of(deviation, key, draw, noise)
    split = len(x) * {MUSCLE_COUNT}
    control_steps(p, h, substeps, u, noise[:split].reshape(len(x), {MUSCLE_COUNT}), x)
    costs(p, w, x, u, k, out)
    observe(p, history[0], following, noise[split:].reshape(len(x), len(low)), low, high, observation)
"""
    source = batch_source("cost", ["p", "w", "x", "u", "k"], results) + batch
    known = {"control_steps": control_steps, "observe": observe, "noise_of": noise_of}
    return compile_source("task", source, **known, **ELEMENTARY)


@once_for_each_trace(trace_task)
def compile_task(traced: TracedTask) -> Kernels:
    """Return the ``task_kernels`` of a task."""
    return task_kernels(traced)
