"""Training samples (Huh & Todorov 2009, IV.C and fig. 4): hold on one attractor, jump to another."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from arm_env.arguments import count
from arm_env.arguments import number as real
from arm_env.arguments import numbers as reals
from arm_env.parameters import Arm
from arm_env.plant import MUSCLE_COUNT, SENSORY_SIZE
from arm_env.random_numbers import standard_normals
from arm_env.simulation import noise_deviation
from arm_env.tasks import Task

Range = tuple[float, float]


@dataclass(frozen=True)
class Movements:
    """A batch of B movements of up to T control periods."""

    x0: Tensor  # (B, 10) body on the first attractor
    y0: Tensor  # (B, N) random neural state, from silent to twice as lively as usual
    commands: Tensor  # (B, T, K)
    noise: Tensor  # (B, T, 18 + K + 6) ω of s, k and u
    lengths: Tensor  # (B,) control periods of each; what lies beyond doesn't count

    def parts(self, size: int) -> Iterator["Movements"]:
        """The movements in order, ``size`` at a time."""
        fields = (self.x0, self.y0, self.commands, self.noise, self.lengths)
        yield from (Movements(*part) for part in zip(*(field.split(size) for field in fields), strict=True))


def sample(
    rng: np.random.Generator,
    number: int,
    neurons: int,
    *,
    task: Task,
    arm: Arm,
    settling: float = 0.5,
    first: Range = (1.0, 1.0),
    second: Range = (1.0, 1.0),
    noise: float = 0.2,
    loudness: Range = (1.0, 1.0),
    control_period: float = 0.01,
) -> Movements:
    """Draw ``number`` movements.

    The paper holds each command for τ_c + T: ``settling`` [s] and the task's period. Here each hold is
    that times a factor drawn from the ranges ``first`` and ``second``: a network that only ever saw
    the jump at one time learns to expect it then. Each movement's noise is ``noise`` times a factor from
    ``loudness``: full noise hides the tremor that is there without it.
    """
    number, neurons = count("number", number, 1), count("neurons", neurons)
    settling, noise = real("settling", settling, 0), real("noise", noise, 0)
    control_period = real("control_period", control_period, 0, above=True)
    first, second, loudness = (
        reals(name, factors, (2,), 0)
        for name, factors in (("first", first), ("second", second), ("loudness", loudness))
    )
    targets = task.sample_commands(rng, 2 * number, arm).reshape(2, number, -1)
    x0 = task.attractor_state(rng, arm, targets[0])
    holds = [settling + task.period(commands) for commands in targets]
    jump, rest = (
        np.maximum(1, np.round(hold * rng.uniform(*factor, number) / control_period).astype(int))
        for hold, factor in zip(holds, (first, second), strict=True)
    )
    lengths = jump + rest
    shape = (number, int(lengths.max()), SENSORY_SIZE + task.command_size + MUSCLE_COUNT)
    key, omega = int(rng.integers(2**63)), np.zeros(shape)
    if noise:
        standard_normals(key, 0, omega.reshape(-1))
    y0 = rng.uniform(0, 2, (number, 1)) * rng.uniform(0, 1, (number, neurons))
    omega *= noise_deviation(noise, control_period) * rng.uniform(*loudness, (number, 1, 1))
    before = np.arange(shape[1]) < jump[:, None]  # (B, T)
    return Movements(
        x0=torch.from_numpy(x0),
        y0=torch.from_numpy(y0),
        commands=torch.from_numpy(np.where(before[..., None], targets[0][:, None], targets[1][:, None])),
        noise=torch.from_numpy(omega),
        lengths=torch.from_numpy(lengths),
    )
