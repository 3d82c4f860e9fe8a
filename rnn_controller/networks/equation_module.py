"""What every network has that is given by its equations, and how one of a user's own is configured.

>>> @dataclass(frozen=True)
... class LeakyConfig(EquationConfig):
...     neurons: int = 8
...
...     def build(self, task, arm, generator):
...         return Leaky(self, task.command_size, generator)

With ``Leaky`` an ``EquationModule``, ``TrainConfig(network=LeakyConfig())`` trains it. Checkpoints
name the configuration as ``module:LeakyConfig``, and loading one imports that module.
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
    """A network that is given by its equations, from which it is compiled.

    A subclass has ``config``, ``command_size``, ``state_size``, ``weights``, ``constants`` and
    ``equations``, as ``rnn_controller.rollouts.pontryagin.EquationNetwork`` says. All weights are
    float64 parameters.

    That is enough to be trained. ``coordinates``, ``training_state``, ``revive``,
    ``can_fall_silent`` and ``wake_silent_units`` are what the trainer asks beyond it; each has a
    default that suits any network, and a subclass that knows better overrides it.
    """

    body: Body = ARM
    """What it is for, of M muscles; ``build`` makes it the task's."""
    can_fall_silent: bool = False
    """Whether units may be silent in all trials, so that they have no gradient and stay silent."""

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
        """Excitations (…, M) and the next state (…, N), computed with the primitives ``xp``."""
        raise NotImplementedError

    def initial_state(self, batch: int) -> Tensor:
        """The state at rest, zeros (batch, N)."""
        zeros: Tensor = self.weights[0].new_zeros(batch, self.state_size)
        return zeros

    # What training asks.

    def coordinates(self, task: Task, arm: Parameters) -> FlatVector:
        """The flat vector in which the network is trained: its weights as they are."""
        return FlatWeights(self)

    def training_state(self, drawn: Tensor) -> Tensor:
        """The states (B, N) that training trials start from, given random ones (B, neurons): at
        rest.

        A state that was drawn at random need not be one that the network can be in.
        """
        return self.initial_state(len(drawn))

    def revive(self, untrained: Any) -> bool:
        """Excite the muscles again when none is excited in any trial, with weights of an untrained
        network of the same kind; False, and nothing changes, if the network knows no way.
        """
        return False

    def wake_silent_units(self, untrained: Any, u: Tensor, y: Tensor, tone: float) -> None:
        """Give units new weights that were silent in all trials, of excitations u (B, T, M) and
        states y (B, T + 1, N); asked only of a network that ``can_fall_silent``.
        """

    def forward(self, observation: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Excitations (B, M) and the next state (B, N), from (B, 3 M + K) and (B, N)."""
        return self.equations(TENSORS, self.weights, self.constants, observation, state)


@dataclass(frozen=True)
class EquationConfig(Checked):
    """Size and constants of a network of one's own: numbers, names, and tuples of them."""

    control_period: float = within(0.01, *CONTROL_PERIODS)
    """Time between two evaluations Δt [s], equal to the environment's."""

    def build(self, task: Task, arm: Parameters, generator: torch.Generator) -> EquationModule:
        """Return a fresh network for the task, with this configuration as its ``config``."""
        raise NotImplementedError
