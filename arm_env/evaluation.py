"""Run any controller over many movements and say how well it reached."""

from dataclasses import asdict, dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from arm_env.controllers import Controller
from arm_env.equations import NUMPY, hand

TARGET_SIZE = 0.04  # [m] within the target: d0 of eq. 6
SETTLED = 0.2  # [s] the end of a movement over which its endpoint error is the mean distance


@dataclass(frozen=True)
class ReachMeasures:
    """Measures of reaching, over the jump from the first to the second command of each episode."""

    fraction_within_target: float
    """Share of movements whose mean distance over the last 0.2 s is below 4 cm."""
    median_endpoint_error_m: float
    """Median of that mean distance [m]."""
    p95_endpoint_error_m: float
    """Its 95th percentile [m]."""
    mean_value: float
    """Mean of V = Σ c Δt over the whole episode."""
    median_movement_time_s: float
    """Median time from the jump to staying within 4 cm [s]; infinite for a movement that never does."""
    median_peak_speed_m_s: float
    """Median of the largest hand speed after the jump [m/s]."""
    median_minimum_jerk_correlation: float
    """Median correlation of the speed with the minimum-jerk profile of the same onset and duration."""
    median_path_deviation: float
    """Median of the largest distance from the straight line between start and end, over its length."""
    number_of_movements: int
    seed: int
    noise: float

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: what is not finite (the time of a movement that never settles) is None."""
        return {name: value if np.isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Recording:
    """What T control periods of B episodes left behind."""

    states: np.ndarray  # (T + 1, B, 10)
    commands: np.ndarray  # (T, B, K) in force during each period
    actions: np.ndarray  # (T, B, 6)
    rewards: np.ndarray  # (T, B)
    hand: np.ndarray  # (T + 1, B, 2) [m]
    speed: np.ndarray  # (T + 1, B) [m/s]


def record(controller: Controller, envs: gym.vector.VectorEnv, steps: int, seed: int, options: Any = None) -> Recording:
    """Drive a vector environment of this package with a controller, from a reset with ``seed``."""
    simulation = envs.unwrapped.simulation  # type: ignore[attr-defined]
    observation, info = envs.reset(seed=seed, options=options)
    states, commands, actions, rewards = [info["state"]], [], [], []
    memory, start = None, np.ones(envs.num_envs, dtype=bool)
    for _ in range(steps):
        action, memory = controller.predict(observation, memory, start, deterministic=True)
        commands.append(simulation.command.copy())
        observation, reward, _, _, info = envs.step(action)
        start = np.zeros(envs.num_envs, dtype=bool)
        states.append(info["state"])
        actions.append(np.asarray(action))
        rewards.append(reward)
    x, y, vx, vy = hand(NUMPY, simulation.arm.map(lambda value: value), np.array(states))
    return Recording(
        np.array(states), np.array(commands), np.array(actions), np.array(rewards),
        np.stack([x, y], -1), np.hypot(vx, vy),
    )  # fmt: skip


def evaluate(
    controller: Controller,
    env_id: str = "ReachArm-v0",
    *,
    movements: int = 1000,
    seed: int = 0,
    noise: float = 0.2,
    **env_arguments: Any,
) -> ReachMeasures:
    """Measures of a controller over ``movements`` random jumps; ``env_arguments`` go to the environment.

    The same seed gives every controller the same starts, targets and noise.
    """
    if movements < 1:
        raise ValueError(f"at least one movement is needed, not {movements}")
    envs = gym.make_vec(env_id, num_envs=movements, noise=noise, **{"max_episode_steps": 10**9, **env_arguments})
    simulation = envs.unwrapped.simulation  # type: ignore[attr-defined]
    jump = round(simulation.default_schedule.hold / simulation.control_period)
    if jump < 1:
        raise ValueError("the measures are those of a jump: they need a schedule whose commands hold for a while")
    recording = record(controller, envs, 2 * jump, seed)
    envs.close()
    return reach_measures(recording, jump, simulation.control_period, seed=seed, noise=noise)


def reach_measures(recording: Recording, jump: int, period: float, *, seed: int, noise: float) -> ReachMeasures:
    """Measures of the movements that begin ``jump`` periods into a recording."""
    path, speed = recording.hand[jump:], recording.speed[jump:]
    target = recording.commands[-1, :, :2]
    distance = np.linalg.norm(path - target, axis=-1)  # (T, B)
    error = distance[-round(SETTLED / period) :].mean(0)
    return ReachMeasures(
        fraction_within_target=float((error < TARGET_SIZE).mean()),
        median_endpoint_error_m=float(np.median(error)),
        p95_endpoint_error_m=float(np.quantile(error, 0.95)),
        mean_value=float(-recording.rewards.sum(0).mean()),
        median_movement_time_s=float(np.median(settling_time(distance, period))),
        median_peak_speed_m_s=float(np.median(speed.max(0))),
        median_minimum_jerk_correlation=float(np.median(closest_minimum_jerk(speed)[0])),
        median_path_deviation=float(np.median(path_deviation(path, path[0], target))),
        number_of_movements=path.shape[1],
        seed=seed,
        noise=noise,
    )


def settling_time(distance: np.ndarray, period: float) -> np.ndarray:
    """Time [s] after which each column of distances (T, B) stays within the target; inf if it never does."""
    outside = distance >= TARGET_SIZE
    last = np.where(outside.any(0), len(distance) - outside[::-1].argmax(0), 0)
    return np.where(outside[-1], np.inf, last * period)


def closest_minimum_jerk(speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The minimum-jerk profiles nearest to speeds (T, B): their correlations (B,), and themselves (T, B).

    Profiles are s² (1 − s)², s from 0 at the movement's onset to 1 at its end (Flash & Hogan 1985), and
    0 outside; onset, end and height are those of the best fit, and the correlation is over all T
    samples, so a skewed rise, a long tail and a tremor on the target all count against it. (Onset and
    end by a threshold on the speed fail here: under noise the hand never falls still.)
    """
    onset, end = (index[:, None] for index in np.triu_indices(len(speed), k=8))  # (P, 1)
    s = np.clip((np.arange(len(speed)) - onset) / (end - onset), 0, 1)  # (P, T)
    shapes = s**2 * (1 - s) ** 2
    varying = shapes - shapes.mean(1, keepdims=True)
    varying /= np.linalg.norm(varying, axis=1, keepdims=True)
    centred = speed - speed.mean(0)
    size = np.linalg.norm(centred, axis=0)
    correlations = varying @ (centred / np.where(size > 0, size, 1))  # (P, B)
    nearest = shapes[correlations.argmax(0)].T  # (T, B)
    return correlations.max(0), nearest * (nearest * speed).sum(0) / (nearest * nearest).sum(0)


def path_deviation(path: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Largest distance of paths (T, B, 2) from the lines start → end, (B, 2) each, over their lengths, (B,)."""
    along = end - start
    length = np.maximum(np.linalg.norm(along, axis=-1), 1e-9)
    relative = path - start
    across = np.abs(relative[..., 0] * along[:, 1] - relative[..., 1] * along[:, 0]) / length
    return across.max(0) / length
