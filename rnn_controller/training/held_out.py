"""Validation: a network in training, measured now and then on movements that it is not trained on.

The movements come from a generator of their own, so the training does not change.
"""

import math
import pkgutil
from typing import Any

from arm_env.arguments import count
from arm_env.evaluation import evaluate
from rnn_controller.checkpoint import Checkpoint, environment_of, mapping
from rnn_controller.policy import controller_of
from rnn_controller.training.recipes import MOST_ITERATIONS

EVERY = 250  # iterations between two validations of a run that logs to TensorBoard
MOVEMENTS = 200
# other movements than those of ``evaluate``, which are for the finished network
SEED = 2_000_000
NOISE = 0.2
SETTINGS = ("number_of_movements", "seed", "noise")
"""Measures that are settings of the measurement, the same at every validation."""
DRAWING = "rnn_controller.figures.reaching:figure_training"
"""Address of the function that draws a checkpoint. It is looked up when a figure is needed: figures
import the training, and most runs draw none."""

Validation = dict[str, Any]
"""The iterations that were done, under ``iteration``, and the measures then, by their names."""


def interval(value: Any, tensorboard: bool) -> int:
    """Return the number of iterations between two validations; 0 for none.

    None stands for 250 in a run that logs to TensorBoard, and for none in any other.
    """
    if value is None:
        return EVERY if tensorboard else 0
    return count("validate_every", value, 0, MOST_ITERATIONS)


def validate(checkpoint: Checkpoint) -> Validation:
    """Measure the network of a run on 200 held-out movements with 20 % noise.

    The arm is the one that it is trained on, with the perturbation of the training. Measures that
    are not finite are None.
    """
    training = checkpoint.training
    measures = evaluate(
        controller_of(checkpoint), checkpoint.goal.env_id, movements=MOVEMENTS, seed=SEED,
        noise=NOISE, perturbation=training["config"]["perturbation"], **environment_of(checkpoint),
    )  # fmt: skip
    found = {name: value for name, value in measures.as_dict().items() if name not in SETTINGS}
    return {"iteration": training["state"]["done"], **found}


def draw(checkpoint: Checkpoint) -> Any:
    """Return a figure of the network's movements, a ``matplotlib.figure.Figure``."""
    return pkgutil.resolve_name(DRAWING)(checkpoint)


def curves(validation: Validation) -> dict[str, float]:
    """Return the measures of a validation that are finite numbers, by their names."""
    return {
        name: float(value)
        for name, value in validation.items()
        if name != "iteration" and value is not None and math.isfinite(value)
    }


def validations(values: Any, done: int) -> list[Validation]:
    """Return the validations in a checkpoint of a run with ``done`` iterations.

    Raises ValueError for a value that no run has written.
    """
    if not isinstance(values, list):
        raise ValueError(f"validation must be a list of measures, not {values!r}")
    last = -1
    for value in values:
        entry = mapping("a validation", value)
        last = count("a validation's iteration", entry.get("iteration"), last + 1, done)
    return values
