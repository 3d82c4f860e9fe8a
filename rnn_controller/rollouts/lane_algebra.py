"""Products of matrices and vectors for ``LANES`` arms at once, which compiled networks call.

A vector of n components is a flat array, component i of each arm in ``v[LANES i : LANES (i + 1)]``.
The compiler does not find vector instructions for loops over such products (they took six times as
long), so their instructions are given here. The order of every sum is fixed: an arm has the same
bits in any lane, and on every machine.
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from arm_env.codegen.compiling import jit
from arm_env.codegen.lanes import LANES

# One component of all lanes. LLVM splits it into as many registers as the processor needs.
VECTOR = ir.VectorType(ir.DoubleType(), LANES)
INDEX = ir.IntType(64)
TOGETHER = 2  # rows that share what they load
UNALIGNED = 8  # bytes: NumPy aligns the elements of an array, not whole vectors of them


def _pointers(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    """Return the addresses of the first element of the three arrays that lead the arguments."""
    pairs = zip(signature.args[:3], arguments[:3], strict=True)
    return [context.make_array(kind)(context, builder, value).data for kind, value in pairs]


def _shuffled(builder: Any, vector: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def _in_every_lane(builder: Any, number: Any) -> Any:
    # LLVM's idiom for a broadcast: into the first lane, and from there into all
    first = builder.insert_element(
        ir.Constant(VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
    )
    return _shuffled(builder, first, [0] * LANES)


def _sum_of_lanes(builder: Any, vector: Any) -> Any:
    """Add the upper half of the lanes to the lower half until one is left."""
    # LLVM's own reduction is either in sequence, which is slow, or in an order of its choice, which
    # may differ between processors.
    width = LANES
    while width > 1:
        width //= 2
        halves = (
            _shuffled(builder, vector, list(range(start, start + width))) for start in (0, width)
        )
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _product_instructions(
    typing_context: Any,
    matrix: Any,
    v: Any,
    out: Any,
    rows: Any,
    columns: Any,
    down: Any,
    right: Any,
) -> Any:
    """out += M v, where element (i, j) of M lies at ``down`` i + ``right`` j."""
    if matrix.layout != "C":
        raise TypingError("a matrix must lie in memory row after row")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        elements, vectors, sums = _pointers(context, builder, signature, arguments)
        rows, columns, down, right = arguments[3:]
        vectors = builder.bitcast(vectors, VECTOR.as_pointer())
        sums = builder.bitcast(sums, VECTOR.as_pointer())
        # A fused multiply-add rounds once. It is asked for by name, since the compiler may not fuse
        # on its own (``arm_env.codegen.compiling.jit``); where the processor has
        # none, LLVM calls the C library's, which rounds once, too.
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), f"llvm.fma.v{LANES}f64"
        )

        def add(first: Any, number: int) -> None:
            # The sums of these rows stay in registers while the loop runs over the columns. Each
            # component is loaded once for all of them.
            indices = [builder.add(first, INDEX(r)) for r in range(number)]
            totals = [cgutils.alloca_once(builder, VECTOR) for _ in indices]
            for i, total in zip(indices, totals, strict=True):
                builder.store(builder.load(builder.gep(sums, [i]), align=UNALIGNED), total)
            with cgutils.for_range(builder, columns) as loop:
                component = builder.load(builder.gep(vectors, [loop.index]), align=UNALIGNED)
                for i, total in zip(indices, totals, strict=True):
                    at = builder.add(builder.mul(i, down), builder.mul(loop.index, right))
                    element = _in_every_lane(builder, builder.load(builder.gep(elements, [at])))
                    builder.store(
                        builder.call(fma, [element, component, builder.load(total)]), total
                    )
            for i, total in zip(indices, totals, strict=True):
                builder.store(builder.load(total), builder.gep(sums, [i]), align=UNALIGNED)

        with cgutils.for_range(builder, builder.udiv(rows, INDEX(TOGETHER))) as loop:
            add(builder.mul(loop.index, INDEX(TOGETHER)), TOGETHER)
        # the rows that are left, one by one
        whole = builder.sub(rows, builder.urem(rows, INDEX(TOGETHER)))
        with cgutils.for_range(builder, builder.sub(rows, whole)) as loop:
            add(builder.add(whole, loop.index), 1)
        return context.get_dummy_value()

    return types.void(matrix, v, out, *[types.int64] * 4), generate


def _outer_instructions(
    typing_context: Any, g: Any, v: Any, out: Any, rows: Any, columns: Any
) -> Any:
    """out (rows, columns) += Σ g vᵀ over the lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, sums = _pointers(context, builder, signature, arguments)
        rows, columns = arguments[3:]
        left, right = (builder.bitcast(pointer, VECTOR.as_pointer()) for pointer in (left, right))
        with cgutils.for_range(builder, rows) as down:
            row = builder.load(builder.gep(left, [down.index]), align=UNALIGNED)
            with cgutils.for_range(builder, columns) as along:
                column = builder.load(builder.gep(right, [along.index]), align=UNALIGNED)
                at = builder.gep(sums, [builder.add(builder.mul(down.index, columns), along.index)])
                total = _sum_of_lanes(builder, builder.fmul(row, column))
                builder.store(builder.fadd(builder.load(at), total), at)
        return context.get_dummy_value()

    return types.void(g, v, out, *[types.int64] * 2), generate


_add_product: Any = intrinsic(_product_instructions)
_add_outer: Any = intrinsic(_outer_instructions)


@jit
def add_product(matrix, v, out):
    """out += M v, for M (n, m), v (m,) and out (n,) of each lane."""
    rows, columns = matrix.shape
    _add_product(matrix, v, out, rows, columns, columns, 1)


@jit
def add_transposed_product(matrix, g, out):
    """out += Mᵀ g, for M (n, m), g (n,) and out (m,) of each lane."""
    # the same instructions, which go through the matrix the other way: nothing is transposed
    rows, columns = matrix.shape
    _add_product(matrix, g, out, columns, rows, 1, columns)


@jit
def add_outer(g, v, out):
    """out += Σ g vᵀ over the lanes, for out (n, m)."""
    rows, columns = out.shape
    _add_outer(g, v, out, rows, columns)


@jit
def add_sums(g, out):
    """out += Σ g over the lanes, for out (n,)."""
    for i in range(len(out)):
        total = 0.0
        for lane in range(LANES):
            total += g[LANES * i + lane]
        out[i] += total


@jit
def spread(numbers, out):
    """Give each of the numbers (n,) to all lanes."""
    for i in range(len(numbers)):
        for lane in range(LANES):
            out[LANES * i + lane] = numbers[i]


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # for debuggers

    def add_product(matrix, v, out):  # noqa: D103
        out += (matrix @ v.reshape(-1, LANES)).ravel()

    def add_transposed_product(matrix, g, out):  # noqa: D103
        out += (matrix.T @ g.reshape(-1, LANES)).ravel()

    def add_outer(g, v, out):  # noqa: D103
        out += g.reshape(-1, LANES) @ v.reshape(-1, LANES).T
