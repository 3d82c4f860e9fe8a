"""The vector environments behind stable-baselines3's ``VecEnv``; the only module that knows SB3.

>>> from stable_baselines3 import PPO
>>> from arm_env.sb3 import as_sb3_vec_env
>>> model = PPO("MlpPolicy", as_sb3_vec_env("ReachArm-v0", 64))

``arm_env`` itself never imports it: pip install 'rnn-motor-control[baselines]'.
"""

import time
from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize

from arm_env.controllers import Prediction, kept
from arm_env.plant import MUSCLE_COUNT

Indices = None | int | Iterable[int]


def as_sb3_vec_env(env_id: str = "ReachArm-v0", num_envs: int = 64, **arguments: Any) -> "ArmVecEnv":
    """A native vector environment for stable-baselines3; ``arguments`` go to ``gymnasium.make_vec``."""
    envs = gym.make_vec(env_id, num_envs=num_envs, **{**arguments, "autoreset_mode": AutoresetMode.SAME_STEP})
    return ArmVecEnv(envs)


class ArmVecEnv(VecEnv):
    """``num_envs`` arms; actions from −1 to 1 stand for excitations from 0 to the ceiling, as SB3 prefers.

    An episode only ends by truncation, so ``TimeLimit.truncated`` is always set and SB3 bootstraps.
    """

    def __init__(self, envs: gym.vector.VectorEnv):
        self.envs = envs
        ceiling = envs.unwrapped.simulation.arm.ceiling  # type: ignore[attr-defined]
        self._scale = ceiling / 2
        actions = gym.spaces.Box(-1.0, 1.0, (MUSCLE_COUNT,), np.float32)
        super().__init__(envs.num_envs, envs.single_observation_space, actions)
        self._actions = np.zeros((self.num_envs, MUSCLE_COUNT))
        self._returns, self._lengths = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=int)
        self._begun = time.time()

    def reset(self) -> np.ndarray:
        """Begin anew, with the seed and options given last."""
        if any(options != self._options[0] for options in self._options):
            raise ValueError("all arms of a vector environment start under the same options")
        observations, _ = self.envs.reset(seed=self._seeds[0], options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:], self._begun = 0, 0, time.time()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = (np.asarray(actions, dtype=float) + 1) * self._scale

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        observations, rewards, _, done, info = self.envs.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            infos[i] = {
                "terminal_observation": info["final_obs"][i],
                "TimeLimit.truncated": True,
                "episode": {
                    "r": float(self._returns[i]),
                    "l": int(self._lengths[i]),
                    "t": round(time.time() - self._begun, 6),
                },
            }
        self._returns[done], self._lengths[done] = 0, 0
        return observations, rewards.astype(np.float32), done, infos

    def close(self) -> None:
        self.envs.close()

    def get_images(self) -> list[np.ndarray | None]:
        frames: Any = self.envs.render()
        return [None] * self.num_envs if frames is None else list(frames)

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """What all arms share, once for each index."""
        return [getattr(self.envs, attr_name) for _ in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        return hasattr(self.envs, attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        if indices is not None:
            raise ValueError("the arms of a vector environment share their attributes: give no indices")
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        raise AttributeError(f"the arms of a vector environment are no environments of their own: no {method_name}")

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: Indices = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


class Smoothed(VecEnvWrapper):
    """Observations as their exponential mean over ``time_constant`` [s]: a filter for policies that have no memory."""

    def __init__(self, venv: VecEnv, time_constant: float):
        super().__init__(venv)
        self._keep = kept(venv.get_attr("simulation")[0].control_period, time_constant)
        self._mean: np.ndarray = np.zeros(0)

    def reset(self) -> np.ndarray:
        self._mean = np.asarray(self.venv.reset())
        return self._mean

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        sensed, rewards, done, infos = self.venv.step_wait()
        first = np.asarray(sensed)
        last, ends = first.copy(), np.flatnonzero(done)
        for i in ends:
            last[i] = infos[i]["terminal_observation"]
        mean = (self._keep * self._mean + (1 - self._keep) * last).astype(np.float32)
        for i in ends:
            infos[i]["terminal_observation"] = mean[i].copy()
        mean[ends] = first[ends]
        self._mean = mean
        return mean, rewards, done, infos


class Trained:
    """A stable-baselines3 model that was trained on ``ArmVecEnv``, as a controller of the environments.

    One that was trained on ``Smoothed`` observations is given their time constant as ``smoothing`` [s].
    """

    def __init__(
        self,
        model: Any,
        normalisation: VecNormalize | None = None,
        ceiling: float = 1.0,
        smoothing: float = 0.0,
        control_period: float = 0.01,  # [s]
    ):
        self.model, self.normalisation, self.ceiling = model, normalisation, ceiling
        self._keep = kept(control_period, smoothing)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> Prediction:
        """Excitations (B, 6) for observations (B, 18 + K)."""
        observation = np.asarray(observation)
        past, memory = (observation, None) if state is None else state
        if episode_start is not None:
            past = np.where(np.reshape(episode_start, (*observation.shape[:-1], 1)), observation, past)
        mean = (self._keep * past + (1 - self._keep) * observation).astype(observation.dtype)
        shown = mean if self.normalisation is None else self.normalisation.normalize_obs(mean)
        action, memory = self.model.predict(shown, memory, episode_start, deterministic)
        return (np.asarray(action, dtype=float) + 1) * (self.ceiling / 2), (mean, memory)
