"""Training samples (Huh & Todorov 2009, IV.C and fig. 4): hold on one attractor, jump to another."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.simulation import noise_deviation
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
    jump: tuple[float, float] = (0.5, 0.5),
    noise: float = 0.2,
    control_period: float = 0.01,
) -> Movements:
    """Draw ``number`` movements of 2 ``hold`` [s].

    The jump comes half-way as in the paper, or anywhere between the two shares ``jump``: a network that
    only ever saw it at one time learns to expect it then.
    """
    targets = task.sample_commands(rng, 2 * number, arm).reshape(2, number, 1, -1)
    x0 = task.attractor_state(rng, arm, targets[0, :, 0])
    periods = 2 * round(hold / control_period)
    shape = (number, periods, SENSORY_SIZE + task.command_size + MUSCLE_COUNT)
    deviation = noise_deviation(noise, control_period)
    omega = rng.standard_normal(shape, dtype=np.float32) if noise else np.zeros(shape, dtype=np.float32)
    y0 = rng.uniform(0, 2, (number, 1)) * rng.uniform(0, 1, (number, neurons))
    jumps = np.round(rng.uniform(*jump, (number, 1)) * periods)
    before = np.arange(periods) < jumps  # (B, T)
    return Movements(
        x0=torch.from_numpy(x0),
        y0=torch.from_numpy(y0),
        commands=torch.from_numpy(np.where(before[..., None], *targets)),
        noise=torch.from_numpy(omega.astype(np.float64) * deviation),
    )
