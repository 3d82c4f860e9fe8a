"""A network of your own, compiled from its equations: two layers of leaky integrators.

The second layer moves the arm. Here a loop of this script trains the network, and a checkpoint
stores it. ``TrainConfig(network=TwoLayersConfig())`` trains it with this package's recipes. Only
this script can load the checkpoint, because it defines the classes. If they are in another
module, every program that can import that module can load it, also the command line.
"""

import math
import sys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

import arm_env
from arm_env import Arm, CostWeights, Reach
from rnn_controller import Checkpoint, EquationConfig, EquationModule, load
from rnn_controller.rollouts.pontryagin import rollout
from rnn_controller.training.objective import risk_sensitive, values
from rnn_controller.training.trials import sample


class Weights(NamedTuple):
    """The weights, which are trained."""

    inputs: torch.Tensor  # (N, 20)
    within: torch.Tensor  # (N, N)
    between: torch.Tensor  # (N, N)
    motor: torch.Tensor  # (6, N)
    tonic: torch.Tensor  # (6,)


class Constants(NamedTuple):
    """The constants, which are not trained."""

    fast: float
    slow: float


@dataclass(frozen=True)
class TwoLayersConfig(EquationConfig):
    """The configuration, which a checkpoint stores and the network is made from."""

    neurons: int = 8  # of each layer

    def build(self, task, arm, generator):
        return TwoLayers(self, task.command_size, generator)


class TwoLayers(EquationModule):
    """The state is that of both layers, one after the other."""

    def __init__(self, config: TwoLayersConfig, command_size: int, generator: torch.Generator):
        super().__init__()
        n = config.neurons
        self.config, self.command_size, self.state_size = config, command_size, 2 * n
        shapes = [(n, 18 + command_size), (n, n), (n, n), (6, n), (6,)]
        drawn = [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]
        self.blocks = torch.nn.ParameterList(0.1 * block for block in drawn)
        period = config.control_period
        # 30 and 100 ms
        self.constants = Constants(fast=math.exp(-period / 0.03), slow=math.exp(-period / 0.1))

    @property
    def weights(self) -> Weights:
        return Weights(*self.blocks)

    def equations(self, xp, w, c, observation, state):
        n = self.config.neurons
        first, second = state[..., :n], state[..., n:]
        first = c.fast * first + (1 - c.fast) * xp.tanh(
            xp.product(w.inputs, observation) + xp.product(w.within, first)
        )
        second = c.slow * second + (1 - c.slow) * xp.tanh(xp.product(w.between, first))
        return xp.sigmoid(xp.product(w.motor, second) + w.tonic - 2.0), xp.concatenate(
            first, second
        )


network = TwoLayersConfig().build(Reach(), Arm(), torch.Generator().manual_seed(0))
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
rng = np.random.default_rng(0)
for iteration in range(int(sys.argv[1]) if len(sys.argv) > 1 else 300):
    m = sample(rng, 64, network.state_size, task=Reach(), arm=Arm())
    x, u, _ = rollout(network, Arm(), m.x0, m.y0, m.commands, m.noise)
    objective = risk_sensitive(
        values(Reach(), Arm(), CostWeights(target_radius=0.3), x, u, m.commands, 0.01), 3.0
    )
    optimizer.zero_grad()
    objective.backward()
    optimizer.step()
    if iteration % 20 == 0:
        print(f"iteration {iteration:3d}: objective {objective.item():.3f}")
path = Checkpoint(network).save("runs/two-layers/checkpoint.safetensors")
print(arm_env.evaluate(load(path), "ReachArm-v0", movements=200))
