"""How the command line reads options, beside what tyro does by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructTypeInfo,
)

from arm_env.checked import Checked
from rnn_controller.watching import remark


def by_default(text: str) -> Any:
    """Return what help says of an option that may be left out."""
    return tyro.conf.arg(help_behavior_hint=f"(default: {text})")


OPTIONS = ConstructorRegistry()
_types: dict[type, dict[str, Any]] = {}
_asked: list[StructTypeInfo] = []


@OPTIONS.primitive_rule
def option(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Return how tyro reads a path, or a number or name that may be left out.

    The word None never stands for a value that is left out, and an empty text is refused.
    """
    kinds = [kind for kind in get_args(info.type) or (info.type,) if kind is not type(None)]
    if info.type in (int, float, str) or kinds not in ([int], [float], [str], [Path]):
        return None
    (kind,) = kinds

    def read(texts: list[str]) -> Any:
        if not texts[0]:
            raise ValueError("it is empty")
        return kind(texts[0])

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar={str: "NAME"}.get(kind, kind.__name__.upper()),
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


@OPTIONS.primitive_rule
def pair(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """How tyro reads two numbers that may be left out."""
    if set(get_args(info.type)) != {tuple[float, float], type(None)}:
        return None
    return PrimitiveConstructorSpec(
        nargs=2,
        metavar="FLOAT FLOAT",
        instance_from_str=lambda texts: tuple(map(float, texts)),
        is_instance=lambda value: value is None or isinstance(value, tuple),
        str_from_instance=lambda value: ["none"] if value is None else list(map(str, value)),
    )


def read_as(group: type, **types: Any) -> None:
    """Say how fields of a group of settings appear on the command line.

    ``types`` has the fields whose own type does not say it alone. So the group itself knows no
    command line.
    """
    _types[group] = types


class OptionError(Exception):
    """Options that a group of settings refuses; tyro would take a ValueError for its own."""


@OPTIONS.struct_rule
def checked(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Return how tyro makes a group of settings that checks itself.

    It makes the group as it makes any; refused values are reported in our own words.
    """
    if any(info is asked for asked in _asked) or not (
        isinstance(info.type, type) and issubclass(info.type, Checked)
    ):
        return None
    _asked.append(info)  # so that the next line comes to the other rules
    try:
        spec = ConstructorRegistry.get_struct_spec(info)
    finally:
        _asked.pop()
    if not isinstance(spec, StructConstructorSpec):
        return None
    types = _types.get(info.type, {})
    make = spec.instantiate

    def instantiate(**values: Any) -> Any:
        try:
            return make(**values)
        except ValueError as error:
            raise OptionError(error) from None

    fields = tuple(replace(f, type=types.get(f.name, f.type)) for f in spec.fields)
    return replace(spec, instantiate=instantiate, fields=fields)


def with_present_options(arguments: Sequence[str], earlier: Mapping[str, str]) -> list[str]:
    """Return the arguments with the present names of options instead of earlier ones.

    A line on stderr tells of each earlier name.
    """
    present = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in earlier:
            remark(f"note: {name} is now called {earlier[name]}")
            argument = f"{earlier[name]}{equals}{value}"
        present.append(argument)
    return present
