"""The commands of ``python -m rnn_controller``: train, evaluate, draw, demonstrate.

A command checks its options and every place that it will write to before its work begins.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from arm_env.checked import Checked, within
from arm_env.dynamics.perturbations import Perturbation
from arm_env.evaluation import evaluate
from arm_env.files import write_whole
from arm_env.tasks.measures import Measures
from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController
from rnn_controller.options import (
    OPTIONS,
    OptionError,
    by_default,
    read_as,
    with_present_options,
)
from rnn_controller.outputs import output_file, output_folder
from rnn_controller.policy import controller_of
from rnn_controller.training.trainer import DEFAULTS, TrainConfig, TrainingError, train
from rnn_controller.watching import Watched, remark

LARGEST_SEED = 2**63 - 1
LOUDEST = 10.0  # [-] noise level
MOST_MOVEMENTS = 20_000  # evaluated at once: some 5 GB
MOST_COMMANDS, MOST_STARTS = 2000, 1000  # of attractors: some 1 GB


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


@dataclass(frozen=True)
class Evaluate(Checked):
    """Measure a controller in the environment, on held-out random jumps.

    The arm is the unperturbed one, whatever the training was under, with the perturbation given
    here.
    """

    controller: tyro.conf.Positional[str]
    """A shipped controller's name (reach, circle, reach-paper, circle-paper), a checkpoint, or a
    run's folder.
    """
    movements: int = within(1000, 1, MOST_MOVEMENTS)
    """Number of movements, up to 20,000."""
    seed: int = within(1_000_000, 0, LARGEST_SEED)
    """Seed of starts, targets and noise; training seeds never meet the default."""
    noise: float = within(0.2, 0, LOUDEST)
    """Standard deviation of the process noise at a 5 ms step; 0 is off."""
    perturbation: Annotated[Perturbation, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = (
        field(default_factory=Perturbation)
    )
    """What the arm is measured under."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> None:
        """Evaluate and print."""
        measures = measure(
            load_checkpoint(self.controller),
            self.movements,
            self.seed,
            self.noise,
            self.perturbation,
        )
        print(json.dumps(measures.as_dict(), indent=2) if self.json else table(measures))


@dataclass(frozen=True)
class Figure(Checked):
    """Draw a figure of the paper."""

    which: tyro.conf.Positional[Literal["5", "6", "7", "8", "tuning"]]
    """5: the arm and its muscles; 6: reaching and following; 7: circles; 8: drawings; tuning: what
    neurons do.
    """
    controller: tyro.conf.Positional[
        Annotated[str | None, by_default("the shipped one that fits")]
    ] = None
    """Whose: a shipped name, a checkpoint or a run's folder."""
    output: Annotated[Path | None, by_default("runs/figureWHICH.png")] = None
    """File to write, .png, .pdf or .svg."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the noise."""
    noise: float = within(0.2, 0, LOUDEST)
    """Standard deviation of the process noise at a 5 ms step."""

    def run(self) -> None:
        """Draw, and say where the figure is."""
        from rnn_controller import figures

        path = self.output or Path("runs") / f"figure{self.which}.png"
        output_file(path, figures.FIGURE_SUFFIXES, "a figure")
        print(f"figure: {figures.save(self.drawn(), path)}")

    def drawn(self) -> Any:
        """Return the figure."""
        from rnn_controller import figures

        if self.which == "5":
            if not self.controller:
                return figures.figure_5()
            arm = load_checkpoint(self.controller).arm
            return figures.figure_5(arm, name=short_name(self.controller))
        task = "circle" if self.which in ("7", "8") else "reach"
        checkpoint = trained(self.controller, task)
        name = short_name(self.controller or task)
        if self.which == "tuning":
            if not isinstance(checkpoint.network, RecurrentController):
                raise ValueError(
                    f"tuning is drawn of the paper's network, and {self.controller} holds "
                    "another module"
                )
            return figures.figure_tuning(checkpoint.network, checkpoint.arm, name=name)
        draw = {"6": figures.figure_6, "7": figures.figure_7, "8": figures.figure_8}[self.which]
        options: dict[str, Any] = {"seed": self.seed, "noise": self.noise, "name": name}
        return draw(controller_of(checkpoint), **options, **environment_of(checkpoint))


@dataclass(frozen=True)
class Animate(Checked):
    """Write an animation of what a figure's panel shows."""

    which: tyro.conf.Positional[Literal["6a", "6d", "7a", "7b", "8a", "8b"]]
    """6a: reaching; 6d: following; 7a, 7b: circles; 8a: a figure of eight; 8b: a clover."""
    controller: tyro.conf.Positional[
        Annotated[str | None, by_default("the shipped one that fits")]
    ] = None
    """Whose: a shipped name, a checkpoint or a run's folder."""
    output: Annotated[Path | None, by_default("runs/animationWHICH.gif")] = None
    """File to write, .gif or .mp4."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the noise."""
    noise: float = within(0.2, 0, LOUDEST)
    """Standard deviation of the process noise at a 5 ms step."""

    def run(self) -> None:
        """Run, draw, and say where the animation is."""
        from rnn_controller import figures

        env_id, schedule, seconds = figures.SCENES[self.which]
        path = self.output or Path("runs") / f"animation{self.which}.gif"
        figures.check_animation(path)
        checkpoint = trained(self.controller, "reach" if self.which[0] == "6" else "circle")
        if self.which[0] == "8":
            figures.check_planned_for(checkpoint.orbit)
        written = figures.animate(
            controller_of(checkpoint), path, seed=self.seed, noise=self.noise, seconds=seconds,
            env_id=env_id, schedule=schedule, **environment_of(checkpoint),
        )  # fmt: skip
        print(f"animation: {written}")


@dataclass(frozen=True)
class Attractors(Checked):
    """Find a controller's attractors, test their stability, and count what else there is; a figure
    and a table.
    """

    controller: tyro.conf.Positional[str]
    """A shipped controller's name (reach, circle, reach-paper, circle-paper), a checkpoint, or a
    run's folder.
    """
    output: Annotated[Path | None, by_default("runs/attractors-TASK")] = None
    """Folder for figure, table and measures."""
    commands: Annotated[int | None, by_default("200 for points, 100 for cycles")] = within(
        None, 1, MOST_COMMANDS, whole=True
    )
    """Number of commands, up to 2000, evenly over the workspace."""
    starts: int = within(50, 1, MOST_STARTS)
    """Random starts for each command, up to 1000."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the starts."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> None:
        """Analyse, print the measures and the commands without a stable attractor, write figure and
        table.
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


@dataclass(frozen=True)
class Demo:
    """Train a reach controller on a short budget, run it, and leave everything under one folder."""

    output: Path = Path("runs/demo")
    """Folder for checkpoint, measures, figure and animation; a finished training there is used
    again.
    """
    iterations: Annotated[
        int | None, by_default("the short recipe's, about three minutes on two cores")
    ] = None
    """Iterations of training."""

    def run(self) -> None:
        """Train, evaluate, draw, and print a table with the paths."""
        from rnn_controller import figures

        config = TrainConfig(recipe="short", iterations=self.iterations)
        folder = output_folder(self.output)
        numbers, chart, film = (
            output_file(folder / name, (Path(name).suffix,), "a result")
            for name in ("measures.json", "figure6.png", "reach.gif")
        )
        path = folder / "checkpoint.safetensors"
        with going_on(path, "the same command goes on from here"):
            train(config, folder, resume=path.exists())
            checkpoint = load_checkpoint(path)
            measures = measure(checkpoint, 1000, 1_000_000, 0.2)
            controller = controller_of(checkpoint)
            environment = environment_of(checkpoint)
            paths = {
                "checkpoint": path,
                "measures": write_whole(numbers, json.dumps(measures.as_dict(), indent=2) + "\n"),
                "figure 6": figures.save(
                    figures.figure_6(controller, name=short_name(str(folder)), **environment), chart
                ),
                "animation": figures.animate(controller, film, **environment),
            }
        print(table(measures))
        print("\n".join(f"{name:36s} {path}" for name, path in paths.items()))


@contextmanager
def going_on(checkpoint: Path, how: str) -> Iterator[None]:
    """A stopped command's last line says how to go on with it, once there is a checkpoint."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if checkpoint.exists():
            stop.add_note(how)
        raise


def trained(name: str | None, task: str) -> Checkpoint:
    """Return a checkpoint of a controller for the task; the shipped one without a name."""
    checkpoint = load_checkpoint(task if name is None else name)
    if checkpoint.task != task:
        raise ValueError(
            f"a controller for {task} is wanted, and {name} is one for {checkpoint.task}"
        )
    return checkpoint


def short_name(controller: str) -> str:
    """Return what a figure calls a controller: its shipped name, or that of its folder or file."""
    path = Path(controller).resolve()
    path = path.parent if path.name == "checkpoint.safetensors" else path
    return path.name.removesuffix(".safetensors")


def environment_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what a controller was trained for, as arguments of an environment."""
    period = checkpoint.network.config.control_period
    orbit = {} if checkpoint.orbit is None else {"orbit": checkpoint.orbit}
    return {"arm": checkpoint.arm, "weights": checkpoint.weights, "control_period": period, **orbit}


def measure(
    checkpoint: Checkpoint,
    movements: int,
    seed: int,
    noise: float,
    perturbation: Perturbation | None = None,
) -> Measures:
    """Evaluate a checkpoint's controller on the arm, cost and control period it was trained for.

    A perturbation of its training is not part of that arm: only the one given here is applied.
    """
    perturbation = perturbation or Perturbation()
    before = checkpoint.training.get("config", {}).get("perturbation")
    if before not in (None, asdict(Perturbation()), asdict(perturbation)):
        remark(f"note: trained under {before}, measured under {asdict(perturbation)}")
    environment = environment_of(checkpoint)
    # of an episode with one jump
    steps = 2 * round(checkpoint.goal.hold / environment["control_period"])
    with Watched(controller_of(checkpoint), steps, "evaluate") as controller:
        return evaluate(
            controller, checkpoint.goal.env_id, movements=movements, seed=seed, noise=noise,
            perturbation=perturbation, **environment,
        )  # fmt: skip


def table(measures: Measures) -> str:
    """Return the measures, a line each."""
    shown = {
        name: f"{value:.4g}" if isinstance(value, float) else value
        for name, value in asdict(measures).items()
    }
    return "\n".join(f"{name:36s} {value}" for name, value in shown.items())


COMMANDS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "figure": Figure,
    "animate": Animate,
    "attractors": Attractors,
    "demo": Demo,
}


def parsed() -> Any:
    """Return the command that ``sys.argv`` gives; without any, print help."""
    arguments = sys.argv[1:] or ["--help"]
    if arguments[0] == "train":
        arguments = with_present_options(arguments, EARLIER_OPTIONS)
    with OPTIONS:
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="python -m rnn_controller",
            description=(
                "The recurrent controller of Huh & Todorov (2009): train it, measure it, draw it."
            ),
            args=arguments,
        )


def main() -> None:
    """Run a command; what a user got wrong, and that it was stopped, is said in one line."""
    try:
        try:
            parsed().run()
        finally:
            print(end="", flush=True)  # here, where a full disk can still be reported
    except KeyboardInterrupt as stop:
        reason = str(stop) or "interrupted"
        print("; ".join([reason, *getattr(stop, "__notes__", [])]), file=sys.stderr)
        # as shells have it: 128 + signal
        raise SystemExit(143 if reason == "terminated" else 130) from None
    except BrokenPipeError:
        drop_output()
        raise SystemExit(141) from None  # nobody reads on, as in "| head"
    except (
        OptionError,
        CheckpointError,
        TrainingError,
        OSError,
        ValueError,
        ImportError,
        MemoryError,
    ) as error:
        drop_output()
        raise SystemExit(
            f"error: {' '.join(str(error).splitlines()) or type(error).__name__}"
        ) from None


def drop_output() -> None:
    """Give up what can't be written to stdout, or Python would try again as it ends."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
