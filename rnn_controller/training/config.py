"""The configuration of a training run, which determines its result."""

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
from arm_env.envs.specifications import plain
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
"""Fields of ``TrainConfig`` that replace those of every stage, unless they are None."""


@dataclass(frozen=True)
class TrainConfig(Checked):
    """All settings of a training run; equal settings give equal weights.

    The defaults are those for reaching. For another task, begin with
    ``dataclasses.replace(DEFAULTS["circle"], seed=1)``, or whatever shall differ. ``network``,
    ``cost`` and ``perturbation`` may be given as mappings of the fields that differ from their
    defaults. ``network`` may also be the ``rnn_controller.EquationConfig`` of your own network.
    Your own orbit is given as ``orbit`` of the task circle, or as ``task``. Settings of the recipe
    that are None here stay as the recipe has them. Raises ValueError for a value out of its range.

    Attributes:
        task: Name of the task to train for: reach, circle, follow, or one that you have registered.
        recipe: Stages of training. default: SOAP with 3000 iterations; full-noise: the same for
            circles, with full noise; short: a demonstration of about three minutes; adam: the
            default with another optimiser; conjugate-gradient: one batch for the whole training;
            paper: as the paper describes it.
        network: Size and constants of the network.
        cost: Weights of the cost, which the paper's eqs. 6 and 7 define.
        settling: Time τ_c [s] to converge to a new attractor. Each command is held for about τ_c
            plus T, which is 0.5 s for points and one period for cycles.
        noise: Standard deviation of the process noise at a step of 5 ms. The noise is
            multiplicative.
        beta: Risk sensitivity β of the objective, eq. 5': 0 is the mean over the trials, inf the
            maximum.
        seed: Seed of the initial weights and of all trials. The same seed gives the same weights.
        iterations: Number of iterations. All stages of the recipe are scaled to it in proportion.
        batch_size: Number of trials in a batch.
        learning_rate: Learning rate at the start; it falls to zero along a cosine.
        quiet: Share of quiet trials in a batch. These have less noise, and most of them last
            longer.
        quiet_second: Range of the time that the second command of a quiet trial is held, in
            multiples of τ_c + T.
        quiet_noise_scale: Range of the noise of a quiet trial, as a share of the run's noise.
        thrown: Share of trials in a batch that start from a random posture with a random velocity.
        perturbation: Changes of the arm during training. The delay must be 0, and there is neither
            a push nor a channel.
        orbit: Shape of the path for the task circle: circle, ellipse, rounded-polygon, or
            module:Class of your own shape.
    """

    earlier_names = MappingProxyType({"movements": "batch_size", "rate": "learning_rate"})

    task: str = "reach"
    recipe: Literal["default", "full-noise", "short", "adam", "conjugate-gradient", "paper"] = (
        "default"
    )
    network: OrMapping[NetworkConfig | ModuleConfig] = fresh(NetworkConfig)
    cost: OrMapping[CostWeights] = fresh(CostWeights)
    settling: float = within(0.5, 0, 100)
    noise: float = within(0.2, 0, 10)
    beta: float = within(3.0, 0, 1e6, infinite=True)
    seed: int = within(0, 0, LARGEST_SEED)
    iterations: int | None = within(None, 1, MOST_ITERATIONS, whole=True)
    batch_size: int | None = within(None, 1, LARGEST_BATCH, whole=True)
    learning_rate: float | None = within(None, 0, 10, above=True)
    quiet: float | None = within(None, 0, 1)
    quiet_second: Range | None = within(None, 0, 100, ascending=True, shape=(2,))
    quiet_noise_scale: Range | None = within(None, 0, 100, ascending=True, shape=(2,))
    thrown: float | None = within(None, 0, 1)
    perturbation: OrMapping[Perturbation] = fresh(Perturbation)
    orbit: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        # A frozen dataclass sets its own fields this way.
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
                f"training has no sensory delay, so it must be 0, not {perturbation.delay}"
            )
        if perturbation.touches:
            raise ValueError("training has neither a push nor a channel: leave both out")

    def form(self) -> dict[str, Any]:
        """Return the configuration as a checkpoint holds it."""
        # asdict would lose the class of a network or an orbit of the user's own.
        values = {**asdict(self), "perturbation": plain(self.perturbation)}
        if isinstance(self.network, EquationConfig):
            values["network"] = form("network", self.network)
        if self.orbit is None:
            del values["orbit"]
        else:
            values["orbit"] = form("orbit", self.orbit)
        return values

    def stages(self) -> tuple[Stage, ...]:
        """Return the recipe's stages, with ``iterations`` and the settings that are not None."""
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
    """The default configuration of each registered task, by its name."""

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


def stored_perturbation(values: Any) -> Perturbation:
    """Return the perturbation that a checkpoint holds; earlier versions knew fewer fields."""
    return stored(Perturbation, "perturbation", values, later=("field", "push", "channel"))


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
        given["perturbation"] = stored_perturbation(given["perturbation"])
    return TrainConfig(**given)
