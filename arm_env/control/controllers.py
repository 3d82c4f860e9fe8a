"""The ``Controller`` protocol, and three simple controllers that show how to plug in another.

A controller speaks stable-baselines3's ``predict``, on batches: observations (B, n) in, actions
(B, M) out, M the number of muscles, whatever ``state`` it returned comes back, and rows whose
``episode_start`` is True begin anew. A single observation (n,) gives a single action (M,).
"""

import inspect
import math
from collections.abc import Callable
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from arm_env.arguments import detached, number, same, shown
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import isometric_torques, moment_arm_matrix, muscle_length
from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.reach import Reach
from arm_env.tasks.workspace import nearest_angles

Prediction = tuple[np.ndarray, Any]
NEWTON_STEPS = 6  # lengths are nearly linear in the angles
BEYOND = 0.5  # [rad] how far outside the joint stops noisy lengths may place a joint


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


SIGNATURE = (
    "predict(observation, state=None, episode_start=None, deterministic=False) -> (action, state)"
)


class Function:
    """A controller without a state: a function of observations (B, n) to excitations (B, M)."""

    def __init__(self, function: Callable[[np.ndarray], Any]):
        self.function = function

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        action = self.function(observation)
        try:
            return np.asarray(detached(action), dtype=float), state
        except (TypeError, ValueError, RuntimeError):
            wanted = "the excitations (B, M) of observations (B, n), and nothing else"
            raise ValueError(
                f"a function that controls arms must return {wanted}, not {shown(action)}"
            ) from None


ADAPTERS: dict[type, Callable[..., Controller]] = {}
"""What makes a controller of another library's object and a ``control_period`` [s], by the object's
class.

``arm_env.sb3`` adds that of stable-baselines3.
"""


def as_controller(value: Any, control_period: float = 0.01) -> Controller:
    """Return what a user gave as a controller: one that is, a function of the observations, a
    stable-baselines3 model.

    A model has scaled actions, and perhaps smoothed or normalised observations:
    ``arm_env.sb3.Trained`` sees to that. Raises ValueError, with the signature that is wanted, for
    anything else.
    """
    for kind, adapted in ADAPTERS.items():
        if isinstance(value, kind):
            return adapted(value, control_period=control_period)
    low = getattr(getattr(value, "action_space", None), "low", 0.0)
    if np.min(low) < 0:
        raise ValueError(
            f"the actions of {type(value).__name__} begin at {np.min(low)}, and excitations at 0: "
            "arm_env.sb3.Trained(model) makes a controller of a stable-baselines3 model"
        )
    predict = getattr(value, "predict", None)
    if isinstance(value, type) or not (callable(predict) or callable(value)):
        raise ValueError(
            f"a controller is an object with {SIGNATURE}, or a function of the observations, "
            f"not {shown(value)}"
        )
    if not callable(predict):
        return Function(value)
    try:
        inspect.signature(predict).bind(None, None, None, deterministic=True)
    except TypeError as error:
        raise ValueError(
            f"{type(value).__name__}.predict takes other arguments ({error}): "
            f"it must be {SIGNATURE}"
        ) from None
    except ValueError:
        pass  # a signature that can't be read, of compiled code
    return value


def period_of(maker: Any) -> float | None:
    """The ``control_period`` [s] that a controller or a network was made for: its own, or its
    configuration's.
    """
    configured = getattr(getattr(maker, "config", None), "control_period", None)
    return getattr(maker, "control_period", configured)


def check_period(controller: Any, control_period: float) -> None:
    """Raise ValueError for a controller or network of another control period [s]."""
    own = period_of(controller)
    if own is not None and not same(own, control_period):
        raise ValueError(
            f"the controller acts every {own} s, and the environment takes a step in "
            f"{control_period} s: give both the same control_period"
        )


def checked_observation(
    observation: Any, size: int | None, who: str = "this controller"
) -> np.ndarray:
    """Return one observation (size,) or many (B, size) as floats; ValueError for another shape or
    what isn't finite.
    """
    sensed = np.asarray(detached(observation), dtype=float)
    if sensed.ndim not in (1, 2) or sensed.shape[-1] != (size or sensed.shape[-1]):
        raise ValueError(f"{who} takes observations of {size} signals, not of shape {sensed.shape}")
    flat = sensed.ravel()
    # the product takes a fifth of the time
    if not math.isfinite(flat.dot(flat)) and not np.isfinite(flat).all():
        bad = np.flatnonzero(~np.isfinite(flat))[0]
        raise ValueError(
            f"{who} takes finite observations, and signal {bad % sensed.shape[-1]} is {flat[bad]}"
        )
    return sensed


class Still:
    """Never excites a muscle."""

    def __init__(self, muscles: int = MUSCLE_COUNT):
        self.muscles = muscles

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.zeros((*np.shape(observation)[:-1], self.muscles), dtype=np.float32), state


class Random:
    """Excitations uniform over an action space."""

    def __init__(self, action_space: gym.spaces.Box, rng: np.random.Generator):
        self.low, self.high, self.rng = action_space.low, action_space.high, rng

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        shape = (*np.shape(observation)[:-1], np.shape(self.low)[-1])
        return self.rng.uniform(self.low, self.high, shape).astype(np.float32), state


def kept(control_period: float, time_constant: float) -> float:
    """What an exponential mean keeps of itself in one control period; ValueError for a time below
    0.
    """
    time_constant = number("the time constant [s]", time_constant, 0, 1e6)
    control_period = number("the control period [s]", control_period, 0, 1, above=True)
    return float(np.exp(-control_period / time_constant)) if time_constant else 0.0


class JointSense:
    """Joint angles and velocities as the sensed muscle lengths and velocities show them, by least
    squares.
    """

    def __init__(self, arm: Arm):
        self._arm, self._numbers = arm, arm.arrays()

    def angles(self, lengths: np.ndarray) -> np.ndarray:
        """Angles [rad], (B, 2), from muscle lengths [L0], (B, 6), by Gauss-Newton steps, up to
        ``BEYOND`` the stops.
        """
        low, high = np.array(self._arm.lower_stop), np.array(self._arm.upper_stop)
        angles = np.broadcast_to((low + high) / 2, (len(lengths), 2))
        for _ in range(NEWTON_STEPS):
            missing = lengths - muscle_length(self._numbers, angles)
            angles = np.clip(angles + self._turned(missing, angles), low - BEYOND, high + BEYOND)
        return angles

    def velocities(self, velocities: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """Angular velocities [rad/s] from those of the muscles [L0/s], (B, 6), at joint angles
        [rad], (B, 2).
        """
        return self._turned(velocities, angles)

    def _turned(self, stretch: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """The turn of the joints (B, 2) nearest to a stretch of the muscles [L0], (B, 6): both are
        small.
        """
        # (B, 2, 6) ∂l/∂θ
        slope = -moment_arm_matrix(NUMPY, self._numbers, angles) / self._numbers.optimal_length
        square = slope @ slope.swapaxes(1, 2)
        return np.linalg.solve(square, slope @ stretch[..., None])[..., 0]


class JointPD:
    """Proportional-derivative control in joint space, its torque shared out over the muscles.

    Joint angles and velocities come from the sensed muscle lengths and velocities by least squares,
    the wanted angles from the command by inverse kinematics. Noise is a part of a signal's size:
    large in lengths and commands, small in the velocities of a slow arm. So velocities are taken as
    they come; angles are summed up from them and drawn towards what the lengths say with time
    constant ``smoothing``, with which the command is smoothed too. Both are the controller's state,
    (B, 4).
    """

    def __init__(
        self,
        arm: Arm | None = None,
        stiffness: float = 16.0,  # [N m / rad]
        damping: float = 2.5,  # [N m s / rad]
        smoothing: float = 0.15,  # [s]
        control_period: float = 0.01,  # [s]
    ):
        self.arm = arm or Arm()
        self.stiffness, self.damping, self.control_period = stiffness, damping, control_period
        self.keep = kept(control_period, smoothing)
        self._numbers, self._joints = self.arm.arrays(), JointSense(self.arm)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        size = SENSORY_SIZE + Reach().command_size
        sensed = np.atleast_2d(
            checked_observation(observation, size, "JointPD, which reaches for points,")
        )
        begins = np.zeros((len(sensed), 1), dtype=bool)
        if episode_start is not None:
            begins = np.reshape(episode_start, (-1, 1)).astype(bool)
        angles = self._joints.angles(sensed[:, :6])
        known = angles if state is None else np.where(begins, angles, state[:, :2])
        velocities = self._joints.velocities(sensed[:, 6:12], known)
        seen = smooth = np.concatenate([angles, sensed[:, SENSORY_SIZE:]], -1)
        if state is not None:
            moved = state + self.control_period * np.concatenate(
                [velocities, np.zeros_like(velocities)], -1
            )
            smooth = np.where(begins, seen, self.keep * moved + (1 - self.keep) * seen)
        angles = smooth[:, :2]
        target = smooth[:, 2:]
        wanted = np.clip(nearest_angles(self.arm, target), self.arm.lower_stop, self.arm.upper_stop)
        torque = self.stiffness * (wanted - angles) - self.damping * velocities
        action = self.excitations(torque, angles).astype(np.float32)
        return (action if np.ndim(observation) > 1 else action[0]), smooth

    def excitations(self, torque: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """The least excitations, (B, 6), up to the maximum, for joint torques [N m] at joint angles
        [rad], (B, 2) each.

        Least |u|² with S u = τ and u ≥ 0 is u = max(Sᵀλ, 0); Newton's steps find λ. S counts how
        well each muscle pulls at its length, and with what moment arm.
        """
        each = isometric_torques(NUMPY, self._numbers, angles)  # (B, 2, 6) [N m]
        multiplier = np.zeros((len(torque), 2))
        u = np.zeros((len(torque), MUSCLE_COUNT))
        active = np.ones_like(u)
        for _ in range(4):
            missing = torque - (each @ u[..., None])[..., 0]
            slope = each * active[:, None] @ each.swapaxes(1, 2) + 1e-3 * np.eye(2)
            multiplier = multiplier + np.linalg.solve(slope, missing[..., None])[..., 0]
            u = (multiplier[:, None] @ each)[:, 0]
            u, active = np.maximum(u, 0), (u > 0).astype(float)
        return np.minimum(u, self.arm.max_excitation)
