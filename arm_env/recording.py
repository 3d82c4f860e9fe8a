"""Recording of the movements that a controller makes."""

import json
import sys
from dataclasses import asdict
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from arm_env.arguments import count, detached, shown
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import SIGNATURE, as_controller, check_period, check_task
from arm_env.envs.settings import Settings
from arm_env.envs.vector_env import ArmVectorEnv
from arm_env.tasks.recording import Recording


def record(
    controller: Any,
    envs: gym.vector.VectorEnv,
    steps: int,
    seed: int,
    options: Any = None,
    *,
    senses: bool = False,
    neural_states: bool = True,
) -> Recording:
    """Return a recording of B arms that a controller drives for ``steps`` control periods.

    ``envs`` is a vector environment of this package, from ``gymnasium.make_vec``. It is reset with
    ``seed`` and the ``options`` of ``reset``. ``controller`` is an object with ``predict``, a
    function of the observations, or a model of stable-baselines3. The arrays of the ``Recording``
    are (T, B, ...), T being ``steps``. With ``senses`` it holds the sensory signals without noise,
    too. Its ``neural_states`` are kept if the controller returns arrays (B, N) as its state. Raises
    ValueError for another environment or controller, for a controller of another control period or
    of other commands, and for more steps than an episode has.

    >>> envs = gymnasium.make_vec("ReachArm-v0", num_envs=10)
    >>> recording = record(JointPD(), envs, steps=200, seed=0)
    >>> recording.hand.shape
    (201, 10, 2)
    """
    arms = getattr(envs, "unwrapped", None)
    if not isinstance(arms, ArmVectorEnv):
        raise ValueError(
            "envs must be a vector environment of this package, from gymnasium.make_vec, not "
            f"{shown(envs) if isinstance(envs, str) else envs}"
        )
    simulation = arms.simulation
    steps = count("steps", steps)
    _check_length(arms, steps)
    seed = None if seed is None else count("seed", seed)
    controller = as_controller(controller, simulation.control_period)
    check_period(controller, simulation.control_period)
    check_task(controller, simulation.task)
    observation, info = envs.reset(seed=seed, options=options)
    states = [np.array(info["state"])]
    forces = [info.get("hand_force")]
    commands = []
    actions = []
    rewards = []
    neural = NeuralStates(envs.num_envs, keep=neural_states)
    memory = None
    start = np.ones(envs.num_envs, dtype=bool)
    for _ in range(steps):
        predicted = controller.predict(observation, memory, start, deterministic=True)
        if not isinstance(predicted, tuple) or len(predicted) != 2:
            raise ValueError(
                f"{type(controller).__name__}.predict must return (action, state): {SIGNATURE}"
            )
        action, memory = predicted
        neural.add(memory)
        commands.append(simulation.command.copy())
        observation, reward, _, _, info = envs.step(action)
        start = np.zeros(envs.num_envs, dtype=bool)
        states.append(np.array(info["state"]))
        forces.append(info.get("hand_force"))
        # a copy, since the controller may write to its array again
        actions.append(np.array(detached(action)))
        rewards.append(np.array(reward))
    settings, body = simulation.settings, simulation.body
    present = np.array(states)
    x, y, vx, vy = body.hand(NUMPY, simulation.arm.arrays(), present)
    moved = settings.perturbation.applied_to(settings.arm).arrays()
    periods = (steps, envs.num_envs)
    return Recording(
        states=present,
        commands=np.reshape(commands, (*periods, simulation.task.command_size)),
        actions=np.reshape(actions, (*periods, body.muscle_count)),
        rewards=np.reshape(rewards, periods),
        hand=np.stack([x, y], -1),
        velocity=np.stack([vx, vy], -1),
        neural_states=neural.array(getattr(controller, "rest_state", None)),
        senses=body.sense(NUMPY, moved, present) if senses else None,
        hand_force=None if forces[0] is None else np.array(forces),
        control_period=simulation.control_period,
        labels=simulation.task.labels,
        source=_source(settings, seed),
    )


def _check_length(envs: ArmVectorEnv, steps: int) -> None:
    """Raise ValueError if an episode begins anew within the steps."""
    longest = envs.max_episode_steps - (envs.autoreset_mode is AutoresetMode.SAME_STEP)
    if steps > longest:
        raise ValueError(
            f"steps must be up to {longest} here, not {steps}: then the episodes of these "
            "environments end, and others begin. Make them with max_episode_steps=-1"
        )


def _source(settings: Settings, seed: int) -> dict[str, Any]:
    return {
        "task": settings.task.name,
        "env_id": settings.task.env_id,
        "seed": seed,
        "noise": settings.noise,
        "perturbation": json.loads(json.dumps(asdict(settings.perturbation))),
        "version": str(sys.modules["arm_env"].__version__),
    }


class NeuralStates:
    """The states (B, N) that a controller returns, as long as they are arrays of one shape."""

    def __init__(self, number: int, keep: bool = True):
        self._number = number
        self._keep = keep
        self._states: list[np.ndarray] = []

    def add(self, state: Any) -> None:
        """Keep a copy of the state that the controller returned in one period."""
        array = detached(state) if self._keep else None
        self._keep = (
            isinstance(array, np.ndarray)
            and array.dtype.kind in "fiu"
            and array.shape == (self._number, array.size // self._number)
            and array.size > 0
            and (not self._states or self._states[0].shape == array.shape)
        )
        if self._keep:
            self._states.append(np.array(array, dtype=float))

    def array(self, rest: Any) -> np.ndarray | None:
        """Return the states at all instants, (T + 1, B, N), or None if there are none.

        The first ones are ``rest``, (N,), or NaN if that is no state of this size.
        """
        if not self._keep or not self._states:
            return None
        first = np.full_like(self._states[0], np.nan)
        if np.shape(rest) == first.shape[1:]:
            first[:] = rest
        return np.array([first, *self._states])
