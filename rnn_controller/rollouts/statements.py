"""The record of a network's equations: a list of statements, each of which computes one array."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen.tracing import Symbol, constant


class Statement(NamedTuple):
    """One operation and the array ``name`` that holds its result.

    | operation | operands |
    |---|---|
    | product | a matrix, a vector |
    | concatenate | vectors |
    | spread | weights or constants, which are the same for all arms |
    | slice | a vector, start, stop |
    | repeat | a vector of one component, a vector as long as the result |
    | sum, which is any expression | the expression, a vector as long as the result |
    | a function of ``FUNCTIONS`` | its argument, an expression; a vector as long as the result |

    Attributes:
        operation: Name of the operation, as in the table.
        name: Name of the array that holds the result.
        operands: Operands of the operation: names of arrays, expressions or numbers.
    """

    operation: str
    name: str
    operands: tuple[Any, ...]


class Traced(NamedTuple):
    """A network's record, and the arrays that hold its excitations and its next state.

    Attributes:
        statements: Statements in the order of their computation.
        excitations: Name of the array that holds the excitations.
        state: Name of the array that holds the next state.
    """

    statements: list[Statement]
    excitations: str
    state: str


def sizes_of(
    traced: Traced, given: Mapping[str, int], values: Mapping[str, np.ndarray]
) -> dict[str, int]:
    """Return the number of components of each array, by its name.

    ``given`` are those of ``signal`` and ``state``; ``values`` are the weights (m, n) or (m,) and
    the constants, by the names w[i] and c[i].
    """
    sizes = dict(given)
    for s in traced.statements:
        match s.operation:
            case "product" | "spread":
                sizes[s.name] = len(values[s.operands[0]])
            case "concatenate":
                sizes[s.name] = sum(sizes[part] for part in s.operands)
            case "slice":
                source, start, stop = s.operands
                sizes[s.name] = (sizes[source] if stop is None else stop) - (start or 0)
            case _:
                sizes[s.name] = sizes[s.operands[1]]
    return sizes


def element(array: str) -> Symbol:
    """Return element i of an array, in a loop over i."""
    return Symbol("load", array, "i")


def _relu(x: Symbol) -> Symbol:
    return Symbol("where", x, x, constant(0.0))


def _sigmoid(x: Symbol) -> Symbol:
    return 1.0 / (1.0 + (-x).exp())


# A slope in terms of the value takes no second exp: the forward pass has stored the value. That of
# relu is 0 at 0, as torch has it.
FUNCTIONS: dict[str, tuple[Callable[[Symbol], Symbol], Callable[[Symbol], Symbol]]] = {
    "relu": (_relu, lambda y: Symbol("where", y, constant(1.0), constant(0.0))),
    "tanh": (lambda x: 2.0 * _sigmoid(2.0 * x) - 1.0, lambda y: 1.0 - y * y),
    "sigmoid": (_sigmoid, lambda y: y * (1.0 - y)),
    "exp": (Symbol.exp, lambda y: y),
    "sqrt": (Symbol.sqrt, lambda y: 0.5 / y),
}
"""Functions of one number, each with its derivative as a function of its value."""
