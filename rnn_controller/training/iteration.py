"""One iteration of training: a step of an optimiser on a batch of trials, or a repair.

All randomness of iteration i of stage j comes from the seed sequence (seed, j, i), so a resumed run
needs no generator's state and ends exactly where an uninterrupted one does.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arm_env.checked import group
from arm_env.dynamics.parameters import CostWeights
from rnn_controller.checkpoint import task_of
from rnn_controller.networks.equation_module import EquationModule
from rnn_controller.networks.modules import build
from rnn_controller.networks.plain_torch import training_conditions
from rnn_controller.training import repair
from rnn_controller.training.config import TrainConfig
from rnn_controller.training.evaluation import Evaluation, Evaluator, failure_of
from rnn_controller.training.optimizers import OPTIMIZERS, Adam, Soap, blocks_of
from rnn_controller.training.recipes import Stage, share_of_learning_rate
from rnn_controller.training.state import PATIENCE, History, TrainState
from rnn_controller.training.trials import TrialBatch, sample
from rnn_controller.watching import remark

Log = Callable[[str, float, int], None]


def no_log(name: str, value: float, step: int) -> None:
    """Log nothing."""


class Optimization:
    """A network in training, without its files: the state, and the step of an iteration."""

    @training_conditions()
    def __init__(self, config: TrainConfig, log: Log | None = None):
        self.config = config = group("config", config, TrainConfig, TrainConfig())
        self.task = task_of(config.task, config.orbit)
        self.arm = config.perturbation.applied_to(self.task.body.parameters)
        self.stages = config.stages()
        self.network = self._untrained()
        self.coordinates = self.network.coordinates(self.task, self.arm)
        self.evaluator = Evaluator(self.network, self.coordinates, self.task, self.arm, config.beta)
        vector = self.coordinates.vector()
        self._blocks = blocks_of(self.coordinates.receivers(), len(vector))
        self.state = TrainState(vector, vector)
        self.history: History = []
        self.log = log or no_log
        self._batch: TrialBatch | None = None

    @property
    def vector(self) -> Tensor:
        """The vector (n,) that is optimised, as it is now."""
        return self.state.vector

    @training_conditions()
    def evaluate(self, vector: Tensor, trials: TrialBatch, cost: CostWeights) -> Evaluation:
        """Return the objective of eq. 5' and its gradient (n,) at a vector (n,); change nothing."""
        return self.evaluator.evaluate(vector, trials, cost)

    def _iterate(self, stage: Stage) -> Evaluation:
        """Take a step of the optimiser, or repair a failure; return the last evaluation."""
        at = self.state
        cost = stage.cost_at(at.iteration, self.config.cost)
        trials = self._trials(stage)
        optimizer = self._optimizer(stage, trials, cost)
        seen: list[Evaluation] = []

        def objective(weights: Tensor) -> tuple[float, Tensor]:
            seen.append(self.evaluate(weights, trials, cost))
            return seen[-1].value, seen[-1].gradient

        vector, value = optimizer.step(objective, at.vector)
        steps = sum(evaluation.steps for evaluation in seen)
        failure = failure_of(value, vector, seen)
        if failure:
            new = self._repaired(failure)
        else:
            # While the target narrows, a stalled line search may find its way later.
            exact = cost.target_radius == self.config.cost.target_radius
            stalled = not stage.resample and exact and torch.equal(vector, at.vector)
            new = at.stepped(vector, optimizer.state, stalled)
            if self.network.can_fall_silent and stage.wakes_at(at.iteration):
                woken, more = repair.with_silent_units_woken(
                    vector, trials, self.evaluator, self._untrained(1 + at.done)
                )
                new = replace(new, vector=woken)
                steps += more
        if new.stalls == PATIENCE:
            remark(
                f"iteration {at.done}: the line search finds no lower objective; "
                f"{stage.optimizer} ends here"
            )
        new = new.counted(stage, steps)
        if new.stage != at.stage:
            self._batch = None
        # The history first: an interrupt between the two lines leaves an entry too many, which the
        # next iteration overwrites.
        self.history[at.done :] = [(value, cost.target_radius)]
        self.state = new
        self.log("objective", value, at.done)
        self.log("target_radius_m", cost.target_radius, at.done)
        return seen[-1]

    def _untrained(self, number: int = 0) -> EquationModule:
        """Return the untrained network of the run's seed plus ``number``."""
        generator = torch.Generator("cpu").manual_seed(self.config.seed + number)
        return build(self.config.network, self.task, self.arm, generator)

    def _trials(self, stage: Stage) -> TrialBatch:
        """Return the trials of this iteration: new ones, or those of the stage's first."""
        at = self.state
        if stage.resample or self._batch is None:
            index = at.iteration if stage.resample else 0
            config = self.config
            self._batch = sample(
                np.random.default_rng([config.seed, at.stage, index]),
                stage.batch_size,
                getattr(config.network, "neurons", 0),
                task=self.task,
                arm=self.arm,
                sampling=stage.sampling(
                    config.settling, config.noise, config.network.control_period
                ),
            )
        return self._batch

    def _optimizer(self, stage: Stage, trials: TrialBatch, cost: CostWeights) -> Any:
        """Return the stage's optimiser with its state and learning rate in this iteration."""
        at = self.state
        optimizer = OPTIMIZERS[stage.optimizer]()
        optimizer.state = at.optimizer
        if not stage.resample and at.optimizer:
            _, radius = self.history[at.done - 1]
            # The last line search ended on a wider target: its value and its gradient there are of
            # another function.
            if radius != cost.target_radius:
                now = self.evaluate(at.vector, trials, cost)
                value = now.gradient.new_tensor(now.value)
                optimizer.state = {**at.optimizer, "value": value, "gradient": now.gradient}
        if isinstance(optimizer, Soap):
            optimizer.blocks = self._blocks
        if isinstance(optimizer, Adam):
            share = share_of_learning_rate(at.iteration / stage.iterations)
            optimizer.learning_rate = stage.learning_rate * share * 0.5**at.failures
        return optimizer

    def _repaired(self, failure: repair.Failure) -> TrainState:
        """Return the state to go on from after a failure.

        Raises LastingFailureError after too many failures in a row.
        """
        at = self.state
        failures = at.failures + 1
        if failures > PATIENCE:
            self.state = replace(at, vector=at.last_finite, optimizer={})
            raise repair.LastingFailureError(f"{failure.value}, {failures} times in a row")
        new, remedy = repair.repaired(at, failure, self.evaluator, self._untrained)
        remark(f"iteration {at.done}: {failure.value}; {remedy}")
        return new
