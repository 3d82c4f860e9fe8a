"""Figures of the experiments: centre-out reaches, adaptation, pushes, following."""

from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_controller.experiments.adaptation import Adaptation
from rnn_controller.experiments.centre_out import CentreOut
from rnn_controller.experiments.following import Following
from rnn_controller.experiments.pushing import Pushing
from rnn_controller.figures.common import COLOURS, GRID, INK, STYLE, sign

WHEEL = colormaps["twilight_shifted"]
MILLIMETRES, CENTIMETRES = 1e3, 1e2
SHOWN = 5.0  # [s] of following


def figure_centre_out(found: CentreOut, *, name: str | None = None) -> Figure:
    """Draw (a) paths, (b) speeds, (c) rates of all neurons, and planes of (d) PCA and (e) jPCA."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 5.6), layout="constrained")
        panels = figure.subplot_mosaic([["a", "b", "c"], ["d", "e", "c"]])
        colours = _wheel(found.reaches.directions)
        middle = found.reaches.centre
        for k, colour in enumerate(colours):
            for path, speed in zip(found.hand[k], found.speed[k], strict=True):
                panels["a"].plot(*(CENTIMETRES * (path - middle)).T, color=colour, lw=1.2)
                panels["b"].plot(found.time, speed, color=colour, lw=1)
            panels["d"].plot(*found.pca[k].T, color=colour, lw=1.2)
            panels["e"].plot(*found.jpca[k].T, color=colour, lw=1.2)
            for panel, plane in (("d", found.pca), ("e", found.jpca)):
                panels[panel].plot(*plane[k, 0], "o", color=colour, ms=3)
        targets = CENTIMETRES * (found.reaches.targets - middle)
        panels["a"].plot(*targets.T, "o", mfc="none", mec=INK, ms=6, ls="")
        panels["a"].set(title="a   hand paths", xlabel="x [cm]", ylabel="y [cm]", aspect="equal")
        panels["b"].set(title="b   speed", xlabel="time [s]", ylabel="[m/s]", ylim=(0, None))
        _draw_rates(figure, panels["c"], found)
        share = 100 * found.explained[:2].sum()
        panels["d"].set(title=f"d   PCA, {share:.0f} % of variance", xlabel="PC 1", ylabel="PC 2")
        about = f"e   jPCA, {found.frequency:.1f} Hz, R² {found.rotation_r2:.2f}"
        panels["e"].set(title=about, xlabel="jPC 1", ylabel="jPC 2")
        for panel in "de":
            panels[panel].set(aspect="equal", adjustable="datalim", xticks=(), yticks=())
        _sign(figure, name)
    return figure


def _draw_rates(figure: Figure, axes: Axes, found: CentreOut) -> None:
    """Draw a row for each neuron: the mean over directions, as a share of its largest value."""
    mean = found.rates.mean(0).T[found.order]
    largest = np.abs(mean).max(1, keepdims=True)
    image = axes.imshow(
        mean / np.where(largest > 0, largest, 1),
        aspect="auto", cmap="cividis", interpolation="nearest",
        extent=(found.time[0], found.time[-1], len(mean) + 0.5, 0.5),
    )  # fmt: skip
    axes.set(title="c   mean rates", xlabel="time [s]", ylabel="neuron, by time of its peak")
    bar = figure.colorbar(image, ax=axes, aspect=40, pad=0.02)
    bar.set_label("share of the neuron's largest mean rate")


def figure_adaptation(found: Adaptation, *, name: str | None = None) -> Figure:
    """Draw (a) lateral deviation and (b) adaptation index by block, and (c) paths of four blocks.

    The four are the last block of the baseline, the first and the last one in the field, and the
    first one after it.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 5.6), layout="constrained")
        courses, paths = figure.subfigures(2, 1, height_ratios=(1.2, 1))  # type: ignore[misc]
        lateral, index = courses.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        blocks = np.arange(1, len(found.phase) + 1)
        for axes in (lateral, index):
            field = found.of("field")
            axes.axvspan(field[0] + 0.5, field[-1] + 1.5, color=GRID, alpha=0.45, lw=0)
            axes.axhline(0, color=INK, lw=0.6)
        deviation, catch = (MILLIMETRES * part.mean(1) for part in (found.deviation, found.catch))
        lateral.plot(blocks, deviation, "o-", ms=3, color=COLOURS[0], label="trials of the block")
        lateral.plot(
            blocks, catch, "s:", ms=3, color=COLOURS[1], label="catch trials (field switched)"
        )
        lateral.set(title="a   lateral deviation (grey: blocks in the field)", ylabel="[mm]")
        lateral.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0, borderpad=0.2
        )
        index.plot(blocks, found.index, "o-", ms=3, color=COLOURS[2])
        index.set(title="b   adaptation index (channel trials)", xlabel="block", ylim=(-0.5, 1.1))
        _draw_paths(paths, found)
        _sign(figure, name)
    return figure


def _draw_paths(figure: Any, found: Adaptation) -> None:
    chosen = [
        ("baseline, last", found.of("baseline"), -1), ("field, first", found.of("field"), 0),
        ("field, last", found.of("field"), -1), ("after, first", found.of("after"), 0),
    ]  # fmt: skip
    panels = figure.subplots(1, 4, sharex=True, sharey=True)
    middle = found.hand[0, :, 0].mean(0)
    for axes, (text, blocks, which) in zip(panels, chosen, strict=True):
        title = text if axes is not panels[0] else f"c   {text}"
        axes.set(title=title, xlabel="x [cm]", aspect="equal")
        if len(blocks):
            for path, colour in zip(
                found.hand[blocks[which]], _wheel(found.directions), strict=True
            ):
                axes.plot(*(CENTIMETRES * (path - middle)).T, color=colour, lw=1.2)
    panels[0].set_ylabel("y [cm]")


def figure_push(found: Pushing, *, name: str | None = None) -> Figure:
    """Draw (a) the hand's displacement by a push in each direction, and (b) its size over time."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.4), layout="constrained")
        plane, course = figure.subplots(1, 2, width_ratios=(1, 1.3))
        course.axvspan(0, found.duration, color=GRID, alpha=0.6, lw=0)
        for k, colour in enumerate(_wheel(found.directions)):
            for moved, distance in zip(found.displacement[k], found.distance[k], strict=True):
                plane.plot(*(CENTIMETRES * moved).T, color=colour, lw=1.2)
                course.plot(found.time, CENTIMETRES * distance, color=colour, lw=1.2)
        plane.set(title="a   displacement", xlabel="x [cm]", ylabel="y [cm]", aspect="equal")
        about = f"b   distance; push of {found.force:g} N for {found.duration:g} s in grey"
        course.set(title=about, xlabel="time since the push began [s]", ylabel="[cm]")
        course.set_ylim(0)
        _sign(figure, name)
    return figure


def figure_following(found: Following, *, name: str | None = None) -> Figure:
    """Draw (a) gain and (b) lag by frequency, (c) error by band, and (d) one arm's position."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 5), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.15, 1))  # type: ignore[misc]
        gain, lag, error = top.subplots(1, 3)
        shades = colormaps["viridis"](np.linspace(0, 0.85, len(found.bands)))
        for k, (band, shade) in enumerate(zip(found.bands, shades, strict=True)):
            style = {"color": shade, "ms": 3, "label": f"{band:g}"}
            gain.plot(found.frequencies[k], found.gain[k], "o-", **style)
            lag.plot(found.frequencies[k], found.lag[k], "o-", **style)
        gain.axhline(1, color=INK, lw=0.6, ls="--")
        lag.axhline(0, color=INK, lw=0.6, ls="--")
        gain.set(title="a   gain", ylabel="hand / target", ylim=(0, None))
        lag.set(title="b   lag", ylabel="[s]")
        for axes in (gain, lag):
            axes.set(xlabel="frequency [Hz]", xscale="log")
            axes.set_xticks(found.bands, [f"{band:g}" for band in found.bands])
            axes.minorticks_off()
        gain.legend(title="band limit [Hz]", ncols=2, loc="lower left")
        error.bar(range(len(found.bands)), CENTIMETRES * found.error, color=shades)
        error.set_xticks(range(len(found.bands)), [f"{band:g}" for band in found.bands])
        error.set(title="c   median distance", xlabel="band limit [Hz]", ylabel="[cm]")
        panels = np.atleast_1d(bottom.subplots(1, len(found.bands), sharey=True))
        for k, axes in enumerate(panels):
            early = found.time[k] <= SHOWN
            for part, style in (
                (found.target, {"color": INK, "ls": "--", "lw": 0.9}),
                (found.hand, {"color": shades[k], "lw": 1.4}),
            ):
                axes.plot(found.time[k][early], CENTIMETRES * part[k][early, 0, 0], **style)
            axes.set(title=f"{'d   ' if k == 0 else ''}{found.bands[k]:g} Hz", xlabel="time [s]")
        panels[0].set_ylabel("x [cm], target dashed")
        _sign(figure, name)
    return figure


def _wheel(directions: np.ndarray) -> np.ndarray:
    """Return a colour for each direction (D,) [rad], (D, 3), darker than those of the map."""
    return 0.8 * WHEEL(0.08 + 0.84 * directions / (2 * np.pi))[:, :3]


def _sign(figure: Figure, name: str | None) -> None:
    """Write the name of the controller below all labels."""
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, 0.04, 1, 0.96) if name else (0, 0, 1, 1))
    sign(figure, name)
