"""From a network's equations to compiled code for ``LANES`` arms at once, and to its adjoint.

``trace`` runs a network's ``equations`` on vectors that record what is computed. ``network_source``
prints the record forwards as the function ``network_step``, and backwards as its adjoint
``network_vjp``. So a network is written once: the same equations run on torch tensors.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import (
    NO_ANSWER,
    Symbol,
    assignments,
    constant,
    explained,
    gradient,
    ordered,
)
from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE

NETWORKS_MAY_HOLD = (
    "A network's equations may hold numbers, + - * / ** and abs of vectors, parts such as v[..., 0:5], and product, "
    "concatenate, relu, tanh, sigmoid, exp and sqrt of xp (docs/equations.md)"
)


class NetworkPrimitives(NamedTuple):
    """What a network's equations compute with, beside arithmetic of vectors and slices [..., a:b]
    of them.
    """

    product: Any  # product(matrix, vector)
    concatenate: Any  # concatenate(vector, …)
    relu: Any
    tanh: Any
    sigmoid: Any
    exp: Any
    sqrt: Any


def _concatenated(*vectors: Tensor) -> Tensor:
    batch = torch.broadcast_shapes(*(vector.shape[:-1] for vector in vectors))
    return torch.cat([vector.expand(*batch, vector.shape[-1]) for vector in vectors], -1)


def _also_of_numbers(function: Callable[[Tensor], Tensor]) -> Callable[[Any], Tensor]:
    number: Any = {"dtype": torch.float64, "device": "cpu"}
    return lambda x: function(x if isinstance(x, Tensor) else torch.tensor(x, **number))


TENSORS = NetworkPrimitives(  # for vectors (B, n)
    lambda matrix, vector: vector @ matrix.T,
    _concatenated,
    *map(_also_of_numbers, (torch.relu, torch.tanh, torch.sigmoid, torch.exp, torch.sqrt)),
)


def _relu(x: Symbol) -> Symbol:
    return Symbol("where", x, x, constant(0.0))


def _sigmoid(x: Symbol) -> Symbol:
    return 1.0 / (1.0 + (-x).exp())


FUNCTIONS: dict[str, tuple[Callable[[Symbol], Symbol], Callable[[Symbol], Symbol]]] = {
    "relu": (_relu, lambda y: Symbol("where", y, constant(1.0), constant(0.0))),
    "tanh": (lambda x: 2.0 * _sigmoid(2.0 * x) - 1.0, lambda y: 1.0 - y * y),
    "sigmoid": (_sigmoid, lambda y: y * (1.0 - y)),
    "exp": (Symbol.exp, lambda y: y),
    "sqrt": (Symbol.sqrt, lambda y: 0.5 / y),
}
"""Functions of one number, and their slopes as functions of their value."""


class Statement(NamedTuple):
    """An array that is computed: ``name`` from what the operation takes."""

    operation: str
    name: str
    operands: tuple[Any, ...]
    """Of a product: matrix and vector. Of concatenate: vectors. Of spread: weights or constants.

    Of slice: vector, start and stop. Of repeat: a vector of one component, and one as long as the
    result. Of sum (whatever an expression holds) or a function: the expression, and a vector as
    long as the result.
    """


class Record:
    """What was computed, in order; the number of components of every array, and the names that
    users know.
    """

    def __init__(self, sizes: dict[str, int], labels: dict[str, str]) -> None:
        self.statements: list[Statement] = []
        self.sizes, self.labels = sizes, labels

    def array(self, size: int, operation: str, *operands: Any) -> "Vector":
        """Compute one more array."""
        name = f"v{len(self.statements)}"
        self.statements.append(Statement(operation, name, operands))
        self.sizes[name] = size
        return self.vector(name)

    def vector(self, name: str) -> "Vector":
        """Return an array as a vector."""
        return Vector(self, element(name), name)


def element(array: str) -> Symbol:
    """Element i of an array, in a loop over i."""
    return Symbol("load", array, "i")


class Operand:
    """What stands for a weight, a constant or a value while equations are traced; arithmetic is
    that of ``_with``.
    """

    __array_ufunc__ = None  # NumPy leaves arithmetic to this class
    __hash__ = object.__hash__

    def _with(self, operation: str, other: Any, operate: Callable[[Any, Any], Any]) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self._with("+", other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> Any:
        return self._with("+", other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> Any:
        return self._with("-", other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._with("-", other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._with("*", other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Any:
        return self._with("*", other, lambda a, b: b * a)

    def __truediv__(self, other: Any) -> Any:
        return self._with("/", other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with("/", other, lambda a, b: b / a)

    def __pow__(self, other: Any) -> Any:
        return self._with("**", other, lambda a, b: a**b)

    def __rpow__(self, other: Any) -> Any:
        return self._with("**", other, lambda a, b: b**a)

    def __neg__(self) -> Any:
        return self * -1.0

    def __pos__(self) -> Any:
        return self

    def __matmul__(self, other: Any) -> Any:
        raise TypeError(
            "a matrix and a vector are multiplied by xp.product(matrix, vector), not by @"
        )

    __rmatmul__ = __matmul__

    def _asked(self, *_: Any) -> Any:
        raise TypeError(f"{NO_ANSWER}. xp.relu(v) is v where v > 0, else 0")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _asked  # type: ignore[assignment]


class Vector(Operand):
    """A vector of the equations, or a number: an expression in elements of arrays that have been
    computed.

    It has as many components as the array ``like``; without one it is a number.
    """

    def __init__(self, record: Record, expression: Symbol, like: str | None = None):
        self.record, self.expression, self.like = record, expression, like

    @property
    def size(self) -> int | None:
        """Number of components; None for a number."""
        return self.record.sizes[self.like] if self.like else None

    def __repr__(self) -> str:
        known = self.expression.args[0] if self.expression.op == "load" else None
        label = self.record.labels.get(known, "a vector")  # type: ignore[arg-type]
        return f"{label} ({self.size})" if self.like else "a number"

    def name(self) -> str:
        """Return the array that holds it, computing it if there is none."""
        if self.size is None:
            raise TypeError("a number stands where a vector must: multiply it by a vector of ones")
        if self.expression.op != "load":
            self.expression = self.record.array(
                self.size, "sum", self.expression, self.like
            ).expression
        return str(self.expression.args[0])

    def __neg__(self) -> "Vector":
        return Vector(self.record, -self.expression, self.like)

    def __abs__(self) -> "Vector":
        return Vector(self.record, abs(self.expression), self.like)

    def _with(self, operation: str, other: Any, operate: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, Matrix):
            return NotImplemented  # the matrix knows
        if not isinstance(other, Vector):
            other = Vector(self.record, constant(_number(other)))
        a, b = self, other
        if a.size is not None and b.size is not None and a.size != b.size:
            if a.size != 1 and b.size != 1:
                raise TypeError(
                    f"{operation} of {a} and {b}: they must be of the same length, or one of length 1"
                )
            a, b = (a._repeated(b), b) if a.size == 1 else (a, b._repeated(a))
        return Vector(self.record, operate(a.expression, b.expression), a.like or b.like)

    def _repeated(self, other: "Vector") -> "Vector":
        assert other.size is not None
        return self.record.array(other.size, "repeat", self.name(), other.like)

    def __getitem__(self, key: Any) -> "Vector":
        part = key[1] if isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis else None
        if not isinstance(part, slice) or part.step is not None or self.size is None:
            raise TypeError(
                f"a network's vectors are cut as v[..., a:b], not by {key}; one component is v[..., a : a + 1]"
            )
        start, stop = (
            end if end is None or end >= 0 else end + self.size for end in (part.start, part.stop)
        )
        if not 0 <= (start or 0) <= (self.size if stop is None else stop) <= self.size:
            raise TypeError(
                f"{self} has no part [..., {part.start}:{part.stop}]: a:b must lie within 0:{self.size}"
            )
        size = (self.size if stop is None else stop) - (start or 0)
        return self.record.array(size, "slice", self.name(), start, stop)


class Matrix(Operand):
    """A matrix of the weights or constants, times a number."""

    def __init__(
        self, record: Record, name: str, shape: tuple[int, int], label: str, factor: Any = 1.0
    ):
        self.record = record
        self.name = name
        self.shape = shape
        self.label = label
        self.factor = factor

    def __repr__(self) -> str:
        return f"{self.label} {self.shape}"

    def _with(self, operation: str, other: Any, operate: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, Vector) and other.size is None:
            number: Any = other
        elif isinstance(other, Operand) or operation not in ("*", "/"):
            raise self._refused()
        else:
            number = _number(other)
        factor = operate(self.factor, number)
        return Matrix(self.record, self.name, self.shape, self.label, factor)

    def __rtruediv__(self, other: Any) -> Any:
        raise self._refused()

    def _refused(self) -> TypeError:
        return TypeError(
            f"{self} is a matrix, which may stand in xp.product(matrix, vector) and number * matrix only"
        )


def _number(value: Any) -> float:
    """A number of any library; arrays are refused, and a tensor that is trained."""
    if isinstance(value, int | float | np.number | np.bool_) and not isinstance(
        value, np.complexfloating
    ):
        return float(value)
    if (
        isinstance(value, Tensor | np.ndarray)
        and value.ndim == 0
        and not getattr(value, "requires_grad", False)
    ):
        return _number(value.item())
    if isinstance(value, Tensor | np.ndarray):
        raise TypeError(
            f"an array of shape {tuple(value.shape)} stands in the equations: it must be a field of the network's "
            "weights if it is trained, else of its constants"
        )
    raise TypeError(f"{value!r} is no number")


def _recorded_product(matrix: Any, vector: Any) -> Vector:
    if not isinstance(matrix, Matrix) or not isinstance(vector, Vector):
        raise TypeError(
            f"xp.product takes a matrix of the weights or constants and then a vector, not {matrix} and {vector}"
        )
    if vector.size != matrix.shape[1]:
        raise TypeError(
            f"xp.product of {matrix} and {vector}: the matrix must have as many columns as the vector has components"
        )
    return matrix.factor * vector.record.array(
        matrix.shape[0], "product", matrix.name, vector.name()
    )


def _recorded_concatenate(*vectors: Any) -> Vector:
    if not vectors or not all(isinstance(vector, Vector) and vector.like for vector in vectors):
        raise TypeError(
            f"xp.concatenate takes vectors, one after the other, not {', '.join(map(str, vectors))}"
        )
    size = sum(vector.size for vector in vectors)
    return vectors[0].record.array(size, "concatenate", *(vector.name() for vector in vectors))


def _recorded_function(name: str) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if isinstance(value, Matrix):
            raise TypeError(f"xp.{name} takes a vector or a number, not {value}")
        if not isinstance(value, Vector):
            return float(getattr(TENSORS, name)(_number(value)))
        if value.size is None:
            return Vector(value.record, FUNCTIONS[name][0](value.expression))
        return value.record.array(value.size, name, value.expression, value.like)

    return function


RECORDING = NetworkPrimitives(
    _recorded_product,
    _recorded_concatenate,
    *map(_recorded_function, ("relu", "tanh", "sigmoid", "exp", "sqrt")),
)


class Traced(NamedTuple):
    """A network's record, and the arrays that hold its excitations and its next state."""

    statements: list[Statement]
    excitations: str
    state: str


def trace(network: Any) -> Traced:
    """Run the equations of a network on recording vectors, whose lengths must fit."""
    sizes = {"signal": SENSORY_SIZE + network.command_size, "state": network.state_size}
    record = Record(sizes, {"signal": "the observation", "state": "the state"})

    def recorded(group: str, values: Any) -> Any:
        """The fields of a named tuple as matrices, vectors and numbers; compiled code gets them as
        a plain tuple.
        """
        if not hasattr(values, "_asdict"):
            raise TypeError(
                f"the network's {group} must be a named tuple, not {type(values).__name__}"
            )
        fields: dict[str, Any] = {}
        for i, (field, value) in enumerate(values._asdict().items()):
            name = f"{group[0]}[{i}]"
            label = f"{group[0]}.{field}"
            shape = tuple(value.shape) if hasattr(value, "shape") else np.shape(value)
            if len(shape) > 2:
                raise TypeError(
                    f"{label} must be a matrix, a vector or a number, not an array of shape {shape}"
                )
            if len(shape) == 2:
                fields[field] = Matrix(record, name, shape, label)
            # a number that is trained is a vector of one
            elif len(shape) == 1 or group == "weights":
                fields[field] = record.array(*shape or (1,), "spread", name)
                record.labels[fields[field].name()] = label
            else:
                fields[field] = Vector(record, Symbol("scalar", name))
        return type(values)(**fields)

    with explained(type(network).__name__, NETWORKS_MAY_HOLD):
        weights = recorded("weights", network.weights)
        constants = recorded("constants", network.constants)
        signal = record.vector("signal")
        state = record.vector("state")
        outputs = network.equations(RECORDING, weights, constants, signal, state)
        if not isinstance(outputs, tuple | list) or len(outputs) != 2:
            raise TypeError("they must give two vectors, the excitations and the next state")
        expected = (MUSCLE_COUNT, network.state_size)
        for name, value, size in zip(
            ("the excitations", "the next state"), outputs, expected, strict=True
        ):
            if not isinstance(value, Vector) or value.size != size:
                raise TypeError(f"{name} must be a vector ({size}), not {value}")
        return Traced(record.statements, *(value.name() for value in outputs))


def network_source(traced: Traced) -> str:
    """Source of ``network_step``, ``network_vjp`` and ``network_scratch``, the length of the array
    they work in.

    ``network_step(w, c, signal, state, work, u, following)`` fills excitations and next state.
    ``network_vjp(w, c, signal, state, g_u, g_following, work, g_signal, g_state, gw, block)`` fills
    the cotangents of signal and state, and adds those of the weights to ``gw[block]``.
    """
    sizes, arrays, forward, total = _arrays(traced.statements)
    copies = [
        f"{out}[:] = {name}"
        for out, name in (("u", traced.excitations), ("following", traced.state))
    ]
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
            _function(
                "network_vjp(w, c, signal, state, g_u, g_following, work, g_signal, g_state, gw, block)",
                vjp,
            ),
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
    return f"n_{statement.operands[1]}"


def _arrays(statements: list[Statement]) -> tuple[list[str], list[str], list[str], str]:
    """Lines that compute sizes, cut arrays from ``work`` and fill them; and the length of all."""
    sizes = ["n_signal = len(signal)", "n_state = len(state)"]
    arrays = []
    forward = []
    ends = ["0"]
    for s in statements:
        sizes.append(f"n_{s.name} = {_size_of(s)}")
        if s.operation == "slice":
            source, start, _ = s.operands
            forward.append(
                f"{s.name} = {source}[{LANES * (start or 0)} : {LANES * (start or 0)} + n_{s.name}]"
            )
            continue
        sizes.append(f"end_{s.name} = {ends[-1]} + n_{s.name}")
        ends.append(f"end_{s.name}")
        arrays.append(f"{s.name} = work[{ends[-2]} : {ends[-1]}]")
        if s.operation == "product":
            forward += [
                f"{s.name}[:] = 0.0",
                f"add_product({s.operands[0]}, {s.operands[1]}, {s.name})",
            ]
        elif s.operation == "spread":
            forward.append(f"spread({s.operands[0]}, {s.name})")
        elif s.operation == "repeat":
            forward += [
                f"for i in range(len({s.name})):",
                f"    {s.name}[i] = {s.operands[0]}[i % {LANES}]",
            ]
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
        return [
            f"g_{s.name} = g_{source}[{LANES * (start or 0)} : {LANES * (start or 0)} + n_{s.name}]"
        ]
    return [f"g_{s.name} = work[{total} + end_{s.name} - n_{s.name} : {total} + end_{s.name}]"]


def _adjoint(s: Statement) -> list[str]:
    """Lines that hand the cotangent of a statement's array on to what it was computed from."""
    if s.operation == "slice":
        return []  # it is a part of its source's
    if s.operation == "product":
        matrix, vector = s.operands
        lines = [f"add_transposed_product({matrix}, g_{s.name}, g_{vector})"]
        return lines + [f"add_outer(g_{s.name}, {vector}, g{matrix}[block])"] * matrix.startswith(
            "w"
        )
    if s.operation == "concatenate":
        return [f"g_{part}[:] += g_{s.name}[{start} : {stop}]" for part, start, stop in _parts(s)]
    if s.operation == "spread":
        return [f"add_sums(g_{s.name}, g{s.operands[0]}[block])"] * s.operands[0].startswith("w")
    if s.operation == "repeat":
        return [
            f"for i in range(len(g_{s.name})):",
            f"    g_{s.operands[0]}[i % {LANES}] += g_{s.name}[i]",
        ]
    expression = s.operands[0]
    received = element(f"g_{s.name}")
    if s.operation in FUNCTIONS:
        received = received * FUNCTIONS[s.operation][1](element(s.name))
    leaves = _leaves(expression)
    parts = gradient([expression], [received], leaves)
    # A loop for each: of loops that write more than one array the compiler makes no vector
    # instructions.
    return [
        line
        for leaf, part in zip(leaves, parts, strict=True)
        for line in _loop(f"g_{leaf.args[0]}", part, "+=")
    ]


def _loop(array: str, value: Symbol, assign: str) -> list[str]:
    before, within, names = assignments({array: [value]}, lambda name, index: f"{name}[{index}]")
    inner = [*within, f"{array}[i] {assign} {names[id(value)]}"]
    return [*before, f"for i in range(len({array})):", *(f"    {line}" for line in inner)]
