"""Arguments of an environment in the plain form that its specification holds, and back.

A specification (``env.spec``) is JSON in Gymnasium. So it holds an orbit or a schedule as a mapping
of its fields, with its ``kind``: the name of one of this package, or ``module:Class``. It holds a
function as ``module:function``. A value without such a name (a lambda, a class within a function)
stays the same object; such a specification makes its environment again within the process, but it
is not JSON.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import FunctionType
from typing import Any

import numpy as np

from arm_env.arguments import shown
from arm_env.checked import filled
from arm_env.dynamics.contacts import Channel, Push
from arm_env.dynamics.parameters import Parameters
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.schedules import CommandList, MovingCommand, RandomJumps
from arm_env.tasks.shapes import Circle, Ellipse, RoundedPolygon

ORBITS: dict[str, type] = {"circle": Circle, "ellipse": Ellipse, "rounded-polygon": RoundedPolygon}
SCHEDULES: dict[str, type] = {
    "random-jumps": RandomJumps,
    "command-list": CommandList,
    "moving-command": MovingCommand,
}
KNOWN = ORBITS | SCHEDULES
KINDS = {kind: name for name, kind in KNOWN.items()}


def plain(value: Any) -> Any:
    """Return the argument as JSON values, as far as it has a name by which it is found again."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    # a tensor has tolist, too
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "detach"):
        return value.tolist()
    if isinstance(value, Decimal | Fraction):
        return float(value)
    if isinstance(value, FunctionType):
        return _address(value) or value
    if not is_dataclass(value) or isinstance(value, type | Nameless):
        return value
    held = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    if isinstance(value, Parameters | Perturbation | Push | Channel):
        return plain(held)
    kind = KINDS.get(type(value)) or _address(type(value))
    told = {"kind": kind, **plain(held)}
    return told if kind and _tells(told, value) else Nameless(value)


class Nameless:
    """An orbit or schedule that has no plain form, in a specification; JSON refuses it."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nameless) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def _tells(told: dict[str, Any], value: Any) -> bool:
    """Whether a plain form makes the same object again.

    It does not if the class takes other arguments, or holds more than they say.
    """
    try:
        again = revived("", told, KNOWN, None)
        return again == value and vars(again).keys() == vars(value).keys()
    except (TypeError, ValueError):
        return False


def revived(
    name: str, value: Any, kinds: Mapping[str, type], default: Any, base: type | None = None
) -> Any:
    """Return the object for a plain form of the argument ``name``, and any other value as it is.

    A plain form is a name (one of ``kinds``, or ``module:Class``), a mapping of fields with such a
    name as its ``kind``, or a mapping of the fields of ``default`` that differ. With a ``base``,
    only a class derived from it is called. Raises ValueError for an unknown name or field.
    """
    if isinstance(value, str):
        kind = _found(name, value, kinds)
        return (
            revived(name, {"kind": value}, kinds, default, base) if isinstance(kind, type) else kind
        )
    if isinstance(value, Nameless):
        return value.value
    if not isinstance(value, Mapping):
        return value
    held = dict(value)
    if "kind" not in held:
        return filled(name, held, default)
    kind = _found(name, held.pop("kind"), kinds)
    if base is not None and not (isinstance(kind, type) and issubclass(kind, base)):
        raise ValueError(
            f"{name} must be of a class derived from {base.__name__}, not {shown(kind)}"
        )
    unknown = set(held) - {f.name for f in fields(kind)} if is_dataclass(kind) else set()
    if unknown:
        known = ", ".join(f.name for f in fields(kind))
        raise ValueError(
            f"{name} has no field {shown(sorted(map(str, unknown))[0])}: there are {known}"
        )
    if "function" in held and isinstance(held["function"], str):
        held["function"] = _found(name, held["function"], {})
    try:
        return kind(**held)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _address(item: Any) -> str | None:
    """Return ``module:name`` of a class or function, or None if it can't be found there."""
    address = f"{item.__module__}:{item.__qualname__}"
    try:
        return address if _imported(address) is item else None
    except (ImportError, AttributeError, ValueError):
        return None


def _imported(address: str) -> Any:
    module, _, name = address.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _found(name: str, address: Any, kinds: Mapping[str, type]) -> Any:
    address = address if isinstance(address, str) else repr(address)
    if address in kinds:
        return kinds[address]
    try:
        if ":" in address:
            return _imported(address)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} {shown(address)} can't be imported: {error}") from None
    known = f"one of {', '.join(kinds)}, or " if kinds else ""
    raise ValueError(f"unknown {name} {shown(address)}: give {known}module:name of one of your own")
