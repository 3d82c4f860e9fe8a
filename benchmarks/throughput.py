"""Compare PPO's speed on this package's vector environment and on stable-baselines3's.

``python -m benchmarks.throughput`` times the same PPO with the same number of arms, in turn in one
run.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from arm_env.files import write_whole
from arm_env.sb3 import as_sb3_vec_env
from benchmarks.runs import parsed
from benchmarks.speed import interleaved
from rnn_controller.options import value


@dataclass(frozen=True)
class Args:
    """Measure environment steps per second of PPO, with rollouts and updates, and print them.

    Examples:
      python -m benchmarks.throughput
      python -m benchmarks.throughput --arms 16 --rounds 3
    """

    env: str = "ReachArm-v0"
    """Environment id."""
    arms: int = 64
    """Number of arms in the vector environment."""
    epochs: int = 4
    """Passes over each rollout. With SB3's default of 10, updates take most of the time."""
    batch: int = 1024
    """Size of a minibatch."""
    rounds: int = 5
    """Number of timings of each, of which the median is taken."""
    steps: int = 3
    """Number of rollouts of 64 steps, with their updates, in each timing."""
    json: Annotated[Path | None, value("FILE")] = None
    """File that the numbers are also written to, as JSON."""


def dummy(env_id: str, arms: int) -> VecEnv:
    """Return SB3's usual vector environment: single environments in one process."""
    return make_vec_env(env_id, arms, seed=0, vec_env_cls=DummyVecEnv, wrapper_class=rescaled)


def rescaled(env: gym.Env) -> gym.Env:
    """Rescale the actions to −1 … 1, as SB3 prefers."""
    return gym.wrappers.RescaleAction(env, np.float32(-1), np.float32(1))


def training(environments: VecEnv, args: Args) -> Callable[[], object]:
    """Return a PPO training with SB3's settings, except for rollouts of 64 steps and ``args``."""
    batches = {"n_steps": 64, "batch_size": args.batch, "n_epochs": args.epochs}
    model = PPO("MlpPolicy", environments, seed=0, device="cpu", **batches)  # type: ignore[arg-type]
    return lambda: model.learn(args.steps * 64 * environments.num_envs)


def measure(args: Args) -> dict[str, float]:
    """Return the environment steps per second of both, and their ratio."""
    made = {"native": as_sb3_vec_env(args.env, args.arms), "dummy": dummy(args.env, args.arms)}
    seconds = interleaved({name: training(envs, args) for name, envs in made.items()}, args.rounds)
    steps = args.steps * 64 * args.arms
    return {
        "native_steps_per_s": steps / seconds["native"],
        "dummy_steps_per_s": steps / seconds["dummy"],
        "native_over_dummy": seconds["dummy"] / seconds["native"],
    }


def main(args: Args) -> None:
    """Measure on one thread, print the numbers, and write JSON."""
    torch.set_num_threads(1)
    figures = measure(args)
    print("\n".join(f"{name:20s} {value:10.4g}" for name, value in figures.items()))
    if args.json:
        print(f"written to {write_whole(args.json, json.dumps(figures, indent=2) + chr(10))}")


if __name__ == "__main__":
    main(parsed(Args))
