"""Training samples (Huh & Todorov 2009, IV.C and fig. 4): hold on one attractor, jump to another."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.simulation import NOISE_PERIOD
from arm_env.tasks import Reach


@dataclass(frozen=True)
class Movements:
    """A batch of B movements of T control periods."""

    x0: Tensor  # (B, 10) body on the first attractor
    y0: Tensor  # (B, N) random neural state, from silent to twice as lively as usual
    commands: Tensor  # (B, T, K)
    noise: Tensor  # (B, T, 18 + K + 6) ω of s, k and u


def sample(
    rng: np.random.Generator,
    number: int,
    neurons: int,
    *,
    task: Reach,
    arm: Arm,
    hold: float = 1.0,
    noise: float = 0.2,
    control_period: float = 0.01,
) -> Movements:
    """Draw ``number`` movements: both commands held for ``hold`` [s], the jump half-way."""
    targets = task.sample_commands(rng, 2 * number, arm).reshape(2, number, -1)
    x0 = task.attractor_state(rng, arm, targets[0])
    held = round(hold / control_period)
    commands = np.repeat(targets.transpose(1, 0, 2), held, axis=1)  # (B, T, K)
    shape = (number, 2 * held, SENSORY_SIZE + task.command_size + MUSCLE_COUNT)
    deviation = noise * (NOISE_PERIOD / control_period) ** 0.5
    omega = rng.standard_normal(shape, dtype=np.float32) if noise else np.zeros(shape, dtype=np.float32)
    return Movements(
        x0=torch.from_numpy(x0),
        y0=torch.from_numpy(rng.uniform(0, 2, (number, 1)) * rng.uniform(0, 1, (number, neurons))),
        commands=torch.from_numpy(commands),
        noise=torch.from_numpy(omega.astype(np.float64) * deviation),
    )
