"""A network's record run by torch, for debugging with Numba's compiler turned off."""

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import Symbol
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced

OPERATIONS: dict[str, Any] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
    "where": lambda x, a, b: torch.where(x > 0, a, b),
    "exp": torch.exp,
    "sqrt": torch.sqrt,
}


def interpreted_functions(traced: Traced) -> dict[str, Any]:
    """Return the functions of ``network_emitting.network_functions``, not compiled."""

    def network_scratch(w: Any, c: Any, signal: np.ndarray, state: np.ndarray) -> int:
        return 0

    def network_step(w, c, signal, state, work, u, following):  # type: ignore[no-untyped-def]
        with torch.no_grad():
            arrays = _arrays(traced, {"w": _tensors(w), "c": _tensors(c)}, signal, state)
        u[:] = arrays[traced.excitations].ravel()
        following[:] = arrays[traced.state].ravel()

    def network_vjp(  # type: ignore[no-untyped-def]
        w, c, signal, state, g_u, g_following, work, g_signal, g_state, gw, block
    ):
        weights = [tensor.requires_grad_() for tensor in _tensors(w)]
        received = [torch.tensor(g).reshape(-1, LANES) for g in (g_u, g_following)]
        with torch.enable_grad():
            arrays = _arrays(traced, {"w": weights, "c": _tensors(c)}, signal, state)
            inputs = [arrays["signal"], arrays["state"], *weights]
            outputs = [arrays[traced.excitations], arrays[traced.state]]
            found = torch.autograd.grad(outputs, inputs, received, allow_unused=True)
        for out, g in zip((g_signal, g_state), found, strict=False):
            out[:] = 0.0 if g is None else g.numpy().ravel()
        for out, g in zip(gw, found[2:], strict=True):
            if g is not None:
                out[block] += g.numpy()

    return {
        "network_scratch": network_scratch,
        "network_step": network_step,
        "network_vjp": network_vjp,
    }


def _tensors(values: Any) -> list[Tensor]:
    return [torch.tensor(value) for value in values]


def _arrays(traced: Traced, given: Any, signal: Any, state: Any) -> dict[str, Tensor]:
    """Return the arrays (components, LANES) of all statements, the signal and the state."""
    arrays = {
        name: torch.tensor(value).reshape(-1, LANES).requires_grad_()
        for name, value in (("signal", signal), ("state", state))
    }
    for s in traced.statements:
        arrays[s.name] = _value(s, arrays, given)
    return arrays


def _value(s: Statement, arrays: dict[str, Tensor], given: Any) -> Tensor:
    match s.operation:
        case "product":
            return _found(given, s.operands[0]) @ arrays[s.operands[1]]
        case "concatenate":
            return torch.cat([arrays[part] for part in s.operands])
        case "spread":
            return _found(given, s.operands[0])[:, None].expand(-1, LANES)
        case "slice":
            return arrays[s.operands[0]][s.operands[1] : s.operands[2]]
        case "repeat":
            return arrays[s.operands[0]].expand_as(arrays[s.operands[1]])
    function = FUNCTIONS.get(s.operation, (lambda x: x, None))[0]
    value = _evaluated(function(s.operands[0]), arrays, given)
    return value.expand_as(arrays[s.operands[1]])


def _found(given: Any, name: str) -> Tensor:
    """Return the weight that is called w[i], or the constant c[i]."""
    group, number = re.fullmatch(r"(\w)\[(\d+)\]", name).groups()  # type: ignore[union-attr]
    return given[group][int(number)]


def _evaluated(symbol: Symbol, arrays: dict[str, Tensor], given: Any) -> Tensor:
    if symbol.op == "const":
        return torch.tensor(symbol.args[0], dtype=torch.float64)
    if symbol.op == "scalar":
        return _found(given, symbol.args[0])
    if symbol.op == "load":
        return arrays[symbol.args[0]]
    return OPERATIONS[symbol.op](*(_evaluated(a, arrays, given) for a in symbol.args))
