"""The controller that an experiment is done with, and the environment that it was trained for."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from arm_env.arguments import shown
from arm_env.control.controllers import as_controller
from arm_env.evaluation import record
from arm_env.tasks.measures import Recording
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.policy import controller_of

OWN = {"schedule", "max_episode_steps", "num_envs", "vectorization_mode"}
"""Arguments of environments that an experiment sets."""


def subject(controller: Any, environment: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a controller, and the arguments of its environment. Raises ValueError for others.

    ``controller`` is the name of a shipped controller, a checkpoint, its path, or any controller
    that ``arm_env.evaluate`` takes. A checkpoint brings the arm, the cost and the control period
    that it was trained for; what ``environment`` says comes before that. ``environment`` may not
    have what the experiment itself sets.
    """
    taken = sorted(OWN & environment.keys())
    if taken:
        raise ValueError(f"the experiment itself sets {', '.join(taken)}: leave that out")
    if isinstance(controller, str | Path):
        controller = load_checkpoint(controller)
    if not isinstance(controller, Checkpoint):
        return as_controller(controller), environment
    trained_for = {
        "arm": controller.arm,
        "weights": controller.weights,
        "control_period": controller.network.config.control_period,
    }
    return controller_of(controller), trained_for | environment


def checkpoint_of(controller: Any) -> Checkpoint:
    """Return the checkpoint of a name, a path or a checkpoint. Raises ValueError for others."""
    if isinstance(controller, str | Path):
        return load_checkpoint(controller)
    if isinstance(controller, Checkpoint):
        return controller
    raise ValueError(
        "training needs a checkpoint: give a shipped name such as 'reach', the path of one or what "
        f"load_checkpoint returns, not {shown(controller)}"
    )


class Listening:
    """A controller that keeps the states that it returns: the activity of its neurons.

    Attributes:
        activity: States (B, N) after each call; empty for a controller without an array as state.
    """

    def __init__(self, controller: Any):
        self._controller = controller
        self.activity: list[np.ndarray] = []

    def __getattr__(self, name: str) -> Any:
        if name == "_controller":  # not there yet: a copy is being made
            raise AttributeError(name)
        return getattr(self._controller, name)

    def predict(self, *arguments: Any, **options: Any) -> tuple[np.ndarray, Any]:
        """Return what the controller returns, actions (B, M) and its state, and keep the state."""
        action, state = self._controller.predict(*arguments, **options)
        if isinstance(state, np.ndarray) and state.ndim == 2:
            self.activity.append(state.copy())
        return action, state


def watch(
    controller: Any,
    env_id: str,
    number: int,
    seconds: float,
    seed: int,
    environment: dict[str, Any],
) -> tuple[Recording, np.ndarray | None, float]:
    """Record B = ``number`` arms for some seconds.

    Returns the recording, the neural activity (T, B, N), which is None if the controller shows
    none, and the control period [s].
    """
    envs = gym.make_vec(env_id, num_envs=number, max_episode_steps=-1, **environment)
    period = envs.unwrapped.control_period  # type: ignore[attr-defined]
    listening = Listening(controller)
    recording = record(listening, envs, round(seconds / period), seed)
    envs.close()
    shown = len(listening.activity) == len(recording.actions)
    return recording, np.array(listening.activity) if shown else None, period
