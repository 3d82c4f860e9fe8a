"""The rollout on a GPU as a torch function, with the gradient of the modified maximum principle."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arm_env.dynamics.body import Body
from rnn_controller.rollouts.closed_loop import Physics
from rnn_controller.rollouts.cuda_loop import CudaLoop
from rnn_controller.rollouts.statements import Traced


class CudaRollout(torch.autograd.Function):
    """x, u and y of a rollout; all tensors are on the CPU, and are copied to the GPU."""

    @staticmethod
    def forward(
        ctx: Any, network: tuple[Traced, Body, tuple[Any, ...]], physics: Physics,
        x0: Tensor, y0: Tensor, commands: Tensor, noise: Tensor, lengths: Tensor, *weights: Tensor,
    ) -> Any:  # fmt: skip
        traced, body, constants = network
        values = {
            **{f"w[{i}]": np.atleast_1d(w.detach().numpy()) for i, w in enumerate(weights)},
            **{f"c[{i}]": np.asarray(c) for i, c in enumerate(constants)},
        }
        ctx.loop = CudaLoop(traced, values, body, commands.shape[2], y0.shape[1])
        ctx.physics = physics
        given = (v.detach().numpy() for v in (x0, y0, commands, noise, lengths))
        ctx.on_gpu, found = ctx.loop.forward(physics, *given)
        ctx.save_for_backward(*weights)
        return tuple(map(torch.from_numpy, found))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cx: Tensor, cu: Tensor, _cy: Tensor) -> Any:
        gw, gx, gy, gk = map(
            torch.from_numpy,
            ctx.loop.backward(ctx.on_gpu, ctx.physics, cx.numpy(), cu.numpy()),
        )
        weights = ctx.saved_tensors
        each = gw[: sum(w.numel() for w in weights)].split([w.numel() for w in weights])
        shaped = (g.reshape(w.shape) for g, w in zip(each, weights, strict=True))
        # of network, physics, x0, y0, commands, noise, lengths and the weights
        return (None, None, gx, gy, gk, None, None, *shaped)
