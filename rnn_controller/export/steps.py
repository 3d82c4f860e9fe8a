"""A network's recorded equations as text, for people and programs to read."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from arm_env.codegen.symbols import Symbol
from rnn_controller.rollouts.statements import Traced, sizes_of


def steps_of(
    traced: Traced,
    given: Mapping[str, int],
    values: Mapping[str, np.ndarray],
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return the steps of the equations in order, and the names of the two results.

    ``given`` are the lengths of ``signal`` and ``state``. ``values`` are the weights and constants,
    (m, n), (m,) or (), by the names w[i] and c[i] of the record, and ``names`` their own names.
    Each step computes one vector.
    """
    known = {"signal": "observation", "state": "state", **names}
    sizes = sizes_of(traced, given, values)
    steps: list[dict[str, Any]] = []
    for s in traced.statements:
        operation = s.operation
        operands: list[Any]
        match operation:
            case "spread":  # the weight itself is the vector
                known[s.name] = known[s.operands[0]]
                continue
            case "product" | "concatenate":
                operands = [known[operand] for operand in s.operands]
            case "slice":
                source, start, _ = s.operands
                operands = [known[source], start or 0, (start or 0) + sizes[s.name]]
            case "repeat":
                operands = [known[s.operands[0]]]
            case _:
                operation = "expression" if operation == "sum" else operation
                operands = [_text(s.operands[0], known)]
        known[s.name] = s.name
        steps.append(
            {
                "result": s.name,
                "size": sizes[s.name],
                "operation": operation,
                "operands": operands,
            }
        )
    return {
        "steps": steps,
        "excitations": known[traced.excitations],
        "next_state": known[traced.state],
    }


def _text(symbol: Symbol, known: Mapping[str, str]) -> str:
    """Return an expression as most languages write it; where(x, a, b) is a where x > 0, else b."""
    match symbol.op:
        case "const":
            return repr(symbol.args[0])
        case "scalar" | "load":
            return known[symbol.args[0]]
    parts = [_text(argument, known) for argument in symbol.args]
    if symbol.op in "+-*/":
        return f"({f' {symbol.op} '.join(parts)})"
    return f"{symbol.op}({', '.join(parts)})"
