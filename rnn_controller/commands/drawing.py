"""Commands that draw: figures and animations."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from arm_env.checked import Checked, within
from arm_env.tasks.registry import TASKS, task_of_environment
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.commands.measuring import LARGEST_SEED, LOUDEST, environment_of, short_name
from rnn_controller.networks.recurrent import RecurrentController
from rnn_controller.options import (
    by_default,
)
from rnn_controller.outputs import output_file
from rnn_controller.policy import controller_of

if TYPE_CHECKING:
    FigureName = str
    SceneName = str
else:  # on the command line, one of those that there are
    FigureName = Literal[("5", "6", "7", "8", "tuning", *TASKS)]
    SceneName = Literal[("6a", "6d", "7a", "7b", "8a", "8b", *TASKS)]


@dataclass(frozen=True)
class Figure(Checked):
    """Draw a figure of the paper, what the neurons do, or an episode of a task."""

    which: tyro.conf.Positional[FigureName]
    """5: the arm and its muscles; 6: reaching and following; 7: circles; 8: drawings; tuning: what
    neurons do; a task's name: an episode of it under random commands.
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
        if self.which == "tuning":
            return self._tuning()
        options: dict[str, Any] = {"seed": self.seed, "noise": self.noise}
        if self.which in TASKS:
            checkpoint = trained(self.controller, self.which)
            arguments: list[Any] = [controller_of(checkpoint), checkpoint.goal]
            draw: Any = figures.figure_overview
        else:
            checkpoint = trained(self.controller, figures.OF_MOVEMENTS[self.which])
            draw = getattr(figures, f"figure_{self.which}")
            arguments = [controller_of(checkpoint)]
        name = short_name(self.controller or checkpoint.task)
        return draw(*arguments, name=name, **options, **environment_of(checkpoint))

    def _tuning(self) -> Any:
        from rnn_controller import figures

        checkpoint = trained(self.controller, "reach")
        if not isinstance(checkpoint.network, RecurrentController):
            raise ValueError(
                f"tuning is drawn of the paper's network, and {self.controller} holds "
                "another module"
            )
        name = short_name(self.controller or checkpoint.task)
        return figures.figure_tuning(checkpoint.network, checkpoint.arm, name=name)


@dataclass(frozen=True)
class Animate(Checked):
    """Write an animation of what a figure's panel shows, or of an episode of a task."""

    which: tyro.conf.Positional[SceneName]
    """6a: reaching; 6d: following; 7a, 7b: circles; 8a: a figure of eight; 8b: a clover; a task's
    name: an episode of it under random commands."""
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

        scene = figures.SCENES[self.which]
        path = self.output or Path("runs") / f"animation{self.which}.gif"
        figures.check_animation(path)
        checkpoint = trained(self.controller, task_of_environment(scene.env_id).name)
        if scene.planned:
            figures.check_planned_for(checkpoint.orbit)
        written = figures.animate(
            controller_of(checkpoint),
            path,
            seed=self.seed,
            noise=self.noise,
            seconds=scene.seconds,
            env_id=scene.env_id,
            schedule=scene.schedule,
            **environment_of(checkpoint),
        )
        print(f"animation: {written}")


def trained(name: str | None, task: str) -> Checkpoint:
    """Return a checkpoint of a controller for the task; the shipped one without a name."""
    checkpoint = load_checkpoint(task if name is None else name)
    if checkpoint.task != task:
        raise ValueError(
            f"a controller for {task} is wanted, and {name} is one for {checkpoint.task}"
        )
    return checkpoint
