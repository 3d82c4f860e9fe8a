"""Baselines to compare the paper's network with: a gated recurrent unit and a perceptron.

The perceptron has no memory. Both standardise their signals by a fixed shift and scale, and excite
every muscle within [0, max_excitation]. Their compiled code is made from their equations.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from arm_env.arguments import choice
from arm_env.checked import Checked, group, within
from arm_env.dynamics.body import body_of
from arm_env.dynamics.parameters import Parameters
from arm_env.tasks.task import Task
from rnn_controller.networks.coordinates import command_scale, sensory_scale
from rnn_controller.networks.equation_module import CONTROL_PERIODS, EquationConfig, EquationModule
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController

MEMORY = 0.1  # [s] time constant of an untrained gated unit


@dataclass(frozen=True)
class ModuleConfig(Checked):
    """Kind and size of a baseline.

    Attributes:
        kind: gru: a gated recurrent unit; mlp: a perceptron of two tanh layers, without memory.
        neurons: Number of hidden units: of the state of a gru, of each layer of an mlp.
        control_period: Time Δt [s] between two evaluations of the network, the environment's
            control period.
    """

    kind: Literal["gru", "mlp"] = "gru"
    neurons: int = within(32, 1, 10_000)
    control_period: float = within(0.01, *CONTROL_PERIODS)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("kind", self.kind, CELLS)


class Scaling(NamedTuple):
    """The constants of a baseline, which are not trained.

    Attributes:
        shift: (3 M + K,) mean of each signal.
        scale: (3 M + K,) standard deviation of each signal.
        max_excitation: Largest excitation [-].
    """

    shift: Any
    scale: Any
    max_excitation: Any


class GatedWeights(NamedTuple):
    """Weights of a gated recurrent unit.

    Those of reset gate, update gate and candidate are stacked, as in torch.

    Attributes:
        inputs: (3 N, 3 M + K) weights of the signals.
        recurrent: (3 N, N) weights of the state.
        input_bias: (3 N,) bias added to the weighted signals.
        recurrent_bias: (3 N,) bias added to the weighted state.
        motor: (M, N) weights from the hidden units to the muscles.
        motor_bias: (M,) bias of the muscles.
    """

    inputs: Any
    recurrent: Any
    input_bias: Any
    recurrent_bias: Any
    motor: Any
    motor_bias: Any


class PerceptronWeights(NamedTuple):
    """Weights of a perceptron of two hidden layers.

    Attributes:
        first: (N, 3 M + K) weights from the signals to the first layer.
        first_bias: (N,) bias of the first layer.
        second: (N, N) weights from the first layer to the second.
        second_bias: (N,) bias of the second layer.
        motor: (M, N) weights from the second layer to the muscles.
        motor_bias: (M,) bias of the muscles.
    """

    first: Any
    first_bias: Any
    second: Any
    second_bias: Any
    motor: Any
    motor_bias: Any


@dataclass(frozen=True)
class GatedUnit:
    """The gated recurrent unit of Cho et al. (2014); the reset gate acts where torch has it.

    Attributes:
        config: Kind and size of the baseline.
    """

    config: ModuleConfig
    weights = GatedWeights

    @property
    def state_size(self) -> int:
        """Size N of the state."""
        return self.config.neurons

    def core(self, inputs: int, **kind: Any) -> nn.Module:
        """Return the torch module that holds the weights; they are not initialised."""
        return nn.utils.skip_init(nn.GRUCell, inputs, self.config.neurons, **kind)

    def remember(self, core: Any) -> None:
        """Set the bias of the update gate z so that the state decays with 100 ms."""
        n = self.config.neurons
        kept = math.exp(-self.config.control_period / MEMORY)
        core.bias_ih[n : 2 * n] = math.log(kept / (1 - kept))  # h' = z h + (1 − z) …

    def hidden(self, xp: Any, w: GatedWeights, signal: Any, state: Any) -> tuple[Any, Any]:
        """Return the hidden units, which excite the muscles, and again as the next state."""
        n = self.config.neurons
        received = xp.product(w.inputs, signal) + w.input_bias
        recalled = xp.product(w.recurrent, state) + w.recurrent_bias
        gates = xp.sigmoid(received[..., : 2 * n] + recalled[..., : 2 * n])
        reset = gates[..., :n]
        kept = gates[..., n:]
        candidate = xp.tanh(received[..., 2 * n :] + reset * recalled[..., 2 * n :])
        following = (1 - kept) * candidate + kept * state
        return following, following


@dataclass(frozen=True)
class Perceptron:
    """Two layers of tanh, without memory.

    Attributes:
        config: Kind and size of the baseline.
    """

    config: ModuleConfig
    weights = PerceptronWeights

    @property
    def state_size(self) -> int:
        """Size of the state: 0."""
        return 0

    def core(self, inputs: int, **kind: Any) -> nn.Module:
        """Return the torch modules that hold the weights; they are not initialised."""
        n = self.config.neurons
        layers = [nn.utils.skip_init(nn.Linear, size, n, **kind) for size in (inputs, n)]
        return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh())

    def remember(self, core: Any) -> None:
        """Do nothing, since there is no memory."""

    def hidden(self, xp: Any, w: PerceptronWeights, signal: Any, state: Any) -> tuple[Any, Any]:
        """Return the hidden units that excite the muscles, and the empty state."""
        first = xp.tanh(xp.product(w.first, signal) + w.first_bias)
        return xp.tanh(xp.product(w.second, first) + w.second_bias), state


CELLS: dict[str, type[GatedUnit | Perceptron]] = {"gru": GatedUnit, "mlp": Perceptron}
"""Classes of baselines, by the kind in their configuration."""


class Baseline(EquationModule):
    """A baseline network: a gated recurrent unit or a perceptron, in float64.

    It standardises the observations (B, 3 M + K), and maps them and a state (B, N) to excitations
    (B, M) and the next state.
    """

    def __init__(
        self,
        config: ModuleConfig,
        task: Task,
        arm: Any,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.config = config
        self.command_size = task.command_size
        self.body = task.body
        self.max_excitation = arm.max_excitation
        self.shift: Tensor
        self.scale: Tensor
        scales = (sensory_scale(task.body), command_scale(task, arm))
        mean, deviation = (torch.cat(parts) for parts in zip(*scales, strict=True))
        self.register_buffer("shift", mean)
        self.register_buffer("scale", deviation)
        as_numbers: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
        # torch's own modules hold the weights, under the names that checkpoints know
        self.core = self.cell.core(len(mean), **as_numbers)
        muscles = task.body.muscle_count
        self.motor = nn.utils.skip_init(nn.Linear, config.neurons, muscles, **as_numbers)
        self._draw(generator)

    def _draw(self, generator: torch.Generator | None) -> None:
        """Draw the weights, with a deviation of 1/√inputs, and weaker motor weights."""
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
                if parameter.ndim == 2:
                    parameter.normal_(0, parameter.shape[1] ** -0.5, generator=generator)
            self.motor.weight *= 0.2
            self.motor.bias.fill_(math.log(0.1 / 0.9))
            self.cell.remember(self.core)

    @property
    def cell(self) -> GatedUnit | Perceptron:
        """The equations of the baseline, and the shapes of its weights."""
        return CELLS[self.config.kind](self.config)

    @property
    def state_size(self) -> int:
        """Size N of the state: 0 without memory."""
        return self.cell.state_size

    @property
    def weights(self) -> GatedWeights | PerceptronWeights:
        """The trained weights, in the order of ``parameters``."""
        return self.cell.weights(*self.parameters())

    @property
    def constants(self) -> Scaling:
        """The constants, which are not trained."""
        return Scaling(self.shift, self.scale, self.max_excitation)

    def equations(
        self, xp: Any, w: Any, c: Scaling, observation: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return excitations (…, M) and the next state (…, N), with the primitives ``xp``."""
        signal = (observation - c.shift) / c.scale
        hidden, state = self.cell.hidden(xp, w, signal, state)
        return c.max_excitation * xp.sigmoid(xp.product(w.motor, hidden) + w.motor_bias), state


AnyConfig = NetworkConfig | ModuleConfig | EquationConfig
"""The configuration of any network that the trainer trains and a checkpoint holds."""
CONFIGS: dict[str, type[NetworkConfig | ModuleConfig]] = {
    "": NetworkConfig,
    **dict.fromkeys(CELLS, ModuleConfig),
}
"""Configurations by the ``kind`` that a mapping of their fields names; the paper's has none."""
NETWORKS: dict[type, type[EquationModule]] = {
    NetworkConfig: RecurrentController,
    ModuleConfig: Baseline,
}
"""Classes of networks, by the class of their configuration. Your own one builds itself."""


def config_type(values: Mapping[str, Any]) -> type[NetworkConfig | ModuleConfig]:
    """Return the class of the configuration that a mapping of its fields stands for."""
    return CONFIGS.get(str(values.get("kind", "")), ModuleConfig)  # which refuses unknown kinds


def network_config(value: Any) -> AnyConfig:
    """Return the configuration itself, or one made from a mapping of its fields."""
    if isinstance(value, NetworkConfig | ModuleConfig | EquationConfig):
        return value
    kind = config_type(value) if isinstance(value, Mapping) else NetworkConfig
    return group("network", value, kind, kind())


def build(
    config: AnyConfig, task: Task, arm: Parameters, generator: torch.Generator
) -> EquationModule:
    """Return an untrained network for the task, with weights drawn by the generator."""
    if isinstance(config, EquationConfig):
        network: Any = config.build(task, arm, generator)
        if body_of(network) != task.body:
            network.body = task.body
        return network
    if isinstance(config, ModuleConfig):
        return Baseline(config, task, arm, generator)
    return RecurrentController(config, task.command_size, generator, task.body)
