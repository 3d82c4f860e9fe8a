"""The ``Controller`` protocol, and three simple controllers that show how to plug in another.

A controller has stable-baselines3's ``predict``, on batches: observations (B, n) in, actions
(B, M) out, M being the number of muscles. The ``state`` that it returned comes back with the next
call. Rows whose ``episode_start`` is True begin a new episode. A single observation (n,) gives a
single action (M,).
"""

import inspect
import math
from collections.abc import Callable
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from arm_env.arguments import detached, number, same, shown
from arm_env.codegen.primitives import NUMPY
from arm_env.control.joint_sense import JointSense
from arm_env.dynamics.equations import isometric_torques
from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.reach import Reach
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import nearest_angles

Prediction = tuple[np.ndarray, Any]


class Controller(Protocol):
    """The protocol of a controller: any object with this ``predict`` can drive the arm."""

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> Prediction:
        """Return the excitations (B, M) for observations (B, n), and the controller's next state.

        ``state`` is the one that the last call returned, None at first. ``episode_start`` (B,) is
        True for rows that begin a new episode. ``deterministic`` asks for actions without
        exploration. The observation is that of the environment, with the signals of
        ``observation_names``.
        """


SIGNATURE = (
    "predict(observation, state=None, episode_start=None, deterministic=False) -> (action, state)"
)


class Function:
    """A controller without a state, made of a function from (B, n) to excitations (B, M)."""

    def __init__(self, function: Callable[[np.ndarray], Any]):
        self.function = function

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        """Return the function's excitations (B, M) for observations (B, n), and ``state``.

        Raises ValueError if the function returns anything but numbers.
        """
        action = self.function(observation)
        try:
            return np.asarray(detached(action), dtype=float), state
        except (TypeError, ValueError, RuntimeError):
            wanted = "the excitations (B, M) of observations (B, n), and nothing else"
            raise ValueError(
                f"a function that controls arms must return {wanted}, not {shown(action)}"
            ) from None


ADAPTERS: dict[type, Callable[..., Controller]] = {}
"""Makers of a controller from another library's object and a ``control_period`` [s], by its class.

``arm_env.sb3`` adds that of stable-baselines3.
"""


def as_controller(value: Any, control_period: float = 0.01) -> Controller:
    """Return the controller that a user described.

    ``value`` is a controller, a function of the observations, or a model of stable-baselines3. A
    model has scaled actions, and perhaps smoothed or normalised observations;
    ``arm_env.sb3.Trained`` converts both. ``control_period`` [s] is that of the environment. Raises
    ValueError, with the signature that is wanted, for anything else.
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
    """Return the ``control_period`` [s] that a controller was made for, or None."""
    configured = getattr(getattr(maker, "config", None), "control_period", None)
    return getattr(maker, "control_period", configured)


def check_period(controller: Any, control_period: float) -> None:
    """Raise ValueError for a controller or network that was made for another control period [s]."""
    own = period_of(controller)
    if own is not None and not same(own, control_period):
        raise ValueError(
            f"the controller acts every {own} s, and the environment takes a step in "
            f"{control_period} s: give both the same control_period"
        )


def check_task(controller: Any, task: Task) -> None:
    """Raise ValueError for a controller that was made for commands of another kind than a task's.

    Only a controller whose attribute ``task`` is a ``Task`` says what it was made for.
    """
    own = getattr(controller, "task", None)
    if isinstance(own, Task) and tuple(own.command_names) != tuple(task.command_names):
        made, given = (f"{t.name} ({', '.join(t.command_names)})" for t in (own, task))
        raise ValueError(
            f"the controller was made for the commands of {made}, not for those of {given}"
        )


def checked_observation(
    observation: Any, size: int | None, who: str = "this controller"
) -> np.ndarray:
    """Return one observation (size,) or many (B, size) as floats.

    Raises ValueError for another shape, and for a number that is not finite.
    """
    sensed = np.asarray(detached(observation), dtype=float)
    if sensed.ndim not in (1, 2) or sensed.shape[-1] != (size or sensed.shape[-1]):
        raise ValueError(f"{who} takes observations of {size} signals, not of shape {sensed.shape}")
    flat = sensed.ravel()
    # the product takes a fifth of the time of isfinite
    if not math.isfinite(flat.dot(flat)) and not np.isfinite(flat).all():
        bad = np.flatnonzero(~np.isfinite(flat))[0]
        raise ValueError(
            f"{who} takes finite observations, and signal {bad % sensed.shape[-1]} is {flat[bad]}"
        )
    return sensed


class Still:
    """A controller that excites no muscle."""

    def __init__(self, muscles: int = MUSCLE_COUNT):
        self.muscles = muscles

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        """Return excitations of zero, (B, M), for observations (B, n), and ``state``."""
        return np.zeros((*np.shape(observation)[:-1], self.muscles), dtype=np.float32), state


class Random:
    """A controller whose excitations are drawn uniformly from an action space."""

    def __init__(self, action_space: gym.spaces.Box, rng: np.random.Generator):
        self.low, self.high, self.rng = action_space.low, action_space.high, rng

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        """Return random excitations (B, M) for observations (B, n), and ``state``."""
        shape = (*np.shape(observation)[:-1], np.shape(self.low)[-1])
        return self.rng.uniform(self.low, self.high, shape).astype(np.float32), state


def kept(control_period: float, time_constant: float) -> float:
    """Return the share that an exponential mean keeps of itself in one control period [s].

    Raises ValueError for a time constant [s] below 0.
    """
    time_constant = number("the time constant [s]", time_constant, 0, 1e6)
    control_period = number("the control period [s]", control_period, 0, 1, above=True)
    return float(np.exp(-control_period / time_constant)) if time_constant else 0.0


class JointPD:
    """Proportional-derivative control of the joint angles by the six muscles.

    It reaches for the targets of ``ReachArm-v0``. The wanted angles come from the command by
    inverse kinematics, the present angles and velocities from the sensed muscles (``JointSense``).

    Noise is proportional to a signal: large in lengths and commands, small in the velocities of a
    slow arm. So velocities are used as they are sensed. Angles are integrated from them and drawn
    towards the sensed angles with the time constant ``smoothing``, which also smooths the command.
    Both are the controller's state, (B, 4).

    ``stiffness`` is in N m / rad, ``damping`` in N m s / rad, ``smoothing`` and ``control_period``
    in s. Raises ValueError for a time constant below 0.
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
        """Return excitations (B, 6) for observations (B, 20), and the next state, (B, 4).

        One observation (20,) gives (6,).
        Raises ValueError for another shape, and for an observation that is not finite.
        """
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
        """Return the least excitations, (B, 6), for joint torques [N m], (B, 2), up to the maximum.

        The joints stand at ``angles`` [rad], (B, 2). The least |u|² with S u = τ and u ≥ 0 is
        u = max(Sᵀλ, 0); Newton steps find λ. S, (B, 2, 6), is the torque of each muscle at its
        length and moment arm.
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
