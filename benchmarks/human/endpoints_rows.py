"""Rows and figure of the endpoints of reaches, and of their durations over distance and width."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.human.reaches import (
    CENTRE,
    DISTANCES,
    WIDTHS,
    Reaches,
    Scatter,
    scatter,
    time_within,
)
from benchmarks.human.rows import MEMORY, READ, Row, Source, row
from rnn_controller.figures.common import COLOURS, INK, STYLE

NAME = "endpoints"
TITLE = "Endpoints, and durations"
PROTOCOL = f"""\
The reaches are those of the last section, under the noise of the training (20 %), many times to
each target; an endpoint is where the speed first falls below 5 % of its peak. The network has no
command for speed or accuracy, so for Fitts' law the same movements are cut where the hand comes to
stay within targets that are {100 * WIDTHS[0]:g} to {100 * WIDTHS[-1]:g} cm wide."""
FIRST = Source(
    "Gordon, Ghilardi & Ghez 1994, Exp Brain Res 99:97, abstract: six people, cursor hidden during"
    " the movement",
    READ,
)
BEERS = Source(
    "van Beers, Haggard & Wolpert 2004, J Neurophysiol 91:1050, abstract: fast, unseen reaches in"
    " 32 directions",
    READ,
)
SIZE = Source(
    "van Beers, Haggard & Wolpert 2004, J Neurophysiol 91:1050, figures, reaches of about 10 cm",
    MEMORY,
)
FITTS = Source("Fitts 1954, J Exp Psychol 47:381, tapping between two targets", MEMORY)
SMYRNIS = Source(
    "Smyrnis et al. 2000, Exp Brain Res 134:21, abstract: pointing with a joystick", READ
)


def rows(found: list[Reaches], repeats: int, resting: list[float]) -> list[Row]:
    """Return the rows of the noisy reaches of several networks, ``repeats`` to each target.

    ``resting`` is the scatter of each network's hand [m] while it only holds a target.
    """
    scatters = [scatter(each, repeats) for each in found]
    near, middle, far = (
        [np.isclose(each.distance, distance) for each in scatters] for distance in DISTANCES
    )

    def of(name: str, chosen: list[np.ndarray]) -> np.ndarray:
        return np.array(
            [getattr(each, name)[keep] for each, keep in zip(scatters, chosen, strict=True)]
        )

    ratio = of("extent", middle) / of("lateral", middle)
    growth = of("extent", far).mean(1) / of("extent", near).mean(1)
    angle = (of("lateral", far).mean(1) / DISTANCES[-1]) / (
        of("lateral", near).mean(1) / DISTANCES[0]
    )
    sizes = np.sqrt(of("area", middle) / np.pi)
    over_distance, over_width = np.array([slopes(each) for each in found]).T
    fraction = np.array(resting)[:, None] / sizes
    noisy = (
        f"{100 * np.median(fraction**2):.0f} % of the variance is that of a hand that only holds a"
        " target (see below), and does not depend on the movement."
    )
    targets = "3 networks × 8 directions"
    cm = f"{100 * DISTANCES[1]:g} cm"
    return [
        row(
            f"scatter along the movement over scatter across it, {cm}", "", ratio.ravel(), targets,
            "above 1 (the axis along the movement is the longer one)", FIRST,
            ((1.2, 4), (1.05, 4)), noisy,
        ),
        row(
            f"angle between the ellipse's major axis and the movement, {cm}", "°",
            np.rad2deg(of("major", middle)).ravel(), targets, "aligned (0°); chance is 45°", FIRST,
            ((0, 20), (0, 30)), "The ellipses have the direction of the noise, not of the reach.",
        ),
        row(
            f"scatter along the movement at {100 * DISTANCES[-1]:g} cm over that at"
            f" {100 * DISTANCES[0]:g} cm", "", growth, "3 networks",
            "increases markedly with distance, not in proportion (we take 1.3 to 4)", FIRST,
            ((1.3, 4), (1.1, 4)), noisy,
        ),
        row(
            f"scatter of the direction (angle) at {100 * DISTANCES[-1]:g} cm over that at"
            f" {100 * DISTANCES[0]:g} cm", "", angle, "3 networks",
            "1: it does not depend on the distance", FIRST, ((0.8, 1.25), (0.6, 1.6)),
            "The same scatter in cm is a smaller angle at a larger distance.",
        ),
        row(
            f"largest over smallest scatter among the directions, {cm}", "",
            sizes.max(1) / sizes.min(1), "3 networks",
            "some directions have up to twice the variability of others", BEERS,
            ((1.3, 2.2), (1.1, 3)), "The arm's inertia and geometry differ between directions.",
        ),
        row(
            f"scatter (geometric mean of both axes), {cm}", "mm", 1000 * sizes.ravel(), targets,
            "about 3 to 7 mm", SIZE, ((2, 8), (1.5, 12)),
            "The noise of 20 % was chosen by Huh & Todorov (2009), not fitted to people.",
        ),
        row(
            f"scatter of a hand that only holds a target, over that of endpoints at {cm}", "",
            fraction.ravel(), targets, "far below 1: a hand at rest scatters by a fraction of that",
            SIZE, ((0, 0.4), (0, 0.7)),
            "The noise of target and senses (20 % of each signal) acts at rest as in movement.",
        ),
        row(
            "duration: slope over log2(2 D / W) as the distance D grows", "ms/bit",
            1000 * over_distance, "3 networks", "about 100 ms/bit", FITTS, ((60, 200), (30, 300)),
            "The larger the distance, the faster the hand, so the duration hardly changes.",
        ),
        row(
            "duration: slope over log2(2 D / W) as the width W shrinks", "ms/bit",
            1000 * over_width, "3 networks", "about 100 ms/bit, the same slope", FITTS,
            ((60, 200), (30, 300)),
            "The hand must wait until the noise lets it stay within a narrow target.",
        ),
        row(
            "change of the peak speed when the target is half as wide", "%", [0.0], "",
            "people move longer to smaller targets", SMYRNIS, ((-60, -2), (-100, -2)),
            "The width is no input of the network: it has no instruction to trade speed against"
            " accuracy.",
        ),
    ]  # fmt: skip


def slopes(moved: Reaches) -> tuple[float, float]:
    """Return the slopes of the duration [s/bit] over distance and over width.

    Durations are medians of the time until the hand stays within the target, over the movements of
    one distance and width. The slope over one variable is that of a regression on both.
    """
    design, times = [], []
    for distance in DISTANCES:
        here = np.isclose(moved.distance, distance)
        for width in WIDTHS:
            if 2 * distance > width:
                design.append((1.0, np.log2(distance), -np.log2(width)))
                times.append(np.median(time_within(moved, width)[here]))
    (_, over_distance, over_width), *_ = np.linalg.lstsq(
        np.array(design), np.array(times), rcond=None
    )
    return float(over_distance), float(over_width)


def draw(found: list[Reaches], repeats: int) -> Figure:
    """Draw the ellipses of the endpoints of one network, and scatter and duration of all."""
    scatters = [scatter(each, repeats) for each in found]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 2.9), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.2, 1, 1))
        _draw_ellipses(left, scatters[0])
        centimetres = 100 * np.array(DISTANCES)
        for k, each in enumerate(scatters):
            for name, style in (("extent", "o-"), ("lateral", "s--")):
                values = [
                    1000 * getattr(each, name)[np.isclose(each.distance, d)].mean()
                    for d in DISTANCES
                ]
                label = {"extent": "along the movement", "lateral": "across it"}[name]
                shown = label if k == 0 else None
                middle.plot(centimetres, values, style, ms=3, color=COLOURS[k], label=shown)
        middle.set(title="b   Scatter [mm]", xlabel="distance [cm]", ylim=(0, 20))
        middle.legend(loc="upper left")
        for k, width in enumerate(WIDTHS):
            times = [
                np.median(
                    [time_within(m, width)[np.isclose(m.distance, d)] for m in found], axis=None
                )
                for d in DISTANCES
            ]
            right.plot(centimetres, times, "o-", ms=3, color=COLOURS[k], label=f"{100 * width:g}")
        right.set(title="c   Time to stay within [s]", xlabel="distance [cm]", ylim=(0, None))
        right.legend(title="width [cm]", ncols=2, loc="upper right", columnspacing=1)
        right.set_ylim(0, 1.35 * right.get_ylim()[1])
    return figure


def _draw_ellipses(axes: Axes, each: Scatter) -> None:
    angle = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for i, distance in enumerate(each.distance):
        if np.isclose(distance, DISTANCES[0]):
            continue  # these ellipses would lie on each other
        values, vectors = np.linalg.eigh(each.matrix[i])
        outline = each.mean[i][:, None] + 2 * (vectors * np.sqrt(values)) @ circle
        axes.plot(*(100 * outline), color=COLOURS[0], lw=1)
        way = np.array([np.cos(each.direction[i]), np.sin(each.direction[i])])
        target = np.array(CENTRE) + distance * way
        axes.plot(*(100 * target), "+", color=INK, ms=4)
    axes.plot(*(100 * np.array(CENTRE)), "o", color=INK, ms=3)
    axes.set(title="a   Endpoints, 2 SD (seed 0)", xlabel="x [cm]", ylabel="y [cm]")
    axes.set(aspect="equal")
