"""Controllers: a trained network with a method ``predict``, which environments can be run with."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from arm_env.control.controllers import checked_observation, period_of
from arm_env.dynamics.body import body_of
from arm_env.dynamics.parameters import Parameters
from arm_env.tasks.task import Task
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.networks.plain_torch import float64, float64_array, plain_torch
from rnn_controller.rollouts.pontryagin import (
    EquationNetwork,
    kernels_of,
    plain_constants,
    plain_weights,
)


class _Predicting:
    """Base of controllers: ``predict`` with its checks, around one step of a batch."""

    network: Any

    def __init__(self, network: Any, rest: np.ndarray, arm: Parameters | None):
        body = body_of(network)
        parameters: Any = arm or body.parameters
        self.network = network
        self.arm = parameters
        self.max_excitation = parameters.max_excitation
        self.rest_state = rest
        size = getattr(network, "command_size", None)
        self._signals = size and body.sensory_size + size

    @property
    def control_period(self) -> float | None:
        """Time between two evaluations [s] that the network was made for, if it says so."""
        return period_of(self.network)

    def _step(self, observation: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return excitations (B, M) and next states (B, N).

        The observations are (B, 3 M + K), the states (B, N).
        """
        raise NotImplementedError

    def predict(
        self,
        observation: ArrayLike,
        state: np.ndarray | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, Any]:
        """Return excitations (B, M) float32 and the next neural state (B, N).

        The observations are (B, 3 M + K), or one of (3 M + K,), which gives one action (M,).
        ``state`` is the neural state (B, N) that the last call returned; None is the state at rest.
        Arms whose ``episode_start`` is true begin at rest. The network is deterministic:
        ``deterministic`` has no effect. Raises ValueError for shapes that do not fit.
        """
        o = checked_observation(observation, self._signals)
        batch = o if o.ndim == 2 else o[None]
        shape = (len(batch), self.rest_state.size)
        y = np.array(
            np.broadcast_to(self.rest_state, shape) if state is None else state, dtype=float
        )
        if y.shape != shape:
            raise ValueError(f"the state of {len(batch)} arms is {shape}, not {y.shape}")
        if episode_start is not None:
            starts = np.atleast_1d(np.asarray(episode_start, dtype=bool))
            if starts.shape != (len(batch),):
                raise ValueError(
                    f"episode_start is one flag an arm, shape ({len(batch)},), not {starts.shape}"
                )
            if starts.any():
                y[starts] = self.rest_state
        u, y_next = self._step(batch, y)
        action = np.minimum(np.maximum(u, 0), self.max_excitation)  # np.clip takes twice as long
        return action.astype(np.float32).reshape((*o.shape[:-1], u.shape[-1])), y_next


class Policy(_Predicting):
    """A controller that runs a network by the same compiled code that it was trained with.

    ``arm`` is the body's parameters, and ``task`` the task that the network was trained for, if
    that is known.
    """

    def __init__(
        self, network: EquationNetwork, arm: Parameters | None = None, task: Task | None = None
    ):
        super().__init__(network, np.zeros(network.state_size), arm)
        self.task = task
        self._muscles = body_of(network).muscle_count
        self._kernels = kernels_of(network)
        weights = network.weights._asdict().items()
        self.plain_weights = plain_weights(float64(name, w) for name, w in weights)
        self.plain_constants = copy.deepcopy(tuple(plain_constants(network)))

    def _step(self, observation: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        o = np.ascontiguousarray(observation)[:, None]
        y = np.ascontiguousarray(state)[:, None]
        u = np.empty((len(state), 1, self._muscles))
        following = np.empty_like(y)
        self._kernels.steps(self.plain_weights, self.plain_constants, o, y, u, following)
        return u[:, 0], following[:, 0]


class ModuleController(_Predicting):
    """A controller that runs any module that ``plant.rollout`` can train.

    The module is copied. Its state must be a tensor (B, N), where N may be 0; TypeError is raised
    otherwise.
    """

    def __init__(self, module: Any, arm: Parameters | None = None):
        network = copy.deepcopy(module)
        with plain_torch():
            rest = network.initial_state(1)
        if not isinstance(rest, Tensor) or rest.ndim != 2:
            raise TypeError(
                f"the module's state must be a tensor (B, N), not {type(rest).__name__}"
            )
        super().__init__(network, float64_array("the module's state", rest[0]), arm)
        self._kind: Any = {"dtype": rest.dtype, "device": rest.device}

    def _step(self, observation: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with plain_torch(), torch.no_grad():
            given = [torch.from_numpy(value).to(**self._kind) for value in (observation, state)]
            u, y = self.network(*given)
        return float64_array("the module's excitations", u), float64_array("the module's state", y)


def controller_of(checkpoint: Checkpoint) -> Policy:
    """Return the controller that a checkpoint holds."""
    return Policy(checkpoint.network, checkpoint.arm, checkpoint.goal)


def load(name: Path | str) -> Policy:
    """Load a controller, given a shipped name such as "reach", a checkpoint, or a run's folder.

    Raises CheckpointError if there is none, or if the file is damaged.
    """
    return controller_of(load_checkpoint(name))
