"""How much faster PPO collects and learns on the native vector environment than on SB3's own.

``python -m benchmarks.throughput [--json FILE]``: the same PPO, the same number of arms,
interleaved in one run.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from arm_env.files import write_whole
from arm_env.sb3 import as_sb3_vec_env
from benchmarks.speed import interleaved


@dataclass(frozen=True)
class Args:
    """Measure the environment steps a second of PPO, rollouts and updates together."""

    env: str = "ReachArm-v0"
    """The task."""
    arms: int = 64
    """Environments side by side."""
    epochs: int = 4
    """How often each rollout is learnt from; SB3's own 10 spend most of the time on updates."""
    batch: int = 1024
    """Size of a minibatch."""
    rounds: int = 5
    """How often each is timed; the median counts."""
    steps: int = 3
    """Rollouts of 64 steps with their updates in each timing."""
    json: Path | None = None
    """Also write the figures to this file."""


def dummy(env_id: str, arms: int) -> VecEnv:
    """What SB3's users make: single environments, actions rescaled, in one process."""
    return make_vec_env(env_id, arms, seed=0, vec_env_cls=DummyVecEnv, wrapper_class=rescaled)


def rescaled(env: gym.Env) -> gym.Env:
    """Actions from −1 to 1, as SB3 prefers."""
    return gym.wrappers.RescaleAction(env, np.float32(-1), np.float32(1))


def training(environments: VecEnv, args: Args) -> Callable[[], object]:
    """PPO with SB3's own settings but for rollouts of 64 steps and what the arguments say."""
    batches = {"n_steps": 64, "batch_size": args.batch, "n_epochs": args.epochs}
    model = PPO("MlpPolicy", environments, seed=0, device="cpu", **batches)  # type: ignore[arg-type]
    return lambda: model.learn(args.steps * 64 * environments.num_envs)


def measure(args: Args) -> dict[str, float]:
    """Environment steps a second of both, and their ratio."""
    made = {"native": as_sb3_vec_env(args.env, args.arms), "dummy": dummy(args.env, args.arms)}
    seconds = interleaved({name: training(envs, args) for name, envs in made.items()}, args.rounds)
    steps = args.steps * 64 * args.arms
    return {
        "native_steps_per_s": steps / seconds["native"],
        "dummy_steps_per_s": steps / seconds["dummy"],
        "native_over_dummy": seconds["dummy"] / seconds["native"],
    }


def main(args: Args) -> None:
    """Measure on one thread, print, write JSON."""
    torch.set_num_threads(1)
    figures = measure(args)
    print("\n".join(f"{name:20s} {value:10.4g}" for name, value in figures.items()))
    if args.json:
        print(f"written to {write_whole(args.json, json.dumps(figures, indent=2) + chr(10))}")


if __name__ == "__main__":
    main(tyro.cli(Args))
