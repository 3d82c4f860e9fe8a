"""Tracing: makes the record of a network's computations from its equations.

``trace`` runs a network's ``equations`` on vectors that record what is computed. From the record,
``network_emitting`` makes compiled code and its adjoint. So a network is written once: the same
equations run on torch tensors.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from arm_env.codegen.tracing import Symbol, explained
from arm_env.dynamics.body import body_of
from rnn_controller.rollouts.network_primitives import NETWORKS_MAY_HOLD, TENSORS, NetworkPrimitives
from rnn_controller.rollouts.recording import Matrix, Record, Vector, as_number
from rnn_controller.rollouts.statements import FUNCTIONS, Traced

__all__ = ["TENSORS", "NetworkPrimitives", "Traced", "trace"]


def _recorded_product(matrix: Any, vector: Any) -> Vector:
    if not isinstance(matrix, Matrix) or not isinstance(vector, Vector):
        raise TypeError(
            "xp.product takes a matrix of the weights or constants and then a vector, "
            f"not {matrix} and {vector}"
        )
    if vector.size != matrix.shape[1]:
        raise TypeError(
            f"xp.product of {matrix} and {vector}: "
            "the matrix must have as many columns as the vector has components"
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
            # a plain number: the constant is computed now, and printed
            return float(getattr(TENSORS, name)(as_number(value)))
        # A function of a number is computed where the number is used. That of a vector becomes an
        # array, since its slope is a function of the value.
        if value.size is None:
            return Vector(value.record, FUNCTIONS[name][0](value.expression))
        return value.record.array(value.size, name, value.expression, value.like)

    return function


RECORDING = NetworkPrimitives(
    _recorded_product,
    _recorded_concatenate,
    *map(_recorded_function, ("relu", "tanh", "sigmoid", "exp", "sqrt")),
)


def _recorded_field(record: Record, name: str, label: str, value: Any) -> Any:
    """Return the stand-in for one weight or constant, which compiled code knows by ``name``."""
    shape = tuple(value.shape) if hasattr(value, "shape") else np.shape(value)
    if len(shape) > 2:
        raise TypeError(
            f"{label} must be a matrix, a vector or a number, not an array of shape {shape}"
        )
    if len(shape) == 2:
        return Matrix(record, name, shape, label)
    # A trained number is a vector of one: its gradient is added to an array, as that of others is.
    if len(shape) == 1 or name.startswith("w"):
        vector = record.array(*shape or (1,), "spread", name)
        record.labels[vector.name()] = label
        return vector
    return Vector(record, Symbol("scalar", name))


def _recorded(record: Record, group: str, values: Any) -> Any:
    """Return a named tuple of the stand-ins for the weights, or for the constants."""
    if not hasattr(values, "_asdict"):
        raise TypeError(f"the network's {group} must be a named tuple, not {type(values).__name__}")
    # Compiled code gets a plain tuple, w or c, and so knows fields by their places.
    fields = {
        field: _recorded_field(record, f"{group[0]}[{i}]", f"{group[0]}.{field}", value)
        for i, (field, value) in enumerate(values._asdict().items())
    }
    return type(values)(**fields)


def trace(network: Any) -> Traced:
    """Return the record of a network's equations, which are run on recording vectors.

    Raises TypeError or ValueError where lengths don't fit.
    """
    body = body_of(network)
    sizes = {"signal": body.sensory_size + network.command_size, "state": network.state_size}
    record = Record(sizes, {"signal": "the observation", "state": "the state"})
    with explained(type(network).__name__, NETWORKS_MAY_HOLD):
        weights = _recorded(record, "weights", network.weights)
        constants = _recorded(record, "constants", network.constants)
        signal = record.vector("signal")
        state = record.vector("state")
        outputs = network.equations(RECORDING, weights, constants, signal, state)
        if not isinstance(outputs, tuple | list) or len(outputs) != 2:
            raise TypeError("they must give two vectors, the excitations and the next state")
        expected = (body.muscle_count, network.state_size)
        for name, value, size in zip(
            ("the excitations", "the next state"), outputs, expected, strict=True
        ):
            if not isinstance(value, Vector) or value.size != size:
                raise TypeError(f"{name} must be a vector ({size}), not {value}")
        return Traced(record.statements, *(value.name() for value in outputs))
