"""The experiments: each measures the model, and gives rows, a figure and a protocol."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from arm_env.control.controllers import Controller
from benchmarks.human import (
    curvature_rows,
    endpoints_rows,
    reaches_rows,
    stiffness_rows,
    strength_rows,
)
from benchmarks.human.curvature import ROUNDS, commands_of, driven, exponents
from benchmarks.human.curvature_rows import Driven
from benchmarks.human.reaches import reaches, resting_scatter
from benchmarks.human.rows import Row
from benchmarks.human.stiffness import stiffness
from benchmarks.human.strength import FINE, forces
from benchmarks.human.training import CURVES, folder_of
from benchmarks.places import STORED
from benchmarks.runs import NOISE
from rnn_controller import load

REACHING = tuple(f"rnn-ReachArm-v0-{seed}" for seed in range(3))
CIRCLES = "rnn-CircleArm-v0-0"
ROUNDS_OF = {"circles": ROUNDS, "effort": (1.33, 1.67, 2.0), "speed": (1.15, 1.3, 1.5)}
"""Rounds a second as they are commanded; hands that save effort make fewer."""


@dataclass(frozen=True)
class Settings:
    """What is measured, and how often.

    Attributes:
        seed: Seed of the noise.
        repeats: Number of noisy reaches to each target.
        rounds: Number of commanded rounds a second for each curve.
        runs: Folder of the stored networks.
    """

    seed: int = 1
    repeats: int = 100
    rounds: int = 3
    runs: Path = STORED


Result = tuple[list[Row], Figure]


@dataclass(frozen=True)
class Experiment:
    """An experiment: a title, a protocol in two sentences, and what measures it."""

    title: str
    protocol: str
    measure: Callable[[Settings], Result]


def reaching(settings: Settings) -> list[Controller]:
    """Return the networks of three seeds that reach."""
    return [load(settings.runs / name) for name in REACHING]


def measured_stiffness(settings: Settings) -> Result:
    """Return rows and figure of the stiffness of the hand."""
    found = [stiffness(each) for each in reaching(settings)]
    names = [f"network, seed {seed}" for seed in range(len(found))]
    return stiffness_rows.rows(found), stiffness_rows.draw(found, names)


def measured_strength(settings: Settings) -> Result:
    """Return rows and figure of the isometric strength."""
    fine = forces(directions=FINE)
    return strength_rows.rows(fine), strength_rows.draw(fine)


def measured_reaches(settings: Settings) -> Result:
    """Return rows and figure of the kinematics of reaches."""
    found = [reaches(each, noise=0.0, seed=settings.seed) for each in reaching(settings)]
    return reaches_rows.rows(found), reaches_rows.draw(found)


def measured_endpoints(settings: Settings) -> Result:
    """Return rows and figure of endpoints and durations."""
    controllers = reaching(settings)
    seed, repeats = settings.seed, settings.repeats
    found = [reaches(each, repeats=repeats, noise=NOISE, seed=seed) for each in controllers]
    rest = [
        resting_scatter(each, number=8 * repeats, noise=NOISE, seed=seed) for each in controllers
    ]
    return (
        endpoints_rows.rows(found, repeats, rest),
        endpoints_rows.draw(found, repeats),
    )


def measured_curvature(settings: Settings) -> Result:
    """Return rows and figure of speed and curvature, of the runs that are stored."""
    found = {}
    for kind, rounds in ROUNDS_OF.items():
        commands = commands_of(rounds[: settings.rounds])
        for curve, orbit in CURVES.items():
            folder = settings.runs / (CIRCLES if kind == "circles" else folder_of(curve, kind))
            if not (folder / "checkpoint.safetensors").exists():
                continue
            controller = load(folder)
            hands = [
                driven(
                    controller, orbit, commands, planning=kind == "circles", noise=noise,
                    seed=settings.seed,
                )
                for noise in (0.0, NOISE)
            ]  # fmt: skip
            quiet, noisy = (exponents(hand, orbit, commands) for hand in hands)
            found[kind, curve] = Driven(quiet, noisy, hands[0], commands)
    return curvature_rows.rows(found), curvature_rows.draw(found)


EXPERIMENTS: Mapping[str, Experiment] = {
    part.NAME: Experiment(part.TITLE, part.PROTOCOL, measure)
    for part, measure in (
        (stiffness_rows, measured_stiffness),
        (strength_rows, measured_strength),
        (reaches_rows, measured_reaches),
        (endpoints_rows, measured_endpoints),
        (curvature_rows, measured_curvature),
    )
}
"""All experiments by name, in the order of the page."""


def measured(name: str, settings: Settings) -> Result:
    """Return the rows, with the experiment's name, and the figure of an experiment."""
    rows, figure = EXPERIMENTS[name].measure(settings)
    return [replace(row, experiment=name) for row in rows], figure


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return rows in the order of the experiments."""
    names = list(EXPERIMENTS)
    return sorted(rows, key=lambda row: names.index(row.experiment))


def tally(rows: Iterable[Row]) -> dict[str, int]:
    """Return the number of rows of each verdict."""
    verdicts, counts = np.unique([row.verdict for row in rows], return_counts=True)
    return dict(zip(verdicts.tolist(), counts.tolist(), strict=True))
