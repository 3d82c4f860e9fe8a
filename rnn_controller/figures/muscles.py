"""Figure 5: the arm and its muscles."""

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Arc, Patch
from matplotlib.ticker import MultipleLocator
from mpl_toolkits.mplot3d import Axes3D

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import force_curves, isometric_torques, muscle_length
from arm_env.dynamics.parameters import MUSCLES, Arm
from arm_env.envs.muscle_paths import TRUNK_OUTLINE, joint_positions, muscle_paths
from arm_env.envs.rendering import BELLY
from arm_env.tasks.reach import Reach
from rnn_controller.figures.common import COLOURS, FLESH, GRID, INK, STYLE, draw_arm, sign

JOINTS = ("shoulder", "elbow")
PARTS = (*JOINTS, "biarticular")
NAMES = tuple(f"{part} {action}" for part in PARTS for action in ("flexor", "extensor"))
LABELS = (
    (-0.12, 0.105),
    (0.16, -0.05),
    (-0.01, 0.27),
    (0.26, 0.185),
    (-0.07, 0.17),
    (0.235, 0.115),
)  # [m] of figure 5a
BAND: dict[str, Any] = {"color": GRID, "alpha": 0.6, "lw": 0}  # what a torque can be
SHOWN_LENGTHS = (0.4, 1.6)  # [L0] of the force curves, if the workspace doesn't use more


def figure_5(arm: Arm | None = None, *, name: str | None = None) -> Figure:
    """Draw (a) arm and muscles, (b) tension, (c, d) joint torques at rest, (e) muscle lengths.

    Tension is drawn against length and velocity, torque against the joint's angle, both of fully
    active muscles. Lengths are in optimal lengths, tensions in maximum isometric forces.
    ``name`` is that of the controller whose arm it is.
    """
    arm = arm or Arm()
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 6.6))
        muscles = figure.add_axes((0.0, 0.48, 0.54, 0.48))
        tension = figure.add_axes((0.55, 0.455, 0.45, 0.53), projection="3d")
        for x, title in ((0.01, "a   Arm and muscles"), (0.56, "b   Tension at full activation")):
            figure.text(x, 0.97, title, size=9)
        _draw_muscles(muscles, arm, np.deg2rad((50.0, 75.0)))
        assert isinstance(tension, Axes3D)
        _draw_tension(tension)
        below = GridSpec(1, 3, figure, left=0.07, right=0.985, bottom=0.135, top=0.4, wspace=0.33)
        angles = workspace_angles()
        torques = isometric_torques(NUMPY, arm.arrays(), angles)
        shoulder = figure.add_subplot(below[0])
        elbow = figure.add_subplot(below[1], sharey=shoulder)
        for joint, axes in enumerate((shoulder, elbow)):
            _draw_torques(axes, joint, np.rad2deg(angles), torques[..., joint, :])
        panels = below[2].subgridspec(2, 1, height_ratios=(1, 1.15), hspace=0.12)
        curve = figure.add_subplot(panels[0])
        _draw_lengths(curve, figure.add_subplot(panels[1], sharex=curve), arm, angles)
        handles = [
            Line2D([], [], color=COLOURS[0], lw=1.4, label="one muscle, coloured as in a"),
            Line2D([], [], color=INK, lw=1.4, label="all flexors, all extensors"),
            Patch(**BAND, label="the same at any angle of the other joint"),
        ]
        figure.legend(handles=handles, ncols=3, loc="lower left", bbox_to_anchor=(0.03, 0.02))
        sign(figure, name)
    return figure


def workspace_angles() -> np.ndarray:
    """Return joint angles [rad], (45, 45, 2), over the workspace; axis 0 is the shoulder's."""
    shoulder, elbow = (np.linspace(*limits, 45) for limits in (Reach.shoulder, Reach.elbow))
    return np.stack(np.meshgrid(shoulder, elbow, indexing="ij"), -1)


def _draw_muscles(axes: Axes, arm: Arm, angles: np.ndarray) -> None:
    joints = joint_positions(arm, angles)
    axes.fill(*TRUNK_OUTLINE.T, color=FLESH)
    draw_arm(axes, joints, 9)
    for i, path in enumerate(muscle_paths(arm, angles, len(BELLY))):
        pieces = list(np.stack([path[:-1], path[1:]], 1))
        colour = COLOURS[i // 2]
        style: dict[str, Any] = {"colors": colour, "linewidths": 1 + 4 * BELLY, "capstyle": "round"}
        axes.add_collection(LineCollection(pieces, **style))
        axes.annotate(
            NAMES[i],
            path[len(path) // 2],
            LABELS[i],
            color=colour,
            ha=("right", "left")[i % 2],
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.7, "shrinkB": 0},
        )
    _draw_angle(axes, joints[0], 0.0, angles[0], r"$\theta_1$")
    _draw_angle(axes, joints[1], angles[0], angles[1], r"$\theta_2$")
    axes.set(aspect="equal", xlim=(-0.30, 0.47), ylim=(-0.11, joints[2, 1] + 0.03))
    axes.axis("off")


def _draw_angle(axes: Axes, centre: np.ndarray, start: float, angle: float, label: str) -> None:
    """Draw a dotted line from a joint at ``start`` [rad], and an arc of ``angle`` [rad]."""
    reference = centre + np.outer((0, 0.16), (np.cos(start), np.sin(start)))
    axes.plot(*reference.T, ":", color=INK, lw=1)
    first, last = np.rad2deg([start, start + angle])
    axes.add_patch(Arc(tuple(centre), 0.24, 0.24, theta1=first, theta2=last, color=INK, lw=1))
    middle = start + 0.3 * angle
    x, y = centre + 0.15 * np.array([np.cos(middle), np.sin(middle)])
    axes.text(x, y, label, ha="center", va="center", size=11)


def _draw_tension(axes: Axes3D) -> None:
    length, velocity = np.meshgrid(np.linspace(*SHOWN_LENGTHS, 61), np.linspace(-4, 4, 81))
    tension = force_curves(NUMPY, length, velocity)[0]
    axes.plot_surface(
        length,
        velocity,
        tension,
        cmap="viridis",
        rstride=4,
        cstride=3,
        lw=0.2,
        edgecolor="white",
    )
    axes.set(xlabel="length [$L_0$]", ylabel="velocity [$L_0$/s]")
    axes.set_zlabel("tension [$F_\\mathrm{max}$]")
    axes.set(xticks=(0.4, 0.8, 1.2, 1.6), yticks=(-4, -2, 0, 2, 4), zticks=(0, 0.5, 1, 1.5))
    axes.set_box_aspect((1, 1, 0.8), zoom=0.9)
    axes.view_init(24, -125)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color("white")


def _draw_torques(axes: Axes, joint: int, angles: np.ndarray, torques: np.ndarray) -> None:
    """Draw torques [N m], (n, n, 6), about a joint against its angles [deg], (n, n, 2).

    Lines are drawn with the other joint in the middle of its range, bands over all of that range.
    """
    angle = np.moveaxis(angles[..., joint], joint, 0)[:, 0]
    torques = np.moveaxis(torques, joint, 0)  # (own angle, the other joint's, muscle)
    middle = torques.shape[1] // 2
    for i in np.flatnonzero(torques.any((0, 1))):
        axes.plot(angle, torques[:, middle, i], color=COLOURS[i // 2], lw=1.4)
    directions = (("flexion", 1, 0.98, "top"), ("extension", -1, 0.02, "bottom"))
    for first, (direction, sign_of, height, aligned) in enumerate(directions):
        total = torques[..., first::2].sum(-1)
        axes.fill_between(angle, total.min(1), total.max(1), **BAND)
        axes.plot(angle, total[:, middle], color=INK, lw=1.4)
        text = f"{direction} ≥ {(sign_of * total).min():.2g} N m"
        axes.text(0.5, height, text, transform=axes.transAxes, ha="center", va=aligned)
    axes.axhline(0, color=INK, lw=0.6)
    axes.margins(x=0, y=0.2)
    name = JOINTS[joint]
    axes.set(title=f"{'cd'[joint]}   Torque about the {name}", xlabel=f"{name} angle [deg]")
    axes.xaxis.set_major_locator(MultipleLocator(20))
    if joint == 0:
        axes.set_ylabel("torque at full activation [N m]", labelpad=1)


def _draw_lengths(curve: Axes, strips: Axes, arm: Arm, angles: np.ndarray) -> None:
    """Draw the force-length curve, and under it the range of each muscle's length."""
    lengths = muscle_length(arm.arrays(), angles).reshape(-1, len(MUSCLES))
    shortest = lengths.min(0)
    longest = lengths.max(0)
    first = min(SHOWN_LENGTHS[0], shortest.min() - 0.05)
    last = max(SHOWN_LENGTHS[1], longest.max() + 0.05)
    length = np.linspace(first, last, 200)
    curve.plot(length, force_curves(NUMPY, length, np.zeros_like(length))[0], color=INK, lw=1.4)
    colours = [COLOURS[i // 2] for i in range(len(MUSCLES))]
    strips.barh(MUSCLES, longest - shortest, 0.62, shortest, color=colours)
    strips.invert_yaxis()
    for axes in (curve, strips):
        axes.axvline(1, color=INK, lw=0.7, ls=":", zorder=0)
    curve.tick_params(labelbottom=False)
    curve.set(xlim=(first, last), ylim=(0, 1.1))
    curve.set(title="e   Lengths in the workspace", ylabel="tension")
    strips.set_xlabel("length [$L_0$]")
    strips.tick_params(axis="y", length=0)
