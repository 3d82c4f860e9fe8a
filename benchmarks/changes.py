"""Changes of settings, by their dotted names, such as ``model.gamma``."""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any


def assignments(changes: Iterable[str]) -> dict[str, Any]:
    """Return the values in assignments such as "model.gamma=0.95", by their dotted names.

    The values are written as in TOML. Raises ValueError for a text that is no assignment,
    and for a name that comes twice.
    """
    found: dict[str, Any] = {}
    for change in changes:
        try:
            given = flat(tomllib.loads(change))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(
                f"a change is an assignment such as model.gamma=0.95, not {change!r}: {error}"
            ) from None
        if twice := sorted(given.keys() & found.keys()):
            raise ValueError(f"{', '.join(twice)} is given twice")
        found |= given
    return found


def flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return the entries of a nested table by their dotted names."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = (
            flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {before + key: value}
        )
        found |= inner
    return found


def differing(table: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the entries that two nested tables do not share."""
    first, second = flat(table), flat(other)
    names = first.keys() | second.keys()
    return sorted(name for name in names if first.get(name) != second.get(name))


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted names as a nested table."""
    table: dict[str, Any] = {}
    for name, value in changes.items():
        *outer, last = name.split(".")
        inner = table
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return table


def merged(table: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested table with some of its entries replaced."""
    inner = [
        key
        for key, value in changes.items()
        if isinstance(value, Mapping) and isinstance(table.get(key), dict)
    ]
    return {**table, **changes, **{key: merged(table[key], changes[key]) for key in inner}}
