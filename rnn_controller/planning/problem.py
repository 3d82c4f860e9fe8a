"""The cost of a plan, noise-free and under noise, and its gradient."""

from typing import Any

import numpy as np
import torch

from arm_env.dynamics.parameters import Parameters
from arm_env.envs.simulation import noise_deviation, substeps_of
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import moving_state
from rnn_controller.networks.plain_torch import plain_torch
from rnn_controller.planning.commands import Targets
from rnn_controller.planning.misfit import Misfit, slack_of
from rnn_controller.rollouts.plant import TORCH, tensors
from rnn_controller.rollouts.pontryagin import EquationNetwork, rollout

WARM_UP = 3.0  # [s] that arm and network take to forget how they started
ROUNDS = 15  # under noise
SQUARE_MM = 1e6  # mm² in a m²


class Problem:
    """The mean squared distance between the hand and a curve, over one lap, along a plan.

    Half of it is that of a lap without noise, half that of ``ROUNDS`` laps under noise. If the
    noise is 0, it is the former alone.
    """

    def __init__(
        self,
        network: EquationNetwork,
        arm: Parameters,
        task: Task,
        commands: Targets,
        course: np.ndarray,
        *,
        noise: float,
        rng: np.random.Generator,
    ):
        """Take where the hand should be after each control period [m], (T, 2)."""
        self._network, self._arm, self._commands = network, arm, commands
        period = network.config.control_period
        self._substeps = substeps_of(period)
        self._deviation = noise_deviation(noise, period)
        self._noisy = ROUNDS if noise else 0
        self._rng = rng
        self._misfit = Misfit(course, slack_of(len(course), period))
        self._warm_up = round(WARM_UP / period)
        # (warm-up + T,) the period of the lap in which a command is
        self._phase = np.arange(-self._warm_up, len(course)) % len(course)
        first = self._phase[0]
        velocity = (course[first] - course[first - 2]) / (2 * period)
        state = moving_state(arm, course[first - 1][None], velocity[None])
        self._x0 = torch.from_numpy(state).repeat(1 + self._noisy, 1)
        self._y0 = torch.zeros(1 + self._noisy, network.state_size, dtype=torch.float64)
        self._signals = task.body.sensory_size + task.command_size + task.body.muscle_count
        self._body = task.body
        self._draw()

    def renewed(self, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        """Return cost and gradient (n,) at coefficients (n,), under noise drawn for this call."""
        self._draw()
        return self(coefficients)

    def _draw(self) -> None:
        shape = (1 + self._noisy, len(self._phase), self._signals)
        noise = self._deviation * self._rng.standard_normal(shape)
        noise[0] = 0
        self._noise = torch.from_numpy(noise)

    @plain_torch()
    def __call__(self, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the cost [mm²] of coefficients (n, D), and its gradient (n, D)."""
        commands = self._commands.commands(coefficients)
        given = torch.from_numpy(commands[self._phase]).repeat(1 + self._noisy, 1, 1)
        hand = self._hand(given.requires_grad_())
        misfits = [self._misfit(each) for each in hand.detach().numpy()]
        share = np.full(len(misfits), 0.5 / max(self._noisy, 1))
        share[0] = 0.5 if self._noisy else 1.0
        slopes = np.stack([s * slope for s, (_, slope) in zip(share, misfits, strict=True)])
        hand.backward(torch.from_numpy(slopes))
        slope: Any = given.grad
        gradient = np.zeros_like(commands)
        np.add.at(gradient, self._phase, slope.sum(0).numpy())
        penalty, outward = self._commands.penalty(commands)
        cost = penalty + float(share @ [misfit for misfit, _ in misfits])
        return SQUARE_MM * cost, SQUARE_MM * self._commands.pulled_back(gradient + outward)

    def _hand(self, commands: torch.Tensor) -> torch.Tensor:
        """Return the positions of the hand in the lap [m], (rounds, T, 2)."""
        x, _, _ = rollout(
            self._network, self._arm, self._x0, self._y0, commands, self._noise, self._substeps
        )
        states = x[:, self._warm_up + 1 :]
        arm = tensors(self._arm, states.dtype, states.device)
        return torch.stack(self._body.hand(TORCH, arm, states)[:2], -1)
