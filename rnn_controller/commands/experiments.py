"""The figures of the experiments, for the command ``figure``."""

from typing import Any

from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.commands.measuring import short_name

EXPERIMENTS = {"centre-out": "reach", "adaptation": "reach", "push": "reach", "following": "follow"}
"""Names of the figures, each with the task of its controller."""


def figure_of_experiment(
    which: str, controller: str | None, curl: float | None, seed: int, noise: float | None
) -> Any:
    """Do one of ``EXPERIMENTS``, without noise if it is None, and return its figure.

    Raises ValueError for a controller of another task, and for noise in adaptation.
    """
    from rnn_controller import experiments, figures

    task = EXPERIMENTS[which]
    checkpoint = load_checkpoint(controller or task)
    if checkpoint.task != task:
        raise ValueError(
            f"this needs a controller for {task}, and {controller} is one for {checkpoint.task}"
        )
    name = short_name(controller or task)
    if which == "adaptation":
        if noise is not None:
            raise ValueError("adaptation is measured without noise: leave --noise out")
        field: Any = {} if curl is None else {"perturbation": {"curl": curl}}
        return figures.figure_adaptation(
            experiments.adapt(checkpoint, seed=seed, **field), name=name
        )
    options: dict[str, Any] = {
        "seed": seed, "noise": noise or 0.0, "perturbation": {"curl": curl or 0.0},
    }  # fmt: skip
    if which == "centre-out":
        return figures.figure_centre_out(experiments.centre_out(checkpoint, **options), name=name)
    if which == "push":
        return figures.figure_push(experiments.pushing(checkpoint, **options), name=name)
    return figures.figure_following(experiments.following(checkpoint, **options), name=name)
