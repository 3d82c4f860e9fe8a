"""Instructions for products of matrices and vectors, for ``LANES`` arms at once.

A vector of n components is a flat array, component i of each arm in ``v[LANES i : LANES (i + 1)]``.
The order of every sum is fixed: an arm has the same bits in any lane, and on every machine.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils

from arm_env.codegen.callees import ELEMENT, address, vector_address
from arm_env.codegen.instructions import FLOAT, WHOLE, Number
from arm_env.codegen.lanes import LANES

ROWS = 2  # of a product that share the vectors they load
COLUMNS = 4  # of an outer product whose lanes are summed together


class Matrix(NamedTuple):
    """A matrix in memory, as values of the code that is emitted.

    Attributes:
        data: Pointer to the first element; the rows follow one another.
        rows: Number of rows.
        columns: Number of columns.
    """

    data: Any
    rows: Any
    columns: Any


def emit_product(builder: Any, matrix: Matrix, v: Any, out: Any, add: bool) -> None:
    """Emit out = M v, or out += M v."""
    _emit_product(builder, matrix, (matrix.columns, WHOLE(1)), v, out, add)


def emit_transposed_product(builder: Any, matrix: Matrix, g: Any, out: Any, add: bool) -> None:
    """Emit out = Mᵀ g, or out += Mᵀ g."""
    # the same instructions, which go through the matrix the other way: nothing is transposed
    turned = Matrix(matrix.data, matrix.columns, matrix.rows)
    _emit_product(builder, turned, (WHOLE(1), matrix.columns), g, out, add)


def _emit_product(
    builder: Any, matrix: Matrix, strides: tuple[Any, Any], v: Any, out: Any, add: bool
) -> None:
    """Emit the same product for a matrix whose element (i, j) is at i and j times the strides."""
    down, right = strides

    def rows(first: Any, number: int) -> None:
        # The sums of these rows stay in registers while the loop runs over the columns. Each
        # component is loaded once for all of them.
        indices = [builder.add(first, WHOLE(r)) for r in range(number)]
        starts = [builder.mul(i, down) for i in indices]
        totals = [cgutils.alloca_once(builder, ir.VectorType(FLOAT, LANES)) for _ in indices]
        for i, total in zip(indices, totals, strict=True):
            start = component(builder, out, i) if add else zero(builder)
            builder.store(start.value, total)
        with cgutils.for_range(builder, matrix.columns, intp=WHOLE) as loop:
            across = builder.mul(loop.index, right)
            there = component(builder, v, loop.index)
            for start, total in zip(starts, totals, strict=True):
                at = address(builder, matrix.data, builder.add(start, across))
                factor = Number(builder, builder.load(at))
                # asked for by name, since the compiler may not fuse on its own
                summed = factor.times_plus(there, Number(builder, builder.load(total)))
                builder.store(summed.value, total)
        for i, total in zip(indices, totals, strict=True):
            store(builder, out, i, Number(builder, builder.load(total)))

    whole = builder.sub(matrix.rows, builder.urem(matrix.rows, WHOLE(ROWS)))
    with cgutils.for_range_slice(builder, WHOLE(0), whole, WHOLE(ROWS), WHOLE) as (first, _):
        rows(first, ROWS)
    # the rows that are left, one by one
    with cgutils.for_range_slice(builder, whole, matrix.rows, WHOLE(1), WHOLE) as (first, _):
        rows(first, 1)


def emit_outer(builder: Any, g: Any, v: Any, out: Matrix) -> None:
    """Emit out += Σ g vᵀ over the lanes."""
    whole = builder.sub(out.columns, builder.urem(out.columns, WHOLE(COLUMNS)))
    with cgutils.for_range(builder, out.rows, intp=WHOLE) as down:
        row = _quarters(component(builder, g, down.index))
        start = builder.mul(down.index, out.columns)
        ends = (WHOLE(0), whole, WHOLE(COLUMNS))
        with cgutils.for_range_slice(builder, *ends, WHOLE) as (first, _):
            sums = [
                _sum_of_quarters(row, component(builder, v, builder.add(first, WHOLE(c))))
                for c in range(COLUMNS)
            ]
            place = vector_address(builder, out.data, builder.add(start, first), COLUMNS)
            before = Number(builder, builder.load(place, align=ELEMENT))
            builder.store((before + _sums_within(sums)).value, place, align=ELEMENT)
        with cgutils.for_range_slice(builder, whole, out.columns, WHOLE(1), WHOLE) as (j, _):
            quarter = _sum_of_quarters(row, component(builder, v, j))
            at = address(builder, out.data, builder.add(start, j))
            total = _sums_within([quarter] * COLUMNS).lane(0)
            builder.store((Number(builder, builder.load(at)) + total).value, at)


def sum_of_lanes(vector: Number) -> Number:
    """Emit the sum of all lanes, in the same order as an outer product's."""
    quarters = _quarters(vector)
    total = quarters[0]
    for quarter in quarters[1:]:
        total = total + quarter
    return _sums_within([total] * COLUMNS).lane(0)


def _quarters(vector: Number) -> list[Number]:
    """Return the lanes in parts of ``COLUMNS``."""
    return [
        vector.shuffled(vector, range(first, first + COLUMNS)) for first in range(0, LANES, COLUMNS)
    ]


def _sum_of_quarters(row: list[Number], column: Number) -> Number:
    """Σ of the quarters of a product of two vectors."""
    parts = list(zip(row, _quarters(column), strict=True))
    total = parts[0][0] * parts[0][1]
    for a, b in parts[1:]:
        total = a.times_plus(b, total)
    return total


def _sums_within(vectors: list[Number]) -> Number:
    """Emit a vector of the sums of four vectors of four."""
    a, b, c, d = vectors
    # neighbours are added: (a0 + a1, b0 + b1, a2 + a3, b2 + b3)
    first = a.shuffled(b, (0, 4, 2, 6)) + a.shuffled(b, (1, 5, 3, 7))
    second = c.shuffled(d, (0, 4, 2, 6)) + c.shuffled(d, (1, 5, 3, 7))
    return first.shuffled(second, (0, 1, 4, 5)) + first.shuffled(second, (2, 3, 6, 7))


def zero(builder: Any) -> Number:
    """0 in every lane."""
    return Number(builder, FLOAT(0.0)).in_lanes(LANES)


def component(builder: Any, vector: Any, index: Any) -> Number:
    """Component ``index`` of all arms."""
    index = builder.mul(index, WHOLE(LANES))
    return Number(
        builder, builder.load(vector_address(builder, vector, index, LANES), align=ELEMENT)
    )


def store(builder: Any, vector: Any, index: Any, number: Number) -> None:
    """Store component ``index`` of all arms."""
    index = builder.mul(index, WHOLE(LANES))
    value = number.in_lanes(LANES).value
    builder.store(value, vector_address(builder, vector, index, LANES), align=ELEMENT)
