"""Training trials: a hold on one attractor, then a jump to another.

Source: Huh & Todorov (2009), section IV.C and figure 4.
"""

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
THROWN_SPEED = 2.0  # [rad/s] standard deviation of the joints' velocities in thrown trials
THROWN_ACTIVATION = 0.5  # [-] largest activation there


@dataclass(frozen=True)
class TrialBatch:
    """A batch of B trials of up to T control periods: a command is held, then jumps to another.

    Attributes:
        x0: (B, S) state of the body on the first attractor.
        y0: (B, N) random neural state.
        commands: (B, T, K) command in each control period.
        noise: (B, T, 3 M + K + M) noise ω of the signals s, k and u.
        lengths: (B,) number of control periods of each trial; later ones don't count.
    """

    x0: Tensor
    y0: Tensor
    commands: Tensor
    noise: Tensor
    lengths: Tensor

    def parts(self, size: int) -> Iterator["TrialBatch"]:
        """Yield the trials in order, in batches of ``size`` at most."""
        fields = (self.x0, self.y0, self.commands, self.noise, self.lengths)
        yield from (
            TrialBatch(*part) for part in zip(*(field.split(size) for field in fields), strict=True)
        )


@dataclass(frozen=True)
class Sampling(Checked):
    """The random distribution of training trials.

    The paper holds each command for τ_c + T, the sum of ``settling`` and the task's period. Here
    each hold is that time multiplied by a random factor. With a fixed time, a network learns to
    expect the jump at that time. The noise of each trial is also multiplied by a random factor:
    with full noise in all trials, a network may tremble without noise.

    The first trials of a batch, a share ``quiet`` of it, are quiet: they have ranges of their own
    for the second hold and the noise. Long holds with little noise make a slow drift costly, which
    is cheap in a short hold and hidden by noise.

    A share ``thrown``, also from the first trial on, starts in a random posture with random
    velocities instead of on the first attractor. A network that was trained from rest only may come
    to rest at wrong places, when it starts from other states.

    Attributes:
        settling: Time τ_c [s] to converge to a new attractor.
        first: Range of the factor of the first hold.
        second: Range of the factor of the second hold.
        noise: Standard deviation of the process noise at a step of 5 ms.
        noise_scale: Range of the factor of the noise.
        quiet: Share of quiet trials.
        quiet_second: Range of the factor of a quiet trial's second hold.
        quiet_noise_scale: Range of the factor of a quiet trial's noise.
        thrown: Share of trials that start in a random posture and in motion.
        control_period: Length of a control period [s].
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
    """Draw a batch of ``number`` trials for a task and the body ``arm``.

    ``neurons`` is the size N of the neural states. All randomness comes from ``rng``.
    """
    number = count("number", number, 1)
    neurons = count("neurons", neurons)
    s = sampling
    is_quiet = np.arange(number) < round(s.quiet * number)  # (B,)
    # The order of the draws is part of the format of a run: a seed means these trials.
    courses = task.sample_courses(rng, 2 * number, arm).reshape(2, number, -1)
    targets = task.command_at(courses, np.zeros((2, number)))  # (2, B, K)
    # The body starts on the first command's attractor, so a trial teaches to stay and to jump.
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
    # Neural states are random: networks trained from rest only became bistable (docs/choices.md).
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
    """Draw body states (number, S) of random posture, velocity and muscle activation."""
    body = task.body
    angles = task.sample_angles(rng, number)
    velocities = rng.normal(0, THROWN_SPEED, (number, len(body.joints)))
    activations = rng.uniform(0, THROWN_ACTIVATION, (number, body.muscle_count))
    return np.concatenate([angles, velocities, activations], -1)


def drawn(rng: np.random.Generator, is_quiet: np.ndarray, usual: Range, quiet: Range) -> np.ndarray:
    """Draw a factor for each trial, (B,), uniform in a range.

    The range is ``quiet`` for the quiet trials, (B,) bool, and ``usual`` for the others.
    """
    low, high = np.where(is_quiet[:, None], quiet, usual).T
    return rng.uniform(low, high)
