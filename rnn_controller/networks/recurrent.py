"""The recurrent network of Huh & Todorov (2009), eq. 2, as a module of five named weight blocks."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from arm_env.arguments import choice
from arm_env.checked import Checked, within
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.parameters import Parameters
from arm_env.tasks.task import Task
from rnn_controller.networks.coordinates import Coordinates, FlatVector
from rnn_controller.networks.equation_module import CONTROL_PERIODS, EquationModule

ACTIVATIONS = ("relu", "tanh", "sigmoid")
"""Neural transfer functions σ_y."""


@dataclass(frozen=True)
class NetworkConfig(Checked):
    """Size and constants of the paper's network.

    Attributes:
        neurons: Number of neurons N. The paper has 12 for reaching and 36 for circles.
        time_constant: Time constant τ_y [s] of the neurons. The paper gives none.
        activation: Transfer function σ_y of the neurons: relu as in the paper, tanh, or sigmoid.
        bias: Whether neurons and muscles have a bias, a constant input. The paper's eq. 2 has none.
        control_period: Time Δt [s] between two evaluations of the network, the environment's
            control period.
    """

    neurons: int = within(36, 1, 10_000)
    time_constant: float = within(0.1, 0.0001, 100)
    activation: str = "relu"
    bias: bool = True
    control_period: float = within(0.01, *CONTROL_PERIODS)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("activation", self.activation, ACTIVATIONS)


class Weights(NamedTuple):
    """The weights of eq. 2. A matrix has a row for each neuron or muscle that receives.

    Attributes:
        recurrent: W_yy (N, N).
        sensory: W_ys (N, 3 M).
        command: W_yk (N, K).
        motor: W_uy (M, N).
        reflex: W_us (M, 3 M).
        neural_bias: b_y (N,).
        motor_bias: b_u (M,).
    """

    recurrent: Any
    sensory: Any
    command: Any
    motor: Any
    reflex: Any
    neural_bias: Any
    motor_bias: Any


class Constants(NamedTuple):
    """The constants of eq. 2, which are not trained.

    Attributes:
        leak: Share of the neural state that is left after one control period [-].
    """

    leak: Any


class RecurrentController(EquationModule):
    """The recurrent network of Huh & Todorov (2009), eq. 2.

    τ_y ẏ = −y + σ_y(W_yy y + W_ys s + W_yk k + b_y),  u = [W_uy y + W_us s + b_u]₊

    y (N,) is the neural state, s (3 M,) the sensory signal, k (K,) the command, u (M,) the
    excitation of the muscles. The equation is integrated exactly for inputs that are constant over
    one control period. The command reaches the muscles through the neurons only. All weights are
    float64.
    """

    def __init__(
        self,
        config: NetworkConfig,
        command_size: int,
        generator: torch.Generator | None = None,
        body: Body = ARM,
    ):
        super().__init__()
        self.config = config
        self.command_size = command_size
        self.body = body
        n = config.neurons
        sensors, muscles = body.sensory_size, body.muscle_count
        as_numbers: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}

        def block(rows: int, columns: int, scale: float) -> nn.Parameter:
            return nn.Parameter(
                scale * torch.randn(rows, columns, generator=generator, **as_numbers)
            )

        self.recurrent = block(n, n, 0.5 / n**0.5)  # W_yy
        self.sensory = block(n, sensors, 0.5 / sensors**0.5)  # W_ys
        self.command = block(n, command_size, 1.0)  # W_yk
        # Small and positive: a muscle that is silent everywhere has no gradient, while strong
        # ones co-contract before anything is learnt.
        self.motor = nn.Parameter(block(muscles, n, 0.2 / n).detach().abs())  # W_uy
        self.reflex = block(muscles, sensors, 0.01)  # W_us
        self.neural_bias = nn.Parameter(torch.zeros(n, **as_numbers), requires_grad=config.bias)
        tonic = torch.full((muscles,), 0.1 if config.bias else 0.0, **as_numbers)
        self.motor_bias = nn.Parameter(tonic, requires_grad=config.bias)

    @property
    def leak(self) -> float:
        """Share exp(−Δt / τ_y) of the neural state that is left after one control period."""
        exponent = -self.config.control_period / self.config.time_constant
        return float(torch.exp(torch.tensor(exponent, dtype=torch.float64, device="cpu")))

    @property
    def weights(self) -> Weights:
        """The five blocks and two biases."""
        return Weights(
            self.recurrent, self.sensory, self.command, self.motor, self.reflex,
            self.neural_bias, self.motor_bias,
        )  # fmt: skip

    @property
    def constants(self) -> Constants:
        """The numbers in the equations that are not trained."""
        return Constants(self.leak)

    @property
    def state_size(self) -> int:
        """Number N of neurons."""
        return self.config.neurons

    def equations(
        self, xp: Any, w: Weights, c: Constants, observation: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return excitations and the next state by eq. 2, with the primitives ``xp``."""
        sensors = self.body.sensory_size
        s, k = observation[..., :sensors], observation[..., sensors:]
        drive = (
            xp.product(w.recurrent, state)
            + xp.product(w.sensory, s)
            + xp.product(w.command, k)
            + w.neural_bias
        )
        rate = getattr(xp, self.config.activation)(drive)
        u = xp.relu(xp.product(w.motor, state) + xp.product(w.reflex, s) + w.motor_bias)
        return u, c.leak * state + (1 - c.leak) * rate

    # The methods that only training calls.

    def coordinates(self, task: Task, arm: Parameters) -> FlatVector:
        """Return the map to the vector that training optimises: weights on standardised signals."""
        return Coordinates.of(self, task, arm)

    def training_state(self, drawn: Tensor) -> Tensor:
        """Return the states (B, N) from which training trials start: those drawn.

        They are possible states, since a neuron may fire at any rate.
        """
        return drawn

    @torch.no_grad()
    def revive(self, untrained: "RecurrentController") -> bool:
        """Take motor weights, reflexes and the muscles' tonic drive from an untrained network."""
        for name in ("motor", "reflex", "motor_bias"):
            getattr(self, name).copy_(getattr(untrained, name))
        # Without a bias nothing may excite the muscles at rest. Muscle lengths are about 1, so
        # weights on them are a tonic drive of 0.1.
        if not self.config.bias:
            muscles = self.body.muscle_count
            self.reflex[:, :muscles] += 0.1 / muscles
        return True

    @property
    def can_fall_silent(self) -> bool:  # type: ignore[override]
        """Whether a neuron's rate may be exactly zero, with a slope of zero."""
        return self.config.activation == "relu"

    @torch.no_grad()
    def wake_silent_units(
        self, untrained: "RecurrentController", u: Tensor, y: Tensor, tone: float
    ) -> None:
        """Give neurons and muscles that were silent in all trials weights of an untrained network.

        The trials have excitations u (B, T, M) and neural states y (B, T + 1, N).
        Silent neurons get new incoming weights, and outgoing weights of zero, so that the
        excitations don't change at first. Muscles that were never excited above the tone get the
        bias and the incoming weights of the untrained network.
        """
        slack = ~(u > tone).any(0).any(0)  # (M,)
        for name in ("motor", "reflex", "motor_bias"):
            getattr(self, name)[slack] = getattr(untrained, name)[slack]
        # A silent neuron's state only decays; one that fires is above what is left of it.
        silent = ~(y[:, 1:] > self.leak * y[:, :-1]).any(0).any(0)  # (N,)
        for name in ("recurrent", "sensory", "command", "neural_bias"):
            getattr(self, name)[silent] = getattr(untrained, name)[silent]
        self.recurrent[:, silent] = 0.0
        self.motor[:, silent] = 0.0
