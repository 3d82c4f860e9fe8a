"""Commands that draw: figures and animations."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from arm_env.checked import Checked, within
from arm_env.tasks.registry import TASKS, task_of_environment
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.commands.experiments import EXPERIMENTS, figure_of_experiment
from rnn_controller.commands.measuring import LARGEST_SEED, LOUDEST, environment_of, short_name
from rnn_controller.networks.recurrent import RecurrentController
from rnn_controller.options import value
from rnn_controller.outputs import output_file
from rnn_controller.planning.drawings import DRAWINGS, plan_of
from rnn_controller.policy import controller_of

if TYPE_CHECKING:
    FigureName = str
    SceneName = str
else:  # on the command line, one of those that there are
    FigureName = Literal[("5", "6", "7", "8", "tuning", *EXPERIMENTS, *TASKS)]
    SceneName = Literal[("6a", "6d", "7a", "7b", "8a", "8b", *TASKS)]

NOISE = 0.2  # that of the movements in the figures, unless another is given


@dataclass(frozen=True)
class Figure(Checked):
    """Draw one of the figures 5 to 8, the tuning of the neurons, an experiment, or an episode.

    The figure is written to the file --output.

    Examples:
      python -m rnn_controller figure 6
      python -m rnn_controller figure reach runs/reach-0 --output runs/episode.pdf
    """

    which: tyro.conf.Positional[FigureName]
    """Figure to draw. 5: the arm and its muscles; 6: reaching and following; 7: circles;
    8: drawings; tuning: directions in which the neurons are most active; centre-out: eight reaches
    and the neurons; adaptation: to a force field; push: pushes on the hand that holds still;
    following: gain and lag behind a moving target; the name of a task: an episode under random
    commands.
    """
    controller: tyro.conf.Positional[
        Annotated[str | None, value("[CONTROLLER]", default="the shipped controller of the task")]
    ] = None
    """Controller to show: a shipped one (reach, circle, follow, reach-paper, circle-paper), a
    checkpoint file, or the folder of a training run.
    """
    output: Annotated[Path | None, value("FILE", default="runs/figureWHICH.png")] = None
    """File to write. Its name ends in .png, .pdf or .svg."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the random commands and the noise."""
    noise: Annotated[float | None, value("NUMBER", default="0.2, and 0 in the experiments")] = (
        within(None, 0, LOUDEST)
    )
    """Standard deviation of the process noise at a step of 5 ms. 0 turns the noise off."""
    curl: Annotated[float | None, value("NUMBER", default="0, and 13 for adaptation")] = within(
        None, -200, 200
    )
    """Viscous curl field at the hand [N s/m], in centre-out, adaptation, push and following. A
    positive one pushes to the right of the movement.
    """

    def run(self) -> None:
        """Draw, and print where the figure is."""
        from rnn_controller import figures

        path = self.output or Path("runs") / f"figure{self.which}.png"
        output_file(path, figures.FIGURE_SUFFIXES, "a figure")
        print(f"figure: {figures.save(self.drawn(), path)}")

    def drawn(self) -> Any:
        """Return the figure. Raises ValueError for a field in a figure that has none."""
        from rnn_controller import figures

        if self.curl is not None and self.which not in EXPERIMENTS:
            raise ValueError(
                f"--curl is for the figures {', '.join(EXPERIMENTS)}, not for {self.which}"
            )
        if self.which == "5":
            if not self.controller:
                return figures.figure_5()
            arm = load_checkpoint(self.controller).arm
            return figures.figure_5(arm, name=short_name(self.controller))
        if self.which == "tuning":
            return self._tuning()
        if self.which in EXPERIMENTS:
            return figure_of_experiment(
                self.which, self.controller, self.curl, self.seed, self.noise
            )
        noise = NOISE if self.noise is None else self.noise
        options: dict[str, Any] = {"seed": self.seed, "noise": noise}
        if self.which in TASKS:
            checkpoint = trained(self.controller, self.which)
            arguments: list[Any] = [controller_of(checkpoint), checkpoint.goal]
            draw: Any = figures.figure_overview
        else:
            checkpoint = trained(self.controller, figures.OF_MOVEMENTS[self.which])
            draw = getattr(figures, f"figure_{self.which}")
            arguments = [controller_of(checkpoint)]
            if self.which == "8":
                figures.check_planned_for(checkpoint.orbit)
                options["plans"] = {drawing: plan_of(checkpoint, drawing) for drawing in DRAWINGS}
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
    """Animate the movements of one panel of a figure, or an episode of a task.

    The animation is written to the file --output.

    Examples:
      python -m rnn_controller animate 6a
      python -m rnn_controller animate circle runs/circle-0 --output runs/circles.mp4
    """

    which: tyro.conf.Positional[SceneName]
    """Movements to show. 6a: reaching; 6d: following; 7a, 7b: circles; 8a: a figure of eight; 8b: a
    clover; the name of a task: an episode under random commands.
    """
    controller: tyro.conf.Positional[
        Annotated[str | None, value("[CONTROLLER]", default="the shipped controller of the task")]
    ] = None
    """Controller to show: a shipped one (reach, circle, follow, reach-paper, circle-paper), a
    checkpoint file, or the folder of a training run.
    """
    output: Annotated[Path | None, value("FILE", default="runs/animationWHICH.gif")] = None
    """File to write. Its name ends in .gif or .mp4."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the random commands and the noise."""
    noise: float = within(0.2, 0, LOUDEST)
    """Standard deviation of the process noise at a step of 5 ms. 0 turns the noise off."""

    def run(self) -> None:
        """Simulate, draw, and print where the animation is."""
        from rnn_controller import figures

        scene = figures.SCENES[self.which]
        path = self.output or Path("runs") / f"animation{self.which}.gif"
        figures.check_animation(path)
        checkpoint = trained(self.controller, task_of_environment(scene.env_id).name)
        schedule = scene.schedule
        if scene.drawing is not None:
            figures.check_planned_for(checkpoint.orbit)
            schedule = plan_of(checkpoint, scene.drawing)
        written = figures.animate(
            controller_of(checkpoint),
            path,
            seed=self.seed,
            noise=self.noise,
            seconds=scene.seconds,
            env_id=scene.env_id,
            schedule=schedule,
            **environment_of(checkpoint),
        )
        print(f"animation: {written}")


def trained(name: str | None, task: str) -> Checkpoint:
    """Return the named checkpoint, or the task's shipped one without a name.

    Raises ValueError if it was trained for another task.
    """
    checkpoint = load_checkpoint(task if name is None else name)
    if checkpoint.task != task:
        raise ValueError(
            f"this needs a controller for {task}, and {name} is one for {checkpoint.task}"
        )
    return checkpoint
