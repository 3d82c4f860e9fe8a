"""Base classes of networks that are given by their equations, and of their configurations.

Your own network needs a subclass of each:

>>> @dataclass(frozen=True)
... class LeakyConfig(EquationConfig):
...     neurons: int = 8
...
...     def build(self, task, arm, generator):
...         return Leaky(self, task.command_size, generator)

With ``Leaky`` a subclass of ``EquationModule``, ``TrainConfig(network=LeakyConfig())`` trains it.
Checkpoints name the configuration as ``module:LeakyConfig``, and loading one imports that module.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from arm_env.checked import Checked, within
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.parameters import Parameters
from arm_env.tasks.task import Task
from rnn_controller.networks.coordinates import FlatVector, FlatWeights
from rnn_controller.rollouts.vector_tracing import TENSORS

CONTROL_PERIODS = (0.0001, 0.1)
"""Shortest and longest time between two evaluations [s]; the environments take no longer one."""


class EquationModule(nn.Module):
    """A network that is given by its equations; its compiled code is made from them.

    A subclass has ``config``, ``command_size``, ``state_size``, ``weights``, ``constants`` and
    ``equations``, as ``rnn_controller.rollouts.pontryagin.EquationNetwork`` says. All weights are
    float64 parameters.

    That is enough for training. The trainer also calls ``coordinates``, ``training_state``,
    ``revive`` and ``wake_silent_units``, and reads ``can_fall_silent``. Each has a default that
    suits any network; a subclass may override it.
    """

    body: Body = ARM
    """The body that the network controls, with M muscles; ``build`` sets it to the task's."""
    can_fall_silent: bool = False
    """Whether a unit that is silent in all trials has no gradient, and so stays silent."""

    if TYPE_CHECKING:  # attributes or properties of the subclass
        config: Any
        command_size: int

        @property
        def state_size(self) -> int: ...

        @property
        def weights(self) -> Any: ...

        @property
        def constants(self) -> Any: ...

    def equations(self, xp: Any, w: Any, c: Any, observation: Any, state: Any) -> tuple[Any, Any]:
        """Return excitations (…, M) and the next state (…, N), computed with the primitives ``xp``.

        ``w`` and ``c`` are the weights and constants, the observation is (…, 3 M + K), the state
        (…, N). ``rnn_controller.rollouts.network_primitives`` lists what ``xp`` has.
        """
        raise NotImplementedError

    def initial_state(self, batch: int) -> Tensor:
        """Return the state at rest: zeros (batch, N)."""
        zeros: Tensor = self.weights[0].new_zeros(batch, self.state_size)
        return zeros

    # The methods that only training calls.

    def coordinates(self, task: Task, arm: Parameters) -> FlatVector:
        """Return the map to the vector that training optimises: the weights as they are."""
        return FlatWeights(self)

    def training_state(self, drawn: Tensor) -> Tensor:
        """Return the states (B, N) from which training trials start: those at rest.

        ``drawn`` are random states (B, neurons). A state that was drawn at random need not be one
        that the network can be in.
        """
        return self.initial_state(len(drawn))

    def revive(self, untrained: Any) -> bool:
        """Excite the muscles again when none is excited in any trial.

        The new weights are those of an untrained network of the same kind. Returns whether the
        weights were changed; by default they are not.
        """
        return False

    def wake_silent_units(self, untrained: Any, u: Tensor, y: Tensor, tone: float) -> None:
        """Give new weights to units that were silent in all trials.

        The trials have excitations u (B, T, M) and states y (B, T + 1, N). Only a network that
        ``can_fall_silent`` is asked for this.
        """

    def forward(self, observation: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return excitations (B, M) and the next state (B, N).

        The observation is (B, 3 M + K), the state (B, N).
        """
        return self.equations(TENSORS, self.weights, self.constants, observation, state)


@dataclass(frozen=True)
class EquationConfig(Checked):
    """Base class of the configuration of your own network.

    A subclass adds fields: numbers, names, and tuples of them.

    Attributes:
        control_period: Time Δt [s] between two evaluations of the network, the environment's
            control period.
    """

    control_period: float = within(0.01, *CONTROL_PERIODS)

    def build(self, task: Task, arm: Parameters, generator: torch.Generator) -> EquationModule:
        """Return a fresh network for the task, with this configuration as its ``config``."""
        raise NotImplementedError
