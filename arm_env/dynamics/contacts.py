"""Contacts of the hand: a push, and a channel that holds the hand on a straight line.

Sources
-------
SBM00  Scheidt, Reinkensmeyer, Conditt, Rymer & Mussa-Ivaldi (2000), Persistence of motor adaptation
       during constrained, multi-joint, arm movements: the force channel.
"""

from dataclasses import dataclass

import numpy as np

from arm_env.checked import Checked, within
from arm_env.dynamics.layout import CONTACT_SIZE

SHORTEST_LINE = 1e-3  # [m] a channel has no direction if its ends are nearer to each other
LATEST = 1e6  # [s]


@dataclass(frozen=True)
class Push(Checked):
    """A force on the hand for some time, the same in every episode.

    Raises ValueError for a value outside its range.

    Attributes:
        force: Size of the force [N], 0 to 200.
        direction: Direction of the force [rad]: 0 is along x, to the right, and π/2 along y, away
            from the shoulder.
        start: Time at which the push begins [s], from the start of the episode. (With the default
            schedule the command first jumps after ``Task.hold``, 1 s for reaching.)
        duration: Time that it lasts [s].
    """

    force: float = within(0.0, 0, 200)
    direction: float = within(0.0, -2 * np.pi, 2 * np.pi)
    start: float = within(0.0, 0, LATEST)
    duration: float = within(0.1, 0, LATEST)

    def forces(self, elapsed: np.ndarray, control_period: float) -> np.ndarray:
        """Return the forces x, y [N], (B, 2), in the period after ``elapsed`` (B,) periods.

        Their mean over a period of ``control_period`` [s] is exact: where the push begins or ends
        within a period, the force is smaller.
        """
        begins = elapsed * control_period
        ends = np.minimum(begins + control_period, self.start + self.duration)
        share = (ends - np.maximum(begins, self.start)) / control_period
        # the sum of two times may be a rounding error away from a whole number of periods
        share = np.clip(np.round(share, 9), 0, 1)
        direction = np.array([np.cos(self.direction), np.sin(self.direction)])
        return self.force * share[:, None] * direction


@dataclass(frozen=True)
class Channel(Checked):
    """A force channel: a wall on both sides of the straight line from the hand to a new target.

    When a command jumps, a spring and a damper begin to hold the hand on the line from where the
    hand is to the new target. They act across the line only. Without a jump there is no wall. The
    force with which a person or network pushes against the wall shows the force that it expects
    (Scheidt et al. 2000). Raises ValueError for a value outside its range.

    Attributes:
        stiffness: Stiffness across the line [N/m], 0 to 20,000.
        damping: Damping across the line [N s/m], 0 to 1000.
    """

    stiffness: float = within(4000.0, 0, 20_000)
    damping: float = within(60.0, 0, 1000)

    def walls(self, hand: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return walls along the lines from ``hand`` to ``target``, (B, 2) [m] each.

        The walls (B, 5) have the columns ``arm_env.dynamics.layout.WALL``. The normal points to the
        left of the movement. Where hand and target are nearer than a millimetre there is no wall.
        """
        along = target - hand
        length = np.linalg.norm(along, axis=-1, keepdims=True)
        there = length >= SHORTEST_LINE
        normal = np.stack([-along[:, 1], along[:, 0]], -1) / np.where(there, length, 1.0)
        offset = (normal * hand).sum(-1, keepdims=True)
        properties = np.tile([self.stiffness, self.damping], (len(hand), 1))
        return np.where(there, np.hstack([normal, offset, properties]), 0.0)


def no_contacts(number: int) -> np.ndarray:
    """Return contacts of a number of hands that nothing touches, (number, 7)."""
    return np.zeros((number, CONTACT_SIZE))
