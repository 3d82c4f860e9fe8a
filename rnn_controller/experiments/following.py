"""Following a target that moves along sums of sinusoids, at several bandwidths."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from arm_env.arguments import count, floats
from arm_env.checked import Checked, within
from arm_env.tasks.follow import SHARES, SINUSOIDS, TRANSIENT, Follow, response
from arm_env.tasks.schedules import FOR_EVER
from rnn_controller.experiments.subject import subject, watch
from rnn_controller.watching import progress_bar

BANDS = (0.25, 0.5, 1.0, 2.0)  # [Hz]
EXTENT = (0.04, 0.08)  # [m] root mean square of the target's distance from its centre
MOST_ARMS = 10_000


@dataclass(frozen=True, eq=False)
class Paths(Checked):
    """A schedule in which each arm of a batch follows its own course.

    Attributes:
        courses: (B, P) courses of ``task``.
        task: The task whose courses they are.
        size: Number of components of a command.
        hold: Time between two commands [s]; 0 is every control period.
    """

    courses: np.ndarray
    task: Follow
    size: int
    hold: float = within(0.0, 0, FOR_EVER)

    def commands(self, rng, segment, time, task, arm):
        """Return the commands (B, K) of all arms at times (B,) [s]."""
        return self.task.command_at(self.courses, np.asarray(time))[:, : self.size]


@dataclass(frozen=True)
class Following:
    """Following at F band limits, with 4 frequencies each, by B arms.

    Gain and lag are those of the cross-spectrum of target and hand, over both coordinates and all
    arms, at the target's own frequencies (a least-squares Fourier fit of the positions, without the
    first second).

    Attributes:
        bands: (F,) [Hz] band limits.
        frequencies: (F, 4) [Hz] frequencies of the target's sinusoids.
        gain: (F, 4) gain from target to hand; 1 is the target's own amplitude.
        lag: (F, 4) [s] phase lag of the hand over the angular frequency; below 0 the hand leads.
        error: (F,) [m] median over arms of the mean distance from the target.
        time: F arrays (T,) [s] since the start.
        hand: F arrays (T, B, 2) [m] positions of the hand.
        target: F arrays (T, B, 2) [m] positions of the target.
    """

    bands: np.ndarray
    frequencies: np.ndarray
    gain: np.ndarray
    lag: np.ndarray
    error: np.ndarray
    time: tuple[np.ndarray, ...]
    hand: tuple[np.ndarray, ...]
    target: tuple[np.ndarray, ...]


def following(
    controller: Any = "follow",
    *,
    bands: Any = BANDS,
    arms: int = 20,
    env_id: str = "FollowArm-v0",
    noise: float = 0.0,
    seed: int = 0,
    progress: bool = True,
    **environment: Any,
) -> Following:
    """Let a controller follow random targets of several band limits, and measure gain and lag.

    A target's path is that of ``FollowArm-v0``: sinusoids at a quarter, a half, three quarters and
    the whole of the band limit, one of ``bands`` [Hz]. Each of ``arms`` hands follows a path of its
    own for one second more than the period of its slowest sinusoid. With
    ``env_id="ReachArm-v0"``, a controller for reaching sees the target's position alone.
    ``progress`` shows a bar on stderr. ``noise`` and ``environment`` go to the environment. Raises
    ValueError for a value outside its range.
    """
    given, arguments = subject(controller, environment)
    limits = np.atleast_1d(floats(bands))
    if limits.ndim != 1 or not len(limits):
        raise ValueError(f"bands must be band limits [Hz], shape (F,), not shape {limits.shape}")
    number = count("arms", arms, 1, MOST_ARMS)
    tasks = [Follow(band=float(limit), extent=EXTENT) for limit in limits]
    size = 2 if env_id == "ReachArm-v0" else 4
    gain, lag, errors, times, hands, targets = [], [], [], [], [], []
    rng = np.random.default_rng(seed)
    arm = arguments.get("arm") or Follow.body.parameters
    for task in progress_bar(tasks, disable=not progress, desc="follow"):
        courses = task.sample_courses(rng, number, arm)
        schedule = Paths(courses, task, size)
        seconds = TRANSIENT + SINUSOIDS / task.band
        here = {**arguments, "schedule": schedule, "noise": noise}
        if size == 4:
            here["band"] = task.band
        seen, _, period = watch(given, env_id, number, seconds, seed, here)
        hand, target = seen.hand[1:], seen.commands[..., :2]
        late = round(TRANSIENT / period)
        frequency = task.band * SHARES
        found = response(hand[late:], target[late:], period * frequency)
        gain.append(np.abs(found))
        # a command in force during a period belongs to its begin, the hand to its end
        lag.append(-np.angle(found) / (2 * np.pi * frequency) + period)
        errors.append(np.median(np.linalg.norm(hand - target, axis=-1)[late:].mean(0)))
        times.append(np.arange(1, len(hand) + 1) * period)
        hands.append(hand)
        targets.append(target)
    frequencies = limits[:, None] * SHARES
    return Following(
        limits, frequencies, np.array(gain), np.array(lag), np.array(errors), tuple(times),
        tuple(hands), tuple(targets),
    )  # fmt: skip
