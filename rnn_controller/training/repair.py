"""Repairs of what can go wrong in training.

A step that failed is taken back to the last weights whose objective was finite, with the learning
rate halved. That does not help a network that is silent: no muscle is excited, so there is no
gradient. It gets new motor weights where it knows some (``EquationModule.revive``). Single neurons
and muscles that fall silent early are woken now and then, before that costs anything.
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
    """A run failed too many times in a row; it stands at the last weights that were sound."""


Untrained = Callable[[int], EquationModule]
"""A function of a number; it returns the network drawn from the run's seed plus that number."""


def repaired(
    state: TrainState, failure: Failure, evaluator: Evaluator, untrained: Untrained
) -> tuple[TrainState, str]:
    """Return the state from which a run goes on after a failure, and the remedy in words."""
    failures = state.failures + 1
    vector = state.last_finite
    remedy = "went back a step and halved the rate"
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
    """Return the vector with new weights for units that are silent in all trials.

    With the new weights these units can learn again. The second result is the number of control
    periods that were simulated to find them.
    """
    # The trials of this iteration once more, since the step has just changed the weights.
    with evaluator.weights_of(vector), torch.no_grad():
        _, u, y = evaluator.rollout(trials)
        evaluator.network.wake_silent_units(untrained, u, y, evaluator.arm.tone)
        return evaluator.coordinates.vector(), int(trials.lengths.sum())
