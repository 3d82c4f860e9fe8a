"""Speed as ratios: everything timed in turn in one run, medians. ``python -m benchmarks.speed [--json FILE]``."""

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
import tyro
from tqdm import tqdm

import arm_env  # noqa: F401  (registers the environments)
from arm_env import plant
from arm_env.files import write_whole
from arm_env.parameters import Arm, CostWeights
from arm_env.tasks import Reach
from rnn_controller import NetworkConfig, RecurrentController, pontryagin
from rnn_controller.modules import Baseline, ModuleConfig
from rnn_controller.movements import sample
from rnn_controller.objective import risk_sensitive, values
from rnn_controller.plant import rollout

MOVEMENTS, STEPS, ARMS = 200, 2000, 1024


@dataclass(frozen=True)
class Args:
    """Measure the speed of gradient, single environment and vector environment."""

    json: Path | None = None
    """Also write the figures to this file."""
    rounds: int = 7
    """How often each is timed; the median counts."""


def interleaved(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each function; a warm-up, then all of them in turn, ``rounds`` times."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in tqdm(range(rounds), desc="rounds"):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def gradient_runs() -> dict[str, Callable[[], object]]:
    """The gradient of the objective over the paper's batch, compiled and eager; and of a GRU in the network's place."""
    arm, task, weights = Arm(), Reach(), CostWeights()
    network = RecurrentController(NetworkConfig(), task.command_size, torch.Generator().manual_seed(0))
    m = sample(np.random.default_rng(0), MOVEMENTS, 12, task=task, arm=arm)
    gru = Baseline(ModuleConfig("gru", 32), task, arm, torch.Generator().manual_seed(0))

    def gradient(x: torch.Tensor, u: torch.Tensor) -> None:
        network.zero_grad()
        gru.zero_grad()
        risk_sensitive(values(task, arm, weights, x, u, m.commands, 0.01), 3.0).backward()

    def on_one_thread() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        gradient(*pontryagin.rollout(network, arm, m.x0, m.y0, m.commands, m.noise)[:2])
        torch.set_num_threads(threads)

    def of_gru(compiled: bool) -> None:
        gradient(*rollout(gru, arm, m.x0, m.commands, m.noise, compiled=compiled))

    return {
        "compiled": lambda: gradient(*pontryagin.rollout(network, arm, m.x0, m.y0, m.commands, m.noise)[:2]),
        "compiled, one thread": on_one_thread,
        "eager": lambda: gradient(*rollout(network, arm, m.x0, m.commands, m.noise, state=m.y0, compiled=False)),
        "GRU, compiled body": lambda: of_gru(True),
        "GRU, eager": lambda: of_gru(False),
    }


def single_run(env_id: str) -> Callable[[], None]:
    """A loop over one environment made with ``gym.make``, resets included."""
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


def vector_runs(steps: int = 50) -> dict[str, Callable[[], object]]:
    """The vector environment, and its physics kernel alone on the same arms."""
    envs = gym.make_vec("ReachArm-v0", num_envs=ARMS)
    envs.reset(seed=0)
    actions = envs.action_space.sample().astype(np.float64)
    state = envs.unwrapped.simulation.state.copy()  # type: ignore[attr-defined]
    noise, p = np.zeros_like(actions), Arm().flat()

    def kernel() -> None:
        for _ in range(steps):
            plant.control_steps(p, 0.005, 2, actions, noise, state)

    def run() -> None:
        for _ in range(steps):
            envs.step(actions)

    return {"vector": run, "kernel": kernel}


def measure(rounds: int, vector_steps: int = 50) -> dict[str, float]:
    """All figures of the speed table."""
    singles = {"cartpole": single_run("CartPole-v1"), "reach": single_run("ReachArm-v0")}
    seconds = interleaved({**gradient_runs(), **singles, **vector_runs(vector_steps)}, rounds)
    return {
        "gradient_speedup_over_eager": seconds["eager"] / seconds["compiled"],
        "gradient_speedup_over_eager_one_thread": seconds["eager"] / seconds["compiled, one thread"],
        "gradient_seconds": seconds["compiled"],
        "gru_gradient_speedup_over_eager": seconds["GRU, eager"] / seconds["GRU, compiled body"],
        "single_step_over_cartpole": seconds["cartpole"] / seconds["reach"],
        "single_step_microseconds": seconds["reach"] / STEPS * 1e6,
        "vector_steps_per_s_per_core": ARMS * vector_steps / seconds["vector"],
        "vector_kernel_share": seconds["kernel"] / seconds["vector"],
    }


def main(args: Args) -> None:
    """Measure, print a table, write JSON."""
    figures = measure(args.rounds)
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads")
    print("\n".join(f"{name:42s} {value:12.4g}" for name, value in figures.items()))
    if args.json:
        print(f"written to {write_whole(args.json, json.dumps(figures, indent=2) + chr(10))}")


if __name__ == "__main__":
    main(tyro.cli(Args))
