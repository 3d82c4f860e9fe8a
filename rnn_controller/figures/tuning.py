"""Tuning and connections of the neurons of a reaching network."""

from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arm_env.dynamics.parameters import MUSCLES, Arm
from rnn_controller.analysis.neural import Tuning, analyse
from rnn_controller.figures.common import COLOURS, INK, STYLE, sign
from rnn_controller.networks.recurrent import RecurrentController

WHEEL = colormaps["twilight_shifted"]
MOST_TICKS = 18  # of a row of neurons: more labels would run into each other
MOST_NUMBERED = 12  # arrows


def figure_tuning(
    network: RecurrentController,
    arm: Arm | None = None,
    *,
    name: str | None = None,
) -> Figure:
    """Draw (a) weights, (b) preferred directions, (c) cosine tuning, (d) preferred places, (e) R².

    (f) Population.
    """
    found = analyse(network, arm)
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 7.6), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.05, 1))  # type: ignore[misc]
        _draw_weights(top, network)
        _draw_tuning(bottom, found)
        sign(figure, name)
    return figure


def _draw_weights(figure: Any, network: RecurrentController) -> None:
    n = network.config.neurons
    commands = [f"$k_{i + 1}$" for i in range(network.command_size)]
    senses = [f"{signal} {muscle}" for signal in ("$l$", r"$\dot l$", "$T$") for muscle in MUSCLES]
    neurons = [str(i + 1) for i in range(n)]
    blocks = {
        "W_yy": (network.recurrent, neurons, neurons), "W_ys": (network.sensory, neurons, senses),
        "W_yk": (network.command, neurons, commands), "W_uy": (network.motor, MUSCLES, neurons),
        "W_us": (network.reflex, MUSCLES, senses),
    }  # fmt: skip
    layout = [["W_yy", "W_ys", "W_yk"], ["W_uy", "W_us", "bar"]]
    panels = figure.subplot_mosaic(layout, width_ratios=(max(n, 18), 18, 5), height_ratios=(3, 1))
    titles = {
        "W_yy": "a   recurrent",
        "W_ys": "sensory",
        "W_yk": "command",
        "W_uy": "motor",
        "W_us": "reflex",
    }
    for name, (weights, rows, columns) in blocks.items():
        values = weights.detach().numpy()
        largest = max(abs(values).max(), 1e-12)
        limit = np.quantile(abs(values), 0.98) or largest  # a few would make all others pale
        axes = panels[name]
        axes.imshow(values / limit, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        letters = name.split("_")
        scale = f"± {limit:.2g}, max {largest:.2g}"
        axes.set_title(f"{titles[name]} $W_{{{letters[1]}}}$\n{scale}", fontsize=7.5)
        x, y = (range(0, len(labels), -(-len(labels) // MOST_TICKS)) for labels in (columns, rows))
        axes.set_xticks(x, columns[:: x.step], rotation=90, fontsize=6)
        axes.set_yticks(y, rows[:: y.step], fontsize=6)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    panels["bar"].axis("off")
    mappable = panels["W_yy"].images[0]
    bar = figure.colorbar(
        mappable, ax=panels["bar"], orientation="horizontal", fraction=0.2, ticks=(-1, 0, 1)
    )
    bar.ax.set_xticklabels(["inhibits", "0", "excites"], fontsize=6)


def _draw_tuning(figure: Any, found: Tuning) -> None:
    panels = figure.subplot_mosaic(
        [["b", "c", "d"], ["r", "f", "g"]],
        per_subplot_kw={"b": {"projection": "polar"}},
        height_ratios=(1.1, 1),
    )
    _draw_directions(panels["b"], found)
    _draw_cosines(panels["c"], found)
    _draw_places(panels["d"], found)
    _draw_quality(panels["r"], found)
    _draw_population(panels["f"], panels["g"], found)


def _draw_directions(axes: Any, found: Tuning) -> None:
    most = found.modulation.max()
    tips = found.modulation * np.array([np.cos(found.preferred), np.sin(found.preferred)])
    numbered = _with_room(tips.T, 0.3 * most)
    for i, (angle, size) in enumerate(zip(found.preferred, found.modulation, strict=True)):
        if size > 1e-9:
            axes.annotate(
                "", (angle, size), (0, 0), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1}
            )
        if i in numbered:
            axes.annotate(
                str(i + 1), (angle, size + 0.1 * most), fontsize=6, ha="center", va="center"
            )
    axes.tick_params(labelsize=6)
    axes.set_title("b   Preferred directions")
    if most < 1e-9:  # all silent
        return
    axes.set(ylim=(0, 1.2 * most), yticks=(0.5 * most, most))
    axes.set_yticklabels([f"{0.5 * most:.2g}", f"{most:.2g}"])
    angles = np.sort(found.preferred[found.modulation > 0.25 * most] % (2 * np.pi))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    # where no arrow points
    axes.set_rlabel_position(np.rad2deg(angles[gaps.argmax()] + gaps.max() / 2))


def _with_room(tips: np.ndarray, least: float) -> set[int]:
    """Return which arrows, with these tips (n, 2), have room for a number: the longest first.

    Numbers are ``least`` from one another, and from the origin.
    """
    found: list[int] = []
    sizes = np.linalg.norm(tips, axis=1)
    for i in np.argsort(-sizes)[:MOST_NUMBERED]:
        gaps = np.linalg.norm(tips[found] - tips[i], axis=1) if found else np.array([])
        if sizes[i] > least and (gaps > least).all():
            found.append(int(i))
    return set(found)


def _draw_cosines(axes: Axes, found: Tuning) -> None:
    best = np.argsort(-found.direction_r2 * (found.modulation > 0.05 * found.modulation.max()))[:4]
    fine = np.linspace(0, 2 * np.pi, 100)
    for colour, i in zip(COLOURS, best, strict=False):
        mean = found.early[:, i].mean()
        axes.plot(
            np.rad2deg(found.directions),
            found.early[:, i],
            "o",
            ms=3,
            color=colour,
            label=f"neuron {i + 1}",
        )
        axes.plot(
            np.rad2deg(fine),
            mean + found.modulation[i] * np.cos(fine - found.preferred[i]),
            color=colour,
            lw=1,
        )
    axes.set(
        title="c   Cosine tuning",
        xlabel="movement direction [deg]",
        ylabel="activity",
        xticks=(0, 90, 180, 270, 360),
    )
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))
    axes.legend(fontsize=6, ncols=4, loc="upper center", columnspacing=1, handletextpad=0.2)


def _draw_places(axes: Axes, found: Tuning) -> None:
    size = np.linalg.norm(found.place_gradient, axis=1)
    limit = 1.25 * size.max() or 1.0
    numbered = _with_room(found.place_gradient, 0.25 * limit)
    for i, (gradient, r2) in enumerate(zip(found.place_gradient, found.place_r2, strict=True)):
        if size[i] > 0:
            axes.annotate(
                "",
                gradient,
                (0, 0),
                arrowprops={"arrowstyle": "->", "color": str(0.8 * (1 - r2)), "lw": 1},
            )
        if i in numbered:
            beyond = (1 + 0.1 * limit / size[i]) * gradient
            axes.annotate(str(i + 1), beyond, fontsize=6, ha="center", va="center")
    axes.set(
        xlim=(-limit, limit),
        ylim=(-limit, limit),
        aspect="equal",
        xlabel="per m to the right",
        ylabel="per m ahead",
    )
    axes.set_title("d   Activity on targets")


def _draw_quality(axes: Axes, found: Tuning) -> None:
    number = np.arange(1, len(found.place_r2) + 1)
    axes.bar(number - 0.2, found.direction_r2, 0.38, color=COLOURS[0], label="direction")
    axes.bar(number + 0.2, found.place_r2, 0.38, color=COLOURS[1], label="place")
    axes.set(title="e   R² of cosine and plane", xlabel="neuron")
    axes.set(ylim=(0, 1.25), yticks=(0, 0.5, 1))
    axes.set_xticks(number[:: -(-len(number) // MOST_TICKS)])
    axes.tick_params(axis="x", labelsize=6)
    axes.legend(fontsize=6, ncols=2, loc="upper left")


def _draw_population(plane: Axes, courses: Axes, found: Tuning) -> None:
    plotted = np.zeros((2, found.courses.shape[-1]))  # a single neuron has one component only
    plotted[: len(found.components)] = found.components[:2]
    varying = (found.courses - found.courses.mean(0)) @ plotted.T
    for angle, course, hand in zip(found.directions, varying, found.hands, strict=True):
        colour = WHEEL(angle / (2 * np.pi))
        plane.plot(course[:, 0], course[:, 1], color=colour, lw=1)
        plane.plot(*course[-1, :2], "o", ms=3, color=colour)
        courses.plot(*(100 * (hand - hand[0])).T, color=colour, lw=1)
    share = [*found.explained, 0.0][:2]
    plane.set(
        title="f   Population",
        xlabel=f"component 1 ({share[0]:.0%})",
        ylabel=f"component 2 ({share[1]:.0%})",
    )
    plane.text(
        0.02,
        0.02,
        f"rotation explains {found.rotation_r2:.0%}",
        transform=plane.transAxes,
        fontsize=6,
    )
    courses.set(title="g   Hand, same colours", xlabel="x [cm]", ylabel="y [cm]", aspect="equal")
