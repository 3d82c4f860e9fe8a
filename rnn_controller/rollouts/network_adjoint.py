"""The adjoint of a network's record, as instructions.

The cotangent of an array is the derivative of the objective along it. Cotangents are carried
backwards through the statements of the record.
"""

from typing import Any

from arm_env.codegen.callees import Given, address
from arm_env.codegen.instructions import WHOLE, Number
from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import gradient, ordered
from rnn_controller.rollouts.lane_algebra import (
    Matrix,
    component,
    emit_outer,
    emit_transposed_product,
    store,
    sum_of_lanes,
    zero,
)
from rnn_controller.rollouts.network_arrays import Network
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced, element


class Adjoint(Network):
    """A network whose adjoint is being emitted: it has a cotangent for each of its arrays."""

    def __init__(self, traced: Traced, builder: Any, given: Given):
        super().__init__(traced, builder, given)
        self.cotangents: dict[str, Any] = {}
        self.filled: set[str] = set()

    def load(self, name: str, index: Any) -> Number:
        """Emit a component of an array, or of a cotangent, whose name begins with ``g_``."""
        if name.startswith("g_"):
            return component(self.builder, self.cotangents[name.removeprefix("g_")], index)
        return super().load(name, index)

    def receive(self, name: str, index: Any, number: Number) -> None:
        """Emit that a number is added to an array's cotangent, or is its first value."""
        if name in self.filled:
            number = self.load(f"g_{name}", index) + number
        store(self.builder, self.cotangents[name], index, number)

    def begin(self, *names: str) -> None:
        """Emit zeros for the cotangents that nothing was added to yet."""
        for name in names:
            if name not in self.filled:
                with self.each(name) as index:
                    store(self.builder, self.cotangents[name], index, zero(self.builder))
                self.filled.add(name)

    def backward(self) -> None:
        """Emit the adjoints of all statements, from the last to the first."""
        # A rollout keeps signals and states of all periods, not every array: those of a period are
        # computed again.
        self.forward({})
        builder, given, traced = self.builder, self.given, self.traced
        for name, start in self.starts.items():
            self.cotangents[name] = address(builder, given["work"], builder.add(self.total, start))
        self.cotangents |= {"signal": given["g_signal"], "state": given["g_state"]}
        for s in traced.statements:
            if s.operation == "slice":
                # the cotangent of a part is a part of the whole's
                source = self.cotangents[s.operands[0]]
                self.cotangents[s.name] = self.part(source, s.operands[1] or 0)
                self.begin(s.operands[0])
                self.filled.add(s.name)
        for name, received in ((traced.excitations, "g_u"), (traced.state, "g_following")):
            with self.each(name) as index:
                self.receive(name, index, component(builder, given[received], index))
            self.filled.add(name)
        for s in reversed(self.traced.statements):
            if s.name in self.filled and s.operation != "slice":
                self._hand_on(s)
        self.begin("signal", "state")

    def _hand_on(self, s: Statement) -> None:
        """Emit how an array's cotangent goes on to what the array was computed from."""
        builder, received = self.builder, self.cotangents.get(s.name)
        if s.operation == "product":
            name, vector = s.operands
            matrix = self.matrix(name)
            emit_transposed_product(
                builder, matrix, received, self.cotangents[vector], vector in self.filled
            )
            self.filled.add(vector)
            if name.startswith("w"):  # constants, c[i], get no gradient
                gradient_of = Matrix(self.gradient(name), matrix.rows, matrix.columns)
                emit_outer(builder, received, self.arrays[vector], gradient_of)
        elif s.operation == "concatenate":
            first: Any = WHOLE(0)
            for part in s.operands:
                with self.each(part) as index:
                    place = builder.add(first, index)
                    self.receive(part, index, component(builder, received, place))
                self.filled.add(part)
                first = builder.add(first, self.sizes[part])
        elif s.operation == "spread":
            if s.operands[0].startswith("w"):
                with self.each(s.name) as index:
                    self._add_sum(s.operands[0], index, self.load(f"g_{s.name}", index))
        elif s.operation == "repeat":
            self.begin(s.operands[0])
            with self.each(s.name) as index:
                self.receive(s.operands[0], WHOLE(0), self.load(f"g_{s.name}", index))
        else:
            self._hand_on_through(s)

    def _hand_on_through(self, s: Statement) -> None:
        """Emit the same for an array that an expression computes."""
        expression = s.operands[0]
        received = element(f"g_{s.name}")
        if s.operation in FUNCTIONS:
            received = received * FUNCTIONS[s.operation][1](element(s.name))
        leaves = [
            leaf
            for leaf in ordered([expression])
            if leaf.op == "load" and not self.spread.get(leaf.args[0], "w").startswith("c")
        ]
        cotangents = gradient([expression], [received], leaves)
        with self.each(s.name) as index:
            numbers = self.emission(index).numbers_of(cotangents)
            for leaf, number in zip(leaves, numbers, strict=True):
                name = leaf.args[0]
                if name in self.spread:
                    self._add_sum(self.spread[name], index, number)
                else:
                    self.receive(name, index, number)
        self.filled |= {leaf.args[0] for leaf in leaves} - set(self.spread)

    def gradient(self, name: str) -> Any:
        """Return the address of a weight's gradient for the present block."""
        number = self.builder.mul(self.given["block"], self.given[f"{name} 0"])
        if f"{name} 1" in self.given:
            number = self.builder.mul(number, self.given[f"{name} 1"])
        return address(self.builder, self.given[f"g{name}"], number)

    def _add_sum(self, name: str, index: Any, number: Number) -> None:
        place = address(self.builder, self.gradient(name), index)
        before = Number(self.builder, self.builder.load(place))
        total = before + sum_of_lanes(number.in_lanes(LANES))
        self.builder.store(total.value, place)
