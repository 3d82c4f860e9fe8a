"""Figures 5 and 6: the arm, and reaching."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle
from mpl_toolkits.mplot3d import Axes3D

from arm_env.controllers import Controller
from arm_env.equations import NUMPY, force_curves
from arm_env.evaluation import TARGET_SIZE, closest_minimum_jerk
from arm_env.parameters import Arm
from arm_env.rendering import BELLY, TRUNK_OUTLINE, joint_positions, muscle_paths
from arm_env.schedules import CommandList
from rnn_controller.figures.common import COLOURS, FLESH, INK, STYLE, Run, draw_arm, draw_space, legend, run

START = (0.12, 0.31)  # [m] the first command, on which figure 6 begins
TARGETS = np.array([(0.38, 0.40), (-0.04, 0.55), (-0.36, 0.24), (0.04, 0.40)])  # [m] the next four
HOLD = 1.0  # [s] how long each is in force
ROUND = 8.0  # [s] one round of the moving target

NAMES = tuple(f"{part} {action}" for part in ("shoulder", "elbow", "biarticular") for action in ("flexor", "extensor"))
LABELS = (
    (-0.12, 0.105),
    (0.16, -0.05),
    (-0.01, 0.27),
    (0.26, 0.185),
    (-0.07, 0.17),
    (0.235, 0.115),
)  # [m] of figure 5a


def moving_target(time: float) -> np.ndarray:
    """A figure of eight [m], (2,), within the task's workspace."""
    phase = 2 * np.pi * time / ROUND
    return np.array([0.05 + 0.22 * np.sin(phase), 0.42 + 0.09 * np.sin(2 * phase)])


def figure_5(arm: Arm | None = None) -> Figure:
    """(a) The arm and its six muscles. (b) Tension against length and velocity, fully active.

    Lengths in optimal lengths, tensions in maximum isometric forces, as everywhere.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.5))
        muscles = figure.add_axes((0.0, 0.02, 0.54, 0.9))
        tension = figure.add_axes((0.55, -0.02, 0.45, 1.0), projection="3d")
        for x, title in ((0.01, "a   Arm and muscles"), (0.56, "b   Tension at full activation")):
            figure.text(x, 0.94, title, size=9)
        _draw_muscles(muscles, arm or Arm(), np.deg2rad((50.0, 75.0)))
        assert isinstance(tension, Axes3D)
        _draw_tension(tension)
    return figure


def _draw_muscles(axes: Axes, arm: Arm, angles: np.ndarray) -> None:
    joints = joint_positions(arm, angles)
    axes.fill(*TRUNK_OUTLINE.T, color=FLESH)
    draw_arm(axes, joints, 9)
    for i, path in enumerate(muscle_paths(arm, angles, len(BELLY))):
        pieces, colour = list(np.stack([path[:-1], path[1:]], 1)), COLOURS[i // 2]
        axes.add_collection(LineCollection(pieces, colors=colour, linewidths=1 + 4 * BELLY, capstyle="round"))
        axes.annotate(
            NAMES[i], path[len(path) // 2], LABELS[i], color=colour, ha=("right", "left")[i % 2], va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.7, "shrinkB": 0},
        )  # fmt: skip
    _draw_angle(axes, joints[0], 0.0, angles[0], r"$\theta_1$")
    _draw_angle(axes, joints[1], angles[0], angles[1], r"$\theta_2$")
    axes.set(aspect="equal", xlim=(-0.30, 0.47), ylim=(-0.11, joints[2, 1] + 0.03))
    axes.axis("off")


def _draw_angle(axes: Axes, centre: np.ndarray, start: float, angle: float, label: str) -> None:
    """A dotted line from the joint at ``start`` [rad], and an arc of ``angle`` [rad] from it."""
    reference = centre + np.outer((0, 0.16), (np.cos(start), np.sin(start)))
    axes.plot(*reference.T, ":", color=INK, lw=1)
    first, last = np.rad2deg([start, start + angle])
    axes.add_patch(Arc(tuple(centre), 0.24, 0.24, theta1=first, theta2=last, color=INK, lw=1))
    middle = start + 0.3 * angle
    x, y = centre + 0.15 * np.array([np.cos(middle), np.sin(middle)])
    axes.text(x, y, label, ha="center", va="center", size=11)


def _draw_tension(axes: Axes3D) -> None:
    length, velocity = np.meshgrid(np.linspace(0.4, 1.6, 61), np.linspace(-4, 4, 81))
    tension = force_curves(NUMPY, length, velocity)[0]
    axes.plot_surface(length, velocity, tension, cmap="viridis", rstride=4, cstride=3, lw=0.2, edgecolor="white")
    axes.set(xlabel="length [$L_0$]", ylabel="velocity [$L_0$/s]", zlabel="tension [$F_\\mathrm{max}$]")
    axes.set(xticks=(0.4, 0.8, 1.2, 1.6), yticks=(-4, -2, 0, 2, 4), zticks=(0, 0.5, 1, 1.5))
    axes.set_box_aspect((1, 1, 0.8), zoom=0.9)
    axes.view_init(24, -125)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color("white")


def figure_6(controller: Controller, *, seed: int = 0, noise: float = 0.2, **environment: Any) -> Figure:
    """(a) Reaching four consecutive targets, (b) distance and (c) speed. (d) Following a moving target.

    The curves behind (a) and (d) are those of constant shoulder and of constant elbow angle. What else is given,
    such as ``arm`` and ``control_period``, goes to the environment.
    """
    commands = CommandList(np.vstack([START, TARGETS]), HOLD)
    reaching = run(controller, commands, HOLD * len(TARGETS), seed=seed, noise=noise, **environment)
    tracking = run(controller, moving_target, ROUND, seed=seed, noise=noise, **environment)
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 4.9), layout="constrained")
        panels = figure.subplot_mosaic([["a", "b"], ["d", "c"]], width_ratios=(1.2, 1))
        for above, below in ("ad", "bc"):
            panels[above].sharex(panels[below])
            panels[above].tick_params(labelbottom=False)
        panels["a"].sharey(panels["d"])
        _draw_reaches(panels["a"], reaching)
        _draw_distance(panels["b"], reaching)
        _draw_speed(panels["c"], reaching)
        _draw_tracking(panels["d"], tracking)
        panels["c"].set_xlabel("time [s]")
        panels["d"].set_xlabel("x [m]")
    return figure


def _movements(reaching: Run) -> Iterator[tuple[str, np.ndarray, slice]]:
    """Colour, target and instants of each movement, from one jump to the next."""
    jumps = [int((reaching.target == target).all(-1).argmax()) for target in TARGETS]
    for colour, target, (start, end) in zip(COLOURS, TARGETS, pairwise([*jumps, len(reaching.target)]), strict=True):
        yield colour, target, slice(start, end + 1)


def _draw_reaches(axes: Axes, reaching: Run) -> None:
    draw_space(axes, reaching, "a   Four consecutive targets")
    axes.plot(*reaching.hand[0], "s", color=INK, ms=4)
    axes.annotate("start", reaching.hand[0], (-5, -2), textcoords="offset points", ha="right", va="top")
    way = np.diff(np.vstack([START, TARGETS]), axis=0)
    beyond = TARGETS + 1.8 * TARGET_SIZE * way / np.linalg.norm(way, axis=-1, keepdims=True)
    for number, (colour, target, when) in enumerate(_movements(reaching), 1):
        axes.add_patch(Circle(tuple(target), TARGET_SIZE, fill=False, ec=colour, lw=1.3))
        axes.plot(*reaching.hand[when].T, color=colour, lw=1.8)
        axes.annotate(str(number), beyond[number - 1], color=colour, weight="bold", ha="center", va="center")


def _draw_distance(axes: Axes, reaching: Run) -> None:
    axes.axhspan(0, 100 * TARGET_SIZE, color=FLESH, lw=0)
    for colour, target, when in _movements(reaching):
        distance = np.linalg.norm(reaching.hand[when] - target, axis=-1)
        axes.plot(reaching.time[when], 100 * distance, color=colour, lw=1.8)
    _draw_jumps(axes, reaching)
    axes.text(1.01, 100 * TARGET_SIZE, f"{100 * TARGET_SIZE:.0f} cm", transform=axes.get_yaxis_transform(), va="center")
    axes.set(title="b   Distance to target", ylabel="distance [cm]")


def _draw_speed(axes: Axes, reaching: Run) -> None:
    for colour, _, when in _movements(reaching):
        time, speed = reaching.time[when], reaching.speed[when]
        bell = closest_minimum_jerk(speed[:, None])[1][:, 0]
        axes.plot(time, np.where(bell > 1e-9, bell, np.nan), "--", color=colour, lw=1.2)
        axes.plot(time, speed, color=colour, lw=1.8)
    _draw_jumps(axes, reaching)
    axes.plot([], "--", color=INK, lw=1.2, label="minimum jerk")
    legend(axes)
    axes.set(title="c   Speed", ylabel="speed [m/s]")


def _draw_jumps(axes: Axes, reaching: Run) -> None:
    for _, _, when in _movements(reaching):
        axes.axvline(reaching.time[when.start], color=INK, lw=0.7, ls=":")
    axes.set(xlim=reaching.time[[0, -1]], ylim=(0, None))


def _draw_tracking(axes: Axes, tracking: Run) -> None:
    draw_space(axes, tracking, "d   Moving target")
    distance = np.linalg.norm(tracking.hand[1:] - tracking.target, axis=-1)
    axes.plot(*tracking.target.T, ":", color=INK, label="target")
    axes.plot(*tracking.hand.T, color=COLOURS[0], lw=1.5, label="hand")
    legend(axes)
    axes.text(0.98, 0.03, f"median distance {100 * np.median(distance):.1f} cm", transform=axes.transAxes, ha="right")
