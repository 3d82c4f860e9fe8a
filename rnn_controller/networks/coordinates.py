"""Maps between the weights of a network and the flat vector that training optimises.

Muscle lengths, velocities, tensions and commands vary by different amounts. ``Coordinates``
therefore optimise W' = W σ and b' = b + W μ, where μ and σ are the mean and the standard deviation
of the signals. A step of the same size then has a similar effect for every signal, and a step of W'
does not change the response to the mean signal. This is a linear change of variables (a
preconditioner): the network keeps the weights of eq. 2. Networks that standardise their signals
themselves use ``FlatWeights``.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from arm_env.dynamics.body import Body
from arm_env.dynamics.parameters import Parameters
from arm_env.tasks.task import Task
from rnn_controller.networks.plain_torch import plain_torch


def sensory_scale(body: Body) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the body's sensory signals, (3 M,) each."""
    with plain_torch():
        mean, deviation = (
            torch.tensor(each, dtype=torch.float64).repeat_interleave(body.muscle_count)
            for each in (body.sensory_mean, body.sensory_deviation)
        )
    return mean, deviation


def command_scale(task: Task, arm: Parameters) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the task's commands, (K,) each."""
    commands = torch.from_numpy(task.sample_commands(np.random.default_rng(0), 1000, arm))
    return commands.mean(0), commands.std(0)


class FlatVector(Protocol):
    """The map between a network's weights and the flat vector that is optimised."""

    def vector(self) -> Tensor:
        """Return the network's present weights as a vector (n,)."""

    def receivers(self) -> list[Tensor]:
        """Return, for each unit, the indices of its incoming weights in the vector (n,)."""

    def assign(self, vector: Tensor) -> None:
        """Give the network the weights of a vector (n,)."""

    def gradient(self, vector: Tensor) -> Tensor:
        """Return the gradient (n,) along the vector, from the network's gradients."""


@dataclass(frozen=True)
class FlatWeights:
    """A module's weights as they are, in its own order.

    Attributes:
        module: The module that holds the n weights.
    """

    module: nn.Module

    def vector(self) -> Tensor:
        """Return the module's present weights as a vector (n,)."""
        return torch.cat([p.detach().flatten() for p in self.module.parameters()])

    def receivers(self) -> list[Tensor]:
        """Return the indices of each matrix row's entries in the vector (n,).

        A module's parameter that is no matrix counts as one row.
        """
        sizes = [p.numel() for p in self.module.parameters()]
        index = torch.arange(sum(sizes), device="cpu").split(sizes)
        pairs = zip(index, self.module.parameters(), strict=True)
        return [
            row for part, p in pairs for row in part.reshape(p.shape if p.ndim == 2 else (1, -1))
        ]

    def assign(self, vector: Tensor) -> None:
        """Give the module the weights of a vector (n,)."""
        nn.utils.vector_to_parameters(vector.detach().clone(), self.module.parameters())

    def gradient(self, vector: Tensor) -> Tensor:
        """Return the gradient (n,) that the module's weights hold."""
        held = ((p, p.grad) for p in self.module.parameters())
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in held])


@dataclass(frozen=True)
class Coordinates:
    """The weights of the paper's network (eq. 2) on standardised signals.

    Attributes:
        network: The network, a ``RecurrentController``.
        sensory_mean: (3 M,) mean of each sensory signal.
        sensory_deviation: (3 M,) standard deviation of each sensory signal.
        command_mean: (K,) mean of each component of the command.
        command_deviation: (K,) standard deviation of each component of the command.
    """

    network: Any  # the module of its class imports this one
    sensory_mean: Tensor
    sensory_deviation: Tensor
    command_mean: Tensor
    command_deviation: Tensor

    @classmethod
    def of(cls, network: Any, task: Task, arm: Parameters) -> "Coordinates":
        """Return the coordinates of a network that receives the task's commands."""
        return cls(network, *sensory_scale(task.body), *command_scale(task, arm))

    def vector(self) -> Tensor:
        """Return the network's present weights as a vector (n,)."""
        w = self.network
        neural = w.neural_bias + w.sensory @ self.sensory_mean + w.command @ self.command_mean
        motor = w.motor_bias + w.reflex @ self.sensory_mean
        scaled = (
            w.sensory * self.sensory_deviation,
            w.command * self.command_deviation,
            w.reflex * self.sensory_deviation,
        )
        biases = (neural, motor) if w.config.bias else ()
        return torch.cat(
            [part.detach().flatten() for part in (w.recurrent, w.motor, *scaled, *biases)]
        )

    def parts(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the entries of a vector (n,) in the shapes of the weights, by their names."""
        w = self.network
        names = ["recurrent", "motor", "sensory", "command", "reflex"] + [
            "neural_bias",
            "motor_bias",
        ] * w.config.bias
        shapes = [getattr(w, name).shape for name in names]
        parts = torch.split(vector, [shape.numel() for shape in shapes])
        return {
            name: part.reshape(shape)
            for name, part, shape in zip(names, parts, shapes, strict=True)
        }

    def weights(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the network's weights for a vector (n,), by name; differentiable."""
        w = self.network
        result = self.parts(vector)
        result["sensory"] = result["sensory"] / self.sensory_deviation
        result["command"] = result["command"] / self.command_deviation
        result["reflex"] = result["reflex"] / self.sensory_deviation
        if w.config.bias:
            means = result["sensory"] @ self.sensory_mean + result["command"] @ self.command_mean
            result["neural_bias"] = result["neural_bias"] - means
            result["motor_bias"] = result["motor_bias"] - result["reflex"] @ self.sensory_mean
        return result

    def receivers(self) -> list[Tensor]:
        """Return, for each unit, the indices of its incoming weights in the vector (n,)."""
        index = self.parts(torch.arange(len(self.vector()), device="cpu"))
        neural = ["recurrent", "sensory", "command"]
        motor = ["motor", "reflex"]
        if self.network.config.bias:
            neural = [*neural, "neural_bias"]
            motor = [*motor, "motor_bias"]
        joined = (
            torch.cat([index[name].reshape(rows, -1) for name in names], 1)
            for rows, names in ((len(index["recurrent"]), neural), (len(index["motor"]), motor))
        )
        return [row for matrix in joined for row in matrix]

    def assign(self, vector: Tensor) -> None:
        """Give the network the weights of a vector (n,)."""
        with torch.no_grad():
            for name, value in self.weights(vector).items():
                getattr(self.network, name).copy_(value)

    def gradient(self, vector: Tensor) -> Tensor:
        """Return the gradient (n,) along the vector, from the network's gradients."""
        point = vector.detach().requires_grad_()
        weights = self.weights(point)
        received = [getattr(self.network, name).grad for name in weights]
        return torch.autograd.grad(list(weights.values()), point, received)[0]
