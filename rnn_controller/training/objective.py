"""Value and objective (Huh & Todorov 2009, eqs. 4 and 5')."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arm_env.codegen.compiling import Kernels, compile_source, once_for_each_trace
from arm_env.codegen.tracing import flatten, load
from arm_env.dynamics.parameters import CostWeights, Parameters
from arm_env.dynamics.plant import compiled, with_adjoint
from arm_env.dynamics.task_kernels import TracedTask, trace_task
from arm_env.tasks.task import Task
from rnn_controller.rollouts.parallel import in_parallel
from rnn_controller.rollouts.plant import TORCH, tensors

VALUES = """
def values(first, last, p, w, period, x, u, k, lengths, v):
    cost = empty((u.shape[1], 1))
    for b in range(first, last):
        cost_rows(0, lengths[b], p, w, x[b, 1:], u[b], k[b], cost)
        total = 0.0
        for t in range(lengths[b]):
            total += cost[t, 0]
        v[b] = period * total

def values_vjp(first, last, p, w, period, x, u, k, lengths, gv, gx, gu):
    g = empty((u.shape[1], 1))
    for b in range(first, last):
        for i in range(gx.shape[2]):
            gx[b, 0, i] = 0.0
        gx[b, lengths[b] + 1 :] = 0.0
        gu[b, lengths[b] :] = 0.0
        g[:] = period * gv[b]
        cost_vjp_rows(0, lengths[b], p, w, x[b, 1:], u[b], k[b], g, gx[b, 1:], gu[b])
"""


@once_for_each_trace(trace_task)
def value_kernels(traced: TracedTask) -> Kernels:
    """Return the compiled ``values`` of a batch of trials, and their adjoint."""
    # The cost of one period is traced once; loop and adjoint are made from the same text.
    body = traced.body
    x, u = load("x", (body.state_size,)), load("u", (body.muscle_count,))
    cost = flatten([sum(traced.terms)])
    functions = with_adjoint(
        "cost", ["p", "w", "x", "u", "k"], cost, {"x": flatten([x]), "u": flatten([u])}
    )
    return compile_source("values", VALUES, **compiled(functions))


class _Values(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, task: Task, constants: Any, x: Tensor, u: Tensor, *given: Tensor
    ) -> Tensor:
        ctx.arguments = (
            *constants,
            *(value.detach().contiguous().numpy() for value in (x, u, *given)),
        )
        ctx.kernels = value_kernels(task)
        v = np.empty(len(x))
        in_parallel(ctx.kernels.values, len(x), *ctx.arguments, v)
        return torch.from_numpy(v)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gv: Tensor) -> Any:
        *_, x, u, _, _ = ctx.arguments
        gx, gu = np.empty(x.shape), np.empty(u.shape)
        in_parallel(ctx.kernels.values_vjp, len(x), *ctx.arguments, gv.contiguous().numpy(), gx, gu)
        return None, None, torch.from_numpy(gx), torch.from_numpy(gu), None, None


def values(
    task: Task,
    arm: Parameters,
    weights: CostWeights,
    x: Tensor,
    u: Tensor,
    commands: Tensor,
    control_period: float,
    lengths: Tensor | None = None,
) -> Tensor:
    """Return the value V = Σ c Δt of every trial, (B,), with the environment's cost c (eq. 4).

    x (B, T + 1, S) are body states, u (B, T, M) excitations, commands (B, T, K). A period is
    charged the cost of the state that it ends in. Periods beyond a trial's ``lengths`` (B,) cost
    nothing. For float64 on the CPU the sum is compiled; it is then differentiable once, along x and
    u. Otherwise it is ``torch_values``. Raises ValueError for shapes that do not fit.
    """
    lengths = torch.full((len(x),), u.shape[1], device=x.device) if lengths is None else lengths
    given = (x, u, commands)
    batch, periods = (*u.shape, 0, 0)[:2]
    shapes = (
        (batch, periods + 1, task.body.state_size),
        (batch, periods, task.body.muscle_count),
        (batch, periods, task.command_size),
    )
    if (x.shape, u.shape, commands.shape, lengths.shape) != (*shapes, (batch,)):
        found = ", ".join(str(tuple(value.shape)) for value in (*given, lengths))
        raise ValueError(
            f"x, u, commands and lengths must be {', '.join(map(str, (*shapes, (batch,))))}, "
            f"not {found}"
        )
    if batch and not 0 <= int(lengths.min()) <= int(lengths.max()) <= periods:
        raise ValueError(
            f"lengths go from 0 to {periods} periods, not from {lengths.min()} to {lengths.max()}"
        )
    if all(value.dtype == torch.float64 and value.device.type == "cpu" for value in given):
        return _Values.apply(task, (arm.flat(), weights.flat(), control_period), *given, lengths)
    return torch_values(task, arm, weights, x, u, commands, control_period, lengths)


def torch_values(
    task: Task,
    arm: Parameters,
    weights: CostWeights,
    x: Tensor,
    u: Tensor,
    commands: Tensor,
    control_period: float,
    lengths: Tensor,
) -> Tensor:
    """Return ``values`` (B,) by torch's own operations, differentiable any number of times.

    The arguments have the shapes of those of ``values``: x (B, T + 1, S), u (B, T, M), commands
    (B, T, K), lengths (B,).
    """
    # the same cost, over torch's primitives
    numbers = tensors(arm, x.dtype, x.device), tensors(weights, x.dtype, x.device)
    cost = sum(task.cost(TORCH, *numbers, x[:, 1:], u, commands), x.new_zeros(()))  # (B, T)
    cost = cost * (torch.arange(cost.shape[1], device=x.device) < lengths[:, None])
    return cost.sum(-1) * control_period


def risk_sensitive(v: Tensor, beta: float) -> Tensor:
    """Return the objective A = (1/β) log mean exp(β V) (eq. 5') of values V (B,).

    It is the mean for β = 0 and the maximum for β = ∞. Raises ValueError for β < 0.
    """
    if not beta >= 0:
        raise ValueError(f"the risk sensitivity β is 0 or above, not {beta}")
    # Below, the logarithm would have lost all digits.
    if beta < 1e-9:
        return v.mean()
    if math.isinf(beta):
        return v.max()
    return (torch.logsumexp(beta * v, 0) - math.log(len(v))) / beta


def of_parts(objectives: Tensor, numbers: Tensor, beta: float) -> Tensor:
    """Return the objective of all trials from the objectives of parts of them.

    P parts have the ``objectives`` (P,), by ``risk_sensitive``, and the ``numbers`` (P,) of trials.
    The gradient along the parts' objectives says how much each part's own gradient weighs.
    """
    # log-sum-exp of log-sum-exps; a part weighs as many trials as it has
    share = numbers / numbers.sum()
    if beta < 1e-9:
        return (share * objectives).sum()
    if math.isinf(beta):
        return objectives.max()
    return torch.logsumexp(beta * objectives + torch.log(share), 0) / beta
