"""Train a network by the gradient through the arm, and record its learning curve.

``python -m benchmarks.train_network rnn reach --seed 3`` trains the paper's network as ``python -m
rnn_controller train`` does. A GRU or MLP is trained on the same trials and objective.
"""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS
from benchmarks.places import RECORD
from benchmarks.runs import TaskName, command_line, curve_point
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.options import value
from rnn_controller.policy import controller_of
from rnn_controller.training.trainer import DEFAULTS, TrainConfig, Trainer

SHORTER = {"iterations": 1000, "batch_size": 50}
VARIANTS: dict[str, dict[str, Any]] = {
    "rnn": {},
    "gru": {"network": ModuleConfig("gru", 16), **SHORTER},
    "mlp": {"network": ModuleConfig("mlp", 32), **SHORTER},
}
"""Settings that differ from those of ``python -m rnn_controller train``, by network."""


@dataclass(frozen=True)
class Args:
    """Train a network by the gradient through the arm, on one thread.

    The checkpoint and the learning curve are written to the folder --output.

    Examples:
      python -m benchmarks.train_network rnn reach --seed 3
      python -m benchmarks.train_network gru reach --iterations 100 --output runs/short-gru
    """

    network: tyro.conf.Positional[Literal["rnn", "gru", "mlp"]]
    """Network. rnn: that of the paper; gru: a gated recurrent unit; mlp: a perceptron."""
    task: tyro.conf.Positional[TaskName]
    """Task to train for."""
    seed: int = 0
    """Seed of the weights and the trials."""
    neurons: Annotated[int | None, value(default="that of the settings")] = None
    """Number of neurons. If it is given, the run is named NETWORK-NEURONS."""
    iterations: Annotated[int | None, value(default="that of the settings")] = None
    """Number of iterations."""
    points: int = 20
    """Number of points of the learning curve."""
    output: Annotated[Path | None, value("FOLDER", default="runs/NETWORK-ENV-SEED")] = None
    """Folder of the run."""
    resume: bool = False
    """Continue the run in that folder."""

    @property
    def config(self) -> TrainConfig:
        """The configuration of the run."""
        config = replace(DEFAULTS[self.task], **VARIANTS[self.network], seed=self.seed)
        if self.neurons is not None:
            config = replace(config, network=replace(config.network, neurons=self.neurons))
        return replace(config, iterations=self.iterations or config.iterations)

    @property
    def name(self) -> str:
        """Name of the network in the comparison."""
        return self.network if self.neurons is None else f"{self.network}-{self.neurons}"


@dataclass
class Curve:
    """A log that measures the network every few iterations, outside the time of training."""

    trainer: Trainer
    name: str
    every: int
    path: Path
    points: list[dict[str, Any]] = field(default_factory=list)
    paused: float = 0.0

    def __call__(self, name: str, value: float, iteration: int) -> None:
        if name == "target_radius_m" and (iteration + 1) % self.every == 0:
            self.take()

    def take(self) -> None:
        """Measure the network in its present state, and write the record."""
        begun = time.monotonic()
        config = self.trainer.config
        at = self.trainer.state
        checkpoint = self.trainer.checkpoint()
        env_id = TASKS[config.task].env_id
        point = curve_point(
            controller_of(checkpoint), env_id, at.steps, self.trainer.seconds - self.paused
        )
        self.points.append({"iteration": at.done, **point})
        record = {
            "algorithm": self.name,
            "environment": env_id,
            "seed": config.seed,
            "settings": config.form(),
            "parameters": sum(w.numel() for w in checkpoint.network.parameters()),
            "curve": self.points,
        }
        write_whole(self.path, json.dumps(record, indent=1) + "\n")
        self.paused += time.monotonic() - begun


def open_run(args: Args) -> Curve:
    """Return a new run, or the one in the folder, with its learning curve.

    Raises ValueError if that has another configuration.
    """
    config = args.config
    folder = args.output or Path("runs") / f"{args.name}-{TASKS[args.task].env_id}-{args.seed}"
    trainer = Trainer(config, folder)
    record = folder / RECORD
    points = []
    if args.resume:
        trainer = Trainer.resume(folder)
        if trainer.config != config:
            raise ValueError(f"the run in {folder} has another configuration: {trainer.config}")
        stored = json.loads(record.read_text())["curve"] if record.exists() else []
        points = [point for point in stored if point["iteration"] <= trainer.state.done]
    elif trainer.path.exists():
        raise ValueError(
            f"there is a run in {folder}: --resume goes on with it, --output chooses another folder"
        )
    iterations = sum(stage.iterations for stage in trainer.stages)
    curve = Curve(trainer, args.name, max(1, iterations // args.points), record, points)
    trainer.log = curve
    return curve


def main(args: Args) -> None:
    """Train, or continue, and print where the run is."""
    torch.set_num_threads(1)
    curve = open_run(args)
    curve.trainer.run()
    if not curve.points or curve.points[-1]["iteration"] < curve.trainer.state.done:
        curve.take()
    print(f"the run is in {curve.path.parent}")


if __name__ == "__main__":
    command_line(main, Args)
