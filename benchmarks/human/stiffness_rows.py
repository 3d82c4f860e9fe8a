"""Rows and figure of the stiffness of the hand at rest."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import arm_env
from arm_env.envs.muscle_paths import joint_positions
from arm_env.tasks.workspace import joint_angles
from benchmarks.human.rows import MEMORY, READ, Row, Source, row
from benchmarks.human.stiffness import BEARINGS, DISTANCES, Ellipse, Stiffness
from rnn_controller.figures.common import COLOURS, INK, STYLE, draw_arm

NAME = "stiffness"
TITLE = "Stiffness of the hand at rest"
PROTOCOL = """\
The network holds the hand on a target without noise for 6 s; then a stiff servo displaces the hand
by 6 mm within 0.1 s in each of 8 directions, at three distances and in three bearings from the
shoulder. The stiffness is fitted to the mean force from 0.3 to 0.5 s after the displacement, with
the activations of the rest (muscles alone) and with the network, which goes on sending commands."""
OVER = "3 networks × 9 places"
SIZE = ((100.0, 500.0), (50.0, 1000.0))  # [N/m]
MIB = Source(
    "Mussa-Ivaldi, Hogan & Bizzi 1985, J Neurosci 5:2732, stiffness ellipses of people who hold a"
    " handle that is displaced by some mm",
    MEMORY,
)
GOMI = Source(
    "Gomi & Osu 1998, J Neurosci 18:8965, abstract: arm posture dominates the ellipse's shape and"
    " orientation",
    READ,
)


def rows(found: list[Stiffness]) -> list[Row]:
    """Return the rows of several networks."""
    alone = [e for each in found for e in each.muscles]
    held = [e for each in found for e in each.network]
    activation = 100 * max(float(each.activation.max()) for each in found)
    made = [
        row(
            "muscles alone: largest stiffness", "N/m", [e.largest for e in alone], OVER,
            "about 100 to 500 N/m", MIB, SIZE,
            f"The network relaxes: at rest no activation is above {activation:.1f} %, and a muscle"
            " without activation has no tension in this model.",
        )
    ]  # fmt: skip
    for i, distance in enumerate(DISTANCES):
        there = [e for each in found for e in each.network[i * len(BEARINGS) :][: len(BEARINGS)]]
        made.append(
            row(
                f"with the network, {100 * distance:.0f} cm from the shoulder: largest stiffness",
                "N/m",
                [e.largest for e in there],
                "3 networks × 3 bearings",
                "about 100 to 500 N/m",
                MIB,
                SIZE,
                "The force comes from feedback, not from tense muscles. It differs by a factor of"
                " 10 and more between networks, none of which was trained in contact.",
            )
        )
    ratios = [e.largest / e.smallest if e.smallest > 0 else np.inf for e in held]
    return [
        *made,
        row(
            "with the network: length over width of the ellipse", "", ratios, OVER,
            "about 2 to 5", MIB, ((1.5, 6), (1.2, 12)),
            "Across the stiff axis the hand hardly resists, or is pushed away (infinite).",
        ),
        row(
            "with the network: angle between the major axis and the line shoulder–hand", "°",
            [abs(np.rad2deg(e.angle)) for e in held], OVER,
            "the major axis points roughly to the shoulder; posture dominates", GOMI,
            ((0, 20), (0, 35)),
            "The geometry of the two links makes the hand stiffest along this line.",
        ),
        row(
            "with the network: share of displacements after which the force grows while the hand"
            " is held", "%", [100 * each.growing.mean() for each in found], "3 networks",
            "0 %: an arm that is held stays calm", MIB, ((0, 5), (0, 20)),
            "With a free hand the attractors are stable, but against a stiff servo a network may"
            " push ever harder: no training movement had a hand that cannot move.",
        ),
    ]  # fmt: skip


def draw(found: list[Stiffness], names: list[str]) -> Figure:
    """Draw the ellipses with the network at all places, a panel for each network."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.1), layout="constrained")
        panels = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
        for axes, each, name in zip(panels, found, names, strict=True):
            arm = arm_env.Arm().arrays()
            middle_place = each.network[len(each.network) // 2].hand
            draw_arm(axes, joint_positions(arm, joint_angles(arm, middle_place)), 5)
            for e in each.network:
                draw_ellipse(axes, e)
            axes.set(title=name, xlabel="x [m]", aspect="equal")
            axes.set(xlim=(-0.42, 0.42), ylim=(-0.05, 0.64))
        panels[0].set_ylabel("y [m]")
        panels[0].plot([-0.38, -0.28], [0.02, 0.02], color=INK, lw=2)
        panels[0].text(-0.38, 0.035, "200 N/m")
        figure.legend(
            handles=[
                Line2D([], [], color=COLOURS[0], label="restoring in all directions"),
                Line2D([], [], color=COLOURS[1], label="pushed away along the short axis"),
                Line2D([], [], color="none", label="(axes are cut at 400 N/m)"),
            ],
            ncols=3, loc="outside lower left",
        )  # fmt: skip
    return figure


def draw_ellipse(axes: Axes, e: Ellipse, scale: float = 0.1 / 200) -> None:
    """Draw the ellipse of the symmetric part; axes longer than 400 N/m are cut."""
    values, vectors = np.linalg.eigh(0.5 * (e.matrix + e.matrix.T))
    shown = np.minimum(np.abs(values), 0.2 / scale)  # longer ones are cut
    angle = np.linspace(0, 2 * np.pi, 60)
    outline = (vectors * (scale / 2 * shown)) @ np.stack([np.cos(angle), np.sin(angle)])
    colour = COLOURS[0] if values[0] > 0 else COLOURS[1]
    axes.plot(*(e.hand[:, None] + outline), color=colour, lw=1.2)
    line = np.stack([0 * e.hand, e.hand])
    axes.plot(*line.T, color=INK, lw=0.4, ls=":", zorder=0)
