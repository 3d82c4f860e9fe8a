"""Baselines beside the paper's network: a gated recurrent unit and a memoryless perceptron.

Both see standardised signals (a fixed shift and scale, as ``coordinates`` gives the paper's
network) and excite every muscle within [0, max_excitation]. Each is given by its equations alone, from
which it is compiled.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from arm_env.arguments import choice
from arm_env.checked import Checked, group, within
from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.task import Task
from rnn_controller.networks.coordinates import SENSORY_DEVIATION, SENSORY_MEAN, command_scale
from rnn_controller.networks.equation_module import CONTROL_PERIODS, EquationConfig, EquationModule
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController

KINDS = ("gru", "mlp")
MEMORY = 0.1  # [s] time constant of a gated unit before it has learnt


@dataclass(frozen=True)
class ModuleConfig(Checked):
    """Kind and size of a baseline."""

    kind: Literal["gru", "mlp"] = "gru"
    """gru: a gated recurrent unit; mlp: two layers of tanh, without memory."""
    neurons: int = within(32, 1, 10_000)
    """Size of the hidden state, or of each hidden layer."""
    control_period: float = within(0.01, *CONTROL_PERIODS)
    """Time between two evaluations Δt [s], equal to the environment's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("kind", self.kind, KINDS)


class Scaling(NamedTuple):
    """What a baseline does not learn."""

    shift: Any  # (18 + K,) mean of each signal
    scale: Any  # (18 + K,) standard deviation of each
    max_excitation: Any  # [-] largest excitation


class GatedWeights(NamedTuple):
    """Weights of a gated recurrent unit; those of reset gate, update gate and candidate are
    stacked, as in torch.
    """

    inputs: Any  # (3 N, 18 + K)
    recurrent: Any  # (3 N, N)
    input_bias: Any  # (3 N,)
    recurrent_bias: Any  # (3 N,)
    motor: Any  # (6, N)
    motor_bias: Any  # (6,)


class PerceptronWeights(NamedTuple):
    """Weights of two layers."""

    first: Any  # (N, 18 + K)
    first_bias: Any  # (N,)
    second: Any  # (N, N)
    second_bias: Any  # (N,)
    motor: Any  # (6, N)
    motor_bias: Any  # (6,)


class Baseline(EquationModule):
    """Standardised observations (B, 18 + K) and a state (B, N) to excitations (B, 6) and the next
    state. Float64.
    """

    def __init__(
        self, config: ModuleConfig, task: Task, arm: Arm, generator: torch.Generator | None = None
    ):
        super().__init__()
        self.config, self.command_size, self.max_excitation = (
            config,
            task.command_size,
            arm.max_excitation,
        )
        self.shift: Tensor
        self.scale: Tensor
        mean, deviation = command_scale(task, arm)
        self.register_buffer("shift", torch.cat([SENSORY_MEAN, mean]))
        self.register_buffer("scale", torch.cat([SENSORY_DEVIATION, deviation]))
        n = config.neurons
        inputs = SENSORY_SIZE + task.command_size
        as_numbers: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
        # torch's own modules hold the weights, under the names that checkpoints know
        self.core: Any
        if config.kind == "gru":
            self.core = nn.utils.skip_init(nn.GRUCell, inputs, n, **as_numbers)
        else:
            layers = [nn.utils.skip_init(nn.Linear, size, n, **as_numbers) for size in (inputs, n)]
            self.core = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh())
        self.motor = nn.utils.skip_init(nn.Linear, n, MUSCLE_COUNT, **as_numbers)
        self._draw(generator)

    def _draw(self, generator: torch.Generator | None) -> None:
        """Weights of deviation 1/√inputs, weak motor ones; a little tonic excitation, and a memory
        of 100 ms.
        """
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
                if parameter.ndim == 2:
                    parameter.normal_(0, parameter.shape[1] ** -0.5, generator=generator)
            self.motor.weight *= 0.2
            self.motor.bias.fill_(math.log(0.1 / 0.9))
            if self.config.kind == "gru":
                n = self.config.neurons
                kept = math.exp(-self.config.control_period / MEMORY)
                # the update gate z; h' = z h + (1 − z) …
                self.core.bias_ih[n : 2 * n] = math.log(kept / (1 - kept))

    @property
    def state_size(self) -> int:
        """Size N of the state: 0 without memory."""
        return self.config.neurons if self.config.kind == "gru" else 0

    @property
    def weights(self) -> GatedWeights | PerceptronWeights:
        """What is trained, in the order of ``parameters``."""
        return (GatedWeights if self.config.kind == "gru" else PerceptronWeights)(
            *self.parameters()
        )

    @property
    def constants(self) -> Scaling:
        """What is not."""
        return Scaling(self.shift, self.scale, self.max_excitation)

    def equations(
        self, xp: Any, w: Any, c: Scaling, observation: Any, state: Any
    ) -> tuple[Any, Any]:
        """Excitations and the next state, with the primitives ``xp``."""
        signal = (observation - c.shift) / c.scale
        if self.config.kind == "gru":
            hidden = state = self._gated(xp, w, signal, state)
        else:
            first = xp.tanh(xp.product(w.first, signal) + w.first_bias)
            hidden = xp.tanh(xp.product(w.second, first) + w.second_bias)
        return c.max_excitation * xp.sigmoid(xp.product(w.motor, hidden) + w.motor_bias), state

    def _gated(self, xp: Any, w: GatedWeights, signal: Any, state: Any) -> Any:
        """The gated recurrent unit of Cho et al. (2014), with torch's place for the reset gate."""
        n = self.config.neurons
        received = xp.product(w.inputs, signal) + w.input_bias
        recalled = xp.product(w.recurrent, state) + w.recurrent_bias
        gates = xp.sigmoid(received[..., : 2 * n] + recalled[..., : 2 * n])
        reset = gates[..., :n]
        kept = gates[..., n:]
        candidate = xp.tanh(received[..., 2 * n :] + reset * recalled[..., 2 * n :])
        return (1 - kept) * candidate + kept * state


AnyConfig = NetworkConfig | ModuleConfig | EquationConfig
"""The configuration of what the trainer trains and a checkpoint holds."""


def network_config(value: Any) -> AnyConfig:
    """The configuration itself, or one made from a mapping of the fields of either."""
    if isinstance(value, EquationConfig):
        return value
    if isinstance(value, ModuleConfig) or (isinstance(value, Mapping) and "kind" in value):
        return group("network", value, ModuleConfig, ModuleConfig())
    return group("network", value, NetworkConfig, NetworkConfig())


def build(config: AnyConfig, task: Task, arm: Arm, generator: torch.Generator) -> EquationModule:
    """A fresh network for the task."""
    if isinstance(config, EquationConfig):
        return config.build(task, arm, generator)
    if isinstance(config, ModuleConfig):
        return Baseline(config, task, arm, generator)
    return RecurrentController(config, task.command_size, generator)


@dataclass(frozen=True)
class FlatWeights:
    """A module's weights as the flat vector that is optimised, in its own order."""

    module: nn.Module

    def vector(self) -> Tensor:
        """The module's present weights."""
        return torch.cat([p.detach().flatten() for p in self.module.parameters()])

    def receivers(self) -> list[Tensor]:
        """Which entries of the vector are a unit's incoming weights: for each row of a matrix their
        indices.
        """
        sizes = [p.numel() for p in self.module.parameters()]
        index = torch.arange(sum(sizes), device="cpu").split(sizes)
        pairs = zip(index, self.module.parameters(), strict=True)
        return [
            row for part, p in pairs for row in part.reshape(p.shape if p.ndim == 2 else (1, -1))
        ]

    def assign(self, vector: Tensor) -> None:
        """Give the module the weights of a vector."""
        nn.utils.vector_to_parameters(vector.detach().clone(), self.module.parameters())

    def gradient(self, vector: Tensor) -> Tensor:
        """The gradient that the module's weights hold."""
        held = ((p, p.grad) for p in self.module.parameters())
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in held])
