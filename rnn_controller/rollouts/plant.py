"""A body as a differentiable torch plant.

Any module that maps (observation, state) to (excitations, state) can be trained through
``rollout``: the module runs in torch, the body compiled where it can be.
``rnn_controller.rollouts.pontryagin`` compiles both, for networks that are given by their
equations.
"""

from typing import Any, Protocol, TypedDict, Unpack

import torch
from torch import Tensor

from arm_env.dynamics.body import body_of
from arm_env.dynamics.parameters import Parameters
from rnn_controller.rollouts.body import TORCH, CompiledBody, EagerBody, TorchBody, tensors

__all__ = ["TORCH", "DifferentiableController", "advance", "rollout", "tensors"]


class DifferentiableController(Protocol):
    """A controller that ``rollout`` can train: an ``nn.Module`` with these two methods."""

    def initial_state(self, batch: int) -> Any:
        """Return the controller's state before the first observation, for a batch of that size."""

    def __call__(self, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return excitations (B, M) and the next state, from the observation (B, 3 M + K)."""


def advance(
    controller: DifferentiableController,
    body: TorchBody,
    x: Tensor,
    state: Any,
    command: Tensor,
    noise: Tensor,
) -> tuple[Tensor, Tensor, Any]:
    """Run one control period; noise (B, 3 M + K + M) is ω of s, k and u.

    Returns the next body states (B, S), excitations (B, M) and the controller's next state.
    """
    signal = torch.cat([body.sense(x), command], -1)  # (B, 3 M + K)
    observed = signal.shape[-1]
    u, state = controller(signal * (1 + noise[..., :observed]), state)  # (B, M)
    return body.move(x, u, noise[..., observed:]), u, state


class Timing(TypedDict, total=False):
    """The time between two evaluations of the controller, and how the body's physics divides it."""

    control_period: float
    """Time between two evaluations [s], by default 0.01."""
    substeps: int
    """Steps of the physics in a control period, by default 2."""


def rollout(
    controller: DifferentiableController,
    arm: Parameters,
    x0: Tensor,
    commands: Tensor,
    noise: Tensor,
    *,
    state: Any = None,
    compiled: bool | None = None,
    **timing: Unpack[Timing],
) -> tuple[Tensor, Tensor]:
    """Run body and controller in closed loop, with gradients.

    The body is the controller's ``body``, or the arm, of S states and M muscles. x0 (B, S) body
    states; commands (B, T, K); noise (B, T, 3 M + K + M), the ω of every signal in the order s, k,
    u. Returns body states (B, T + 1, S) and excitations (B, T, M). A control period is 0.01 s of 2
    physics steps, unless ``control_period`` and ``substeps`` are given.

    The body runs ``compiled`` unless that is impossible: it takes float64 on the CPU, and has first
    derivatives, none along the noise. ``compiled=False`` is for second derivatives and for torch's
    function transforms. Raises ValueError if True is asked for but impossible.
    """
    obstacle = _obstacle(x0, noise)
    if compiled and obstacle:
        raise ValueError(f"the compiled body {obstacle}: leave compiled=None, or change that")
    time: Timing = {"control_period": 0.01, "substeps": 2, **timing}
    kind = body_of(controller)
    body: TorchBody
    if compiled is False or obstacle:
        body = EagerBody(arm, **time, dtype=x0.dtype, device=x0.device, body=kind)
    else:
        body = CompiledBody(arm, **time, body=kind)
    state = controller.initial_state(len(x0)) if state is None else state
    x = x0
    states = [x0]
    actions = []
    for t in range(commands.shape[1]):
        x, u, state = advance(controller, body, x, state, commands[:, t], noise[:, t])
        states.append(x)
        actions.append(u)
    return torch.stack(states, 1), torch.stack(actions, 1)


def _obstacle(x0: Tensor, noise: Tensor) -> str | None:
    """Return in words why the compiled body can't run; None if it can."""
    for name, value in (("x0", x0), ("noise", noise)):
        if value.dtype != torch.float64 or value.device.type != "cpu":
            return (
                f"takes float64 tensors on the CPU, but {name} is {value.dtype} on {value.device}"
            )
    return (
        "has no gradient along the noise, but noise requires one" if noise.requires_grad else None
    )
