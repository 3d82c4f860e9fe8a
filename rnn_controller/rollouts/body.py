"""A body as torch functions, so that any module can be trained through it: eager, or compiled.

Both map the body's state to its sensory signal, and to the state one control period later, with
gradients. The compiled one runs the kernels of ``arm_env.dynamics.plant`` and their exact adjoints.
"""

import functools
import inspect
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arm_env.codegen.compiling import Kernels, compile_source
from arm_env.codegen.primitives import Primitives
from arm_env.dynamics.body import ARM, Body
from arm_env.dynamics.parameters import Parameters
from arm_env.dynamics.plant import kernels_of, physics_of
from rnn_controller.rollouts.parallel import in_parallel

TORCH = Primitives(
    torch.exp, torch.log, torch.sin, torch.cos, torch.sqrt,
    lambda x, a, b: torch.where(x > 0, a, b), torch.stack, torch.concatenate,
)  # fmt: skip
SHARE = 100  # arms that are worth a thread: handing work over costs as much as a period of these

# Functions of a body, with which ``move`` and ``move_vjp`` are compiled.
excite_rows: Any = None
excite_vjp_rows: Any = None
step_rows: Any = None
step_vjp_rows: Any = None


def tensors(parameters: Parameters, dtype: torch.dtype = torch.float64, device: Any = "cpu") -> Any:
    """Return the group of parameters with tensors as fields."""
    return parameters.map(lambda value: torch.tensor(value, dtype=dtype, device=device))


class TorchBody(Protocol):
    """A batch of bodies as functions of their states x (B, S), which it does not hold."""

    def sense(self, x: Tensor) -> Tensor:
        """Return the sensory signals (B, 3 M), without noise."""

    def move(self, x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        """Return the states (B, S) one control period later.

        The excitations u and their noise are (B, M).
        """


class EagerBody:
    """A body by torch's operations: any type and device, differentiable any number of times."""

    def __init__(
        self,
        arm: Parameters,
        control_period: float,
        substeps: int,
        dtype: torch.dtype = torch.float64,
        device: Any = "cpu",
        body: Body = ARM,
    ):
        self.body = body
        self.numbers = tensors(arm, dtype, device)
        self.substeps = substeps
        self.step = torch.tensor(control_period / substeps, dtype=dtype, device=device)

    def sense(self, x: Tensor) -> Tensor:
        """Return the sensory signals (B, 3 M), without noise."""
        return self.body.sense(TORCH, self.numbers, x)

    def move(self, x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        """Return the states (B, S) one control period later."""
        excitation = self.body.excitation(TORCH, self.numbers, u, noise)
        for _ in range(self.substeps):
            x = self.body.step(TORCH, self.numbers, x, excitation, self.step)
        return x


# These kernels take one arm a row, as torch's tensors hold it, and not the lanes that the compiled
# closed loop works on. They copy the rows into lanes and back.
class CompiledBody:
    """A body by compiled kernels: float64 on the CPU, differentiable once, not along the noise."""

    def __init__(self, arm: Parameters, control_period: float, substeps: int, body: Body = ARM):
        self.body = body
        self.constants = (arm.flat(), control_period / substeps)
        self.substeps = substeps

    def sense(self, x: Tensor) -> Tensor:
        """Return the sensory signals (B, 3 M), without noise."""
        return _Sense.apply(x, self.body, self.constants[0])

    def move(self, x: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        """Return the states (B, S) one control period later."""
        return _Move.apply(x, u, noise, self.body, self.constants, self.substeps)


def move(first, last, arm, control, path):
    """Fill path (substeps + 1, B, S) from its first states."""
    p, h = arm
    u, noise, excitation = control
    excite_rows(first, last, p, u, noise, excitation)
    for i in range(len(path) - 1):
        step_rows(first, last, p, h, path[i], excitation, path[i + 1])


def move_vjp(first, last, arm, control, path, cotangents):
    """Carry the cotangent of the path's last states back to its first, and fill that of u.

    The cotangents are gx (B, S), gu (B, M), and room for two more of the excitation.
    """
    p, h = arm
    u, noise, excitation = control
    gx, gu, ge, part = cotangents
    # computed again: autograd would keep one for every period until the backward pass
    excite_rows(first, last, p, u, noise, excitation)
    for row in range(first, last):
        for i in range(ge.shape[1]):
            ge[row, i] = 0.0
    for i in range(len(path) - 2, -1, -1):
        step_vjp_rows(first, last, p, h, path[i], excitation, gx, gx, part)
        for row in range(first, last):
            for j in range(ge.shape[1]):
                ge[row, j] += part[row, j]
    excite_vjp_rows(first, last, p, u, noise, ge, gu)


@functools.cache
def movements_of(body: Body) -> Kernels:
    """Return ``move`` and ``move_vjp``, compiled for a body."""
    source = "\n\n".join(inspect.getsource(function) for function in (move, move_vjp))
    return compile_source("move", source, **physics_of(body))


def _array(value: Tensor) -> np.ndarray:
    return value.detach().contiguous().numpy()


class _Sense(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, body: Body, p: np.ndarray) -> Tensor:
        ctx.save_for_backward(x)
        ctx.body, ctx.p = body, p
        signal = np.empty((len(x), body.sensory_size))
        in_parallel(kernels_of(body).sense_rows, len(x), p, _array(x), signal, share=SHARE)
        return torch.from_numpy(signal)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        gx = np.empty((len(x), ctx.body.state_size))
        kernel = kernels_of(ctx.body).sense_vjp_rows
        in_parallel(kernel, len(x), ctx.p, _array(x), _array(g), gx, share=SHARE)
        return torch.from_numpy(gx), None, None


class _Move(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, u: Tensor, noise: Tensor, body: Body, arm: Any, substeps: int
    ) -> Tensor:
        ctx.save_for_backward(u, noise)
        path = np.empty((substeps + 1, len(x), body.state_size))
        path[0] = x.detach().numpy()
        ctx.body, ctx.arm, ctx.path = body, arm, path
        control = (_array(u), _array(noise), np.empty((len(x), body.muscle_count)))
        in_parallel(movements_of(body).move, len(x), ctx.arm, control, path, share=SHARE)
        # a copy: the caller may change its states in place, and the path is needed as it is
        return torch.from_numpy(path[-1].copy())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Any:
        gx = _array(g).copy()  # the kernel overwrites it, and g belongs to autograd
        excitation, ge, part, gu = np.empty((4, len(g), ctx.body.muscle_count))
        control = (*(_array(value) for value in ctx.saved_tensors), excitation)
        cotangents = (gx, gu, ge, part)
        kernel = movements_of(ctx.body).move_vjp
        in_parallel(kernel, len(g), ctx.arm, control, ctx.path, cotangents, share=SHARE)
        return torch.from_numpy(gx), torch.from_numpy(gu), None, None, None, None
