"""``train``: a training run from its configuration to its checkpoint.

The parts of a run are in the modules beside this one. ``config`` and ``recipes`` hold the settings,
``loop`` runs the iterations, ``iteration`` is one of them, ``evaluation`` computes the objective,
``repair`` handles failures, and ``resuming`` continues a stored run.
"""

from pathlib import Path
from typing import Any

from arm_env.arguments import flag
from arm_env.checked import group
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.training import resuming
from rnn_controller.training.config import DEFAULTS, TrainConfig
from rnn_controller.training.evaluation import Evaluation, Failure
from rnn_controller.training.loop import Trainer
from rnn_controller.training.recipes import AS_IT_IS, RECIPES, Stage, narrowing_radius
from rnn_controller.training.run_folder import TrainingError, claimed
from rnn_controller.training.state import PATIENCE, TrainState
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
) -> Checkpoint:
    """Train a controller, write its checkpoint to the folder ``output``, and return it.

    With ``resume``, training goes on from the checkpoint in that folder. A run may be resumed with
    more iterations than before, also when it has ended; see ``Trainer.extend``. ``progress`` shows
    a bar on stderr, and ``tensorboard`` logs objective and target radius to that folder.

    Raises FileExistsError rather than overwrite a run, ValueError if ``resume`` finds another
    configuration, CheckpointError if it finds no run, and TrainingError if training fails, or while
    another training writes to that folder.
    """
    config = group("config", config, TrainConfig, TrainConfig())
    output = Path(output)
    tensorboard = flag("tensorboard", tensorboard)
    progress = flag("progress", progress)
    if flag("resume", resume):
        resuming.check_begun(output)
    # The folder is claimed before anything is read, so that no other training can come between.
    with claimed(output) as check:
        if resume:
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
        if not tensorboard:
            return trainer.run_in_claimed_folder(progress, check)
        with _tensorboard(output) as writer:
            trainer.log = writer.add_scalar
            return trainer.run_in_claimed_folder(progress, check)


def _tensorboard(output: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "logging to TensorBoard needs it: pip install 'rnn-motor-control[tensorboard]'"
        ) from error
    return SummaryWriter(output / "tensorboard")
