"""Training of networks on one curve: ``python -m benchmarks.human.training``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

import arm_env
from benchmarks.human.curves import OneFrequency
from benchmarks.places import STORED
from benchmarks.runs import command_line
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.options import value
from rnn_controller.training.trainer import DEFAULTS, TrainConfig, train

ITERATIONS = {"effort": 1500, "speed": 1000}
LAP = (0.5, 0.9)  # [s] as commanded; a hand that saves effort is slower
RADIUS = (0.06, 0.09)  # [m]
CURVES: dict[str, arm_env.Orbit] = {
    "ellipse": arm_env.Ellipse(radius=RADIUS, lap=LAP),
    "triangle": OneFrequency(frequency=3, radius=RADIUS, lap=LAP),
    "square": OneFrequency(frequency=4, radius=RADIUS, lap=LAP),
}
COSTS = {"effort": {"alpha": 0.1, "gamma": 20.0}, "speed": {"alpha": 2.0, "gamma": 0.05}}
"""Weights of the cost: effort beside a weak wish for even speed, or even speed."""


@dataclass(frozen=True)
class Args:
    """Train a network on one curve, for benchmarks.human, on one thread.

    Examples:
      python -m benchmarks.human.training ellipse effort
      python -m benchmarks.human.training square speed --iterations 1000 --resume
    """

    curve: tyro.conf.Positional[Literal["ellipse", "triangle", "square"]]
    """Curve to train on."""
    cost: tyro.conf.Positional[Literal["effort", "speed"]]
    """Cost. effort: little effort, and a weak wish for even speed; speed: even speed."""
    iterations: Annotated[int | None, value(default="that of the cost")] = None
    """Number of iterations: 1500 for effort and 1000 for speed, unless given."""
    seed: int = 0
    """Seed of the weights and the trials."""
    output: Annotated[Path | None, value("FOLDER", default="that of the stored runs")] = None
    """Folder of the run."""
    resume: bool = False
    """Continue the run in that folder."""


def config(curve: str, cost: str, iterations: int | None = None, seed: int = 0) -> TrainConfig:
    """Return the configuration of the training on a curve."""
    base = DEFAULTS["circle"]
    return replace(
        base,
        orbit=CURVES[curve],
        network=NetworkConfig(neurons=36),
        cost=replace(base.cost, **COSTS[cost]),
        iterations=iterations or ITERATIONS[cost],
        batch_size=50,
        seed=seed,
    )


def folder_of(curve: str, cost: str) -> str:
    """Return the name of the folder of a stored run."""
    return f"human-{curve}-{cost}"


def main(args: Args) -> None:
    """Train, or continue, and print where the run is."""
    torch.set_num_threads(1)
    folder = args.output or STORED / folder_of(args.curve, args.cost)
    train(config(args.curve, args.cost, args.iterations, args.seed), folder, resume=args.resume)
    print(f"the run is in {folder}")


if __name__ == "__main__":
    command_line(main, Args)
