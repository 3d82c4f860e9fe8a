"""The layout of the arms of a call in memory: one arm, arms in lanes, or rows of arms."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils

from arm_env.codegen.callees import (
    ELEMENT,
    Given,
    address,
    callee,
    declared,
    defined,
    element,
    vector_address,
)
from arm_env.codegen.emission import Emission
from arm_env.codegen.instructions import FLOAT, WHOLE, Number
from arm_env.codegen.lanes import LANES
from arm_env.codegen.symbols import Symbol, ordered

Results = Mapping[str, Sequence[Symbol]]


class Form:
    """The layout of the arms of a call in its arrays: here one arm, whose numbers are elements."""

    leading: tuple[str, ...] = ()  # arguments before the others

    def __init__(self, builder: Any, given: Given):
        self.builder = builder
        self.given = given

    def load(self, array: str, index: int) -> Number:
        """Load component ``index`` of the arms."""
        return element(self.builder, self.given[array], index)

    def store(self, array: str, index: int, number: Number) -> None:
        """Store component ``index`` of the arms."""
        self.builder.store(number.value, address(self.builder, self.given[array], index))

    def emit(self, results: Results, lanes_label: str) -> None:
        """Emit the results for all arms; the label is that of the function of lanes."""
        emission = Emission(self.builder, self.given, self.load)
        symbols = ordered([symbol for group in results.values() for symbol in group])
        for symbol in symbols:  # those of parameters only, before the arms
            if symbol.uniform:
                emission.number(symbol)
        emission.numbers_of(symbols)
        for array, group in results.items():
            for index, symbol in enumerate(group):
                self.store(array, index, emission.number(symbol))

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        """Return the arguments for each arm, in a process in which nothing is compiled."""
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
    """Rows first … last − 1 of two-dimensional arrays: they are moved into lanes, and back.

    ``LANES`` rows are moved at a time. Lanes that are left over hold the last row, too.
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
        ends = (self.given["first"], self.given["last"], WHOLE(LANES))
        with cgutils.for_range_slice(builder, *ends, WHOLE) as (first, _):

            def move(array: str, *, into: bool) -> None:
                rows, width = self.given[array], self.given[f"{array} 1"]
                size = WHOLE(sizes[array])
                last = self.given["last"]
                call_move(builder, LANES, into, rows, width, size, first, last, lanes[array])

            for array in sizes:
                if array not in results:
                    move(array, into=True)
            builder.call(inner, list(passed.values()))
            for array in results:
                move(array, into=False)

    @staticmethod
    def parts(given: Sequence[Any], uniform: Sequence[bool]) -> Iterator[Sequence[Any]]:
        first, last, *given = given
        for row in range(first, last):
            yield [a if u else a[row] for a, u in zip(given, uniform, strict=True)]


FORMS: dict[str, type[Form]] = {"": Form, "_lanes": Lanes, "_rows": Rows}
"""Endings of a function's name, which say how its arms lie."""


def moves(number: int) -> dict[str, Any]:
    """Return ``into_lanes`` and ``out_of_lanes`` for compiled code: rows from ``first``, and lanes.

    They move ``number`` rows. Lanes that are left over hold the last row, too. The rows of
    ``out_of_lanes_32`` are float32.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return _interpreted_moves(number)

    def function(name: str, into: bool) -> Any:
        def emit(builder: Any, given: Given) -> None:
            rows, width, lanes = given["rows"], given["rows 1"], given["lanes"]
            last = given["rows 0"]
            call_move(builder, number, into, rows, width, width, given["first"], last, lanes)

        return callee(f"{name}.{number}", ["first", "rows", "lanes"], emit, whole=["first"])

    return {
        "into_lanes": function("into_lanes", True),
        "out_of_lanes": function("out_of_lanes", False),
        "out_of_lanes_32": function("out_of_lanes_32", False),
    }


def call_move(
    builder: Any, number: int, into: bool, rows: Any, width: Any, size: Any, first: Any, last: Any,
    lanes: Any,
) -> None:  # fmt: skip
    """Emit a call that moves the first ``size`` components of a number of rows below ``last``."""
    passed = {
        "rows": rows,
        "width": width,
        "size": size,
        "first": first,
        "last": last,
        "lanes": lanes,
    }

    # Vectors are put together by hand: LLVM takes seconds to find them in loops over lanes.
    def emit(builder: Any, given: Given) -> None:
        last = builder.sub(given["last"], WHOLE(1))
        starts = []
        for lane in range(number):
            row = builder.add(given["first"], WHOLE(lane))
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            starts.append(builder.mul(row, given["width"]))
        with _loop(builder, given["size"]) as i:
            place = builder.mul(i, WHOLE(number))
            here = vector_address(builder, given["lanes"], place, number)
            there = [address(builder, given["rows"], builder.add(start, i)) for start in starts]
            if into:
                vector = ir.VectorType(FLOAT, number)(ir.Undefined)
                for lane in range(number):
                    value = builder.load(there[lane])
                    vector = builder.insert_element(vector, value, WHOLE(lane))
                builder.store(vector, here, align=ELEMENT)
                return
            vector = builder.load(here, align=ELEMENT)
            for lane in range(number):
                value = builder.extract_element(vector, WHOLE(lane))
                kind = there[lane].type.pointee
                value = value if kind == FLOAT else builder.fptrunc(value, kind)
                builder.store(value, there[lane])

    label = f"move.{number}.{'into' if into else 'out'}.{rows.type.pointee}"
    builder.call(defined(builder.module, label, passed, emit), list(passed.values()))


@contextlib.contextmanager
def _loop(builder: Any, end: Any) -> Iterator[Any]:
    """Emit the instructions of this context for 0, 1, … below the end."""
    with cgutils.for_range(builder, end, intp=WHOLE) as loop:
        yield loop.index


def _interpreted_moves(number: int) -> dict[str, Any]:
    def into_lanes(first: int, rows: np.ndarray, lanes: np.ndarray) -> None:
        which = np.minimum(first + np.arange(number), len(rows) - 1)
        lanes[:] = rows[which].T.ravel()

    def out_of_lanes(first: int, rows: np.ndarray, lanes: np.ndarray) -> None:
        moved = rows[first : first + number]
        moved[:] = lanes.reshape(-1, number).T[: len(moved)]

    return {
        "into_lanes": into_lanes,
        "out_of_lanes": out_of_lanes,
        "out_of_lanes_32": out_of_lanes,
    }
