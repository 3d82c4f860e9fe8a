"""The command line: train, evaluate, draw, demonstrate."""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from arm_env.evaluation import Measures, evaluate
from arm_env.perturbations import Perturbation
from rnn_controller.checkpoint import ENVIRONMENTS, TASKS, Checkpoint, CheckpointError, load_checkpoint, write_whole
from rnn_controller.network import RecurrentController
from rnn_controller.policy import ModuleController, Policy, controller_of, load
from rnn_controller.trainer import DEFAULTS, TrainConfig, TrainingError, train


@dataclass(frozen=True)
class Run:
    """Train a controller from scratch; Ctrl-C leaves a checkpoint that --resume goes on from."""

    config: Annotated[TrainConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes]
    output: Path | None = None
    """Folder for the checkpoint (default: runs/TASK-SEED)."""
    resume: bool = False
    """Go on with the run in that folder."""
    tensorboard: bool = False
    """Log the objective for TensorBoard into that folder."""

    def run(self) -> None:
        """Train, and say where the checkpoint is."""
        output = self.output or Path("runs") / f"{self.config.task}-{self.config.seed}"
        try:
            train(self.config, output, resume=self.resume, tensorboard=self.tensorboard)
        except KeyboardInterrupt:
            print(f"interrupted; go on with the same command and --resume (checkpoint in {output})", file=sys.stderr)
            raise SystemExit(130) from None
        print(f"checkpoint: {output / 'checkpoint.safetensors'}")


RunOfTask: Any = tyro.extras.subcommand_type_from_defaults(
    {task: Run(config) for task, config in DEFAULTS.items()}, {"reach": "Reach to points.", "circle": "Draw circles."}
)


@dataclass(frozen=True)
class Train:
    """Train a controller from scratch; Ctrl-C leaves a checkpoint that --resume goes on from."""

    task: Annotated[RunOfTask, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes]

    def run(self) -> None:
        """Train the task's controller."""
        self.task.run()


@dataclass(frozen=True)
class Evaluate:
    """Measure a controller in the environment, on held-out random jumps.

    The arm is the unperturbed one, whatever the training was under, with the perturbation given here.
    """

    controller: tyro.conf.Positional[str]
    """A shipped controller's name (reach, circle), a checkpoint, or a run's folder."""
    movements: int = 1000
    """Number of movements."""
    seed: int = 1_000_000
    """Seed of starts, targets and noise; training seeds never meet the default."""
    noise: float = 0.2
    """Standard deviation of the process noise at a 5 ms step; 0 is off."""
    perturbation: Annotated[Perturbation, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes] = field(
        default_factory=Perturbation
    )
    """What the arm is measured under."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> None:
        """Evaluate and print."""
        measures = measure(self.controller, self.movements, self.seed, self.noise, self.perturbation)
        print(json.dumps(measures.as_dict(), indent=2) if self.json else table(measures))


@dataclass(frozen=True)
class Figure:
    """Draw a figure of the paper."""

    which: tyro.conf.Positional[Literal["5", "6", "7", "8", "tuning"]]
    """5: the arm and its muscles; 6: reaching and following; 7: circles; 8: drawings; tuning: what neurons do."""
    controller: tyro.conf.Positional[str | None] = None
    """Whose: a shipped name, a checkpoint or a run's folder (default: the shipped one that fits)."""
    output: Path | None = None
    """File to write, .png, .pdf or .svg (default: runs/figureWHICH.png)."""
    seed: int = 0
    """Seed of the noise."""
    noise: float = 0.2
    """Standard deviation of the process noise at a 5 ms step."""

    def run(self) -> None:
        """Draw, and say where the figure is."""
        from rnn_controller import figures

        path = self.output or Path("runs") / f"figure{self.which}.png"
        if self.which == "5":
            figure = figures.figure_5()
        elif self.which == "tuning":
            checkpoint = trained(self.controller, "reach")
            if not isinstance(checkpoint.network, RecurrentController):
                raise ValueError(f"tuning is drawn of the paper's network, and {self.controller} holds another module")
            figure = figures.figure_tuning(checkpoint.network, checkpoint.arm)
        elif self.which == "6":
            figure = figures.figure_6(policy(self.controller, "reach"), seed=self.seed, noise=self.noise)
        else:
            draw = figures.figure_7 if self.which == "7" else figures.figure_8
            figure = draw(policy(self.controller, "circle"), seed=self.seed, noise=self.noise)
        print(f"figure: {figures.save(figure, path)}")


@dataclass(frozen=True)
class Animate:
    """Write an animated GIF of what a figure's panel shows."""

    which: tyro.conf.Positional[Literal["6a", "6d", "7a", "7b", "8a", "8b"]]
    """6a: reaching; 6d: following; 7a, 7b: circles; 8a: a figure of eight; 8b: a clover."""
    controller: tyro.conf.Positional[str | None] = None
    """Whose: a shipped name, a checkpoint or a run's folder (default: the shipped one that fits)."""
    output: Path | None = None
    """File to write (default: runs/animationWHICH.gif)."""
    seed: int = 0
    """Seed of the noise."""
    noise: float = 0.2
    """Standard deviation of the process noise at a 5 ms step."""

    def run(self) -> None:
        """Run, draw, and say where the animation is."""
        from rnn_controller import figures

        env_id, schedule, seconds = figures.SCENES[self.which]
        path = self.output or Path("runs") / f"animation{self.which}.gif"
        controller = policy(self.controller, "reach" if self.which[0] == "6" else "circle")
        written = figures.animate(
            controller, path, seed=self.seed, noise=self.noise, seconds=seconds, env_id=env_id, schedule=schedule
        )
        print(f"animation: {written}")


def trained(name: str | None, task: str) -> Checkpoint:
    """A checkpoint of a controller for the task; the shipped one without a name."""
    checkpoint = load_checkpoint(name or task)
    if checkpoint.task != task:
        raise ValueError(f"a controller for {task} is wanted, and {name} is one for {checkpoint.task}")
    return checkpoint


def policy(name: str | None, task: str) -> Policy | ModuleController:
    """The same as a controller of the environment."""
    return controller_of(trained(name, task))


@dataclass(frozen=True)
class Attractors:
    """Find a controller's attractors, test their stability, and count what else there is; a figure and a table."""

    controller: tyro.conf.Positional[str]
    """A shipped controller's name (reach, circle), a checkpoint, or a run's folder."""
    output: Path | None = None
    """Folder for figure and table (default: runs/attractors-TASK)."""
    commands: int | None = None
    """Number of commands, evenly over the workspace (default: 200 for points, 100 for cycles)."""
    starts: int = 50
    """Random starts for each command."""
    seed: int = 0
    """Seed of the starts."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> None:
        """Analyse, print the measures and the commands without a stable attractor, write figure and table."""
        from rnn_controller import attractors, figures

        checkpoint = load_checkpoint(self.controller)
        task = TASKS[checkpoint.task]
        loop = attractors.ClosedLoop(checkpoint.network, task, checkpoint.arm, checkpoint.network.config.control_period)
        number = self.commands or (200 if checkpoint.task == "reach" else 100)
        commands = attractors.grid(task, checkpoint.arm, number)
        found = attractors.analyse(loop, commands, starts=self.starts, seed=self.seed)
        folder = self.output or Path("runs") / f"attractors-{checkpoint.task}"
        paths = {
            "table": found.save_table(folder / "attractors.csv", task.command_names),
            "figure": figures.save(figures.figure_attractors(found, checkpoint.arm), folder / "attractors.png"),
            "measures": write_whole(folder / "measures.json", json.dumps(found.measures.as_dict(), indent=2) + "\n"),
        }
        if self.json:
            print(json.dumps(found.measures.as_dict(), indent=2))
            return
        print(table(found.measures))
        for attractor in found.attractors:
            if not attractor.stable:
                print(f"no stable attractor: {dict(zip(task.command_names, attractor.command, strict=True))}")
        print("\n".join(f"{name:36s} {path}" for name, path in paths.items()))


@dataclass(frozen=True)
class Demo:
    """Train a reach controller on a short budget, run it, and leave everything under one folder."""

    output: Path = Path("runs/demo")
    """Folder for checkpoint, measures, figure and animation; a finished training there is used again."""
    iterations: int | None = None
    """Iterations of training (default: the short recipe's, about three minutes on two cores)."""

    def run(self) -> None:
        """Train, evaluate, draw, and print a table with the paths."""
        from rnn_controller import figures

        config = TrainConfig(recipe="short", iterations=self.iterations)
        begun = (self.output / "checkpoint.safetensors").exists()
        try:
            train(config, self.output, resume=begun)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr)
            raise SystemExit(130) from None
        measures = measure(str(self.output), 1000, Evaluate.seed, 0.2)
        controller = load(self.output)
        paths = {
            "checkpoint": self.output / "checkpoint.safetensors",
            "measures": write_whole(self.output / "measures.json", json.dumps(measures.as_dict(), indent=2) + "\n"),
            "figure 6": figures.save(figures.figure_6(controller), self.output / "figure6.png"),
            "animation": figures.animate(controller, self.output / "reach.gif"),
        }
        print(table(measures))
        print("\n".join(f"{name:36s} {path}" for name, path in paths.items()))


def measure(name: str, movements: int, seed: int, noise: float, perturbation: Perturbation | None = None) -> Measures:
    """Evaluate a checkpoint's controller on the arm, cost and control period it was trained for.

    A perturbation of its training is not part of that arm: only the one given here is applied.
    """
    checkpoint = load_checkpoint(name)
    perturbation = perturbation or Perturbation()
    trained = checkpoint.training.get("config", {}).get("perturbation")
    if trained not in (None, asdict(Perturbation()), asdict(perturbation)):
        print(f"note: trained under {trained}, measured under {asdict(perturbation)}", file=sys.stderr)
    return evaluate(
        controller_of(checkpoint),
        ENVIRONMENTS[checkpoint.task],
        movements=movements,
        seed=seed,
        noise=noise,
        arm=checkpoint.arm,
        weights=checkpoint.weights,
        control_period=checkpoint.network.config.control_period,
        perturbation=perturbation,
    )


def table(measures: Measures) -> str:
    """The measures, a line each."""
    return "\n".join(f"{name:36s} {value:.4g}" for name, value in asdict(measures).items())


COMMANDS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "figure": Figure,
    "animate": Animate,
    "attractors": Attractors,
    "demo": Demo,
}


def main() -> None:
    """Run a subcommand; what a user got wrong is said in one line."""
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="python -m rnn_controller",
            description="The recurrent controller of Huh & Todorov (2009): train it, measure it, draw it.",
        )
        command.run()
    except (CheckpointError, TrainingError, OSError, ValueError, ImportError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
