"""The arm as a ``gymnasium.vector.VectorEnv``: a batch in compiled code, all autoreset modes."""

import importlib
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import load_env_creator
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from arm_env.arguments import count, flag, mapping
from arm_env.dynamics.body import body_of
from arm_env.dynamics.layout import TERMS
from arm_env.envs.attributes import SettingsAsAttributes, meant, refuse_unknown
from arm_env.envs.base import action_space, frame_rate
from arm_env.envs.info import info_of, muscle_info_of
from arm_env.envs.settings import as_orbit
from arm_env.envs.simulation import Simulation, observation_names
from arm_env.tasks.reach import Reach
from arm_env.tasks.task import Task

MOST_ENVS = 10**7
NO_LIMIT = -1  # what gymnasium.make takes for an episode that never ends


class ArmVectorEnv(SettingsAsAttributes, VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """B = ``num_envs`` arms in one array, with one random generator.

    Actions are (B, M), observations (B, n), rewards (B,). Arguments are those of the environment of
    one arm, such as ``ReachArmEnv``, and

    - ``max_episode_steps``: length of an episode; −1 is no limit;
    - ``autoreset_mode``: NEXT_STEP (the action after an end is ignored, its reward is 0), SAME_STEP
      (``final_obs`` and ``final_info`` in info) or DISABLED (call
      ``reset(options={"reset_mask": mask})``, mask (B,));
    - ``device``: "cpu", or "cuda" for an NVIDIA GPU, which pays for thousands of arms. Its numbers
      agree with those of the processor to some 1e-9 in a period; all arrays are NumPy's.

    Options of ``reset`` hold until its next call. All arms share the settings. A new one
    (``envs.unwrapped.noise = 0.0`` or ``envs.unwrapped.set_attr("noise", 0.0)``) acts on all arms
    from the next reset of any arm, also from an automatic one. Raises TypeError for an unknown
    argument and ValueError for a value that is not allowed.
    """

    metadata = {
        "render_modes": ["rgb_array"],
        "render_fps": 100,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        task: Task,
        /,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        muscle_info: bool = False,
        device: str = "cpu",
        **settings: Any,
    ):
        refuse_unknown(settings, type(self), body_of(task))
        number = count("num_envs", num_envs, 1, MOST_ENVS)
        if render_mode not in (None, "rgb_array"):
            raise ValueError(
                f"unknown render_mode {render_mode!r}: many arms render as None or 'rgb_array'"
            )
        self.max_episode_steps = self._time_limit(max_episode_steps, task)
        self.render_mode = render_mode
        self.muscle_info = flag("muscle_info", muscle_info)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.simulation = Simulation(number, task, device=device, **settings)
        self.metadata = {
            **self.metadata,
            "autoreset_mode": self.autoreset_mode,
            "render_fps": frame_rate(self.control_period),
        }
        self.single_observation_space = spaces.Box(
            self.simulation.low, self.simulation.high, dtype=np.float32
        )
        self.single_action_space = action_space(self.simulation.body, self.simulation.arm)
        self.observation_space = batch_space(self.single_observation_space, number)
        self.action_space = batch_space(self.single_action_space, number)
        self.observation_names = observation_names(self.task)
        self._ended = np.zeros(number, dtype=bool)  # episodes that the next step restarts
        self._start = self.simulation.start(None)  # of episodes that begin by themselves
        self._renderer: Any = None
        self._ready = False

    @property
    def num_envs(self) -> int:  # type: ignore[override]
        """Number B of arms."""
        return self.simulation.number

    def _time_limit(self, steps: Any, task: Task) -> int:
        """Return the last step of an episode for a ``max_episode_steps`` of ``gymnasium.make``."""
        if steps is None:
            return task.max_episode_steps
        if isinstance(steps, int | np.integer) and steps == NO_LIMIT:
            return np.iinfo(np.int64).max
        return count("max_episode_steps", steps, 1)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute that all arms share, once for each arm."""
        return (getattr(self, name),) * self.num_envs

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute that all arms share.

        ``values`` is one value, or a list of one for each arm, all equal. Raises ValueError for
        different values, and AttributeError for an unknown name.
        """
        if not hasattr(self, name):
            raise AttributeError(f"the environment has no attribute {name!r} to set{meant(name)}")
        if isinstance(values, list | tuple) and len(values) == self.num_envs and name != "schedule":
            if any(value != values[0] for value in values):
                raise ValueError(
                    f"the arms of a vector environment share {name}: give one value for all, "
                    f"not {values}"
                )
            values = values[0]
        setattr(self, name, values)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return an attribute once for each arm; raise AttributeError for a method."""
        if callable(getattr(self, name)):
            raise AttributeError(
                "the arms of a vector environment are not separate environments, so there is no "
                f"{name}() to call on each"
            )
        return self.get_attr(name)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        given = mapping("options", options)  # a copy: wrappers read the mask after us
        mask = given.pop("reset_mask", None)
        which = np.ones(self.num_envs, dtype=bool) if mask is None else np.asarray(mask)
        if which.dtype != bool or which.shape != (self.num_envs,) or not which.any():
            raise ValueError(
                f"reset_mask is a boolean array of shape ({self.num_envs},) with one True at least"
            )
        if not self._ready and not which.all():
            raise ResetNeeded("the first reset must be of all environments")
        start = self.simulation.start(given)  # may refuse, and then nothing has changed
        super().reset(seed=seed)
        self.simulation.reset(self.np_random, which, start)
        self._start, self._ready = start, True
        self._ended = self._ended & ~which
        costs, observations = self.simulation.present()
        return observations, self._info(costs, self.simulation.command)

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        if not self._ready:
            raise ResetNeeded("call reset before the first step")
        simulation = self.simulation
        again = self._ended
        u = simulation.checked_action(actions, ignored=again)
        command = simulation.command
        costs, observations = simulation.step(self.np_random, u)
        distance, velocity, effort = costs.T[TERMS]
        rewards = -(distance + velocity + effort) * simulation.control_period
        if again.any():
            simulation.reset(self.np_random, again, self._start)
            first_costs, first_observations = simulation.present()
            costs = np.where(again[:, None], first_costs, costs)
            command = np.where(again[:, None], simulation.command, command)
            observations = np.where(again[:, None], first_observations, observations)
            rewards[again] = 0.0
        truncated = simulation.elapsed >= self.max_episode_steps
        infos = self._info(costs, command)
        if truncated.any() and self.autoreset_mode is AutoresetMode.SAME_STEP:
            observations, infos = self._restart(truncated, observations, infos)
        self._ended = truncated & (self.autoreset_mode is AutoresetMode.NEXT_STEP)
        return observations, rewards, np.zeros(self.num_envs, dtype=bool), truncated, infos

    def _restart(
        self, ended: np.ndarray, observations: np.ndarray, infos: dict[str, Any]
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Reset the arms whose episode has ended, (B,) bool; keep their last values in infos."""
        self.simulation.reset(self.np_random, ended, self._start)
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            final[i] = observations[i]
        costs, first_observations = self.simulation.present()
        fresh = np.where(ended[:, None], first_observations, observations)
        new = self._info(costs, self.simulation.command)
        for key, value in infos.items():
            kept = ~ended if value.ndim == 1 else ~ended[:, None]
            new[key] = np.where(kept, value, new[key])
        last = {**infos, **{f"_{key}": ended.copy() for key in infos if key[0] != "_"}}
        return fresh, {
            **new,
            "final_obs": final, "_final_obs": ended.copy(),
            "final_info": last, "_final_info": ended.copy(),
        }  # fmt: skip

    def _info(self, costs: np.ndarray, command: np.ndarray) -> dict[str, Any]:
        info: dict[str, Any] = info_of(
            costs, command, self.simulation.state, self.simulation.hand_force
        )
        if self.muscle_info:
            info |= muscle_info_of(self.simulation)
        masks = np.ones((len(info), self.num_envs), dtype=bool)
        return {**info, **{f"_{key}": mask for key, mask in zip(info, masks, strict=True)}}

    def render(self) -> tuple[np.ndarray, ...] | None:
        if self.render_mode is None:
            return None
        if self._renderer is None:
            from arm_env.envs.rendering import Renderer

            self._renderer = Renderer(
                self.simulation.arm, self.render_mode, self.metadata["render_fps"], self.task
            )
        radius = self.simulation.settings.weights.target_radius
        nowhere = np.empty((0, 2))
        return tuple(
            self._renderer.draw(state, command, nowhere, radius).copy()
            for state, command in zip(self.simulation.state, self.simulation.command, strict=True)
        )

    def close_extras(self, **kwargs: Any) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def check_native(env_id: str, vectorization_mode: Any, otherwise: str) -> None:
    """Raise ValueError unless ``gymnasium.make_vec`` makes an ``ArmVectorEnv`` of this id.

    The message says what to do ``otherwise``. If a function is registered as the entry point, it is
    not known beforehand what it makes. An id that is not registered is left to ``make_vec``, which
    has an error of its own.
    """
    module, _, name = str(env_id).rpartition(":")
    if module:
        importlib.import_module(module)
    if name not in gym.registry:
        return
    entry_point = gym.registry[name].vector_entry_point
    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    foreign = creator is None or (
        isinstance(creator, type) and not issubclass(creator, ArmVectorEnv)
    )
    if foreign or vectorization_mode not in (
        None,
        "vector_entry_point",
        gym.VectorizeMode.VECTOR_ENTRY_POINT,
    ):
        how = (
            "" if vectorization_mode is None else f" with vectorization_mode {vectorization_mode!r}"
        )
        raise ValueError(
            f"this is for this package's arms in their own vector environment, "
            f"not {env_id!r}{how}: {otherwise}"
        )


class ReachArmVectorEnv(ArmVectorEnv, VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """B ``ReachArmEnv`` at once; ``ArmVectorEnv`` describes the arguments and shapes."""

    def __init__(self, num_envs: int = 1, max_episode_steps: int | None = None, **arguments: Any):
        super().__init__(Reach(), num_envs, max_episode_steps, **arguments)


class CircleArmVectorEnv(ArmVectorEnv, VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """B ``CircleArmEnv`` at once; ``ArmVectorEnv`` describes the arguments and shapes."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        orbit: Any = None,
        **arguments: Any,
    ):
        super().__init__(as_orbit(orbit), num_envs, max_episode_steps, **arguments)
