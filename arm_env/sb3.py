"""The vector environments as stable-baselines3's ``VecEnv``, and its models as controllers.

>>> from stable_baselines3 import PPO
>>> from arm_env.sb3 import as_sb3_vec_env
>>> model = PPO("MlpPolicy", as_sb3_vec_env("ReachArm-v0", 64))

``arm_env`` itself never imports it: pip install 'rnn-motor-control[baselines]'.
"""

import inspect
import time
from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from arm_env.arguments import detached
from arm_env.dynamics.layout import MUSCLE_COUNT
from arm_env.envs.vector_env import ArmVectorEnv, check_native
from arm_env.sb3_model import RunningMeans, TimeConstant, Trained, side_by_side

__all__ = [
    "ArmVecEnv",
    "ScaledExcitations",
    "Smoothed",
    "SmoothedObservations",
    "Trained",
    "as_sb3_vec_env",
]
Indices = None | int | Iterable[int]
AT_THE_END = ("distance", "cost_distance", "cost_velocity", "cost_effort", "is_success")
"""Keys of the info of an episode's last step, in addition to those of SB3."""


class ScaledExcitations(gym.spaces.Box):
    """The space of actions from −1 to 1 that stand for excitations from 0 to ``max_excitation``.

    stable-baselines3 prefers that range. A saved model holds its spaces, so it knows what its
    actions mean.
    """

    def __init__(self, max_excitation: float, muscles: int = MUSCLE_COUNT):
        super().__init__(-1.0, 1.0, (muscles,), np.float32)
        self.max_excitation = max_excitation

    def __setstate__(self, state: Any) -> None:
        """Take on a saved state, also one that knows ``max_excitation`` by its earlier name."""
        super().__setstate__(state)
        if "ceiling" in vars(self):
            self.max_excitation = vars(self).pop("ceiling")


class SmoothedObservations(gym.spaces.Box):
    """The space of observations that are exponential means over ``time_constant`` [s].

    With several time constants it holds as many means, one after the other. A saved model holds its
    spaces, and with them the time constants.
    """

    def __init__(self, space: gym.spaces.Box, time_constant: TimeConstant):
        number = np.size(time_constant)
        low, high = np.tile(space.low, number), np.tile(space.high, number)
        super().__init__(low, high, dtype=np.float32)
        self.time_constant = time_constant


def as_sb3_vec_env(
    env_id: str = "ReachArm-v0", num_envs: int = 64, **arguments: Any
) -> "ArmVecEnv":
    """Return a vector environment of this package for stable-baselines3.

    ``arguments`` go to ``gymnasium.make_vec``. Raises ValueError for the environments of other
    packages and for other vectorization modes; ``stable_baselines3.common.env_util.make_vec_env``
    serves those.
    """
    mode = arguments.pop("vectorization_mode", None)
    check_native(env_id, mode, "use stable_baselines3.common.env_util.make_vec_env for that")
    envs = gym.make_vec(
        env_id, num_envs=num_envs, **{**arguments, "autoreset_mode": AutoresetMode.SAME_STEP}
    )
    return ArmVecEnv(envs)


class ArmVecEnv(VecEnv):
    """B arms under actions (B, M) from −1 to 1, which stand for excitations from 0 to the largest.

    An episode only ends by truncation, so ``TimeLimit.truncated`` is always set and SB3 bootstraps.
    The info of its last step holds the entries of SB3's ``Monitor``, and ``AT_THE_END``; other
    infos are empty. Raises ValueError for environments of another package, and for arms with
    another autoreset mode than SAME_STEP.
    """

    def __init__(self, envs: gym.vector.VectorEnv):
        arms = getattr(envs, "unwrapped", None)
        if not isinstance(arms, ArmVectorEnv):
            raise ValueError(f"ArmVecEnv wraps a vector environment of this package, not {envs}")
        if arms.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise ValueError(
                "stable-baselines3 expects arms that restart in the same step: "
                "autoreset_mode='SameStep'"
            )
        self.envs = envs
        self._arms = arms
        muscles = self._arms.task.body.muscle_count
        actions = ScaledExcitations(self._arms.arm.max_excitation, muscles)
        self._scale = actions.max_excitation / 2
        super().__init__(envs.num_envs, envs.single_observation_space, actions)
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": self._arms.metadata["render_fps"],
        }
        self._actions = np.zeros((self.num_envs, muscles))
        self._returns, self._lengths = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=int)
        self._begun = time.time()

    def reset(self) -> np.ndarray:
        """Reset all arms with the latest seed and options; return observations (B, n).

        Raises ValueError if the arms were given different options.
        """
        if any(options != self._options[0] for options in self._options):
            raise ValueError("all arms of a vector environment start under the same options")
        observations, _ = self.envs.reset(seed=self._seeds[0], options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:], self._begun = 0, 0, time.time()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions (B, M), from −1 to 1, for the next ``step_wait``."""
        self._actions = (np.asarray(detached(actions), dtype=float) + 1) * self._scale

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Return observations (B, n), rewards (B,), ends (B,) and infos after a control period."""
        observations, rewards, _, done, info = self.envs.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            infos[i] = {
                **{key: info["final_info"][key][i].item() for key in AT_THE_END},
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
        """Return an attribute that all arms share, once for each index."""
        return [getattr(self._arms, attr_name) for _ in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        return hasattr(self._arms, attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute that all arms share, such as ``noise``, from the next reset of an arm.

        An automatic reset at the end of an episode counts. Raises ValueError for some of the arms
        only.
        """
        if indices is not None and len(set(self._get_indices(indices))) < self.num_envs:
            raise ValueError(
                "the arms of a vector environment share their attributes: give no indices"
            )
        self._arms.set_attr(attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any
    ) -> list[Any]:
        """Raise AttributeError, since the arms have no environments of their own."""
        raise AttributeError(
            "the arms of a vector environment are not separate environments, so there is no "
            f"{method_name}() to call on each"
        )

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper], indices: Indices = None
    ) -> list[bool]:
        """Return, for each index, whether episodes are reported as by that wrapper.

        They are reported as by ``Monitor``.
        """
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]


class Smoothed(VecEnvWrapper):
    """A wrapper that turns observations into their exponential mean over ``time_constant`` [s].

    It is a filter for policies without memory. With c time constants it shows c means side by side,
    (B, c n): a fast one for what moves, and a slow one for what stays, such as the command. Raises
    ValueError for a ``VecEnv`` of another package, and for a time constant below 0.
    """

    def __init__(self, venv: VecEnv, time_constant: TimeConstant):
        if not isinstance(venv, VecEnv) or not venv.has_attr("control_period"):
            raise ValueError(
                f"Smoothed wraps a stable-baselines3 VecEnv of this package's arms, not {venv}"
            )
        self._filter = RunningMeans(venv.get_attr("control_period")[0], time_constant)
        assert isinstance(venv.observation_space, gym.spaces.Box)
        super().__init__(venv, SmoothedObservations(venv.observation_space, time_constant))
        self._means: np.ndarray = np.zeros(0)

    def __getstate__(self) -> dict[str, Any]:
        # SB3 keeps its class attributes here, which can't be pickled
        return {key: value for key, value in vars(self).items() if key != "class_attributes"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, class_attributes=dict(inspect.getmembers(type(self))))

    def reset(self) -> np.ndarray:
        """Reset all arms; return observations (B, c n), which are their own means."""
        self._means = self._filter.first(np.asarray(self.venv.reset()))
        return side_by_side(self._means)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Return smoothed observations (B, c n), rewards (B,), ends (B,) and infos."""
        sensed, rewards, done, infos = self.venv.step_wait()
        first = np.asarray(sensed)
        last = first.copy()
        ends = np.flatnonzero(done)
        for i in ends:
            last[i] = infos[i]["terminal_observation"]
        self._means = self._filter.next(self._means, last)
        for i in ends:
            infos[i]["terminal_observation"] = side_by_side(self._means[i])
        self._means[ends] = self._filter.first(first[ends])
        return side_by_side(self._means), rewards, done, infos
