"""Orbits of several shapes: circles, ellipses and rounded polygons."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from arm_env.checked import within
from arm_env.codegen.primitives import at_least, at_most
from arm_env.tasks.orbits import SINGULAR, Orbit, smooth_length


@dataclass(frozen=True)
class Circle(Orbit):
    """Circles, the limit cycles of Huh & Todorov (2009), V.B.2.

    A command is centre x, y [m], radius [m] and speed [m/s]; ``Orbit`` describes the fields. With
    radius and speed 0 the cost is exactly that of reaching.
    """

    @property
    def arguments(self):
        return {} if self == Circle() else super().arguments

    def outline(self, xp, x, y, radius):
        length = smooth_length(xp, x, y)
        return length - radius, x / length, y / length

    def error(self, xp, command, x, y):
        squared, *velocity = super().error(xp, command, x, y)
        dx, dy = x - command[..., 0], y - command[..., 1]
        return xp.where(command[..., 2], squared, dx * dx + dy * dy), *velocity


@dataclass(frozen=True)
class Ellipse(Orbit):
    """Ellipses of the same area as the circle of the commanded radius.

    A command and the other fields are those of ``Orbit``. Raises ValueError for a field outside its
    range.

    Attributes:
        aspect: Length (along x) over width (along y) [-], 0.1 to 10.
    """

    aspect: float = within(2.0, 0.1, 10)

    def outline(self, xp, x, y, radius):
        """Return the distance [m] from the ellipse, and the outward unit normal x, y, (...) each.

        The closest point of the ellipse is found by three steps from evolute to evolute. It is
        exact to 1e-6 of the radius near the curve.
        """
        size = at_least(xp, radius, SINGULAR)
        a, b = size * self.aspect**0.5, size / self.aspect**0.5
        px, py = xp.where(x, x, -x), xp.where(y, y, -y)
        tx = ty = px * 0 + 0.5**0.5
        for _ in range(3):
            ex, ey = (a * a - b * b) * tx * tx * tx / a, (b * b - a * a) * ty * ty * ty / b
            ratio = smooth_length(xp, a * tx - ex, b * ty - ey) / smooth_length(
                xp, px - ex, py - ey
            )
            tx = at_most(xp, at_least(xp, ((px - ex) * ratio + ex) / a, 0.0), 1.0)
            ty = at_most(xp, at_least(xp, ((py - ey) * ratio + ey) / b, 0.0), 1.0)
            length = smooth_length(xp, tx, ty)
            tx, ty = tx / length, ty / length
        out_x, out_y = tx / a, ty / b
        length = smooth_length(xp, out_x, out_y)
        out_x, out_y = out_x / length, out_y / length
        d = (px - a * tx) * out_x + (py - b * ty) * out_y
        return d, xp.where(x, out_x, -out_x), xp.where(y, out_y, -out_y)


@dataclass(frozen=True)
class RoundedPolygon(Orbit):
    """Regular polygons with rounded corners, which touch the circle of the commanded radius.

    A command and the other fields are those of ``Orbit``. Raises ValueError for a field outside its
    range.

    Attributes:
        corners: Number of corners, 3 to 24; one points up.
        rounding: Radius of the arcs at the corners, as a share of the commanded radius [-], 0.01 to
            0.99.
    """

    corners: int = within(3, 3, 24)
    rounding: float = within(0.3, 0.01, 0.99)

    def outline(self, xp, x, y, radius):
        """Return the distance [m] from the polygon, and the outward unit normal x, y, (...) each.

        The distance is that from a smaller polygon, less the radius of the arcs.
        """
        size = (1 - self.rounding) * radius
        rounding = self.rounding * radius
        half = np.pi / self.corners
        apothem = size * float(np.cos(half))
        side = size * float(np.sin(half))
        nearest: Any = None
        inside: Any = None
        for k in range(self.corners):
            angle = np.pi / 2 + half + 2 * half * k  # of this edge's normal; one corner points up
            c, s = float(np.cos(angle)), float(np.sin(angle))
            out = x * c + y * s - apothem
            along = y * c - x * s
            beyond = at_least(xp, along - side, 0.0) + at_most(xp, along + side, 0.0)
            candidate = (out * out + beyond * beyond, out * c - beyond * s, out * s + beyond * c)
            if nearest is None:
                nearest = candidate
                inside = -out
            else:
                closer = nearest[0] - candidate[0]
                nearest = tuple(
                    xp.where(closer, new, old) for new, old in zip(candidate, nearest, strict=True)
                )
                inside = at_most(xp, inside, -out)
        length = smooth_length(xp, nearest[1], nearest[2])
        d = xp.where(inside, -length, length)
        return d - rounding, nearest[1] / d, nearest[2] / d
