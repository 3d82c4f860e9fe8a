"""Osculating circles: the commands of circles that touch a curve and have its curvature."""

from collections.abc import Callable

import numpy as np

# [m] radii of the commands
WIDEST = 0.08
TIGHTEST = 0.03

Curve = Callable[[float], np.ndarray]


def osculating_circles(
    place: np.ndarray,
    velocity: np.ndarray,
    acceleration: np.ndarray,
    radii: tuple[float, float] = (TIGHTEST, WIDEST),
) -> np.ndarray:
    """Return the circles (n, 4) that osculate a curve, in the direction of travel.

    Places [m], velocities [m/s] and accelerations [m/s²] along the curve are (n, 2). Where the
    radius of curvature is outside the range ``radii`` [m], the circle is that of the nearest radius
    in the range that touches the curve.
    """
    speed = np.maximum(np.linalg.norm(velocity, axis=-1), 1e-9)
    left = np.stack([-velocity[:, 1], velocity[:, 0]], -1) / speed[:, None]
    turn = (acceleration * left).sum(-1)  # above 0 to the left, anticlockwise
    side = np.where(turn > 0, 1.0, -1.0)
    radius = np.clip(speed * speed / np.maximum(np.abs(turn), 1e-9), *radii)
    centre = place + (side * radius)[:, None] * left
    return np.column_stack([centre, radius, -side * speed])


def osculating(curve: Curve, lap: float) -> Callable[[float], np.ndarray]:
    """Return commands (4,) over time [s]: circles that osculate a curve, in ``lap`` [s] a round.

    The curve is a function from a phase to a point [m].
    """

    def command(time: float) -> np.ndarray:
        phase = time / lap
        eps = 1e-4
        behind, here, ahead = (curve(phase + shift) for shift in (-eps, 0.0, eps))
        velocity = (ahead - behind) / (2 * eps * lap)
        acceleration = (ahead - 2 * here + behind) / (eps * lap) ** 2
        return osculating_circles(here[None], velocity[None], acceleration[None])[0]

    return command
