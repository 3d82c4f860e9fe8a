"""Measures of movements, the base of the results of ``arm_env.evaluate``."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

TARGET_SIZE = 0.04  # [m] within the target: d0 of eq. 6
SETTLED = 0.2  # [s] the end of a movement over which its endpoint error is the mean distance
# [m] direction and straightness are measured on jumps of this length or longer: targets have a
# radius of 4 cm
LONG_ENOUGH = 0.10
DEPARTED = 0.03  # [m] from its start, where a movement's initial direction is taken
TOWARD = np.deg2rad(45.0)  # [rad] a hand within this of the target's direction moves toward it
MIDDLING = (0.25, 0.35)  # [m] jumps whose peak speeds are comparable


@dataclass(frozen=True)
class ShownMeasure:
    """A measure as tables show it: the title of its column, and a number with its unit.

    Attributes:
        name: Name of the measure, a field of the task's ``Measures``.
        title: Title of the column.
        unit: Unit that is shown.
        factor: Factor that converts the measure to this unit.
        digits: Number of digits behind the decimal point.
    """

    name: str
    title: str
    unit: str = ""
    factor: float = 1.0
    digits: int = 2

    def show(self, value: float) -> str:
        """Return a value of the measure as the text in a table's cell."""
        return f"{self.factor * value:.{self.digits}f} {self.unit}".rstrip()


@dataclass(frozen=True)
class Measures:
    """Base class of the measures that ``arm_env.evaluate`` returns."""

    def as_dict(self) -> dict[str, Any]:
        """Return the measures as a dict for JSON.

        A number that is not finite, such as the time of a movement that never settles, becomes
        None.
        """
        return {name: value if np.isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Recording:
    """A recording of B episodes over T control periods, as ``arm_env.record`` returns it.

    J is the number of joints, M that of muscles, K that of a command's components: 2, 6 and 2 for
    ``ReachArm-v0``. States, hand and rewards are the true ones, without sensory noise.

    Attributes:
        states: Body states, (T + 1, B, 2 J + M): joint angles [rad], angular velocities [rad/s],
            activations [-]. The first is the state at the start.
        commands: Commands in force during each period, (T, B, K), in the units of the task.
        actions: Excitations that the controller returned [-], (T, B, M).
        rewards: Rewards −c Δt, (T, B).
        hand: Hand positions from the shoulder [m], (T + 1, B, 2).
        velocity: Hand velocities [m/s], (T + 1, B, 2).
        hand_force: Forces of a push and of a channel on the hand [N], (T + 1, B, 2); None if the
            perturbation has neither.
    """

    states: np.ndarray
    commands: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    hand: np.ndarray
    velocity: np.ndarray
    hand_force: np.ndarray | None = None

    @property
    def speed(self) -> np.ndarray:
        """Hand speed [m/s], (T + 1, B)."""
        return np.linalg.norm(self.velocity, axis=-1)


def trailing_mean(signal: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Return the mean, (T, B), of signals (T, B) over the latest ``span`` samples, (B,).

    At the start it is the mean of the samples that there are.
    """
    total = np.cumsum(np.vstack([np.zeros_like(signal[:1]), signal]), axis=0)
    end = np.arange(1, len(signal) + 1)[:, None]
    start = np.maximum(end - span, 0)
    return (total[1:] - np.take_along_axis(total, start, 0)) / (end - start)


def settling_time(distance: np.ndarray, period: float) -> np.ndarray:
    """Return the time [s], (B,), after which each column of ``distance`` stays within the target.

    Distances are (T, B) [m], ``period`` is the time between samples [s], and the target has a
    radius of 4 cm. The time is infinite for a column that is outside at the end.
    """
    return settling_steps(distance >= TARGET_SIZE) * period


def settling_steps(outside: np.ndarray) -> np.ndarray:
    """Return the number of steps, (B,), after which each column (T, B) is never outside again.

    The number is infinite for a column that is outside at the end.
    """
    last = np.where(outside.any(0), len(outside) - outside[::-1].argmax(0), 0)
    return np.where(outside[-1], np.inf, last)


def closest_minimum_jerk(speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimum-jerk profiles nearest to speeds (T, B).

    Returns the correlations of profiles and speeds, (B,), and the profiles, (T, B), in the unit of
    the speeds.

    A profile is s² (1 − s)², with s from 0 at the onset of the movement to 1 at its end (Flash &
    Hogan 1985), and 0 outside. Onset, end and height are those of the best fit. The correlation is
    over all T samples, so a skewed rise, a long tail and a tremor on the target all reduce it.
    (Onset and end by a threshold on the speed fail here: under noise the hand is never at rest.)
    """
    # at most about 10,000 pairs of onset and end
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
    """Whether hands on paths (T, B, 2) [m] set out toward their targets (B, 2) [m], (B,) bool.

    A hand does if it is within 45° of the target's direction when it is first 3 cm from its start.
    A hand that never is that far away does not.
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
    """Return the mean of values (n,); NaN if there are none."""
    return float(values.mean()) if len(values) else np.nan


def quantile_or_nan(values: np.ndarray, share: float) -> float:
    """Return a quantile, 0 to 1, of values (n,); NaN if there are none."""
    return float(np.quantile(values, share)) if len(values) else np.nan


def path_deviation(path: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the largest distance of each path from a straight line, over the line's length, (B,).

    Paths are (T, B, 2); the lines go from ``start`` to ``end``, (B, 2) each. All are in m.
    """
    along = end - start
    length = np.maximum(np.linalg.norm(along, axis=-1), 1e-9)
    relative = path - start
    across = np.abs(relative[..., 0] * along[:, 1] - relative[..., 1] * along[:, 0]) / length
    return across.max(0) / length
