"""The state of a training run, and how a checkpoint holds it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from arm_env.arguments import count
from rnn_controller.checkpoint import exactly, mapping, real_and_finite
from rnn_controller.training.optimizers import OPTIMIZERS
from rnn_controller.training.recipes import Stage

PATIENCE = 5  # failures in a row before a run gives up
# of a state; the rest are tensors
COUNTERS = ("stage", "iteration", "done", "failures", "stalls", "steps")
PREFIX = "optimizer."
EARLIER_NAMES = {"sound": "last_finite"}
"""Present names of a checkpoint's tensors by those that files of earlier versions hold."""

History = list[tuple[float, float]]
"""Objective and target radius [m] of every iteration."""


@dataclass(frozen=True)
class TrainState:
    """The state of a run after an iteration.

    It is replaced as a whole, so that an interrupt never leaves half an iteration.

    Attributes:
        vector: (n,) the vector that is optimised.
        last_finite: (n,) the last vector whose objective was finite.
        stage: Number of the stage.
        iteration: Iterations done in the stage.
        done: Iterations in all.
        failures: Failures in a row.
        stalls: Line searches in a row that found nothing.
        steps: Control periods simulated in all.
        optimizer: State of the optimiser.
    """

    vector: Tensor
    last_finite: Tensor
    stage: int = 0
    iteration: int = 0
    done: int = 0
    failures: int = 0
    stalls: int = 0
    steps: int = 0
    optimizer: dict[str, Tensor] = field(default_factory=dict)

    def counters(self) -> dict[str, int]:
        """Return the whole numbers, by name."""
        return {name: getattr(self, name) for name in COUNTERS}

    def tensors(self, history: History) -> dict[str, Tensor]:
        """Return the tensors of the state and the history, by their names in a checkpoint.

        They are ``vector`` (n,), ``last_finite`` (n,), ``history`` (done, 2) and the state of the
        optimiser.
        """
        state = {f"{PREFIX}{name}": value for name, value in self.optimizer.items()}
        # An interrupt may have left one entry more than whole iterations.
        past = torch.tensor(history[: self.done], dtype=torch.float64).reshape(-1, 2)
        return {**state, "vector": self.vector, "last_finite": self.last_finite, "history": past}

    def stepped(
        self, vector: Tensor, optimizer: dict[str, Tensor], stalled: bool = False
    ) -> "TrainState":
        """Return the state after a successful step of the optimiser to a vector (n,)."""
        # A failure goes back to ``last_finite``. Only a step from further on shows that the way on
        # from there is open again.
        ahead = not torch.equal(self.vector, self.last_finite)
        return replace(
            self,
            vector=vector,
            optimizer=optimizer,
            last_finite=self.vector if ahead else self.last_finite,
            failures=0 if ahead else self.failures,
            stalls=self.stalls + 1 if stalled else 0,
        )

    def counted(self, stage: Stage, steps: int) -> "TrainState":
        """Return the state with this iteration counted, which took ``steps`` control periods.

        At the stage's end it is the state at the beginning of the next stage.
        """
        new = replace(
            self, iteration=self.iteration + 1, done=self.done + 1, steps=self.steps + steps
        )
        if new.iteration < stage.iterations and new.stalls < PATIENCE:
            return new
        return replace(new, stage=self.stage + 1, iteration=0, stalls=0, optimizer={})


def restored(
    counters: Any, tensors: Mapping[str, Tensor], stages: tuple[Stage, ...], weights: int
) -> tuple[TrainState, History]:
    """Return the state of a run that trains that many ``weights``, and its history.

    With n weights, the ``tensors`` hold ``vector`` (n,), ``last_finite`` (n,), ``history``
    (done, 2) and the state of the optimiser. Raises ValueError if no run could be in that state.
    """
    # A file may have been damaged or edited: nothing is taken that no run could have written.
    exactly("the state", mapping("the state", counters), COUNTERS)
    stage = count("stage", counters["stage"], 0, len(stages))
    # A run that has ended stands in the stage after its last, which there is none of.
    running = stages[stage] if stage < len(stages) else None
    last = running.iterations - 1 if running else 0
    earlier = sum(s.iterations for s in stages[:stage])
    whole = {
        "stage": stage,
        "iteration": count("iteration", counters["iteration"], 0, last),
        "done": count("done", counters["done"], stage, earlier + last),
        "failures": count("failures", counters["failures"], 0, PATIENCE),
        "stalls": count("stalls", counters["stalls"], 0, PATIENCE - 1),
        "steps": count("steps", counters["steps"]),
    }
    optimizer = {
        name.removeprefix(PREFIX): value
        for name, value in tensors.items()
        if name.startswith(PREFIX)
    }
    rest = {
        EARLIER_NAMES.get(name, name): value
        for name, value in tensors.items()
        if not name.startswith(PREFIX)
    }
    exactly("the training", rest, ("vector", "last_finite", "history"))
    check_shapes(
        rest, {"vector": "n", "last_finite": "n", "history": "hc"}, n=weights, h=whole["done"], c=2
    )
    for name in ("vector", "last_finite"):
        real_and_finite(name, rest[name])
    if optimizer:
        # a run that has ended holds no optimiser
        layout = OPTIMIZERS[running.optimizer].layout if running else {}
        exactly("the optimizer's state", optimizer, layout)
        check_shapes(optimizer, layout, n=weights)
        for name, value in optimizer.items():
            real_and_finite(name, value)
    history = [(value, radius) for value, radius in rest["history"].tolist()]
    if not all(math.isfinite(radius) and radius > 0 for _, radius in history):
        raise ValueError("history holds a target radius that is not positive")
    return TrainState(rest["vector"], rest["last_finite"], optimizer=optimizer, **whole), history


def check_shapes(tensors: Mapping[str, Tensor], layout: Mapping[str, str], **sizes: int) -> None:
    """Raise ValueError unless the tensors are float64 and have the shapes of the ``layout``.

    A shape has a letter for each axis: "n" stands for (n,), "hc" for (h, c). A letter means the
    same size everywhere; ``sizes`` gives those that are known.
    """
    for name, letters in layout.items():
        value = tensors[name]
        # A letter that has no size yet takes the one found; where it comes again it must agree.
        bound = {**dict(zip(letters, value.shape, strict=False)), **sizes}
        expected = tuple(bound.get(letter, 0) for letter in letters)
        if value.dtype != torch.float64 or tuple(value.shape) != expected:
            raise ValueError(
                f"{name} must be float64, shape {expected}, not {value.dtype}, {tuple(value.shape)}"
            )
        sizes.update(dict(zip(letters, expected, strict=True)))
