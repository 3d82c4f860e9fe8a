"""The closed loop of body and controller without noise, as a map, and its linearisation."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from arm_env.control.controllers import check_period
from arm_env.dynamics import equations
from arm_env.dynamics.layout import MUSCLE_COUNT, SENSORY_SIZE, STATE_SIZE
from arm_env.dynamics.parameters import Arm
from arm_env.envs.simulation import substeps_of
from arm_env.tasks.task import Task
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.body import CompiledBody
from rnn_controller.rollouts.plant import TORCH, advance, tensors

CHUNK = 500  # states whose Jacobians are computed at once


class ClosedLoop:
    """The map F of states q = [x; y], body and neural state, over one control period.

    The body is the arm. The controller's state must be a tensor (B, N); TypeError is raised
    otherwise. A state q has n = 10 + N components.
    """

    def __init__(
        self, controller: Any, task: Task, arm: Arm | None = None, control_period: float = 0.01
    ):
        check_period(controller, control_period)
        self.controller = controller
        self.task = task
        self.arm = arm or Arm()
        self.period = control_period
        self.substeps = substeps_of(control_period)
        self._numbers = tensors(self.arm)
        self._body = CompiledBody(self.arm, control_period, self.substeps)
        state = controller.initial_state(1)
        if not isinstance(state, Tensor) or state.ndim != 2:
            raise TypeError(
                "the controller's state must be a tensor (B, N) to be analysed, "
                f"not {type(state).__name__}"
            )
        self.neurons = state.shape[1]
        self.size = STATE_SIZE + self.neurons

    def initial(self, command: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the state (1, n) with the body on the attractor of a command (K,).

        The controller is at rest.
        """
        body = self.task.attractor_state(rng, self.arm, command[None].numpy())
        rest = self.controller.initial_state(1).to(torch.float64)
        return torch.cat([torch.from_numpy(body), rest], -1)

    def step(self, q: Tensor, command: Tensor) -> Tensor:
        """Return the states (B, n) one control period later; differentiable."""
        x = q[..., :STATE_SIZE]
        y = q[..., STATE_SIZE:]
        silence = torch.zeros(
            *q.shape[:-1], SENSORY_SIZE + command.shape[-1] + MUSCLE_COUNT, dtype=q.dtype
        )
        x, _, y = advance(self.controller, self._body, x, y, command, silence)
        return torch.cat([x, y], -1)

    def jacobian(self, q: Tensor, command: Tensor) -> Tensor:
        """Return ∂F/∂q, (B, n, n), at states (B, n) under commands (B, K)."""
        n = self.size
        # Row i of a Jacobian is the gradient of component i. Each state is copied n times, so that
        # one backward pass gives all rows; in parts, since n copies of a long path take memory.
        rows = []
        for states, commands in zip(q.split(CHUNK), command.split(CHUNK), strict=True):
            copies = states.repeat_interleave(n, 0).requires_grad_()
            ahead = self.step(copies, commands.repeat_interleave(n, 0))
            chosen = torch.eye(n, dtype=q.dtype).repeat(len(states), 1)
            rows.append(torch.autograd.grad(ahead, copies, chosen)[0].reshape(-1, n, n))
        return torch.cat(rows)

    def run(self, q: Tensor, command: Tensor, steps: int) -> Tensor:
        """Return states (B, steps + 1, n) from q (B, n) on, under constant commands (B, K)."""
        x = q[:, :STATE_SIZE].contiguous()
        y = q[:, STATE_SIZE:].contiguous()
        commands = command[:, None].expand(-1, steps, -1).contiguous()
        with torch.no_grad():
            if pontryagin.has_equations(self.controller):
                silence = torch.zeros(
                    len(q), steps, SENSORY_SIZE + command.shape[1] + MUSCLE_COUNT, dtype=q.dtype
                )
                xs, _, ys = pontryagin.rollout(
                    self.controller, self.arm, x, y, commands, silence, self.substeps
                )
                return torch.cat([xs, ys], -1)
            states = [q]
            for _ in range(steps):
                states.append(self.step(states[-1], command))
            return torch.stack(states, 1)

    def hand_coordinates(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hand's x and y [m], (...) each, of states (..., n); differentiable."""
        x, y, _, _ = equations.hand(TORCH, self._numbers, q[..., :STATE_SIZE])
        return x, y

    def hand(self, q: Tensor) -> np.ndarray:
        """Return hand positions [m], (..., 2), of states (..., n)."""
        return torch.stack(self.hand_coordinates(q), -1).numpy()
