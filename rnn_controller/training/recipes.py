"""Recipes: lists of the stages of a training run, with their settings and schedules."""

import math
from dataclasses import dataclass, replace
from types import MappingProxyType

from arm_env.arguments import choice
from arm_env.checked import Checked, within
from arm_env.dynamics.parameters import CostWeights
from rnn_controller.training.optimizers import OPTIMIZERS, Adam
from rnn_controller.training.trials import Range, Sampling

MOST_ITERATIONS = 10**9
LARGEST_BATCH = 10**6
WAKE_EVERY = 100  # iterations between two looks for neurons and muscles that have fallen silent


def narrowing_radius(progress: float, initial: float, fraction: float, final: float) -> float:
    """Return the target radius d0 [m] at ``progress`` from 0 to 1.

    It falls geometrically from ``initial`` to ``final`` over the share ``fraction`` of it.
    """
    # A geometric fall halves the radius in equal times, so that a hand within one radius is never
    # far from the next.
    left = max(0.0, 1 - progress / fraction)
    return final * (max(initial, final) / final) ** left


def share_of_learning_rate(progress: float) -> float:
    """Return the learning rate at ``progress`` from 0 to 1, as a share of the first: a cosine."""
    return 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class Stage(Checked):
    """A stage of training: iterations with one optimiser and one set of schedules.

    τ_c is ``TrainConfig.settling``, and T is the period of the task. Raises ValueError for a value
    outside its range, for an unknown optimiser, and for ``resample`` with conjugate-gradient, which
    needs one batch for the whole stage.

    Attributes:
        optimizer: Name of the optimiser: soap, adam or conjugate-gradient.
        iterations: Number of steps of the optimiser.
        batch_size: Number of trials in a batch.
        resample: Whether every iteration draws new trials, instead of one batch for the whole
            stage.
        learning_rate: Learning rate of adam and soap at the start; it falls to zero along a cosine.
        initial_target_radius: Radius d0 [m] of the distance term at the start; it narrows
            geometrically to eq. 6's.
        anneal_fraction: Share of the iterations over which the radius narrows.
        first: Range of the time that the first command is held, in multiples of τ_c + T.
        second: Range of the time that the second command is held, in multiples of τ_c + T.
        noise_scale: Range of the noise of a trial, as a share of the run's noise.
        quiet: Share of quiet trials in a batch. These have less noise, and most of them last
            longer.
        quiet_second: Range of the time that a quiet trial's second command is held, in multiples of
            τ_c + T.
        quiet_noise_scale: Range of the noise of a quiet trial, as a share of the run's noise.
        thrown: Share of trials that start from a random posture and velocity, the quiet ones first.
    """

    earlier_names = MappingProxyType(
        {
            "movements": "batch_size",
            "fresh": "resample",
            "rate": "learning_rate",
            "widest_target": "initial_target_radius",
            "narrowing": "anneal_fraction",
        }
    )

    optimizer: str = "adam"
    iterations: int = within(1000, 1, MOST_ITERATIONS)
    batch_size: int = within(100, 1, LARGEST_BATCH)
    resample: bool = True
    learning_rate: float = within(0.01, 0, 10, above=True)
    initial_target_radius: float = within(0.04, 0, 100)
    anneal_fraction: float = within(0.4, 0, 1e9, above=True)
    first: Range = within((0.5, 1.5), 0, 100, ascending=True)
    second: Range = within((1.0, 2.0), 0, 100, ascending=True)
    noise_scale: Range = within((0.5, 1.0), 0, 100, ascending=True)
    quiet: float = within(0.0, 0, 1)
    quiet_second: Range = within((2.0, 4.0), 0, 100, ascending=True)
    quiet_noise_scale: Range = within((0.0, 0.1), 0, 100, ascending=True)
    thrown: float = within(0.0, 0, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("optimizer", self.optimizer, OPTIMIZERS)
        # Adam takes the noise of a new batch; a line search would take it for the slope.
        if self.resample and not issubclass(OPTIMIZERS[self.optimizer], Adam):
            raise ValueError(
                f"{self.optimizer} compares points on one function: it needs resample=False"
            )

    def target_radius(self, progress: float, final: float) -> float:
        """Return the radius d0 [m] of the distance term at ``progress`` from 0 to 1."""
        return narrowing_radius(progress, self.initial_target_radius, self.anneal_fraction, final)

    def cost_at(self, iteration: int, cost: CostWeights) -> CostWeights:
        """Return the cost of an iteration, which has its own target radius."""
        # A run too short for the schedule still ends on the exact radius.
        if iteration == self.iterations - 1:
            return cost
        radius = self.target_radius(iteration / self.iterations, cost.target_radius)
        return replace(cost, target_radius=radius)

    def wakes_at(self, iteration: int) -> bool:
        """Return whether an iteration gives silent neurons and muscles new weights."""
        # This happens only while the target narrows, so that the new weights have time to learn.
        # With one batch for the whole stage it would change the function of the line search.
        narrowing = iteration / self.iterations < self.anneal_fraction
        return self.resample and narrowing and iteration % WAKE_EVERY == 0

    def sampling(self, settling: float, noise: float, control_period: float) -> Sampling:
        """Return how the stage's trials are drawn in a run with these settings."""
        return Sampling(
            settling=settling,
            first=self.first,
            second=self.second,
            noise=noise,
            noise_scale=self.noise_scale,
            quiet=self.quiet,
            quiet_second=self.quiet_second,
            quiet_noise_scale=self.quiet_noise_scale,
            thrown=self.thrown,
            control_period=control_period,
        )


AS_IT_IS: Range = (1.0, 1.0)
UP_TO_HALF_LONGER: Range = (1.0, 1.5)
# Eq. 6 is flat for far targets, where every optimiser stops at "do not move": all recipes but the
# paper's begin with a target of this radius.
WIDE = 0.3  # [m]
RECIPES: dict[str, tuple[Stage, ...]] = {
    # Its quiet trials (little noise, long holds) show a slow drift at the target.
    "default": (Stage("soap", 3000, learning_rate=0.006, initial_target_radius=WIDE, quiet=0.3),),
    # for circles, which spread under noise if they were trained with less of it
    "full-noise": (
        Stage(
            "soap", 3000, learning_rate=0.006, initial_target_radius=WIDE, second=UP_TO_HALF_LONGER,
            noise_scale=AS_IT_IS, quiet=0.1, quiet_second=UP_TO_HALF_LONGER,
            quiet_noise_scale=(0.0, 0.3),
        ),
    ),
    # a demonstration of three minutes
    "short": (
        Stage(
            "soap", 1200, learning_rate=0.008, initial_target_radius=WIDE, second=UP_TO_HALF_LONGER,
            noise_scale=AS_IT_IS,
        ),
    ),
    # The next two differ from the default in the optimiser, to compare with.
    "adam": (Stage("adam", 3000, learning_rate=0.01, initial_target_radius=WIDE),),
    "conjugate-gradient": (
        Stage("conjugate-gradient", 1000, 200, resample=False, initial_target_radius=WIDE),
    ),
    # the training as the paper describes it
    "paper": (
        Stage(
            "conjugate-gradient", 1000, 200, resample=False, first=AS_IT_IS, second=AS_IT_IS,
            noise_scale=AS_IT_IS,
        ),
    ),
}  # fmt: skip
