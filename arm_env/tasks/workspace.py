"""The geometry of the workspace: hand positions, and the joint angles that lead there."""

from collections.abc import Callable
from typing import Any

import numpy as np

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import hand, link_vectors
from arm_env.dynamics.layout import ANGLES, STATE_SIZE, VELOCITIES

LONGEST_SEARCH = 2000  # rounds of drawing random commands


def hand_position(arm: Any, angles: np.ndarray) -> np.ndarray:
    """Return the hand position from the shoulder [m], (..., 2), at joint angles [rad], (..., 2)."""
    x1, y1, x2, y2 = link_vectors(NUMPY, arm, np.asarray(angles))
    return np.stack([x1 + x2, y1 + y2], -1)


def nearest_angles(arm: Any, position: np.ndarray) -> np.ndarray:
    """Return the joint angles [rad], (..., 2), that bring the hand nearest to ``position``.

    Positions are (..., 2) [m]. The elbow is flexed. For a position out of reach the links point at
    it, stretched or folded. The joint stops are ignored.
    """
    x, y = position[..., 0], position[..., 1]
    l1, l2 = arm.length
    elbow = np.arccos(np.clip((x * x + y * y - l1 * l1 - l2 * l2) / (2 * l1 * l2), -1, 1))
    shoulder = np.arctan2(y, x) - np.arctan2(l2 * np.sin(elbow), l1 + l2 * np.cos(elbow))
    shoulder = (shoulder + np.pi / 2) % (2 * np.pi) - np.pi / 2  # no cut between the stops
    return np.stack([shoulder, elbow], -1)


def joint_angles(arm: Any, position: np.ndarray) -> np.ndarray:
    """Return the joint angles [rad], (..., 2), that put the hand at ``position`` [m], (..., 2).

    The elbow is flexed. Raises ValueError for a position that the arm cannot reach within its joint
    stops.
    """
    position = np.asarray(position, dtype=float)
    l1, l2 = arm.length
    angles = nearest_angles(arm, position)
    inside = (angles >= arm.lower_stop) & (angles <= arm.upper_stop)  # also False for NaN
    inside &= (np.abs(hand_position(arm, angles) - position) < 1e-9).all(-1, keepdims=True)
    if not inside.all():
        worst = position.reshape(-1, 2)[~inside.all(-1).reshape(-1)][0]
        low, high = (np.rad2deg(np.asarray(s)).round() for s in (arm.lower_stop, arm.upper_stop))
        raise ValueError(
            f"the hand can't reach {worst.tolist()} m from the shoulder: the joints turn from "
            f"{low.tolist()} to {high.tolist()} degrees (shoulder, elbow) and the links are "
            f"{l1} and {l2} m long"
        )
    return angles


def jacobian(arm: Any, angles: np.ndarray) -> np.ndarray:
    """Return the hand velocity per joint velocity [m], (n, 2, 2), at joint angles [rad], (n, 2)."""
    turning = [
        np.concatenate([angles, np.broadcast_to(unit, angles.shape)], -1) for unit in np.eye(2)
    ]
    return np.stack([np.stack(hand(NUMPY, arm, state)[2:], -1) for state in turning], -1)


def draw_until(draw: Callable[[], np.ndarray], number: int, size: int, refusal: str) -> np.ndarray:
    """Return ``number`` rows, (number, size), from repeated calls of ``draw``.

    A call of ``draw`` returns rows (n, size), or no row. Raises ValueError with the text
    ``refusal`` if most calls return none.
    """
    rows = np.empty((0, size))
    for _ in range(LONGEST_SEARCH):
        if len(rows) >= number:
            return rows[:number]
        rows = np.vstack([rows, draw()])
    raise ValueError(refusal)


def resting_state(arm: Any, position: np.ndarray) -> np.ndarray:
    """Return body states (n, 10) with the hand at rest at ``position`` [m], (n, 2).

    Activations are zero. Raises ValueError for a position that the arm cannot reach.
    """
    state = np.zeros((len(position), STATE_SIZE))
    state[:, ANGLES] = joint_angles(arm, position)
    return state


def moving_state(arm: Any, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Return body states (n, 10) with the hand at ``position`` [m], moving with ``velocity`` [m/s].

    Both are (n, 2). Activations are zero. Raises ValueError for a position that the arm cannot
    reach.
    """
    state = resting_state(arm, position)
    turning = jacobian(arm, state[:, ANGLES])
    state[:, VELOCITIES] = np.linalg.solve(turning, velocity[..., None])[..., 0]
    return state
