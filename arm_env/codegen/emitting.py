"""Traced equations as instructions: of one arm, of arms in lanes, or of rows of arms.

A function of thousands of operations takes Numba half a minute to understand, and LLVM half a
second to compile. So what was traced becomes LLVM's instructions without a detour, as a function of
its own that compiled code calls. All forms have the same instructions, and so give the same bits:

- a product that something is added to is fused with the addition, rounded once,
- a quotient is multiplied by the divisor's reciprocal, which is computed once for all quotients,
- sine and cosine of one angle are computed together.
"""

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from arm_env.codegen import elementary
from arm_env.codegen.callees import (
    ELEMENT,
    Given,
    address,
    callee,
    declared,
    element,
    linked,
    signature,
    vector_address,
)
from arm_env.codegen.compiling import Kernels, compile_source
from arm_env.codegen.instructions import FLOAT, WHOLE, Number
from arm_env.codegen.lanes import LANES
from arm_env.codegen.symbols import UNIFORM, Symbol, constant, ordered
from arm_env.codegen.tracing import function_source

Results = Mapping[str, Sequence[Symbol]]
Load = Callable[[str, Any], Number]


class Emission:
    """The numbers of symbols, each computed once."""

    def __init__(self, builder: Any, given: Mapping[str, Any], load: Load):
        self.builder = builder
        self.given = given
        self.load = load
        self.numbers: dict[Any, Any] = {}

    def numbers_of(self, symbols: Sequence[Symbol]) -> list[Number]:
        """The numbers of symbols; what they depend on is emitted first."""
        for symbol in ordered(symbols):
            self.number(symbol)
        return [self.number(symbol) for symbol in symbols]

    def number(self, symbol: Symbol) -> Number:
        """The number of a symbol whose arguments have been emitted."""
        known = self.numbers.get(id(symbol))
        if known is None:
            known = self.numbers[id(symbol)] = self._emit(symbol)
        return known

    def _emit(self, symbol: Symbol) -> Number:
        match symbol.op:
            case "const":
                return Number(self.builder, ir.Constant(FLOAT, symbol.args[0]))
            case "scalar":
                return Number(self.builder, self.given[symbol.args[0]])
            case "load" if symbol.uniform:
                return element(self.builder, self.given[symbol.args[0]], symbol.args[1])
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
        return getattr(elementary, f"emit_{symbol.op}")(a)

    def _once(self, key: Any, emit: Callable[..., Any], *arguments: Any) -> Any:
        if key not in self.numbers:
            self.numbers[key] = emit(*arguments)
        return self.numbers[key]

    def _turns(self, angle: Symbol) -> tuple[Number, Number]:
        return elementary.emit_sine_and_cosine(self.number(angle))

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


class Form:
    """How the arms of a call lie in its arrays: here one arm, whose numbers are elements."""

    leading: tuple[str, ...] = ()  # arguments before the others

    def __init__(self, builder: Any, given: Given):
        self.builder = builder
        self.given = given

    def load(self, array: str, index: int) -> Number:
        """Load component ``index`` of the arms."""
        return element(self.builder, self.given[array], index)

    def store(self, array: str, index: int, number: Number) -> None:
        """Store it."""
        self.builder.store(number.value, address(self.builder, self.given[array], index))

    def emit(self, results: Results, lanes_label: str) -> None:
        """Emit the results for all arms; the label is that of the function of lanes."""
        emission = Emission(self.builder, self.given, self.load)
        symbols = ordered([symbol for group in results.values() for symbol in group])
        for symbol in symbols:  # what depends on parameters alone, before the arms
            if symbol.uniform:
                emission.number(symbol)
        emission.numbers_of(symbols)
        for array, group in results.items():
            for index, symbol in enumerate(group):
                self.store(array, index, emission.number(symbol))

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        """The arguments for each arm, where nothing is compiled."""
        yield given


class Lanes(Form):
    """``LANES`` arms, component i of which lies in [LANES i : LANES (i + 1)]."""

    def load(self, array: str, index: int) -> Number:
        place = vector_address(self.builder, self.given[array], LANES * index, LANES)
        return Number(self.builder, self.builder.load(place, align=ELEMENT))

    def store(self, array: str, index: int, number: Number) -> None:
        place = vector_address(self.builder, self.given[array], LANES * index, LANES)
        self.builder.store(number.in_lanes(LANES).value, place, align=ELEMENT)

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        for lane in range(LANES):
            yield [a if u else a[lane::LANES] for a, u in zip(given, uniform, strict=True)]


class Rows(Form):
    """Rows first … last − 1 of two-dimensional arrays: moved into lanes, and back.

    ``LANES`` are moved at a time. The last row stands in the lanes that are left, too.
    """

    leading = ("first", "last")

    def emit(self, results: Results, lanes_label: str) -> None:
        builder = self.builder
        sizes = {result: len(symbols) for result, symbols in results.items()}
        for symbol in ordered([symbol for group in results.values() for symbol in group]):
            if symbol.op == "load" and not symbol.uniform:
                array, index = symbol.args
                sizes[array] = max(sizes.get(array, 0), index + 1)
        lanes = {a: cgutils.alloca_once(builder, FLOAT, LANES * n) for a, n in sizes.items()}
        # rows, and lengths of axes, are of no use to lanes
        passed = {
            name: value
            for name, value in self.given.items()
            if " " not in name and name not in self.leading
        } | lanes
        inner = declared(builder.module, lanes_label, passed)
        last = builder.sub(self.given["last"], WHOLE(1))
        with self._loop(self.given["first"], self.given["last"], LANES) as first:
            for array in sizes:
                if array not in results:
                    self._move(array, lanes[array], sizes[array], first, last, into=True)
            builder.call(inner, list(passed.values()))
            for array in results:
                self._move(array, lanes[array], sizes[array], first, last, into=False)

    @contextlib.contextmanager
    def _loop(self, first: Any, last: Any, step: int = 1) -> Iterator[Any]:
        """Emit what is in this context for first, first + step, … below last."""
        with cgutils.for_range_slice(self.builder, first, last, WHOLE(step), WHOLE) as (index, _):
            yield index

    def _move(
        self, array: str, lanes: Any, size: int, first: Any, last: Any, *, into: bool
    ) -> None:
        builder = self.builder
        with self._loop(WHOLE(0), WHOLE(LANES)) as lane, self._loop(WHOLE(0), WHOLE(size)) as i:
            row = builder.add(first, lane)
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            start = builder.mul(row, self.given[f"{array} 1"])
            there = address(builder, self.given[array], builder.add(start, i))
            here = address(builder, lanes, builder.add(builder.mul(i, WHOLE(LANES)), lane))
            source, target = (there, here) if into else (here, there)
            builder.store(builder.load(source), target)

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        first, last, *given = given
        for row in range(first, last):
            yield [a if u else a[row] for a, u in zip(given, uniform, strict=True)]


FORMS: dict[str, type[Form]] = {"": Form, "_lanes": Lanes, "_rows": Rows}
"""What is appended to a function's name to say how its arms lie."""


def emitted(name: str, arguments: Sequence[str], results: Results) -> dict[str, Any]:
    """Functions for compiled code that fill the arrays ``results`` from their arguments.

    There is one for each of the ``FORMS``, by name. An array may be both argument and result. Each
    is compiled once, where it is needed first; its ``kernel`` is for callers outside compiled code.
    """
    source, every = function_source(name, arguments, results), [*arguments, *results]
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return {
            name + ending: _interpreted(source, form, [*form.leading, *every])
            for ending, form in FORMS.items()
        }
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    symbols = ordered([symbol for group in results.values() for symbol in group])
    scalars = [symbol.args[0] for symbol in symbols if symbol.op == "scalar"]
    functions: dict[str, Any] = {}
    for ending, form in FORMS.items():
        rows = form is Rows
        key, given = name + ending, [*form.leading, *every]
        label, call = f"{key}.{digest}", f"{key}({', '.join(given)})"
        defining = callee(
            label,
            given,
            functools.partial(_emit, form, results, functions.get(f"{name}_lanes")),
            whole=form.leading,
            lengths=rows,
            linkage="linkonce_odr",  # as Numba's own
        )
        if rows:
            defining.callees = [functions[f"{name}_lanes"]]
        kernels = compile_source(
            key, f"def {call}:\n    define_{call}\n", **{f"define_{key}": defining}
        )
        kernel = getattr(kernels, key)
        kinds = tuple(
            types.int64
            if argument in form.leading
            else types.float64
            if argument in scalars
            else types.Array(types.float64, 1 + (rows and argument not in UNIFORM), "C")
            for argument in given
        )
        functions[key] = linked(
            label,
            given,
            functools.partial(_link, label, kernel, kinds),
            whole=form.leading,
            lengths=rows,
        )
        functions[key].kernel = kernel
    return functions


def _emit(form: type[Form], results: Results, lanes: Any, builder: Any, given: Given) -> None:
    if form is Rows:
        lanes.link()
    form(builder, given).emit(results, lanes and lanes.fingerprint)


@functools.cache
def _link(label: str, kernel: Any, kinds: tuple[Any, ...]) -> None:
    """Make the address of a kernel's emitted function known by its label."""
    kernel.compile(kinds)
    library = kernel.overloads[kinds].library
    llvmlite.binding.add_symbol(label, library.get_pointer_to_function(label))


def _interpreted(source: str, form: type[Form], arguments: Sequence[str]) -> Any:
    """The function where nothing is compiled."""
    scope = dict(elementary.CALLED, sqrt=np.sqrt, inf=np.inf, nan=np.nan)
    before = set(scope) | {"__builtins__"}
    exec(source, scope)
    (one,) = (value for key, value in scope.items() if key not in before)

    def function(*given: Any) -> None:
        names = zip(arguments, given, strict=True)
        uniform = [n in UNIFORM or not np.ndim(a) for n, a in names if n not in form.leading]
        for part in form.parts(given, uniform):
            one(*part)

    function.__signature__ = signature(arguments)  # type: ignore[attr-defined]
    return function


def kernels(functions: Mapping[str, Any]) -> Kernels:
    """Emitted functions for callers outside compiled code."""
    return Kernels(
        {key: getattr(function, "kernel", function) for key, function in functions.items()}
    )
