"""``train``: a training run from its configuration to its checkpoint.

The parts of a run are in the modules beside this one. ``config`` and ``recipes`` hold the settings,
``loop`` runs the iterations, ``iteration`` is one of them, ``evaluation`` computes the objective,
``repair`` handles failures, and ``resuming`` continues a stored run.
"""

from pathlib import Path
from typing import Any, NamedTuple

from arm_env.arguments import flag
from arm_env.checked import group
from arm_env.devices import checked_device
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.training import held_out, resuming
from rnn_controller.training.config import DEFAULTS, TrainConfig
from rnn_controller.training.evaluation import Evaluation, Failure
from rnn_controller.training.loop import Trainer
from rnn_controller.training.recipes import AS_IT_IS, RECIPES, Stage, narrowing_radius
from rnn_controller.training.run_folder import TrainingError, claimed
from rnn_controller.training.state import PATIENCE, TrainState
from rnn_controller.training.team import Team, joined
from rnn_controller.watching import remark

__all__ = [
    "AS_IT_IS",
    "DEFAULTS",
    "PATIENCE",
    "RECIPES",
    "Evaluation",
    "Failure",
    "Stage",
    "TrainConfig",
    "TrainState",
    "Trainer",
    "TrainingError",
    "narrowing_radius",
    "train",
]


def train(
    config: TrainConfig,
    output: Path | str,
    *,
    resume: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
    validate_every: int | None = None,
    shared: bool = False,
    device: str = "cpu",
) -> Checkpoint:
    """Train a controller, write its checkpoint to the folder ``output``, and return it.

    With ``resume``, training goes on from the checkpoint in that folder. A run may be resumed with
    more iterations than before, also when it has ended; see ``Trainer.extend``. ``progress`` shows
    a bar on stderr.

    Every ``validate_every`` iterations, and at the end, the network is measured on 200 held-out
    movements with 20 % noise, as ``arm_env.evaluate`` does. The weights do not depend on it. The
    measures are in ``checkpoint.training["validation"]``. ``tensorboard`` logs objective, target
    radius and these measures to that folder, with a figure of movements at the same times;
    ``validate_every`` is then 250 unless it is given. 0 turns the validation off.

    ``shared`` lets the processes that ``torchrun`` started share the movements of each batch. All
    of them call this function with the same arguments, and get the same checkpoint. The weights do
    not depend on the number of processes.

    With the ``device`` "cuda" an NVIDIA GPU simulates the movements. It rounds otherwise, so the
    weights differ from those that the processor comes to.

    Raises FileExistsError rather than overwrite a run, ValueError if ``resume`` finds another
    configuration or there is no GPU, CheckpointError if it finds no run, and TrainingError if
    training fails, or while another training writes to that folder.
    """
    config = group("config", config, TrainConfig, TrainConfig())
    output = Path(output)
    tensorboard = flag("tensorboard", tensorboard)
    every = held_out.interval(validate_every, tensorboard)
    progress = flag("progress", progress)
    resume = flag("resume", resume)
    device = checked_device(device)
    with joined(flag("shared", shared)) as team:
        if team and not team.is_first:
            trainer = team.from_first(None)
            trainer.share(team)
            return trainer.follow()
        return _train(config, output, _Ways(resume, progress, tensorboard, every, device), team)


class _Ways(NamedTuple):
    """Arguments of ``train`` that are no part of the configuration."""

    resume: bool
    progress: bool
    tensorboard: bool
    validate_every: int
    device: str


def _train(config: TrainConfig, output: Path, ways: _Ways, team: Team | None) -> Checkpoint:
    """Train in the process that writes the files."""
    if ways.resume:
        resuming.check_begun(output)
    # The folder is claimed before anything is read, so that no other training can come between.
    with claimed(output) as check:
        if ways.resume:
            trainer = Trainer.resume(output)
            if trainer.config != config:
                if not resuming.is_longer(trainer.config, config):
                    difference = resuming.difference(trainer.config, config)
                    raise ValueError(f"{output} was begun with another configuration: {difference}")
                remark(trainer.extend(config))
        else:
            trainer = Trainer(config, output)
            # A run that was stopped before its first iteration holds nothing to lose.
            if trainer.path.exists() and not resuming.is_without_an_iteration(trainer.path):
                raise FileExistsError(
                    f"{trainer.path} exists: go on with --resume, or choose another --output"
                )
        trainer.compute_on(ways.device)
        if team:
            team.from_first(trainer)
            trainer.share(team)
        trainer.validate_every = ways.validate_every
        if not ways.tensorboard:
            return trainer.run_in_claimed_folder(ways.progress, check)
        with _tensorboard(output) as writer:
            trainer.log = writer.add_scalar
            trainer.show = writer.add_figure
            return trainer.run_in_claimed_folder(ways.progress, check)


def _tensorboard(output: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "logging to TensorBoard needs it: pip install 'rnn-motor-control[tensorboard]'"
        ) from error
    return SummaryWriter(output / "tensorboard")
