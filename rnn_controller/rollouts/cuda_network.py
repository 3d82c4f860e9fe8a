"""A network's record as Python source for a GPU, for one size of the network.

The source has a step and its adjoint, each for one movement in one thread. Weights and constants
lie one after the other in a vector ``w``. The arrays of the statements lie in ``work``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen.tracing import Symbol, assignments, gradient, ordered
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced, element, sizes_of

Lines = list[str]


class Place(NamedTuple):
    """The elements of an array: those of another one, from a start on.

    Attributes:
        array: Name of the other array.
        start: Index of the first element in it.
    """

    array: str
    start: int

    def at(self, index: Any = "i") -> str:
        """Return the text of an element."""
        return f"{self.array}[{self.start} + {index}]"

    def part(self, first: int) -> "Place":
        """Return the place of the elements from ``first`` on."""
        return Place(self.array, self.start + first)


class CudaNetwork:
    """The source of a network's step and adjoint, and the places of what they leave behind.

    ``values`` are the weights w[i] and constants c[i], in the order in which they lie in ``w``. The
    adjoint does not compute the gradient of the weights, which is a sum over movements and periods.
    It keeps what each product multiplies, and the cotangents that each product and each vector of
    weights received: ``terms`` says where.
    """

    def __init__(
        self, traced: Traced, values: Mapping[str, np.ndarray], signal_size: int, state_size: int
    ):
        self.traced = traced
        self.values = values
        self.sizes = sizes_of(traced, {"signal": signal_size, "state": state_size}, values)
        self.weights = _in_a_row("w", {name: np.size(v) for name, v in values.items()})
        self.work_size = 0
        self.arrays = {name: Place(name, 0) for name in ("signal", "state")}
        self.cotangents = {name: Place(f"g_{name}", 0) for name in ("signal", "state")}
        for s in traced.statements:
            self._give_places(s)
        self.received = [
            s
            for s in traced.statements
            if s.operation in ("product", "spread") and s.operands[0].startswith("w")
        ]
        vectors = [s.operands[1] for s in self.received if s.operation == "product"]
        kept = {name: self.sizes[name] for name in vectors}
        kept |= {f"g_{s.name}": self.sizes[s.name] for s in self.received}
        self.kept = _in_a_row("kept", kept)
        self.kept_size = sum(kept.values())

    def _give_places(self, s: Statement) -> None:
        if s.operation == "slice":
            source, start, _ = s.operands
            self.arrays[s.name] = self.arrays[source].part(start or 0)
            self.cotangents[s.name] = self.cotangents[source].part(start or 0)
            return
        if s.operation == "spread":
            self.arrays[s.name] = self.weights[s.operands[0]]
        else:
            self.arrays[s.name] = self._more_work(s)
        self.cotangents[s.name] = self._more_work(s)

    def _more_work(self, s: Statement) -> Place:
        self.work_size += self.sizes[s.name]
        return Place("work", self.work_size - self.sizes[s.name])

    def step_source(self) -> str:
        """Return the source of ``network_step``, which fills ``u`` and the state ``following``."""
        lines = [*self._constants(), *self._forward()]
        for name, out in ((self.traced.excitations, "u"), (self.traced.state, "following")):
            lines += self._each(name, [f"{out}[i] = {self._at(name, 'i')}"])
        return _function("network_step", "w, signal, state, work, u, following", lines)

    def adjoint_source(self) -> str:
        """Return the source of ``network_vjp``.

        From the cotangents g_u and g_following it fills g_signal, g_state and ``kept``.
        """
        lines = [*self._constants(), *self._forward()]
        for name, place in self.cotangents.items():
            lines += self._each(name, [f"{place.at()} = 0.0"])
        for name, given in ((self.traced.excitations, "g_u"), (self.traced.state, "g_following")):
            lines += self._receive(name, f"{given}[i]")
        for s in reversed(self.traced.statements):
            lines += self._backward(s)
        for name, place in self.kept.items():
            source = self._at(name, "i")
            lines += self._each(name.removeprefix("g_"), [f"{place.at()} = {source}"])
        arguments = "w, signal, state, g_u, g_following, work, g_signal, g_state, kept"
        return _function("network_vjp", arguments, lines)

    def terms(self) -> np.ndarray:
        """Return the terms of the gradient, (3, n): places of a weight and of two kept factors.

        The place of the second factor is −1 where there is none.
        """
        found = []
        for s in self.received:
            weight = self.weights[s.operands[0]].start
            row = self.kept[f"g_{s.name}"].start + np.arange(self.sizes[s.name])
            column = np.array([-1])
            if s.operation == "product":
                vector = s.operands[1]
                column = self.kept[vector].start + np.arange(self.sizes[vector])
            rows, columns = (a.ravel() for a in np.meshgrid(row, column, indexing="ij"))
            found.append([weight + np.arange(rows.size), rows, columns])
        return np.concatenate(found, axis=1) if found else np.zeros((3, 0), dtype=np.int64)

    def _constants(self) -> Lines:
        """Let numbers among the constants be c[i], as in expressions."""
        numbers = [
            self.weights[name].at(0) if not np.ndim(value) else "0.0"
            for name, value in self.values.items()
            if name.startswith("c")
        ]
        return [f"c = ({''.join(f'{number}, ' for number in numbers)})"]

    def _at(self, name: str, index: Any) -> str:
        if name.startswith("g_"):
            return self.cotangents[name.removeprefix("g_")].at(index)
        return self.arrays[name].at(index)

    def _each(self, name: str, lines: Lines) -> Lines:
        """Return a loop over the components i of an array."""
        size = self.sizes[name]
        return [f"for i in range({size}):", *(f"    {line}" for line in lines)] if size else []

    def _receive(self, name: str, part: str) -> Lines:
        """Return a loop that adds to a cotangent."""
        return self._each(name, [f"{self.cotangents[name].at()} += {part}"])

    def _forward(self) -> Lines:
        return [line for s in self.traced.statements for line in self._computed(s)]

    def _computed(self, s: Statement) -> Lines:
        out = self.arrays[s.name]
        match s.operation:
            case "slice" | "spread":
                return []
            case "product":
                columns = self.values[s.operands[0]].shape[1]
                factors = (self._weight(s.operands[0], "i", "j"), self._at(s.operands[1], "j"))
                return self._each(s.name, _sum(factors, columns, f"{out.at()} = total"))
            case "concatenate":
                lines, first = [], 0
                for part in s.operands:
                    copied = f"{out.part(first).at()} = {self._at(part, 'i')}"
                    lines += self._each(part, [copied])
                    first += self.sizes[part]
                return lines
            case "repeat":
                return self._each(s.name, [f"{out.at()} = {self._at(s.operands[0], 0)}"])
        function = FUNCTIONS.get(s.operation, (lambda x: x, None))[0]
        lines, (value,) = self._printed([function(s.operands[0])])
        return self._each(s.name, [*lines, f"{out.at()} = {value}"])

    def _backward(self, s: Statement) -> Lines:
        """Return how an array's cotangent goes on to what the array was computed from."""
        received = self.cotangents[s.name]
        match s.operation:
            case "slice" | "spread":
                return []
            case "product":
                rows = self.values[s.operands[0]].shape[0]
                factors = (self._weight(s.operands[0], "j", "i"), received.at("j"))
                vector = s.operands[1]
                out = self.cotangents[vector]
                return self._each(vector, _sum(factors, rows, f"{out.at()} += total"))
            case "concatenate":
                lines, first = [], 0
                for part in s.operands:
                    lines += self._receive(part, received.part(first).at())
                    first += self.sizes[part]
                return lines
            case "repeat":
                out = self.cotangents[s.operands[0]]
                return self._each(s.name, [f"{out.at(0)} += {received.at()}"])
        expression, cotangent = s.operands[0], element(f"g_{s.name}")
        if s.operation in FUNCTIONS:
            cotangent = cotangent * FUNCTIONS[s.operation][1](element(s.name))
        leaves = [leaf for leaf in ordered([expression]) if leaf.op == "load"]
        lines, parts = self._printed(gradient([expression], [cotangent], leaves))
        for leaf, part in zip(leaves, parts, strict=True):
            lines.append(f"{self.cotangents[leaf.args[0]].at()} += {part}")
        return self._each(s.name, lines)

    def _weight(self, name: str, row: str, column: str) -> str:
        return self.weights[name].at(f"{self.values[name].shape[1]} * {row} + {column}")

    def _printed(self, symbols: Sequence[Symbol]) -> tuple[Lines, list[str]]:
        """Return lines that compute symbols for the component i, and the names of the values."""
        uniform, others, names = assignments({"": symbols}, self._at)
        return [*uniform, *others], [names[id(symbol)] for symbol in symbols]


def _in_a_row(array: str, sizes: Mapping[str, int]) -> dict[str, Place]:
    """Return the places of arrays that lie one after the other in another one."""
    ends = np.cumsum([0, *sizes.values()])
    return {name: Place(array, int(start)) for name, start in zip(sizes, ends, strict=False)}


def _sum(factors: tuple[str, str], number: int, then: str) -> Lines:
    """Return lines that sum a product over j, and do something with the ``total``."""
    a, b = factors
    return ["total = 0.0", f"for j in range({number}):", f"    total += {a} * {b}", then]


def _function(name: str, arguments: str, lines: Lines) -> str:
    return "\n".join([f"def {name}({arguments}):", *(f"    {line}" for line in lines)]) + "\n"
