"""Reaches from a centre: their speed, straightness, endpoints and durations.

The hand is held on the centre for 1.5 s, then the target jumps. A movement lasts from the first to
the last instant around its peak at which the speed is above 5 % of the peak.
"""

from typing import NamedTuple

import numpy as np
from scipy.signal import find_peaks

import arm_env
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import Controller
from arm_env.dynamics.equations import mass_matrix
from arm_env.tasks.measures import path_deviation, settling_steps
from arm_env.tasks.workspace import jacobian, joint_angles
from benchmarks.human.movements import PERIOD, Commands, recorded

CENTRE = (0.0, 0.42)  # [m]
DISTANCES = (0.04, 0.08, 0.16)  # [m]
DIRECTIONS = 2 * np.pi * np.arange(8) / 8  # [rad]
HOLD = 1.5  # [s] on the centre
AFTER = 1.5  # [s] on the target
THRESHOLD = 0.05  # of the peak speed
WIDTHS = (0.03, 0.04, 0.06, 0.08)  # [m] of targets


class Reaches(NamedTuple):
    """N movements from the centre, in T instants from the jump on.

    Attributes:
        distance: (N,) [m] of the target.
        direction: (N,) [rad] of the target.
        hand: (T, N, 2) [m] positions.
        speed: (T, N) [m/s].
        onset: (N,) first instant of the movement.
        end: (N,) last instant of the movement.
    """

    distance: np.ndarray
    direction: np.ndarray
    hand: np.ndarray
    speed: np.ndarray
    onset: np.ndarray
    end: np.ndarray

    @property
    def duration(self) -> np.ndarray:
        """Duration of each movement [s], (N,)."""
        return (self.end - self.onset) * PERIOD

    @property
    def peak(self) -> np.ndarray:
        """Peak speed of each movement [m/s], (N,)."""
        return self.speed.max(0)

    @property
    def endpoint(self) -> np.ndarray:
        """Position at the end of each movement [m], (N, 2)."""
        return self.hand[self.end, np.arange(len(self.end))]

    @property
    def peak_to_mean(self) -> np.ndarray:
        """Peak speed over mean speed of each movement, (N,)."""
        means = [
            s[a : b + 1].mean() for s, a, b in zip(self.speed.T, self.onset, self.end, strict=True)
        ]
        return self.peak / np.array(means)

    @property
    def time_of_peak(self) -> np.ndarray:
        """Time of the peak speed as a share of the duration, (N,)."""
        return (self.speed.argmax(0) - self.onset) / (self.end - self.onset)

    @property
    def linearity(self) -> np.ndarray:
        """Largest distance from the straight line between the ends, over its length, (N,)."""
        values = []
        for i, (a, b) in enumerate(zip(self.onset, self.end, strict=True)):
            path = self.hand[a : b + 1, i : i + 1]
            values.append(path_deviation(path, path[0], path[-1])[0])
        return np.array(values)

    @property
    def peaks(self) -> np.ndarray:
        """Number of peaks of the speed that stand out by a tenth of the highest, (N,)."""
        return np.array(
            [len(find_peaks(np.r_[0, s, 0], prominence=0.1 * s.max())[0]) for s in self.speed.T]
        )

    @property
    def peak_acceleration(self) -> np.ndarray:
        """Largest rate of change of the speed [m/s²], (N,)."""
        return np.gradient(self.speed, PERIOD, axis=0).max(0)


def reaches(
    controller: Controller,
    *,
    noise: float,
    seed: int,
    repeats: int = 1,
    distances: tuple[float, ...] = DISTANCES,
) -> Reaches:
    """Return reaches of every distance [m] in every direction, each ``repeats`` times."""
    distance, direction = (
        np.repeat(part.ravel(), repeats) for part in np.meshgrid(distances, DIRECTIONS)
    )
    centre = np.broadcast_to(CENTRE, (len(distance), 2))
    targets = centre + distance[:, None] * np.stack([np.cos(direction), np.sin(direction)], -1)
    # the schedule's segments are as long as the hold on the centre
    schedule = Commands(np.stack([centre, targets]), HOLD)
    recording = recorded(controller, "ReachArm-v0", schedule, HOLD + AFTER, noise=noise, seed=seed)
    start = round(HOLD / PERIOD)
    hand, speed = recording.hand[start:], recording.speed[start:]
    return Reaches(distance, direction, hand, speed, *extent(speed))


def extent(speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last instant, (N,) each, of the movements in speeds (T, N)."""
    peak = speed.argmax(0)
    slow = speed < THRESHOLD * speed.max(0)
    time = np.arange(len(speed))[:, None]
    before, after = slow & (time < peak), slow & (time > peak)
    onset = np.where(before.any(0), len(speed) - before[::-1].argmax(0), 0)
    end = np.where(after.any(0), after.argmax(0) - 1, len(speed) - 1)
    return onset, end


def resting_scatter(controller: Controller, *, noise: float, seed: int, number: int) -> float:
    """Return the scatter [m] of ``number`` hands that are held on the centre for 3 s.

    It is the geometric mean of the standard deviations along both axes.
    """
    still = Commands(np.broadcast_to(CENTRE, (1, number, 2)), 3.0)
    recording = recorded(controller, "ReachArm-v0", still, 3.0, noise=noise, seed=seed)
    return float(np.linalg.det(np.cov(recording.hand[-1].T)) ** 0.25)


class Scatter(NamedTuple):
    """Endpoints of movements to the same target, for G targets.

    Attributes:
        distance: (G,) [m].
        direction: (G,) [rad].
        extent: (G,) [m] standard deviation along the movement.
        lateral: (G,) [m] standard deviation across it.
        major: (G,) [rad] angle between the major axis and the movement, 0 to π/2.
        aspect: (G,) length over width of the ellipse.
        area: (G,) [m²] of the ellipse of one standard deviation.
        matrix: (G, 2, 2) [m²] covariances.
        mean: (G, 2) [m] mean endpoints.
    """

    distance: np.ndarray
    direction: np.ndarray
    extent: np.ndarray
    lateral: np.ndarray
    major: np.ndarray
    aspect: np.ndarray
    area: np.ndarray
    matrix: np.ndarray
    mean: np.ndarray


def scatter(moved: Reaches, repeats: int) -> Scatter:
    """Return the scatter of endpoints of reaches that were each made ``repeats`` times."""
    ends = moved.endpoint.reshape(-1, repeats, 2)
    distance, direction = moved.distance[::repeats], moved.direction[::repeats]
    mean = ends.mean(1)
    off = ends - mean[:, None]
    along = np.stack([np.cos(direction), np.sin(direction)], -1)[:, None]
    across = np.stack([-np.sin(direction), np.cos(direction)], -1)[:, None]
    matrix = np.einsum("gri,grj->gij", off, off) / (repeats - 1)
    values, axes = np.linalg.eigh(matrix)
    tilt = np.arctan2(axes[:, 1, 1], axes[:, 0, 1]) - direction
    return Scatter(
        distance, direction, (off * along).sum(-1).std(1, ddof=1),
        (off * across).sum(-1).std(1, ddof=1), np.abs((tilt + np.pi / 2) % np.pi - np.pi / 2),
        np.sqrt(values[:, 1] / values[:, 0]), np.pi * np.sqrt(values.prod(-1)), matrix, mean,
    )  # fmt: skip


def mobility() -> np.ndarray:
    """Return the acceleration of the hand at the centre per unit of force along it [1/kg], (8,).

    It is uᵀ J M⁻¹ Jᵀ u for the directions u of the reaches.
    """
    arm = arm_env.Arm().arrays()
    angles = joint_angles(arm, np.array([CENTRE]))
    m11, m12, m22 = mass_matrix(NUMPY, arm, angles)
    mass = np.array([[m11[0], m12[0]], [m12[0], np.broadcast_to(m22, m11.shape)[0]]])
    turning = jacobian(arm, angles)[0]
    units = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], -1)
    return np.einsum("di,ij,dj->d", units, turning @ np.linalg.solve(mass, turning.T), units)


def time_within(moved: Reaches, width: float) -> np.ndarray:
    """Return the time from the jump until the hand stays within a target of a width [m], (N,) [s].

    It is infinite for a hand that is outside at the end.
    """
    targets = np.array(CENTRE) + moved.distance[:, None] * np.stack(
        [np.cos(moved.direction), np.sin(moved.direction)], -1
    )
    outside = np.linalg.norm(moved.hand - targets, axis=-1) > width / 2
    return settling_steps(outside) * PERIOD
