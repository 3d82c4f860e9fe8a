"""The command that records movements of a controller."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import tyro

from arm_env.checked import Checked, within
from arm_env.dynamics.perturbations import Perturbation
from arm_env.recording import record
from arm_env.tasks.recording_formats import PACKAGES, check_format
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.commands.measuring import (
    LARGEST_SEED,
    LOUDEST,
    environment_of,
    note_perturbation,
    short_name,
)
from rnn_controller.options import show, value
from rnn_controller.outputs import output_file
from rnn_controller.policy import controller_of
from rnn_controller.watching import DELAY, Watched, progress_bar

MOST_EPISODES = 20_000
MOST_STEPS = 4_000_000  # of all episodes together; they need some 5 GB of memory
LONGEST = 3600.0  # [s]


@dataclass(frozen=True)
class Record(Checked):
    """Record movements of a controller under random commands, and write them to a file.

    The file holds the movements, the senses without noise and the neural states.

    The suffix of --output says the format: .npz (NumPy), .nc (netCDF) or .csv.

    Examples:
      python -m rnn_controller record reach --output runs/reach.nc
      python -m rnn_controller record runs/reach-0 --episodes 20 --curl 13 --output runs/field.csv
    """

    controller: tyro.conf.Positional[Annotated[str, value("CONTROLLER")]]
    """A shipped controller (reach, circle, follow, reach-paper, circle-paper), a checkpoint file,
    or the folder of a training run.
    """
    output: Annotated[Path | None, value("FILE", default="runs/CONTROLLER.npz")] = None
    """File to write. Its name ends in .npz, .nc or .csv."""
    episodes: int = within(100, 1, MOST_EPISODES)
    """Number of episodes, up to 20,000."""
    seconds: Annotated[
        float | None, value("SECONDS", default="as long as `evaluate` measures; 2 for reach")
    ] = within(None, 0.0, LONGEST, above=True)
    """Duration of each episode, up to 3600. It is rounded to whole control periods."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of starts, targets and noise."""
    noise: float = within(0.2, 0, LOUDEST)
    """Standard deviation of the process noise at a step of 5 ms. 0 turns the noise off."""
    perturbation: Annotated[Perturbation, tyro.conf.OmitArgPrefixes] = field(
        default_factory=Perturbation
    )
    """Changes of the arm during the recording."""

    def run(self) -> None:
        """Record, write, and print where the file is."""
        path = self.output or Path("runs") / f"{short_name(self.controller)}.npz"
        check_format(output_file(path, tuple(PACKAGES), "a recording"))
        checkpoint = load_checkpoint(self.controller)
        steps = self.steps(checkpoint)
        note_perturbation(checkpoint, self.perturbation)
        envs = gym.make_vec(
            checkpoint.goal.env_id,
            num_envs=self.episodes,
            max_episode_steps=-1,
            noise=self.noise,
            perturbation=self.perturbation,
            **environment_of(checkpoint),
        )
        with Watched(controller_of(checkpoint), steps, "record") as controller:
            recording = record(controller, envs, steps, self.seed, senses=True)
        recording.save(path, progress=watched)
        print(f"recording: {path}")

    def steps(self, checkpoint: Checkpoint) -> int:
        """Return the number of control periods of an episode.

        Raises ValueError for less than one, and if all episodes together need too much memory.
        """
        period = checkpoint.network.config.control_period
        goal = checkpoint.goal
        seconds = goal.measured(goal.hold)[1] if self.seconds is None else self.seconds
        steps = round(seconds / period)
        if steps < 1:
            raise ValueError(f"seconds must be a control period of {period} s or more")
        if steps * self.episodes > MOST_STEPS:
            raise ValueError(
                f"episodes times seconds must be up to {MOST_STEPS * period:g} s here, "
                f"not {self.episodes} times {seconds:g} s, which would need too much memory"
            )
        return steps


show(
    Record,
    groups={"recording": ("episodes", "seconds", "seed", "noise"), "output": ("output",)},
)


def watched(parts: Iterable[Any]) -> Iterable[Any]:
    """Return the parts of a file, with a progress bar while they are written."""
    bar: Iterable[Any] = progress_bar(parts, desc="write", unit="part", delay=DELAY)
    return bar
