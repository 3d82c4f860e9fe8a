"""Parameters of the arm and of the cost: frozen, with a unit and a source on every field.

Sources
-------
LT04   Li & Todorov (2004), Iterative linear quadratic regulator design for nonlinear biological
       movement systems.
NK00   Nijhof & Kouwenhoven (2000), Simulation of multijoint arm movements, in Winters & Crago
       (eds.), Biomechanics and neural control of posture and movement, pp. 363–372. The six-muscle
       arm of MotorNet (Codol et al. 2024) has the same numbers.
LS13   Lillicrap & Scott (2013), Preference distributions of primary motor cortex neurons reflect
       control solutions optimized for limb biomechanics. Muscles of a macaque.
B99    Brown, Cheng & Loeb (1999), Measured and modeled properties of mammalian skeletal muscle,
       with the constants of Todorov & Li (2004, 2005).
HT09   Huh & Todorov (2009), Real-time motor control using recurrent neural networks.
SM94   Shadmehr & Mussa-Ivaldi (1994), Adaptive representation of dynamics during learning of a
       motor task.
own    Chosen here, by measurement; docs/choices.md says how.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from arm_env.arguments import numbers
from arm_env.checked import Checked, within

MUSCLES = ("SF", "SE", "EF", "EE", "BF", "BE")
"""Shoulder, elbow and biarticular flexor and extensor, in the order of every muscle array."""

Pair = tuple[float, float]
PerMuscle = tuple[float, float, float, float, float, float]


def _radians(*degrees: float) -> tuple[Any, ...]:
    return tuple(float(value) for value in np.deg2rad(degrees))


@dataclass(frozen=True)
class Parameters(Checked):
    """A frozen group of numbers, each held to its range, that the compiled kernels receive as one
    flat vector.
    """

    def flat(self) -> np.ndarray:
        """All fields in order, (P,) float64."""
        return np.concatenate([np.ravel(getattr(self, f.name)) for f in fields(self)]).astype(float)

    def arrays(self) -> SimpleNamespace:
        """The same names, every value a float64 array."""
        return self.map(lambda value: value)

    def map(self, convert: Callable[[np.ndarray], Any]) -> SimpleNamespace:
        """The same names, every value an array passed through ``convert`` (tensors, symbols, …)."""
        return SimpleNamespace(
            **{
                f.name: convert(np.asarray(getattr(self, f.name), dtype=float))
                for f in fields(self)
            }
        )


@dataclass(frozen=True)
class Arm(Parameters):
    """The two-link, six-muscle arm: skeleton, joints, muscles. Order of joints: shoulder, elbow."""

    earlier_names = MappingProxyType({"ceiling": "max_excitation"})

    mass: Pair = within((1.4, 1.0), 0.01, 100)  # [kg] upper arm, forearm (LT04)
    length: Pair = within((0.30, 0.33), 0.01, 10)  # [m] (LT04)
    centre_of_mass: Pair = within((0.11, 0.16), 0, 10)  # [m] from the proximal joint (LT04)
    # [kg m²] of each link about its *proximal* joint (LT04)
    inertia: Pair = within((0.025, 0.045), 1e-6, 1000)
    # [N m s] B11, B12 = B21, B22 (LT04)
    friction: tuple[float, float, float] = within((0.05, 0.025, 0.05), 0, 100)
    # [rad] where the soft joint stops begin (own)
    lower_stop: Pair = within(_radians(-10, 5), -np.pi, np.pi)
    upper_stop: Pair = within(_radians(140, 160), -np.pi, np.pi)  # [rad] (own)
    # [N m / rad²] torque grows with the squared penetration (own)
    stop_stiffness: float = within(2000.0, 0, 1e5)
    # [N m s / rad²] grows with the penetration, so it is continuous (own)
    stop_damping: float = within(100.0, 0, 1e4)
    # Length [m] of muscle and tendon: offset + slope · (θ1 − 90°, θ2) + curvature θ2² (NK00).
    # [m] a0
    path_offset: PerMuscle = within((0.151, 0.2322, 0.2859, 0.2355, 0.3329, 0.2989), -10, 10)
    # [m/rad] b1, c1: rows shoulder, elbow; flexors below 0
    path_slope: tuple[PerMuscle, PerMuscle] = within(
        (
            (-0.03, 0.03, 0.0, 0.0, -0.03, 0.03),
            (0.0, 0.0, -0.014, 0.025, -0.016, 0.03),
        ),
        -1,
        1,
    )
    # [m/rad²] c2, elbow
    path_curvature: PerMuscle = within((0.0, 0.0, -0.004, -0.0022, -0.0057, -0.0032), -1, 1)
    # [m] it does not stretch
    tendon_length: PerMuscle = within((0.039, 0.066, 0.172, 0.187, 0.204, 0.217), 0, 10)
    # [m] L0 of the fibres
    optimal_length: PerMuscle = within((0.134, 0.140, 0.092, 0.093, 0.137, 0.127), 0.001, 10)
    # [N] isometric (NK00)
    maximum_force: PerMuscle = within((838.0, 1207.0, 1422.0, 1549.0, 414.0, 603.0), 0, 1e5)
    activation_time: float = within(0.05, 0.001, 10)  # [s] τ of ȧ = (u − a) / τ (HT09, V.A.1)
    # [-] least excitation of a muscle: none is ever quite off (own)
    tone: float = within(0.002, 0, 1)
    # [-] largest excitation, of the action space (own; HT09: none)
    max_excitation: float = within(1.0, 0, 100, above=True)
    # [N s/m] viscous field at the hand, F = curl (v_y, −v_x): right if > 0 (SM94)
    curl: float = within(0.0, -1e4, 1e4)

    def __post_init__(self) -> None:
        super().__post_init__()
        for low, high in zip(self.lower_stop, self.upper_stop, strict=True):
            if not low < high:
                raise ValueError(
                    f"lower_stop must lie below upper_stop, not at {self.lower_stop}, "
                    f"{self.upper_stop}"
                )
        if not self.tone < self.max_excitation:
            raise ValueError(
                f"tone must lie below the max_excitation of {self.max_excitation}, "
                f"not at {self.tone}"
            )

    @classmethod
    def with_constant_moment_arms(
        cls, moment_arms: Any, optimal_angles: Any, optimal_length: Any, **others: Any
    ) -> "Arm":
        """Return an arm whose moment arms do not depend on the posture, and whose muscles have no
        tendon.

        ``moment_arms`` [m] and ``optimal_angles`` [rad], at which a muscle has its optimal length,
        have a row for the shoulder and one for the elbow, (2, 6) each; ``optimal_length`` [m] is
        (6,). Flexion is positive.
        """
        arms = np.array(numbers("moment_arms", moment_arms, (2, 6), -1, 1))
        angles = np.array(numbers("optimal_angles", optimal_angles, (2, 6), -10, 10))
        length = np.array(numbers("optimal_length", optimal_length, (6,), 0.001, 10))
        offset = length + arms[0] * (angles[0] - np.pi / 2) + arms[1] * angles[1]
        return cls(
            path_offset=tuple(offset.tolist()),  # type: ignore[arg-type]
            path_slope=tuple(map(tuple, (-arms).tolist())),  # type: ignore[arg-type]
            path_curvature=(0.0,) * 6,
            tendon_length=(0.0,) * 6,
            optimal_length=tuple(length.tolist()),  # type: ignore[arg-type]
            **others,
        )

    @classmethod
    def macaque(cls, **others: Any) -> "Arm":
        """Return the human skeleton with a macaque's muscles and no tone (LS13), the default before
        version 0.1.

        ``others`` are fields that differ, such as ``max_excitation``.
        """
        arm: dict[str, Any] = {
            "moment_arms": (
                (0.020, -0.020, 0.0, 0.0, 0.015, -0.020),
                (0.0, 0.0, 0.020, -0.020, 0.020, -0.015),
            ),
            "optimal_angles": (
                _radians(15.0, 4.88, 0.0, 0.0, 4.5, 2.12),
                _radians(0.0, 0.0, 80.86, 109.32, 92.96, 91.52),
            ),
            "optimal_length": (0.0732, 0.0326, 0.064, 0.0426, 0.0595, 0.0404),
            # 31.8 N/cm²
            "maximum_force": tuple(31.8 * area for area in (22.0, 12.0, 18.0, 14.0, 5.0, 10.0)),
            "tone": 0.0,
        }
        return cls.with_constant_moment_arms(**{**arm, **others})


@dataclass(frozen=True)
class CostWeights(Parameters):
    """Weights and scales of eqs. 6 and 7 (HT09).

    The paper gives d0 and v0; α and γ are ours, for reaching.
    """

    alpha: float = within(0.3, 0, 1e6)  # [-] weight of the velocity term (own)
    gamma: float = within(5.0, 0, 1e6)  # [-] weight of the effort term (own)
    target_radius: float = within(0.04, 1e-4, 100)  # [m] d0 of the distance term (HT09)
    # [m] d0 of the velocity term; differs while training narrows d0
    brake_radius: float = within(0.04, 1e-4, 100)
    reference_speed: float = within(0.3, 1e-3, 100)  # [m/s] v0 (HT09)
