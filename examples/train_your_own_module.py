"""Train any ``nn.Module`` through the differentiable arm; here a GRU learns to reach.

The arm runs compiled. ``--iterations 1000`` learns to reach in some two and a half minutes on one
core. ``benchmarks/train_network.py`` trains a GRU with the settings of this package.
"""

import argparse

import numpy as np
import torch
from torch import nn

from arm_env import Arm, CostWeights, Reach
from rnn_controller.rollouts.plant import rollout
from rnn_controller.training.objective import risk_sensitive, values
from rnn_controller.training.trials import Sampling, sample


class GRUController(nn.Module):
    """Observations (B, 20) to excitations (B, 6), with a GRU between."""

    def __init__(self, size: int = 32):
        super().__init__()
        self.cell, self.motor = nn.GRUCell(20, size), nn.Linear(size, 6)

    def initial_state(self, batch: int) -> torch.Tensor:
        return torch.zeros(batch, self.cell.hidden_size, dtype=torch.float64)

    def forward(
        self, observation: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        state = self.cell(observation, state)
        return nn.functional.softplus(self.motor(state) - 2), state


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--iterations", type=int, default=100)
parser.add_argument("--batch-size", type=int, default=32)
arguments = parser.parse_args()

torch.manual_seed(0)
rng = np.random.default_rng(0)
arm = Arm()
task = Reach()
# the exact eq. 6 is flat far from the target: begin with a wide one
wide = CostWeights(target_radius=0.3)
brief = Sampling(settling=0.0)  # 0.5 s + 0.5 s
controller = GRUController().double()
optimizer = torch.optim.Adam(controller.parameters(), lr=3e-3)
for iteration in range(arguments.iterations):
    m = sample(rng, arguments.batch_size, 0, task=task, arm=arm, sampling=brief)
    x, u = rollout(controller, arm, m.x0, m.commands, m.noise)
    objective = risk_sensitive(values(task, arm, wide, x, u, m.commands, 0.01), beta=3.0)
    optimizer.zero_grad()
    objective.backward()
    nn.utils.clip_grad_norm_(controller.parameters(), 1.0)
    optimizer.step()
    if iteration % 10 == 0:
        print(f"iteration {iteration:4d}  objective {objective.item():.3f}", flush=True)
