"""Parts of all figures: style, recorded runs, the workspace of the arm, and saving."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from arm_env.control.controllers import Controller, as_controller, check_period, check_task
from arm_env.dynamics.parameters import Arm
from arm_env.envs.muscle_paths import joint_positions
from arm_env.evaluation import record
from arm_env.files import write_whole
from arm_env.tasks.reach import Reach
from arm_env.tasks.workspace import hand_position
from rnn_controller.outputs import output_file
from rnn_controller.watching import Watched

# Okabe & Ito: colour-blind eyes tell them apart
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
INK, GRID, BONE, FLESH = "#333333", "#CBD0D8", "#B4B4B4", "#ECE8E3"
STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}


FIGURE_SUFFIXES = (".png", ".pdf", ".svg")
NOISY = 3  # runs with noise behind one without
BEHIND: dict[str, Any] = {"lw": 0.7, "alpha": 0.4, "zorder": 1.5}
"""Line style of a run with noise."""
IN_FRONT: dict[str, Any] = {"lw": 1.5, "zorder": 2}
"""Line style of the run without noise."""


class Run(NamedTuple):
    """The movement of one arm, at T + 1 instants.

    Attributes:
        arm: Parameters of the arm.
        time: (T + 1,) [s] the instants.
        angles: (T + 1, 2) [rad] angles of shoulder and elbow.
        hand: (T + 1, 2) [m] positions of the hand.
        velocity: (T + 1, 2) [m/s] velocities of the hand.
        command: (T, K) command between each two instants.
        task: The task of the environment.
    """

    arm: Arm
    time: np.ndarray
    angles: np.ndarray
    hand: np.ndarray
    velocity: np.ndarray
    command: np.ndarray
    task: Any

    @property
    def speed(self) -> np.ndarray:
        """Speed of the hand [m/s], (T + 1,)."""
        return np.linalg.norm(self.velocity, axis=-1)

    @property
    def target(self) -> np.ndarray:
        """The command's first two components [m], (T, 2)."""
        return self.command[:, :2]


def run(
    controller: Controller,
    schedule: Any,
    seconds: float,
    *,
    seed: int,
    noise: float,
    env_id: str = "ReachArm-v0",
    before: float = 1.0,
    **environment: Any,
) -> Run:
    """Record one arm under a schedule of commands.

    The arm begins on the attractor of the first command; time 0 is ``before`` [s] after that. Other
    arguments, such as ``arm``, go to the environment.
    """
    arguments = {"schedule": schedule, "noise": noise, "max_episode_steps": 10**9, **environment}
    envs = gym.make_vec(env_id, num_envs=1, **arguments)
    simulation = envs.unwrapped.simulation  # type: ignore[attr-defined]
    controller = as_controller(controller, simulation.control_period)
    check_fit(controller, simulation)
    arm = simulation.arm
    period = simulation.control_period
    first = round(before / period)
    steps = round(seconds / period)
    with Watched(controller, first + steps, "figure") as watched:
        whole = record(watched, envs, first + steps, seed)
    envs.close()
    states, hand, velocity, command = (
        part[first:, 0] for part in (whole.states, whole.hand, whole.velocity, whole.commands)
    )
    return Run(
        arm, np.arange(steps + 1) * period, states[:, :2], hand, velocity, command, simulation.task
    )


def runs(*arguments: Any, seed: int, noise: float, **environment: Any) -> tuple[Run, list[Run]]:
    """Return a run without noise, and ``NOISY`` runs with it, of seeds from ``seed`` on.

    There are none of those if ``noise`` is 0. The arguments are those of ``run``.
    """
    seeds = range(seed, seed + NOISY) if noise else ()
    noisy = [run(*arguments, seed=each, noise=noise, **environment) for each in seeds]
    return run(*arguments, seed=seed, noise=0.0, **environment), noisy


def in_order(quiet: Run, noisy: list[Run]) -> list[tuple[Run, dict[str, Any]]]:
    """Return the runs and their line styles; the run without noise is last and in front."""
    return [*((shown, BEHIND) for shown in noisy), (quiet, IN_FRONT)]


def check_fit(controller: Controller, simulation: Any) -> None:
    """Raise ValueError for a controller of another control period, task or maximum excitation."""
    check_period(controller, simulation.control_period)
    check_task(controller, simulation.task)
    wanted = getattr(controller, "max_excitation", None)
    given = simulation.arm.max_excitation
    if wanted not in (None, given):
        raise ValueError(
            f"the controller was made for a maximum excitation of {wanted:g}, and the "
            f"environment has {given:g}"
        )


def draw_arm(axes: Axes, joints: np.ndarray, width: float) -> None:
    """Draw the bones along joints [m], (3, 2), and shoulder and elbow."""
    axes.plot(*joints.T, color=BONE, lw=width, zorder=1)
    axes.plot(*joints[:2].T, "o", color="white", mec=INK, ms=0.65 * width, zorder=3)


def draw_space(axes: Axes, shown: Run, title: str) -> None:
    """Draw the joint-coordinate grid, and the arm in its first posture."""
    shoulder, elbow = (np.linspace(low, high, 61) for low, high in (Reach.shoulder, Reach.elbow))
    grid = hand_position(shown.arm, np.stack(np.meshgrid(shoulder, elbow), -1))
    curves = [*grid[::6], *grid.swapaxes(0, 1)[::6]]
    axes.add_collection(LineCollection(curves, colors=GRID, linewidths=0.6, zorder=0))
    draw_arm(axes, joint_positions(shown.arm, shown.angles[0]), 6)
    axes.set(title=title, ylabel="y [m]", aspect="equal")


def legend(axes: Axes) -> None:
    """Draw a legend on the line of the title."""
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1.015), ncols=2, borderaxespad=0, borderpad=0.2
    )


def explain(figure: Figure, noise: float, dashed: str) -> None:
    """Draw a legend of the figure: lines without noise, lines with it, and dashed ones."""
    entries = [Line2D([], [], color=COLOURS[0], lw=1.5, label="without noise")]
    if noise:
        label = f"with {100 * noise:g} % noise, {NOISY} times"
        entries.append(Line2D([], [], color=COLOURS[0], **BEHIND, label=label))
    entries.append(Line2D([], [], color=INK, ls="--", lw=0.9, label=dashed))
    figure.legend(handles=entries, ncols=3, loc="outside lower left")


def sign(figure: Figure, name: str | None) -> None:
    """Write the name of the controller, if it has one, in the lower right corner."""
    if name:
        text = "controller: " + (name if len(name) <= 40 else name[:39] + "…")
        style = {"size": 6.5, "color": INK, "ha": "right", "va": "bottom"}
        figure.text(0.995, 0.006, text, style, parse_math=False)


def save(figure: Figure, path: Path | str) -> Path:
    """Write a figure as PNG, PDF or SVG, by the suffix of ``path``, whole or not at all."""
    path = check_figure(path)
    data = io.BytesIO()
    figure.savefig(data, format=path.suffix[1:].lower(), dpi=150)
    return write_whole(path, data.getvalue())


def check_figure(path: Path | str) -> Path:
    """Return the path, if a figure can be written to it. Raises ValueError or OSError otherwise."""
    return output_file(path, FIGURE_SUFFIXES, "a figure")
