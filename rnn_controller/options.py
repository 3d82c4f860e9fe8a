"""Rules by which the command line reads its options and ``--help`` shows them.

``tyro`` makes the parser from dataclasses. This module adds the rules that ``tyro`` lacks: groups
of options under a title, a name for the value of each option, and one line for each default.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from arm_env.checked import Checked
from arm_env.dynamics.contacts import Channel, Push
from rnn_controller.watching import remark

DEFAULTS_IN_WORDS = {"True": "on", "False": "off", "inf": "infinite", "": "none"}
METAVARS: dict[Any, str] = {int: "N", float: "NUMBER", str: "NAME", tuple[str, ...]: "[NAME ...]"}
OPTIONS = ConstructorRegistry()


@dataclass(frozen=True)
class Shown:
    """The form in which the fields of a dataclass appear on the command line.

    The dataclass itself does not hold this form, so it can be used without a command line.

    Attributes:
        types: Types, by field, where the field's own type does not say how it is read.
        groups: Names of fields, by the title of the box of ``--help`` that shows them.
    """

    types: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Box:
    """Base of the types that stand for one box of options each; ``tyro`` reads it as a dict."""

    fields: tuple[StructFieldSpec, ...] = ()


_shown: dict[type, Shown] = {}
_asked: list[StructTypeInfo] = []


def show(group: type, *, groups: Mapping[str, Sequence[str]] | None = None, **types: Any) -> None:
    """Say how the fields of a dataclass appear on the command line; see ``Shown``."""
    _shown[group] = Shown(types, groups or {})


def value(
    metavar: str | None = None, *, default: str | None = None, text: str | None = None
) -> Any:
    """Return an annotation that says how ``--help`` shows an option.

    ``metavar`` is the name of its value, ``default`` describes None as the default, and ``text``
    replaces the field's docstring.
    """
    hint = None
    if default is not None:
        # The words stand for None; another default, as of one task, is shown itself.
        hint = lambda shown: default_line(default if shown in ("none", "None") else shown)  # noqa: E731
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint, help=text)


def default_line(text: str) -> str:
    """Return the line of ``--help`` that says the default of an option."""
    return f"\n(default: {DEFAULTS_IN_WORDS.get(text, text)})"


@OPTIONS.primitive_rule
def option(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Return how tyro reads a path, or a number or name that may be left out.

    The word None never stands for a value that is left out. The reader raises ValueError for an
    empty text.
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
        metavar={str: "NAME", Path: "PATH", int: "N", float: "NUMBER"}[kind],
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


@OPTIONS.primitive_rule
def pair(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Return how tyro reads two numbers that may be left out."""
    if set(get_args(info.type)) != {tuple[float, float], type(None)}:
        return None
    return PrimitiveConstructorSpec(
        nargs=2,
        metavar="LOW HIGH",
        instance_from_str=lambda texts: tuple(map(float, texts)),
        is_instance=lambda value: value is None or isinstance(value, tuple),
        str_from_instance=lambda value: ["none"] if value is None else list(map(str, value)),
    )


@OPTIONS.primitive_rule
def contact(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Return how tyro reads a push or a channel, the numbers of its fields, that may be left out.

    The reader raises ValueError for numbers outside the ranges of the fields.
    """
    kinds = [kind for kind in get_args(info.type) if kind in (Push, Channel)]
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    names = [f.name for f in fields(kind)]
    return PrimitiveConstructorSpec(
        nargs=len(names),
        metavar=" ".join(names).upper(),
        instance_from_str=lambda texts: kind(*map(float, texts)),
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: (
            ["none"] if value is None else [str(getattr(value, name)) for name in names]
        ),
    )


class OptionError(Exception):
    """Options that a group of settings refuses; tyro would take a ValueError for its own."""


@OPTIONS.struct_rule
def box(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Return how tyro reads the options of one box, or None for any other type."""
    if not (isinstance(info.type, type) and issubclass(info.type, Box)):
        return None
    return StructConstructorSpec(instantiate=dict, fields=info.type.fields)


@OPTIONS.struct_rule
def settings(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Return how tyro makes a group of settings that checks itself, or that ``show`` was told of.

    tyro makes the group as usual. If the group refuses a value, OptionError is raised with the
    group's own message.
    """
    if any(info is asked for asked in _asked) or not (
        isinstance(info.type, type) and (issubclass(info.type, Checked) or info.type in _shown)
    ):
        return None
    # Once this type is in the list, tyro's own rules are asked for it.
    _asked.append(info)
    try:
        spec = ConstructorRegistry.get_struct_spec(info)
    finally:
        _asked.pop()
    if not isinstance(spec, StructConstructorSpec):
        return None
    shown = _shown.get(info.type, Shown())
    fields = {f.name: with_help(f, shown.types.get(f.name, f.type)) for f in spec.fields}
    make = spec.instantiate

    def instantiate(**values: Any) -> Any:
        for title in shown.groups:
            values |= values.pop(title)
        try:
            return make(**values)
        except ValueError as error:
            raise OptionError(error) from None

    boxes = [
        boxed(title, [fields.pop(name) for name in names]) for title, names in shown.groups.items()
    ]
    return replace(spec, instantiate=instantiate, fields=(*boxes, *fields.values()))


def boxed(title: str, fields: Sequence[StructFieldSpec]) -> StructFieldSpec:
    """Return one field that holds others, which ``--help`` shows in a box of their own."""
    kind = type("Box", (Box,), {"fields": tuple(fields)})
    kind.__doc__ = ""
    # The box changes no option's name.
    unprefixed: Any = Annotated[kind, tyro.conf.OmitArgPrefixes]
    return StructFieldSpec(name=title, type=unprefixed, default=kind(), helptext="")


def with_help(f: StructFieldSpec, kind: Any) -> StructFieldSpec:
    """Return a field of the given type with what ``--help`` says of it."""
    plain, *given = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if isinstance(f.default, Checked):
        # A union of groups of settings is read as the group that it holds by default.
        plain = type(f.default)
    shown = tyro.conf.arg(
        metavar=METAVARS.get(plain),
        help_behavior_hint=default_line,
    )
    # What was given comes later, so that it takes precedence.
    annotated: Any = Annotated[(plain, shown, *given)]
    return replace(f, type=annotated, helptext=in_one_line(f.helptext))


def in_one_line(text: str | Callable[[], str | None] | None) -> Callable[[], str | None]:
    """Return a function that returns a help text without the line breaks of its docstring."""

    def joined() -> str | None:
        found = text() if callable(text) else text
        return None if found is None else " ".join(found.split())

    return joined


def with_present_options(arguments: Sequence[str], earlier: Mapping[str, str]) -> list[str]:
    """Return the arguments with the present names of options instead of earlier ones.

    A line on stderr tells of each earlier name.
    """
    present = []
    for argument in arguments:
        name, equals, given = argument.partition("=")
        if name in earlier:
            remark(f"note: {name} is now called {earlier[name]}")
            argument = f"{earlier[name]}{equals}{given}"
        present.append(argument)
    return present
