"""Measure the speed of gradients and environments: ``python -m benchmarks.speed``.

All are timed in turn in one run. The results are ratios of median times.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import torch
from tqdm import tqdm

import arm_env  # noqa: F401  (registers the environments)
from arm_env.dynamics import plant
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.files import write_whole
from arm_env.tasks.reach import Reach
from benchmarks.runs import parsed
from rnn_controller import NetworkConfig, RecurrentController
from rnn_controller.networks.modules import Baseline, ModuleConfig
from rnn_controller.options import value
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.plant import rollout
from rnn_controller.training.objective import risk_sensitive, torch_values, values
from rnn_controller.training.trials import TrialBatch, sample

MOVEMENTS = 200
STEPS = 2000
ARMS = 1024
CONTROL_PERIOD = 0.01
BETA = 3.0


@dataclass(frozen=True)
class Args:
    """Time the gradient, the single and the vector environment, and print a table.

    Examples:
      python -m benchmarks.speed
      python -m benchmarks.speed --rounds 3 --json runs/speed.json
    """

    json: Annotated[Path | None, value("FILE")] = None
    """File that the numbers are also written to, as JSON."""
    rounds: int = 7
    """Number of timings of each, of which the median is taken."""


def interleaved(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return median seconds of each function: after a warm-up, all in turn, ``rounds`` times."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in tqdm(range(rounds), desc="rounds"):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


@dataclass(frozen=True)
class Problem:
    """Movements, and the network that is trained on them."""

    network: Any
    m: TrialBatch

    @classmethod
    def of(cls, movements: int, network: Any) -> "Problem":
        """Draw the movements of a reaching network."""
        return cls(
            network,
            sample(
                np.random.default_rng(0), movements, network.state_size, task=Reach(), arm=Arm()
            ),
        )

    def ours(self) -> None:
        """Compute the gradient, compiled."""
        self.network.zero_grad()
        m = self.m
        x, u, _ = pontryagin.rollout(self.network, Arm(), m.x0, m.y0, m.commands, m.noise)
        risk_sensitive(
            values(Reach(), Arm(), CostWeights(), x, u, m.commands, CONTROL_PERIOD), BETA
        ).backward()

    def eager(self) -> None:
        """Compute the gradient by torch's automatic differentiation."""
        self.network.zero_grad()
        m = self.m
        x, u = rollout(self.network, Arm(), m.x0, m.commands, m.noise, state=m.y0, compiled=False)
        v = torch_values(Reach(), Arm(), CostWeights(), x, u, m.commands, CONTROL_PERIOD, m.lengths)
        risk_sensitive(v, BETA).backward()


def recurrent(neurons: int) -> RecurrentController:
    """Return the paper's network."""
    return RecurrentController(NetworkConfig(neurons=neurons), 2, torch.Generator().manual_seed(0))


def gated(neurons: int) -> Baseline:
    """Return the gated recurrent unit."""
    return Baseline(ModuleConfig("gru", neurons), Reach(), Arm(), torch.Generator().manual_seed(0))


def gradient_runs() -> dict[str, Callable[[], object]]:
    """Return the gradients over the paper's batch: compiled, eager, and of a GRU."""
    paper = Problem.of(MOVEMENTS, recurrent(12))
    gru = Problem.of(MOVEMENTS, gated(32))

    def on_one_thread() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        paper.ours()
        torch.set_num_threads(threads)

    return {
        "compiled": paper.ours,
        "compiled, one thread": on_one_thread,
        "eager": paper.eager,
        "GRU, compiled": gru.ours,
        "GRU, eager": gru.eager,
    }


def single_run(env_id: str) -> Callable[[], None]:
    """Return steps of one environment from ``gym.make``, with resets."""
    env = gym.make(env_id)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(100)]

    def run() -> None:
        for i in range(STEPS):
            _, _, terminated, truncated, _ = env.step(actions[i % 100])
            if terminated or truncated:
                env.reset()

    return run


def vector_run(arms: int, steps: int) -> Callable[[], object]:
    """Return steps of the vector environment, with noise, rewards, infos and resets."""
    envs = gym.make_vec("ReachArm-v0", num_envs=arms)
    envs.reset(seed=0)
    actions = envs.action_space.sample().astype(np.float64)

    def run() -> None:
        for _ in range(steps):
            envs.step(actions)

    return run


def kernel_run(arms: int, steps: int) -> Callable[[], object]:
    """Return steps of the physics kernel alone."""
    envs = gym.make_vec("ReachArm-v0", num_envs=arms)
    envs.reset(seed=0)
    actions = envs.action_space.sample().astype(np.float64)
    state = envs.unwrapped.simulation.state.copy()  # type: ignore[attr-defined]
    noise = np.zeros_like(actions)
    p = Arm().flat()

    def run() -> None:
        for _ in range(steps):
            plant.control_steps(p, CONTROL_PERIOD / 2, 2, actions, noise, state)

    return run


def measure(rounds: int, vector_steps: int = 50) -> dict[str, float]:
    """Return all numbers of the speed table."""
    singles = {"cartpole": single_run("CartPole-v1"), "reach": single_run("ReachArm-v0")}
    many = {"vector": vector_run(ARMS, vector_steps), "kernel": kernel_run(ARMS, vector_steps)}
    seconds = interleaved({**gradient_runs(), **singles, **many}, rounds)
    return {
        "gradient_speedup_over_eager": seconds["eager"] / seconds["compiled"],
        "gradient_speedup_over_eager_one_thread": seconds["eager"]
        / seconds["compiled, one thread"],
        "gradient_seconds": seconds["compiled"],
        "gru_gradient_speedup_over_eager": seconds["GRU, eager"] / seconds["GRU, compiled"],
        "single_step_over_cartpole": seconds["cartpole"] / seconds["reach"],
        "single_step_microseconds": seconds["reach"] / STEPS * 1e6,
        "vector_steps_per_s_per_core": ARMS * vector_steps / seconds["vector"],
        "vector_kernel_share": seconds["kernel"] / seconds["vector"],
    }


def main(args: Args) -> None:
    """Measure, print a table, and write JSON."""
    figures = measure(args.rounds)
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads")
    print("\n".join(f"{name:42s} {value:12.4g}" for name, value in figures.items()))
    if args.json:
        print(f"written to {write_whole(args.json, json.dumps(figures, indent=2) + chr(10))}")


if __name__ == "__main__":
    main(parsed(Args))
