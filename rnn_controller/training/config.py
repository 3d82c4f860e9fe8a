"""The configuration of a training run: all that determines it."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from arm_env.arguments import choice
from arm_env.checked import Checked, OrMapping, fresh, group, with_present_names, within
from arm_env.dynamics.parameters import CostWeights
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import (
    exactly,
    form,
    mapping,
    stored,
    stored_network,
    stored_orbit,
    task_and_orbit,
)
from rnn_controller.networks.equation_module import EquationConfig
from rnn_controller.networks.modules import ModuleConfig, network_config
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.training.recipes import LARGEST_BATCH, MOST_ITERATIONS, RECIPES, Stage
from rnn_controller.training.trials import Range

LARGEST_SEED = 2**63 - 1
OF_ALL_STAGES = (
    *("batch_size", "learning_rate"),
    *("quiet", "quiet_second", "quiet_noise_scale", "thrown"),
)
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

    earlier_names = MappingProxyType({"movements": "batch_size", "rate": "learning_rate"})

    task: str = "reach"
    """What to train: the name of a registered task."""
    recipe: Literal["default", "full-noise", "short", "adam", "conjugate-gradient", "paper"] = (
        "default"
    )
    """default; full-noise; short (a demonstration); adam; conjugate-gradient (one batch); paper
    (untouched).
    """
    network: OrMapping[NetworkConfig | ModuleConfig] = fresh(NetworkConfig)
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
    """Seed of the first weights and of all trials."""
    iterations: int | None = within(None, 1, MOST_ITERATIONS, whole=True)
    """Iterations in all, to stretch or shrink the recipe."""
    batch_size: int | None = within(None, 1, LARGEST_BATCH, whole=True)
    """Trials in a batch, instead of the recipe's."""
    learning_rate: float | None = within(None, 0, 10, above=True)
    """Learning rate at the start, instead of the recipe's."""
    quiet: float | None = within(None, 0, 1)
    """Share of quiet trials in a batch, instead of the recipe's."""
    quiet_second: Range | None = within(None, 0, 100, ascending=True, shape=(2,))
    """How long the second command of a quiet trial is held, as multiples of τ_c + T, instead of
    the recipe's.
    """
    quiet_noise_scale: Range | None = within(None, 0, 100, ascending=True, shape=(2,))
    """How noisy a quiet trial is, as a share of the run's noise, instead of the recipe's."""
    thrown: float | None = within(None, 0, 1)
    """Share of a batch that starts anywhere and moving, instead of the recipe's."""
    perturbation: OrMapping[Perturbation] = fresh(Perturbation)
    """What the body is trained under, without a sensory delay."""
    orbit: Any = None  # an orbit, its name, or a mapping of its fields
    """Orbit to run along: circle, ellipse, rounded-polygon, or module:Class of one of your own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # The dataclass is frozen; this is how it makes what was given plain.
        task, orbit = task_and_orbit(self.task, self.orbit)
        object.__setattr__(self, "task", task)
        object.__setattr__(self, "orbit", orbit)
        choice("recipe", self.recipe, RECIPES)
        object.__setattr__(self, "network", network_config(self.network))
        object.__setattr__(self, "cost", group("cost", self.cost, CostWeights, CostWeights()))
        perturbation = group("perturbation", self.perturbation, Perturbation, Perturbation())
        object.__setattr__(self, "perturbation", perturbation)
        # The compiled closed loop and its adjoint see the present signals only.
        if perturbation.delay:
            raise ValueError(
                f"training knows no sensory delay, so it must be 0, not {perturbation.delay}"
            )

    def form(self) -> dict[str, Any]:
        """Return the configuration as a checkpoint holds it."""
        # asdict would lose the class of a network or an orbit of the user's own.
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
        # The edges between stages are rounded, not their lengths, so that these sum to the whole.
        edges = np.cumsum([0] + [stage.iterations for stage in stages])
        scaled = np.diff(np.round(edges * self.iterations / edges[-1]).astype(int)).tolist()
        return tuple(
            replace(stage, iterations=n) for stage, n in zip(stages, scaled, strict=True) if n
        )


class _Defaults(Mapping[str, TrainConfig]):
    """A configuration for each task that is registered now, also those of one's own."""

    def __getitem__(self, name: str) -> TrainConfig:
        task = TASKS[name]
        return TrainConfig(task=name, cost=task.weights, **task.training)

    def __iter__(self) -> Iterator[str]:
        return iter(TASKS)

    def __len__(self) -> int:
        return len(TASKS)


DEFAULTS = _Defaults()
"""The default configuration of each task's training."""

LATER = ("perturbation", "quiet", "quiet_second", "quiet_noise_scale", "thrown", "orbit")
"""Fields that the runs of earlier versions did not have."""


def stored_config(values: Any) -> TrainConfig:
    """Return the configuration of a run that a checkpoint holds."""
    given = with_present_names(TrainConfig, mapping("config", values))
    known = {f.name for f in dataclasses.fields(TrainConfig)}
    exactly("config", given, known - (set(LATER) - set(given)))
    given["network"] = stored_network(given["network"])
    given["cost"] = stored(CostWeights, "cost", given["cost"])
    if "orbit" in given:
        given["orbit"] = stored_orbit(given["orbit"])
    if "perturbation" in given:
        given["perturbation"] = stored(Perturbation, "perturbation", given["perturbation"])
    return TrainConfig(**given)
