"""What determines a training run: its configuration, and the recipes of stages that it chooses
from.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from arm_env.arguments import choice
from arm_env.checked import Checked, OrMapping, fresh, group, within
from arm_env.dynamics.parameters import CostWeights
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import form, task_and_orbit
from rnn_controller.networks.equation_module import EquationConfig
from rnn_controller.networks.modules import ModuleConfig, network_config
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.training.movements import Range
from rnn_controller.training.optimizers import OPTIMIZERS, Adam

LARGEST_SEED = 2**63 - 1
MOST_ITERATIONS = 10**9
MOST_MOVEMENTS = 10**6


def narrowing_radius(progress: float, widest: float, narrowing: float, final: float) -> float:
    """d0 [m] at ``progress`` from 0 to 1: from widest to final, geometrically, over that share."""
    left = max(0.0, 1 - progress / narrowing)
    return final * (max(widest, final) / final) ** left


@dataclass(frozen=True)
class Stage(Checked):
    """A stretch of training with one optimiser."""

    optimizer: str = "adam"
    """soap, adam or conjugate-gradient."""
    iterations: int = within(1000, 1, MOST_ITERATIONS)
    """Steps of the optimiser."""
    movements: int = within(100, 1, MOST_MOVEMENTS)
    """Movements in a batch."""
    fresh: bool = True
    """Draw new movements for every iteration, instead of one batch for the whole stage."""
    rate: float = within(0.01, 0, 10, above=True)
    """Adam's learning rate at the start; it falls to zero along a cosine."""
    widest_target: float = within(0.04, 0, 100)
    """Radius d0 of the distance term at the start [m]; it narrows geometrically to the exact eq. 6.
    """
    narrowing: float = within(0.4, 0, 1e9, above=True)
    """Share of the iterations over which it does."""
    first: Range = within((0.5, 1.5), 0, 100, ascending=True)
    """How long the first command is held, as multiples of τ_c + T."""
    second: Range = within((1.0, 2.0), 0, 100, ascending=True)
    """How long the second is."""
    noise_scale: Range = within((0.5, 1.0), 0, 100, ascending=True)
    """How noisy a movement is, as a share of the run's noise."""
    quiet: float = within(0.0, 0, 1)
    """Share of the batch that is quiet: movements with little noise, most of them held long."""
    quiet_second: Range = within((2.0, 4.0), 0, 100, ascending=True)
    """How long the second command of a quiet movement is held, as multiples of τ_c + T."""
    quiet_noise_scale: Range = within((0.0, 0.1), 0, 100, ascending=True)
    """How noisy a quiet movement is, as a share of the run's noise."""
    thrown: float = within(0.0, 0, 1)
    """Share of the batch that starts anywhere and moving, the quiet movements first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("optimizer", self.optimizer, OPTIMIZERS)
        if self.fresh and not issubclass(OPTIMIZERS[self.optimizer], Adam):
            raise ValueError(
                f"{self.optimizer} compares points on one function: it needs fresh=False"
            )

    def target_radius(self, progress: float, final: float) -> float:
        """d0 [m] of the distance term at ``progress`` from 0 to 1."""
        return narrowing_radius(progress, self.widest_target, self.narrowing, final)


AS_IT_IS: Range = (1.0, 1.0)
UP_TO_HALF_LONGER: Range = (1.0, 1.5)
RECIPES: dict[str, tuple[Stage, ...]] = {
    "default": (Stage("soap", 3000, rate=0.006, widest_target=0.3, quiet=0.3),),
    "full-noise": (
        Stage(
            "soap", 3000, rate=0.006, widest_target=0.3, second=UP_TO_HALF_LONGER, noise_scale=AS_IT_IS,
            quiet=0.1, quiet_second=UP_TO_HALF_LONGER, quiet_noise_scale=(0.0, 0.3),
        ),
    ),
    "short": (
        Stage("soap", 1200, rate=0.008, widest_target=0.3, second=UP_TO_HALF_LONGER, noise_scale=AS_IT_IS),
    ),
    "adam": (Stage("adam", 3000, rate=0.01, widest_target=0.3),),
    "conjugate-gradient": (Stage("conjugate-gradient", 1000, 200, fresh=False, widest_target=0.3),),
    "paper": (
        Stage(
            "conjugate-gradient", 1000, 200, fresh=False, first=AS_IT_IS, second=AS_IT_IS, noise_scale=AS_IT_IS,
        ),
    ),
}  # fmt: skip


if TYPE_CHECKING:
    AnyOrbit = Any  # an orbit, its name, or a mapping of its fields
else:
    AnyOrbit = str | None  # on the command line

OF_ALL_STAGES = ("movements", "rate", "quiet", "quiet_second", "quiet_noise_scale", "thrown")
"""Settings of ``TrainConfig`` that replace those of every stage, unless they are None."""


@dataclass(frozen=True)
class TrainConfig(Checked):
    """Everything that determines a training run.

    ``network``, ``cost`` and ``perturbation`` may be given as mappings of the fields that differ
    from their defaults. ``network`` may also be the ``rnn_controller.EquationConfig`` of a network
    of your own. An orbit of your own is given as ``orbit`` of the task circle, or as ``task``.
    Begin with ``dataclasses.replace(DEFAULTS["circle"], orbit=...)``: the defaults here are those
    for reaching.
    """

    task: tyro.conf.Suppress[tyro.conf.Fixed[str]] = "reach"
    """What to train."""
    recipe: Literal["default", "full-noise", "short", "adam", "conjugate-gradient", "paper"] = (
        "default"
    )
    """default; full-noise; short (a demonstration); adam; conjugate-gradient (one batch); paper
    (untouched).
    """
    network: tyro.conf.AvoidSubcommands[OrMapping[NetworkConfig | ModuleConfig]] = fresh(
        NetworkConfig
    )
    """Size and constants of the network."""
    cost: OrMapping[CostWeights] = fresh(CostWeights)
    """Weights of eqs. 6 and 7."""
    settling: float = within(0.5, 0, 100)
    """τ_c [s]: each command is held for this and a period of the task, times what a stage draws."""
    noise: float = within(0.2, 0, 10)
    """Standard deviation of the process noise at a 5 ms step."""
    beta: float = within(3.0, 0, 1e6, infinite=True)
    """Risk sensitivity β of eq. 5': 0 is the mean, inf the maximum."""
    seed: int = within(0, 0, LARGEST_SEED)
    """Seed of the first weights and of all movements."""
    iterations: int | None = within(None, 1, MOST_ITERATIONS, whole=True)
    """Iterations in all, to stretch or shrink the recipe."""
    movements: int | None = within(None, 1, MOST_MOVEMENTS, whole=True)
    """Movements in a batch, instead of the recipe's."""
    rate: float | None = within(None, 0, 10, above=True)
    """Learning rate at the start, instead of the recipe's."""
    quiet: float | None = within(None, 0, 1)
    """Share of quiet movements in a batch, instead of the recipe's."""
    quiet_second: Range | None = within(None, 0, 100, ascending=True, shape=(2,))
    """How long the second command of a quiet movement is held, as multiples of τ_c + T, instead of
    the recipe's.
    """
    quiet_noise_scale: Range | None = within(None, 0, 100, ascending=True, shape=(2,))
    """How noisy a quiet movement is, as a share of the run's noise, instead of the recipe's."""
    thrown: float | None = within(None, 0, 1)
    """Share of a batch that starts anywhere and moving, instead of the recipe's."""
    perturbation: OrMapping[Perturbation] = fresh(Perturbation)
    """What the body is trained under, without a sensory delay."""
    orbit: Annotated[AnyOrbit, tyro.conf.arg(help_behavior_hint="(default: circles)")] = None
    """Orbit to run along: circle, ellipse, rounded-polygon, or module:Class of one of your own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        task, orbit = task_and_orbit(self.task, self.orbit)
        object.__setattr__(self, "task", task)
        object.__setattr__(self, "orbit", orbit)
        choice("recipe", self.recipe, RECIPES)
        object.__setattr__(self, "network", network_config(self.network))
        object.__setattr__(self, "cost", group("cost", self.cost, CostWeights, CostWeights()))
        perturbation = group("perturbation", self.perturbation, Perturbation, Perturbation())
        object.__setattr__(self, "perturbation", perturbation)
        if perturbation.delay:
            raise ValueError(
                f"training knows no sensory delay, so it must be 0, not {perturbation.delay}"
            )

    def form(self) -> dict[str, Any]:
        """What a checkpoint holds of the configuration."""
        values = asdict(self)
        if isinstance(self.network, EquationConfig):
            values["network"] = form("network", self.network)
        if self.orbit is None:
            del values["orbit"]
        else:
            values["orbit"] = form("orbit", self.orbit)
        return values

    def stages(self) -> tuple[Stage, ...]:
        """The recipe's stages, scaled to ``iterations`` and with what replaces their own."""
        given = {name: getattr(self, name) for name in OF_ALL_STAGES}
        changes: Mapping[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        stages = tuple(replace(stage, **changes) for stage in RECIPES[self.recipe])
        if self.iterations is None:
            return stages
        edges = np.cumsum([0] + [stage.iterations for stage in stages])
        scaled = np.diff(np.round(edges * self.iterations / edges[-1]).astype(int)).tolist()
        return tuple(
            replace(stage, iterations=n) for stage, n in zip(stages, scaled, strict=True) if n
        )


DEFAULTS: dict[str, TrainConfig] = {
    name: TrainConfig(task=name, cost=task.weights, **task.training) for name, task in TASKS.items()
}
"""What each task is trained with."""
