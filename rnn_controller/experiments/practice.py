"""Training a reaching network on, a block at a time, on the reaches of an experiment."""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from arm_env.arguments import count
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.reach import Reach
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.networks.plain_torch import training_conditions
from rnn_controller.training.evaluation import Evaluation, Evaluator, failure_of
from rnn_controller.training.optimizers import Adam
from rnn_controller.training.recipes import RECIPES
from rnn_controller.training.run_folder import TrainingError
from rnn_controller.training.trials import sample

RISK = 3.0  # β of the objective, that of ``TrainConfig``
WARM_UP = 10  # blocks over which the learning rate rises to its full size
SETTLING = 0.5  # [s] τ_c, that of ``TrainConfig``


@dataclass(frozen=True)
class FromTheCentre(Reach):
    """Reaches from one place to one of several targets, in any order.

    Attributes:
        centre: The start [m].
        targets: (D, 2) [m] the targets.
    """

    centre: Any = (0.0, 0.38)
    targets: Any = ()

    def sample_commands(self, rng, number, arm):
        """Return starts and random targets, (number, 2): first all starts, then the targets."""
        half = number // 2
        drawn = np.array(self.targets)[rng.integers(len(self.targets), size=number - half)]
        return np.concatenate([np.tile(self.centre, (half, 1)), drawn])


class Practice:
    """A network that is trained on in blocks, each of one step of Adam on new trials.

    The trials are those of the default recipe, with the network's own noise, but go from the centre
    (2,) to the targets (D, 2) [m]. The checkpoint that is given is not changed.
    """

    @training_conditions()
    def __init__(
        self,
        checkpoint: Checkpoint,
        centre: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        learning_rate: float,
        seed: int,
    ):
        self._checkpoint = checkpoint
        self._network = copy.deepcopy(checkpoint.network)
        self._task = FromTheCentre(centre=tuple(centre), targets=tuple(map(tuple, targets)))
        self._coordinates = self._network.coordinates(checkpoint.goal, checkpoint.arm)
        self._vector = self._coordinates.vector()
        self._optimizer = Adam(learning_rate)
        self._learning_rate = learning_rate
        self._batch_size = batch_size
        self._seed = count("seed", seed)

    @training_conditions()
    def block(self, condition: Perturbation, index: int) -> float:
        """Train on one batch under a perturbation, and return the objective before the step.

        The randomness is that of the seed and the ``index`` of the block. Raises TrainingError if
        the objective is not finite; the weights stay as they were.
        """
        checkpoint, network = self._checkpoint, self._network
        arm = condition.applied_to(checkpoint.arm)
        evaluator = Evaluator(network, self._coordinates, self._task, arm, RISK)
        period = network.config.control_period
        (stage,) = RECIPES["default"]
        trials = sample(
            np.random.default_rng([self._seed, index]),
            self._batch_size,
            getattr(network.config, "neurons", 0),
            task=self._task,
            arm=arm,
            sampling=stage.sampling(SETTLING, checkpoint.noise, period),
        )
        seen: list[Evaluation] = []

        def objective(vector: torch.Tensor) -> tuple[float, torch.Tensor]:
            seen.append(evaluator.evaluate(vector, trials, checkpoint.weights))
            return seen[-1].value, seen[-1].gradient

        # Adam's moments know nothing at first: full steps would carry a trained network far away.
        self._optimizer.learning_rate = self._learning_rate * min(1.0, (index + 1) / WARM_UP)
        vector, value = self._optimizer.step(objective, self._vector)
        failure = failure_of(value, vector, seen)
        if failure:
            raise TrainingError(f"block {index}: {failure.value}: give a smaller learning_rate")
        self._vector = vector
        return value

    @training_conditions()
    def checkpoint(self) -> Checkpoint:
        """Return the controller as it is now."""
        self._coordinates.assign(self._vector)
        network = copy.deepcopy(self._network)
        return replace(self._checkpoint, network=network, training={}, tensors={})
