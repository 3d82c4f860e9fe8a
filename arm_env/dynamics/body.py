"""What a body is: its sizes, names and equations. A task says which body it is for.

The state x of a body with J joints and M muscles is their angles [rad], angular velocities [rad/s]
and activations, (2 J + M,). Its sensory signal is the muscles' lengths, velocities and tensions,
(3 M,). A control signal excites each muscle, (M,).
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
"""What the parameters of every body hold: the least and the largest excitation of a muscle, and the
angles [rad] between which each joint may start."""


@dataclass(frozen=True)
class Body:
    """A body with joints and muscles, and a hand, or another point, that tasks are about.

    Its equations take primitives and parameters first, as those of ``arm_env.dynamics.equations``.
    They are traced and compiled once in a process. They should be functions of a module, so that
    environments and controllers can be pickled.
    """

    parameters: Parameters
    """The default ones; others are of the same class."""
    joints: tuple[str, ...]
    """Names of the joints."""
    muscles: tuple[str, ...]
    """Names of the muscles."""

    step: Callable[..., Array]
    """step(xp, p, x, u, h): the state after h [s] under excitations u."""
    sense: Callable[..., Array]
    """sense(xp, p, x): the sensory signal, noise-free."""
    excitation: Callable[..., Array]
    """excitation(xp, p, u, noise): the excitations that reach the muscles."""
    hand: Callable[..., tuple[Array, Array, Array, Array]]
    """hand(xp, p, x): position x, y [m] and velocity [m/s] of the hand."""

    sensory_bounds: Callable[[Any], tuple[np.ndarray, np.ndarray]]
    """sensory_bounds(p): the lowest and the highest noise-free sensory signal in any state."""
    sensory_mean: tuple[float, float, float]
    """About the means of lengths, velocities and tensions over movements: networks are scaled by
    them."""
    sensory_deviation: tuple[float, float, float]
    """About their standard deviations."""
    drawing: str = "arm_env.envs.drawing:Drawing"
    """The address, as module:Class, of the ``Drawing`` that shows it."""

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
        """Size of the state."""
        return 2 * len(self.joints) + len(self.muscles)

    @property
    def sensory_size(self) -> int:
        """Size of the sensory signal."""
        return 3 * len(self.muscles)

    @property
    def angles(self) -> slice:
        """Where the joint angles stand in the state."""
        return slice(0, len(self.joints))

    @property
    def velocities(self) -> slice:
        """Where the joints' velocities stand in the state."""
        return slice(len(self.joints), 2 * len(self.joints))

    @property
    def activations(self) -> slice:
        """Where the muscles' activations stand in the state."""
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
    # Those that the recipes were found with, of a macaque's muscles. Human ones have means of 0.9,
    # 0 and 0.05, and deviations of 0.15, 0.3 and 0.03 over trained movements; docs/choices.md says
    # what that changes.
    sensory_mean=(1.0, 0.0, 0.1),
    sensory_deviation=(0.25, 2.0, 0.2),
    drawing="arm_env.envs.muscle_paths:ArmDrawing",
)
"""The two-link, six-muscle arm."""


def body_of(controller: Any) -> Body:
    """The body that a controller or network has as its ``body``, else the arm."""
    body = getattr(controller, "body", None)  # which may be anything in a module of a user's own
    return body if isinstance(body, Body) else ARM
