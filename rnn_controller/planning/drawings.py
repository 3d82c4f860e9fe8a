"""Two drawings with their plans: a figure of eight and a clover."""

from typing import Any, NamedTuple

import numpy as np

from rnn_controller.checkpoint import Checkpoint
from rnn_controller.planning.osculating import Curve
from rnn_controller.planning.planner import plan
from rnn_controller.planning.plans import Plan, shipped_plan

MIDDLE = (0.0, 0.42)  # [m] of both


def figure_of_eight(phase: float) -> np.ndarray:
    """Return a point [m], (2,), of a lying figure of eight at a phase from 0 to 1."""
    angle = 2 * np.pi * phase
    return np.array([MIDDLE[0] + 0.14 * np.sin(angle), MIDDLE[1] + 0.07 * np.sin(2 * angle)])


def clover(phase: float) -> np.ndarray:
    """Return a point [m], (2,), of a clover of three leaves at a phase from 0 to 1."""
    angle = 2 * np.pi * phase
    distance = 0.075 + 0.035 * np.cos(3 * angle)
    return np.array([MIDDLE[0] + distance * np.sin(angle), MIDDLE[1] + distance * np.cos(angle)])


class Drawing(NamedTuple):
    """A drawing of figure 8.

    Attributes:
        curve: Points [m] as a function of the phase, 0 to 1.
        lap: Duration of a lap [s].
        title: Title of its panel.
    """

    curve: Curve
    lap: float
    title: str


DRAWINGS = {
    "eight": Drawing(figure_of_eight, 3.0, "Figure of eight"),
    "clover": Drawing(clover, 4.0, "Clover"),
}


def plan_of(checkpoint: Checkpoint, drawing: str, **options: Any) -> Plan:
    """Return the plan of one of ``DRAWINGS``: the one that ships, or a new one.

    Plans ship for the shipped controller of circles. Others take some ten seconds each. With
    options, which are those of ``plan``, it is always a new one.
    """
    shipped = shipped_plan(drawing, checkpoint.network)
    if shipped is not None and not options:
        return shipped
    curve, lap, _ = DRAWINGS[drawing]
    return plan(checkpoint, curve, lap, **options)
