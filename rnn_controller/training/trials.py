"""Training trials (Huh & Todorov 2009, IV.C and fig. 4): hold on one attractor, jump to another."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from arm_env.arguments import count
from arm_env.checked import Checked, within
from arm_env.dynamics.parameters import Parameters
from arm_env.dynamics.random_numbers import standard_normals
from arm_env.envs.simulation import noise_deviation
from arm_env.tasks.task import Task

Range = tuple[float, float]
THROWN_SPEED = 2.0  # [rad/s] standard deviation of the joints' velocities in a thrown body
THROWN_ACTIVATION = 0.5  # [-] largest activation there


@dataclass(frozen=True)
class TrialBatch:
    """A batch of B trials of up to T control periods: a command is held, then jumps to another."""

    x0: Tensor  # (B, S) body on the first attractor
    y0: Tensor  # (B, N) random neural state, from silent to twice as lively as usual
    commands: Tensor  # (B, T, K)
    noise: Tensor  # (B, T, 3 M + K + M) ω of s, k and u
    lengths: Tensor  # (B,) control periods of each; what lies beyond doesn't count

    def parts(self, size: int) -> Iterator["TrialBatch"]:
        """The trials in order, ``size`` at a time."""
        fields = (self.x0, self.y0, self.commands, self.noise, self.lengths)
        yield from (
            TrialBatch(*part) for part in zip(*(field.split(size) for field in fields), strict=True)
        )


@dataclass(frozen=True)
class Sampling(Checked):
    """How trials are drawn.

    The paper holds each command for τ_c + T: ``settling`` [s] and the task's period. Here each hold
    is that times a factor drawn from the ranges ``first`` and ``second``: a network that only ever
    saw the jump at one time learns to expect it then. Each trial's noise is ``noise`` times a
    factor from ``noise_scale``: full noise hides the tremor that is there without it.

    The first ``quiet`` share of the trials draw the second hold from ``quiet_second`` and the
    factor of the noise from ``quiet_noise_scale`` instead. Long holds with little noise show a slow
    drift, which costs little in a short one and is lost in the noise of a loud one.

    The bodies of the first ``thrown`` share start anywhere, moving, instead of on the first
    attractor: a network that only knows starts at rest may hold still at other places, where it
    gets from elsewhere.
    """

    settling: float = within(0.5, 0)
    first: Range = within((1.0, 1.0), 0, ascending=True)
    second: Range = within((1.0, 1.0), 0, ascending=True)
    noise: float = within(0.2, 0)
    noise_scale: Range = within((1.0, 1.0), 0, ascending=True)
    quiet: float = within(0.0, 0, 1)
    quiet_second: Range = within((1.0, 1.0), 0, ascending=True)
    quiet_noise_scale: Range = within((0.0, 0.0), 0, ascending=True)
    thrown: float = within(0.0, 0, 1)
    control_period: float = within(0.01, 0, above=True)


AS_IN_THE_PAPER = Sampling()


def sample(
    rng: np.random.Generator,
    number: int,
    neurons: int,
    *,
    task: Task,
    arm: Parameters,
    sampling: Sampling = AS_IN_THE_PAPER,
) -> TrialBatch:
    """Draw a batch of ``number`` trials."""
    number = count("number", number, 1)
    neurons = count("neurons", neurons)
    s = sampling
    is_quiet = np.arange(number) < round(s.quiet * number)  # (B,)
    # The order of the draws is part of the format of a run: a seed means these trials.
    courses = task.sample_courses(rng, 2 * number, arm).reshape(2, number, -1)
    targets = task.command_at(courses, np.zeros((2, number)))  # (2, B, K)
    x0 = task.attractor_state(rng, arm, targets[0])
    anywhere = round(s.thrown * number)
    if anywhere:
        x0[:anywhere] = thrown_bodies(rng, task, anywhere)
    holds = [s.settling + task.period(commands) for commands in targets]
    factors = (rng.uniform(*s.first, number), drawn(rng, is_quiet, s.second, s.quiet_second))
    jump, rest = (
        np.maximum(1, np.round(hold * factor / s.control_period).astype(int))
        for hold, factor in zip(holds, factors, strict=True)
    )
    lengths = jump + rest
    signals = task.body.sensory_size + task.command_size + task.body.muscle_count
    shape = (number, int(lengths.max()), signals)
    # The noise comes from a counter-based generator of its own, keyed here: it is most of the
    # numbers, and rng would be slower.
    key = int(rng.integers(2**63))
    omega = np.zeros(shape)
    if s.noise:
        standard_normals(key, 0, omega.reshape(-1))
    y0 = rng.uniform(0, 2, (number, 1)) * rng.uniform(0, 1, (number, neurons))
    scale = noise_deviation(s.noise, s.control_period) * drawn(
        rng, is_quiet, s.noise_scale, s.quiet_noise_scale
    )
    omega *= scale[:, None, None]
    period = np.arange(shape[1])
    jump = jump[:, None]
    commands = np.where(
        (period < jump)[..., None],
        task.command_at(courses[0][:, None], period * s.control_period),
        task.command_at(courses[1][:, None], (period - jump) * s.control_period),
    )  # (B, T, K)
    return TrialBatch(
        x0=torch.from_numpy(x0),
        y0=torch.from_numpy(y0),
        commands=torch.from_numpy(commands),
        noise=torch.from_numpy(omega),
        lengths=torch.from_numpy(lengths),
    )


def thrown_bodies(rng: np.random.Generator, task: Task, number: int) -> np.ndarray:
    """Body states (number, S) in any posture of the workspace, moving, muscles active anyhow."""
    body = task.body
    angles = task.sample_angles(rng, number)
    velocities = rng.normal(0, THROWN_SPEED, (number, len(body.joints)))
    activations = rng.uniform(0, THROWN_ACTIVATION, (number, body.muscle_count))
    return np.concatenate([angles, velocities, activations], -1)


def drawn(rng: np.random.Generator, is_quiet: np.ndarray, usual: Range, quiet: Range) -> np.ndarray:
    """Factors (B,) uniform in the range ``quiet`` for the quiet trials, (B,) bool, and ``usual`` for
    the others.
    """
    low, high = np.where(is_quiet[:, None], quiet, usual).T
    return rng.uniform(low, high)
