"""Curves for the hand to draw: checks, and the places along them over one lap."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from arm_env.arguments import choice, detached, floats, shown
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import hand_position, nearest_angles

SPEEDS = ("uniform", "power-law")
FORMS = (
    "a function from a phase (0 to 1) to a point x, y [m], an array of points (n, 2) [m], or the "
    "path of a file of points"
)
UNITS = {"centimetres": 100, "millimetres": 1000}
SHORTEST = 0.05  # [m] of a curve
FINE = 2e-4  # [m] between the points from which distances are measured
SAMPLES = 2000  # of a curve, from which places are interpolated
SMOOTHED = 0.01  # [m] standard deviation of the filter before a curvature is computed
CURVATURES = (2.0, 100.0)  # [1/m] to which a curvature is held: no speed is 0 or without bound


def course(
    curve: Any, periods: int, *, closed: bool, speed: str | None, task: Task, arm: Any
) -> np.ndarray:
    """Return where the hand should be at the end of each of a lap's control periods [m], (T, 2).

    ``curve`` is a function from a phase of 0 to 1 to a point [m], or points (n, 2). Without
    ``closed`` the hand draws it to its end and back. ``speed`` is that along the curve: "uniform",
    or "power-law", in proportion to the curvature to the power of −1/3. With None a function
    has its own speed, and points are passed at a uniform one. Raises ValueError for anything else,
    and for a curve that leaves the workspace.
    """
    if speed is not None:
        choice("speed", speed, SPEEDS)
    if callable(curve):
        line = _of_function(curve, closed)
        if speed is None:
            phase = np.linspace(0, 1, len(line))
            places = _at(line, phase, np.arange(1, periods + 1) / periods)
            return _inside(places, task, arm)
    else:
        line = _of_points(curve, closed)
    _inside(line[:-1], task, arm)
    length = _lengths(line)
    even = _at(line, length, np.linspace(0, length[-1], SAMPLES + 1))
    time = np.linspace(0, 1, len(even))
    if speed == "power-law":
        pace = np.cbrt(_curvature(even[:-1], length[-1] / SAMPLES))  # time per length
        time = np.concatenate([[0], np.cumsum(0.5 * (pace + np.roll(pace, -1)))])
        time /= time[-1]
    return _inside(_at(even, time, np.arange(1, periods + 1) / periods), task, arm)


def _of_function(curve: Callable[[float], Any], closed: bool) -> np.ndarray:
    """Return points (n, 2) of a function at even phases, of which the last is the first again."""
    points = []
    for phase in np.linspace(0, 1, SAMPLES + 1):
        try:
            point = floats(detached(curve(float(phase))))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"a curve is a function from a phase (0 to 1) to a point x, y [m]: {error}"
            ) from None
        if point.shape != (2,) or not np.isfinite(point).all():
            raise ValueError(
                "a curve is a function from a phase (0 to 1) to a point x, y [m], and at "
                f"{phase:g} it returns {shown(point.tolist())}"
            )
        points.append(point)
    line = np.array(points)
    total = _long_enough(line)
    if not closed:
        return np.concatenate([line, line[-2::-1]])[::2]
    gap = np.linalg.norm(line[-1] - line[0])
    if gap > 0.02 * total:
        raise ValueError(
            f"the curve's ends at the phases 0 and 1 are {100 * gap:.1f} cm apart: close it, or "
            "give closed=False for a curve that is drawn to its end and back"
        )
    return line


def _of_points(points: Any, closed: bool) -> np.ndarray:
    """Return points (n, 2) of which the last is the first again, and no two neighbours are one."""
    try:
        line = floats(points)
    except ValueError:
        line = np.array(np.nan)
    if not line.ndim:
        raise ValueError(f"a curve is {FORMS}, not {shown(points)}")
    if line.ndim != 2 or line.shape[1] != 2:
        raise ValueError(f"a curve is {FORMS}, not numbers of shape {line.shape}")
    if len(line) < 3 - (not closed):
        raise ValueError(
            f"a closed curve has three points or more, an open one two, and there are {len(line)}"
        )
    finite = np.isfinite(line).all(1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(
            f"a point of a curve must be finite, and row {row} is {line[row].tolist()}"
        )
    line = np.concatenate([line, line[:1] if closed else line[-2::-1]])
    line = line[np.r_[True, (np.diff(line, axis=0) != 0).any(1)]]
    _long_enough(line)
    return line


def _long_enough(line: np.ndarray) -> float:
    """Return the length of a line [m]. Raises ValueError if it is too short to draw."""
    total = float(_lengths(line)[-1])
    if total < SHORTEST:
        raise ValueError(
            f"the curve is {1000 * total:.1f} mm long: points are in metres from the shoulder, and "
            f"a curve is {100 * SHORTEST:g} cm long or longer"
        )
    return total


def _inside(points: np.ndarray, task: Task, arm: Any) -> np.ndarray:
    """Return points (n, 2) of the workspace. Raises ValueError if one is outside."""
    inside = task.in_workspace(arm, points)
    if inside.all():
        return points
    point = points[int(np.argmin(inside))]
    for unit, factor in UNITS.items():
        if task.in_workspace(arm, points / factor).all():
            advice = f"points are in metres; if these are in {unit}, divide by {factor}"
            break
    else:
        low, high = np.stack([task.shoulder, task.elbow], -1)
        end = hand_position(arm, np.clip(nearest_angles(arm, point), low, high))
        advice = (
            f"the workspace ends near {_place(end)} there, and its middle is near 0, 0.42 m: move "
            "the curve or make it smaller"
        )
    raise ValueError(
        f"{np.mean(~inside):.0%} of the curve is outside the workspace of the arm, first the point "
        f"{_place(point)} from the shoulder; {advice}"
    )


def _place(point: np.ndarray) -> str:
    return f"{point[0]:.3f}, {point[1]:.3f} m"


def _lengths(line: np.ndarray) -> np.ndarray:
    """Return the length of a line (n, 2) up to each of its points [m], (n,)."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])


def _at(line: np.ndarray, position: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the points (m, 2) of a line (n, 2) at ``wanted`` (m,), given the ``position`` (n,)."""
    return np.stack([np.interp(wanted, position, part) for part in line.T], -1)


def _curvature(points: np.ndarray, step: float) -> np.ndarray:
    """Return the curvature of a smoothed closed curve [1/m], (n,), at points ``step`` [m] apart."""
    smooth = gaussian_filter1d(points, SMOOTHED / step, axis=0, mode="wrap")
    ahead, behind = np.roll(smooth, -1, 0), np.roll(smooth, 1, 0)
    (vx, vy), (ax, ay) = ((ahead - behind) / 2).T, (ahead - 2 * smooth + behind).T
    cubed = np.maximum(np.hypot(vx, vy), 1e-3 * step) ** 3
    return np.clip(np.abs(vx * ay - vy * ax) / cubed, *CURVATURES)


def distances(points: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Return the distances [m], (...), of points (..., 2) from a closed curve (n, 2)."""
    line = np.concatenate([curve, curve[:1]])
    length = _lengths(line)
    fine = _at(line, length, np.linspace(0, length[-1], round(length[-1] / FINE) + 2))
    return KDTree(fine).query(points)[0]
