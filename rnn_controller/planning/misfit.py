"""The squared distance between the path of a hand and a curve, and its gradient."""

import numpy as np

SLACK = 0.1  # of a lap
LONGEST_SLACK = 0.5  # [s]


class Misfit:
    """The mean squared distance between a hand and a course, in both directions.

    From each place of the hand, and from each place of the course, the distance is that to the
    nearest place of the other within ``slack`` control periods. So the hand may be early or late by
    that time, but it leaves out no part of the course and keeps their order.
    """

    def __init__(self, course: np.ndarray, slack: int):
        """Take a course [m], (T, 2), and compute what all calls share."""
        self.course = course
        periods = len(course)
        ahead, behind = np.roll(course, -1, 0), np.roll(course, 1, 0)
        step = np.linalg.norm(ahead - behind, axis=1)
        self._tangent = (ahead - behind) / np.maximum(step, 1e-12)[:, None]
        self._half = step / 4  # [m] half the way to the next place
        around = np.arange(-slack, slack + 1)
        here = np.arange(periods)[:, None]
        self._near = (here + around) % periods  # (T, W) places of the course, for each of the hand
        # (T, W) places of the hand for each of the course, and where their distances are
        self._hand = np.clip(here - around, 0, periods - 1)
        self._entry = here - self._hand + slack

    def __call__(self, hand: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the misfit [m²] of places of the hand (T, 2), and its gradient [m], (T, 2)."""
        x, y = (
            part[:, None] - wanted[self._near]
            for part, wanted in zip(hand.T, self.course.T, strict=True)
        )
        square = x * x + y * y
        every = np.arange(len(hand))
        nearest = self._near[every, square.argmin(1)]
        closest = self._hand[every, square[self._hand, self._entry].argmin(1)]
        cost, gradient = 0.0, np.zeros_like(hand)
        for moved, aimed in ((every, nearest), (closest, every)):
            gap = self._gap(hand[moved], aimed)
            cost += float((gap * gap).sum()) / len(hand)
            np.add.at(gradient, moved, 2 * gap / len(hand))
        return cost, gradient

    def _gap(self, hand: np.ndarray, aimed: np.ndarray) -> np.ndarray:
        """Return the way from the course, between its places too, to the hand [m], (n, 2)."""
        gap = hand - self.course[aimed]
        tangent, half = self._tangent[aimed], self._half[aimed]
        along = np.clip((gap * tangent).sum(-1), -half, half)
        return gap - along[:, None] * tangent


def slack_of(periods: int, control_period: float) -> int:
    """Return how many control periods the hand may be early or late."""
    return max(1, round(min(SLACK * periods, LONGEST_SLACK / control_period)))
