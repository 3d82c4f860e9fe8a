"""Movements under given commands, of many arms at once."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

import arm_env
from arm_env.control.controllers import Controller

PERIOD = 0.01  # [s]


@dataclass(frozen=True)
class Commands:
    """A schedule in which every arm has commands of its own.

    Attributes:
        values: (n, B, K) the commands of B arms, one after the other; the last ones stay.
        hold: Time for which a command stays [s].
    """

    values: np.ndarray
    hold: float

    def commands(self, rng, segment, time, task, arm):
        """Return the commands (B, K) of the arms that enter their segment, (B,)."""
        return self.values[np.minimum(segment, len(self.values) - 1), np.arange(len(segment))]


def recorded(
    controller: Controller,
    env_id: str,
    commands: Commands,
    seconds: float,
    *,
    noise: float,
    seed: int,
    **environment: Any,
) -> arm_env.Recording:
    """Return a recording of ``seconds`` [s] of the arms under their commands.

    Each arm begins on the attractor of its first command. Other arguments go to the environment.
    """
    envs = gym.make_vec(
        env_id, num_envs=commands.values.shape[1], schedule=commands, noise=noise,
        control_period=PERIOD, max_episode_steps=10**9, **environment,
    )  # fmt: skip
    recording = arm_env.record(controller, envs, round(seconds / PERIOD), seed)
    envs.close()
    return recording
