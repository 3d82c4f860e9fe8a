"""Rows and figure of the isometric strength of hand and elbow."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.human.rows import MEMORY, READ, Row, Source, row
from benchmarks.human.strength import (
    ANGLES,
    Forces,
    elbow_torques,
    forces,
    shoulder_torques,
)
from benchmarks.human.strength import PLACES as AT
from rnn_controller.figures.common import COLOURS, GRID, INK, STYLE

NAME = "strength"
TITLE = "Isometric strength"
PROTOCOL = """\
At five places of the hand, the largest force in each direction (8 for the comparison, 72 for the
angles) is that of a linear programme: activations in [0, 1], no force across the direction. The
largest torques of the joints have all muscles of one side fully active; no network takes part."""
PLACES = "5 places"
NEAR = (0.0, 22.5)  # [°] half the angle between two of the eight directions
NIJHOF = Source(
    "Nijhof & Gabriel 2006, J Biomech 39:708, abstract: six people, eight directions, five places."
    " Our muscles are those of Nijhof & Kouwenhoven (2000), so the two are not independent",
    READ,
)
HOLZBAUR = Source(
    "Holzbaur et al. 2007, J Biomech 40:2442, abstract: ten people, shoulder adductors (another"
    " axis than ours)",
    READ,
)
ELBOW = Source("Holzbaur et al. 2007, J Biomech 40:2442, elbow flexors of ten people", MEMORY)
LATEGAN = Source(
    "Lategan & Krüger 2003, AJPHERD, abstract: 199 young men, isokinetic, not isometric", READ
)
GENERAL = Source("the chest muscle is stronger than its opponents", "from memory, not checked")


def rows(fine: Forces) -> list[Row]:
    """Return the rows of the arm, whose force is ``fine`` in 72 directions."""
    eight = forces()
    flexed, extended = eight.elbow.argmax(), eight.elbow.argmin()
    flexion, extension = elbow_torques()
    inward, outward = shoulder_torques()
    peak = float(np.rad2deg(ANGLES[flexion.argmax()]))
    ratio = flexion.max() / extension.max()
    return [
        row(
            "largest force: angle between its direction and the line shoulder–hand", "°",
            np.rad2deg(fine.strongest), PLACES, "approximately along the line", NIJHOF,
            (NEAR, (0, 35)),
            "Along this line the force has no lever arm about the shoulder. The biarticular"
            " muscles turn the strongest direction away from it where the elbow is flexed.",
        ),
        row(
            "smallest force: angle between its direction and the line shoulder–hand", "°",
            np.rad2deg(fine.weakest), PLACES, "perpendicular to the line (90°)", NIJHOF,
            ((70, 90), (45, 90)),
            "Across the line the lever arm about the shoulder is longest; near the body a flexed"
            " elbow changes this.",
        ),
        row(
            "elongation of the pattern, most extended over most flexed elbow", "",
            [eight.elongation[extended] / eight.elongation[flexed]], "",
            "above 1: the elongation is the largest where the elbow is most extended", NIJHOF,
            ((1.1, 5), (1, 5)),
            "The lever arms change with the posture in the same way as in people.",
        ),
        row(
            "largest torque of elbow flexion", "N m", [flexion.max()], "",
            "about 50 to 75 N m", ELBOW, ((45, 80), (35, 100)),
            "The arm is as strong as that of people on the weaker side of the young men measured.",
        ),
        row(
            "elbow angle at the largest torque of flexion", "°", [peak], "",
            "about 90°", ELBOW, ((80, 105), (65, 120)),
            "Length and moment arm of the flexors are both favourable there.",
        ),
        row(
            "largest torque of elbow flexion over that of extension", "", [ratio], "",
            "1.19 ± 0.20", LATEGAN, ((0.99, 1.39), (0.79, 1.59)),
            "It follows from the published forces and moment arms of the muscles.",
        ),
        row(
            "largest torque of the shoulder inward", "N m", [inward.max()], "",
            "67.9 ± 28.4 N m", HOLZBAUR, ((39.5, 96.3), (11.1, 124.7)),
            "The six-muscle arm has one flexor of 838 N at the shoulder; people have several.",
        ),
        row(
            "largest torque of the shoulder, inward over outward", "",
            [inward.max() / outward.max()], "", "above 1", GENERAL, ((1, 3), (0.9, 3)),
            "The published muscles make the extensor stronger (1207 N) than the flexor (838 N).",
        ),
    ]  # fmt: skip


def draw(fine: Forces) -> Figure:
    """Draw the patterns of force at five places, and the torques of the elbow over its angle."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
        _draw_patterns(left, fine)
        flexion, extension = elbow_torques()
        degrees = np.rad2deg(ANGLES)
        right.plot(degrees, flexion, color=COLOURS[0], label="flexion")
        right.plot(degrees, extension, color=COLOURS[1], label="extension")
        right.set(title="b   Elbow torque", xlabel="elbow angle [°]", ylabel="torque [N m]")
        right.set(ylim=(0, None))
        right.grid(axis="y")
        right.legend(loc="lower center")
    return figure


def _draw_patterns(axes: Axes, fine: Forces) -> None:
    scale = 0.1 / 250  # [m/N]
    for place, force, direction in zip(AT, fine.force, fine.direction, strict=True):
        way = np.stack([np.cos(direction), np.sin(direction)])
        outline = place[:, None] + scale * force * way
        axes.plot(*np.column_stack([outline, outline[:, :1]]), color=COLOURS[0], lw=1.2)
        axes.plot(*place, "o", color=INK, ms=3)
        axes.plot(*np.stack([0 * place, place]).T, ":", color=INK, lw=0.5, zorder=0)
    axes.plot(0, 0, "o", color="white", mec=INK, ms=6)
    axes.annotate("shoulder", (0, 0), (8, -3), textcoords="offset points")
    axes.plot([-0.4, -0.3], [0.02, 0.02], color=INK, lw=2)
    axes.text(-0.4, 0.035, "250 N")
    axes.set(title="a   Largest force at five places", xlabel="x [m]", ylabel="y [m]")
    axes.set(aspect="equal", xlim=(-0.45, 0.45), ylim=(-0.05, 0.68))
    axes.grid(color=GRID)
