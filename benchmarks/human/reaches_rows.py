"""Rows and figure of the kinematics of reaches from a centre."""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.human.reaches import (
    CENTRE,
    DISTANCES,
    PERIOD,
    THRESHOLD,
    Reaches,
    mobility,
)
from benchmarks.human.rows import MEMORY, READ, Row, Source, row
from rnn_controller.figures.common import BEHIND, COLOURS, INK, STYLE

NAME = "reaches"
TITLE = "Point-to-point movements"
PROTOCOL = f"""\
The hand rests on a centre 42 cm ahead of the shoulder, then the target jumps by
{", ".join(f"{100 * d:g}" for d in DISTANCES[:-1])} or {100 * DISTANCES[-1]:g} cm in one of 8
directions; there is no noise, so that each movement is the network's own mean. A movement lasts
while the speed is above {100 * THRESHOLD:g} % of its peak; shape is measured on the two longer
distances."""
OVER = "3 networks × 16 movements"
FLASH = "Flash & Hogan 1985, J Neurosci 5:1688, planar reaches"
BELL = Source(FLASH + ", abstract: approximately straight, bell-shaped speed", READ)
STRAIGHT = Source(FLASH + ", figures: deviation of a few percent", MEMORY)
NAGASAKI = Source(
    "Nagasaki 1989, Exp Brain Res 74:319, abstract: movements of about 0.5 s (elbow)", READ
)
MORASSO = Source("Morasso 1981, Exp Brain Res 42:223, abstract: two-joint pointing", READ)
GORDON = Source(
    "Gordon, Ghilardi & Ghez 1994, Exp Brain Res 99:97, abstract: peak speed scaled to distance;"
    " the range of exponents",
    MEMORY,
)
INERTIA = Source(
    "Gordon, Ghilardi, Cooper & Ghez 1994, Exp Brain Res 99:112, abstract: larger accelerations in"
    " the direction of less inertia",
    READ,
)


def minimum_jerk_ratio() -> float:
    """Return peak over mean speed of a minimum-jerk movement above the threshold."""
    s = np.linspace(0, 1, 100_001)
    speed = 30 * s**2 * (1 - s) ** 2
    return float(1.875 / speed[speed >= THRESHOLD * 1.875].mean())


def rows(found: list[Reaches]) -> list[Row]:
    """Return the rows of the noise-free reaches of several networks."""
    long = [each.distance > 1.5 * DISTANCES[0] for each in found]

    def of_long(name: str) -> np.ndarray:
        values = [getattr(each, name)[keep] for each, keep in zip(found, long, strict=True)]
        return np.concatenate(values)

    exponents = [np.polyfit(np.log(DISTANCES), np.log(by_distance(each)), 1)[0] for each in found]
    shape = (len(found), -1, len(DISTANCES))
    accelerations = np.array([each.peak_acceleration for each in found]).reshape(shape)[..., -1]
    agreement = [np.corrcoef(each, mobility())[0, 1] for each in accelerations]
    return [
        row(
            "peak speed over mean speed", "", of_long("peak_to_mean"), OVER,
            f"near minimum jerk, which has 1.875, or {minimum_jerk_ratio():.2f} above the same"
            " threshold", STRAIGHT, ((1.5, 2.0), (1.4, 2.3)),
            "The hand brakes early and creeps over the last centimetre: the cost is flat near the"
            " target, which is 4 cm wide there.",
        ),
        row(
            "time of the peak speed, as a share of the movement", "", of_long("time_of_peak"),
            OVER, "about 0.5", NAGASAKI, ((0.4, 0.6), (0.33, 0.67)),
            "The same creep makes the second half long. Nothing in the cost asks for symmetry.",
        ),
        row(
            "share of movements with a single peak of the speed", "%",
            [100 * (each.peaks[keep] == 1).mean() for each, keep in zip(found, long, strict=True)],
            "3 networks", "100 %: the speed has a single peak", MORASSO, ((90, 100), (75, 100)),
            "A movement is one push and one brake, as in people.",
        ),
        row(
            "largest distance from the straight line, over its length", "", of_long("linearity"),
            OVER, "approximately straight; about 0.02 to 0.06", STRAIGHT, ((0, 0.06), (0, 0.12)),
            "The cost has no term for the path. Curved paths are those along which the arm's"
            " inertia is uneven.",
        ),
        row(
            f"exponent of peak speed over distance, {100 * DISTANCES[0]:g} to"
            f" {100 * DISTANCES[-1]:g} cm", "", exponents, "3 networks",
            "speed grows with distance, less than in proportion (0.5 to 1)", GORDON,
            ((0.4, 1.0), (0.2, 1.2)),
            "Short jumps end within the 4 cm that count as on the target, where haste is worth"
            " little; people scale short movements in the same way as long ones.",
        ),
        row(
            f"correlation over directions of peak acceleration and the hand's mobility,"
            f" {100 * DISTANCES[-1]:g} cm", "", agreement, "3 networks",
            "accelerations are larger where the arm has less inertia", INERTIA,
            ((0.6, 1), (0.3, 1)),
            "The network does not make up for the uneven inertia of the arm.",
        ),
    ]  # fmt: skip


def by_distance(each: Reaches) -> np.ndarray:
    """Return the mean peak speed [m/s] for each distance."""
    return np.array([each.peak[np.isclose(each.distance, d)].mean() for d in DISTANCES])


def draw(found: list[Reaches]) -> Figure:
    """Draw paths, speeds beside minimum jerk, and peak speeds over the distance."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 2.8), layout="constrained")
        paths, speeds, peaks = figure.subplots(1, 3, width_ratios=(1, 1.2, 1))
        for each, colour in zip(found, COLOURS, strict=False):
            for path in each.hand.swapaxes(0, 1):
                paths.plot(*(100 * path).T, color=colour, lw=0.8)
        paths.plot(*(100 * np.array(CENTRE)), "o", color=INK, ms=3)
        paths.set(title="a   Paths", xlabel="x [cm]", ylabel="y [cm]", aspect="equal")
        time = np.linspace(-0.1, 1.1, 200)
        for each, colour in zip(found, COLOURS, strict=False):
            for i in np.flatnonzero(each.distance > 1.5 * DISTANCES[0]):
                t = (np.arange(len(each.speed)) - each.onset[i]) * PERIOD / each.duration[i]
                speeds.plot(t, each.speed[:, i] / each.peak[i], color=colour, **BEHIND)
        s = np.clip(time, 0, 1)
        speeds.plot(time, 16 * s**2 * (1 - s) ** 2, "--", color=INK, label="minimum jerk")
        speeds.set(title="b   Speed over its peak", xlabel="time over duration", xlim=(-0.1, 1.1))
        speeds.set(ylim=(0, 1.28))
        speeds.legend(loc="upper right", borderaxespad=0)
        for k, (each, colour) in enumerate(zip(found, COLOURS, strict=False)):
            centimetres = 100 * np.array(DISTANCES)
            label = f"network, seed {k}"
            peaks.plot(centimetres, by_distance(each), "o-", ms=3, color=colour, label=label)
        peaks.set(title="c   Peak speed [m/s]", xlabel="distance [cm]", ylim=(0, 1.5))
        peaks.set(xlim=(0, None))
        peaks.legend(loc="upper left", borderaxespad=0)
    return figure
