"""The arithmetic of stand-ins for values, while a network's equations are traced."""

from collections.abc import Callable
from typing import Any

from arm_env.codegen.tracing import NO_ANSWER


class Operand:
    """A stand-in for a weight, a constant or a value; ``_with`` does its arithmetic."""

    # Without it NumPy would take ``array * operand`` apart, and call ``__rmul__`` once for every
    # element. With None it leaves the operation to this class, which refuses arrays by name.
    __array_ufunc__ = None
    # Defining __eq__ below would take the hash away.
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

    # A comparison must not fall back to identity, nor a truth value to True: an ``if`` would choose
    # one branch for all values, without a word.
    __bool__ = __eq__ = __ne__ = _asked  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = _asked
