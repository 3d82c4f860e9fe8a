"""The arm as a ``gymnasium.Env``: glue between ``Simulation`` and Gymnasium."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from arm_env.arguments import detached
from arm_env.dynamics.body import Body, body_of
from arm_env.envs.attributes import SettingsAsAttributes, refuse_unknown
from arm_env.envs.info import info_of
from arm_env.envs.settings import as_orbit
from arm_env.envs.simulation import Simulation, observation_names
from arm_env.tasks.reach import Reach
from arm_env.tasks.task import Task

HAND_PATH = 100  # control periods of the hand's path that a frame shows


def action_space(body: Body, arm: Any) -> spaces.Box:
    """An excitation of each muscle, from 0 to the arm's ``max_excitation``."""
    return spaces.Box(0.0, arm.max_excitation, (body.muscle_count,), np.float32)


def frame_rate(control_period: float) -> int:
    """Frames a second of a film with a frame for every control period [s]: the whole number nearest
    to real time.
    """
    return max(1, round(1 / control_period))


class ArmEnv(SettingsAsAttributes, gym.Env[np.ndarray, np.ndarray]):
    """One arm under a task; ``ReachArmEnv`` is the specification of the reaching one.

    ``settings`` are those of ``arm_env.envs.settings.Settings``.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": 100}

    def __init__(
        self,
        task: Task,
        /,
        render_mode: str | None = None,
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
        return info_of(costs[0], command[0], self.simulation.history[-1, 0])

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


class ReachArmEnv(ArmEnv, gym.Env[np.ndarray, np.ndarray]):
    """Reach with a two-link, six-muscle arm to commanded targets (Huh & Todorov 2009).

    ## Description
    A human arm moves in a horizontal plane without gravity: two links, friction, soft joint stops, and
    three antagonistic pairs of muscles, whose moment arms change with the posture (Nijhof & Kouwenhoven
    2000). No muscle is ever quite off: the least excitation is the arm's `tone`, 0.002. The task commands a
    target for the hand, holds it, and jumps to another. Signals are noisy: each element of sensory signal,
    command and excitation is multiplied by (1 + ω), ω white and Gaussian. A `perturbation` changes the body, adds a force field or a load at the hand, or
    delays the senses; the spaces stay those of the unperturbed `arm`, so a controller can't tell from them.

    ## Action space
    `Box(0, max_excitation, (6,), float32)`: excitations of the muscles. Values outside are clipped to the box; a
    NaN or infinite one, or a wrong shape, raises ValueError and leaves the state as it was. Excitations below
    the `tone` act on the muscles as the tone does; the reward charges the action, not the tone.

    | index | muscle | action on the joints |
    |---|---|---|
    | 0 | SF, shoulder flexor | flexes the shoulder |
    | 1 | SE, shoulder extensor | extends the shoulder |
    | 2 | EF, elbow flexor | flexes the elbow |
    | 3 | EE, elbow extensor | extends the elbow |
    | 4 | BF, biarticular flexor | flexes both |
    | 5 | BE, biarticular extensor | extends both |

    ## Observation space
    `Box(low, high, (20,), float32)`, `observation_names` by index. The bounds contain every state that
    actions can lead to, and the noise up to ten of its default standard deviations; beyond, it is clipped.
    Under a sensory delay the first 18 signals are those of so long ago, or of the start of the episode, under
    noise drawn now; the command is the present one.

    | index | signal | unit |
    |---|---|---|
    | 0–5 | muscle lengths l, order as the actions | optimal lengths |
    | 6–11 | muscle velocities l̇, shortening negative | optimal lengths / s |
    | 12–17 | muscle tensions T | maximum isometric forces |
    | 18, 19 | command: target x, y from the shoulder; x to the right, y ahead | m |

    ## Reward
    `−c Δt` with the instantaneous cost of eq. 6,
    `c = 1 − e + (α/2) |v|²/v0² e + (γ/2) |u|²`, `e = exp(−d²/2d0²)`, for the state that the step ends in, the
    command that was in force, d the distance of hand and target, v the hand's velocity. By default α = 0.3, γ = 5,
    d0 = 0.04 m and v0 = 0.3 m/s.

    ## Start of an episode
    The hand rests on the first command, activations zero. Targets are uniform in space over the hand
    positions with shoulder angle in [0°, 110°] and elbow angle in [30°, 140°].

    ## End of an episode
    Never terminates. Truncates after `max_episode_steps` (200 by default: 2 s, with one jump at 1 s).

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `arm` | `Arm()` | parameters of the body, tone and maximum of the excitations among them; `Arm.macaque()` has other muscles |
    | `weights` | `CostWeights()` | α, γ, d0, v0 of the cost |
    | `noise` | 0.2 | standard deviation of ω at a 5 ms step, scaled by √(5 ms / Δt), up to 10; 0 is off |
    | `control_period` | 0.01 | Δt [s], 0.0001 to 0.1; physics takes steps of at most 5 ms inside it |
    | `schedule` | None | commands: None for random jumps every 1 s, an array (n, 2) of targets held 1 s each, a function of time [s] to a target, or an `arm_env.Schedule` (which sets other hold times) |
    | `perturbation` | None | what differs from `arm`, an `arm_env.Perturbation`: factors on `mass` and `strength`, `curl` field [N s/m] and `load` [kg] at the hand, sensory `delay` [s], a multiple of Δt |
    | `render_mode` | None | "rgb_array" or "human" |

    `arm`, `weights` and `perturbation` may also be mappings of the fields that differ, such as `{"curl": 15}`, and
    `schedule` one with its `kind`: `{"kind": "random-jumps", "hold": 2}`. So they stand in `env.spec`, which is JSON.

    All of them are attributes, too. `env.unwrapped.noise = 0.0` (or `env.set_wrapper_attr("noise", 0.0)`) acts from the
    next reset; so do `weights`, `schedule` and `perturbation`. `arm` and `control_period` can be read, but not set.

    `reset(options=...)` takes `posture` (shoulder and elbow angle [rad]), `targets` (n, 2) and
    `schedule`, for this one episode.

    ## Info
    `hand`, `target` and `command` [m], `distance` [m], `cost_distance`, `cost_velocity`, `cost_effort` (the three terms of
    c), `is_success` (the hand is within 4 cm of the target now) and `state` (10,): joint angles [rad], velocities [rad/s], activations; all
    noise-free and, like the reward, undelayed.

    ## Version history
    - v0: not released yet. Until November 2026 the default muscles were a macaque's, with constant moment arms
      and no tone (today `arm_env.Arm.macaque()`), and γ was 0.05.
    """  # noqa: E501

    def __init__(self, render_mode: str | None = None, **arguments: Any):
        super().__init__(Reach(), render_mode, **arguments)


class CircleArmEnv(ArmEnv, gym.Env[np.ndarray, np.ndarray]):
    """Draw circles with a two-link, six-muscle arm (Huh & Todorov 2009, V.B.2).

    ## Description
    The arm, its muscles and its noise are those of `ReachArm-v0`. The command is a limit cycle: a circle of
    given centre, radius, speed and direction, for the hand to run along, from wherever it is.

    ## Action space
    `Box(0, max_excitation, (6,), float32)`, as in `ReachArm-v0`.

    ## Observation space
    `Box(low, high, (22,), float32)`, `observation_names` by index. The first 18 signals are those of
    `ReachArm-v0`.

    | index | signal | unit |
    |---|---|---|
    | 18, 19 | command: centre x, y from the shoulder | m |
    | 20 | command: radius | m |
    | 21 | command: speed v_d, above 0 for clockwise | m/s |

    ## Reward
    `−c Δt` with the instantaneous cost of eq. 7,
    `c = (1 − e)(1 + (α/2) v_d²/v0²) + (α/2) e |v − v_d n|²/v0² + (γ/2) |u|²`, `e = exp(−d²/2d0²)`, d the distance of
    the hand from the circle, n the clockwise tangent at the hand, for the state that the step ends in and the
    command that was in force. Within 0.1 mm of the centre, where there is no tangent, n fades to zero. With
    radius and speed 0 it is the reward of `ReachArm-v0` under the same weights. By default α = 2, γ = 0.05,
    d0 = 0.04 m and v0 = 0.3 m/s.

    ## Start of an episode
    The hand is on the first command's circle at a random phase, with the velocity commanded there, activations
    zero. Random commands have a radius of 4 to 10 cm and a lap of 0.8 to 2 s (uniform; the speed, 0.13 to 0.79
    m/s, follows), either direction with equal chance, and a centre uniform over those whose whole circle has
    shoulder angles in [0°, 110°] and elbow angles in [30°, 140°].

    ## End of an episode
    Never terminates. Truncates after `max_episode_steps` (600 by default: 6 s, with one jump at 3 s).

    ## Arguments
    Those of `ReachArm-v0` (a command is four numbers, random ones change every 3 s, the weights' default is
    `Orbit.weights`), and

    | name | default | meaning |
    |---|---|---|
    | `orbit` | `Circle()` | the shape, and the ranges of random commands: `Ellipse()`, `RoundedPolygon()` or an `arm_env.Orbit` of your own; or a name, `"ellipse"`, or a mapping, `{"kind": "ellipse", "aspect": 3}` |

    ## Info
    As in `ReachArm-v0`; `target` is the centre, `distance` that from the circle, `command` all four numbers.
    `is_success`: the hand is within 1.5 cm of the circle, and its speed along it is within 25 % of the commanded one.

    ## Version history
    - v0: not released yet. Until November 2026 the default muscles were a macaque's, as for `ReachArm-v0`.
    """  # noqa: E501

    def __init__(self, render_mode: str | None = None, orbit: Any = None, **arguments: Any):
        super().__init__(as_orbit(orbit), render_mode, **arguments)
