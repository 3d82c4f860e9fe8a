"""The forces and walls at the hands of a batch of arms, in every control period."""

import numpy as np

from arm_env.dynamics import equations
from arm_env.dynamics.contacts import no_contacts
from arm_env.dynamics.layout import FORCE, WALL
from arm_env.dynamics.perturbations import Perturbation
from arm_env.envs.own_arrays import OwnArrays


class Contacts(OwnArrays):
    """Pushes and walls at the hands of B arms, each of which has its own clock and line."""

    def __init__(self, number: int, perturbation: Perturbation, control_period: float):
        self.present = no_contacts(number)  # (B, 7)
        self.force = np.zeros((number, 2))  # [N] on the hands at the end of the last period
        self._push, self._channel = perturbation.push, perturbation.channel
        self._period = control_period

    def begin(self, which: np.ndarray) -> None:
        """Take the walls away in the arms of a mask (B,), whose episodes begin."""
        self.present[which] = 0
        self.force[which] = 0

    def at(self, elapsed: np.ndarray) -> np.ndarray:
        """Return the contacts (B, 7) in the period after ``elapsed`` (B,) periods."""
        if self._push:
            self.present[:, FORCE] = self._push.forces(elapsed, self._period)
        return self.present

    def jump(self, which: np.ndarray, hand: np.ndarray, target: np.ndarray) -> None:
        """Put walls between hands and new targets, (B, 2) [m] each, in the arms of a mask (B,)."""
        if self._channel:
            self.present[which, WALL] = self._channel.walls(hand[which], target[which])

    def end(self, hand: tuple[np.ndarray, ...]) -> None:
        """Compute the forces at the end of a period; ``hand`` is x, y, v_x, v_y, (B,) each."""
        self.force = np.stack(equations.hand_force(self.present, *hand)[:2], -1)
