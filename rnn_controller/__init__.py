"""The recurrent controller of Huh & Todorov (2009), and the trainer that finds its weights.

>>> from rnn_controller import load
>>> policy = load("reach")
>>> action, state = policy.predict(observation)

The names are imported when they are first used, so that the command line begins, and can be stopped, at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_controller.checkpoint import Checkpoint, CheckpointError, load_checkpoint
    from rnn_controller.equation_module import EquationConfig, EquationModule
    from rnn_controller.network import NetworkConfig, RecurrentController
    from rnn_controller.policy import Policy, load
    from rnn_controller.trainer import TrainConfig, Trainer, TrainingError, train

_MODULES = {
    "checkpoint": ("Checkpoint", "CheckpointError", "load_checkpoint"),
    "equation_module": ("EquationConfig", "EquationModule"),
    "network": ("NetworkConfig", "RecurrentController"),
    "policy": ("Policy", "load"),
    "trainer": ("TrainConfig", "Trainer", "TrainingError", "train"),
}
__all__ = [
    "Checkpoint",
    "CheckpointError",
    "EquationConfig",
    "EquationModule",
    "NetworkConfig",
    "Policy",
    "RecurrentController",
    "TrainConfig",
    "Trainer",
    "TrainingError",
    "load",
    "load_checkpoint",
    "train",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"rnn_controller.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
