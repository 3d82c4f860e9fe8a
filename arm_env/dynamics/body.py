"""The description of a body: its sizes, names and equations. A task names its body.

A body has J joints and M muscles. Its state x, (2 J + M,), holds the joint angles [rad], the
angular velocities [rad/s] and the muscle activations [-]. Its sensory signal, (3 M,), holds the
lengths, velocities and tensions of the muscles. A control signal, (M,), excites the muscles.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from arm_env.codegen.primitives import Array
from arm_env.dynamics import equations
from arm_env.dynamics.bounds import sensory_bounds
from arm_env.dynamics.parameters import MUSCLES, Arm, Parameters

ASKED = ("tone", "max_excitation", "lower_stop", "upper_stop")
"""Fields that the parameters of every body must have: the least and the largest excitation of a
muscle, and the angles [rad] between which each joint may start."""


@dataclass(frozen=True)
class Body:
    """A body with J joints, M muscles and a hand, or another point that tasks are about.

    Its equations take primitives and parameters first, as those of ``arm_env.dynamics.equations``.
    They are traced and compiled once in a process. They should be functions of a module, so that
    environments and controllers can be pickled. Raises ValueError if the parameters lack a field
    that every body needs (``ASKED``).

    Attributes:
        parameters: The default parameters; other parameters of the body are of the same class.
        joints: Names of the J joints.
        muscles: Names of the M muscles.
        step: step(xp, p, x, u, h) returns the state (..., 2 J + M) after h [s] under excitations u
            (..., M).
        sense: sense(xp, p, x) returns the sensory signal (..., 3 M) without noise.
        excitation: excitation(xp, p, u, noise) returns the excitations (..., M) that reach the
            muscles.
        hand: hand(xp, p, x) returns the position x, y [m] and the velocity [m/s] of the hand, four
            arrays (...).
        sensory_bounds: sensory_bounds(p) returns the lowest and the highest noise-free sensory
            signal, (3 M,) each, over all states.
        sensory_mean: Approximate means of lengths, velocities and tensions over movements. Networks
            are scaled by them.
        sensory_deviation: Approximate standard deviations of the same.
        drawing: Address, as module:Class, of the ``Drawing`` that shows the body.
        sensory_units: Units of lengths, velocities and tensions. L0 is the optimal length of a
            muscle, F0 its maximum isometric force.
        touchable: Whether ``step`` takes a contact of the hand as a further argument,
            step(xp, p, x, u, h, contact), (..., 7), as ``arm_env.dynamics.equations.hand_force``
            reads it. Without it there are no pushes and no channels.
    """

    parameters: Parameters
    joints: tuple[str, ...]
    muscles: tuple[str, ...]

    step: Callable[..., Array]
    sense: Callable[..., Array]
    excitation: Callable[..., Array]
    hand: Callable[..., tuple[Array, Array, Array, Array]]

    sensory_bounds: Callable[[Any], tuple[np.ndarray, np.ndarray]]
    sensory_mean: tuple[float, float, float]
    sensory_deviation: tuple[float, float, float]
    drawing: str = "arm_env.envs.drawing:Drawing"
    sensory_units: tuple[str, str, str] = ("L0", "L0/s", "F0")
    touchable: bool = False

    def __post_init__(self) -> None:
        missing = [name for name in ASKED if not hasattr(self.parameters, name)]
        if missing:
            kind = type(self.parameters).__name__
            raise ValueError(f"the parameters of a body need {', '.join(missing)}: add to {kind}")

    def __hash__(self) -> int:  # of few fields: kernels are looked up by the body at every use
        return hash((self.joints, self.muscles, self.step))

    @property
    def muscle_count(self) -> int:
        """Number M of muscles."""
        return len(self.muscles)

    @property
    def state_size(self) -> int:
        """Size 2 J + M of the state."""
        return 2 * len(self.joints) + len(self.muscles)

    @property
    def sensory_size(self) -> int:
        """Size 3 M of the sensory signal."""
        return 3 * len(self.muscles)

    @property
    def angles(self) -> slice:
        """Slice of the state that holds the joint angles."""
        return slice(0, len(self.joints))

    @property
    def velocities(self) -> slice:
        """Slice of the state that holds the angular velocities."""
        return slice(len(self.joints), 2 * len(self.joints))

    @property
    def activations(self) -> slice:
        """Slice of the state that holds the muscle activations."""
        return slice(2 * len(self.joints), self.state_size)


ARM = Body(
    parameters=Arm(),
    joints=("shoulder", "elbow"),
    muscles=MUSCLES,
    step=equations.step,
    sense=equations.sense,
    excitation=equations.excitation,
    hand=equations.hand,
    sensory_bounds=sensory_bounds,
    # These numbers are those of a macaque's muscles, with which the training recipes were found.
    # Human muscles have means of 0.9, 0 and 0.05, and deviations of 0.15, 0.3 and 0.03 over trained
    # movements; docs/choices.md tells the difference that this makes.
    sensory_mean=(1.0, 0.0, 0.1),
    sensory_deviation=(0.25, 2.0, 0.2),
    drawing="arm_env.envs.muscle_paths:ArmDrawing",
    touchable=True,
)
"""The two-link, six-muscle arm."""


def body_of(controller: Any) -> Body:
    """Return the ``body`` of a controller or network, or the arm if it has none."""
    body = getattr(controller, "body", None)  # which may be anything in a module of a user's own
    return body if isinstance(body, Body) else ARM
