"""Parameters of the arm and of the cost: frozen, with a unit and a source on every field.

Sources
-------
LT04   Li & Todorov (2004), Iterative linear quadratic regulator design for nonlinear biological
       movement systems.
LS13   Lillicrap & Scott (2013), Preference distributions of primary motor cortex neurons reflect
       control solutions optimized for limb biomechanics.
B99    Brown, Cheng & Loeb (1999), Measured and modeled properties of mammalian skeletal muscle,
       with the constants of Todorov & Li (2004, 2005).
HT09   Huh & Todorov (2009), Real-time motor control using recurrent neural networks.
SM94   Shadmehr & Mussa-Ivaldi (1994), Adaptive representation of dynamics during learning of a motor
       task.
own    Chosen here, by measurement; docs/choices.md says how.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any

import numpy as np

MUSCLES = ("SF", "SE", "EF", "EE", "BF", "BE")
"""Shoulder, elbow and biarticular flexor and extensor, in the order of every muscle array."""

Pair = tuple[float, float]
PerMuscle = tuple[float, float, float, float, float, float]


def _radians(*degrees: float) -> tuple[Any, ...]:
    return tuple(float(value) for value in np.deg2rad(degrees))


@dataclass(frozen=True)
class Parameters:
    """A frozen group of numbers that the compiled kernels receive as one flat vector."""

    def flat(self) -> np.ndarray:
        """All fields in order, (P,) float64."""
        return np.concatenate([np.ravel(getattr(self, f.name)) for f in fields(self)]).astype(float)

    def arrays(self) -> SimpleNamespace:
        """The same names, every value a float64 array."""
        return self.map(lambda value: value)

    def map(self, convert: Callable[[np.ndarray], Any]) -> SimpleNamespace:
        """The same names, every value an array passed through ``convert`` (tensors, symbols, …)."""
        return SimpleNamespace(
            **{f.name: convert(np.asarray(getattr(self, f.name), dtype=float)) for f in fields(self)}
        )


@dataclass(frozen=True)
class Arm(Parameters):
    """The two-link, six-muscle arm: skeleton, joints, muscles. Order of joints: shoulder, elbow."""

    mass: Pair = (1.4, 1.0)  # [kg] upper arm, forearm (LT04)
    length: Pair = (0.30, 0.33)  # [m] (LT04)
    centre_of_mass: Pair = (0.11, 0.16)  # [m] from the proximal joint (LT04)
    inertia: Pair = (0.025, 0.045)  # [kg m²] of each link about its *proximal* joint (LT04)
    friction: tuple[float, float, float] = (0.05, 0.025, 0.05)  # [N m s] B11, B12 = B21, B22 (LT04)
    lower_stop: Pair = _radians(-10, 5)  # [rad] where the soft joint stops begin (own)
    upper_stop: Pair = _radians(140, 160)  # [rad] (own)
    stop_stiffness: float = 2000.0  # [N m / rad²] torque grows with the squared penetration (own)
    stop_damping: float = 100.0  # [N m s / rad²] grows with the penetration, so it is continuous (own)
    moment_arms: tuple[PerMuscle, PerMuscle] = (  # [m] rows shoulder, elbow; flexion positive (LS13)
        (0.020, -0.020, 0.0, 0.0, 0.015, -0.020),
        (0.0, 0.0, 0.020, -0.020, 0.020, -0.015),
    )
    optimal_angles: tuple[PerMuscle, PerMuscle] = (  # [rad] where a muscle has its optimal length (LS13)
        _radians(15.0, 4.88, 0.0, 0.0, 4.5, 2.12),
        _radians(0.0, 0.0, 80.86, 109.32, 92.96, 91.52),
    )
    optimal_length: PerMuscle = (0.0732, 0.0326, 0.064, 0.0426, 0.0595, 0.0404)  # [m] (LS13)
    maximum_force: PerMuscle = tuple(  # type: ignore[assignment]  # [N] 31.8 N/cm² × cross-section (LS13)
        31.8 * area for area in (22.0, 12.0, 18.0, 14.0, 5.0, 10.0)
    )
    activation_time: float = 0.05  # [s] τ of ȧ = (u − a) / τ (HT09, V.A.1)
    ceiling: float = 1.0  # [-] largest excitation: the action space ends here (own; HT09 has none)
    curl: float = 0.0  # [N s/m] viscous field at the hand, F = curl (v_y, −v_x): pushes right if > 0 (after SM94)


@dataclass(frozen=True)
class CostWeights(Parameters):
    """Weights and scales of eqs. 6 and 7 (HT09). The paper gives d0 and v0; α and γ are ours."""

    alpha: float = 0.3  # [-] weight of the velocity term (own)
    gamma: float = 0.05  # [-] weight of the effort term (own)
    target_radius: float = 0.04  # [m] d0 of the distance term (HT09)
    brake_radius: float = 0.04  # [m] d0 of the velocity term; differs only while training narrows the target
    reference_speed: float = 0.3  # [m/s] v0 (HT09)
