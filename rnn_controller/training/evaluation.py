"""The objective of a batch of trials and its gradient, as a function of the weights."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import torch
from torch import Tensor

from arm_env.dynamics.parameters import CostWeights
from arm_env.envs.simulation import substeps_of
from arm_env.tasks.measures import SETTLED
from arm_env.tasks.task import Task
from rnn_controller.networks.coordinates import FlatVector
from rnn_controller.networks.equation_module import EquationModule
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.plant import TORCH, tensors
from rnn_controller.training.objective import of_parts, risk_sensitive, values
from rnn_controller.training.run_folder import TrainingError
from rnn_controller.training.team import Team, fingerprint, part_size
from rnn_controller.training.trials import TrialBatch

LARGEST_NEURAL_STATE = 1e4  # a neural state beyond this has diverged
TOGETHER = 512  # trials whose trajectories are in memory at once: some 150 kB each
TOGETHER_ON_GPU = 4096


class Failure(Enum):
    """The ways in which an evaluation can fail; each value is the text of a message."""

    SILENT = "the network is dead: no muscle is excited in any movement"
    EXPLODED = f"the neural state exceeds {LARGEST_NEURAL_STATE:g}"
    NOT_FINITE = "the objective or its gradient is not finite"


@dataclass(frozen=True)
class Evaluation:
    """The objective at one vector of weights, over one batch of trials.

    Attributes:
        value: Objective A of eq. 5'; infinite if the neural state diverged.
        gradient: (n,) gradient of A along the vector.
        failure: None if the evaluation went well.
        on_target: Share of the trials that end on target.
        steps: Number of control periods that were simulated.
    """

    value: float
    gradient: Tensor
    failure: Failure | None
    on_target: float
    steps: int


class Part(NamedTuple):
    """The result of one part of a batch.

    Attributes:
        objective: () objective A of eq. 5' over the trials of this part.
        gradient: (n,) gradient of A along the vector of weights.
        on_target: () share of the trials that end on target.
        excited: Whether any muscle was excited in any trial.
        bounded: Whether every neural state stayed below ``LARGEST_NEURAL_STATE``.
        steps: Number of control periods that were simulated.
    """

    objective: Tensor
    gradient: Tensor
    on_target: Tensor
    excited: bool
    bounded: bool
    steps: int

    def row(self) -> Tensor:
        """Return the part as numbers, (5 + n,), to send to another process."""
        flags = self.objective.new_tensor([self.excited, self.bounded, self.steps])
        return torch.cat([self.objective[None], self.on_target[None], flags, self.gradient])

    @classmethod
    def of_row(cls, row: Tensor) -> "Part":
        """Return the part of numbers (5 + n,) that ``row`` gave."""
        objective, on_target, excited, bounded, steps = row[:5]
        return cls(objective, row[5:], on_target, bool(excited), bool(bounded), int(steps))


@dataclass(frozen=True)
class Evaluator:
    """The objective of one network and task, as a function of the vector of weights.

    Raises ValueError if a weight of the network is not float64.

    Attributes:
        network: The network, whose own weights stay as they are.
        coordinates: Map between vectors and weights.
        task: The task whose cost is evaluated.
        arm: Parameters of the task's body.
        beta: Risk sensitivity of eq. 5'.
        team: Processes that share the trials, or None.
        device: Device that simulates the trials, "cpu" or "cuda".
    """

    network: EquationModule
    coordinates: FlatVector
    task: Task
    arm: Any
    beta: float
    team: Team | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        # compiled code takes no other numbers
        for name, parameter in self.network.named_parameters():
            if parameter.dtype != torch.float64:
                raise ValueError(
                    f"all weights must be float64 to be trained, but {name} is {parameter.dtype}"
                )

    def evaluate(self, vector: Tensor, trials: TrialBatch, cost: CostWeights) -> Evaluation:
        """Return the objective of eq. 5' and its gradient at a vector (n,).

        ``TOGETHER`` trials at most are simulated at a time, on a GPU ``TOGETHER_ON_GPU``. Raises
        TeamError if another process that shares the trials has ended.
        """
        size = TOGETHER if self.device == "cpu" else TOGETHER_ON_GPU
        if self.team:
            size = part_size(len(trials.x0))
        batches = list(trials.parts(size))
        mine = self.team.share(len(batches)) if self.team else slice(None)
        with self.weights_of(vector):
            parts = [self._part(vector, batch, cost) for batch in batches[mine]]
        if self.team:
            parts = self._of_all(self.team, vector, parts, len(batches))
        numbers = torch.tensor([len(batch.x0) for batch in batches], dtype=vector.dtype)
        # Eq. 5' is no mean over trials: with β > 0 the parts of greater value weigh more. Their
        # weights are the gradient of the whole along the objectives of the parts.
        each = torch.stack([part.objective for part in parts]).requires_grad_()
        objective = of_parts(each, numbers, self.beta)
        (weight,) = torch.autograd.grad(objective, each)
        gradient = (weight[:, None] * torch.stack([part.gradient for part in parts])).sum(0)
        on_target = torch.stack([part.on_target for part in parts]) @ numbers / numbers.sum()
        bounded = all(part.bounded for part in parts)
        value = objective.item() if bounded else math.inf
        failure = None
        # A network that excites no muscle has no gradient to learn by, whatever else is wrong.
        if not any(part.excited for part in parts):
            failure = Failure.SILENT
        elif not bounded:
            failure = Failure.EXPLODED
        elif not math.isfinite(value) or not bool(torch.isfinite(gradient).all()):
            failure = Failure.NOT_FINITE
        steps = sum(part.steps for part in parts)
        return Evaluation(value, gradient, failure, float(on_target), steps)

    @staticmethod
    def _of_all(team: Team, vector: Tensor, parts: list[Part], number: int) -> list[Part]:
        """Return the parts of all processes. Raises TrainingError if their weights differ."""
        rows = vector.new_zeros((len(parts), 6 + len(vector)))
        for row, part in zip(rows, parts, strict=True):
            row[0] = fingerprint(vector)
            row[1:] = part.row()
        every = team.gathered(rows, number)
        if (every[:, 0] != every[0, 0]).any():
            raise TrainingError(
                "the processes of this training have come to different weights: run all of them "
                "on machines of one kind, with the same versions of all packages"
            )
        return [Part.of_row(row[1:]) for row in every]

    @contextmanager
    def weights_of(self, vector: Tensor) -> Iterator[None]:
        """Let the network have the weights of a vector (n,) inside this context."""
        # The compiled rollout reads the weights from the network, so they have to be lent to it.
        own = [parameter.detach().clone() for parameter in self.network.parameters()]
        self.coordinates.assign(vector)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self.network.parameters(), own, strict=True):
                    parameter.copy_(value)
                    parameter.grad = None

    def rollout(self, trials: TrialBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Simulate the trials with the weights that the network has.

        Returns body states (B, T + 1, S), excitations (B, T, M) and neural states (B, T + 1, N).
        """
        return pontryagin.rollout(
            self.network, self.arm, trials.x0, self.network.training_state(trials.y0),
            trials.commands, trials.noise, substeps_of(self.network.config.control_period),
            trials.lengths, self.device,
        )  # fmt: skip

    def _part(self, vector: Tensor, trials: TrialBatch, cost: CostWeights) -> Part:
        """Evaluate trials that are in memory together."""
        self.network.zero_grad(set_to_none=True)
        x, u, y = self.rollout(trials)
        period = self.network.config.control_period
        v = values(self.task, self.arm, cost, x, u, trials.commands, period, trials.lengths)
        objective = risk_sensitive(v, self.beta)
        # the modified maximum principle: the costate equations backwards, compiled
        objective.backward()
        return Part(
            objective.detach(),
            self.coordinates.gradient(vector),
            self.share_on_target(x.detach(), trials),
            excited=bool((u > 0).any()),
            bounded=bool((y.abs() < LARGEST_NEURAL_STATE).all()),
            steps=int(trials.lengths.sum()),
        )

    def share_on_target(self, x: Tensor, trials: TrialBatch) -> Tensor:
        """Return the share () of trials that end on target, for body states x (B, T + 1, S).

        A trial does so if its mean distance over the last 0.2 s is within the task's tolerance.
        """
        span = max(1, round(SETTLED / self.network.config.control_period))
        # Trials end at different times, and only zeros follow; each has its own last periods.
        # (B, span)
        end = (trials.lengths[:, None] - torch.arange(span, device="cpu")).clamp_min(1)
        row = torch.arange(len(end), device="cpu")[:, None]
        px, py, _, _ = self.task.body.hand(TORCH, tensors(self.arm), x[row, end])
        squared = self.task.error(TORCH, trials.commands[row, end - 1], px, py)[0]
        return (squared.sqrt().mean(-1) < self.task.tolerance).double().mean()


def failure_of(value: float, vector: Tensor, seen: Sequence[Evaluation]) -> Failure | None:
    """Return how an optimiser's step failed; None if it did not.

    The step went from a point whose objective is ``value`` to ``vector`` (n,). ``seen`` are the
    evaluations on the way, the last one last.
    """
    # A line search may have met points that are no use, and turned back. Only where it began and
    # where it leads to counts.
    if not math.isfinite(value):
        exploded = any(evaluation.failure is Failure.EXPLODED for evaluation in seen)
        return Failure.EXPLODED if exploded else Failure.NOT_FINITE
    if not bool(torch.isfinite(vector).all()):
        return Failure.NOT_FINITE
    return Failure.SILENT if seen[-1].failure is Failure.SILENT else None
