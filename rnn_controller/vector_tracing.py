"""From a network's equations to compiled code for ``LANES`` arms at once, and to its adjoint.

``trace`` runs a network's ``equations`` on vectors that record what is computed. ``network_source`` prints the record
forwards as the function ``network_step``, and backwards as its adjoint ``network_vjp``. So a network is written once:
the same equations run on torch tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from arm_env.lanes import LANES
from arm_env.tracing import Symbol, assignments, constant, gradient, ordered


class NetworkPrimitives(NamedTuple):
    """What a network's equations compute with, beside +, −, · of vectors and slices [..., a:b] of them."""

    product: Any  # product(matrix, vector)
    concatenate: Any  # concatenate(vector, …)
    relu: Any
    tanh: Any
    sigmoid: Any


TENSORS = NetworkPrimitives(  # for vectors (B, n)
    product=lambda matrix, vector: vector @ matrix.T,
    concatenate=lambda *vectors: torch.cat(vectors, -1),
    relu=torch.relu,
    tanh=torch.tanh,
    sigmoid=torch.sigmoid,
)


def _relu(x: Symbol) -> Symbol:
    return Symbol("where", x, x, constant(0.0))


def _sigmoid(x: Symbol) -> Symbol:
    return 1.0 / (1.0 + (-x).exp())


FUNCTIONS: dict[str, tuple[Callable[[Symbol], Symbol], Callable[[Symbol], Symbol]]] = {
    "relu": (_relu, lambda y: Symbol("where", y, constant(1.0), constant(0.0))),
    "tanh": (lambda x: 2.0 * _sigmoid(2.0 * x) - 1.0, lambda y: 1.0 - y * y),
    "sigmoid": (_sigmoid, lambda y: y * (1.0 - y)),
}
"""Functions of one number, and their slopes as functions of their value."""


@dataclass(frozen=True)
class Statement:
    """An array that is computed: ``name`` from what the operation takes."""

    operation: str  # product, spread, slice, concatenate, sum (of whatever an expression holds) or a function's name
    name: str
    operands: tuple[Any, ...]


class Record:
    """What was computed, in order."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    def array(self, operation: str, *operands: Any) -> "Vector":
        """Compute one more array."""
        self.statements.append(Statement(operation, f"v{len(self.statements)}", operands))
        return Vector(self, element(self.statements[-1].name))


def element(array: str) -> Symbol:
    """Element i of an array, in a loop over i."""
    return Symbol("load", array, "i")


class Vector:
    """A vector of the equations: an expression in elements of arrays that have been computed."""

    def __init__(self, record: Record, expression: Symbol):
        self.record, self.expression = record, expression

    def name(self) -> str:
        """Return the array that holds it, computing it if there is none."""
        if self.expression.op == "load":
            return str(self.expression.args[0])
        self.expression = self.record.array("sum", self.expression).expression
        return str(self.expression.args[0])

    def _with(self, other: Any, operate: Callable[[Any, Any], Symbol]) -> "Vector":
        return Vector(self.record, operate(self.expression, other.expression if isinstance(other, Vector) else other))

    def __add__(self, other: Any) -> "Vector":
        return self._with(other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> "Vector":
        return self._with(other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> "Vector":
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> "Vector":
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> "Vector":
        return self._with(other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> "Vector":
        return self._with(other, lambda a, b: b * a)

    def __truediv__(self, other: Any) -> "Vector":
        return self._with(other, lambda a, b: a / b)

    def __getitem__(self, key: Any) -> "Vector":
        part = key[1] if isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis else None
        if (
            not isinstance(part, slice)
            or part.step is not None
            or any((end or 0) < 0 for end in (part.start, part.stop))
        ):
            raise TypeError(f"a network's vectors are cut as v[..., a:b] with a, b from 0, not by {key}")
        return self.record.array("slice", self.name(), part.start, part.stop)


def _recorded_function(name: str) -> Callable[[Vector], Vector]:
    return lambda vector: vector.record.array(name, vector.expression)


RECORDING = NetworkPrimitives(
    product=lambda matrix, vector: vector.record.array("product", matrix, vector.name()),
    concatenate=lambda *vectors: vectors[0].record.array("concatenate", *(vector.name() for vector in vectors)),
    relu=_recorded_function("relu"),
    tanh=_recorded_function("tanh"),
    sigmoid=_recorded_function("sigmoid"),
)


class Traced(NamedTuple):
    """A network's record, and the arrays that hold its excitations and its next state."""

    statements: list[Statement]
    excitations: str
    state: str


def trace(network: Any) -> Traced:
    """Run the equations of a network on recording vectors."""
    record = Record()

    def recorded(group: str, values: Any) -> Any:
        """The fields of a named tuple as matrices, vectors and numbers."""
        fields: dict[str, Any] = {}
        for field, value in values._asdict().items():
            shape = tuple(getattr(value, "shape", ()))
            name = f"{group}.{field}"
            if len(shape) > 2:
                raise TypeError(f"{name} must be a matrix, a vector or a number, not an array of shape {shape}")
            if len(shape) == 2:
                fields[field] = name
            elif len(shape) == 1:
                fields[field] = record.array("spread", name)
            else:
                fields[field] = Vector(record, Symbol("scalar", name))
        return type(values)(**fields)

    signal, state = (Vector(record, element(name)) for name in ("signal", "state"))
    weights, constants = recorded("w", network.weights), recorded("c", network.constants)
    excitations, following = network.equations(RECORDING, weights, constants, signal, state)
    return Traced(record.statements, excitations.name(), following.name())


def network_source(network: Any) -> str:
    """Source of ``network_step``, ``network_vjp`` and ``network_scratch``, the length of the array they work in.

    ``network_step(w, c, signal, state, work, u, following)`` fills excitations and next state.
    ``network_vjp(w, c, signal, state, g_u, g_following, work, g_signal, g_state, gw, block)`` fills the cotangents of
    signal and state, and adds those of the weights to ``gw[block]``.
    """
    traced = trace(network)
    sizes, arrays, forward, total = _arrays(traced.statements)
    copies = [f"{out}[:] = {name}" for out, name in (("u", traced.excitations), ("following", traced.state))]
    step = ["widest_registers()", *sizes, *arrays, *forward, *copies]
    cotangents = [line for s in traced.statements for line in _cotangent_array(s, total)]
    started = [
        "g_signal[:] = 0.0",
        "g_state[:] = 0.0",
        f"work[{total} : 2 * ({total})] = 0.0",
        f"g_{traced.excitations}[:] += g_u",
        f"g_{traced.state}[:] += g_following",
    ]
    backward = [line for s in reversed(traced.statements) for line in _adjoint(s)]
    vjp = ["widest_registers()", *sizes, *arrays, *forward, *cotangents, *started, *backward]
    return "\n".join(
        [
            _function("network_scratch(w, c, signal, state)", [*sizes, f"return 2 * ({total})"]),
            _function("network_step(w, c, signal, state, work, u, following)", step),
            _function("network_vjp(w, c, signal, state, g_u, g_following, work, g_signal, g_state, gw, block)", vjp),
        ]
    )


def _function(head: str, lines: list[str]) -> str:
    return "\n".join([f"def {head}:", *(f"    {line}" for line in lines)]) + "\n"


def _leaves(expression: Symbol) -> list[Symbol]:
    return [symbol for symbol in ordered([expression]) if symbol.op == "load"]


def _size_of(statement: Statement) -> str:
    """The length of a statement's array, as source, from those of the arrays it takes."""
    if statement.operation == "product":
        return f"{LANES} * {statement.operands[0]}.shape[0]"
    if statement.operation == "spread":
        return f"{LANES} * len({statement.operands[0]})"
    if statement.operation == "concatenate":
        return " + ".join(f"n_{part}" for part in statement.operands)
    if statement.operation == "slice":
        source, start, stop = statement.operands
        end = f"n_{source}" if stop is None else f"{LANES * stop}"
        return f"{end} - {LANES * (start or 0)}"
    return f"n_{_leaves(statement.operands[0])[0].args[0]}"


def _arrays(statements: list[Statement]) -> tuple[list[str], list[str], list[str], str]:
    """Lines that compute sizes, cut arrays from ``work`` and fill them; and the length of all."""
    sizes, arrays, forward, ends = ["n_signal = len(signal)", "n_state = len(state)"], [], [], ["0"]
    for s in statements:
        sizes.append(f"n_{s.name} = {_size_of(s)}")
        if s.operation == "slice":
            source, start, _ = s.operands
            forward.append(f"{s.name} = {source}[{LANES * (start or 0)} : {LANES * (start or 0)} + n_{s.name}]")
            continue
        sizes.append(f"end_{s.name} = {ends[-1]} + n_{s.name}")
        ends.append(f"end_{s.name}")
        arrays.append(f"{s.name} = work[{ends[-2]} : {ends[-1]}]")
        if s.operation == "product":
            forward += [f"{s.name}[:] = 0.0", f"add_product({s.operands[0]}, {s.operands[1]}, {s.name})"]
        elif s.operation == "spread":
            forward.append(f"spread({s.operands[0]}, {s.name})")
        elif s.operation == "concatenate":
            forward += [f"{s.name}[{start} : {stop}] = {part}" for part, start, stop in _parts(s)]
        else:
            function = FUNCTIONS.get(s.operation, (lambda x: x, None))[0]
            forward += _loop(s.name, function(s.operands[0]), "=")
    return sizes, arrays, forward, ends[-1]


def _parts(concatenated: Statement) -> list[tuple[str, str, str]]:
    """The arrays that were put together, and where each of them begins and ends."""
    lengths = [f"n_{part}" for part in concatenated.operands]
    ends = [" + ".join(lengths[:i]) or "0" for i in range(len(lengths) + 1)]
    return list(zip(concatenated.operands, ends[:-1], ends[1:], strict=True))


def _cotangent_array(s: Statement, total: str) -> list[str]:
    if s.operation == "slice":
        source, start, _ = s.operands
        return [f"g_{s.name} = g_{source}[{LANES * (start or 0)} : {LANES * (start or 0)} + n_{s.name}]"]
    return [f"g_{s.name} = work[{total} + end_{s.name} - n_{s.name} : {total} + end_{s.name}]"]


def _adjoint(s: Statement) -> list[str]:
    """Lines that hand the cotangent of a statement's array on to what it was computed from."""
    if s.operation == "slice":
        return []  # it is a part of its source's
    if s.operation == "product":
        matrix, vector = s.operands
        lines = [f"add_transposed_product({matrix}, g_{s.name}, g_{vector})"]
        return lines + [f"add_outer(g_{s.name}, {vector}, g{matrix}[block])"] * matrix.startswith("w.")
    if s.operation == "concatenate":
        return [f"g_{part}[:] += g_{s.name}[{start} : {stop}]" for part, start, stop in _parts(s)]
    if s.operation == "spread":
        return [f"add_sums(g_{s.name}, g{s.operands[0]}[block])"] * s.operands[0].startswith("w.")
    expression, received = s.operands[0], element(f"g_{s.name}")
    if s.operation in FUNCTIONS:
        received = received * FUNCTIONS[s.operation][1](element(s.name))
    leaves = _leaves(expression)
    parts = gradient([expression], [received], leaves)
    # A loop for each: of loops that write more than one array the compiler makes no vector instructions.
    return [line for leaf, part in zip(leaves, parts, strict=True) for line in _loop(f"g_{leaf.args[0]}", part, "+=")]


def _loop(array: str, value: Symbol, assign: str) -> list[str]:
    before, within, names = assignments({array: [value]}, lambda name, index: f"{name}[{index}]")
    inner = [*within, f"{array}[i] {assign} {names[id(value)]}"]
    return [*before, f"for i in range(len({array})):", *(f"    {line}" for line in inner)]
