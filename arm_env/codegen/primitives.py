"""The primitives of equations, so that one text serves arrays, tensors and symbols."""

from typing import Any, NamedTuple

import numpy as np

Array = Any


class Primitives(NamedTuple):
    """The functions of an array library that the equations need."""

    exp: Any
    log: Any
    sin: Any
    cos: Any
    sqrt: Any
    where: Any  # where(x, a, b): a where x > 0, else b
    stack: Any
    concatenate: Any


NUMPY = Primitives(
    np.exp,
    np.log,
    np.sin,
    np.cos,
    np.sqrt,
    lambda x, a, b: np.where(x > 0, a, b),
    np.stack,
    np.concatenate,
)


def at_least(xp: Primitives, x: Array, floor: Array) -> Array:
    """Return the larger of both; where they are equal, the derivative is that of the floor."""
    return xp.where(x - floor, x, floor)


def at_most(xp: Primitives, x: Array, ceiling: Array) -> Array:
    """Return the smaller of both; where they are equal, the derivative is that of the ceiling."""
    return xp.where(ceiling - x, x, ceiling)
