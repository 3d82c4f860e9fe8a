"""Drawings of a body: the points and lines that a picture shows."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from arm_env.codegen.primitives import NUMPY
from arm_env.tasks.task import Task


class Pose(NamedTuple):
    """The points and lines that are drawn of a body in one state [m].

    Attributes:
        joints: Points from the first joint to the hand, (n, 2), with a bone from each to the next.
        muscles: Paths, (points, 2) each, in the order of the body's muscles; or none.
    """

    joints: np.ndarray
    muscles: Sequence[np.ndarray]


class Drawing:
    """The simplest drawing of any body: one bone from the origin to the hand.

    A body may name a class derived from this one that shows more.
    """

    def __init__(self, arm: Any, task: Task):
        self.arm, self.task = arm, task

    def backdrop(self) -> list[tuple[str, np.ndarray]]:
        """Return names and outlines [m], (n, 2) each, of things that stand still, from the lowest.

        A name is "trunk", "head" or "workspace".
        """
        return []

    def pose(self, state: np.ndarray, points: int) -> Pose:
        """Return the body in a state (S,), the path of each muscle with that number of points."""
        hand = np.stack(self.task.body.hand(NUMPY, self.arm.arrays(), state)[:2])
        return Pose(np.stack([np.zeros(2), hand]), [])


def drawing_of(arm: Any, task: Task) -> Drawing:
    """Return the drawing that the task's body names."""
    module, _, name = task.body.drawing.partition(":")
    drawing: Drawing = getattr(import_module(module), name)(arm, task)
    return drawing
