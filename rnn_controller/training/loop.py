"""The training loop: iterations to the end of the recipe, with a checkpoint now and then."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from arm_env.arguments import number
from arm_env.devices import checked_device
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.networks.plain_torch import plain_torch, training_conditions
from rnn_controller.training import held_out, resuming
from rnn_controller.training.config import TrainConfig
from rnn_controller.training.iteration import Log, Optimization, no_log
from rnn_controller.training.repair import LastingFailureError
from rnn_controller.training.run_folder import CHECKPOINT, TrainingError, claimed
from rnn_controller.training.state import restored
from rnn_controller.training.team import Team
from rnn_controller.training.trials import sample
from rnn_controller.watching import IterationBar, remark

SAVE_EVERY = 30.0  # [s]


class Trainer(Optimization):
    """A training run: a network in training, and the folder that it is saved in.

    A copy, also by pickle in another process, trains to the same weights as the original. It logs
    nothing until its ``log`` is set, and draws nothing until its ``show`` is set.
    """

    def __init__(self, config: TrainConfig, output: Path | str, log: Log | None = None):
        super().__init__(config, log)
        self.path = Path(output) / CHECKPOINT
        # iterations done, and those in all until then, at each extension
        self.extended: list[list[int]] = []
        self.seconds = 0.0
        self.validate_every = 0  # iterations between two validations; 0 for none
        self.validation: list[held_out.Validation] = []
        # takes the title of a figure, the figure, and the number of iterations done
        self.show: Callable[[str, Any, int], None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "log": no_log, "show": None}

    # Copied under plain torch: a default device around it would take the tensors.
    @plain_torch()
    def __setstate__(self, state: dict[str, Any]) -> None:
        # torch shares the memory of pickled tensors with the process that sent them
        self.__dict__.update(copy.deepcopy(state))

    def run(self, progress: bool = True) -> Checkpoint:
        """Train to the end of the recipe. Ctrl-C leaves a checkpoint that ``resume`` goes on from.

        The run is saved before the first iteration and after it, so that a kill at any time can be
        resumed from, and a folder that can't be written to is found before the work.
        """
        with claimed(self.path.parent) as check:
            return self.run_in_claimed_folder(progress, check)

    @training_conditions()
    def run_in_claimed_folder(self, progress: bool, check: Callable[[], None]) -> Checkpoint:
        """Train, and return the checkpoint of the end.

        ``check`` is called before every save, and raises an error if nothing may be written. Raises
        TrainingError after too many failures in a row, or if there is not enough memory.
        """

        def save() -> None:
            check()
            self.save()

        total = sum(stage.iterations for stage in self.stages)
        started = time.monotonic()
        saved = -math.inf
        before = self.seconds
        # before the work, so that a folder that can't be written to is found at once
        save()
        try:
            if progress:
                self._announce()
            self._validate()
            with IterationBar(
                f"train {self.config.task}", total, self.state.done, disable=not progress
            ) as bar:
                while self.state.stage < len(self.stages):
                    last = self._iterate(self.stages[self.state.stage])
                    self._validate()
                    self.seconds = before + time.monotonic() - started
                    value, radius = self.history[-1]
                    bar.advance(
                        f"objective {value:.3f}, target radius {100 * radius:.1f} cm, "
                        f"{100 * last.on_target:.0f} % within target"
                    )
                    # after the first iteration, then now and then: saving takes time from training
                    if time.monotonic() - saved > SAVE_EVERY:
                        save()
                        saved = time.monotonic()
        except LastingFailureError as error:
            raise TrainingError(f"{error}; the last finite weights are in {self.path}") from error
        except MemoryError as error:
            raise TrainingError(
                f"there is not enough memory for so many movements or neurons: {error}"
            ) from error
        # Ctrl-C comes here, too: the state is that after the last whole iteration.
        finally:
            try:
                save()
            except KeyboardInterrupt:  # which came while an error was ending the training
                save()
                raise
        return self.checkpoint()

    @training_conditions()
    def follow(self) -> Checkpoint:
        """Train to the end of the recipe in a process that writes no files; return its checkpoint.

        Raises TrainingError as ``run`` does.
        """
        try:
            while self.state.stage < len(self.stages):
                self._iterate(self.stages[self.state.stage])
        except LastingFailureError as error:
            raise TrainingError(str(error)) from error
        return self.checkpoint()

    def share(self, team: Team) -> None:
        """Share the trials of each batch with the other processes of a team."""
        self.evaluator = replace(self.evaluator, team=team)

    def compute_on(self, device: str) -> None:
        """Simulate the trials on a device, "cpu" or "cuda"; raise ValueError if there is none."""
        self.evaluator = replace(self.evaluator, device=checked_device(device))

    def _announce(self) -> None:
        """Say where the results go, and compile all that an iteration needs.

        Without this the first iteration would compile, while the progress bar stands still.
        """
        remark(f"train {self.config.task}: the results are written to {self.path.parent}")
        if self.state.stage < len(self.stages):
            # One short trial by another generator; the run's own trials and weights don't change.
            config = self.config
            stage = replace(self.stages[self.state.stage], quiet=0.0, thrown=0.0)
            sampling = stage.sampling(0.0, config.noise, config.network.control_period)
            trials = sample(
                np.random.default_rng(0), 1, getattr(config.network, "neurons", 0),
                task=self.task, arm=self.arm, sampling=sampling,
            )  # fmt: skip
            # alone: the other processes compile in their first iteration
            replace(self.evaluator, team=None).evaluate(self.vector, trials, config.cost)

    def _validate(self) -> None:
        """Measure the network on held-out movements, if it is time for that and not done yet."""
        every, done = self.validate_every, self.state.done
        ended = self.state.stage == len(self.stages)
        if not every or (done % every and not ended):
            return
        if self.validation and self.validation[-1]["iteration"] == done:
            return
        checkpoint = self.checkpoint()
        found = held_out.validate(checkpoint)
        for name, value in held_out.curves(found).items():
            self.log(f"validation/{name}", value, done)
        if self.show is not None:
            self.show("movements", held_out.draw(checkpoint), done)
        self.validation = [*self.validation, found]

    @training_conditions()
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint of the run after its last whole iteration."""
        # only here the network takes the weights for good
        self.coordinates.assign(self.state.vector)
        training = {
            "config": self.config.form(),
            "stages": [asdict(stage) for stage in self.stages],
            "state": self.state.counters(),
            "seconds": self.seconds,
        }
        if self.extended:
            training["extended"] = self.extended
        if self.validation:
            training["validation"] = self.validation
        return Checkpoint(
            self.network,
            self.config.task,
            # the arm without the perturbation, which stands in the configuration
            self.task.body.parameters,
            self.config.cost,
            self.config.noise,
            training,
            self.state.tensors(self.history),
            self.config.orbit,
        )

    def save(self) -> Path:
        """Write the run's checkpoint, and return its path."""
        return self.checkpoint().save(self.path)

    @classmethod
    def resume(cls, output: Path | str, log: Log | None = None) -> "Trainer":
        """Return the run of the checkpoint in a folder, ready to go on.

        Raises CheckpointError if there is none, or if it holds no run that can go on.
        """
        folder = Path(output)
        resuming.check_begun(folder)
        checkpoint = load_checkpoint(folder / CHECKPOINT)  # never a shipped one
        with resuming.reading(output):
            training = resuming.stored_training(checkpoint)
            trainer = cls(resuming.config_of(checkpoint, training), output, log)
            resuming.check_recipe(output, trainer.config, trainer.stages, training["stages"])
            trainer.seconds = number("seconds", training["seconds"], 0)
            trainer.extended = resuming.extensions(training["extended"])
            trainer.state, trainer.history = restored(
                training["state"], checkpoint.tensors, trainer.stages, len(trainer.vector)
            )
            trainer.validation = held_out.validations(training["validation"], trainer.state.done)
        return trainer

    def extend(self, config: TrainConfig) -> str:
        """Go on to the greater number of iterations of a configuration that is the same but for it.

        The schedules of learning rate and target are stretched over the new number, so both jump
        back, and the run differs from one that had so many iterations from the beginning. Returns a
        sentence that says how far they jump.
        """
        (earlier,), (stage,) = self.stages, config.stages()
        self.extended = [*self.extended, [self.state.done, earlier.iterations]]
        self.config = config
        self.stages = (stage,)
        self.state, jumps = resuming.stretched(
            self.state, earlier, stage, config.cost.target_radius
        )
        return (
            f"the run in {self.path.parent} goes on from iteration {self.state.done} to "
            f"{stage.iterations} instead of {earlier.iterations}: {jumps}"
        )
