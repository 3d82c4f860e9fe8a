"""Vectors and matrices that record what is computed with them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from arm_env.codegen.tracing import Symbol, constant
from rnn_controller.rollouts.operand import Operand
from rnn_controller.rollouts.statements import Statement, element


class Record:
    """The statements in order, the size of every array, and its name in messages."""

    def __init__(self, sizes: dict[str, int], labels: dict[str, str]) -> None:
        self.statements: list[Statement] = []
        self.sizes = sizes  # numbers of components
        self.labels = labels

    def array(self, size: int, operation: str, *operands: Any) -> "Vector":
        """Record that one more array is computed, and return it as a vector."""
        name = f"v{len(self.statements)}"
        self.statements.append(Statement(operation, name, operands))
        self.sizes[name] = size
        return self.vector(name)

    def vector(self, name: str) -> "Vector":
        """Return an array as a vector."""
        return Vector(self, element(name), name)


class Vector(Operand):
    """A vector of the equations, or a number: an expression in elements of recorded arrays.

    It has as many components as the array ``like``; without one it is a number.
    """

    # Arithmetic only makes the expression longer, and records nothing. The array is recorded where
    # an operation needs it whole. So a chain of elementwise operations becomes one loop, which
    # stores no intermediate values.

    def __init__(self, record: Record, expression: Symbol, like: str | None = None):
        self.record = record
        self.expression = expression
        self.like = like

    @property
    def size(self) -> int | None:
        """Number of components; None for a number."""
        return self.record.sizes[self.like] if self.like else None

    def __repr__(self) -> str:
        known = self.expression.args[0] if self.expression.op == "load" else None
        label = self.record.labels.get(known, "a vector")  # type: ignore[arg-type]
        return f"{label} ({self.size})" if self.like else "a number"

    def name(self) -> str:
        """Return the array that holds this vector; one is recorded if there is none.

        Raises TypeError for a number.
        """
        if self.size is None:
            raise TypeError("a number stands where a vector must: multiply it by a vector of ones")
        # the expression becomes the array's element, so that nothing is computed twice
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
            return NotImplemented  # Python then asks the matrix, which allows a number as factor
        if not isinstance(other, Vector):
            other = Vector(self.record, constant(as_number(other)))
        a, b = self, other
        if a.size is not None and b.size is not None and a.size != b.size:
            if a.size != 1 and b.size != 1:
                raise TypeError(
                    f"{operation} of {a} and {b}: "
                    "they must be of the same length, or one of length 1"
                )
            # an array of the other's length, since a loop runs over one index
            a, b = (a._repeated(b), b) if a.size == 1 else (a, b._repeated(a))
        return Vector(self.record, operate(a.expression, b.expression), a.like or b.like)

    def _repeated(self, other: "Vector") -> "Vector":
        assert other.size is not None
        return self.record.array(other.size, "repeat", self.name(), other.like)

    def __getitem__(self, key: Any) -> "Vector":
        part = key[1] if isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis else None
        if not isinstance(part, slice) or part.step is not None or self.size is None:
            raise TypeError(
                f"a network's vectors are cut as v[..., a:b], not by {key}; "
                "one component is v[..., a : a + 1]"
            )
        start, stop = (
            end if end is None or end >= 0 else end + self.size for end in (part.start, part.stop)
        )
        if not 0 <= (start or 0) <= (self.size if stop is None else stop) <= self.size:
            raise TypeError(
                f"{self} has no part [..., {part.start}:{part.stop}]: "
                f"a:b must lie within 0:{self.size}"
            )
        size = (self.size if stop is None else stop) - (start or 0)
        # An end that was left out stays None: the source then reads the length at run time, so that
        # networks that differ in size alone share it.
        return self.record.array(size, "slice", self.name(), start, stop)


class Matrix(Operand):
    """A matrix of the weights or constants, times a number."""

    # The factor is kept apart and multiplies the product: a scaled matrix is never made.

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
            number = as_number(other)
        factor = operate(self.factor, number)
        return Matrix(self.record, self.name, self.shape, self.label, factor)

    def __rtruediv__(self, other: Any) -> Any:
        raise self._refused()

    def _refused(self) -> TypeError:
        return TypeError(
            f"{self} is a matrix, "
            "which may stand in xp.product(matrix, vector) and number * matrix only"
        )


def as_number(value: Any) -> float:
    """Return a number of any library as a float.

    Raises TypeError for an array, for a tensor that is trained and for anything that is no number.
    A trained tensor would be printed into the source as a constant, and get no gradient.
    """
    if isinstance(value, int | float | np.number | np.bool_) and not isinstance(
        value, np.complexfloating
    ):
        return float(value)
    if (
        isinstance(value, Tensor | np.ndarray)
        and value.ndim == 0
        and not getattr(value, "requires_grad", False)
    ):
        return as_number(value.item())
    if isinstance(value, Tensor | np.ndarray):
        raise TypeError(
            f"an array of shape {tuple(value.shape)} stands in the equations: "
            "it must be a field of the network's weights if it is trained, else of its constants"
        )
    raise TypeError(f"{value!r} is no number")
