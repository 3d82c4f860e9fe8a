"""Value and objective (Huh & Todorov 2009, eqs. 4 and 5')."""

import math

import torch
from torch import Tensor

from arm_env.parameters import Arm, CostWeights
from arm_env.tasks import Task
from rnn_controller.plant import TORCH, tensors


def values(
    task: Task,
    arm: Arm,
    weights: CostWeights,
    x: Tensor,
    u: Tensor,
    commands: Tensor,
    control_period: float,
    lengths: Tensor | None = None,
) -> Tensor:
    """V = Σ c Δt of every movement, (B,), with the environment's own cost (eq. 4).

    x (B, T + 1, 10), u (B, T, 6), commands (B, T, K). A period is charged for the state it ends in,
    those beyond a movement's length (B,) not at all.
    """
    numbers = tensors(arm, x.dtype, x.device), tensors(weights, x.dtype, x.device)
    cost = sum(task.cost(TORCH, *numbers, x[:, 1:], u, commands), x.new_zeros(()))  # (B, T)
    if lengths is not None:
        cost = cost * (torch.arange(cost.shape[1], device=x.device) < lengths[:, None])
    return cost.sum(-1) * control_period


def risk_sensitive(v: Tensor, beta: float) -> Tensor:
    """A = (1/β) log mean exp(β V) (eq. 5'); the mean for β = 0, the maximum for β = ∞."""
    if not beta >= 0:
        raise ValueError(f"the risk sensitivity β is 0 or above, not {beta}")
    if beta < 1e-9:  # where the logarithm would have lost all digits
        return v.mean()
    if math.isinf(beta):
        return v.max()
    return (torch.logsumexp(beta * v, 0) - math.log(len(v))) / beta
