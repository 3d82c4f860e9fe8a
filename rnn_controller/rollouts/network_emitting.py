"""Emits a network's step and its adjoint as instructions, from the record of its equations.

Sizes are read from the weights when the code runs. So networks of one kind share their compiled
code, whatever their size.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numba
from numba import types

from arm_env.codegen.callees import Given, callee
from arm_env.codegen.instructions import WHOLE
from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import Symbol, assignments
from rnn_controller.rollouts.network_adjoint import Adjoint
from rnn_controller.rollouts.network_arrays import Network
from rnn_controller.rollouts.network_interpreting import interpreted_functions
from rnn_controller.rollouts.statements import Traced

INPUTS = ("w", "c", "signal", "state")
STEP = ("work", "u", "following")
VJP = ("g_u", "g_following", "work", "g_signal", "g_state", "gw", "block")


def network_functions(traced: Traced) -> dict[str, Any]:
    """Return ``network_scratch``, ``network_step`` and ``network_vjp``, for compiled code.

    ``network_scratch`` gives the length of ``work``, the array that the others work in.
    ``network_step`` fills the excitations ``u`` and the state ``following``. ``network_vjp`` takes
    their cotangents, which it may change, fills those of signal and state, and adds those of the
    weights to ``gw[block]``.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return interpreted_functions(traced)
    digest = hashlib.sha256(described(traced).encode()).hexdigest()[:16]

    def function(
        name: str, arguments: tuple[str, ...], emit: Callable[..., Any], **more: Any
    ) -> Any:
        def emit_network(builder: Any, given: Given) -> Any:
            return emit(traced, builder, given)

        return callee(f"{name}.{digest}", [*INPUTS, *arguments], emit_network, **more)

    return {
        "network_scratch": function("network_scratch", (), _scratch, result=types.int64),
        "network_step": function("network_step", STEP, _step),
        "network_vjp": function("network_vjp", VJP, _vjp, whole=("block",)),
    }


def described(traced: Traced) -> str:
    """Return the record as text, which identifies the compiled code in the cache."""
    lines = [f"signal {traced.excitations} {traced.state} {LANES}"]
    for s in traced.statements:
        operands = [_printed(o) if isinstance(o, Symbol) else str(o) for o in s.operands]
        lines.append(f"{s.name} = {s.operation}({', '.join(operands)})")
    return "\n".join(lines)


def _printed(expression: Symbol) -> str:
    parts = assignments({"": [expression]}, lambda array, index: f"{array}[{index}]")
    before, within, names = parts
    return "; ".join([*before, *within, names[id(expression)]])


def _scratch(*arguments: Any) -> Any:
    network = Network(*arguments)
    return network.builder.mul(WHOLE(2), network.total)


def _step(*arguments: Any) -> None:
    network = Network(*arguments)
    traced = network.traced
    ends = {traced.excitations: network.given["u"]}
    if traced.state != traced.excitations:
        ends[traced.state] = network.given["following"]
    of = {s.name: s.operation for s in traced.statements}
    network.forward({name: out for name, out in ends.items() if of.get(name, "slice") != "slice"})
    for name, out in (
        (traced.excitations, network.given["u"]),
        (traced.state, network.given["following"]),
    ):
        if network.arrays[name] is not out:
            network.copy(name, out)


def _vjp(*arguments: Any) -> None:
    Adjoint(*arguments).backward()
