"""Evaluation of any controller over many movements."""

from typing import Any, Literal, overload

import gymnasium as gym
import numpy as np

from arm_env.arguments import count, detached
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import SIGNATURE, as_controller, check_period
from arm_env.envs.vector_env import ArmVectorEnv, check_native
from arm_env.tasks.measures import (  # noqa: F401  some for old imports
    DEPARTED,
    LONG_ENOUGH,
    MIDDLING,
    SETTLED,
    TARGET_SIZE,
    TOWARD,
    Measures,
    Recording,
    closest_minimum_jerk,
    path_deviation,
    settling_steps,
    settling_time,
    starts_toward,
    trailing_mean,
)
from arm_env.tasks.orbits import CycleMeasures, cycle_measures  # noqa: F401
from arm_env.tasks.reach import ReachMeasures, reach_measures  # noqa: F401
from arm_env.tasks.schedules import hold_of

MOST_MOVEMENTS = 10**6
LONGEST = 3600.0  # [s] all of a recording is in memory


def record(
    controller: Any, envs: gym.vector.VectorEnv, steps: int, seed: int, options: Any = None
) -> Recording:
    """Return a recording of B arms that a controller drives for ``steps`` control periods.

    ``envs`` is a vector environment of this package, from ``gymnasium.make_vec``. It is reset with
    ``seed`` and the ``options`` of ``reset``. ``controller`` is an object with ``predict``, a
    function of the observations, or a model of stable-baselines3. The arrays of the ``Recording``
    are (T, B, ...), T being ``steps``. Raises ValueError for another environment or controller, and
    for a controller of another control period.

    >>> envs = gymnasium.make_vec("ReachArm-v0", num_envs=10)
    >>> recording = record(JointPD(), envs, steps=200, seed=0)
    >>> recording.hand.shape
    (201, 10, 2)
    """
    if not isinstance(envs.unwrapped, ArmVectorEnv):
        raise ValueError(
            "envs must be a vector environment of this package, from gymnasium.make_vec, not "
            f"{envs}"
        )
    simulation = envs.unwrapped.simulation
    steps = count("steps", steps)
    controller = as_controller(controller, simulation.control_period)
    check_period(controller, simulation.control_period)
    observation, info = envs.reset(seed=seed, options=options)
    states = [np.array(info["state"])]
    forces = [info.get("hand_force")]
    commands = []
    actions = []
    rewards = []
    memory = None
    start = np.ones(envs.num_envs, dtype=bool)
    for _ in range(steps):
        predicted = controller.predict(observation, memory, start, deterministic=True)
        if not isinstance(predicted, tuple) or len(predicted) != 2:
            raise ValueError(
                f"{type(controller).__name__}.predict must return (action, state): {SIGNATURE}"
            )
        action, memory = predicted
        commands.append(simulation.command.copy())
        observation, reward, _, _, info = envs.step(action)
        start = np.zeros(envs.num_envs, dtype=bool)
        states.append(np.array(info["state"]))
        forces.append(info.get("hand_force"))
        # a copy, since the controller may write to its array again
        actions.append(np.array(detached(action)))
        rewards.append(np.array(reward))
    x, y, vx, vy = simulation.body.hand(NUMPY, simulation.arm.arrays(), np.array(states))
    return Recording(
        np.array(states), np.array(commands), np.array(actions), np.array(rewards),
        np.stack([x, y], -1), np.stack([vx, vy], -1),
        None if forces[0] is None else np.array(forces),
    )  # fmt: skip


@overload
def evaluate(
    controller: Any,
    env_id: Literal["ReachArm-v0"] = ...,
    *,
    movements: int = ...,
    seed: int = ...,
    noise: float = ...,
    **env_arguments: Any,
) -> ReachMeasures: ...
@overload
def evaluate(
    controller: Any,
    env_id: Literal["CircleArm-v0"],
    *,
    movements: int = ...,
    seed: int = ...,
    noise: float = ...,
    **env_arguments: Any,
) -> CycleMeasures: ...
@overload
def evaluate(
    controller: Any,
    env_id: str,
    *,
    movements: int = ...,
    seed: int = ...,
    noise: float = ...,
    **env_arguments: Any,
) -> Measures: ...
def evaluate(
    controller: Any,
    env_id: str = "ReachArm-v0",
    *,
    movements: int = 1000,
    seed: int = 0,
    noise: float = 0.2,
    **env_arguments: Any,
) -> Measures:
    """Return the measures of a controller over ``movements`` random jumps of the command.

    ``controller`` is an object with ``predict``, a function of the observations, or a model of
    stable-baselines3. The same ``seed`` gives every controller the same starts, targets and noise.
    ``noise`` and ``env_arguments`` go to the environment. The measures are those of the
    environment's task, such as ``ReachMeasures``. Raises ValueError for an environment of another
    package, for a value that is no controller, and for a schedule that is too short or too long to
    be measured.

    >>> evaluate(JointPD(), "ReachArm-v0", movements=100).fraction_within_target
    """
    as_controller(controller)  # may refuse, before anything is made
    movements = count("movements", movements, 1, MOST_MOVEMENTS)
    seed = count("seed", seed)
    if "num_envs" in env_arguments:
        raise ValueError("give the number of arms as movements, not as num_envs")
    if "max_episode_steps" in env_arguments:
        raise ValueError(
            "a movement lasts as long as two commands: "
            "give a schedule's hold, not max_episode_steps"
        )
    mode = env_arguments.pop("vectorization_mode", None)
    check_native(env_id, mode, "only those can be evaluated")
    envs = gym.make_vec(
        env_id, num_envs=movements, noise=noise, max_episode_steps=-1, **env_arguments
    )
    if not isinstance(envs.unwrapped, ArmVectorEnv):
        raise ValueError(
            f"the measures are those of this package's arms, and {env_id} is another environment"
        )
    simulation = envs.unwrapped.simulation
    noise = envs.unwrapped.noise
    period = simulation.control_period
    hold = period * round(hold_of(simulation.settings.schedule) / period)
    times = simulation.task.measured(hold)
    if times[1] > LONGEST:
        raise ValueError(
            f"a movement is measured for {LONGEST} s at the most, and this one would end after "
            f"{times[1]:g} s: give a schedule with a shorter hold, or a task whose measured() says "
            "which part is measured"
        )
    start, end = (round(time / period) for time in times)
    recording = record(controller, envs, end, seed)
    envs.close()
    return simulation.task.measures(recording, start, period, seed=seed, noise=noise)
