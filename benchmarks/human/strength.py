"""Isometric strength: the largest force of the hand in a direction, and the largest joint torque.

The tension of a muscle at rest is proportional to its activation, so both are linear programmes
over the activations in [0, 1].
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

import arm_env
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import isometric_torques
from arm_env.tasks.workspace import jacobian, joint_angles

# [m] five places of the hand: near, middle and far ahead, and to both sides
PLACES = np.array([(0.0, 0.30), (0.0, 0.40), (0.0, 0.50), (-0.25, 0.32), (0.25, 0.32)])
DIRECTIONS = 2 * np.pi * np.arange(8) / 8  # [rad] from the line shoulder–hand
FINE = 2 * np.pi * np.arange(72) / 72  # [rad] of the curve that is drawn
ANGLES = np.deg2rad(np.arange(30, 141, 5.0))  # [rad] of the elbow
SHOULDER = np.deg2rad(45.0)  # [rad]


class Forces(NamedTuple):
    """The largest forces of the hand at P places in D directions.

    Attributes:
        force: (P, D) [N].
        direction: (P, D) [rad] in space.
        from_line: (D,) [rad] the same from the line shoulder–hand.
        elbow: (P,) [rad] elbow angle.
    """

    force: np.ndarray
    direction: np.ndarray
    from_line: np.ndarray
    elbow: np.ndarray

    @property
    def elongation(self) -> np.ndarray:
        """Largest over smallest force of each place, (P,)."""
        return self.force.max(-1) / self.force.min(-1)

    @property
    def strongest(self) -> np.ndarray:
        """Angle [rad], (P,), between the strongest direction and the line, 0 to π/2."""
        return folded(self.from_line[self.force.argmax(-1)])

    @property
    def weakest(self) -> np.ndarray:
        """Angle [rad], (P,), between the weakest direction and the line, 0 to π/2."""
        return folded(self.from_line[self.force.argmin(-1)])


def folded(angle: np.ndarray) -> np.ndarray:
    """Return the angles between lines, 0 to π/2, of angles [rad]."""
    return np.abs((angle + np.pi / 2) % np.pi - np.pi / 2)


def largest_force(torques: np.ndarray, turning: np.ndarray, direction: float) -> float:
    """Return the largest force [N] in a direction [rad] with none across it.

    ``torques`` are those of fully active muscles [N m], (2, 6); ``turning`` is the hand's Jacobian
    [m], (2, 2).
    """
    unit = np.array([np.cos(direction), np.sin(direction)])
    # unknowns: six activations and the force f, with torques @ a = Jᵀ unit f
    equal = np.column_stack([torques, -turning.T @ unit])
    found = linprog(
        [0.0] * 6 + [-1.0], A_eq=equal, b_eq=[0.0, 0.0], bounds=[(0, 1)] * 6 + [(0, None)]
    )
    if not found.success:
        raise ValueError(f"no force was found: {found.message}")
    return float(found.x[-1])


def forces(places: np.ndarray = PLACES, directions: np.ndarray = DIRECTIONS) -> Forces:
    """Return the largest forces at places (P, 2) [m], in directions (D,) [rad] from the line."""
    arm = arm_env.Arm().arrays()
    angles = joint_angles(arm, places)
    torques, turning = isometric_torques(NUMPY, arm, angles), jacobian(arm, angles)
    space = np.arctan2(places[:, 1], places[:, 0])[:, None] + directions
    force = [
        [largest_force(t, j, d) for d in line]
        for t, j, line in zip(torques, turning, space, strict=True)
    ]
    return Forces(np.array(force), space, directions, angles[:, 1])


def elbow_torques() -> tuple[np.ndarray, np.ndarray]:
    """Return the largest torques [N m] of elbow flexion and extension, (A,) each, at ``ANGLES``.

    The shoulder is fixed, so that all muscles of one side may be fully active.
    """
    arm = arm_env.Arm().arrays()
    angles = np.column_stack([np.full_like(ANGLES, SHOULDER), ANGLES])
    elbow = isometric_torques(NUMPY, arm, angles)[:, 1]
    return np.maximum(elbow, 0).sum(-1), np.maximum(-elbow, 0).sum(-1)


def shoulder_torques(elbow: float = np.pi / 2) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest torques [N m] of the shoulder, inward and outward, (A,) each.

    The shoulder stands at 0 to 110° in 23 steps, the elbow at a fixed angle [rad].
    """
    arm = arm_env.Arm().arrays()
    shoulder = np.deg2rad(np.linspace(0, 110, len(ANGLES)))
    torque = isometric_torques(
        NUMPY, arm, np.column_stack([shoulder, np.full_like(shoulder, elbow)])
    )[:, 0]
    return np.maximum(torque, 0).sum(-1), np.maximum(-torque, 0).sum(-1)
