"""The paper's figures of the arm and of the reaching controller (Huh & Todorov 2009), and an animation.

Every figure is a ``matplotlib.figure.Figure`` of its own: no display, no global state.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle
from mpl_toolkits.mplot3d import Axes3D
from PIL import Image
from tqdm import tqdm

from arm_env.controllers import Controller
from arm_env.equations import NUMPY, force_curves
from arm_env.evaluation import MOVING, TARGET_SIZE, record
from arm_env.parameters import MUSCLES, Arm
from arm_env.rendering import BELLY, TRUNK_OUTLINE, joint_positions, muscle_paths
from arm_env.tasks import Reach, hand_position
from rnn_controller.checkpoint import write_whole

START = (0.08, 0.30)  # [m] where the hand of figure 6 rests before the first jump
TARGETS = np.array([(0.36, 0.42), (-0.02, 0.56), (-0.37, 0.26), (-0.08, 0.36)])  # [m] the next four commands
ROUND = 8.0  # [s] one round of the moving target
FRAME_RATE, FRAME_SIZE, FRAME_COLOURS = 25, (480, 360), 48  # [1/s], [px], [-] of the animation

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe & Ito: told apart by colour-blind eyes
INK, GRID, BONE, FLESH = "#333333", "#CBD0D8", "#B4B4B4", "#ECE8E3"
STYLE: dict[str, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}


class Run(NamedTuple):
    """What one arm did, at T + 1 instants."""

    time: np.ndarray  # (T + 1,) [s]
    joints: np.ndarray  # (3, 2) [m] shoulder, elbow and hand at the start
    hand: np.ndarray  # (T + 1, 2) [m]
    speed: np.ndarray  # (T + 1,) [m/s]
    commands: np.ndarray  # (T, 2) [m] the target in force between two instants


def moving_target(time: float) -> np.ndarray:
    """A figure of eight [m], (2,), within the task's workspace."""
    phase = 2 * np.pi * time / ROUND
    return np.array([0.04 + 0.22 * np.sin(phase), 0.42 + 0.09 * np.sin(2 * phase)])


def run(controller: Controller, schedule: Any, seconds: float, *, seed: int, noise: float) -> Run:
    """One arm under a schedule of commands, from rest on the first."""
    envs = gym.make_vec("ReachArm-v0", num_envs=1, schedule=schedule, noise=noise, max_episode_steps=10**9)
    simulation = envs.unwrapped.simulation  # type: ignore[attr-defined]
    steps = round(seconds / simulation.control_period)
    recording = record(controller, envs, steps, seed)
    envs.close()
    return Run(
        np.arange(steps + 1) * simulation.control_period,
        joint_positions(simulation.arm, recording.states[0, 0, :2]),
        recording.hand[:, 0],
        recording.speed[:, 0],
        recording.commands[:, 0],
    )


def figure_5(arm: Arm | None = None) -> Figure:
    """(a) The arm and its six muscles. (b) Tension against length and velocity, fully active."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.4))
        _draw_muscles(figure.add_axes((0.0, 0.02, 0.5, 0.88)), arm or Arm())
        axes = figure.add_axes((0.5, 0.0, 0.46, 1.0), projection="3d")
        assert isinstance(axes, Axes3D)
        _draw_tension(axes)
        for x, title in ((0.01, "a   Arm with six muscles"), (0.51, "b   Tension at full activation")):
            figure.text(x, 0.94, title, size=9)
    return figure


def _draw_muscles(axes: Axes, arm: Arm) -> None:
    angles = np.deg2rad((50.0, 75.0))
    joints = joint_positions(arm, angles)
    axes.fill(*TRUNK_OUTLINE.T, color=FLESH)
    axes.plot(*joints.T, color=BONE, lw=9, solid_joinstyle="round")
    axes.plot(*joints.T, "o", color="white", mec=INK, ms=6, zorder=4)
    axes.set_aspect("equal")
    axes.axis("off")
    heading = 0.0
    for joint, (centre, angle) in enumerate(zip(joints, angles, strict=False), 1):
        reference = centre + np.outer((0, 0.13), (np.cos(heading), np.sin(heading)))
        axes.plot(*reference.T, ":", color=INK, lw=1)
        start, heading = heading, heading + angle
        axes.add_patch(Arc(centre, 0.2, 0.2, theta1=np.rad2deg(start), theta2=np.rad2deg(heading), color=INK))
        middle = 0.125 * np.array([np.cos((start + heading) / 2), np.sin((start + heading) / 2)])
        axes.text(*(centre + middle), f"$θ_{joint}$", ha="center", va="center", size=11)
    for i, (name, path) in enumerate(zip(MUSCLES, muscle_paths(arm, angles, len(BELLY)), strict=True)):
        colour = COLOURS[i // 2]
        pieces = np.stack([path[:-1], path[1:]], 1)
        axes.add_collection(LineCollection(list(pieces), colors=colour, linewidths=1 + 4 * BELLY, capstyle="round"))
        axes.text(*path[len(path) // 2], name, color=colour, weight="bold")


def _draw_tension(axes: Axes3D) -> None:
    length, velocity = np.meshgrid(np.linspace(0.4, 1.6, 61), np.linspace(-4, 4, 81))
    tension = force_curves(NUMPY, length, velocity)[0]
    axes.plot_surface(length, velocity, tension, cmap="viridis", rstride=2, cstride=2, lw=0.2, edgecolor="white")
    axes.set(xlabel="length [$L_0$]", ylabel="velocity [$L_0$/s]", zlabel="tension [$F_{max}$]")


def figure_6(controller: Controller, *, seed: int = 0, noise: float = 0.2) -> Figure:
    """Reaching for four consecutive targets, (a) to (c), and following a moving one, (d).

    Grey curves in (a) and (d) are those of constant shoulder and of constant elbow angle.
    """
    number = len(TARGETS)
    reaching = run(controller, np.vstack([START, TARGETS]), number + 1, seed=seed, noise=noise)
    tracking = run(controller, moving_target, ROUND, seed=seed, noise=noise)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 4.9), layout="constrained")
        panels = figure.subplot_mosaic([["a", "b"], ["d", "c"]], width_ratios=(1.15, 1))
        panels["c"].sharex(panels["b"])
        _draw_reaches(panels["a"], reaching)
        _draw_distance(panels["b"], reaching)
        _draw_speed(panels["c"], reaching)
        _draw_tracking(panels["d"], tracking)
    return figure


def movements(reaching: Run) -> Iterator[tuple[str, np.ndarray, slice]]:
    """Colour, target and instants of each movement, from its jump to the next."""
    hold = (len(reaching.time) - 1) // (len(TARGETS) + 1)
    for i, (colour, target) in enumerate(zip(COLOURS, TARGETS, strict=True), 1):
        yield colour, target, slice(i * hold, (i + 1) * hold + 1)


def _draw_space(axes: Axes, joints: np.ndarray, title: str) -> None:
    """The joint-coordinate grid, and the arm on it."""
    shoulder, elbow = (np.linspace(low, high, 12) for low, high in (Reach.shoulder, Reach.elbow))
    fine = np.linspace(0, 1, 60)
    grid = hand_position(Arm(), np.stack(np.meshgrid(shoulder, elbow), -1))
    del fine
    axes.add_collection(LineCollection([*grid, *grid.swapaxes(0, 1)], colors=GRID, linewidths=0.6, zorder=0))
    axes.plot(*joints.T, color=BONE, lw=6, solid_joinstyle="round", zorder=1)
    axes.plot(*joints[:2].T, "o", color="white", mec=INK, ms=4, zorder=1)
    axes.set_aspect("equal")
    axes.set(title=title, xlabel="x [m]", ylabel="y [m]")


def _draw_reaches(axes: Axes, reaching: Run) -> None:
    _draw_space(axes, reaching.joints, "a   Four consecutive targets")
    axes.plot(*reaching.hand[0], "s", color=INK, ms=4)
    for number, (colour, target, when) in enumerate(movements(reaching), 1):
        axes.add_patch(Circle(tuple(target), TARGET_SIZE, fill=False, ec=colour, lw=1.3))
        axes.plot(*reaching.hand[when].T, color=colour, lw=1.8)
        axes.annotate(str(number), target, (0, 14), textcoords="offset points", color=colour, weight="bold")


def _draw_distance(axes: Axes, reaching: Run) -> None:
    axes.axhspan(0, 100 * TARGET_SIZE, color=FLESH, lw=0)
    for colour, target, when in movements(reaching):
        distance = np.linalg.norm(reaching.hand[when] - target, axis=-1)
        axes.plot(_time(reaching, when), 100 * distance, color=colour, lw=1.8)
    _mark_jumps(axes, reaching)
    axes.set(title="b   Distance to target", ylabel="distance [cm]", ylim=(0, None))


def _draw_speed(axes: Axes, reaching: Run) -> None:
    for colour, target, when in movements(reaching):
        time, speed = _time(reaching, when), reaching.speed[when]
        length = float(np.linalg.norm(target - reaching.hand[when.start]))
        axes.plot(time, minimum_jerk(time, speed, length), "--", color=colour, lw=1.2)
        axes.plot(time, speed, color=colour, lw=1.8)
    _mark_jumps(axes, reaching)
    axes.set(title="c   Speed", xlabel="time [s]", ylabel="speed [m/s]", ylim=(0, None))


def minimum_jerk(time: np.ndarray, speed: np.ndarray, length: float) -> np.ndarray:
    """Speed [m/s] of the minimum-jerk movement over ``length`` [m] with the duration of a measured one.

    Onset and end are where the measured speed crosses 5 % of its peak (Flash & Hogan 1985).
    """
    peak = int(speed.argmax())
    slow = speed < MOVING * speed[peak]
    before, after = np.flatnonzero(slow[:peak]), np.flatnonzero(slow[peak:])
    first = before[-1] if len(before) else 0
    last = peak + after[0] if len(after) else len(speed) - 1
    duration = time[last] - time[first]
    s = np.clip((time - time[first]) / duration, 0, 1)
    return 30 * length / duration * s**2 * (1 - s) ** 2


def _time(reaching: Run, when: slice) -> np.ndarray:
    """Time since the first jump [s]."""
    return reaching.time[when] - 1


def _mark_jumps(axes: Axes, reaching: Run) -> None:
    for _, _, when in movements(reaching):
        axes.axvline(_time(reaching, when)[0], color=INK, lw=0.6, ls=":")


def _draw_tracking(axes: Axes, tracking: Run) -> None:
    _draw_space(axes, tracking.joints, "d   Following a moving target")
    distance = np.linalg.norm(tracking.hand[1:] - tracking.commands, axis=-1)
    axes.plot(*tracking.commands.T, ":", color=INK)
    axes.plot(*tracking.hand.T, color=COLOURS[0], lw=1.5)
    axes.text(0.98, 0.02, f"median distance {100 * np.median(distance):.1f} cm", transform=axes.transAxes, ha="right")


def save(figure: Figure, path: Path | str) -> Path:
    """Write a figure as PNG, PDF or SVG, by the suffix of ``path``; it appears whole or not at all."""
    path = Path(path)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise ValueError(f"a figure is saved as .png, .pdf or .svg, not as {path.name!r}")
    data = io.BytesIO()
    figure.savefig(data, format=path.suffix[1:], dpi=150)
    return write_whole(path, data.getvalue())


def animate(
    controller: Controller, path: Path | str, *, seed: int = 0, noise: float = 0.2, seconds: float = 8.0
) -> Path:
    """Write an animated GIF of the arm as it follows random jumps; it appears whole or not at all."""
    first, *rest = _quantised(_frames(controller, seed, noise, round(seconds * FRAME_RATE)))
    data = io.BytesIO()
    first.save(data, "GIF", save_all=True, append_images=rest, duration=1000 // FRAME_RATE, loop=0)
    return write_whole(Path(path), data.getvalue())


def _frames(controller: Controller, seed: int, noise: float, number: int) -> Iterator[Image.Image]:
    env = gym.make("ReachArm-v0", render_mode="rgb_array", noise=noise, max_episode_steps=10**9)
    observation, _ = env.reset(seed=seed)
    memory, start = None, np.ones(1, dtype=bool)
    for _ in tqdm(range(number), desc="frames", delay=3):
        yield Image.fromarray(env.render()).resize(FRAME_SIZE, Image.Resampling.LANCZOS)  # type: ignore[arg-type]
        for _ in range(round(env.metadata["render_fps"] / FRAME_RATE)):
            action, memory = controller.predict(observation[None], memory, start, deterministic=True)
            observation, *_ = env.step(action[0])
            start = np.zeros(1, dtype=bool)
    env.close()


def _quantised(frames: Iterator[Image.Image]) -> list[Image.Image]:
    """The frames in one palette, that of a mosaic of some of them."""
    frames = list(frames)
    sample = np.concatenate([np.asarray(frame) for frame in frames[:: max(1, len(frames) // 8)]])
    palette = Image.fromarray(sample).quantize(FRAME_COLOURS)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
