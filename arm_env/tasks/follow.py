"""The task of following a target that moves along smooth random paths.

A path is a sum of sinusoids, as in studies of manual tracking (McRuer & Jex 1967, A review of
quasi-linear pilot models), so that the gain of the hand can be measured at each frequency.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from arm_env.checked import within
from arm_env.dynamics.parameters import CostWeights
from arm_env.tasks.measures import Measures, ShownMeasure, quantile_or_nan
from arm_env.tasks.task import FASTEST, Task
from arm_env.tasks.workspace import draw_until, hand_position, joint_angles, moving_state

SINUSOIDS = 4  # of each coordinate, at these shares of the band limit
SHARES = np.arange(1, SINUSOIDS + 1) / SINUSOIDS
COARSE, FINE = 4, 32  # points of a path, over its period, at which it must be in the workspace
TRANSIENT = 1.0  # [s] from the start of a path, before it is measured
LONGEST_LAG = 1.0  # [s] that is looked for
OTHERWISE = 1e-3  # share of a target's variance that need not be of the sinusoids
SHORTEST = 0.75  # periods of the slowest sinusoid from which gains can be told


@dataclass(frozen=True)
class FollowMeasures(Measures):
    """Measures of following, over one path each, from one second after its start to its end.

    A gain is that of the cross-spectrum of target and hand over all movements; 1 is the target's
    own amplitude. It is NaN (None in ``as_dict``) if no target moves at that frequency.

    Attributes:
        fraction_on_target: Share of movements whose mean distance from the target is below 4 cm.
        median_tracking_error_m: Median, over movements, of the mean distance from the target [m].
        p95_tracking_error_m: 95th percentile of the same [m].
        median_lag_s: Median, over movements, of the delay of the hand behind the target [s]. It is
            the delay at which the hand's velocity correlates best with that of the target, and NaN
            if nothing moves.
        gain_at_quarter_band: Gain from target to hand at a quarter of the band limit.
        gain_at_half_band: Gain at half of the band limit.
        gain_at_three_quarters_band: Gain at three quarters of the band limit.
        gain_at_band_limit: Gain at the band limit.
        mean_value: Mean of V = Σ c Δt over the whole path, i.e. minus the mean return.
        number_of_movements: Number of movements.
        seed: Seed of the evaluation.
        noise: Noise level of the evaluation, as for the environments.
    """

    fraction_on_target: float
    median_tracking_error_m: float
    p95_tracking_error_m: float
    median_lag_s: float
    gain_at_quarter_band: float
    gain_at_half_band: float
    gain_at_three_quarters_band: float
    gain_at_band_limit: float
    mean_value: float
    number_of_movements: int
    seed: int
    noise: float


@dataclass(frozen=True)
class Follow(Task):
    """Targets that move along smooth random paths.

    A command is the target's position x, y [m] and velocity [m/s]. A random path has a centre and,
    for each coordinate, four sinusoids at a quarter, a half, three quarters and the whole of
    ``band``, with amplitudes that fall with the frequency. The root mean square of its distance
    from the centre is drawn uniformly in ``extent``. Paths that leave the workspace are drawn
    again, so large ones are rarer than small ones. Raises ValueError for a field outside its range.

    Attributes:
        band: Highest frequency of a path [Hz], 0.1 to 5.
        extent: Range of the root mean square distance of a path from its centre [m].
        shoulder: Range of the shoulder angle in the workspace [rad], as for every ``Task``.
        elbow: Range of the elbow angle in the workspace [rad].
    """

    band: float = within(0.5, 0.1, 5.0)
    extent: tuple[float, float] = within((0.04, 0.12), 0, 1, ascending=True)

    name = "follow"
    env_id = "FollowArm-v0"
    summary = "Follow moving targets."
    entry_points = (
        "arm_env.envs.follow:FollowArmEnv",
        "arm_env.envs.follow:FollowArmVectorEnv",
    )
    argument_names = ("band", "extent")
    max_episode_steps = 800
    success_measure = ("fraction_on_target", "on target")
    shown_measures = (
        ShownMeasure("fraction_on_target", "on target", "%", 100, 1),
        ShownMeasure("median_tracking_error_m", "tracking error", "cm", 100, 1),
        ShownMeasure("median_lag_s", "lag", "ms", 1000, 0),
    )
    moving = True
    dimensions = (2, 4)

    command_names = ("target_x", "target_y", "velocity_x", "velocity_y")
    command_units = {"target_x": "m", "target_y": "m", "velocity_x": "m/s", "velocity_y": "m/s"}
    tolerance = 0.04
    weights = CostWeights(alpha=2.0, gamma=0.05)
    # A trial is 1.5 times as long as one of reaching, and fewer iterations make as good a network.
    training = MappingProxyType({"iterations": 2000})

    @property
    def hold(self):  # type: ignore[override]
        """Period of the slowest sinusoid [s], or 8 s if that is shorter."""
        return max(8.0, SINUSOIDS / self.band)

    def moved_to(self, arm, command, place):
        """Return the command (4,) of a target at rest at a place [m], (2,), in the workspace."""
        return super().moved_to(arm, np.array([*command[:2], 0.0, 0.0]), place)

    @property
    def arguments(self):
        made = Follow(band=self.band, extent=self.extent)  # with the only workspace it knows
        if self == Follow() or self != made:
            return {}
        return {"band": self.band, "extent": self.extent}

    def error(self, xp, command, x, y):
        dx, dy = x - command[..., 0], y - command[..., 1]
        return dx * dx + dy * dy, command[..., 2], command[..., 3]

    def sample_courses(self, rng, number, arm):
        """Return random courses, (number, 18): centre x, y, cosine and sine amplitudes [m].

        The amplitudes are four of the cosine and four of the sine for x, then the same for y.
        """

        def draw():
            centre = hand_position(arm, self.sample_angles(rng, 4 * number))
            waves = rng.normal(size=(4 * number, 2, 2, SINUSOIDS)) / (SHARES * SINUSOIDS)
            size = np.sqrt(0.5 * (waves**2).sum((1, 2, 3), keepdims=True))
            waves *= rng.uniform(*self.extent, (4 * number, 1, 1, 1)) / size
            drawn = np.column_stack([centre, waves.reshape(4 * number, -1)])
            for points in (COARSE, FINE):  # most paths that leave the workspace are found out early
                drawn = drawn[self._in_bounds(arm, drawn, points)]
            return drawn

        refusal = (
            "hardly any path lies in the workspace: the extent must be smaller than "
            f"{self.extent} m"
        )
        return draw_until(draw, number, 2 + 4 * SINUSOIDS, refusal)

    def _in_bounds(self, arm: Any, courses: np.ndarray, points: int) -> np.ndarray:
        """Whether that many points of each path, over its period, are in bounds, (n,) bool."""
        time = np.arange(points) / points * SINUSOIDS / self.band
        commands = self.command_at(courses[:, None], time)
        slow = (np.linalg.norm(commands[..., 2:], axis=-1) <= FASTEST).all(1)
        return slow & self.in_workspace(arm, commands[..., :2]).all(1)

    def command_at(self, courses, time):
        omega = 2 * np.pi * self.band * SHARES  # [rad/s]
        phase = np.asarray(time)[..., None] * omega
        c, s = np.cos(phase), np.sin(phase)  # (..., 4)
        waves = courses[..., 2:].reshape(*courses.shape[:-1], 2, 2 * SINUSOIDS)
        place = courses[..., :2] + (waves @ np.concatenate([c, s], -1)[..., None])[..., 0]
        velocity = (waves @ np.concatenate([-omega * s, omega * c], -1)[..., None])[..., 0]
        return np.concatenate([place, velocity], -1)

    def sample_commands(self, rng, number, arm):
        courses = self.sample_courses(rng, number, arm)
        return self.command_at(courses, rng.uniform(0, SINUSOIDS / self.band, number))

    def command_bounds(self, arm):
        reach = sum(arm.length)
        high = np.array([reach, reach, FASTEST, FASTEST])
        return -high, high

    def check_commands(self, arm, commands):
        joint_angles(arm, self.checked_shape(commands)[:, :2])
        speed = np.linalg.norm(commands[:, 2:], axis=1)
        if (speed > FASTEST).any():
            raise ValueError(f"a target's speed is up to {FASTEST} m/s, not {speed.max()}")

    def attractor_state(self, rng, arm, commands):
        """Return body states (n, 10) whose hand is on the target and moves with it."""
        return moving_state(arm, commands[:, :2], commands[:, 2:])

    def period(self, commands):
        return np.full(len(commands), 1.0)

    def grid(self, arm, number):
        """Return commands (number, 4) of targets that stand still."""
        places = super().grid(arm, number)
        return np.column_stack([places, 0 * places])

    def measured(self, hold):
        """Return when the measured part of one path begins and ends [s]: all but its first second.

        A schedule without a hold of its own (``hold`` is 0) is measured for as long as a random
        path lasts. Raises ValueError if the hold is too short.
        """
        hold = hold or self.hold
        if hold < 2 * TRANSIENT:
            raise ValueError(
                f"a path is measured {TRANSIENT} s after its start: a schedule must hold it for "
                f"{2 * TRANSIENT} s or longer, not {hold} s"
            )
        return TRANSIENT, hold

    def measures(self, recording, start, period, *, seed, noise):
        command = recording.commands[start:]  # (T, B, 4)
        hand = recording.hand[start + 1 :]
        distance = np.linalg.norm(hand - command[..., :2], axis=-1).mean(0)  # (B,)
        longest = min(round(LONGEST_LAG / period), len(hand) // 2)
        lag = best_lag(recording.velocity[start + 1 :], command[..., 2:], longest)
        gain = gains(hand, command[..., :2], period * self.band * SHARES)
        return FollowMeasures(
            fraction_on_target=float((distance < self.tolerance).mean()),
            median_tracking_error_m=float(np.median(distance)),
            p95_tracking_error_m=float(np.quantile(distance, 0.95)),
            median_lag_s=quantile_or_nan(lag[np.isfinite(lag)], 0.5) * period,
            gain_at_quarter_band=gain[0],
            gain_at_half_band=gain[1],
            gain_at_three_quarters_band=gain[2],
            gain_at_band_limit=gain[3],
            mean_value=float(-recording.rewards.sum(0).mean()),
            number_of_movements=hand.shape[1],
            seed=seed,
            noise=noise,
        )


def best_lag(hand: np.ndarray, target: np.ndarray, longest: int) -> np.ndarray:
    """Return the delays in samples, (B,), at which hand and target, (T, B, 2), correlate best.

    Delays go up to ``longest`` samples. All are compared over the same samples of the hand, those
    after the first ``longest``. The delay is NaN for a signal that rests.
    """
    last = len(target)
    moving = hand[longest:]
    size = np.sqrt((moving**2).sum((0, 2)))
    correlations = []
    for lag in range(longest + 1):
        before = target[longest - lag : last - lag]
        scale = size * np.sqrt((before**2).sum((0, 2)))
        correlations.append((moving * before).sum((0, 2)) / np.where(scale > 0, scale, 1))
    lags = np.argmax(correlations, axis=0)
    return np.where(np.any(correlations, axis=0), lags, np.nan)


def gains(hand: np.ndarray, target: np.ndarray, frequencies: np.ndarray) -> list[float]:
    """Return the gains from targets to hands, (T, B, 2), at ``frequencies`` in cycles a sample.

    A gain is the modulus of the ``response``, NaN where that is NaN.
    """
    return np.abs(response(hand, target, frequencies)).tolist()


def response(hand: np.ndarray, target: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return the complex response of hands to targets, (T, B, 2), at F ``frequencies``, (F,).

    Frequencies are in cycles a sample. The response is the cross-spectrum of hand and target over
    the target's power, so that the noise of single movements averages out. Its modulus is the gain;
    its angle is below 0 if the hand lags. Amplitudes are those of a fit of all frequencies at once,
    since a recording need not last for whole periods. The response is NaN at a frequency without
    power. All are NaN if the recording is too short to tell the frequencies apart, or if the target
    also moves in another way.
    """
    unknown = np.full(len(frequencies), np.nan + 0j)
    if len(hand) * frequencies[0] < SHORTEST:
        return unknown
    phase = 2 * np.pi * frequencies * np.arange(len(hand))[:, None]  # (T, F)
    design = np.hstack([np.ones((len(hand), 1)), np.cos(phase), np.sin(phase)])
    coefficients = [
        np.linalg.lstsq(design, signal.reshape(len(signal), -1), rcond=None)[0]
        for signal in (hand, target)
    ]
    number = len(frequencies)
    hands, targets = (
        part[1 : number + 1] - 1j * part[number + 1 :] for part in coefficients
    )  # (F, 2 B)
    centred = target - target.mean(0)
    left = target.reshape(len(target), -1) - design @ coefficients[1]
    if (left**2).sum() > OTHERWISE * (centred**2).sum():
        return unknown
    power = (np.abs(targets) ** 2).sum(1)
    cross = (hands * targets.conj()).sum(1)
    found = power > 1e-12 * hands.shape[1]  # [m²] amplitudes above a micrometre
    return np.where(found, cross / np.where(found, power, 1), np.nan)
