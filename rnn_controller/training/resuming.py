"""Reading a stored run, continuing it, and extending it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from arm_env.arguments import count
from arm_env.checked import with_present_names
from rnn_controller.checkpoint import (
    Checkpoint,
    CheckpointError,
    exactly,
    load_checkpoint,
    mapping,
)
from rnn_controller.training.config import LATER, TrainConfig, stored_config
from rnn_controller.training.optimizers import OPTIMIZERS, Adam
from rnn_controller.training.recipes import Stage, share_of_learning_rate
from rnn_controller.training.run_folder import CHECKPOINT
from rnn_controller.training.state import TrainState

KEYS = ("config", "stages", "state", "seconds")
EARLIER_KEYS = {"position": "state"}
"""Present keys of a checkpoint's training by those that files of earlier versions hold."""


def stored_training(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint's record of its training, with the present keys and names of settings."""
    given = {EARLIER_KEYS.get(key, key): value for key, value in checkpoint.training.items()}
    given = {"extended": [], "validation": [], **given}
    exactly("the training", given, (*KEYS, "extended", "validation"))
    stages = given["stages"] if isinstance(given["stages"], list) else []
    given["stages"] = [with_present_names(Stage, mapping("a stage", stage)) for stage in stages]
    return given


def check_begun(folder: Path) -> None:
    """Raise CheckpointError unless the folder holds a run to go on with."""
    if not (folder / CHECKPOINT).is_file():
        why = (
            "nothing was saved in that folder yet" if folder.is_dir() else "there is no such folder"
        )
        raise CheckpointError(
            f"there is no checkpoint {str(folder / CHECKPOINT)!r} to resume, {why}: "
            "begin the run without resume"
        )


@contextmanager
def reading(output: Path | str) -> Iterator[None]:
    """Raise a ValueError from reading a run's checkpoint as a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{output} holds no training run to resume: {error}") from error


def config_of(checkpoint: Checkpoint, training: dict[str, Any]) -> TrainConfig:
    """Return the configuration of a stored run.

    Raises ValueError if the checkpoint holds another network, task, cost or noise.
    """
    config = stored_config(training["config"])
    # The checkpoint says both; a file in which they differ was put together by hand.
    same = (config.task, config.orbit, config.cost, config.noise, config.network)
    goal = (checkpoint.task, checkpoint.orbit, checkpoint.weights, checkpoint.noise)
    if same != (*goal, checkpoint.network.config):
        raise ValueError("its training was of another network, task, cost or noise")
    return config


def check_recipe(
    output: Path | str, config: TrainConfig, stages: Sequence[Stage], stored: list[dict[str, Any]]
) -> None:
    """Raise CheckpointError unless the recipe still has the stages that a run was begun with."""
    # Earlier versions did not know every setting of today; they did what its default does.
    known = {f.name: f.default for f in fields(Stage)}
    later = {name: known[name] for name in LATER if name in known}
    # through JSON, which makes lists of tuples
    now, then = json.loads(
        json.dumps([[asdict(stage) for stage in stages], [{**later, **stage} for stage in stored]])
    )
    if now != then:
        raise CheckpointError(
            f"the recipe {config.recipe!r} is no longer what {output} was begun with; "
            "begin a new run in another folder"
        )


def extensions(values: Any) -> list[list[int]]:
    """Return the extensions in a checkpoint: pairs of iterations done and total until then.

    Raises ValueError for any other value.
    """
    for pair in values if isinstance(values, list) else [values]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"extended must be pairs of iterations, not {pair!r}")
        for number_of_iterations in pair:
            count("extended", number_of_iterations)
    return [list(map(int, pair)) for pair in values]


def stretched(
    state: TrainState, earlier: Stage, stage: Stage, final_radius: float
) -> tuple[TrainState, str]:
    """Return the state of a run of one stage that gets more iterations, and a message.

    The message says how far the schedules of learning rate and target jump back.
    """
    # a run that has ended stands at the beginning of the stage after its last
    begun = state.iteration if state.stage == 0 else earlier.iterations
    # progress in the old and in the new schedule, from 0 to 1
    was, now = begun / earlier.iterations, begun / stage.iterations
    radii = [100 * s.target_radius(p, final_radius) for s, p in ((earlier, was), (stage, now))]
    told = f"the target radius d0 goes from {radii[0]:.1f} to {radii[1]:.1f} cm"
    if issubclass(OPTIMIZERS[stage.optimizer], Adam):
        shares = [100 * share_of_learning_rate(progress) for progress in (was, now)]
        told = (
            f"the learning rate goes from {shares[0]:.0f} to {shares[1]:.0f} % of that at the "
            f"start, and {told}"
        )
    return replace(state, stage=0, iteration=begun), told


def is_longer(stored: TrainConfig, given: TrainConfig) -> bool:
    """Return whether a configuration differs from the stored one by more iterations only.

    The recipe must have a single stage.
    """
    # With several stages, more iterations would also lengthen those that have ended.
    if replace(given, iterations=stored.iterations) != stored:
        return False
    before = stored.stages()
    now = given.stages()
    return len(before) == len(now) == 1 and now[0].iterations > before[0].iterations


def difference(stored: TrainConfig, given: TrainConfig) -> str:
    """Return in words how two configurations differ."""
    pairs = [(f.name, getattr(stored, f.name), getattr(given, f.name)) for f in fields(stored)]
    return "; ".join(f"{name} {was} there, {now} here" for name, was, now in pairs if was != now)


def is_without_an_iteration(path: Path) -> bool:
    """Return whether a checkpoint is that of a run without a whole iteration.

    Such a checkpoint holds nothing to lose.
    """
    try:
        training = stored_training(load_checkpoint(path))
        return bool(training["state"]["done"] == 0)
    except (ValueError, LookupError, TypeError):
        return False
