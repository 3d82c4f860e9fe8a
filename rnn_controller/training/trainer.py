"""The training loop: stages of an optimiser on movements, checkpoints, and what can go wrong.

All randomness of iteration i of stage j comes from the seed sequence (seed, j, i), so a resumed run
needs no generator's state and ends exactly where an uninterrupted one does.
"""

import copy
import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from arm_env.arguments import count, flag, number
from arm_env.checked import group
from arm_env.dynamics.equations import hand
from arm_env.dynamics.layout import MUSCLE_COUNT
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.perturbations import Perturbation
from arm_env.envs.simulation import substeps_of
from arm_env.tasks.measures import SETTLED
from rnn_controller.checkpoint import (
    Checkpoint,
    CheckpointError,
    exactly,
    load_checkpoint,
    mapping,
    stored,
    stored_network,
    stored_orbit,
    task_of,
)
from rnn_controller.networks.coordinates import Coordinates
from rnn_controller.networks.equation_module import EquationModule
from rnn_controller.networks.modules import FlatWeights, build
from rnn_controller.networks.plain_torch import plain_torch
from rnn_controller.networks.recurrent import RecurrentController
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.parallel import threads_for_kernels
from rnn_controller.rollouts.plant import TORCH, tensors
from rnn_controller.training.movements import Movements, sample
from rnn_controller.training.objective import of_parts, risk_sensitive, values
from rnn_controller.training.optimizers import OPTIMIZERS, Adam, Soap
from rnn_controller.training.position import PATIENCE, History, Position, restored
from rnn_controller.training.recipes import (
    AS_IT_IS,
    DEFAULTS,
    RECIPES,
    Stage,
    TrainConfig,
    narrowing_radius,
)
from rnn_controller.training.run_folder import CHECKPOINT, TrainingError, claimed
from rnn_controller.watching import progress_bar, remark

__all__ = [
    "AS_IT_IS",
    "DEFAULTS",
    "PATIENCE",
    "RECIPES",
    "Position",
    "Stage",
    "TrainConfig",
    "Trainer",
    "TrainingError",
    "narrowing_radius",
    "train",
]

WIDEST_NEURAL_STATE = 1e4  # a rate beyond this is an exploding state
SAVE_EVERY = 30.0  # [s]
TOGETHER = 512  # movements whose trajectories are in memory at once: some 150 kB each
# weights whose second moment SOAP holds as one matrix: it costs their number cubed
MOST_TOGETHER = 1000
WAKE_EVERY = 100  # iterations between two looks for neurons and muscles that have fallen silent

Log = Callable[[str, float, int], None]


def no_log(name: str, value: float, step: int) -> None:
    """Log nothing."""


@contextmanager
def training_conditions() -> Iterator[None]:
    """What a run computes under, so that it computes the same everywhere; as a context or a
    decorator.
    """
    with plain_torch(), threads_for_kernels():
        yield


class Trainer:
    """One run: its network, its position, and where it is saved.

    A copy, also by pickle in another process, goes the same way as the original; it logs nothing
    until its ``log`` is set.
    """

    @training_conditions()
    def __init__(self, config: TrainConfig, output: Path | str, log: Log | None = None):
        self.config = config = group("config", config, TrainConfig, TrainConfig())
        self.path = Path(output) / CHECKPOINT
        self.arm = config.perturbation.applied_to(Arm())
        self.task = task_of(config.task, config.orbit)
        self.stages = config.stages()
        self.network = self._fresh_network(config.seed)
        self.coordinates: Coordinates | FlatWeights = FlatWeights(self.network)
        if isinstance(self.network, RecurrentController):
            self.coordinates = Coordinates.of(self.network, self.task, self.arm)
        for name, parameter in self.network.named_parameters():
            if parameter.dtype != torch.float64:
                raise ValueError(
                    f"all weights must be float64 to be trained, but {name} is {parameter.dtype}"
                )
        vector = self.coordinates.vector()
        self._blocks = self._blocks_of_weights(len(vector))
        self.position = Position(vector, vector)
        self.history: History = []
        # iterations done, and those in all until then, at each extension
        self.extended: list[list[int]] = []
        self.seconds = 0.0
        self.log = log or no_log
        self._silent = self._exploded = False
        self._batch: Movements | None = None
        self._arrived, self._simulated = 0.0, 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "log": no_log}

    @plain_torch()
    def __setstate__(self, state: dict[str, Any]) -> None:
        # no memory is shared with the process that sent it
        self.__dict__.update(copy.deepcopy(state))

    @property
    def vector(self) -> Tensor:
        """What is optimised, as it stands."""
        return self.position.vector

    # Running.

    def run(self, progress: bool = True) -> Checkpoint:
        """Train to the end of the recipe. Ctrl-C leaves a checkpoint that ``resume`` goes on from.

        The run is saved before the first iteration and after it, so that a kill at any time can be
        resumed from, and a folder that can't be written to is found before the work.
        """
        with claimed(self.path.parent) as check:
            return self._run(progress, check)

    @training_conditions()
    def _run(self, progress: bool, check: Callable[[], None]) -> Checkpoint:
        """Train; ``check`` is called before every save, and raises where nothing may be written."""

        def save() -> None:
            check()
            self.save()

        total = sum(stage.iterations for stage in self.stages)
        started = time.monotonic()
        saved = -math.inf
        before = self.seconds
        title = f"train {self.config.task}"
        with progress_bar(
            total=total, initial=self.position.done, unit="it", disable=not progress, desc=title
        ) as bar:
            save()
            try:
                while self.position.stage < len(self.stages):
                    self._iterate(self.stages[self.position.stage])
                    self.seconds = before + time.monotonic() - started
                    value, radius = self.history[-1]
                    bar.update()
                    bar.set_postfix_str(
                        f"A {value:.3f}, d0 {100 * radius:.1f} cm, on target {self._arrived:.0%}"
                    )
                    if time.monotonic() - saved > SAVE_EVERY:
                        save()
                        saved = time.monotonic()
            except MemoryError as error:
                raise TrainingError(
                    f"there is not enough memory for so many movements or neurons: {error}"
                ) from error
            finally:
                save()
        return self.checkpoint()

    def _iterate(self, stage: Stage) -> None:
        """One step of the optimiser, or a repair."""
        at = self.position
        progress = at.iteration / stage.iterations
        exact = self.config.cost.target_radius
        # a run too short for the schedule still ends on it
        last = at.iteration == stage.iterations - 1
        radius = exact if last else stage.target_radius(progress, exact)
        cost = replace(self.config.cost, target_radius=radius)
        optimizer = OPTIMIZERS[stage.optimizer]()
        optimizer.state = at.optimizer
        if (
            not stage.fresh
            and optimizer.state
            and self.history[at.done - 1][1] != cost.target_radius
        ):
            optimizer.state = self._revalued(stage, cost)
        if isinstance(optimizer, Soap):
            optimizer.blocks = self._blocks
        if isinstance(optimizer, Adam):
            optimizer.rate = stage.rate * _share_of_rate(progress) * 0.5**at.failures
        movements = self._movements(stage)
        self._exploded, self._simulated = False, 0
        vector, value = optimizer.step(lambda w: self.evaluate(w, movements, cost), at.vector)
        problem = self._problem(value, vector)
        if problem:
            new = self._repaired(problem)
        else:
            # further than where the last failure sent it back to
            ahead = not torch.equal(at.vector, at.sound)
            stalled = not stage.fresh and radius == exact and torch.equal(vector, at.vector)
            new = replace(
                at,
                vector=vector,
                optimizer=optimizer.state,
                sound=at.vector if ahead else at.sound,
                failures=0 if ahead else at.failures,
                stalls=at.stalls + 1 if stalled else 0,
            )
            if (
                self._rectified()
                and stage.fresh
                and progress < stage.narrowing
                and at.iteration % WAKE_EVERY == 0
            ):
                new = replace(new, vector=self._with_silent_units_woken(vector, movements))
        steps = at.steps + self._simulated
        new = replace(new, iteration=at.iteration + 1, done=at.done + 1, steps=steps)
        if new.stalls == PATIENCE:
            remark(
                f"iteration {at.done}: the line search finds no descent any more; {stage.optimizer} ends here"
            )
        if new.iteration == stage.iterations or new.stalls == PATIENCE:
            new = replace(new, stage=at.stage + 1, iteration=0, stalls=0, optimizer={})
            self._batch = None
        self.history[at.done :] = [(value, cost.target_radius)]
        self.position = new
        self.log("objective", value, at.done)
        self.log("target_radius_m", cost.target_radius, at.done)

    def _rectified(self) -> bool:
        network = self.network
        return isinstance(network, RecurrentController) and network.config.activation == "relu"

    def _fresh_network(self, seed: int) -> EquationModule:
        return build(
            self.config.network, self.task, self.arm, torch.Generator("cpu").manual_seed(seed)
        )

    def _blocks_of_weights(self, number: int) -> Tensor | None:
        """The blocks of SOAP: all weights together while that is cheap, else the incoming weights
        of each unit.
        """
        if number <= MOST_TOGETHER:
            return None
        return pad_sequence(self.coordinates.receivers(), batch_first=True, padding_value=number)

    def _movements(self, stage: Stage) -> Movements:
        if not stage.fresh and self._batch is not None:
            return self._batch
        index = self.position.iteration if stage.fresh else 0
        rng = np.random.default_rng([self.config.seed, self.position.stage, index])
        self._batch = sample(
            rng,
            stage.movements,
            getattr(self.config.network, "neurons", 0),
            task=self.task,
            arm=self.arm,
            settling=self.config.settling,
            first=stage.first,
            second=stage.second,
            noise_scale=stage.noise_scale,
            quiet=stage.quiet,
            quiet_second=stage.quiet_second,
            quiet_noise_scale=stage.quiet_noise_scale,
            thrown=stage.thrown,
            noise=self.config.noise,
            control_period=self.config.network.control_period,
        )
        return self._batch

    @training_conditions()
    def evaluate(
        self, vector: Tensor, movements: Movements, cost: CostWeights
    ) -> tuple[float, Tensor]:
        """The objective of eq.

        5' and its gradient in ``coordinates``, of ``TOGETHER`` movements at a time.
        """
        self.coordinates.assign(vector)
        parts = list(movements.parts(TOGETHER))
        found = [self._evaluate_part(part, vector, cost) for part in parts]
        objectives, gradients, arrived, excited, sound = zip(*found, strict=True)
        numbers = torch.tensor([len(part.x0) for part in parts], dtype=vector.dtype)
        each = torch.stack(objectives).requires_grad_()
        objective = of_parts(each, numbers, self.config.beta)
        (weight,) = torch.autograd.grad(objective, each)
        self._silent, self._exploded = not any(excited), self._exploded or not all(sound)
        self._arrived = float(torch.stack(arrived) @ numbers / numbers.sum())
        value = objective.item() if all(sound) else math.inf
        return value, (weight[:, None] * torch.stack(gradients)).sum(0)

    def _evaluate_part(
        self, m: Movements, vector: Tensor, cost: CostWeights
    ) -> tuple[Tensor, Tensor, Tensor, bool, bool]:
        """Objective, gradient, share on target; whether any muscle was excited, and whether no
        neuron exploded.
        """
        self.network.zero_grad(set_to_none=True)
        x, u, y = self._rollout(m)
        v = values(
            self.task,
            self.arm,
            cost,
            x,
            u,
            m.commands,
            self.config.network.control_period,
            m.lengths,
        )
        objective = risk_sensitive(v, self.config.beta)
        objective.backward()
        arrived = self._share_on_target(x.detach(), m)
        sound = bool((y.abs() < WIDEST_NEURAL_STATE).all())
        return (
            objective.detach(),
            self.coordinates.gradient(vector),
            arrived,
            bool((u > 0).any()),
            sound,
        )

    def _rollout(self, m: Movements) -> tuple[Tensor, Tensor, Tensor]:
        """States, excitations, and what must not explode."""
        self._simulated += int(m.lengths.sum())
        substeps = substeps_of(self.config.network.control_period)
        # only neurons that may fire at any rate do at first
        rested = not isinstance(self.network, RecurrentController)
        y0 = self.network.initial_state(len(m.x0)) if rested else m.y0
        return pontryagin.rollout(
            self.network, self.arm, m.x0, y0, m.commands, m.noise, substeps, m.lengths
        )

    def _share_on_target(self, x: Tensor, movements: Movements) -> Tensor:
        """Share of movements whose mean distance over their last 0.2 s is within the task's
        tolerance.
        """
        span = max(1, round(SETTLED / self.config.network.control_period))
        # (B, span)
        end = (movements.lengths[:, None] - torch.arange(span, device="cpu")).clamp_min(1)
        row = torch.arange(len(end), device="cpu")[:, None]
        px, py, _, _ = hand(TORCH, tensors(self.arm), x[row, end])
        squared = self.task.error(TORCH, movements.commands[row, end - 1], px, py)[0]
        return (squared.sqrt().mean(-1) < self.task.tolerance).double().mean()

    def _revalued(self, stage: Stage, cost: CostWeights) -> dict[str, Tensor]:
        """A line-search method's state for an objective whose target has narrowed."""
        value, gradient = self.evaluate(self.position.vector, self._movements(stage), cost)
        return {
            **self.position.optimizer,
            "value": gradient.new_tensor(value),
            "gradient": gradient,
        }

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
        if not problem.startswith("the network is dead") or not isinstance(
            self.network, RecurrentController
        ):
            vector = sound = at.sound
            remedy = "went back a step and halved the rate"
        else:
            vector = sound = self._revived(failures)
            remedy = "drew its motor weights and reflexes anew"
        if failures > PATIENCE:
            self.position = replace(at, vector=at.sound, optimizer={})
            raise TrainingError(
                f"{problem}, {failures} times in a row; the last sound weights: {self.path}"
            )
        remark(f"iteration {at.done}: {problem}; {remedy}")
        return replace(at, vector=vector, sound=sound, failures=failures, optimizer={})

    def _revived(self, failures: int) -> Tensor:
        network = self.network
        fresh = self._fresh_network(self.config.seed + failures)
        assert isinstance(network, RecurrentController)
        self.coordinates.assign(self.position.vector)
        with torch.no_grad():
            for name in ("motor", "reflex", "motor_bias"):
                getattr(network, name).copy_(getattr(fresh, name))
            if not network.config.bias:
                network.reflex[:, :MUSCLE_COUNT] += 0.1 / MUSCLE_COUNT  # lengths are about 1
        return self.coordinates.vector()

    def _with_silent_units_woken(self, vector: Tensor, movements: Movements) -> Tensor:
        """Give neurons and muscles that were silent in all movements new weights, so that they can
        learn again.

        Neurons get new inputs, and outputs of zero: nothing changes at once. Muscles that were
        never excited above the tone get the weak tonic excitation and the weights that they would
        begin with.
        """
        network = self.network
        fresh = self._fresh_network(self.config.seed + 1 + self.position.done)
        assert isinstance(network, RecurrentController)
        self.coordinates.assign(vector)
        with torch.no_grad():
            _, u, y = self._rollout(movements)
            slack = ~(u > self.arm.tone).any(0).any(0)  # (6,)
            for name in ("motor", "reflex", "motor_bias"):
                getattr(network, name)[slack] = getattr(fresh, name)[slack]
            silent = ~(y[:, 1:] > network.leak * y[:, :-1]).any(0).any(0)  # (N,)
            for name in ("recurrent", "sensory", "command", "neural_bias"):
                getattr(network, name)[silent] = getattr(fresh, name)[silent]
            network.recurrent[:, silent] = 0.0
            network.motor[:, silent] = 0.0
        return self.coordinates.vector()

    # Checkpoints.

    @training_conditions()
    def checkpoint(self) -> Checkpoint:
        """The run as it stands after its last whole iteration."""
        at = self.position
        self.coordinates.assign(at.vector)
        training = {
            "config": self.config.form(),
            "stages": [asdict(stage) for stage in self.stages],
            "position": at.counters(),
            "seconds": self.seconds,
        }
        if self.extended:
            training["extended"] = self.extended
        return Checkpoint(
            self.network,
            self.config.task,
            Arm(),
            self.config.cost,
            self.config.noise,
            training,
            at.tensors(self.history),
            self.config.orbit,
        )

    def save(self) -> Path:
        """Write the run's checkpoint."""
        return self.checkpoint().save(self.path)

    @classmethod
    def resume(cls, output: Path | str, log: Log | None = None) -> "Trainer":
        """Go on from the checkpoint in a run's folder."""
        folder = Path(output)
        check_begun(folder)
        checkpoint = load_checkpoint(folder / CHECKPOINT)  # never a shipped one
        training = checkpoint.training
        try:
            known = ("config", "stages", "position", "seconds")
            exactly("the training", {"extended": [], **training}, (*known, "extended"))
            config = stored_config(training["config"])
            same = (config.task, config.orbit, config.cost, config.noise, config.network)
            goal = (checkpoint.task, checkpoint.orbit, checkpoint.weights, checkpoint.noise)
            if same != (*goal, checkpoint.network.config):
                raise ValueError("its training was of another network, task, cost or noise")
            trainer = cls(config, output, log)
            if (
                json.loads(json.dumps([asdict(stage) for stage in trainer.stages]))
                != training["stages"]
            ):
                raise CheckpointError(
                    f"the recipe {config.recipe!r} is no longer what {output} was begun with; begin anew elsewhere"
                )
            trainer.seconds = number("seconds", training["seconds"], 0)
            trainer.extended = [
                list(map(int, pair)) for pair in _extensions(training.get("extended", []))
            ]
            counters = training["position"]
            weights = len(trainer.vector)
            trainer.position, trainer.history = restored(
                counters, checkpoint.tensors, trainer.stages, weights
            )
        except CheckpointError:
            raise
        except ValueError as error:
            raise CheckpointError(f"{output} holds no training run to resume: {error}") from error
        return trainer

    def extend(self, config: TrainConfig) -> str:
        """Go on to the greater number of iterations of a configuration that is the same but for it.

        The schedules of learning rate and target are stretched over the new number, so both jump
        back, and the run differs from one that had so many iterations from the beginning. Returns a
        sentence that says how far they jump.
        """
        (earlier,), (stage,), at = self.stages, config.stages(), self.position
        begun = at.iteration if at.stage == 0 else earlier.iterations
        self.extended = [*self.extended, [at.done, earlier.iterations]]
        self.config, self.stages = config, (stage,)
        self.position = replace(at, stage=0, iteration=begun)
        was, now = begun / earlier.iterations, begun / stage.iterations
        radii = [
            100 * s.target_radius(p, config.cost.target_radius)
            for s, p in ((earlier, was), (stage, now))
        ]
        told = f"d0 goes from {radii[0]:.1f} to {radii[1]:.1f} cm"
        if issubclass(OPTIMIZERS[stage.optimizer], Adam):
            rates = f"{100 * _share_of_rate(was):.0f} to {100 * _share_of_rate(now):.0f} %"
            told = f"the learning rate goes from {rates} of that at the start, and {told}"
        return (
            f"the run in {self.path.parent} goes on from iteration {at.done} to {stage.iterations} "
            f"instead of {earlier.iterations}: {told}"
        )


def _share_of_rate(progress: float) -> float:
    """The learning rate at ``progress`` from 0 to 1, as a share of that at the start."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def _extensions(values: Any) -> Any:
    """The extensions that a checkpoint tells of: iterations done, and those in all until then."""
    for pair in values if isinstance(values, list) else [values]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"extended must be pairs of iterations, not {pair!r}")
        for number_of_iterations in pair:
            count("extended", number_of_iterations)
    return values


def stored_config(values: Any) -> TrainConfig:
    """The configuration of a run that a checkpoint holds."""
    given = dict(mapping("config", values))
    # older runs had none
    later = {"perturbation", "quiet", "quiet_second", "quiet_noise_scale", "thrown", "orbit"}
    exactly(
        "config", given, {f.name for f in dataclasses.fields(TrainConfig)} - (later - set(given))
    )
    given["network"], given["cost"] = (
        stored_network(given["network"]),
        stored(CostWeights, "cost", given["cost"]),
    )
    if "orbit" in given:
        given["orbit"] = stored_orbit(given["orbit"])
    if "perturbation" in given:
        given["perturbation"] = stored(Perturbation, "perturbation", given["perturbation"])
    return TrainConfig(**given)


def check_begun(folder: Path) -> None:
    """Raise CheckpointError unless the folder holds a run to go on with."""
    if not (folder / CHECKPOINT).is_file():
        why = (
            "nothing was saved in that folder yet" if folder.is_dir() else "there is no such folder"
        )
        raise CheckpointError(
            f"there is no checkpoint {str(folder / CHECKPOINT)!r} to resume, {why}: begin the run without resume"
        )


def train(
    config: TrainConfig,
    output: Path | str,
    *,
    resume: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
) -> Checkpoint:
    """Train a controller and keep its checkpoint in ``output``; with ``resume``, go on from the one
    there.

    A run may be resumed with more iterations than it was begun with, also when it has ended;
    ``Trainer.extend`` says what that means. Raises FileExistsError rather than overwrite a run,
    ValueError if ``resume`` finds another configuration, and TrainingError while another training
    writes to that folder.
    """
    config = group("config", config, TrainConfig, TrainConfig())
    output = Path(output)
    tensorboard = flag("tensorboard", tensorboard)
    progress = flag("progress", progress)
    if flag("resume", resume):
        check_begun(output)
    with claimed(output) as check:
        if resume:
            trainer = Trainer.resume(output)
            if trainer.config != config:
                if not _longer(trainer.config, config):
                    difference = _difference(trainer.config, config)
                    raise ValueError(f"{output} was begun with another configuration: {difference}")
                remark(trainer.extend(config))
        else:
            trainer = Trainer(config, output)
            if trainer.path.exists() and not _without_an_iteration(trainer.path):
                raise FileExistsError(
                    f"{trainer.path} exists: go on with --resume, or choose another --output"
                )
        if not tensorboard:
            return trainer._run(progress, check)
        with _tensorboard(output) as writer:
            trainer.log = writer.add_scalar
            return trainer._run(progress, check)


def _without_an_iteration(path: Path) -> bool:
    """Whether a checkpoint is that of a run without a whole iteration, so that it holds nothing to
    lose.
    """
    try:
        return bool(load_checkpoint(path).training["position"]["done"] == 0)
    except (CheckpointError, LookupError, TypeError):
        return False


def _longer(stored: TrainConfig, given: TrainConfig) -> bool:
    """Whether a configuration is the stored one with more iterations, of a single stage."""
    if replace(given, iterations=stored.iterations) != stored:
        return False
    before = stored.stages()
    now = given.stages()
    return len(before) == len(now) == 1 and now[0].iterations > before[0].iterations


def _difference(stored: TrainConfig, given: TrainConfig) -> str:
    pairs = [
        (f.name, getattr(stored, f.name), getattr(given, f.name))
        for f in dataclasses.fields(stored)
    ]
    return "; ".join(f"{name} {was} there, {now} here" for name, was, now in pairs if was != now)


def _tensorboard(output: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "logging to TensorBoard needs it: pip install 'rnn-motor-control[tensorboard]'"
        ) from error
    return SummaryWriter(output / "tensorboard")
