"""The command line: train, evaluate, draw, demonstrate."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from arm_env.evaluation import Measures, evaluate
from rnn_controller.checkpoint import ENVIRONMENTS, CheckpointError, load_checkpoint, write_whole
from rnn_controller.policy import Policy, load
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
    """Measure a controller in the environment, on held-out random jumps."""

    controller: tyro.conf.Positional[str]
    """A shipped controller's name (reach, circle), a checkpoint, or a run's folder."""
    movements: int = 1000
    """Number of movements."""
    seed: int = 1_000_000
    """Seed of starts, targets and noise; training seeds never meet the default."""
    noise: float = 0.2
    """Standard deviation of the process noise at a 5 ms step; 0 is off."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> None:
        """Evaluate and print."""
        measures = measure(self.controller, self.movements, self.seed, self.noise)
        print(json.dumps(measures.as_dict(), indent=2) if self.json else table(measures))


@dataclass(frozen=True)
class Figure:
    """Draw a figure of the paper."""

    number: tyro.conf.Positional[Literal["5", "6"]]
    """5: the arm and its muscles; 6: reaching and following."""
    controller: tyro.conf.Positional[str] = "reach"
    """Whose movements figure 6 shows."""
    output: Path | None = None
    """File to write, .png, .pdf or .svg (default: runs/figureN.png)."""
    seed: int = 0
    """Seed of the noise."""
    noise: float = 0.2
    """Standard deviation of the process noise at a 5 ms step."""

    def run(self) -> None:
        """Draw, and say where the figure is."""
        from rnn_controller import figures

        path = self.output or Path("runs") / f"figure{self.number}.png"
        if self.number == "5":
            figure = figures.figure_5()
        else:
            figure = figures.figure_6(load(self.controller), seed=self.seed, noise=self.noise)
        print(f"figure: {figures.save(figure, path)}")


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
        trained = load(self.output)
        paths = {
            "checkpoint": self.output / "checkpoint.safetensors",
            "measures": write_whole(self.output / "measures.json", json.dumps(measures.as_dict(), indent=2) + "\n"),
            "figure 6": figures.save(figures.figure_6(trained), self.output / "figure6.png"),
            "animation": figures.animate(trained, self.output / "reach.gif"),
        }
        print(table(measures))
        print("\n".join(f"{name:36s} {path}" for name, path in paths.items()))


def measure(name: str, movements: int, seed: int, noise: float) -> Measures:
    """Evaluate a checkpoint's controller on the arm, cost and control period it was trained for."""
    checkpoint = load_checkpoint(name)
    return evaluate(
        Policy(checkpoint.network, checkpoint.arm),
        ENVIRONMENTS[checkpoint.task],
        movements=movements,
        seed=seed,
        noise=noise,
        arm=checkpoint.arm,
        weights=checkpoint.weights,
        control_period=checkpoint.network.config.control_period,
    )


def table(measures: Measures) -> str:
    """The measures, a line each."""
    return "\n".join(f"{name:36s} {value:.4g}" for name, value in asdict(measures).items())


def main() -> None:
    """Run a subcommand; what a user got wrong is said in one line."""
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            {"train": Train, "evaluate": Evaluate, "figure": Figure, "demo": Demo},
            prog="python -m rnn_controller",
            description="The recurrent controller of Huh & Todorov (2009): train it, measure it, draw it.",
        )
        command.run()
    except (CheckpointError, TrainingError, OSError, ValueError, ImportError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
