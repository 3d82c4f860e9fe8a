"""Figures as those of Huh & Todorov (2009), for this arm and any controller of it.

There are more of them than the paper has room for. Every figure is a ``matplotlib.figure.Figure``
of its own: no display, no global state.
"""

from rnn_controller.figures.animation import LONGEST, SCENES, animate, check_animation
from rnn_controller.figures.attractors import figure_attractors
from rnn_controller.figures.common import COLOURS, FIGURE_SUFFIXES, check_figure, save
from rnn_controller.figures.cycles import figure_7
from rnn_controller.figures.drawings import check_planned_for, figure_8, figure_drawing
from rnn_controller.figures.experiments import (
    figure_adaptation,
    figure_centre_out,
    figure_following,
    figure_push,
)
from rnn_controller.figures.muscles import figure_5
from rnn_controller.figures.overview import figure_overview
from rnn_controller.figures.reaching import (
    ROUND,
    START,
    TARGETS,
    figure_6,
    figure_reaches,
    moving_target,
)
from rnn_controller.figures.tuning import figure_tuning

OF_MOVEMENTS = {"6": "reach", "7": "circle", "8": "circle"}
"""Figures that show a controller's movements, each with the task of that controller."""

__all__ = [
    "COLOURS",
    "FIGURE_SUFFIXES",
    "LONGEST",
    "OF_MOVEMENTS",
    "ROUND",
    "SCENES",
    "START",
    "TARGETS",
    "animate",
    "check_animation",
    "check_figure",
    "check_planned_for",
    "figure_5",
    "figure_6",
    "figure_7",
    "figure_8",
    "figure_adaptation",
    "figure_attractors",
    "figure_centre_out",
    "figure_drawing",
    "figure_following",
    "figure_overview",
    "figure_push",
    "figure_reaches",
    "figure_tuning",
    "moving_target",
    "save",
]
