"""Commands that measure a controller: evaluate, and attractors."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from arm_env.checked import Checked, within
from arm_env.comparison import Comparison
from arm_env.dynamics.perturbations import Perturbation
from arm_env.evaluation import evaluate
from arm_env.files import write_whole
from arm_env.tasks.measures import Measures
from rnn_controller.checkpoint import Checkpoint, environment_of, load_checkpoint
from rnn_controller.options import show, value
from rnn_controller.outputs import output_file, output_folder
from rnn_controller.policy import controller_of
from rnn_controller.training.config import LARGEST_SEED, stored_perturbation
from rnn_controller.watching import Watched, remark

LOUDEST = 10.0  # [-] largest noise level
MOST_MOVEMENTS = 20_000  # they are simulated at once, and need some 5 GB of memory
MOST_COMMANDS, MOST_STARTS = 2000, 1000  # the attractors of all need some 1 GB of memory


@dataclass(frozen=True)
class Evaluate(Checked):
    """Measure controllers on random movements, and print a table of the results.

    Several controllers make the same movements, and are shown side by side. No file is written. The
    movements are not those of training.

    The arm has only the perturbations that are given here, also if the training had others.

    Examples:
      python -m rnn_controller evaluate reach reach-paper
      python -m rnn_controller evaluate runs/reach-0 --noise 0 --curl 13 --json
    """

    controller: tyro.conf.Positional[Annotated[str, value("CONTROLLER")]]
    """A shipped controller (reach, circle, follow, reach-paper, circle-paper), a checkpoint file,
    or the folder of a training run.
    """
    others: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="[CONTROLLER ...]", help_behavior_hint="(default: none)"),
    ] = ()
    """Further controllers to compare it with."""
    movements: int = within(1000, 1, MOST_MOVEMENTS)
    """Number of movements, up to 20,000."""
    seed: int = within(1_000_000, 0, LARGEST_SEED)
    """Seed of starts, targets and noise."""
    noise: float = within(0.2, 0, LOUDEST)
    """Standard deviation of the process noise at a step of 5 ms. 0 turns the noise off."""
    perturbation: Annotated[Perturbation, tyro.conf.OmitArgPrefixes] = field(
        default_factory=Perturbation
    )
    """Changes of the arm during the measurement."""
    json: bool = False
    """Print the measures as JSON instead of a table."""

    def run(self) -> None:
        """Evaluate and print."""
        checkpoints = {
            name: load_checkpoint(given)
            for name, given in distinct((self.controller, *self.others)).items()
        }
        found = {
            name: measure(checkpoint, self.movements, self.seed, self.noise, self.perturbation)
            for name, checkpoint in checkpoints.items()
        }
        several = Comparison(found)
        if len(found) == 1:
            (measures,) = found.values()
            print(json.dumps(measures.as_dict(), indent=2) if self.json else table(measures))
        else:
            print(json.dumps(several.as_dict(), indent=2) if self.json else several)


show(
    Evaluate,
    groups={"measurement": ("movements", "seed", "noise"), "output": ("json",)},
)


@dataclass(frozen=True)
class Attractors(Checked):
    """Find the attractors of a controller and test their stability, without noise.

    Under a constant command, arm and network converge to an attractor: a resting
     point, or a cycle.

    Prints measures, and writes attractors.png, attractors.csv and measures.json.

    Examples:
      python -m rnn_controller attractors reach
      python -m rnn_controller attractors runs/circle-0 --commands 20 --starts 10
    """

    controller: tyro.conf.Positional[Annotated[str, value("CONTROLLER")]]
    """A shipped controller (reach, circle, follow, reach-paper, circle-paper), a checkpoint file,
    or the folder of a training run.
    """
    output: Annotated[Path | None, value("FOLDER", default="runs/attractors-TASK")] = None
    """Folder for the figure, the table and the measures."""
    commands: Annotated[int | None, value(default="200 for points, 100 for cycles")] = within(
        None, 1, MOST_COMMANDS, whole=True
    )
    """Number of commands, up to 2000, spread evenly over the workspace."""
    starts: int = within(50, 1, MOST_STARTS)
    """Number of random starts for each command, up to 1000."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the random starts."""
    json: bool = False
    """Print the measures as JSON instead of a table."""

    def run(self) -> None:
        """Find the attractors, print the measures, and write figure and table.

        Commands without a stable attractor are printed, too.
        """
        from rnn_controller import figures
        from rnn_controller.analysis import attractors

        checkpoint = load_checkpoint(self.controller)
        task = checkpoint.goal
        folder = output_folder(self.output or Path("runs") / f"attractors-{checkpoint.task}")
        chart, rows, numbers = (
            output_file(folder / name, (Path(name).suffix,), "a result")
            for name in ("attractors.png", "attractors.csv", "measures.json")
        )
        loop = attractors.ClosedLoop(
            checkpoint.network, task, checkpoint.arm, checkpoint.network.config.control_period
        )
        number = self.commands or task.analysed_commands
        commands = attractors.grid(task, checkpoint.arm, number)
        found = attractors.analyse(loop, commands, starts=self.starts, seed=self.seed)
        figure = figures.figure_attractors(
            found, checkpoint.arm, task=task, name=short_name(self.controller)
        )
        paths = {
            "figure": figures.save(figure, chart),
            "table": found.save_table(rows, task.command_names),
            "measures": write_whole(numbers, json.dumps(found.measures.as_dict(), indent=2) + "\n"),
        }
        if self.json:
            print(json.dumps(found.measures.as_dict(), indent=2))
            return
        print(table(found.measures))
        for attractor in found.attractors:
            if not attractor.stable:
                command = dict(zip(task.command_names, attractor.command, strict=True))
                print(f"no stable attractor: {command}")
        print("\n".join(f"{name:36s} {path}" for name, path in paths.items()))


show(
    Attractors,
    groups={"search": ("commands", "starts", "seed"), "output": ("output", "json")},
)


def short_name(controller: str) -> str:
    """Return the name of a controller in figures: its shipped name, or its folder's or file's."""
    path = Path(controller).resolve()
    path = path.parent if path.name == "checkpoint.safetensors" else path
    return path.name.removesuffix(".safetensors")


def distinct(controllers: Sequence[str]) -> dict[str, str]:
    """Return the controllers by short names, or as they are given if two have one short name.

    Raises ValueError if one is given twice.
    """
    if len(set(controllers)) < len(controllers):
        raise ValueError(f"each controller is given once, not {' '.join(controllers)}")
    short = [short_name(controller) for controller in controllers]
    names = short if len(set(short)) == len(short) else controllers
    return dict(zip(names, controllers, strict=True))


def measure(
    checkpoint: Checkpoint,
    movements: int,
    seed: int,
    noise: float,
    perturbation: Perturbation | None = None,
) -> Measures:
    """Evaluate a checkpoint's controller on the arm, cost and control period it was trained for.

    The arm has no perturbation but the one given here. A line on stderr says so if the training
    had another one. ``noise`` is the standard deviation of the process noise at a 5 ms step.
    """
    perturbation = perturbation or Perturbation()
    note_perturbation(checkpoint, perturbation)
    environment = environment_of(checkpoint)
    _, end = checkpoint.goal.measured(checkpoint.goal.hold)
    steps = round(end / environment["control_period"])
    with Watched(controller_of(checkpoint), steps, "evaluate") as controller:
        return evaluate(
            controller, checkpoint.goal.env_id, movements=movements, seed=seed, noise=noise,
            perturbation=perturbation, **environment,
        )  # fmt: skip


def note_perturbation(checkpoint: Checkpoint, perturbation: Perturbation) -> None:
    """Print a line to stderr if the training had another perturbation."""
    stored = checkpoint.training.get("config", {}).get("perturbation")
    before = Perturbation() if stored is None else stored_perturbation(stored)
    if before not in (Perturbation(), perturbation):
        remark(f"note: trained under {changes(before)}, measured under {changes(perturbation)}")


def changes(perturbation: Perturbation) -> str:
    """Return the fields of a perturbation that change something, as text."""
    unchanged = vars(Perturbation())
    return str({name: v for name, v in vars(perturbation).items() if v != unchanged[name]})


def table(measures: Measures) -> str:
    """Return the measures as text, one measure a line."""
    shown = {
        name: f"{value:.4g}" if isinstance(value, float) else value
        for name, value in asdict(measures).items()
    }
    return "\n".join(f"{name:36s} {value}" for name, value in shown.items())
