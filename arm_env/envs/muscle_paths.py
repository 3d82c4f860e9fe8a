"""Positions of bones and muscles of the arm in drawings.

The muscle paths are for the eye only. The model has no paths: its moment arms, of 14 to 44 mm, are
functions of the joint angles. Here each muscle is a string pulled tight round a pulley at every
joint that it crosses, of 22 mm (one joint) or 41 mm (two joints), so that it hides neither bones
nor other muscles; flexors bow away from a bent elbow. Attachments and pulleys were chosen for
their look.
"""

from typing import Any, NamedTuple

import numpy as np

from arm_env.dynamics.body import ARM
from arm_env.envs.drawing import Drawing, Pose
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import hand_position


class Attachment(NamedTuple):
    """A point of link 0 (trunk), 1 (upper arm) or 2 (forearm), polar about its near joint.

    Attributes:
        link: Number of the link.
        distance: Distance from the joint [m].
        bearing: Angle from the link's axis [degrees]; the trunk's is the x axis.
    """

    link: int
    distance: float
    bearing: float


class Muscle(NamedTuple):
    """The course of a muscle in drawings.

    Attributes:
        side: +1 for the counter-clockwise side of its joints (flexor), −1 for the other.
        pulley: Radius of its pulleys [m].
        origin: Its proximal attachment.
        insertion: Its distal attachment.
    """

    side: int
    pulley: float
    origin: Attachment
    insertion: Attachment


# Origins on the trunk keep within 7 cm of the shoulder: the folded forearm would cut off any
# further.
LAYOUT = (
    Muscle(+1, 0.022, Attachment(0, 0.060, 190), Attachment(1, 0.10, 4)),
    Muscle(-1, 0.022, Attachment(0, 0.045, 225), Attachment(1, 0.10, -4)),
    Muscle(+1, 0.022, Attachment(1, 0.14, 3), Attachment(2, 0.04, 6)),
    Muscle(-1, 0.022, Attachment(1, 0.14, -3), Attachment(2, 0.04, -6)),
    Muscle(+1, 0.041, Attachment(0, 0.070, 170), Attachment(2, 0.06, 5)),
    Muscle(-1, 0.041, Attachment(0, 0.062, 235), Attachment(2, 0.06, -5)),
)


def unit(angle: np.ndarray) -> np.ndarray:
    """Return unit vectors (..., 2) at angles (...) [rad] from the x axis."""
    return np.stack([np.cos(angle), np.sin(angle)], -1)


TURN = unit(np.linspace(0, 2 * np.pi, 120))
TRUNK_OUTLINE = np.sign(TURN) * np.abs(TURN) ** 0.75 * (0.225, 0.095) + (-0.18, -0.02)  # [m]
HEAD_OUTLINE = TURN * (0.075, 0.095) + (-0.18, 0.0)
NOSE = np.array([(-0.20, 0.08), (-0.18, 0.115), (-0.16, 0.08)])


class ArmDrawing(Drawing):
    """The drawing of a person's arm, seen from above."""

    def backdrop(self) -> list[tuple[str, np.ndarray]]:
        return [
            ("trunk", TRUNK_OUTLINE),
            ("workspace", workspace_outline(self.arm, self.task)),
            ("head", NOSE),
            ("head", HEAD_OUTLINE),
        ]

    def pose(self, state: np.ndarray, points: int) -> Pose:
        angles = state[ARM.angles]
        return Pose(joint_positions(self.arm, angles), muscle_paths(self.arm, angles, points))


def joint_positions(arm: Any, angles: np.ndarray) -> np.ndarray:
    """Return shoulder, elbow and hand [m], (3, 2), at joint angles [rad], (2,)."""
    links = np.asarray(arm.length)[:, None] * unit(np.cumsum(angles))
    return np.concatenate([np.zeros((1, 2)), np.cumsum(links, 0)])


def muscle_paths(arm: Any, angles: np.ndarray, number: int = 48) -> list[np.ndarray]:
    """Return the paths [m] of the six muscles, in the order of MUSCLES, at joint angles [rad] (2,).

    Each is (number, 2), evenly spaced from origin to insertion.
    """
    joints = joint_positions(arm, angles)
    headings = np.concatenate([[0.0], np.cumsum(angles)])  # [rad] of trunk, upper arm, forearm
    return [
        _resample(_taut(_slack(muscle, joints, headings), muscle.side), number) for muscle in LAYOUT
    ]


def _slack(muscle: Muscle, joints: np.ndarray, headings: np.ndarray) -> np.ndarray:
    """Return a slack string [m], (n, 2), on the muscle's side: along bones, round pulleys."""
    chain = _place(muscle.origin, joints, headings)
    insertion = _place(muscle.insertion, joints, headings)
    for joint in range(muscle.origin.link, muscle.insertion.link):
        onward = insertion[0] if joint + 1 == muscle.insertion.link else joints[joint + 1]
        start, end = (
            np.arctan2(y, x) for x, y in (chain[-1] - joints[joint], onward - joints[joint])
        )
        # Origin and insertion may pass one another on the folded side, beyond the joint stops: 0.1
        # rad.
        sweep = (muscle.side * (start - end) + 0.1) % (2 * np.pi) - 0.1
        arc = unit(start - muscle.side * sweep * np.linspace(0, 1, 40))
        chain = np.concatenate([chain, joints[joint] + muscle.pulley * arc])
    return np.concatenate([chain, insertion])


def _place(attachment: Attachment, joints: np.ndarray, headings: np.ndarray) -> np.ndarray:
    """Return the attachment's position [m], (1, 2)."""
    near = joints[[max(attachment.link - 1, 0)]]
    return near + attachment.distance * unit(
        headings[[attachment.link]] + np.deg2rad(attachment.bearing)
    )


def _taut(chain: np.ndarray, side: int) -> np.ndarray:
    """Pull the string: keep only the points at which it bends round a pulley (Graham's scan)."""
    kept: list[list[float]] = []
    for x, y in chain.tolist():
        while len(kept) > 1:
            (x0, y0), (x1, y1) = kept[-2:]
            dx, dy, ex, ey = x1 - x0, y1 - y0, x - x1, y - y1
            # the string bends towards the pulley, and does not turn back
            if side * (dx * ey - dy * ex) < 0 < dx * ex + dy * ey:
                break
            kept.pop()
        kept.append([x, y])
    return np.array(kept)


def _resample(path: np.ndarray, number: int) -> np.ndarray:
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=-1))])
    even = np.linspace(0, along[-1], number)
    return np.stack([np.interp(even, along, path[:, 0]), np.interp(even, along, path[:, 1])], -1)


def workspace_outline(arm: Any, task: Task) -> np.ndarray:
    """Return the edge [m], (n, 2), of the hand positions in the task's range of postures."""
    t = np.linspace(0, 1, 60)
    shoulder, elbow = (low + (high - low) * t for low, high in (task.shoulder, task.elbow))
    edges = [
        (shoulder, elbow[0]),
        (shoulder[-1], elbow),
        (shoulder[::-1], elbow[-1]),
        (shoulder[0], elbow[::-1]),
    ]
    return hand_position(
        arm, np.concatenate([np.stack(np.broadcast_arrays(*edge), -1) for edge in edges])
    )
