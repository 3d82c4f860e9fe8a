"""Rows and figure of speed and curvature."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.human.curvature import CENTRES, RADIUS, Exponents, local
from benchmarks.human.rows import MEMORY, READ, Row, Source, row
from benchmarks.human.training import CURVES
from rnn_controller.figures.common import COLOURS, INK, STYLE

NAME = "curvature"
TITLE = "Speed and curvature"
PREDICTED = {"ellipse": 0.33, "triangle": 0.24, "square": 0.18}
"""Exponents β that Huh & Sejnowski (2015) predict and find for curves of frequency 2, 3 and 4."""
HUH = Source(
    "Huh & Sejnowski 2015, PNAS 112:E3950; abstract: 1/3 for ellipses and a spectrum from 0 to 2/3"
    " for other shapes; the value of this shape",
    MEMORY,
)
ELLIPSE = Source(
    "Huh & Sejnowski 2015, PNAS 112:E3950, abstract: −1/3 for ellipses. Matić 2022, bioRxiv"
    " 2022.07.20.500761, abstract: people who track a target along an ellipse at 1 Hz and above"
    " show the law, whatever the speed profile of the target",
    READ,
)
NOISE = Source("Maoz et al. 2005, NeurIPS 18:851, abstract: white noise also obeys the law", READ)
VARIANCE = Source("Huh & Sejnowski 2015 and others, R² of the regression for ellipses", MEMORY)


class Driven(NamedTuple):
    """One kind of network on one curve.

    Attributes:
        quiet: Power laws without noise.
        noisy: Power laws with the noise of the training.
        hand: (T, B, 2) [m] the paths without noise.
        commands: (B, 4) the curves.
    """

    quiet: Exponents
    noisy: Exponents
    hand: np.ndarray
    commands: np.ndarray


Found = Mapping[tuple[str, str], Driven]
"""Results by the kind of network (circles, effort, speed) and the curve."""
KINDS = {
    "circles": "network trained on circles",
    "effort": "network trained on this curve, for little effort",
    "speed": "network trained on this curve, for even speed",
}
PROTOCOL = """\
The hand runs along an ellipse (2 to 1), a rounded triangle or a rounded square, about 15 cm wide,
1 to 1.5 times a second, at three places and both ways round, and β is the regression of log speed
on log curvature over about 5 s (path without noise, low-pass 8 Hz). Every command asks for an even
speed, so β is 0 if the network obeys; what it makes of the curve beyond that is its own."""
MOVEMENTS = "18 movements"
ROUND = np.linspace(0, 2 * np.pi, 200)  # [rad]
WHY = {
    "circles": "The commands are circles that touch the curve, and the hand follows them with a"
    " lag: it cuts the corners, and the path is rounder than the curve.",
    "effort": "The cost is effort (γ = 20) beside a weak wish for even speed (α = 0.1). Nothing in"
    " this training knows the law, so this is the fairest test here.",
    "speed": "The cost asks for even speed (α = 2, γ = 0.05). This β is what the network does not"
    " suppress.",
}


def rows(found: Found) -> list[Row]:
    """Return the rows of all kinds of networks on all curves."""
    made = []
    for (kind, curve), driven in found.items():
        predicted = PREDICTED[curve]
        off = 1000 * np.median(driven.quiet.off)
        turns = driven.quiet.rounds
        made.append(
            row(
                f"{curve}, {KINDS[kind]}: β ({turns.min():.2f} to {turns.max():.2f} rounds/s)",
                "",
                driven.quiet.beta,
                MOVEMENTS,
                f"{predicted:.2f}",
                ELLIPSE if curve == "ellipse" else HUH,
                ((0.75 * predicted, 1.25 * predicted), (0.4 * predicted, 1.6 * predicted)),
                f"{WHY[kind]} The hand is {off:.0f} mm off the curve; with noise β is"
                f" {np.median(driven.noisy.beta):.2f}.",
            )
        )
    circles = {curve: driven for (kind, curve), driven in found.items() if kind == "circles"}
    if set(circles) == set(PREDICTED):
        made += across_curves(circles)
    return made


def across_curves(found: Mapping[str, Driven]) -> list[Row]:
    """Return the rows that compare the curves, of the network trained on circles."""
    ellipse, triangle, square = (found[curve].quiet.beta for curve in PREDICTED)
    ordered = 100 * ((ellipse > triangle) & (triangle > square)).mean()
    return [
        row(
            "network trained on circles: share of movements with β of ellipse > triangle > square",
            "%", [ordered], "", "people: this order", HUH, ((75, 100), (50, 100)),
            "The more corners, the shorter the time in which the speed could change.",
        ),
        row(
            "ellipse, network trained on circles: share of the variance of log speed that the law"
            " explains", "%", 100 * found["ellipse"].quiet.r2, MOVEMENTS,
            "above 80 % at 1 round a second and above", VARIANCE, ((75, 100), (50, 100)),
            "The rest are differences of speed between places of the same curvature.",
        ),
        row(
            "ellipse, network trained on circles, with noise: β", "", found["ellipse"].noisy.beta,
            MOVEMENTS, "0.33, which white noise alone gives too", NOISE,
            ((0.25, 0.41), (0.13, 0.53)),
            "Noise alone obeys such a law, so only the noise-free values are evidence.",
        ),
    ]  # fmt: skip


def draw(found: Found) -> Figure:
    """Draw, for each curve, the paths and the speed over the curvature."""
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 4.6), layout="constrained")
        grid = figure.subplots(2, len(PREDICTED), height_ratios=(1, 1.1))
        for (paths, law), (curve, predicted), letter in zip(
            grid.T, PREDICTED.items(), "abc", strict=True
        ):
            for kind, colour in zip(kinds, COLOURS, strict=False):
                if (kind, curve) in found:
                    _draw_movement(paths, law, found[kind, curve], colour)
            _draw_prediction(law, predicted)
            wanted = CURVES[curve].points(np.array([[0.0, 0.0, RADIUS, 0.0]]), ROUND[None])[0]
            paths.plot(*(100 * wanted).T, "--", color=INK, lw=0.8, zorder=3)
            paths.set(title=f"{letter}   {curve.capitalize()}", aspect="equal")
            paths.set(xlabel="x [cm]", xlim=(-14, 14), ylim=(-12, 12))
            law.set(xlabel="curvature × radius", xscale="log", yscale="log")
            law.set(xlim=(0.15, 8), ylim=(0.35, 2.2))
            law.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
            law.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
            law.minorticks_off()
        grid[0, 0].set_ylabel("y [cm]")
        grid[1, 0].set_ylabel("speed over its mean")
        lines = [
            Line2D([], [], color=colour, label=KINDS[kind].replace("this curve", "the curve"))
            for kind, colour in zip(kinds, COLOURS, strict=False)
        ]
        lines.append(
            Line2D(
                [], [], color=INK, ls="--", label="commanded curve; law of Huh & Sejnowski (2015)"
            )
        )
        figure.legend(handles=lines, ncols=2, loc="outside lower left")
    return figure


def _draw_movement(paths: Axes, law: Axes, driven: Driven, colour: str) -> None:
    """Draw the movement at the middle place and rate, clockwise."""
    chosen = len(driven.commands) // len(CENTRES) // 2
    hand = driven.hand[:, chosen : chosen + 1]
    command = driven.commands[chosen : chosen + 1]
    paths.plot(*(100 * (hand[:, 0] - command[0, :2])).T, color=colour, lw=0.8)
    speed, curvature = local(hand, command)
    shape = curvature[:, 0] * command[0, 2], speed[:, 0] / speed.mean()
    law.plot(*shape, ".", color=colour, ms=2, alpha=0.5)


def _draw_prediction(law: Axes, predicted: float) -> None:
    curvature = np.array([0.2, 6.0])
    law.plot(curvature, curvature**-predicted, "--", color=INK, lw=1, zorder=3)
