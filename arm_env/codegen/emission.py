"""Emission of symbols as instructions.

All forms of a function have the same instructions, and so give the same bits:

- a product to which something is added is fused with the addition and rounded once,
- a quotient is multiplied by the divisor's reciprocal, which is computed once for all quotients,
- sine and cosine of one angle are computed together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from arm_env.codegen import elementary
from arm_env.codegen.callees import element
from arm_env.codegen.instructions import FLOAT, Number
from arm_env.codegen.symbols import Symbol, constant, ordered

Load = Callable[[str, Any], Number]


class Emission:
    """A table of symbols and their numbers, each computed once."""

    def __init__(self, builder: Any, given: Mapping[str, Any], load: Load):
        self.builder = builder
        self.given = given
        self.load = load
        self.numbers: dict[Any, Any] = {}

    def numbers_of(self, symbols: Sequence[Symbol]) -> list[Number]:
        """Return the numbers of symbols, after emitting every symbol on which they depend."""
        for symbol in ordered(symbols):
            self.number(symbol)
        return [self.number(symbol) for symbol in symbols]

    def number(self, symbol: Symbol) -> Number:
        """Return the number of a symbol whose arguments have been emitted."""
        known = self.numbers.get(id(symbol))
        if known is None:
            known = self.numbers[id(symbol)] = self._emit(symbol)
        return known

    # These are what another language has otherwise (``arm_env.codegen.javascript``).

    def constant(self, value: float) -> Number:
        """Emit a constant."""
        return Number(self.builder, ir.Constant(FLOAT, value))

    def scalar(self, name: str) -> Number:
        """Emit an argument that is a number."""
        return Number(self.builder, self.given[name])

    def uniform(self, array: str, index: Any) -> Number:
        """Emit an element of an array of parameters."""
        return element(self.builder, self.given[array], index)

    def elementary(self, name: str, x: Number) -> Number:
        """Emit exp or log of a number."""
        emit: Callable[[Number], Number] = getattr(elementary, f"emit_{name}")
        return emit(x)

    def sine_and_cosine(self, x: Number) -> tuple[Number, Number]:
        """Emit sine and cosine of an angle."""
        return elementary.emit_sine_and_cosine(x)

    def _emit(self, symbol: Symbol) -> Number:
        match symbol.op:
            case "const":
                return self.constant(symbol.args[0])
            case "scalar":
                return self.scalar(symbol.args[0])
            case "load" if symbol.uniform:
                return self.uniform(*symbol.args)
            case "load":
                return self.load(*symbol.args)
            case "+":
                return self._sum(*symbol.args)
            case "-":
                return self._difference(*symbol.args)
            case "sin" | "cos":
                return self._once((id(symbol.args[0]), "turn"), self._turns, symbol.args[0])[
                    symbol.op == "cos"
                ]
        a, *others = map(self.number, symbol.args)
        match symbol.op:
            case "*":
                return a * others[0]
            case "/":
                divisor = symbol.args[1]
                inverse = self._once((id(divisor), "/"), self.number(divisor).reciprocal)
                return inverse if symbol.args[0] is constant(1.0) else a * inverse
            case "where":
                return a.chosen(*others)
            case "sqrt":
                return a.root()
        return self.elementary(symbol.op, a)

    def _once(self, key: Any, emit: Callable[..., Any], *arguments: Any) -> Any:
        if key not in self.numbers:
            self.numbers[key] = emit(*arguments)
        return self.numbers[key]

    def _turns(self, angle: Symbol) -> tuple[Number, Number]:
        return self.sine_and_cosine(self.number(angle))

    def _sum(self, a: Symbol, b: Symbol) -> Number:
        product, other = (a, b) if a.op == "*" else (b, a)
        if product.op != "*":
            return self.number(a) + self.number(b)
        first, second = map(self.number, product.args)
        return first.times_plus(second, self.number(other))

    def _difference(self, a: Symbol, b: Symbol) -> Number:
        if b.op == "*":
            first, second = map(self.number, b.args)
            return (-first).times_plus(second, self.number(a))
        if a.op == "*":
            first, second = map(self.number, a.args)
            return first.times_plus(second, -self.number(b))
        if a.op == "const" and a.args[0] == 0:
            return -self.number(b)
        return self.number(a) - self.number(b)
