"""The arm as a differentiable torch plant: the functions of ``arm_env.equations`` on tensors.

Any module that maps (observation, state) to (excitations, state) can be trained through
``rollout``. It is eager and general; ``rnn_controller.pontryagin`` is the compiled special case.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from arm_env import equations
from arm_env.equations import Primitives
from arm_env.parameters import Arm, Parameters
from arm_env.plant import SENSORY_SIZE

TORCH = Primitives(
    torch.exp, torch.log, torch.sin, torch.cos, torch.sqrt,
    lambda x, a, b: torch.where(x > 0, a, b), torch.stack, torch.concatenate,
)  # fmt: skip


def tensors(parameters: Parameters, dtype: torch.dtype = torch.float64, device: Any = None) -> Any:
    """The group's fields as tensors."""
    return parameters.map(lambda value: torch.tensor(value, dtype=dtype, device=device))


class DifferentiableController(Protocol):
    """What ``rollout`` trains; an ``nn.Module`` with these two methods."""

    def initial_state(self, batch: int) -> Any:
        """The controller's state before the first observation."""

    def __call__(self, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Excitations (B, 6) and the next state, from the observation (B, 18 + K)."""


def advance(
    controller: DifferentiableController,
    numbers: Any,
    x: Tensor,
    state: Any,
    command: Tensor,
    noise: Tensor,
    step: Any,
    substeps: int,
) -> tuple[Tensor, Tensor, Any]:
    """One control period of the closed loop: the next body state (B, 10), excitations (B, 6), the next state.

    ``numbers`` are the arm's ``tensors``, noise (B, 18 + K + 6) is ω of s, k and u, ``step`` a physics step [s].
    """
    observed = SENSORY_SIZE + command.shape[-1]
    signal = torch.cat([equations.sense(TORCH, numbers, x), command], -1)  # (B, 18 + K)
    u, state = controller(signal * (1 + noise[..., :observed]), state)  # (B, 6)
    excitation = equations.excitation(TORCH, numbers, u, noise[..., observed:])
    for _ in range(substeps):
        x = equations.step(TORCH, numbers, x, excitation, step)
    return x, u, state


def rollout(
    controller: DifferentiableController,
    arm: Arm,
    x0: Tensor,
    commands: Tensor,
    noise: Tensor,
    control_period: float = 0.01,
    substeps: int = 2,
    state: Any = None,
) -> tuple[Tensor, Tensor]:
    """Run body and controller in closed loop, with gradients.

    x0 (B, 10) body states; commands (B, T, K); noise (B, T, 18 + K + 6), the ω of every signal in
    the order s, k, u. Returns body states (B, T + 1, 10) and excitations (B, T, 6).
    """
    numbers = tensors(arm, x0.dtype, x0.device)
    state = controller.initial_state(len(x0)) if state is None else state
    step = torch.tensor(control_period / substeps, dtype=x0.dtype, device=x0.device)
    x, states, actions = x0, [x0], []
    for t in range(commands.shape[1]):
        x, u, state = advance(controller, numbers, x, state, commands[:, t], noise[:, t], step, substeps)
        states.append(x)
        actions.append(u)
    return torch.stack(states, 1), torch.stack(actions, 1)
