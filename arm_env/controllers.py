"""The ``Controller`` protocol, and three simple controllers that show how to plug in another.

A controller speaks stable-baselines3's ``predict``, on batches: observations (B, n) in, actions
(B, 6) out, whatever ``state`` it returned comes back, and rows whose ``episode_start`` is True
begin anew. A single observation (n,) gives a single action (6,).
"""

from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.tasks import joint_angles

Prediction = tuple[np.ndarray, Any]


class Controller(Protocol):
    """Anything that can drive the arm."""

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> Prediction:
        """Excitations for the observations, and the controller's next state."""


class Still:
    """Never excites a muscle."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.zeros((*np.shape(observation)[:-1], MUSCLE_COUNT), dtype=np.float32), state


class Random:
    """Excitations uniform over an action space."""

    def __init__(self, action_space: gym.spaces.Box, rng: np.random.Generator):
        self.low, self.high, self.rng = action_space.low, action_space.high, rng

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        shape = (*np.shape(observation)[:-1], MUSCLE_COUNT)
        return self.rng.uniform(self.low, self.high, shape).astype(np.float32), state


class JointPD:
    """Proportional-derivative control in joint space, its torque shared out over the muscles.

    Joint angles and velocities come from the sensed muscle lengths and velocities by least squares,
    the wanted angles from the command by inverse kinematics. Signals are noisy, so what is sensed and
    commanded is first smoothed with time constant ``smoothing``; that filter is the controller's state.
    """

    def __init__(
        self,
        arm: Arm | None = None,
        stiffness: float = 12.0,  # [N m / rad]
        damping: float = 1.2,  # [N m s / rad]
        smoothing: float = 0.03,  # [s]
        control_period: float = 0.01,  # [s]
    ):
        self.arm = arm or Arm()
        self.stiffness, self.damping = stiffness, damping
        self.keep = float(np.exp(-control_period / smoothing))
        arrays = self.arm.map(lambda value: value)
        # l − 1 = shift − (r / L0)ᵀ θ and l̇ = −(r / L0)ᵀ θ̇
        per_length = arrays.moment_arms / arrays.optimal_length
        self._shift = (per_length * arrays.optimal_angles).sum(0)
        self._angles_from_lengths = -np.linalg.pinv(per_length.T)
        self._strength = arrays.moment_arms * arrays.maximum_force  # (2, 6) torque of each muscle [N m]

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        sensed = np.atleast_2d(np.asarray(observation, dtype=float))
        smooth = sensed if state is None else self.keep * state + (1 - self.keep) * sensed
        if episode_start is not None:
            smooth = np.where(np.reshape(episode_start, (-1, 1)), sensed, smooth)
        angles = (smooth[:, :6] - 1 - self._shift) @ self._angles_from_lengths.T
        velocities = smooth[:, 6:12] @ self._angles_from_lengths.T
        torque = self.stiffness * (self._wanted(smooth[:, SENSORY_SIZE:]) - angles) - self.damping * velocities
        action = self.excitations(torque).astype(np.float32)
        return (action if np.ndim(observation) > 1 else action[0]), smooth

    def _wanted(self, target: np.ndarray) -> np.ndarray:
        """Joint angles for noisy targets: those out of reach are first pulled within it."""
        distance = np.linalg.norm(target, axis=-1, keepdims=True)
        l1, l2 = self.arm.length
        nearest = np.sqrt(l1 * l1 + l2 * l2 + 2 * l1 * l2 * np.cos(self.arm.upper_stop[1] - 0.05))
        farthest = np.sqrt(l1 * l1 + l2 * l2 + 2 * l1 * l2 * np.cos(self.arm.lower_stop[1] + 0.05))
        ahead = np.where(distance > 1e-9, target / np.maximum(distance, 1e-9), [0.0, 1.0])
        within = ahead * np.clip(distance, nearest, farthest)
        low, high = np.deg2rad(-9), np.deg2rad(139)
        wanted = joint_angles(_unstopped(self.arm), within)
        return np.clip(wanted, [low, self.arm.lower_stop[1]], [high, self.arm.upper_stop[1]])

    def excitations(self, torque: np.ndarray) -> np.ndarray:
        """Non-negative excitations (B, 6) for joint torques (B, 2) [N m].

        Every muscle pulls in proportion to what it contributes to the torque; scaled to sum to it.
        """
        weight = np.maximum(torque @ self._strength, 0)  # (B, 6)
        produced = weight @ self._strength.T
        gain = (torque * torque).sum(-1) / np.maximum((produced * torque).sum(-1), 1e-9)
        return np.clip(weight * gain[:, None], 0, self.arm.ceiling)


def _unstopped(arm: Arm) -> Any:
    """The arm as inverse kinematics sees it, turning as far as it likes."""
    wide = arm.map(lambda value: value)
    wide.lower_stop, wide.upper_stop = np.array([-10.0, 0.0]), np.array([10.0, np.pi])
    return wide
