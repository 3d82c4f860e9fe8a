"""A network's record as instructions: the places of its arrays, and their computation."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from arm_env.codegen.callees import Given, address, element
from arm_env.codegen.emission import Emission
from arm_env.codegen.instructions import WHOLE, Number
from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import Symbol
from rnn_controller.rollouts.lane_algebra import Matrix, component, emit_product, store
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced


class Network:
    """A network whose instructions are being emitted, with the places and lengths of its arrays."""

    def __init__(self, traced: Traced, builder: Any, given: Given):
        self.traced = traced
        self.builder = builder
        self.given = given
        lanes = WHOLE(LANES)
        self.sizes = {  # numbers of components
            name: builder.sdiv(given[f"{name} 0"], lanes) for name in ("signal", "state")
        }
        self.starts: dict[str, Any] = {}
        self.total: Any = WHOLE(0)
        self.spread: dict[str, str] = {}
        needed_whole = {
            operand
            for s in traced.statements
            if s.operation in ("product", "concatenate", "slice", "repeat")
            for operand in s.operands
            if isinstance(operand, str)
        } | {traced.excitations, traced.state}
        for s in traced.statements:
            self.sizes[s.name] = self._size(s)
            if s.operation == "spread" and s.name not in needed_whole:
                self.spread[s.name] = s.operands[0]  # read where it is used, and kept nowhere
            elif s.operation != "slice":
                self.starts[s.name] = self.total
                self.total = builder.add(self.total, builder.mul(lanes, self.sizes[s.name]))
        self.arrays = {name: given[name] for name in ("signal", "state")}

    def _size(self, s: Statement) -> Any:
        """Return the number of components of a statement's result, from those of its operands."""
        if s.operation in ("product", "spread"):
            return self.given[f"{s.operands[0]} 0"]
        if s.operation == "concatenate":
            total: Any = WHOLE(0)
            for part in s.operands:
                total = self.builder.add(total, self.sizes[part])
            return total
        if s.operation == "slice":
            source, start, stop = s.operands
            end = self.sizes[source] if stop is None else WHOLE(stop)
            return self.builder.sub(end, WHOLE(start or 0))
        return self.sizes[s.operands[1]]

    def matrix(self, name: str) -> Matrix:
        """Return a matrix of the weights or constants."""
        return Matrix(self.given[name], self.given[f"{name} 0"], self.given[f"{name} 1"])

    def part(self, array: Any, first: Any) -> Any:
        """Return the address of an array from its component ``first`` on."""
        first = first if isinstance(first, ir.Value) else WHOLE(first)
        return address(self.builder, array, self.builder.mul(first, WHOLE(LANES)))

    @contextlib.contextmanager
    def each(self, name: str) -> Iterator[Any]:
        """Emit a loop over the components of an array; its body is what this context emits."""
        with cgutils.for_range(self.builder, self.sizes[name], intp=WHOLE) as loop:
            yield loop.index

    def load(self, name: str, index: Any) -> Number:
        """Emit a component of an array."""
        if name in self.spread:
            return element(self.builder, self.given[self.spread[name]], index)
        return component(self.builder, self.arrays[name], index)

    def emission(self, index: Any) -> Emission:
        """Return the emitter of expressions in the elements ``index`` of arrays."""
        return Emission(self.builder, self.given, lambda name, _: self.load(name, index))

    def forward(self, targets: Mapping[str, Any]) -> None:
        """Emit all statements; some arrays are ``targets``, the others parts of ``work``."""
        for s in self.traced.statements:
            if s.name in self.spread:
                continue
            if s.operation == "slice":
                self.arrays[s.name] = self.part(self.arrays[s.operands[0]], s.operands[1] or 0)
                continue
            out = targets.get(s.name)
            if out is None:
                out = address(self.builder, self.given["work"], self.starts[s.name])
            self.arrays[s.name] = out
            self._compute(s, out)

    def _compute(self, s: Statement, out: Any) -> None:
        builder = self.builder
        if s.operation == "product":
            matrix, vector = self.matrix(s.operands[0]), self.arrays[s.operands[1]]
            emit_product(builder, matrix, vector, out, add=False)
        elif s.operation == "concatenate":
            first: Any = WHOLE(0)
            for part in s.operands:
                self.copy(part, self.part(out, first))
                first = builder.add(first, self.sizes[part])
        else:
            with self.each(s.name) as index:
                if s.operation == "spread":
                    number = element(builder, self.given[s.operands[0]], index)
                elif s.operation == "repeat":
                    number = self.load(s.operands[0], WHOLE(0))
                else:
                    function = FUNCTIONS.get(s.operation, (lambda x: x, None))[0]
                    number = self._number(function(s.operands[0]), index)
                store(builder, out, index, number)

    def _number(self, expression: Symbol, index: Any) -> Number:
        return self.emission(index).numbers_of([expression])[0]

    def copy(self, name: str, out: Any) -> None:
        """Emit a copy of an array."""
        with self.each(name) as index:
            store(self.builder, out, index, self.load(name, index))
