"""Numbers of code that is being emitted: each operation on one adds an instruction.

A number is a float64 or an int64, or a vector of them, one for each lane. The code is the same for
both, and so are the bits.
"""

from collections.abc import Iterable
from typing import Any, Self

from llvmlite import ir
from numba.core import cgutils

FLOAT, WHOLE = ir.DoubleType(), ir.IntType(64)


class Number:
    """The value of an instruction.

    It is combined with others, or with numbers of Python. Together with a vector, a single number
    counts as a vector that holds it in every lane.
    """

    def __init__(self, builder: Any, value: Any):
        self.builder = builder
        self.value = value

    @property
    def lanes(self) -> int:
        """Number of lanes; 0 if the value is no vector."""
        return self.value.type.count if isinstance(self.value.type, ir.VectorType) else 0

    @property
    def kind(self) -> Any:
        """Type of the value, ``FLOAT`` or ``WHOLE``."""
        return self.value.type.element if self.lanes else self.value.type

    def _made(self, value: Any) -> Self:
        return type(self)(self.builder, value)

    def _with(self, other: Any) -> tuple[Any, Any]:
        """Return the values of both, in as many lanes."""
        other = other if isinstance(other, Number) else self._made(ir.Constant(self.kind, other))
        lanes = max(self.lanes, other.lanes)
        return self.in_lanes(lanes).value, other.in_lanes(lanes).value

    def in_lanes(self, lanes: int) -> Self:
        """Return the same number in every lane of a vector; return a vector itself."""
        if self.lanes or not lanes:
            return self
        vector = ir.VectorType(self.value.type, lanes)
        if isinstance(self.value, ir.Constant):
            return self._made(ir.Constant(vector, [self.value] * lanes))
        nothing, places = ir.Constant(vector, ir.Undefined), ir.VectorType(ir.IntType(32), lanes)
        first = self.builder.insert_element(nothing, self.value, ir.Constant(ir.IntType(32), 0))
        all_of_first = ir.Constant(places, [0] * lanes)
        return self._made(self.builder.shuffle_vector(first, nothing, all_of_first))

    def _operate(self, name: str, other: Any) -> Self:
        a, b = self._with(other)
        return self._made(getattr(self.builder, ("f" if self.kind is FLOAT else "") + name)(a, b))

    def __add__(self, other: Any) -> Self:
        return self._operate("add", other)

    def __sub__(self, other: Any) -> Self:
        return self._operate("sub", other)

    def __mul__(self, other: Any) -> Self:
        return self._operate("mul", other)

    def __truediv__(self, other: Any) -> Self:
        return self._operate("div", other)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Self:
        return self._made(self.builder.fneg(self.value))

    def __and__(self, other: Any) -> Self:
        return self._made(self.builder.and_(*self._with(other)))

    def __or__(self, other: Any) -> Self:
        return self._made(self.builder.or_(*self._with(other)))

    def __xor__(self, other: Any) -> Self:
        return self._made(self.builder.xor(*self._with(other)))

    def __lshift__(self, other: Any) -> Self:
        return self._made(self.builder.shl(*self._with(other)))

    def __rshift__(self, other: Any) -> Self:
        return self._made(self.builder.ashr(*self._with(other)))

    def shifted_down(self, places: int) -> Self:
        """Return the bits moved down, with zeros after them."""
        return self._made(self.builder.lshr(*self._with(places)))

    def reciprocal(self) -> Self:
        """Return 1 over this number."""
        return self._made(ir.Constant(FLOAT, 1.0)) / self

    def times_plus(self, factor: Any, term: Any) -> Self:
        """Return this number times a factor plus a term, rounded once."""
        lanes = max(getattr(x, "lanes", 0) for x in (self, factor, term))
        values = [self.in_lanes(lanes)._with(x)[1] for x in (self, factor, term)]
        return self._call("llvm.fma", *values)

    def root(self) -> Self:
        """Return the square root."""
        return self._call("llvm.sqrt", self.value)

    def _call(self, name: str, *values: Any) -> Self:
        kind = values[0].type
        name += f".v{kind.count}f64" if isinstance(kind, ir.VectorType) else ".f64"
        of_type = ir.FunctionType(kind, [kind] * len(values))
        declared = cgutils.get_or_insert_function(self.builder.module, of_type, name)
        return self._made(self.builder.call(declared, values))

    def chosen(self, where_above_zero: Any, otherwise: Any) -> Self:
        """Return ``where_above_zero`` where this is above 0, else (also for NaN) ``otherwise``."""
        return self.where(">", 0.0, where_above_zero, otherwise)

    def where(self, comparison: str, other: Any, then: Any, otherwise: Any) -> Self:
        """Return ``then`` where the comparison holds, else ``otherwise``."""
        a, b = self._with(other)
        compare = self.builder.fcmp_ordered if self.kind is FLOAT else self.builder.icmp_signed
        chosen = then if isinstance(then, Number) else self._made(ir.Constant(FLOAT, then))
        lanes = max(getattr(x, "lanes", 0) for x in (self, other, then, otherwise))
        values = chosen.in_lanes(lanes)._with(otherwise)
        holds = compare(comparison, a, b)
        if lanes and not isinstance(a.type, ir.VectorType):
            holds = self._made(holds).in_lanes(lanes).value
        return self._made(self.builder.select(holds, *values))

    def shuffled(self, other: "Number", places: Iterable[int]) -> Self:
        """Return a vector of the lanes at ``places`` in this one, followed by the other one."""
        chosen = list(places)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(chosen)), chosen)
        return self._made(self.builder.shuffle_vector(self.value, other.value, mask))

    def lane(self, index: int) -> Self:
        """Return the number in a lane."""
        return self._made(self.builder.extract_element(self.value, ir.IntType(32)(index)))

    def bits(self) -> Self:
        """Return the bit pattern of a float64, an int64."""
        return self._cast(WHOLE)

    def number(self) -> Self:
        """Return the float64 of a bit pattern, an int64."""
        return self._cast(FLOAT)

    def _cast(self, kind: Any) -> Self:
        to = ir.VectorType(kind, self.lanes) if self.lanes else kind
        return self._made(self.builder.bitcast(self.value, to))
