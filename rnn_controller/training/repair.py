"""Repairs of failures in training.

After a failed step, training goes back to the last weights whose objective was finite, and halves
the learning rate. That does not help a silent network, which excites no muscle and so has no
gradient. It gets new motor weights, if its class can do so (``EquationModule.revive``). Single
neurons and muscles that fall silent early in training get new weights every hundred iterations.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from rnn_controller.networks.equation_module import EquationModule
from rnn_controller.training.evaluation import Evaluator, Failure
from rnn_controller.training.state import TrainState
from rnn_controller.training.trials import TrialBatch


class LastingFailureError(RuntimeError):
    """An error after too many failures in a row; the run keeps its last finite weights."""


Untrained = Callable[[int], EquationModule]
"""A function of a number; it returns the network drawn from the run's seed plus that number."""


def repaired(
    state: TrainState, failure: Failure, evaluator: Evaluator, untrained: Untrained
) -> tuple[TrainState, str]:
    """Return the state from which a run goes on after a failure, and the remedy in words."""
    failures = state.failures + 1
    vector = state.last_finite
    remedy = "training went back one step and halved the learning rate"
    if failure is Failure.SILENT:
        # A network that is drawn from another seed each time: the last one did not help.
        other = untrained(failures)
        with evaluator.weights_of(state.vector):
            if evaluator.network.revive(other):
                vector = evaluator.coordinates.vector()
                remedy = "its motor weights and reflexes are drawn again"
    # The optimiser starts from nothing: its moments, or its search direction, led here.
    new = replace(state, vector=vector, last_finite=vector, failures=failures, optimizer={})
    return new, remedy


def with_silent_units_woken(
    vector: Tensor, trials: TrialBatch, evaluator: Evaluator, untrained: EquationModule
) -> tuple[Tensor, int]:
    """Return the vector (n,) with new weights for units that are silent in all trials.

    With the new weights these units can learn again. The second result is the number of control
    periods that were simulated to find them.
    """
    # The trials of this iteration once more, since the step has just changed the weights.
    with evaluator.weights_of(vector), torch.no_grad():
        _, u, y = evaluator.rollout(trials)
        evaluator.network.wake_silent_units(untrained, u, y, evaluator.arm.tone)
        return evaluator.coordinates.vector(), int(trials.lengths.sum())
