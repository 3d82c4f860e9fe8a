"""The command that trains a controller."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from arm_env.dynamics.contacts import Channel, Push
from arm_env.dynamics.parameters import CostWeights
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.registry import TASKS
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.options import show, value
from rnn_controller.outputs import output_folder
from rnn_controller.training.team import started_by_torchrun
from rnn_controller.training.trainer import DEFAULTS, TrainConfig, train

OF_RECIPE = "that of the recipe"
show(
    TrainConfig,
    groups={
        "task": ("task", "orbit", "settling", "noise"),
        "training": (
            *("recipe", "iterations", "batch_size", "learning_rate", "beta", "seed"),
            *("quiet", "quiet_second", "quiet_noise_scale", "thrown"),
        ),
    },
    task=Annotated[str, tyro.conf.Suppress, tyro.conf.Fixed],  # the subcommand says it
    orbit=Annotated[str | None, value("ORBIT", default="circles of commanded radius and speed")],
    settling=Annotated[float, value("SECONDS")],
    iterations=Annotated[int | None, value(default=OF_RECIPE)],
    batch_size=Annotated[int | None, value(default=OF_RECIPE)],
    learning_rate=Annotated[float | None, value(default=OF_RECIPE)],
    quiet=Annotated[float | None, value("SHARE", default=OF_RECIPE)],
    quiet_second=Annotated[tuple[float, float] | None, value(default=OF_RECIPE)],
    quiet_noise_scale=Annotated[tuple[float, float] | None, value(default=OF_RECIPE)],
    thrown=Annotated[float | None, value("SHARE", default=OF_RECIPE)],
)
show(
    NetworkConfig,
    time_constant=Annotated[float, value("SECONDS")],
    activation=Literal["relu", "tanh", "sigmoid"],
    control_period=Annotated[float, value("SECONDS")],
)
show(
    CostWeights,
    alpha=Annotated[float, value(text="Weight α of the velocity term.")],
    gamma=Annotated[float, value(text="Weight γ of the effort term.")],
    target_radius=Annotated[
        float,
        value(
            "METRES",
            text="Width d0 of the distance term at the end of training.",
        ),
    ],
    brake_radius=Annotated[
        float,
        value(
            "METRES",
            text="Width d0 of the velocity term. Training does not change it.",
        ),
    ],
    reference_speed=Annotated[
        float, value("SPEED", text="Speed v0 [m/s] that the velocity term compares with.")
    ],
)
show(
    Perturbation,
    mass=Annotated[
        float, value("FACTOR", text="Factor on the mass and inertia of both links, from 0.5 to 4.")
    ],
    strength=Annotated[
        float, value("FACTOR", text="Factor on the largest force of every muscle, from 0.05 to 2.")
    ],
    curl=Annotated[
        float,
        value(
            text="Strength [N s/m] of a velocity-dependent force field on the hand, from -200 to "
            "200. A positive one pushes to the right of the movement."
        ),
    ],
    field=Annotated[
        tuple[tuple[float, float], tuple[float, float]],
        value(
            "B11 B12 B21 B22",
            text="Viscous field B [N s/m] at the hand: its force is B times the hand's velocity. "
            "It is added to --curl. -10.1 -11.2 -11.2 11.1 is the field of Shadmehr & "
            "Mussa-Ivaldi (1994).",
        ),
    ],
    push=Annotated[
        Push | None,
        value(
            "NEWTONS DIRECTION START DURATION",
            default="no push",
            text="Force on the hand in every episode: its size, direction [rad], and the time [s] "
            "at which it begins and for which it lasts.",
        ),
    ],
    channel=Annotated[
        Channel | None,
        value(
            "STIFFNESS DAMPING",
            default="no channel",
            text="Force channel that holds the hand on the straight line to each new target: its "
            "stiffness [N/m] and damping [N s/m].",
        ),
    ],
    load=Annotated[
        float,
        value(
            "KILOGRAMS",
            text="Point mass in the hand, from 0 to 10. It adds inertia only: the plane is "
            "horizontal.",
        ),
    ],
    delay=Annotated[
        float,
        value(
            "SECONDS",
            text="Delay of all sensory signals, from 0 to 1, a multiple of the control period.",
        ),
    ],
)

EARLIER_OPTIONS = {
    f"--{earlier}": f"--{name.replace('_', '-')}"
    for earlier, name in TrainConfig.earlier_names.items()
}
"""Present names of the options of training by those of earlier versions."""


@dataclass(frozen=True)
class Run:
    """Train a controller of one task from scratch, and write its checkpoint."""

    config: Annotated[TrainConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes]
    output: Annotated[Path | None, value("FOLDER", default="runs/TASK-SEED")] = None
    """Folder for the checkpoint."""
    resume: bool = False
    """Continue the run in that folder. With more iterations than it had, the run is extended."""
    tensorboard: bool = False
    """Log the objective, the validation and a figure for TensorBoard into that folder."""
    validate_every: Annotated[
        int | None, value("ITERATIONS", default="250 with --tensorboard, else 0")
    ] = None
    """Iterations between two measurements on 200 held-out movements; 0 for none."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device that simulates the movements; cuda is an NVIDIA GPU."""

    def run(self) -> None:
        """Train, and print where the checkpoint is."""
        output = output_folder(
            self.output or Path("runs") / f"{self.config.task}-{self.config.seed}"
        )
        checkpoint = output / "checkpoint.safetensors"
        shared = started_by_torchrun()
        with going_on(
            checkpoint, f"go on with the same command and --resume (checkpoint in {output})"
        ):
            train(
                self.config,
                output,
                resume=self.resume,
                tensorboard=self.tensorboard,
                validate_every=self.validate_every,
                shared=shared,
                device=self.device,
            )
        if not shared or os.environ["RANK"] == "0":
            print(f"checkpoint: {checkpoint}")


show(Run, groups={"output": ("output", "resume", "tensorboard", "validate_every", "device")})


def run_of_task(explained: str | None) -> Any:
    """Return the type of the subcommands, one for each task that is registered.

    The task ``explained`` has its whole help text, the others their first line only.
    """
    texts = {
        name: task.summary if name != explained else help_of_task(name)
        for name, task in TASKS.items()
    }
    return tyro.extras.subcommand_type_from_defaults(
        {name: Run(config) for name, config in DEFAULTS.items()}, texts
    )


def help_of_task(name: str) -> str:
    """Return the text at the head of the help on training for a task."""
    summary = TASKS[name].summary
    return f"""Train a controller from scratch: {summary[0].lower()}{summary[1:]}

The network is written to the file checkpoint.safetensors in the folder --output.

Ctrl-C stops the training and keeps the checkpoint; --resume goes on from there.

Examples:
  python -m rnn_controller train {name} --seed 1
  python -m rnn_controller train {name} --iterations 200 --output runs/short-{name}"""


@dataclass(frozen=True)
class Train:
    """Train a controller of one task from scratch, and write its checkpoint.

    Each task has its own settings, which `train TASK --help` shows.

    Examples:
      python -m rnn_controller train reach
      python -m rnn_controller train circle --seed 1 --output runs/my-circles
    """

    task: Run

    def run(self) -> None:
        """Train the task's controller."""
        self.task.run()


def train_command(explained: str | None) -> type[Train]:
    """Return ``Train`` with a subcommand for each task, of which ``explained`` has a full help."""
    task: Any = Annotated[
        run_of_task(explained),
        tyro.conf.arg(name=""),
        tyro.conf.OmitArgPrefixes,
        tyro.conf.OmitSubcommandPrefixes,
    ]
    return make_dataclass(
        "Train", [("task", task)], bases=(Train,), frozen=True, namespace={"__doc__": Train.__doc__}
    )


@contextmanager
def going_on(checkpoint: Path, how: str) -> Iterator[None]:
    """Let a stopped command's last line say how to go on, once there is a checkpoint."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if checkpoint.exists():
            stop.add_note(how)
        raise
