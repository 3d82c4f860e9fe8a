"""The arm as a ``gymnasium.Env``: the adapter from ``Simulation`` to Gymnasium."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from arm_env.arguments import detached, flag
from arm_env.dynamics.body import Body, body_of
from arm_env.envs.attributes import SettingsAsAttributes, refuse_unknown
from arm_env.envs.info import info_of, muscle_info_of
from arm_env.envs.simulation import Simulation, observation_names
from arm_env.tasks.task import Task

HAND_PATH = 100  # control periods of the hand's path that a frame shows


def action_space(body: Body, arm: Any) -> spaces.Box:
    """Return the space of actions: an excitation of each muscle, (M,), from 0 to the largest."""
    return spaces.Box(0.0, arm.max_excitation, (body.muscle_count,), np.float32)


def frame_rate(control_period: float) -> int:
    """Return the frame rate [1/s] of a film with one frame for every control period [s].

    It is the whole number nearest to real time.
    """
    return max(1, round(1 / control_period))


class ArmEnv(SettingsAsAttributes, gym.Env[np.ndarray, np.ndarray]):
    """One arm under a task, as a Gymnasium environment.

    The docstrings of its subclasses, such as ``ReachArmEnv``, specify the environments.
    ``settings`` are the arguments of ``arm_env.envs.settings.Settings.of``. Raises TypeError for an
    unknown argument and ValueError for a value that is not allowed.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": 100}

    def __init__(
        self,
        task: Task,
        /,
        render_mode: str | None = None,
        muscle_info: bool = False,
        **settings: Any,
    ):
        refuse_unknown(settings, type(self), body_of(task))
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"unknown render_mode {render_mode!r}: choose None, 'human' or 'rgb_array'"
            )
        self.simulation = Simulation(1, task, **settings)
        self.metadata = {**self.metadata, "render_fps": frame_rate(self.control_period)}
        self.render_mode = render_mode
        self.muscle_info = flag("muscle_info", muscle_info)
        self.observation_space = spaces.Box(
            self.simulation.low, self.simulation.high, dtype=np.float32
        )
        self.action_space = action_space(self.simulation.body, self.simulation.arm)
        self._action_shape = (self.simulation.body.muscle_count,)
        self.observation_names = observation_names(self.task)
        self._renderer: Any = None
        self._path: list[np.ndarray] = []
        self._ready = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        start = self.simulation.start(options)  # may refuse, and then nothing has changed
        super().reset(seed=seed)
        self.simulation.reset(self.np_random, np.ones(1, dtype=bool), start)
        self._ready = True
        costs, observation = self.simulation.present()
        info = self._info(costs, self.simulation.command)
        self._path = [info["hand"].copy()]
        if self.render_mode == "human":
            self.render()
        return observation[0], info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if not self._ready:
            raise gym.error.ResetNeeded("call reset before the first step")
        simulation = self.simulation
        u = np.array(detached(action), dtype=float)
        if u.shape != self._action_shape:
            raise ValueError(
                f"an action is {self._action_shape[0]} excitations, shape {self._action_shape}, "
                f"not {u.shape}"
            )
        u = simulation.held(u[None])
        if self._renderer is not None:
            simulation.point(self._renderer.pointer)
        command = simulation.command
        costs, observation = simulation.step(self.np_random, u)
        info = self._info(costs, command)
        cost = info["cost_distance"] + info["cost_velocity"] + info["cost_effort"]
        reward = -cost * simulation.settings.control_period
        if self.render_mode is not None:
            self._path = [*self._path[1 - HAND_PATH :], info["hand"].copy()]
        if self.render_mode == "human":
            self.render()
        return observation[0], reward, False, False, info

    def _info(self, costs: np.ndarray, command: np.ndarray) -> dict[str, Any]:
        simulation = self.simulation
        force = simulation.hand_force
        state = simulation.history[-1, 0]
        info = info_of(costs[0], command[0], state, None if force is None else force[0])
        if self.muscle_info:
            info |= {name: values[0] for name, values in muscle_info_of(simulation).items()}
        return info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        if self.render_mode is None:
            gym.logger.warn("render needs a render_mode: gym.make(..., render_mode='rgb_array')")
            return None
        if self._renderer is None:
            from arm_env.envs.rendering import Renderer

            self._renderer = Renderer(
                self.simulation.arm, self.render_mode, self.metadata["render_fps"], self.task
            )
        simulation = self.simulation
        radius = simulation.settings.weights.target_radius
        return self._renderer.draw(
            simulation.state[0], simulation.command[0], np.array(self._path), radius
        )

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
