"""Speed and curvature: β of v ∝ κ^−β, for closed curves at 1 to 1.5 rounds a second.

The commands ask for the same speed along the whole curve, so β is 0 if they are obeyed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt
from scipy.stats import linregress

import arm_env
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import Controller
from benchmarks.human.movements import PERIOD, Commands, recorded
from rnn_controller.planning.osculating import osculating

CENTRES = ((0.0, 0.42), (0.12, 0.40), (-0.12, 0.40))  # [m]
RADIUS = 0.075  # [m]
ROUNDS = (1.0, 1.25, 1.5)  # [1/s]
BEFORE = 2.0  # [s] left out
SHOWN = 6.0  # [s] measured
CUTOFF = 8.0  # [Hz] of the low-pass filter
EDGE = 0.3  # [s] at both ends, where the filter is not exact
STRAIGHT = 0.1  # of 1 / radius: samples of a smaller curvature are left out


class Exponents(NamedTuple):
    """The power laws of B movements.

    Attributes:
        beta: (B,) exponents β.
        r2: (B,) share of the variance of log v that the law explains.
        rounds: (B,) rounds a second of the hand.
        off: (B,) median distance of the hand from the curve [m].
        used: (B,) share of the samples with enough curvature.
    """

    beta: np.ndarray
    r2: np.ndarray
    rounds: np.ndarray
    off: np.ndarray
    used: np.ndarray


def commands_of(rounds: tuple[float, ...] = ROUNDS) -> np.ndarray:
    """Return commands (B, 4): every centre, number of rounds a second and direction."""
    return np.array(
        [
            (x, y, RADIUS, way * 2 * np.pi * RADIUS * each)
            for x, y in CENTRES
            for each in rounds
            for way in (-1, 1)
        ]
    )


def even_curve(orbit: arm_env.Orbit, command: np.ndarray) -> Callable[[float], np.ndarray]:
    """Return a function of the phase, 0 to 1, to points [m], (2,), that are evenly spaced.

    They run along the orbit of a command (4,) in its direction.
    """
    angle = np.linspace(0, 2 * np.pi, 401) * (-1 if command[3] > 0 else 1)
    points = orbit.points(command[None], angle[None])[0]
    points[-1] = points[0]
    way = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))]
    spline = CubicSpline(way / way[-1], points, bc_type="periodic")
    return lambda phase: spline(phase % 1.0)


def planned(orbit: arm_env.Orbit, commands: np.ndarray, seconds: float) -> Commands:
    """Return the circles that touch the curves of commands (B, 4) as they go round, (T, B, 4)."""
    periods = round(seconds / PERIOD)
    values = []
    for command in commands:
        lap = float(orbit.period(command[None])[0])
        circle = osculating(even_curve(orbit, command), lap)
        values.append([circle(PERIOD * t) for t in range(periods)])
    return Commands(np.array(values).swapaxes(0, 1), PERIOD)


def driven(
    controller: Controller,
    orbit: arm_env.Orbit,
    commands: np.ndarray,
    *,
    planning: bool,
    noise: float,
    seed: int,
) -> np.ndarray:
    """Return the paths of the hand [m], (T, B, 2), along the orbits of commands (B, 4).

    With ``planning`` the controller is one of circles and is given circles that touch the curve.
    """
    seconds = BEFORE + SHOWN
    schedule, environment = Commands(commands[None], seconds), {"orbit": orbit}
    if planning:
        schedule, environment = planned(orbit, commands, seconds), {}
    recording = recorded(
        controller, "CircleArm-v0", schedule, seconds, noise=noise, seed=seed, **environment
    )
    return recording.hand[round(BEFORE / PERIOD) :]


def local(hand: np.ndarray, commands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return speeds [m/s] and curvatures [1/m], (T', B) each, of hand paths (T, B, 2) [m].

    The paths are smoothed by a low-pass filter, and their ends are cut. A curvature is above 0
    where the path turns in the direction of its command, (B, 4).
    """
    path = sosfiltfilt(butter(2, CUTOFF, fs=1 / PERIOD, output="sos"), hand, axis=0)
    velocity = np.gradient(path, PERIOD, axis=0)
    acceleration = np.gradient(velocity, PERIOD, axis=0)
    edge = round(EDGE / PERIOD)
    vx, vy = np.moveaxis(velocity[edge:-edge], -1, 0)
    ax, ay = np.moveaxis(acceleration[edge:-edge], -1, 0)
    speed = np.hypot(vx, vy)
    return speed, -np.sign(commands[:, 3]) * (vx * ay - vy * ax) / speed**3


def exponents(hand: np.ndarray, orbit: arm_env.Orbit, commands: np.ndarray) -> Exponents:
    """Return the power laws of hand paths (T, B, 2) [m] along the orbits of commands (B, 4)."""
    speed, curvature = local(hand, commands)
    keep = curvature > STRAIGHT / commands[:, 2]
    beta, r2 = np.array([power_law(speed[k, i], curvature[k, i]) for i, k in enumerate(keep.T)]).T
    turned = (speed * curvature).mean(0)  # [rad/s]
    squared = orbit.error(NUMPY, commands, hand[..., 0], hand[..., 1])[0]
    off = np.median(np.sqrt(squared), 0)
    return Exponents(beta, r2, turned / (2 * np.pi), off, keep.mean(0))


def power_law(speed: np.ndarray, curvature: np.ndarray) -> tuple[float, float]:
    """Return β of v ∝ κ^−β by regression of log v on log κ, (n,) each, and R²."""
    v, k = np.log(speed), np.log(curvature)
    fit = linregress(k, v)
    return -float(fit.slope), float(fit.rvalue**2)
