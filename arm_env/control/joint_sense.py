"""Joint angles and velocities from the sensory signal."""

import numpy as np

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import moment_arm_matrix, muscle_length
from arm_env.dynamics.parameters import Arm

NEWTON_STEPS = 6  # lengths are nearly linear in the angles
BEYOND = 0.5  # [rad] how far outside the joint stops noisy lengths may place a joint


class JointSense:
    """An estimator of joint angles and velocities from sensed muscle lengths and velocities.

    It finds them by least squares over the muscles. The first 18 signals of an observation are the
    lengths, velocities and tensions of six muscles each. With observations (B, n):

    >>> joints = JointSense(Arm())
    >>> angles = joints.angles(observations[:, 0:6])  # (B, 2) [rad]
    >>> velocities = joints.velocities(observations[:, 6:12], angles)  # (B, 2) [rad/s]

    Nothing is filtered. Noise is proportional to a signal: it is large in lengths, and small in the
    velocities of a slow arm. ``JointPD`` shows a filter for both. ``arm`` holds the parameters of
    the unperturbed arm.
    """

    def __init__(self, arm: Arm):
        self._arm, self._numbers = arm, arm.arrays()

    def angles(self, lengths: np.ndarray) -> np.ndarray:
        """Return the joint angles [rad], (B, 2), from muscle lengths [L0], (B, 6).

        They are found by Gauss-Newton steps and lie at most ``BEYOND`` outside the joint stops.
        """
        low, high = np.array(self._arm.lower_stop), np.array(self._arm.upper_stop)
        angles = np.broadcast_to((low + high) / 2, (len(lengths), 2))
        for _ in range(NEWTON_STEPS):
            missing = lengths - muscle_length(self._numbers, angles)
            angles = np.clip(angles + self._turned(missing, angles), low - BEYOND, high + BEYOND)
        return angles

    def velocities(self, velocities: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """Return the angular velocities [rad/s], (B, 2), from those of the muscles [L0/s], (B, 6).

        The joints stand at ``angles`` [rad], (B, 2).
        """
        return self._turned(velocities, angles)

    def _turned(self, stretch: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """Return the joints' turn (B, 2) nearest to a small stretch [L0] of the muscles (B, 6)."""
        # (B, 2, 6) ∂l/∂θ
        slope = -moment_arm_matrix(NUMPY, self._numbers, angles) / self._numbers.optimal_length
        square = slope @ slope.swapaxes(1, 2)
        return np.linalg.solve(square, slope @ stretch[..., None])[..., 0]
