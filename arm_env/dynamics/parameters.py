"""Parameters of the arm and of the cost: frozen groups, with a unit and a source on every field.

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
here   Chosen by us, by measurement; docs/choices.md says how.
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
    """A frozen group of numbers, each held to its range.

    Compiled kernels receive the group as one flat vector. Raises ValueError for a value outside its
    range.
    """

    def flat(self) -> np.ndarray:
        """Return all fields in order as one vector, (P,) float64."""
        return np.concatenate([np.ravel(getattr(self, f.name)) for f in fields(self)]).astype(float)

    def arrays(self) -> SimpleNamespace:
        """Return a namespace of the same names in which every value is a float64 array."""
        return self.map(lambda value: value)

    def map(self, convert: Callable[[np.ndarray], Any]) -> SimpleNamespace:
        """Return a namespace of the same names in which ``convert`` was applied to every value.

        ``convert`` receives a float64 array; it may make a tensor or a symbol of it.
        """
        return SimpleNamespace(
            **{
                f.name: convert(np.asarray(getattr(self, f.name), dtype=float))
                for f in fields(self)
            }
        )


@dataclass(frozen=True)
class Arm(Parameters):
    """The parameters of the two-link, six-muscle human arm: skeleton, joints, muscles.

    Pairs are in the order shoulder, elbow, or upper arm, forearm. Muscles are in the order of
    ``MUSCLES``. The tags in brackets are the sources of ``arm_env.dynamics.parameters``: LT04 Li &
    Todorov 2004, NK00 Nijhof & Kouwenhoven 2000, HT09 Huh & Todorov 2009, SM94 Shadmehr &
    Mussa-Ivaldi 1994, here: chosen by us. Raises ValueError for a value outside its range, a lower
    stop that is not below the upper one, and a tone that is not below ``max_excitation``.

    The length of muscle and tendon is λ = a0 + b1 (θ1 − π/2) + c1 θ2 + c2 θ2² at joint angles θ
    (NK00); moment arms are −∂λ/∂θ.

    Attributes:
        mass: Masses of the links [kg] (LT04).
        length: Lengths of the links [m] (LT04).
        centre_of_mass: Distances of the links' centres of mass from their proximal joints [m]
            (LT04).
        inertia: Moments of inertia of the links about their *proximal* joints [kg m²] (LT04).
        friction: Joint friction B11, B12 = B21, B22 [N m s] (LT04).
        lower_stop: Joint angles below which a soft stop pushes back [rad] (here).
        upper_stop: Joint angles above which a soft stop pushes back [rad] (here).
        stop_stiffness: Torque of a stop over the squared penetration [N m / rad²] (here).
        stop_damping: Damping of a stop over the penetration [N m s / rad²]; it grows with the
            penetration, so that the torque is continuous (here).
        path_offset: a0 [m] of the muscles (NK00).
        path_slope: b1 and c1 [m/rad]: a row for the shoulder and one for the elbow; flexors are
            below 0 (NK00).
        path_curvature: c2 [m/rad²], about the elbow (NK00).
        tendon_length: Lengths of the tendons, which do not stretch [m] (NK00).
        optimal_length: Optimal lengths L0 of the fibres [m] (NK00).
        maximum_force: Maximum isometric forces F0 [N] (NK00).
        activation_time: Time constant τ of the activation, ȧ = (u − a) / τ [s] (HT09, V.A.1).
        tone: Least excitation of a muscle [-]: no muscle is ever fully off (here).
        max_excitation: Largest excitation of a muscle, the high bound of the action space [-]
            (here; HT09 has none).
        curl: Viscous field at the hand, F = curl (v_y, −v_x) [N s/m]; above 0 it pushes to the
            right (SM94).
        field: Viscous field B at the hand, F = B v [N s/m], a row for F_x and one for F_y (SM94).
            The curl field is added to it.
    """

    earlier_names = MappingProxyType({"ceiling": "max_excitation"})

    mass: Pair = within((1.4, 1.0), 0.01, 100)
    length: Pair = within((0.30, 0.33), 0.01, 10)
    centre_of_mass: Pair = within((0.11, 0.16), 0, 10)
    inertia: Pair = within((0.025, 0.045), 1e-6, 1000)
    friction: tuple[float, float, float] = within((0.05, 0.025, 0.05), 0, 100)
    lower_stop: Pair = within(_radians(-10, 5), -np.pi, np.pi)
    upper_stop: Pair = within(_radians(140, 160), -np.pi, np.pi)
    stop_stiffness: float = within(2000.0, 0, 1e5)
    stop_damping: float = within(100.0, 0, 1e4)
    path_offset: PerMuscle = within((0.151, 0.2322, 0.2859, 0.2355, 0.3329, 0.2989), -10, 10)
    path_slope: tuple[PerMuscle, PerMuscle] = within(
        (
            (-0.03, 0.03, 0.0, 0.0, -0.03, 0.03),
            (0.0, 0.0, -0.014, 0.025, -0.016, 0.03),
        ),
        -1,
        1,
    )
    path_curvature: PerMuscle = within((0.0, 0.0, -0.004, -0.0022, -0.0057, -0.0032), -1, 1)
    tendon_length: PerMuscle = within((0.039, 0.066, 0.172, 0.187, 0.204, 0.217), 0, 10)
    optimal_length: PerMuscle = within((0.134, 0.140, 0.092, 0.093, 0.137, 0.127), 0.001, 10)
    maximum_force: PerMuscle = within((838.0, 1207.0, 1422.0, 1549.0, 414.0, 603.0), 0, 1e5)
    activation_time: float = within(0.05, 0.001, 10)
    tone: float = within(0.002, 0, 1)
    max_excitation: float = within(1.0, 0, 100, above=True)
    curl: float = within(0.0, -1e4, 1e4)
    field: tuple[Pair, Pair] = within(((0.0, 0.0), (0.0, 0.0)), -1e4, 1e4)

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
        """Return an arm with moment arms that do not depend on the posture, and without tendons.

        ``moment_arms`` [m] are (2, 6), a row for the shoulder and one for the elbow, flexion
        positive. At ``optimal_angles`` [rad], (2, 6), a muscle has its optimal length;
        ``optimal_length`` [m] is (6,). ``others`` are further fields of ``Arm``. Raises ValueError
        for another shape and for a value outside its range.
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
        """Return the human skeleton with the muscles of a macaque and no tone (LS13).

        It was the default arm before version 0.1. ``others`` are fields that differ, such as
        ``max_excitation``.
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
    """Weights and scales of the instantaneous cost, eqs. 6 and 7 of Huh & Todorov (2009), HT09.

    The paper gives d0 and v0. We chose α and γ for reaching; circles have their own
    (``Orbit.weights``). Raises ValueError for a value outside its range.

    Attributes:
        alpha: Weight α of the velocity term [-] (chosen by us).
        gamma: Weight γ of the effort term [-] (chosen by us).
        target_radius: d0 of the distance term [m] (HT09).
        brake_radius: d0 of the velocity term [m]. It differs from ``target_radius`` only while
            training narrows the target.
        reference_speed: v0 [m/s] (HT09).
    """

    alpha: float = within(0.3, 0, 1e6)
    gamma: float = within(5.0, 0, 1e6)
    target_radius: float = within(0.04, 1e-4, 100)
    brake_radius: float = within(0.04, 1e-4, 100)
    reference_speed: float = within(0.3, 1e-3, 100)
