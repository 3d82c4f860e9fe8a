"""The training loop: stages of an optimiser on movements, checkpoints, and what can go wrong.

All randomness of iteration i of stage j comes from the seed sequence (seed, j, i), so a resumed run
needs no generator's state and ends exactly where an uninterrupted one does.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from arm_env.equations import hand
from arm_env.evaluation import SETTLED
from arm_env.orbits import Circle
from arm_env.parameters import Arm, CostWeights
from arm_env.perturbations import Perturbation
from arm_env.plant import MUSCLE_COUNT
from arm_env.simulation import substeps_of
from rnn_controller import pontryagin
from rnn_controller.checkpoint import TASKS, Checkpoint, CheckpointError, load_checkpoint
from rnn_controller.coordinates import Coordinates
from rnn_controller.modules import FlatWeights, ModuleConfig, Network, build, network_config
from rnn_controller.movements import Movements, Range, sample
from rnn_controller.network import NetworkConfig, RecurrentController
from rnn_controller.objective import risk_sensitive, values
from rnn_controller.optimizers import OPTIMIZERS, Adam
from rnn_controller.plant import TORCH, rollout, tensors

WIDEST_NEURAL_STATE = 1e4  # a rate beyond this is an exploding state
PATIENCE = 5  # failures in a row before a run gives up
SAVE_EVERY = 30.0  # [s]
WAKE_EVERY = 100  # iterations between two looks for neurons that have fallen silent
COUNTERS = ("stage", "iteration", "done", "failures", "stalls", "steps")  # of a position; the rest are tensors


class TrainingError(RuntimeError):
    """Training can't go on; the message says why, and the last sound checkpoint is kept."""


def narrowing_radius(progress: float, widest: float, narrowing: float, final: float) -> float:
    """d0 [m] at ``progress`` from 0 to 1: from widest to final, geometrically, over that share."""
    left = max(0.0, 1 - progress / narrowing)
    return final * (max(widest, final) / final) ** left


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one optimiser."""

    optimizer: str = "adam"
    """soap, adam, lbfgs or conjugate-gradient."""
    iterations: int = 1000
    """Steps of the optimiser."""
    movements: int = 100
    """Movements in a batch."""
    fresh: bool = True
    """Draw new movements for every iteration, instead of one batch for the whole stage."""
    rate: float = 0.01
    """Adam's learning rate at the start; it falls to zero along a cosine."""
    widest_target: float = 0.04
    """Radius d0 of the distance term at the start [m]; it narrows geometrically to the exact eq. 6."""
    narrowing: float = 0.4
    """Share of the iterations over which it does."""
    first: Range = (0.5, 1.5)
    """How long the first command is held, as multiples of τ_c + T."""
    second: Range = (1.0, 2.0)
    """How long the second is."""
    loudness: Range = (0.5, 1.0)
    """How noisy a movement is, as a share of the run's noise."""

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {self.optimizer!r}: choose one of {', '.join(OPTIMIZERS)}")
        if self.iterations < 1 or self.movements < 1:
            raise ValueError("a stage needs at least one iteration and one movement")
        if not self.narrowing > 0:
            raise ValueError(f"narrowing is a share of the iterations above 0, not {self.narrowing}")
        if self.fresh and self.optimizer not in ("adam", "soap"):
            raise ValueError(f"{self.optimizer} compares points on one function: it needs fresh=False")

    def target_radius(self, progress: float, final: float) -> float:
        """d0 [m] of the distance term at ``progress`` from 0 to 1."""
        return narrowing_radius(progress, self.widest_target, self.narrowing, final)


AS_IT_IS: Range = (1.0, 1.0)
RECIPES: dict[str, tuple[Stage, ...]] = {
    "default": (Stage("soap", 3000, rate=0.006, widest_target=0.3),),
    "full-noise": (Stage("soap", 3000, rate=0.006, widest_target=0.3, second=(1.0, 1.5), loudness=AS_IT_IS),),
    "short": (Stage("soap", 1200, rate=0.008, widest_target=0.3, second=(1.0, 1.5), loudness=AS_IT_IS),),
    "adam": (Stage("adam", 3000, rate=0.01, widest_target=0.3),),
    "lbfgs": (Stage("lbfgs", 1000, 400, fresh=False, widest_target=0.3),),
    "conjugate-gradient": (Stage("conjugate-gradient", 1000, 200, fresh=False, widest_target=0.3),),
    "paper": (Stage("conjugate-gradient", 1000, 200, fresh=False, first=AS_IT_IS, second=AS_IT_IS, loudness=AS_IT_IS),),
}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that determines a training run."""

    task: tyro.conf.Suppress[tyro.conf.Fixed[Literal["reach", "circle"]]] = "reach"
    """What to train."""
    recipe: Literal["default", "full-noise", "short", "adam", "lbfgs", "conjugate-gradient", "paper"] = "default"
    """default; full-noise; short (a demonstration); adam; lbfgs, conjugate-gradient (one batch); paper (untouched)."""
    network: tyro.conf.AvoidSubcommands[NetworkConfig | ModuleConfig] = field(default_factory=NetworkConfig)
    """Size and constants of the network."""
    cost: CostWeights = field(default_factory=CostWeights)
    """Weights of eqs. 6 and 7."""
    settling: float = 0.5
    """τ_c [s]: each command is held for this and a period of the task, times what a stage draws."""
    noise: float = 0.2
    """Standard deviation of the process noise at a 5 ms step."""
    beta: float = 3.0
    """Risk sensitivity β of eq. 5': 0 is the mean, inf the maximum."""
    seed: int = 0
    """Seed of the first weights and of all movements."""
    iterations: int | None = None
    """Iterations in all, to stretch or shrink the recipe."""
    movements: int | None = None
    """Movements in a batch, instead of the recipe's."""
    rate: float | None = None
    """Learning rate at the start, instead of the recipe's."""
    perturbation: Perturbation = field(default_factory=Perturbation)
    """What the body is trained under, without a sensory delay."""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"unknown task {self.task!r}: choose one of {', '.join(TASKS)}")
        if self.recipe not in RECIPES:
            raise ValueError(f"unknown recipe {self.recipe!r}: choose one of {', '.join(RECIPES)}")
        if self.rate is not None and not self.rate > 0:
            raise ValueError(f"a learning rate is above 0, not {self.rate}")
        if not self.beta >= 0 or not self.settling >= 0 or not self.noise >= 0:
            raise ValueError("beta, settling and noise must not be negative")
        if self.perturbation.delay:
            raise ValueError(f"training knows no sensory delay, so it must be 0, not {self.perturbation.delay}")
        for name, value in (("iterations", self.iterations), ("movements", self.movements)):
            if value is not None and value < 1:
                raise ValueError(f"{name} start at 1, not at {value}")

    def stages(self) -> tuple[Stage, ...]:
        """The recipe's stages, scaled to ``iterations`` and with ``movements`` and ``rate``."""
        given = {"movements": self.movements, "rate": self.rate}
        changes = {name: value for name, value in given.items() if value is not None}
        stages = tuple(replace(stage, **changes) for stage in RECIPES[self.recipe])  # type: ignore[arg-type]
        if self.iterations is None:
            return stages
        edges = np.cumsum([0] + [stage.iterations for stage in stages])
        scaled = np.diff(np.round(edges * self.iterations / edges[-1]).astype(int)).tolist()
        return tuple(replace(stage, iterations=n) for stage, n in zip(stages, scaled, strict=True) if n)


DEFAULTS = {
    "reach": TrainConfig(),
    # Circles cost several times as much as reaches: a smaller β weighs their differences alike. They move on, so no
    # tremor hides in the noise, and training with all of it makes them more accurate under it.
    "circle": TrainConfig(
        task="circle", recipe="full-noise", network=NetworkConfig(neurons=36), cost=Circle.weights, beta=0.5
    ),
}
"""What each task is trained with."""


@dataclass(frozen=True)
class Position:
    """Where a run stands; replaced whole, so that no interruption finds half an iteration."""

    vector: Tensor  # what is optimised
    sound: Tensor  # the last one whose objective was found finite
    stage: int = 0
    iteration: int = 0  # of the stage
    done: int = 0  # iterations in all
    failures: int = 0  # in a row
    stalls: int = 0  # line searches in a row that found nothing
    steps: int = 0  # of the environment, simulated in all
    optimizer: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """One run: its network, its position, and where it is saved."""

    def __init__(self, config: TrainConfig, output: Path | str, log: Callable[[str, float, int], None] | None = None):
        self.config, self.path = config, Path(output) / "checkpoint.safetensors"
        self.arm, self.task = config.perturbation.applied_to(Arm()), TASKS[config.task]
        self.stages = config.stages()
        self.network = self._fresh_network(config.seed)
        self.coordinates: Coordinates | FlatWeights = FlatWeights(self.network)
        if isinstance(self.network, RecurrentController):
            self.coordinates = Coordinates.of(self.network, self.task, self.arm)
        vector = self.coordinates.vector()
        self.position = Position(vector, vector)
        self.history: list[tuple[float, float]] = []  # objective and target radius of every iteration
        self.seconds = 0.0
        self.log = log or (lambda name, value, step: None)
        self._silent = self._exploded = False
        self._batch: Movements | None = None
        self._arrived, self._simulated = 0.0, 0

    @property
    def vector(self) -> Tensor:
        """What is optimised, as it stands."""
        return self.position.vector

    # Running.

    def run(self, progress: bool = True) -> Checkpoint:
        """Train to the end of the recipe. Ctrl-C leaves a checkpoint that ``resume`` goes on from."""
        total = sum(stage.iterations for stage in self.stages)
        started = saved = time.monotonic()
        before = self.seconds
        title = f"train {self.config.task}"
        with tqdm(total=total, initial=self.position.done, unit="it", disable=not progress, desc=title) as bar:
            try:
                while self.position.stage < len(self.stages):
                    self._iterate(self.stages[self.position.stage])
                    self.seconds = before + time.monotonic() - started
                    value, radius = self.history[-1]
                    bar.update()
                    bar.set_postfix_str(f"A {value:.3f}, d0 {100 * radius:.1f} cm, on target {self._arrived:.0%}")
                    if time.monotonic() - saved > SAVE_EVERY:
                        self.save()
                        saved = time.monotonic()
            finally:
                self.save()
        return self.checkpoint()

    def _iterate(self, stage: Stage) -> None:
        """One step of the optimiser, or a repair."""
        at = self.position
        progress = at.iteration / stage.iterations
        exact = self.config.cost.target_radius
        last = at.iteration == stage.iterations - 1  # a run too short for the schedule still ends on it
        radius = exact if last else stage.target_radius(progress, exact)
        cost = replace(self.config.cost, target_radius=radius)
        optimizer = OPTIMIZERS[stage.optimizer]()
        optimizer.state = at.optimizer
        if not stage.fresh and optimizer.state and self.history[at.done - 1][1] != cost.target_radius:
            optimizer.state = self._revalued(stage, cost)
        if isinstance(optimizer, Adam):
            optimizer.rate = stage.rate * 0.5 * (1 + math.cos(math.pi * progress)) * 0.5**at.failures
        movements = self._movements(stage)
        self._exploded, self._simulated = False, 0
        vector, value = optimizer.step(lambda w: self.evaluate(w, movements, cost), at.vector)
        problem = self._problem(value, vector)
        if problem:
            new = self._repaired(problem)
        else:
            ahead = not torch.equal(at.vector, at.sound)  # further than where the last failure sent it back to
            stalled = not stage.fresh and radius == exact and torch.equal(vector, at.vector)
            new = replace(
                at,
                vector=vector,
                optimizer=optimizer.state,
                sound=at.vector if ahead else at.sound,
                failures=0 if ahead else at.failures,
                stalls=at.stalls + 1 if stalled else 0,
            )
            rectified = getattr(self.config.network, "activation", None) == "relu"
            if rectified and stage.fresh and progress < stage.narrowing and at.iteration % WAKE_EVERY == 0:
                new = replace(new, vector=self._with_silent_neurons_woken(vector, movements))
        steps = at.steps + self._simulated
        new = replace(new, iteration=at.iteration + 1, done=at.done + 1, steps=steps)
        if new.stalls == PATIENCE:
            tqdm.write(f"iteration {at.done}: the line search finds no descent any more; {stage.optimizer} ends here")
        if new.iteration == stage.iterations or new.stalls == PATIENCE:
            new = replace(new, stage=at.stage + 1, iteration=0, stalls=0, optimizer={})
            self._batch = None
        self.history[at.done :] = [(value, cost.target_radius)]
        self.position = new
        self.log("objective", value, at.done)
        self.log("target_radius_m", cost.target_radius, at.done)

    def _fresh_network(self, seed: int) -> Network:
        return build(self.config.network, self.task, self.arm, torch.Generator().manual_seed(seed))

    def _movements(self, stage: Stage) -> Movements:
        if not stage.fresh and self._batch is not None:
            return self._batch
        index = self.position.iteration if stage.fresh else 0
        rng = np.random.default_rng([self.config.seed, self.position.stage, index])
        self._batch = sample(
            rng,
            stage.movements,
            self.config.network.neurons,
            task=self.task,
            arm=self.arm,
            settling=self.config.settling,
            first=stage.first,
            second=stage.second,
            loudness=stage.loudness,
            noise=self.config.noise,
            control_period=self.config.network.control_period,
        )
        return self._batch

    def evaluate(self, vector: Tensor, movements: Movements, cost: CostWeights) -> tuple[float, Tensor]:
        """The objective of eq. 5' and its gradient in ``coordinates``."""
        self.coordinates.assign(vector)
        self.network.zero_grad(set_to_none=True)
        x, u, y = self._rollout(movements)
        period = self.config.network.control_period
        v = values(self.task, self.arm, cost, x, u, movements.commands, period, movements.lengths)
        objective = risk_sensitive(v, self.config.beta)
        objective.backward()
        self._silent = not bool((u > 0).any())
        exploded = not bool(y.abs().max() < WIDEST_NEURAL_STATE)
        self._exploded |= exploded
        self._arrived = self._share_on_target(x.detach(), movements)
        return (math.inf if exploded else objective.item()), self.coordinates.gradient(vector)

    def _rollout(self, m: Movements) -> tuple[Tensor, Tensor, Tensor]:
        """States, excitations, and what must not explode."""
        self._simulated += int(m.lengths.sum())
        period = self.config.network.control_period
        if isinstance(self.network, RecurrentController):
            return pontryagin.rollout(
                self.network, self.arm, m.x0, m.y0, m.commands, m.noise, substeps_of(period), m.lengths
            )
        x, u = rollout(self.network, self.arm, m.x0, m.commands, m.noise, period, substeps_of(period))
        return x, u, u.detach()

    def _share_on_target(self, x: Tensor, movements: Movements) -> float:
        """Share of movements whose mean distance over their last 0.2 s is within the task's tolerance."""
        span = round(SETTLED / self.config.network.control_period)
        end = (movements.lengths[:, None] - torch.arange(span)).clamp_min(1)  # (B, span)
        row = torch.arange(len(end))[:, None]
        px, py, _, _ = hand(TORCH, tensors(self.arm), x[row, end])
        squared = self.task.error(TORCH, movements.commands[row, end - 1], px, py)[0]
        return float((squared.sqrt().mean(-1) < self.task.tolerance).double().mean())

    def _revalued(self, stage: Stage, cost: CostWeights) -> dict[str, Tensor]:
        """A line-search method's state for an objective whose target has narrowed."""
        value, gradient = self.evaluate(self.position.vector, self._movements(stage), cost)
        return {**self.position.optimizer, "value": torch.tensor(value, dtype=torch.float64), "gradient": gradient}

    # What can go wrong.

    def _problem(self, value: float, vector: Tensor) -> str | None:
        if self._exploded and not math.isfinite(value):
            return f"the neural state exceeds {WIDEST_NEURAL_STATE:g}"
        if not math.isfinite(value) or not bool(torch.isfinite(vector).all()):
            return "the objective or its gradient is not finite"
        if self._silent:
            return "the network is dead: no muscle is excited in any movement"
        return None

    def _repaired(self, problem: str) -> Position:
        """Back at the last sound weights; a dead network is woken, the rest slowed down."""
        at = self.position
        failures = at.failures + 1
        if not problem.startswith("the network is dead") or not isinstance(self.network, RecurrentController):
            vector = sound = at.sound
            remedy = "went back a step and halved the rate"
        else:
            vector = sound = self._revived(failures)
            remedy = "drew its motor weights and reflexes anew"
        if failures > PATIENCE:
            self.position = replace(at, vector=at.sound, optimizer={})
            raise TrainingError(f"{problem}, {failures} times in a row; the last sound weights: {self.path}")
        tqdm.write(f"iteration {at.done}: {problem}; {remedy}")
        return replace(at, vector=vector, sound=sound, failures=failures, optimizer={})

    def _revived(self, failures: int) -> Tensor:
        network, fresh = self.network, self._fresh_network(self.config.seed + failures)
        assert isinstance(network, RecurrentController)
        self.coordinates.assign(self.position.vector)
        with torch.no_grad():
            for name in ("motor", "reflex", "motor_bias"):
                getattr(network, name).copy_(getattr(fresh, name))
            if not network.config.bias:
                network.reflex[:, :MUSCLE_COUNT] += 0.1 / MUSCLE_COUNT  # lengths are about 1
        return self.coordinates.vector()

    def _with_silent_neurons_woken(self, vector: Tensor, movements: Movements) -> Tensor:
        """Neurons that never fire get new inputs, and outputs of zero: nothing changes, but they can learn again."""
        network, fresh = self.network, self._fresh_network(self.config.seed + 1 + self.position.done)
        assert isinstance(network, RecurrentController)
        self.coordinates.assign(vector)
        with torch.no_grad():
            y = self._rollout(movements)[2]
            silent = ~(y[:, 1:] > network.leak * y[:, :-1]).any(0).any(0)
            for name in ("recurrent", "sensory", "command", "neural_bias"):
                getattr(network, name)[silent] = getattr(fresh, name)[silent]
            network.recurrent[:, silent] = 0.0
            network.motor[:, silent] = 0.0
        return self.coordinates.vector()

    # Checkpoints.

    def checkpoint(self) -> Checkpoint:
        """The run as it stands after its last whole iteration."""
        at = self.position
        self.coordinates.assign(at.vector)
        tensors = {f"optimizer.{name}": value for name, value in at.optimizer.items()}
        tensors["vector"], tensors["sound"] = at.vector, at.sound
        tensors["history"] = torch.tensor(self.history[: at.done], dtype=torch.float64).reshape(-1, 2)
        training = {
            "config": asdict(self.config),
            "stages": [asdict(stage) for stage in self.stages],
            "position": {name: getattr(at, name) for name in COUNTERS},
            "seconds": self.seconds,
        }
        return Checkpoint(self.network, self.config.task, Arm(), self.config.cost, self.config.noise, training, tensors)

    def save(self) -> Path:
        """Write the run's checkpoint."""
        return self.checkpoint().save(self.path)

    @classmethod
    def resume(cls, output: Path | str, log: Callable[[str, float, int], None] | None = None) -> "Trainer":
        """Go on from the checkpoint in a run's folder."""
        checkpoint = load_checkpoint(Path(output) / "checkpoint.safetensors")  # never a shipped one
        training, prefix = checkpoint.training, "optimizer."
        try:
            stored = dict(training["config"])
            stored["network"], stored["cost"] = network_config(stored["network"]), CostWeights(**stored["cost"])
            stored["perturbation"] = Perturbation(**stored.get("perturbation", {}))  # older runs had none
            trainer = cls(TrainConfig(**stored), output, log)
            trainer.seconds = training["seconds"]
            trainer.history = [(v, r) for v, r in checkpoint.tensors["history"].tolist()]
            kept = {name.removeprefix(prefix): v for name, v in checkpoint.tensors.items() if name.startswith(prefix)}
            counters = {name: training["position"][name] for name in COUNTERS}
            vector, sound = checkpoint.tensors["vector"], checkpoint.tensors["sound"]
            trainer.position = Position(vector, sound, optimizer=kept, **counters)
            stages = training["stages"]
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{output} holds no training run to resume: {error!r} is missing") from error
        if json.loads(json.dumps([asdict(stage) for stage in trainer.stages])) != stages:
            raise CheckpointError(
                f"the recipe {trainer.config.recipe!r} is no longer what {output} was begun with; begin anew elsewhere"
            )
        return trainer


def train(
    config: TrainConfig, output: Path | str, *, resume: bool = False, progress: bool = True, tensorboard: bool = False
) -> Checkpoint:
    """Train a controller and keep its checkpoint in ``output``; with ``resume``, go on from the one there.

    Raises FileExistsError rather than overwrite a run, and ValueError if ``resume`` finds another configuration.
    """
    output = Path(output)
    if resume:
        trainer = Trainer.resume(output)
        if trainer.config != config:
            raise ValueError(f"{output} was begun with another configuration: {_difference(trainer.config, config)}")
    else:
        trainer = Trainer(config, output)
        if trainer.path.exists():
            raise FileExistsError(f"{trainer.path} exists: go on with --resume, or choose another --output")
        output.mkdir(parents=True, exist_ok=True)  # before an hour's work, not after
    if not tensorboard:
        return trainer.run(progress)
    with _tensorboard(output) as writer:
        trainer.log = writer.add_scalar
        return trainer.run(progress)


def _difference(stored: TrainConfig, given: TrainConfig) -> str:
    pairs = [(f.name, getattr(stored, f.name), getattr(given, f.name)) for f in dataclasses.fields(stored)]
    return "; ".join(f"{name} {was} there, {now} here" for name, was, now in pairs if was != now)


def _tensorboard(output: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("logging to TensorBoard needs it: pip install 'rnn-motor-control[tensorboard]'") from error
    return SummaryWriter(output / "tensorboard")
