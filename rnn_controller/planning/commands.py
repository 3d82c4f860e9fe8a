"""Commands over one lap as periodic splines, for each kind of task that can be planned for.

The commands of T control periods, (T, K), are linear in the coefficients (n, D): a gradient along
the commands becomes one along the coefficients by a product.
"""

from typing import Any

import numpy as np

from arm_env.dynamics.body import ARM
from arm_env.tasks.follow import Follow
from arm_env.tasks.reach import Reach
from arm_env.tasks.shapes import Circle
from arm_env.tasks.task import Task
from rnn_controller.planning.limits import Workspace
from rnn_controller.planning.osculating import TIGHTEST, WIDEST, osculating_circles
from rnn_controller.planning.splines import periodic_basis

KNOTS = 8.0  # [1/s]
FEWEST = 12  # knots
STIFF = 30.0  # of a squared distance outside the workspace, compared with one from the curve
# [m] one metre a second too fast counts as that far outside
FAST_AS = 0.1
AROUND = np.arange(12) * np.pi / 6  # [rad] phases at which a circle is held to the workspace


class Targets:
    """Targets (x, y) of a reaching controller."""

    lead = 0.2  # [s] by which the first targets are ahead of the hand

    def __init__(self, task: Task, arm: Any, course: np.ndarray, control_period: float):
        """Take the course of the hand [m], (T, 2)."""
        self._workspace = Workspace(task, arm)
        self.task = task
        periods = len(course)
        self.lap = periods * control_period
        self.knots = min(max(FEWEST, round(KNOTS * self.lap)), periods // 2)
        self.basis = periodic_basis(self.knots, periods)  # (T, n)
        self.slopes = periodic_basis(self.knots, periods, 1) / self.lap
        # the course at the start of each period
        self._course = self._fitted(np.roll(course, 1, axis=0))
        self._shift = round(self.lead / control_period)

    def start(self) -> np.ndarray:
        """Return the coefficients (n, D) of the first plan: the course, ahead of time."""
        return self._fitted(np.roll(self.basis @ self._course, -self._shift, axis=0))

    def commands(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the commands (T, K) of coefficients (n, D)."""
        return self.basis @ coefficients

    def pulled_back(self, gradient: np.ndarray) -> np.ndarray:
        """Return a gradient along the coefficients (n, D) from one along the commands (T, K)."""
        return self.basis.T @ gradient

    def bounds(self) -> list[tuple[float | None, float | None]]:
        """Return the lowest and highest value of every coefficient, which the commands keep to."""
        return [(None, None)] * (2 * self.knots)

    def penalty(self, commands: np.ndarray) -> tuple[float, np.ndarray]:
        """Return a penalty [m²] on commands outside the range of training, and its gradient.

        Both the commands and the gradient are (T, K).
        """
        outside, slope = self._workspace.outside(commands[:, :2])
        gradient = np.zeros_like(commands)
        gradient[:, :2] = STIFF * slope / len(commands)
        return STIFF * float(outside.mean()), gradient

    def _fitted(self, values: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(self.basis, values, rcond=None)[0]


class MovingTargets(Targets):
    """Targets (x, y) and their velocities, of a controller that follows."""

    lead = 0.1

    def commands(self, coefficients: np.ndarray) -> np.ndarray:
        return np.hstack([self.basis @ coefficients, self.slopes @ coefficients])

    def pulled_back(self, gradient: np.ndarray) -> np.ndarray:
        return self.basis.T @ gradient[:, :2] + self.slopes.T @ gradient[:, 2:]


class Circles(Targets):
    """Circles (centre x, y, radius, speed), of a controller that draws them."""

    task: Circle

    def start(self) -> np.ndarray:
        """Return the coefficients (n, 4) of circles that osculate the course."""
        low, high = self.task.radius
        radii = (min(max(TIGHTEST, low), high), max(min(WIDEST, high), low))
        bend = periodic_basis(self.knots, len(self.basis), 2) / self.lap**2
        place, velocity, acceleration = (m @ self._course for m in (self.basis, self.slopes, bend))
        coefficients = self._fitted(osculating_circles(place, velocity, acceleration, radii))
        low_and_high = np.array(self.bounds(), dtype=float).reshape(self.knots, 4, 2)
        return np.clip(coefficients, low_and_high[..., 0], low_and_high[..., 1])

    def bounds(self) -> list[tuple[float | None, float | None]]:
        fastest = self.turn * self.task.radius[1]
        place = (-np.inf, np.inf)
        return [place, place, self.task.radius, (-fastest, fastest)] * self.knots

    @property
    def turn(self) -> float:
        """The largest angular velocity on a circle of the training [rad/s]."""
        return 2 * np.pi / self.task.lap[0]

    def penalty(self, commands: np.ndarray) -> tuple[float, np.ndarray]:
        radius, speed = commands[:, 2], commands[:, 3]
        out = np.stack([np.cos(AROUND), np.sin(AROUND)], -1)
        points = commands[:, None, :2] + radius[:, None, None] * out  # (T, 12, 2)
        outside, slope = self._workspace.outside(points)
        too_fast = FAST_AS * np.maximum(np.abs(speed) - self.turn * radius, 0)
        number = len(commands)
        gradient = np.empty_like(commands)
        gradient[:, :2] = slope.mean(1)
        gradient[:, 2] = (slope * out).sum(-1).mean(1) - 2 * FAST_AS * too_fast * self.turn
        gradient[:, 3] = 2 * FAST_AS * too_fast * np.sign(speed)
        cost = float(outside.mean() + (too_fast**2).mean())
        return STIFF * cost, STIFF * gradient / number


KINDS: dict[type[Task], type[Targets]] = {Reach: Targets, Follow: MovingTargets, Circle: Circles}


def kind_of(task: Task) -> type[Targets]:
    """Return how commands of a task are planned. Raises ValueError if they can't be."""
    kind = KINDS.get(type(task))
    if kind is None or task.body is not ARM:
        raise ValueError(
            "drawings are planned for controllers of the arm that reach, follow or draw circles, "
            f"and this controller is one for {task}"
        )
    return kind
