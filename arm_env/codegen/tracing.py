"""Straight-line code from the equations: traced equations are differentiated and printed.

``gradient`` adds the reverse pass to a graph of symbols as more symbols (the discrete costate
equations); ``function_source`` prints either as a Python function that Numba compiles. So neither
the physics nor its adjoint is written a second time.
"""

from collections.abc import Callable, Mapping, Sequence

from arm_env.codegen.symbols import (
    NO_ANSWER,
    SYMBOLIC,
    Symbol,
    constant,
    explained,
    flatten,
    load,
    ordered,
    where,
)

__all__ = [
    "NO_ANSWER",
    "SYMBOLIC",
    "Symbol",
    "assignments",
    "constant",
    "explained",
    "flatten",
    "function_source",
    "gradient",
    "load",
    "ordered",
]


def _derivatives(s: Symbol, g: Symbol) -> list[tuple[Symbol, Symbol]]:
    """Return pairs (argument of s, part that the cotangent g of s adds to its cotangent)."""
    a = s.args
    match s.op:
        case "+":
            return [(a[0], g), (a[1], g)]
        case "-":
            return [(a[0], g), (a[1], -g)]
        case "*":
            return [(a[0], g * a[1]), (a[1], g * a[0])]
        case "/":
            return [(a[0], g / a[1]), (a[1], -(g / a[1]) * s)]
        case "exp":
            return [(a[0], g * s)]
        case "log":
            return [(a[0], g / a[0])]
        case "sin":
            return [(a[0], g * a[0].cos())]
        case "cos":
            return [(a[0], -(g * a[0].sin()))]
        case "sqrt":
            return [(a[0], g * 0.5 / s)]
        case "where":
            zero = constant(0.0)
            return [(a[1], where(a[0], g, zero)), (a[2], where(a[0], zero, g))]
    return []


def gradient(
    outputs: Sequence[Symbol], cotangents: Sequence[Symbol], inputs: Sequence[Symbol]
) -> list[Symbol]:
    """Return the cotangents of the inputs, given those of the outputs (reverse mode)."""
    total: dict[int, Symbol] = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        total[id(output)] = total.get(id(output), constant(0.0)) + cotangent
    for symbol in reversed(ordered(outputs)):
        if id(symbol) in total:
            for argument, part in _derivatives(symbol, total[id(symbol)]):
                if argument.op != "const":
                    total[id(argument)] = total.get(id(argument), constant(0.0)) + part
    return [total.get(id(x), constant(0.0)) for x in inputs]


def function_source(
    name: str, arguments: Sequence[str], results: Mapping[str, Sequence[Symbol]]
) -> str:
    """Return a Python function that fills the arrays ``results`` (names to symbols)."""
    before, after, names = assignments(results, lambda array, index: f"{array}[{index}]")
    lines = [
        f"def {name}({', '.join([*arguments, *results])}):",
        *(f"    {line}" for line in [*before, *after]),
    ]
    for result, symbols in results.items():
        lines += [f"    {result}[{i}] = {names[id(symbol)]}" for i, symbol in enumerate(symbols)]
    return "\n".join(lines) + "\n"


def assignments(
    results: Mapping[str, Sequence[Symbol]], element: Callable[[str, int], str]
) -> tuple[list[str], list[str], dict[int, str]]:
    """Return lines for uniform symbols, lines for the others, and names of symbols by identity.

    ``element`` writes an element of an array that is not uniform.
    """
    names: dict[int, str] = {}
    uniform: list[str] = []
    other: list[str] = []
    for symbol in ordered([symbol for symbols in results.values() for symbol in symbols]):
        if symbol.op in ("const", "scalar"):
            names[id(symbol)] = f"({symbol.args[0]})"
            continue
        names[id(symbol)] = f"t{len(names)}"
        if symbol.op == "load":
            array, index = symbol.args
            expression = f"{array}[{index}]" if symbol.uniform else element(array, index)
        else:
            expression = _expression(symbol, names)
        (uniform if symbol.uniform else other).append(f"{names[id(symbol)]} = {expression}")
    return uniform, other, names


def _expression(symbol: Symbol, names: dict[int, str]) -> str:
    parts = [names[id(a)] for a in symbol.args]
    if symbol.op == "where":
        return f"{parts[1]} if {parts[0]} > 0 else {parts[2]}"
    if symbol.op in "+-*/":
        return f"{parts[0]} {symbol.op} {parts[1]}"
    return f"{symbol.op}({parts[0]})"
