"""The recurrent controller of Huh & Todorov (2009), and the trainer that finds its weights.

>>> from rnn_controller import load
>>> policy = load("reach")
>>> action, state = policy.predict(observation)
"""

from rnn_controller.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from rnn_controller.network import NetworkConfig, RecurrentController
from rnn_controller.policy import Policy, load
from rnn_controller.trainer import TrainConfig, Trainer, TrainingError, train

__all__ = [
    "Checkpoint",
    "CheckpointError",
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
