"""Checks of arguments in the forms that users write, in one place.

A person writes ``noise=0.2``; a YAML file, a command line or another library may pass ``"2e-1"``,
``numpy.float32(0.2)``, ``torch.tensor(0.2)`` or ``{"curl": 15}``. The functions here accept every
form that can mean only one thing. They refuse the rest with a ``ValueError`` that names the
argument and says what would be right.
"""

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

SAME = 2e-6  # [-] two numbers are the same to this share: one may have been written with six digits


def same(one: float, other: float) -> bool:
    """Whether two numbers are equal to six digits, since a person may leave the others out."""
    return math.isclose(one, other, rel_tol=SAME)


def detached(value: Any) -> Any:
    """Return a tensor of torch as an array that shares its memory, and anything else as it is.

    The tensor may require a gradient.
    """
    if not isinstance(value, np.ndarray) and hasattr(value, "detach") and hasattr(value, "cpu"):
        return value.detach().cpu().numpy()
    return value


def floats(value: Any) -> np.ndarray:
    """Return numbers in any form as a new array of any shape, (...).

    Raises ValueError for other values.
    """
    try:
        given = np.asarray(detached(value))
        if given.dtype.kind in "US" and any("_" in str(text) for text in given.flat):
            raise ValueError("float takes 1_0 for 10")
        if given.dtype == bool:
            raise TypeError("True and False are no numbers")
        return np.array(given, dtype=float)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"numbers are needed, not {shown(value)}") from None


def number(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    infinite: bool = False,
) -> float:
    """Return ``value`` as a float from ``low`` (or ``above`` it) to ``high``.

    Infinity is accepted if ``infinite``. Raises ValueError, with the argument's ``name``,
    otherwise.
    """
    result = _plain(value)
    if not _inside(result, low, high, above) and not (infinite and result == math.inf):
        raise ValueError(
            f"{name} must be {_range('a number', low, high, above)}, not {shown(value)}"
        )
    return result


def numbers(
    name: str,
    value: Any,
    shape: tuple[int, ...],
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
) -> Any:
    """Return ``value`` as nested tuples of floats of that ``shape``, in ``number``'s range.

    Raises ValueError, with the argument's ``name``, otherwise.
    """
    try:
        array = floats(value)
    except ValueError:
        array = np.empty(0)
    if (
        array.shape != shape
        or isinstance(value, str)
        or not all(_inside(v, low, high, above) for v in array.flat)
    ):
        what = f"{_range('finite numbers', low, high, above)}, shape {shape}"
        raise ValueError(f"{name} must be {what}, not {shown(value)}")
    return _tupled(array.tolist())


def count(name: str, value: Any, low: int = 0, high: int | None = None) -> int:
    """Return ``value`` as an int from ``low`` to ``high``; 4.0 counts as 4.

    Raises ValueError, with the argument's ``name``, otherwise.
    """
    try:  # a float would round beyond 2⁵³
        result = operator.index(value) if not isinstance(value, bool) else math.nan
    except TypeError:
        result = _plain(value)
    last = math.inf if high is None else high
    if not low <= result <= last or result == math.inf or result != math.floor(result):
        raise ValueError(
            f"{name} must be {_range('a whole number', low, last, False)}, not {shown(value)}"
        )
    return int(result)


def flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool; raise ValueError for numbers and strings."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, not {shown(value)}")
    return bool(value)


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """Return ``value`` if it is one of the ``options``; raise ValueError otherwise."""
    known = list(options)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"unknown {name} {shown(value)}: choose one of {', '.join(known)}")
    return value


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Return ``value``, a mapping or None, as a new dict; raise ValueError otherwise."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping such as a dict, or None, not {shown(value)}")
    return dict(value)


def _plain(value: Any) -> float:
    """Return a scalar of any library as a float, NaN if it is none."""
    if isinstance(value, bool | np.bool_ | bytes) or value is None:
        return math.nan
    if isinstance(value, str) and "_" in value:  # float takes 1_0 for 10
        return math.nan
    try:
        if getattr(value, "ndim", 0) == 0:
            return float(detached(value))
    except (TypeError, ValueError, RuntimeError, OverflowError):
        pass  # another library's scalar may refuse in its own way
    return math.nan


def _inside(value: float, low: float, high: float, above: bool) -> bool:
    return math.isfinite(value) and low <= value <= high and not (above and value == low)


def _range(what: str, low: float, high: float, above: bool) -> str:
    below = "" if math.isinf(high) else _figure(high)
    if math.isinf(low):
        if below:
            return f"{what} up to {below}"
        return what if what.startswith("finite") else f"a finite {what.removeprefix('a ')}"
    start = f"{what} above {_figure(low)}" if above else f"{what} from {_figure(low)}"
    if below:
        return f"{start} and up to {below}" if above else f"{start} to {below}"
    return start if above else f"{what} of {_figure(low)} or above"


def _figure(value: float) -> str:
    """A bound as a person would write it."""
    return (
        str(int(value))
        if value == int(value) and (abs(value) < 1e7 or isinstance(value, int))
        else f"{value:g}"
    )


def shown(value: Any) -> str:
    """Return the value as a message shows it, in at most 100 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value
