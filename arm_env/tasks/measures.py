"""How well movements went: what ``arm_env.evaluate`` returns for each kind of task."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from arm_env.codegen.primitives import NUMPY

TARGET_SIZE = 0.04  # [m] within the target: d0 of eq. 6
SETTLED = 0.2  # [s] the end of a movement over which its endpoint error is the mean distance
# [m] shorter jumps have no direction or straightness to speak of: targets have a radius of 4 cm
LONG_ENOUGH = 0.10
DEPARTED = 0.03  # [m] from its start, where a movement's initial direction is taken
TOWARD = np.deg2rad(45.0)  # [rad] a hand within this of the target's direction moves toward it
MIDDLING = (0.25, 0.35)  # [m] jumps whose peak speeds are comparable


@dataclass(frozen=True)
class ShownMeasure:
    """A measure as tables show it: a column's title, and a number with its unit."""

    name: str
    """Its name among the measures."""
    title: str
    unit: str = ""
    factor: float = 1.0
    """What makes the unit of it."""
    digits: int = 2
    """Behind the decimal point."""

    def show(self, value: float) -> str:
        """A value as a cell holds it."""
        return f"{self.factor * value:.{self.digits}f} {self.unit}".rstrip()


@dataclass(frozen=True)
class Measures:
    """What ``evaluate`` returns."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: what is not finite, such as the time of what never settles, is None."""
        return {name: value if np.isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True)
class ReachMeasures(Measures):
    """Measures of reaching, over the jump from the first to the second command of each episode."""

    fraction_within_target: float
    """Share of movements whose mean distance over the last 0.2 s is below 4 cm."""
    median_endpoint_error_m: float
    """Median of that mean distance [m]."""
    p95_endpoint_error_m: float
    """Its 95th percentile [m]."""
    mean_value: float
    """Mean of V = Σ c Δt over the whole episode."""
    median_movement_time_s: float
    """Median time from the jump to staying within 4 cm [s]; infinite for a movement that never
    does.
    """
    median_peak_speed_m_s: float
    """Median of the largest hand speed after the jump [m/s]."""
    median_minimum_jerk_correlation: float
    """Median correlation of the speed with the minimum-jerk profile of the same onset and duration.
    """
    fraction_toward_target: float
    """Share of jumps of 10 cm or more in which the hand, when first 3 cm from its start, is within
    45° of the target's direction; None if there is no such jump, as for the next three.
    """
    median_path_deviation: float
    """Median, over jumps of 10 cm or more, of the largest distance from the straight line to the
    target, over its length.
    """
    p90_path_deviation: float
    """Its 90th percentile."""
    median_peak_speed_of_30_cm_m_s: float
    """Median of the largest hand speed [m/s] of jumps of 25 to 35 cm."""
    number_of_movements: int
    seed: int
    noise: float


@dataclass(frozen=True)
class CycleMeasures(Measures):
    """Measures of running along orbits, after the jump from the first to the second command of each
    episode.

    Errors are means over the last lap, or as much of it as the second command lasts.
    """

    fraction_converged: float
    """Share of movements whose radial error is below 1.5 cm and whose speed error is below 25 %."""
    median_radial_error_m: float
    """Median of the mean distance from the orbit [m]."""
    p95_radial_error_m: float
    """Its 95th percentile [m]."""
    median_speed_error: float
    """Median difference of the mean tangential speed from the commanded one, as a share of that."""
    fraction_correct_direction: float
    """Share of movements that run round the commanded way."""
    median_convergence_time_s: float
    """Median time from the jump to staying converged on average over laps [s]; infinite if it never
    does.
    """
    mean_value: float
    """Mean of V = Σ c Δt over the whole episode."""
    number_of_movements: int
    seed: int
    noise: float


@dataclass(frozen=True)
class Recording:
    """What T control periods of B episodes left behind."""

    states: np.ndarray  # (T + 1, B, 10)
    commands: np.ndarray  # (T, B, K) in force during each period
    actions: np.ndarray  # (T, B, 6)
    rewards: np.ndarray  # (T, B)
    hand: np.ndarray  # (T + 1, B, 2) [m]
    velocity: np.ndarray  # (T + 1, B, 2) [m/s]

    @property
    def speed(self) -> np.ndarray:
        """Hand speed [m/s], (T + 1, B)."""
        return np.linalg.norm(self.velocity, axis=-1)


def reach_measures(
    recording: Recording, jump: int, period: float, *, seed: int, noise: float
) -> ReachMeasures:
    """Measures of the movements that begin ``jump`` periods into a recording."""
    path = recording.hand[jump:]
    speed = recording.speed[jump:]
    target = recording.commands[-1, :, :2]
    distance = np.linalg.norm(path - target, axis=-1)  # (T, B)
    error = distance[-round(SETTLED / period) :].mean(0)
    length = np.linalg.norm(target - path[0], axis=-1)  # (B,)
    long = length >= LONG_ENOUGH
    middling = (length >= MIDDLING[0]) & (length <= MIDDLING[1])
    deviation = path_deviation(path, path[0], target)[long]
    return ReachMeasures(
        fraction_within_target=float((error < TARGET_SIZE).mean()),
        median_endpoint_error_m=float(np.median(error)),
        p95_endpoint_error_m=float(np.quantile(error, 0.95)),
        mean_value=float(-recording.rewards.sum(0).mean()),
        median_movement_time_s=float(np.median(settling_time(distance, period))),
        median_peak_speed_m_s=float(np.median(speed.max(0))),
        median_minimum_jerk_correlation=float(np.median(closest_minimum_jerk(speed)[0])),
        fraction_toward_target=mean_or_nan(starts_toward(path, target)[long]),
        median_path_deviation=quantile_or_nan(deviation, 0.5),
        p90_path_deviation=quantile_or_nan(deviation, 0.9),
        median_peak_speed_of_30_cm_m_s=quantile_or_nan(speed.max(0)[middling], 0.5),
        number_of_movements=path.shape[1],
        seed=seed,
        noise=noise,
    )


def cycle_measures(
    recording: Recording, jump: int, period: float, orbit: Any, *, seed: int, noise: float
) -> CycleMeasures:
    """Measures of the orbits that begin ``jump`` periods into a recording."""
    command = recording.commands[-1]
    # (T, B, 2)
    place = recording.hand[jump + 1 :]
    velocity = recording.velocity[jump + 1 :]
    squared, *wanted = orbit.error(NUMPY, command, place[..., 0], place[..., 1])
    speed = np.abs(command[:, 3])  # without speed, only the distance counts
    # Along the tangent, 1 is the commanded speed in the commanded direction.
    progress = (velocity * np.stack(wanted, -1)).sum(-1) / np.where(speed > 0, speed * speed, 1)
    lap = np.clip(np.round(orbit.period(command) / period).astype(int), 1, len(place))
    radial = trailing_mean(np.sqrt(squared), lap)
    ratio = trailing_mean(progress, lap)
    ratio = np.where(speed > 0, ratio, 1.0)
    on_orbit = (radial < orbit.tolerance) & (np.abs(ratio - 1) < orbit.speed_tolerance)
    settled = np.maximum(settling_steps(~on_orbit) + 1 - lap, 0)  # laps look back
    return CycleMeasures(
        fraction_converged=float(on_orbit[-1].mean()),
        median_radial_error_m=float(np.median(radial[-1])),
        p95_radial_error_m=float(np.quantile(radial[-1], 0.95)),
        median_speed_error=float(np.median(np.abs(ratio[-1] - 1))),
        fraction_correct_direction=float((ratio[-1] > 0).mean()),
        median_convergence_time_s=float(np.median(settled) * period),
        mean_value=float(-recording.rewards.sum(0).mean()),
        number_of_movements=place.shape[1],
        seed=seed,
        noise=noise,
    )


def trailing_mean(signal: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Mean of signals (T, B) over the latest ``span`` samples, (B,), or as many as there are."""
    total = np.cumsum(np.vstack([np.zeros_like(signal[:1]), signal]), axis=0)
    end = np.arange(1, len(signal) + 1)[:, None]
    start = np.maximum(end - span, 0)
    return (total[1:] - np.take_along_axis(total, start, 0)) / (end - start)


def settling_time(distance: np.ndarray, period: float) -> np.ndarray:
    """Time [s] after which each column of distances (T, B) stays within the target; inf if it never
    does.
    """
    return settling_steps(distance >= TARGET_SIZE) * period


def settling_steps(outside: np.ndarray) -> np.ndarray:
    """After how many steps each column (T, B) is never outside again; inf if it is at the end."""
    last = np.where(outside.any(0), len(outside) - outside[::-1].argmax(0), 0)
    return np.where(outside[-1], np.inf, last)


def closest_minimum_jerk(speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The minimum-jerk profiles nearest to speeds (T, B): their correlations (B,), and themselves
    (T, B).

    Profiles are s² (1 − s)², s from 0 at the movement's onset to 1 at its end (Flash & Hogan 1985),
    and 0 outside; onset, end and height are those of the best fit, and the correlation is over all
    T samples, so a skewed rise, a long tail and a tremor on the target all count against it. (Onset
    and end by a threshold on the speed fail here: under noise the hand never falls still.)
    """
    # some 10,000 pairs of onset and end at the most
    coarse = np.arange(0, len(speed), -(-len(speed) // 150))
    first, last = np.triu_indices(len(coarse), k=min(8, len(coarse) - 1))
    onset, end = coarse[first][:, None], coarse[last][:, None]  # (P, 1)
    s = np.clip((np.arange(len(speed)) - onset) / (end - onset), 0, 1)  # (P, T)
    shapes = s**2 * (1 - s) ** 2
    varying = shapes - shapes.mean(1, keepdims=True)
    varying /= np.linalg.norm(varying, axis=1, keepdims=True)
    centred = speed - speed.mean(0)
    size = np.linalg.norm(centred, axis=0)
    correlations = varying @ (centred / np.where(size > 0, size, 1))  # (P, B)
    nearest = shapes[correlations.argmax(0)].T  # (T, B)
    return correlations.max(0), nearest * (nearest * speed).sum(0) / (nearest * nearest).sum(0)


def starts_toward(path: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Whether hands on paths (T, B, 2) set out toward their targets (B, 2), (B,) bool.

    The direction is that from the start to where the hand first is 3 cm away; a hand that never is
    does not set out.
    """
    moved = path - path[0]
    away = np.linalg.norm(moved, axis=-1) >= DEPARTED  # (T, B)
    first = moved[away.argmax(0), np.arange(moved.shape[1])]  # (B, 2)
    wanted = target - path[0]
    along = (first * wanted).sum(-1)
    return away.any(0) & (
        along >= np.cos(TOWARD) * np.linalg.norm(first, axis=-1) * np.linalg.norm(wanted, axis=-1)
    )


def mean_or_nan(values: np.ndarray) -> float:
    """Their mean; NaN of none."""
    return float(values.mean()) if len(values) else np.nan


def quantile_or_nan(values: np.ndarray, share: float) -> float:
    """Their quantile; NaN of none."""
    return float(np.quantile(values, share)) if len(values) else np.nan


def path_deviation(path: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Largest distance of paths (T, B, 2) from the lines start → end, (B, 2) each, over their
    lengths, (B,).
    """
    along = end - start
    length = np.maximum(np.linalg.norm(along, axis=-1), 1e-9)
    relative = path - start
    across = np.abs(relative[..., 0] * along[:, 1] - relative[..., 1] * along[:, 0]) / length
    return across.max(0) / length
