"""Kernels that know a task's cost: the step of an environment, its costs, its observations."""

import math
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen.compiling import Kernels, compile_source, once_for_each_trace
from arm_env.codegen.forms import moves
from arm_env.codegen.lanes import LANES
from arm_env.codegen.primitives import at_least, at_most
from arm_env.codegen.tracing import SYMBOLIC, Symbol, explained, flatten, load
from arm_env.dynamics.body import Body
from arm_env.dynamics.layout import COSTS
from arm_env.dynamics.plant import (
    WEIGHT_SYMBOLS,
    Function,
    compiled,
    contact_step_of,
    parameter_symbols,
    physics_of,
)
from arm_env.dynamics.random_numbers import noise_of

TASKS_MAY_HOLD = (
    "A task's equations may hold numbers, + - * / ** and abs of their values, parts such as "
    "command[..., 0], and exp, log, sin, cos, sqrt, where, stack and concatenate of xp "
    "(docs/equations.md)"
)


class TracedTask(NamedTuple):
    """The results of a task's equations as symbols of the state x, excitations u and command k.

    Attributes:
        terms: Terms of the cost [1/s].
        squared_distance: Squared distance from the attractor [m²].
        success: Number above 0 on the attractor.
        body: Body of the task.
        command_size: Number of a command's components.
    """

    terms: list[Symbol]
    squared_distance: Symbol
    success: Symbol
    body: Body
    command_size: int


def trace_task(task: Any) -> TracedTask:
    """Return the symbols that the equations of a task compute.

    Raises TypeError or ValueError if the equations can't be traced.
    """
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
    return TracedTask(terms, error[0], success, body, task.command_size)


ERROR = ("squared distance", "desired velocity x", "desired velocity y")
TERMS = ("distance", "velocity", "effort")
SUCCESS = ("success",)


def _parts(name: str, values: Any, parts: tuple[str, ...]) -> list[Symbol]:
    """Return the symbols of a function's result, one number for each of the ``parts``.

    Raises TypeError for a result of other parts.
    """
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


# {lanes} arms at a time are moved into lanes and back. In the last block, lanes that are left over
# hold the last arm, too. For one arm there is one lane, and the forms are those of one arm.
TASK = """
def advance(
    p, w, h, substeps, u, deviation, key, draw, k, command, low, high, history, elapsed, out,
    observation{contact}
):
    moves = substeps > 0
    for age in range(len(history) - 1 if moves else 0):
        for i in range(history.shape[1]):
            for j in range(history.shape[2]):
                history[age, i, j] = history[age + 1, i, j]
    before = len(u) * {muscles} if moves else 0  # the noise of the excitations is drawn first
    noise = empty(before + len(u) * len(low))
    noise_of(deviation, key, draw, noise)
    u_noise = noise[: len(u) * {muscles}].reshape((len(u), {muscles}))
    signal_noise = noise[before:].reshape((len(u), len(low)))
    x_lanes, u_lanes = empty({lanes} * {states}), empty({lanes} * {muscles})
    k_lanes, out_lanes = empty({lanes} * k.shape[1]), empty({lanes} * {costs})
    excitation, signal = empty({lanes} * {muscles}), empty({lanes} * len(low))
    signal_noise_lanes = empty({lanes} * len(low))
    {contact_lanes}
    for first in range(0, len(u), {lanes}):
        into_lanes(first, history[-1], x_lanes)
        into_lanes(first, u, u_lanes)
        into_lanes(first, k, k_lanes)
        into_lanes(first, u_noise, excitation)
        excite{form}(p, u_lanes, excitation, excitation)
        {into_contact_lanes}
        for _ in range(substeps):
            {step}
        cost{form}(p, w, x_lanes, u_lanes, k_lanes, out_lanes)
        out_of_lanes(first, history[-1], x_lanes)
        out_of_lanes(first, out, out_lanes)
        if len(history) > 1:
            into_lanes(first, history[0], x_lanes)
        sense{form}(p, x_lanes, signal)
        into_lanes(first, command, signal[{lanes} * {signals}:])
        into_lanes(first, signal_noise, signal_noise_lanes)
        observe{form}(signal_noise_lanes, low, high, signal)
        out_of_lanes_32(first, observation, signal)
    for i in range(len(elapsed)):
        elapsed[i] += moves
"""
UNTOUCHED = {
    "contact": "",
    "contact_lanes": "",
    "into_contact_lanes": "",
    "step": "step{form}(p, h, x_lanes, excitation, x_lanes)",
}
TOUCHED = {
    "contact": ", contact",
    "contact_lanes": "contact_lanes = empty({lanes} * contact.shape[1])",
    "into_contact_lanes": "into_lanes(first, contact, contact_lanes)",
    "step": "contact_step{form}(p, h, x_lanes, excitation, contact_lanes, x_lanes)",
}
"""Parts of ``TASK`` for hands that nothing touches, and for those that are pushed or held."""


def cost_outputs(traced: TracedTask) -> list[Symbol]:
    """Return the cost's terms, distance, success and hand position, in the order of ``COSTS``."""
    body = traced.body
    hand = body.hand(SYMBOLIC, parameter_symbols(body), load("x", (body.state_size,)))
    distance = SYMBOLIC.sqrt(traced.squared_distance)
    success = SYMBOLIC.where(traced.success, 1.0, 0.0)
    return flatten([*traced.terms, distance, success, *hand[:2]])


def observations(size: int) -> list[Symbol]:
    """Return the noisy signals, held to their bounds."""
    signal, noise, low, high = (load(name, (size,)) for name in ("signal", "noise", "low", "high"))
    noisy = signal * (1 + noise)
    return flatten([at_most(SYMBOLIC, at_least(SYMBOLIC, noisy, low), high)])


def functions_of_task(traced: TracedTask, touched: bool) -> dict[str, Function]:
    """Return ``cost`` and ``observe`` of a task as symbols, for touched hands also the step."""
    body = traced.body
    return {
        "cost": Function(["p", "w", "x", "u", "k"], {"out": cost_outputs(traced)}),
        "observe": Function(
            ["noise", "low", "high"],
            {"signal": observations(body.sensory_size + traced.command_size)},
        ),
        **(contact_step_of(body) if touched else {}),
    }


def task_kernels(traced: TracedTask, lanes: int = LANES, *, touched: bool = False) -> Kernels:
    """Return kernels over a batch that know the task's cost, for arms in ``LANES`` lanes or in one.

    ``history`` holds the latest states, (D + 1, B, 2 J + M), for a delay of D control periods: the
    last ones are the present, and the first ones are sensed. ``advance`` is the whole step of an
    environment in one call. It moves ``history`` up by one control period, counts the period in
    ``elapsed``, (B,), and fills out (B, 7), whose columns ``arm_env.dynamics.layout`` names, and
    the observations. Costs are those under the command in force during the step; observations show
    the command that follows. The noise is that of the ``key`` and the number of the ``draw``. With
    0 ``substeps`` nothing moves: costs and observations are those of the present states. If hands
    are ``touched``, ``advance`` takes the contacts, (B, 7), as its last argument.
    """
    body = traced.body
    known = {
        **moves(lanes),
        **physics_of(body),
        **compiled(functions_of_task(traced, touched)),
    }
    form = "" if lanes == 1 else "_lanes"
    parts = (TOUCHED if touched else UNTOUCHED).items()
    source = TASK.format(
        **{name: part.format(lanes=lanes, form=form) for name, part in parts},
        lanes=lanes,
        form=form,
        states=body.state_size,
        signals=body.sensory_size,
        muscles=body.muscle_count,
        costs=COSTS,
    )
    return compile_source("task", source, **known, noise_of=noise_of)


@once_for_each_trace(trace_task)
def compile_task(traced: TracedTask) -> Kernels:
    """Return the ``task_kernels`` of a task for many arms."""
    return task_kernels(traced)


@once_for_each_trace(trace_task)
def compile_task_of_one(traced: TracedTask) -> Kernels:
    """Return the ``task_kernels`` of a task for a single arm."""
    return task_kernels(traced, 1)


@once_for_each_trace(trace_task)
def compile_touched_task(traced: TracedTask) -> Kernels:
    """Return the ``task_kernels`` of a task for any number of arms whose hands are touched."""
    return task_kernels(traced, touched=True)
