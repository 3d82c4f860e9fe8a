"""A penalty on places outside the workspace of the arm."""

from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from arm_env.tasks.task import Task
from arm_env.tasks.workspace import hand_position


class Workspace:
    """The workspace of a task in polar coordinates about the shoulder.

    A distance from the shoulder stands for an elbow angle. At each distance, the range of the
    shoulder angle is a range of directions of the hand.
    """

    def __init__(self, task: Task, arm: Any):
        elbow = np.linspace(*task.elbow, 200)[::-1]  # the distance from the shoulder grows
        x, y = hand_position(arm, np.stack([0 * elbow, elbow], -1)).T
        distance = np.hypot(x, y)
        self._near, self._far = distance[0], distance[-1]
        self._direction = CubicSpline(distance, np.arctan2(y, x))  # with a shoulder angle of 0
        self._low, self._high = task.shoulder

    def outside(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the squares of how far points are outside [m²], (...), and their gradient [m].

        Points [m] and gradient are (..., 2).
        """
        x, y = points[..., 0], points[..., 1]
        distance = np.hypot(x, y)
        held = np.clip(distance, self._near, self._far)
        radial = distance - held
        straight = (np.arctan2(y, x) - self._direction(held) + np.pi / 2) % (2 * np.pi) - np.pi / 2
        angle = straight - np.clip(straight, self._low, self._high)
        lateral = distance * angle
        # along the distance; the range of directions turns with it inside the range of distances
        turning = np.where(radial == 0, self._direction(held, 1), 0.0)
        by_distance = 2 * (radial + lateral * (angle - distance * turning))
        by_angle = 2 * lateral  # per distance
        out = points / np.maximum(distance, 1e-9)[..., None]
        across = np.stack([-out[..., 1], out[..., 0]], -1)
        gradient = by_distance[..., None] * out + by_angle[..., None] * across
        return radial**2 + lateral**2, gradient
