"""Train a network by the gradient through the arm, and record its learning curve.

``python -m benchmarks.train_network rnn reach --seed 3`` trains the paper's network as ``python -m
rnn_controller train`` does. A GRU or MLP is trained on the same trials and objective.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS
from benchmarks.changes import assignments, merged, nested
from benchmarks.places import RECORD
from benchmarks.runs import TaskName, Times, command_line, curve_point, times_of
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.options import value
from rnn_controller.policy import controller_of
from rnn_controller.training.config import stored_config
from rnn_controller.training.resuming import difference
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
    change: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Change of one setting, such as beta=1 or network.neurons=48. This option may be repeated."""
    points: int = 20
    """Number of points of the learning curve."""
    title: Annotated[str, value(default="NETWORK, or NETWORK-NEURONS")] = ""
    """Name of the network in tables."""
    output: Annotated[Path | None, value("FOLDER", default="runs/TITLE-ENV-SEED")] = None
    """Folder of the run."""
    resume: bool = False
    """Continue the run in that folder."""

    @property
    def config(self) -> TrainConfig:
        """The configuration of the run."""
        changes: dict[str, Any] = assignments(self.change)
        if self.neurons is not None:
            changes["network.neurons"] = self.neurons
        if self.iterations is not None:
            changes["iterations"] = self.iterations
        return configured(self.network, self.task, self.seed, changes)

    @property
    def name(self) -> str:
        """Name of the network in the comparison."""
        sized = self.network if self.neurons is None else f"{self.network}-{self.neurons}"
        return self.title or sized


def configured(network: str, task: str, seed: int, changes: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration of a network, with changes by their dotted names.

    Raises ValueError if there is no setting of a name, or if a value is refused.
    """
    config = replace(DEFAULTS[task], **VARIANTS[network], seed=seed)
    return stored_config(merged(config.form(), nested(changes)))


@dataclass
class Curve:
    """A log that measures the network every few iterations, outside the time of training."""

    trainer: Trainer
    name: str
    every: int
    path: Path
    points: list[dict[str, Any]] = field(default_factory=list)
    paused: float = 0.0
    begun: float = field(default_factory=time.process_time)
    earlier: float = 0.0
    """Core seconds of the processes that trained the run before."""

    def __call__(self, name: str, value: float, iteration: int) -> None:
        if name == "target_radius_m" and (iteration + 1) % self.every == 0:
            self.take()

    def go(self) -> None:
        """Train to the end, and take the last point."""
        self.trainer.run()
        if not self.points or self.points[-1]["iteration"] < self.trainer.state.done:
            self.take()

    def take(self) -> None:
        """Measure the network in its present state, and write the record."""
        begun, core = time.monotonic(), time.process_time()
        config = self.trainer.config
        at = self.trainer.state
        checkpoint = self.trainer.checkpoint()
        env_id = TASKS[config.task].env_id
        times = Times(self.trainer.seconds - self.paused, self.earlier + core - self.begun)
        point = curve_point(controller_of(checkpoint), env_id, at.steps, times)
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
        self.begun += time.process_time() - core


def open_run(args: Args) -> Curve:
    """Return a new run, or the one in the folder, with its learning curve.

    Raises ValueError if that has another configuration.
    """
    return open_with(args, args.config)


def open_with(args: Args, config: TrainConfig) -> Curve:
    """Return a new run of this configuration, or the one in the folder.

    Raises ValueError if that has another configuration.
    """
    folder = args.output or Path("runs") / f"{args.name}-{TASKS[args.task].env_id}-{args.seed}"
    trainer = Trainer(config, folder)
    record = folder / RECORD
    points = []
    if args.resume:
        trainer = Trainer.resume(folder)
        if trainer.config != config:
            found = difference(trainer.config, config)
            raise ValueError(
                f"the run in {folder} has another configuration ({found}): "
                "remove it, or take another folder"
            )
        stored = json.loads(record.read_text("utf-8"))["curve"] if record.exists() else []
        points = [point for point in stored if point["iteration"] <= trainer.state.done]
    elif trainer.path.exists():
        raise ValueError(
            f"there is a run in {folder}: --resume goes on with it, --output chooses another folder"
        )
    iterations = sum(stage.iterations for stage in trainer.stages)
    curve = Curve(trainer, args.name, max(1, iterations // args.points), record, points)
    curve.earlier = times_of(points).core_seconds
    trainer.log = curve
    return curve


def finish(
    network: str, task: str, seed: int, changes: Mapping[str, Any], folder: Path, title: str = ""
) -> None:
    """Train a network to its end in a folder; what was begun there goes on."""
    begun = (folder / "checkpoint.safetensors").exists()
    args = Args(network, task, seed, title=title, output=folder, resume=begun)  # type: ignore[arg-type]
    open_with(args, configured(network, task, seed, changes)).go()


def main(args: Args) -> None:
    """Train, or continue, and print where the run is."""
    torch.set_num_threads(1)
    curve = open_run(args)
    curve.go()
    print(f"the run is in {curve.path.parent}")


if __name__ == "__main__":
    command_line(main, Args)
