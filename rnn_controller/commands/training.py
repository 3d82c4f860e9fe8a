"""The command that trains a controller."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from arm_env.tasks.registry import TASKS
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.options import (
    by_default,
    read_as,
)
from rnn_controller.outputs import output_folder
from rnn_controller.training.trainer import DEFAULTS, TrainConfig, train

read_as(
    TrainConfig,
    task=Annotated[str, tyro.conf.Suppress, tyro.conf.Fixed],  # the subcommand says it
    network=Annotated[NetworkConfig | ModuleConfig, tyro.conf.AvoidSubcommands],
    orbit=Annotated[str | None, by_default("circles")],
)


EARLIER_OPTIONS = {
    f"--{earlier}": f"--{name.replace('_', '-')}"
    for earlier, name in TrainConfig.earlier_names.items()
}
"""Present names of the options of training by those of earlier versions."""


@dataclass(frozen=True)
class Run:
    """Train a controller from scratch; Ctrl-C leaves a checkpoint that --resume goes on from."""

    config: Annotated[TrainConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes]
    output: Annotated[Path | None, by_default("runs/TASK-SEED")] = None
    """Folder for the checkpoint."""
    resume: bool = False
    """Go on with the run in that folder; with more --iterations than it had, extend it."""
    tensorboard: bool = False
    """Log the objective for TensorBoard into that folder."""

    def run(self) -> None:
        """Train, and say where the checkpoint is."""
        output = output_folder(
            self.output or Path("runs") / f"{self.config.task}-{self.config.seed}"
        )
        checkpoint = output / "checkpoint.safetensors"
        with going_on(
            checkpoint, f"go on with the same command and --resume (checkpoint in {output})"
        ):
            train(self.config, output, resume=self.resume, tensorboard=self.tensorboard)
        print(f"checkpoint: {checkpoint}")


RunOfTask: Any = tyro.extras.subcommand_type_from_defaults(
    {name: Run(config) for name, config in DEFAULTS.items()},
    {name: task.summary for name, task in TASKS.items()},
)


@dataclass(frozen=True)
class Train:
    """Train a controller from scratch; Ctrl-C leaves a checkpoint that --resume goes on from."""

    task: Annotated[
        RunOfTask,
        tyro.conf.arg(name=""),
        tyro.conf.OmitArgPrefixes,
        tyro.conf.OmitSubcommandPrefixes,
    ]

    def run(self) -> None:
        """Train the task's controller."""
        self.task.run()


@contextmanager
def going_on(checkpoint: Path, how: str) -> Iterator[None]:
    """A stopped command's last line says how to go on with it, once there is a checkpoint."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if checkpoint.exists():
            stop.add_note(how)
        raise
