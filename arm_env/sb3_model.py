"""Models of stable-baselines3 as controllers; users find them in ``arm_env.sb3``."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from arm_env.arguments import detached, number, shown
from arm_env.control.controllers import ADAPTERS, Prediction, checked_observation, kept
from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.envs.settings import LONGEST_PERIOD, SHORTEST_PERIOD

TimeConstant = float | Sequence[float]
"""Time constant [s] of an exponential mean, or those of several."""

# [optimal lengths] in any posture, half of an arm's muscles are much longer than this
SHORTEST_LENGTH = 0.4


def normalised(observations: Any) -> bool:
    """Whether a model saw these observations (B, n) last under ``VecNormalize``.

    A saved model holds its latest observations, but not its ``VecNormalize``. Muscle lengths are
    0.5 to 1.5 L0 as the arm senses them, and 0 on average when normalised.
    """
    seen: Any = observations if isinstance(observations, np.ndarray) else np.empty(0)
    return (
        seen.ndim == 2
        and seen.shape[1] > SENSORY_SIZE
        and bool(np.median(seen[:, :MUSCLE_COUNT]) < SHORTEST_LENGTH)
    )


class RunningMeans:
    """Exponential means of observations (..., n) over c time constants [s].

    Raises ValueError if there is none, and for one below 0; 0 stands for the observation itself.
    """

    def __init__(self, control_period: float, time_constant: TimeConstant):
        several: Any = time_constant if np.ndim(time_constant) else [time_constant]
        shares = [kept(control_period, each) for each in several]
        if not shares:
            raise ValueError("give at least one time constant [s]")
        self.number = len(shares)
        self._keep = np.array(shares)[:, None]

    def first(self, observation: np.ndarray) -> np.ndarray:
        """Return the means (..., c, n) at the beginning of an episode."""
        return np.repeat(observation[..., None, :], self.number, axis=-2)

    def next(self, means: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Return the means (..., c, n) one control period later."""
        fresh = observation[..., None, :]
        return (self._keep * means + (1 - self._keep) * fresh).astype(observation.dtype)


def side_by_side(means: np.ndarray) -> np.ndarray:
    """Return means (..., c, n) as one new observation (..., c n)."""
    return means.reshape(*means.shape[:-2], -1).copy()


class Trained:
    """A stable-baselines3 model as a controller of the environments.

    It turns actions from −1 to 1, if those are the model's, into excitations, and shows the model
    the observations of its training. The model's spaces, saved or not, hold the maximum excitation
    and the time constant of ``Smoothed``. The statistics of ``VecNormalize`` are those of the
    model's environment; a model that was loaded without one needs them as ``normalisation``. Values
    given here take precedence over those of the model.

    ``smoothing`` is the time constant [s] of ``Smoothed``, or a list of several. ``control_period``
    [s] is that of the environment in which the model is to act, not that of its training. Raises
    ValueError for an object without ``predict``, and for a value outside its range.
    """

    def __init__(
        self,
        model: Any,
        normalisation: VecNormalize | None = None,
        max_excitation: float | None = None,
        smoothing: TimeConstant | None = None,
        control_period: float = 0.01,
    ):
        actions = getattr(model, "action_space", None)
        observations = getattr(model, "observation_space", None)
        environment = getattr(model, "get_vec_normalize_env", lambda: None)()
        self.model, self.normalisation = model, normalisation or environment
        self._scaled = np.min(getattr(actions, "low", -1.0)) < 0
        if not callable(getattr(model, "predict", None)):
            raise ValueError(
                f"Trained makes a controller of a stable-baselines3 model, not of {shown(model)}"
            )
        if max_excitation is None:
            max_excitation = getattr(actions, "max_excitation", 1.0)
        if smoothing is None:
            smoothing = getattr(observations, "time_constant", 0.0)
        if self.normalisation is None and normalised(getattr(model, "_last_obs", None)):
            arms = "as_sb3_vec_env(env_id, 1)"
            arms = f"Smoothed({arms}, {smoothing})" if np.ndim(smoothing) else arms
            warnings.warn(
                "this model has seen normalised observations: give Trained the statistics of its "
                f"VecNormalize, Trained(model, VecNormalize.load(path, {arms}))",
                stacklevel=2,
            )
        self.max_excitation = number("max_excitation", max_excitation, 0, 100, above=True)
        self.smoothing = smoothing
        control_period = number("control_period", control_period, SHORTEST_PERIOD, LONGEST_PERIOD)
        self._means = RunningMeans(control_period, smoothing)
        # without smoothing, the model may act at any control period
        self.control_period = control_period if np.any(smoothing) else None
        size = getattr(observations, "shape", (None,))[-1]
        self._size = None if size is None else size // self._means.number

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> Prediction:
        """Return excitations (B, 6) for observations (B, 18 + K), and the next state.

        One observation (18 + K,) gives (6,). ``state`` is the one that the last call returned. Rows
        whose ``episode_start`` (B,) is True begin a new episode. Raises ValueError for another
        shape, and for an observation that is not finite.
        """
        observation = np.asarray(detached(observation))
        checked_observation(observation, self._size, "this model")
        means, memory = (self._means.first(observation), None) if state is None else state
        before = (*np.shape(means)[:-2], np.shape(means)[-1])
        if before != observation.shape:
            raise ValueError(
                f"the state is for observations of shape {before}, not {observation.shape}: "
                "give None to begin"
            )
        if episode_start is not None:
            begun = np.reshape(episode_start, (*observation.shape[:-1], 1, 1))
            means = np.where(begun, self._means.first(observation), means)
        means = self._means.next(means, observation)
        seen: Any = side_by_side(means)
        if self.normalisation is not None:
            seen = self.normalisation.normalize_obs(seen)
        action, memory = self.model.predict(seen, memory, episode_start, deterministic)
        action = np.asarray(action, dtype=float)
        return (action + 1) * (self.max_excitation / 2) if self._scaled else action, (means, memory)


ADAPTERS[BaseAlgorithm] = Trained
