"""The command that draws a curve of the user's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from arm_env.checked import Checked, within
from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.commands.measuring import LARGEST_SEED, LOUDEST, environment_of, short_name
from rnn_controller.options import value
from rnn_controller.outputs import output_file
from rnn_controller.policy import controller_of
from rnn_controller.watching import remark

PACE = 0.25  # [m/s] mean speed, if no lap is given
LEAST = 2.0  # [s] of a lap that is not given
FAR = 0.005  # [m] a hand that is farther off without noise can't follow


@dataclass(frozen=True)
class Draw(Checked):
    """Let a controller draw a curve of your own.

    The command plans the commands with which the hand follows the curve. It prints how far off the
    hand is (median), and writes a figure or an animation, and the plan beside it as .json.

    CURVE.csv has a point x, y a line, in metres from the shoulder; the workspace is about 60 cm
    wide, and its middle is near 0, 0.42. The first line may be a header.

    Examples:
      python -m rnn_controller draw star.csv
      python -m rnn_controller draw letter.csv circle --open --lap 5 --output letter.gif
    """

    curve: tyro.conf.Positional[Annotated[Path, value("CURVE.csv")]]
    """File of points."""
    controller: tyro.conf.Positional[Annotated[str, value("[CONTROLLER]")]] = "follow"
    """Controller that draws: a shipped one (follow, reach, circle), a checkpoint file, or the
    folder of a training run.
    """
    output: Annotated[Path | None, value("FILE", default="runs/CURVE.png")] = None
    """File to write. Its name ends in .png, .pdf or .svg, or for an animation in .gif or .mp4."""
    lap: Annotated[float | None, value("SECONDS", default="that of a speed of 0.25 m/s")] = within(
        None, 0, 1000, above=True
    )
    """Duration of a lap, from 0.5 to 30 s."""
    open: bool = False
    """Draw the curve to its end and back, instead of closing it."""
    speed: Literal["uniform", "power-law"] = "uniform"
    """Speed along the curve: uniform, or slower where it bends, by the two-thirds power law."""
    noise: float = within(0.2, 0, LOUDEST)
    """Standard deviation of the process noise at a step of 5 ms. 0 turns the noise off."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the noise."""
    iterations: int = within(100, 1, 10_000)
    """Number of steps of the search."""

    def run(self) -> None:
        """Plan, draw, and print the distances and the paths of the files."""
        from rnn_controller import figures
        from rnn_controller.figures.animation import WRITERS
        from rnn_controller.planning.planner import plan
        from rnn_controller.planning.points import read_points

        path = self.output or Path("runs") / f"{self.curve.stem}.png"
        output_file(path, (*figures.FIGURE_SUFFIXES, *WRITERS), "a drawing")
        animated = path.suffix.lower() not in figures.FIGURE_SUFFIXES
        check = figures.check_animation if animated else figures.check_figure
        check(path)
        stored = output_file(path.with_suffix(".json"), (".json",), "a plan")
        points = read_points(self.curve)
        checkpoint = load_checkpoint(self.controller)
        made = plan(
            checkpoint, self.curve, self.lap or self._lap(points), closed=not self.open,
            speed=self.speed, noise=self.noise, seed=self.seed, iterations=self.iterations,
        )  # fmt: skip
        made.save(stored)
        controller, environment = controller_of(checkpoint), environment_of(checkpoint)
        environment |= {"seed": self.seed, "noise": self.noise}
        if animated:
            figures.animate(
                controller, path, env_id=made.goal.env_id, schedule=made,
                seconds=min(2 * made.lap, figures.LONGEST), **environment,
            )  # fmt: skip
        else:
            name = short_name(self.controller)
            figures.save(figures.figure_drawing(made, controller, name=name, **environment), path)
        distances = f"{1000 * made.quiet_distance_m:.1f} mm without noise"
        if self.noise:
            noisy = 1000 * made.noisy_distance_m
            distances += f", {noisy:.1f} mm with {100 * self.noise:g} % noise"
        print(f"distance from the curve (median): {distances}, lap {made.lap:.3g} s")
        if made.quiet_distance_m > FAR:
            remark("note: the controller can't follow this curve well; try a longer --lap")
        print(f"{'animation' if animated else 'figure'}: {path}\nplan: {stored}")

    def _lap(self, points: np.ndarray) -> float:
        from rnn_controller.planning.planner import LAPS

        line = points if self.open else np.concatenate([points, points[:1]])
        length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum() * (1 + self.open)
        return round(min(max(LEAST, float(length) / PACE), LAPS[1]), 1)
