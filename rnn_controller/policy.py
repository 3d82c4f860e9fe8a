"""A trained network behind ``predict``: the form in which every controller of this package runs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT, SENSORY_SIZE
from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.network import ACTIVATIONS, RecurrentController
from rnn_controller.pontryagin import network_steps


class Policy:
    """The network as a controller of the environments, computed by the kernel it was trained with."""

    def __init__(self, network: RecurrentController, arm: Arm | None = None):
        self.network, self.ceiling = network, (arm or Arm()).ceiling
        weights = [np.array(w.detach().numpy().T, order="C") for w in network.weights]  # copies
        self._constants = (network.leak, ACTIVATIONS.index(network.config.activation), *weights)

    def predict(
        self,
        observation: ArrayLike,
        state: np.ndarray | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, Any]:
        """Excitations (B, 6) float32 for observations (B, 18 + K), and the neural state (B, N).

        One observation (18 + K,) gives one action (6,). Neurons rest at 0 where ``episode_start``;
        the network itself is deterministic, its noise is the environment's.
        """
        o = np.asarray(observation, dtype=float)
        batch, size = np.atleast_2d(o), SENSORY_SIZE + self.network.command_size
        if batch.ndim != 2 or batch.shape[1] != size:
            raise ValueError(f"this controller takes observations of {size} signals, not of shape {o.shape}")
        y = np.zeros((len(batch), self.network.config.neurons)) if state is None else np.array(state, dtype=float)
        if y.shape != (len(batch), self.network.config.neurons):
            raise ValueError(
                f"the state of {len(batch)} arms is {(len(batch), self.network.config.neurons)}, not {y.shape}"
            )
        if episode_start is not None:
            starts = np.atleast_1d(np.asarray(episode_start, dtype=bool))
            if starts.shape != (len(batch),):
                raise ValueError(f"episode_start is one flag an arm, shape ({len(batch)},), not {starts.shape}")
            y[starts] = 0
        u, y_next = np.empty((len(batch), MUSCLE_COUNT)), np.empty_like(y)
        network_steps(*self._constants, batch, y, u, y_next)
        action = np.minimum(u, self.ceiling).astype(np.float32)
        return action.reshape((*o.shape[:-1], MUSCLE_COUNT)), y_next


def load(name: Path | str) -> Policy:
    """A trained controller, by a shipped name such as "reach", a checkpoint's path or a run's folder."""
    checkpoint = load_checkpoint(name)
    return Policy(checkpoint.network, checkpoint.arm)
