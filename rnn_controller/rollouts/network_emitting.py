"""From the record of a network's equations to instructions: the step, and its adjoint.

Sizes are read from the weights when the code runs. So networks of one kind share their compiled
code, whatever their size.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

from arm_env.codegen.callees import Given, address, callee, element
from arm_env.codegen.emitting import Emission
from arm_env.codegen.instructions import WHOLE, Number
from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import Symbol, assignments, gradient, ordered
from rnn_controller.rollouts.lane_algebra import (
    Matrix,
    component,
    emit_outer,
    emit_product,
    emit_transposed_product,
    store,
    sum_of_lanes,
    zero,
)
from rnn_controller.rollouts.network_interpreting import interpreted_functions
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced
from rnn_controller.rollouts.statements import element as element_of

INPUTS = ("w", "c", "signal", "state")
STEP = ("work", "u", "following")
VJP = ("g_u", "g_following", "work", "g_signal", "g_state", "gw", "block")


def network_functions(traced: Traced) -> dict[str, Any]:
    """``network_scratch``, ``network_step`` and ``network_vjp``, for compiled code.

    ``network_scratch`` gives the length of ``work``, the array that the others work in.
    ``network_step`` fills the excitations ``u`` and the state ``following``. ``network_vjp`` takes
    their cotangents, which it may change, fills those of signal and state, and adds those of the
    weights to ``gw[block]``.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return interpreted_functions(traced)
    digest = hashlib.sha256(described(traced).encode()).hexdigest()[:16]

    def function(
        name: str, arguments: tuple[str, ...], emit: Callable[[Network], Any], **more: Any
    ) -> Any:
        def emit_network(builder: Any, given: Given) -> Any:
            return emit(Network(traced, builder, given))

        return callee(f"{name}.{digest}", [*INPUTS, *arguments], emit_network, **more)

    return {
        "network_scratch": function("network_scratch", (), _scratch, result=types.int64),
        "network_step": function("network_step", STEP, _step),
        "network_vjp": function("network_vjp", VJP, _vjp, whole=("block",)),
    }


def described(traced: Traced) -> str:
    """The record as text, by which compiled code is known."""
    lines = [f"signal {traced.excitations} {traced.state} {LANES}"]
    for s in traced.statements:
        operands = [_printed(o) if isinstance(o, Symbol) else str(o) for o in s.operands]
        lines.append(f"{s.name} = {s.operation}({', '.join(operands)})")
    return "\n".join(lines)


def _printed(expression: Symbol) -> str:
    parts = assignments({"": [expression]}, lambda array, index: f"{array}[{index}]")
    before, within, names = parts
    return "; ".join([*before, *within, names[id(expression)]])


class Network:
    """A network whose instructions are being emitted: where its arrays are, and how long."""

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
        sliced_whole = {
            operand
            for s in traced.statements
            if s.operation in ("product", "concatenate", "slice", "repeat")
            for operand in s.operands
            if isinstance(operand, str)
        } | {traced.excitations, traced.state}
        for s in traced.statements:
            self.sizes[s.name] = self._size(s)
            if s.operation == "spread" and s.name not in sliced_whole:
                self.spread[s.name] = s.operands[0]  # read where it is used, and kept nowhere
            elif s.operation != "slice":
                self.starts[s.name] = self.total
                self.total = builder.add(self.total, builder.mul(lanes, self.sizes[s.name]))
        self.arrays = {name: given[name] for name in ("signal", "state")}
        self.cotangents: dict[str, Any] = {}
        self.filled: set[str] = set()

    def _size(self, s: Statement) -> Any:
        """The number of a statement's components, from those of the arrays it takes."""
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
        """A matrix of the weights or constants."""
        return Matrix(self.given[name], self.given[f"{name} 0"], self.given[f"{name} 1"])

    def part(self, array: Any, first: Any) -> Any:
        """An array from one of its components on."""
        first = first if isinstance(first, ir.Value) else WHOLE(first)
        return address(self.builder, array, self.builder.mul(first, WHOLE(LANES)))

    @contextlib.contextmanager
    def each(self, name: str) -> Iterator[Any]:
        """Emit what is in this context for every component of an array."""
        with cgutils.for_range(self.builder, self.sizes[name], intp=WHOLE) as loop:
            yield loop.index

    def load(self, name: str, index: Any) -> Number:
        """Component of an array, or of a cotangent, whose name begins with ``g_``."""
        if name in self.spread:
            return element(self.builder, self.given[self.spread[name]], index)
        arrays = self.cotangents if name.startswith("g_") else self.arrays
        return component(self.builder, arrays[name.removeprefix("g_")], index)

    def emission(self, index: Any) -> Emission:
        """What emits expressions in elements of arrays, at a component."""
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
                self._copy(part, self.part(out, first))
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

    def _copy(self, name: str, out: Any) -> None:
        with self.each(name) as index:
            store(self.builder, out, index, self.load(name, index))

    # --- the adjoint

    def receive(self, name: str, index: Any, number: Number) -> None:
        """Add a number to an array's cotangent, or begin it with that."""
        if name in self.filled:
            number = self.load(f"g_{name}", index) + number
        store(self.builder, self.cotangents[name], index, number)

    def begin(self, *names: str) -> None:
        """Fill cotangents with zeros that have got nothing yet."""
        for name in names:
            if name not in self.filled:
                with self.each(name) as index:
                    store(self.builder, self.cotangents[name], index, zero(self.builder))
                self.filled.add(name)

    def backward(self) -> None:
        """Emit the adjoints of all statements, from the last to the first."""
        for s in reversed(self.traced.statements):
            if s.name in self.filled and s.operation != "slice":
                self._hand_on(s)

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
        """The same through an expression."""
        expression = s.operands[0]
        received = element_of(f"g_{s.name}")
        if s.operation in FUNCTIONS:
            received = received * FUNCTIONS[s.operation][1](element_of(s.name))
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
        """Where the gradient of a weight lies: in that of all blocks."""
        number = self.builder.mul(self.given["block"], self.given[f"{name} 0"])
        if f"{name} 1" in self.given:
            number = self.builder.mul(number, self.given[f"{name} 1"])
        return address(self.builder, self.given[f"g{name}"], number)

    def _add_sum(self, name: str, index: Any, number: Number) -> None:
        place = address(self.builder, self.gradient(name), index)
        before = Number(self.builder, self.builder.load(place))
        total = before + sum_of_lanes(number.in_lanes(LANES))
        self.builder.store(total.value, place)


def _scratch(network: Network) -> Any:
    return network.builder.mul(WHOLE(2), network.total)


def _step(network: Network) -> None:
    traced = network.traced
    ends = {traced.excitations: network.given["u"]}
    if traced.state != traced.excitations:
        ends[traced.state] = network.given["following"]
    of = {s.name: s.operation for s in traced.statements}
    network.forward({name: out for name, out in ends.items() if of.get(name, "slice") != "slice"})
    for name, out in (
        (traced.excitations, network.given["u"]),
        (traced.state, network.given["following"]),
    ):
        if network.arrays[name] is not out:
            network._copy(name, out)


def _vjp(network: Network) -> None:
    # A rollout keeps signals and states of all periods, not every array, so the arrays of a period
    # are computed again.
    network.forward({})
    builder, given, traced = network.builder, network.given, network.traced
    for name, start in network.starts.items():
        network.cotangents[name] = address(
            builder, given["work"], builder.add(network.total, start)
        )
    network.cotangents |= {"signal": given["g_signal"], "state": given["g_state"]}
    for s in traced.statements:
        if s.operation == "slice":
            # the cotangent of a part is a part of the whole's
            source = network.cotangents[s.operands[0]]
            network.cotangents[s.name] = network.part(source, s.operands[1] or 0)
            network.begin(s.operands[0])
            network.filled.add(s.name)
    for name, received in ((traced.excitations, "g_u"), (traced.state, "g_following")):
        with network.each(name) as index:
            network.receive(name, index, component(builder, given[received], index))
        network.filled.add(name)
    network.backward()
    network.begin("signal", "state")
