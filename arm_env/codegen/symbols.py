"""Scalars of an expression graph, with which equations are traced.

``arm_env.dynamics.equations`` and ``arm_env.tasks.task`` run on NumPy object arrays of ``Symbol``
as they run on arrays of numbers. The result is the graph of all that they computed.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from arm_env.codegen.primitives import Primitives

LEAVES = ("const", "scalar", "load")
UNIFORM = ("p", "w", "low", "high")
"""Names of the arguments that hold parameters: the arm's, and the cost's weights."""
NO_ANSWER = (
    "equations are compiled before their values are known, so they can't test a value: "
    "no if, and, or, max, min, ==, <, >"
)


@contextmanager
def explained(name: str, allowed: str) -> Iterator[None]:
    """Turn an error into one that says whose equations can't be traced, and why.

    It also says what is ``allowed`` in them.
    """
    try:
        yield
    except (
        TypeError,
        ValueError,
        AttributeError,
        LookupError,
        ArithmeticError,
        NotImplementedError,
    ) as error:
        problem = str(error) or type(error).__name__
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"the equations of {name} can't be compiled: {problem}. {allowed}") from error


class Symbol:
    """A scalar in an expression graph; equal expressions are one object (hash-consing).

    The table of symbols holds each one only as long as other code does. A symbol holds its
    arguments, so the identities in its key stay valid.
    """

    __slots__ = ("__weakref__", "args", "op", "uniform")
    _known: WeakValueDictionary[tuple[Any, ...], "Symbol"] = WeakValueDictionary()

    def __new__(cls, op: str, *args: Any) -> "Symbol":
        key = (op, *args) if op in LEAVES else (op, *map(id, args))
        symbol = cls._known.get(key)
        if symbol is None:
            symbol = super().__new__(cls)
            symbol.op, symbol.args = op, args
            if op in LEAVES:
                symbol.uniform = op != "load" or args[0] in UNIFORM
            else:
                symbol.uniform = all(argument.uniform for argument in args)
            cls._known[key] = symbol
        return symbol

    op: str
    args: tuple[Any, ...]
    uniform: bool
    """Whether it depends only on parameters, and so is the same for all arms of a batch."""

    def __add__(self, other: Any) -> Any:
        return _binary("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _binary("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _binary("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _binary("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _binary("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _binary("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _binary("/", other, self)

    def __neg__(self) -> "Symbol":
        return constant(0.0) - self

    def __pos__(self) -> "Symbol":
        return self

    def __abs__(self) -> "Symbol":
        """Return the absolute value, with slope 0 at 0, as torch has it; NaN stays NaN."""
        return where(self, self, where(-self, -self, Symbol("-", self, self)))

    def __pow__(self, exponent: Any) -> "Symbol":
        return _power(self, exponent)

    def __rpow__(self, base: Any) -> "Symbol":
        return _power(base, self)

    def _asked(self, *_: Any) -> Any:
        raise TypeError(
            f"{NO_ANSWER}. xp.where(x, a, b) is a where x > 0, else b; at_least and at_most of "
            "arm_env.codegen.primitives are the larger and the smaller of two"
        )

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _asked  # type: ignore[assignment]
    __hash__ = object.__hash__

    # NumPy calls these methods for np.exp(object_array) and the like.
    def exp(self) -> "Symbol":
        return _unary("exp", self)

    def log(self) -> "Symbol":
        return _unary("log", self)

    def sin(self) -> "Symbol":
        return _unary("sin", self)

    def cos(self) -> "Symbol":
        return _unary("cos", self)

    def sqrt(self) -> "Symbol":
        return _unary("sqrt", self)


def constant(value: float) -> Symbol:
    """Return the symbol of a number."""
    return Symbol("const", float(value))


def _value(symbol: Symbol) -> float | None:
    return symbol.args[0] if symbol.op == "const" else None


def _unary(op: str, x: Symbol) -> Symbol:
    value = _value(x)
    return constant(getattr(math, op)(value)) if value is not None else Symbol(op, x)


def _symbol(x: Any) -> Symbol:
    if isinstance(x, np.ndarray):
        x = x.item()
    return x if isinstance(x, Symbol) else constant(x)


def _binary(op: str, left: Any, right: Any) -> Any:
    if (isinstance(left, np.ndarray) and left.ndim) or (
        isinstance(right, np.ndarray) and right.ndim
    ):
        return NotImplemented  # NumPy broadcasts, and comes back with elements
    a, b = _symbol(left), _symbol(right)
    va, vb = _value(a), _value(b)
    if va is not None and vb is not None:
        return constant({"+": va + vb, "-": va - vb, "*": va * vb}[op] if op != "/" else va / vb)
    if (op in "+-" and vb == 0) or (op in "*/" and vb == 1):
        return a
    if (op == "+" and va == 0) or (op == "*" and va == 1):
        return b
    if (op == "*" and 0 in (va, vb)) or (op == "/" and va == 0):
        return constant(0.0)
    if op == "/" and b.uniform and not a.uniform:
        return a * (1.0 / b)  # whose reciprocal is computed once
    return _signs_outside(op, a, b)


def _signs_outside(op: str, a: Symbol, b: Symbol) -> Symbol:
    """Return the operation without signs within it, each of which would be another operation."""
    negative, positive = _negated(a), _negated(b)
    if op == "+" and positive is not None:
        return a - positive
    if op == "+" and negative is not None:
        return b - negative
    if op == "-" and positive is not None:
        return a + positive
    if op == "*" and negative is not None:
        return -(negative * b)
    if op == "*" and positive is not None:
        return -(a * positive)
    return Symbol(op, a, b)


def _negated(symbol: Symbol) -> Symbol | None:
    """Return the symbol whose negative a symbol is written as, or None."""
    if symbol.op == "-" and _value(symbol.args[0]) == 0:
        negated: Symbol = symbol.args[1]
        return negated
    return None


def _power(base: Any, exponent: Any) -> Any:
    """Return whole powers by products, halves by roots."""
    if isinstance(exponent, np.ndarray) and exponent.ndim:
        return NotImplemented
    base = _symbol(base)
    power = _value(_symbol(exponent))
    if power is None or not (2 * power).is_integer():
        raise TypeError(
            "** takes whole exponents and halves, such as 2, -1 and 0.5; "
            "x ** p is else exp(p * log(x))"
        )
    if power < 0:
        return 1.0 / _power(base, -power)
    if not power.is_integer():
        return _power(base, power - 0.5) * base.sqrt()
    half = _power(base * base, power // 2) if power > 1 else constant(1.0)
    return half * base if power % 2 else half


def where(x: Any, a: Any, b: Any) -> Symbol:
    """Return ``a`` where x > 0, else ``b``."""
    x, a, b = _symbol(x), _symbol(a), _symbol(b)
    return a if a is b else Symbol("where", x, a, b)


_where_array = np.frompyfunc(where, 3, 1)

SYMBOLIC = Primitives(
    np.exp, np.log, np.sin, np.cos, np.sqrt, _where_array, np.stack, np.concatenate
)


def load(name: str, shape: tuple[int, ...], start: int = 0) -> np.ndarray:
    """Return symbols for elements of the flat argument ``name`` from ``start``, in that shape."""
    symbols = [Symbol("load", name, start + i) for i in range(math.prod(shape))]
    return np.array(symbols, dtype=object).reshape(shape)


def flatten(values: Iterable[Any]) -> list[Symbol]:
    """Return the symbols of scalars and object arrays, in order."""
    return [_symbol(v) for value in values for v in np.ravel(np.asarray(value, dtype=object))]


def ordered(outputs: Iterable[Symbol]) -> list[Symbol]:
    """Return every symbol on which the outputs depend, dependencies first."""
    order: dict[int, Symbol] = {}
    pending = [(output, False) for output in reversed(list(outputs))]
    while pending:
        symbol, ready = pending.pop()
        if id(symbol) in order:
            continue
        if ready or symbol.op in LEAVES:
            order[id(symbol)] = symbol
        else:
            pending.append((symbol, True))
            pending.extend((arg, False) for arg in reversed(symbol.args))
    return list(order.values())
