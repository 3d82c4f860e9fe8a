"""Groups of settings that check themselves: frozen dataclasses whose fields are held to ranges."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from arm_env.arguments import count, flag, number, numbers, shown

T = TypeVar("T")


if TYPE_CHECKING:

    class OrMapping(Generic[T]):
        """A field that is a ``T``, and may be given as a mapping, as type checkers see it."""

        def __get__(self, instance: object, owner: Any) -> T: ...
        def __set__(self, instance: object, value: T | Mapping[str, Any]) -> None: ...

else:

    class OrMapping:
        """``OrMapping[T]`` is the type of a field that is a ``T``, and may be given as a mapping:
        just T.
        """

        def __class_getitem__(cls, kind):
            return kind


def fresh(kind: Callable[[], Any]) -> Any:
    """Declare a dataclass field whose default is made again for every instance."""
    return field(default_factory=kind)


def group(name: str, value: Any, kind: type[T], default: T) -> T:
    """Return an instance of the dataclass ``kind``, made from the argument ``name``.

    ``value`` is an instance, a mapping of the fields that differ from the ``default``, or None for
    the default. Raises ValueError for anything else.
    """
    if value is None:
        return default
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        example = fields(kind)[0].name  # type: ignore[arg-type]
        raise ValueError(
            f"{name} must be {_article(kind.__name__)}, a mapping of its fields "
            f"such as {{{example!r}: …}}, or None, not {shown(value)}"
        )
    return filled(name, value, default)


def filled(name: str, value: Mapping[Any, Any], default: T) -> T:
    """Return ``default`` with the fields of a mapping replaced.

    Raises ValueError for a field that it does not have, and for a value outside its range.
    """
    known = [f.name for f in fields(default)]  # type: ignore[arg-type]
    value = with_present_names(type(default), value)
    unknown = [key for key in value if key not in known]
    if unknown:
        raise ValueError(f"{name} has no field {unknown[0]!r}: there are {', '.join(known)}")
    try:
        return replace(default, **dict(value))  # type: ignore[type-var]
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


@dataclass(frozen=True)
class Range:
    """The range of a field of a ``Checked`` group.

    The field is a number, or a tuple of numbers shaped like its default.

    Attributes:
        low: Lowest value.
        high: Highest value.
        above: Whether ``low`` itself is excluded.
        infinite: Whether infinity is allowed.
        optional: Whether None is allowed.
        whole: Whether the numbers are whole.
        ascending: Whether the numbers of a tuple must not fall.
        shape: Shape of the tuple; () for a number.
    """

    low: float
    high: float
    above: bool
    infinite: bool
    optional: bool
    whole: bool
    ascending: bool
    shape: tuple[int, ...]

    def checked(self, name: str, value: Any) -> Any:
        """Return the value of the field ``name`` as plain numbers.

        Raises ValueError for a value outside the range.
        """
        if value is None and self.optional:
            return None
        if self.whole:
            return count(
                name, value, int(self.low), None if math.isinf(self.high) else int(self.high)
            )
        if self.shape:
            result = numbers(name, value, self.shape, self.low, self.high, above=self.above)
            if self.ascending and list(result) != sorted(result):
                raise ValueError(f"{name} must go from low to high, not {shown(value)}")
            return result
        return number(name, value, self.low, self.high, above=self.above, infinite=self.infinite)


def within(
    default: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    infinite: bool = False,
    whole: bool | None = None,
    ascending: bool = False,
    shape: tuple[int, ...] | None = None,
) -> Any:
    """Declare a dataclass field that a ``Checked`` group holds to its range.

    The field has the shape of its default, unless ``shape`` is given. A default that is an int
    makes it a whole number. With a default of None, None is allowed; ``whole`` and ``shape`` then
    describe the other values. An ``ascending`` tuple is a range: its numbers must not fall.
    """
    whole = isinstance(default, int) if whole is None else whole
    if shape is None:
        shape = () if default is None else np.shape(default)
    allowed = Range(low, high, above, infinite, default is None, whole, ascending, shape)
    return field(default=default, metadata={"range": allowed})


@dataclass(frozen=True)
class Checked:
    """A frozen group of settings that checks itself when it is made.

    Fields declared by ``within`` become plain floats, ints or tuples in their range. Fields whose
    default is a bool become bools. Otherwise the group raises a ``ValueError`` that names the
    field.

    Attributes:
        earlier_names: Present names of fields by their earlier names, which files may still hold.
    """

    earlier_names: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if "range" in f.metadata:
                object.__setattr__(self, f.name, f.metadata["range"].checked(f.name, value))
            elif f.default is not MISSING and isinstance(f.default, bool):
                object.__setattr__(self, f.name, flag(f.name, value))


def with_present_names(kind: type, values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a mapping of the fields of ``kind`` with present names in place of earlier ones.

    Raises ValueError for a field that is given under both names.
    """
    earlier = getattr(kind, "earlier_names", {})
    for name in values:
        if name in earlier and earlier[name] in values:
            raise ValueError(f"give either {earlier[name]} or {name}, which is its earlier name")
    return {earlier.get(name, name): value for name, value in values.items()}


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
