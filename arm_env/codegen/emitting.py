"""Traced equations as instructions: of one arm, of arms in lanes, or of rows of arms.

A function of thousands of operations takes Numba half a minute to understand, and LLVM half a
second to compile. So what was traced becomes LLVM's instructions without a detour, as a function of
its own that compiled code calls. All forms have the same instructions, and so give the same bits:

- a product that something is added to is fused with the addition, rounded once,
- a quotient is multiplied by the divisor's reciprocal, which is computed once for all quotients,
- sine and cosine of one angle are computed together.
"""

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from arm_env.codegen import elementary
from arm_env.codegen.compiling import Kernels, compile_source
from arm_env.codegen.instructions import FLOAT, WHOLE, Number
from arm_env.codegen.lanes import LANES
from arm_env.codegen.symbols import UNIFORM, Symbol, constant, ordered
from arm_env.codegen.tracing import function_source

ELEMENT = 8  # bytes; NumPy aligns elements, not vectors of them

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


def address(builder: Any, array: Any, index: Any) -> Any:
    """Return the address of an element."""
    index = index if isinstance(index, ir.Value) else WHOLE(index)
    return builder.gep(array, [index])


def vector_address(builder: Any, array: Any, index: Any) -> Any:
    """Return the address of a vector of lanes that begins with an element."""
    vector = ir.VectorType(FLOAT, LANES).as_pointer()
    return builder.bitcast(address(builder, array, index), vector)


def element(builder: Any, array: Any, index: Any) -> Number:
    """Return an element of an array."""
    return Number(builder, builder.load(address(builder, array, index)))


class Form:
    """How the arms of a call lie in its arrays: here one arm, whose numbers are elements."""

    leading: tuple[str, ...] = ()  # arguments before the others
    dimensions = 1  # of the arrays that are not parameters

    def __init__(self, builder: Any, given: Mapping[str, Any]):
        self.builder = builder
        self.given = given

    @contextlib.contextmanager
    def each(self) -> Iterator[None]:
        """Emit what is in this context for all arms; a part of them is present at a time."""
        yield

    def load(self, array: str, index: int) -> Number:
        """Load component ``index`` of the present arms."""
        return element(self.builder, self.given[array], index)

    def store(self, array: str, index: int, number: Number) -> None:
        """Store it."""
        self.builder.store(number.value, address(self.builder, self.given[array], index))

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        """The arguments for each arm, where nothing is compiled."""
        yield given


class Lanes(Form):
    """``LANES`` arms, component i of which lies in [LANES i : LANES (i + 1)]."""

    def _address(self, array: str, index: int) -> Any:
        return vector_address(self.builder, self.given[array], LANES * index)

    def load(self, array: str, index: int) -> Number:
        value = self.builder.load(self._address(array, index), align=ELEMENT)
        return Number(self.builder, value)

    def store(self, array: str, index: int, number: Number) -> None:
        value = number.in_lanes(LANES).value
        self.builder.store(value, self._address(array, index), align=ELEMENT)

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        for lane in range(LANES):
            yield [a if u else a[lane::LANES] for a, u in zip(given, uniform, strict=True)]


class Rows(Form):
    """Rows first … last − 1 of two-dimensional arrays, one after the other."""

    leading = ("first", "last")
    dimensions = 2
    together = 1  # rows at a time

    @contextlib.contextmanager
    def each(self) -> Iterator[None]:
        ends = (self.given["first"], self.given["last"], WHOLE(self.together))
        with cgutils.for_range_slice(self.builder, *ends, WHOLE) as (row, _):
            self.row = row
            yield

    def address(self, row: Any, array: str, index: int) -> Any:
        """Return the address of an element of a row."""
        start = self.builder.mul(row, self.given[f"{array} stride"])
        return address(self.builder, self.given[array], self.builder.add(start, WHOLE(index)))

    def load(self, array: str, index: int) -> Number:
        return Number(self.builder, self.builder.load(self.address(self.row, array, index)))

    def store(self, array: str, index: int, number: Number) -> None:
        self.builder.store(number.value, self.address(self.row, array, index))

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        first, last, *given = given
        for row in range(first, last):
            yield [a if u else a[row] for a, u in zip(given, uniform, strict=True)]


class ManyRows(Rows):
    """Rows, ``LANES`` at a time. In the last vector the last row stands more than once."""

    together = LANES

    @contextlib.contextmanager
    def each(self) -> Iterator[None]:
        builder = self.builder
        with super().each():
            last = builder.sub(self.given["last"], WHOLE(1))
            rows = [builder.add(self.row, WHOLE(lane)) for lane in range(LANES)]
            before = (builder.icmp_signed("<", row, last) for row in rows)
            self.rows = [builder.select(b, row, last) for b, row in zip(before, rows, strict=True)]
            yield

    def load(self, array: str, index: int) -> Number:
        vector = ir.Constant(ir.VectorType(FLOAT, LANES), ir.Undefined)
        for lane, row in enumerate(self.rows):
            number = self.builder.load(self.address(row, array, index))
            vector = self.builder.insert_element(vector, number, ir.IntType(32)(lane))
        return Number(self.builder, vector)

    def store(self, array: str, index: int, number: Number) -> None:
        vector = number.in_lanes(LANES)
        for lane, row in enumerate(self.rows):
            self.builder.store(vector.lane(lane).value, self.address(row, array, index))


FORMS: dict[str, type[Form]] = {"": Form, "_lanes": Lanes, "_rows": ManyRows, "_each": Rows}
"""What is appended to a function's name to say how its arms lie."""


def emitted(name: str, arguments: Sequence[str], results: Results) -> dict[str, Any]:
    """Functions for compiled code that fill the arrays ``results`` from their arguments.

    There is one for each of the ``FORMS``, by name. An array may be both argument and result. Numba
    compiles them into each function that calls them.
    """
    source = function_source(name, arguments, results)
    return {
        name + ending: _emitted(name + ending, source, arguments, results, form)
        for ending, form in FORMS.items()
    }


def _emitted(
    name: str, source: str, arguments: Sequence[str], results: Results, form: type[Form]
) -> Any:
    every = [*arguments, *results]
    signature = inspect.Signature(
        [
            inspect.Parameter(argument, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            for argument in ("typing_context", *form.leading, *every)
        ]
    )
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return _interpreted(source, form, signature)
    label = f"{name}.{hashlib.sha256(source.encode()).hexdigest()[:16]}"

    def typed(typing_context: Any, *given: Any) -> Any:
        for argument, kind in zip(every, given[len(form.leading) :], strict=True):
            dimensions = 1 if argument in UNIFORM else form.dimensions
            if isinstance(kind, types.Array) and (kind.layout, kind.ndim) != ("C", dimensions):
                raise TypingError(
                    f"{argument} of {name} must have {dimensions} dimensions and lie in memory "
                    f"row after row, which {kind} does not"
                )

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            passed: dict[str, Any] = {}
            names = (*form.leading, *every)
            for argument, kind, value in zip(names, signature.args, values, strict=True):
                passed |= _passed(context, builder, argument, kind, value)
            function = _function(builder.module, label, form, results, passed)
            builder.call(function, list(passed.values()))
            return context.get_dummy_value()

        return types.void(*(_needed(kind) for kind in given)), generate

    typed.__name__ = name
    typed.__signature__ = signature  # type: ignore[attr-defined]
    function: Any = intrinsic(typed)
    function.__signature__, function.fingerprint = signature, label
    return function


def _needed(kind: Any) -> Any:
    """The type that an argument is taken as."""
    if isinstance(kind, types.Array):
        return kind
    return types.int64 if isinstance(kind, types.Integer) else types.float64


def _passed(context: Any, builder: Any, name: str, kind: Any, value: Any) -> dict[str, Any]:
    """What the emitted function gets of an argument."""
    if not isinstance(kind, types.Array):
        return {name: value}
    array = context.make_array(kind)(context, builder, value)
    if kind.ndim == 1:
        return {name: array.data}
    (stride, _) = cgutils.unpack_tuple(builder, array.strides)
    return {name: array.data, f"{name} stride": builder.sdiv(stride, WHOLE(ELEMENT))}


def _function(
    module: Any, label: str, form: type[Form], results: Results, passed: Mapping[str, Any]
) -> Any:
    """The emitted function in a module; it is emitted where it is not there yet."""
    if label in module.globals:
        return module.globals[label]
    kinds = [value.type for value in passed.values()]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), label)
    function.linkage = "internal"
    function.attributes.add("noinline")
    elementary.let_widest_registers(function)
    builder = ir.IRBuilder(function.append_basic_block())
    given = dict(zip(passed, function.args, strict=True))
    arms = form(builder, given)
    symbols = ordered([symbol for group in results.values() for symbol in group])
    emission = Emission(builder, given, arms.load)
    for symbol in symbols:  # what depends on parameters alone, once for all arms
        if symbol.uniform:
            emission.number(symbol)
    with arms.each():
        emission.numbers_of(symbols)
        for array, group in results.items():
            for index, symbol in enumerate(group):
                arms.store(array, index, emission.number(symbol))
    builder.ret_void()
    return function


def _interpreted(source: str, form: type[Form], signature: inspect.Signature) -> Any:
    """The function where nothing is compiled."""
    scope = dict(elementary.CALLED, sqrt=np.sqrt, inf=np.inf, nan=np.nan)
    before = set(scope) | {"__builtins__"}
    exec(source, scope)
    (one,) = (value for key, value in scope.items() if key not in before)
    names = [name for name in signature.parameters if name not in form.leading][1:]

    def function(*given: Any) -> None:
        uniform = [
            n in UNIFORM or not np.ndim(a)
            for n, a in zip(names, given[len(form.leading) :], strict=True)
        ]
        for part in form.parts(given, uniform):
            one(*part)

    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def compile_emitted(name: str, functions: Mapping[str, Any]) -> Kernels:
    """Kernels that do what emitted functions do, for callers outside compiled code."""
    lines = []
    for key, function in functions.items():
        arguments = ", ".join(list(inspect.signature(function).parameters)[1:])
        lines.append(f"def {key}({arguments}):\n    emitted_{key}({arguments})\n")
    return compile_source(
        name, "\n".join(lines), **{f"emitted_{key}": value for key, value in functions.items()}
    )
