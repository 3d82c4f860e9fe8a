"""A network's recorded equations as the nodes of an ONNX graph.

A vector of the equations becomes a matrix with a row for each arm, (batch, n). One that is the same
for all arms has one row, which the operations of ONNX broadcast.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen.symbols import Symbol
from arm_env.codegen.tracing import ordered
from rnn_controller.rollouts.statements import FUNCTIONS, Statement, Traced, sizes_of

ARITHMETIC = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "exp": "Exp", "sqrt": "Sqrt"}
"""Operators of ONNX, by the operations of symbols."""


class Node(NamedTuple):
    """One node of the graph.

    Attributes:
        operator: Operator of ONNX, such as ``Gemm``.
        inputs: Names of the arrays that it takes.
        output: Name of the array that it gives.
        attributes: Attributes of the operator.
    """

    operator: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]


class Graph:
    """The nodes of a network's step from ``observation`` and ``state``, and their constants.

    ``values`` are the network's weights and constants, by the names w[i] and c[i] of the record;
    ``names`` are the names that the graph gives them. ``excitations`` and ``state`` name the arrays
    (batch, M) and (batch, N) that the step computes.
    """

    def __init__(
        self,
        traced: Traced,
        sizes: Mapping[str, int],
        values: Mapping[str, np.ndarray],
        names: Mapping[str, str],
    ):
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._values = values
        self._names = names
        self._sizes = sizes_of(traced, sizes, values)
        self._arrays = {"signal": "observation", "state": "state"}  # names in the graph
        self._batched = {"observation", "state"}  # arrays with a row for each arm
        self._printed: dict[int, str] = {}
        for statement in traced.statements:
            self._arrays[statement.name] = self._array(statement)
        self.excitations = self._row_for_each_arm(self._arrays[traced.excitations])
        self.state = self._row_for_each_arm(self._arrays[traced.state])

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node; return the name of the array that it gives."""
        output = name or f"t{len(self.nodes)}"
        self.nodes.append(Node(operator, list(inputs), output, attributes))
        if self._batched & set(inputs):
            self._batched.add(output)
        return output

    def constant(self, name: str, value: Any) -> str:
        """Add a constant array, whole numbers as int64; return its name."""
        self.constants[name] = np.asarray(value)
        return name

    def _array(self, s: Statement) -> str:
        """Add the nodes of one statement; return the name of the array with its result."""
        match s.operation:
            case "product":
                matrix = self._weight(s.operands[0])
                return self.add("Gemm", self._arrays[s.operands[1]], matrix, transB=1)
            case "spread":
                return self._weight(s.operands[0])
            case "concatenate":
                parts = [self._arrays[part] for part in s.operands]
                if self._batched & set(parts):
                    parts = [self._row_for_each_arm(part) for part in parts]
                return self.add("Concat", *parts, axis=1)
            case "slice":
                source, start, _ = s.operands
                first = start or 0
                ends = [[first], [first + self._sizes[s.name]], [1]]
                names = [self._whole_numbers(numbers) for numbers in ends]
                return self.add("Slice", self._arrays[source], *names)
            case "repeat":
                return self._expanded(self._arrays[s.operands[0]], self._sizes[s.name])
        return self._each(s)

    def _each(self, s: Statement) -> str:
        """Add an expression that is the same for each component, or a function of one."""
        expression, _ = s.operands
        value = self._expression(expression)
        if all(symbol.op != "load" for symbol in ordered([expression])):
            value = self._expanded(value, self._sizes[s.name])  # a number
        return self.add(s.operation.capitalize(), value) if s.operation in FUNCTIONS else value

    def _expression(self, expression: Symbol) -> str:
        for symbol in ordered([expression]):
            if id(symbol) not in self._printed:
                self._printed[id(symbol)] = self._symbol(symbol)
        return self._printed[id(expression)]

    def _symbol(self, symbol: Symbol) -> str:
        match symbol.op:
            case "const":
                return self.constant(f"number {symbol.args[0]!r}", float(symbol.args[0]))
            case "scalar":
                return self._weight(symbol.args[0])
            case "load":
                return self._arrays[symbol.args[0]]
        inputs = [self._printed[id(argument)] for argument in symbol.args]
        if symbol.op == "where":
            above = self.add("Greater", inputs[0], self.constant("number 0.0", 0.0))
            return self.add("Where", above, *inputs[1:])
        return self.add(ARITHMETIC[symbol.op], *inputs)

    def _weight(self, name: str) -> str:
        """Return the name of a weight or constant; a vector becomes a row."""
        value = self._values[name]
        return self.constant(self._names[name], value[None] if value.ndim == 1 else value)

    def _whole_numbers(self, numbers: list[int]) -> str:
        return self.constant(f"whole {numbers}", np.array(numbers, dtype=np.int64))

    def _expanded(self, name: str, size: int) -> str:
        """Return an array of one column or number with ``size`` columns."""
        return self.add("Expand", name, self._whole_numbers([1, size]))

    def _row_for_each_arm(self, name: str) -> str:
        """Return an array with a row for each arm; one that has them is returned itself."""
        if name in self._batched:
            return name
        if not any(node.output == "rows" for node in self.nodes):
            self.add("Shape", "observation", name="batch", start=0, end=1)
            self.add("Concat", "batch", self._whole_numbers([1]), name="rows", axis=0)
        return self.add("Expand", name, "rows")
