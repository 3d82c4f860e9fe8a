"""Closed curves of one angular frequency (Huh & Sejnowski 2015), as orbits.

The logarithm of their curvature is a sine of the tangent's direction φ: κ = κ₀ exp(ε sin νφ). ν = 2
is close to an ellipse, ν = 3 is a rounded triangle and ν = 4 a rounded square. Their curvature is
nowhere 0, unlike that of ``arm_env.RoundedPolygon``, so its logarithm exists everywhere.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

import arm_env
from arm_env.checked import within
from arm_env.codegen.primitives import at_least
from arm_env.tasks.orbits import smooth_length

HARMONICS = 6  # of the polar radius
INNERMOST = 0.3  # of the radius: nearer to the centre the slope of the polar radius is held


@dataclass(frozen=True)
class OneFrequency(arm_env.Orbit):
    """Curves whose curvature is κ₀ exp(ε sin νφ), of the same area as a circle of the radius.

    A command and the other fields are those of ``arm_env.Orbit``. Raises ValueError for a field
    outside its range.

    Attributes:
        frequency: Angular frequency ν: the number of corners, 2 to 6.
        depth: Amplitude ε of the logarithm of the curvature [-], 0 to 1.2.
    """

    frequency: int = within(3, 2, 6)
    depth: float = within(1.0, 0, 1.2)

    def outline(self, xp, x, y, radius):
        """Return the distance [m] from the curve, and the outward unit normal x, y, (...) each.

        The curve is given by its polar radius R(θ), as a Fourier series. The distance is exact to
        first order near the curve.
        """
        mean, *waves = polar_series(self.frequency, self.depth)
        length = smooth_length(xp, x, y)
        c, s = x / length, y / length
        cosine, sine = c, s  # of νθ
        for _ in range(self.frequency - 1):
            cosine, sine = cosine * c - sine * s, sine * c + cosine * s
        wave, slope = mean + 0 * x, 0 * x
        ck, sk = cosine, sine  # of kνθ
        for k, amplitude in enumerate(waves, 1):
            wave = wave + amplitude * ck
            slope = slope - k * self.frequency * amplitude * sk
            ck, sk = ck * cosine - sk * sine, sk * cosine + ck * sine
        tilt = radius * slope / at_least(xp, length, INNERMOST * radius)
        out_x, out_y = c + tilt * s, s - tilt * c
        steepness = smooth_length(xp, out_x, out_y)
        return (length - radius * wave) / steepness, out_x / steepness, out_y / steepness


@lru_cache
def polar_series(frequency: int, depth: float) -> tuple[float, ...]:
    """Return the Fourier coefficients of R(θ) = a₀ + Σ a_k cos kνθ of a curve of area π.

    R is largest at θ = 0, where a corner is.
    """
    phi = np.linspace(0, 2 * np.pi, 20001)[:-1]
    step = np.exp(1j * phi - depth * np.cos(frequency * (phi - np.pi / 2)))  # dz/dφ
    z = np.cumsum(step) - 0.5 * step
    z = (z - z.mean()) * (phi[1] - phi[0])
    # the mean over φ is not the centre, the mean of the corners is
    corners = z[np.round(np.arange(frequency) * len(phi) / frequency).astype(int)]
    z = z - corners.mean()
    theta, rho = np.unwrap(np.angle(z)), np.abs(z)
    area = 0.5 * np.sum(rho**2 * np.gradient(theta))
    even = theta[0] + phi
    r = np.interp(even, np.r_[theta, theta[0] + 2 * np.pi], np.r_[rho, rho[0]])
    r = r * np.sqrt(np.pi / area)
    waves = [2 * np.mean(r * np.cos(k * frequency * even)) for k in range(1, HARMONICS + 1)]
    return (float(r.mean()), *(float(a) for a in waves))
