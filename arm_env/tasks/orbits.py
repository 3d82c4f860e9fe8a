"""Limit cycles: circles and other closed curves for the hand to run along (Huh & Todorov 2009,
V.B.2).

An orbit is a shape that answers two questions about a point: how far outside the curve it lies, and
which way is out. Cost, environment, start and drawing follow from these. The functions are
array-generic like ``arm_env.dynamics.equations``, so a new shape compiles and trains like the
circle.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from arm_env.checked import within
from arm_env.codegen.primitives import NUMPY, Array, Primitives, at_least, at_most
from arm_env.dynamics.parameters import CostWeights
from arm_env.tasks.measures import ShownMeasure, cycle_measures
from arm_env.tasks.task import Task
from arm_env.tasks.workspace import hand_position, joint_angles, moving_state

# [m] nearer to a centre than this, the outward direction fades to zero: it has no limit there
SINGULAR = 1e-4
# centres of a grid along each joint angle: that many must fit one orbit, and all of them
COARSE = 20
FINEST = 60
LONGEST_SEARCH = 2000  # rounds of drawing random commands
FASTEST = 2.0  # [m/s] no command is faster
# [-] of the commanded speed: a hand that runs this much slower or faster is on the orbit
SPEED_TOLERANCE = 0.25
OUTLINE = 2 * np.pi * np.arange(48) / 48  # [rad] phases at which an orbit is checked


def smooth_length(xp: Primitives, x: Array, y: Array) -> Array:
    """√(x² + y²), and a parabola with the same value and slope below ``SINGULAR``."""
    square = x * x + y * y
    away = xp.sqrt(at_least(xp, square, SINGULAR * SINGULAR))
    return xp.where(
        square - SINGULAR * SINGULAR, away, (square + SINGULAR * SINGULAR) / (2 * SINGULAR)
    )


@dataclass(frozen=True)
class Orbit(Task):
    """The command is centre x, y [m], radius [m] and speed v_d [m/s], above 0 for clockwise.

    Random commands have a ``radius`` [m] and a duration of one round, ``lap`` [s], uniform in these
    ranges, either direction, and a centre uniform over those whose whole orbit lies in the
    workspace. The speed follows: 2π radius / lap. A subclass defines ``outline``.
    """

    radius: tuple[float, float] = within((0.04, 0.10), 0, 1, ascending=True)
    lap: tuple[float, float] = within((0.8, 2.0), 0.01, 1000, ascending=True)

    name = "circle"
    env_id = "CircleArm-v0"
    summary = "Draw circles."
    max_episode_steps = 600
    entry_points = (
        "arm_env.envs.env:CircleArmEnv",
        "arm_env.envs.vector_env:CircleArmVectorEnv",
    )
    argument_names = ("orbit",)
    success_measure = ("fraction_converged", "converged")
    shown_measures = (
        ShownMeasure("fraction_converged", "converged", "%", 100, 1),
        ShownMeasure("median_radial_error_m", "radial error", "cm", 100, 1),
        ShownMeasure("median_speed_error", "speed error", "%", 100, 0),
    )
    cyclic = True
    dimensions = (4, 17)
    analysed_commands = 100
    # Circles cost several times as much as reaches: a smaller β weighs their differences alike.
    # They move on, so no tremor hides in the noise, and training with all of it makes them more
    # accurate under it.
    training = MappingProxyType({"recipe": "full-noise", "network": {"neurons": 64}, "beta": 0.5})
    speed_tolerance = SPEED_TOLERANCE

    command_names = ("centre_x", "centre_y", "radius", "speed")
    tolerance = 0.015
    hold = 3.0
    weights = CostWeights(alpha=2.0, gamma=0.05)

    @property
    def arguments(self):
        return {} if self == Circle() else {"orbit": self}

    def outline(
        self, xp: Primitives, x: Array, y: Array, radius: Array
    ) -> tuple[Array, Array, Array]:
        """Distance [m] from the curve round the origin, negative inside, and the outward unit
        normal x, y there.
        """
        raise NotImplementedError

    def error(self, xp, command, x, y):
        d, out_x, out_y = self.outline(
            xp, x - command[..., 0], y - command[..., 1], command[..., 2]
        )
        return d * d, command[..., 3] * out_y, -(command[..., 3] * out_x)

    def success(self, xp, command, x, y, vx, vy):
        """Near the curve and, if the command moves, with about its speed along the curve, the right
        way round.
        """
        _, wish_x, wish_y = self.error(xp, command, x, y)
        square = command[..., 3] * command[..., 3]
        # speed along the curve less that commanded, times the latter
        off = vx * wish_x + vy * wish_y - square
        on_speed = self.speed_tolerance * self.speed_tolerance * square * square - off * off
        near = super().success(xp, command, x, y, vx, vy)
        return xp.where(square, at_most(xp, near, on_speed), near)

    def points(self, commands: np.ndarray, phase: np.ndarray) -> np.ndarray:
        """Positions on the orbits [m], (n, P, 2), in the directions ``phase`` [rad], (n, P), from
        the centre.
        """
        centre = commands[:, None, :2]
        radius = commands[:, None, 2]
        x = np.cos(phase)
        y = np.sin(phase)
        distance = radius + 0 * phase
        for _ in range(10):  # Newton's method along the ray
            d, out_x, out_y = self.outline(NUMPY, distance * x, distance * y, radius)
            distance = np.clip(distance - d / np.maximum(out_x * x + out_y * y, 0.2), 0, 4 * radius)
        return centre + distance[..., None] * np.stack([x, y], -1)

    def track(self, command: np.ndarray) -> np.ndarray:
        """One orbit [m], (48, 2), in the order in which the hand runs along it; without speed,
        anticlockwise.
        """
        return self.points(command[None], OUTLINE[None] * (-1 if command[3] > 0 else 1))[0]

    def sample_commands(self, rng, number, arm):
        accepted = np.empty((0, 4))
        for _ in range(LONGEST_SEARCH):
            if len(accepted) >= number:
                return accepted[:number]
            centre = hand_position(arm, self.sample_angles(rng, 2 * number))
            radius = rng.uniform(*self.radius, 2 * number)
            lap = rng.uniform(*self.lap, 2 * number)
            speed = rng.choice([-1.0, 1.0], 2 * number) * 2 * np.pi * radius / lap
            drawn = np.column_stack([centre, radius, speed])
            accepted = np.vstack(
                [accepted, drawn[self.in_workspace(arm, self.outlines(drawn)).all(1)]]
            )
        raise ValueError(
            "hardly any orbit lies in the workspace: the radius must be smaller than "
            f"{self.radius} m"
        )

    def outlines(self, commands: np.ndarray) -> np.ndarray:
        return self.points(commands, np.broadcast_to(OUTLINE, (len(commands), len(OUTLINE))))

    def command_bounds(self, arm):
        reach = sum(arm.length)
        return np.array([-reach, -reach, 0.0, -FASTEST]), np.array([reach, reach, reach, FASTEST])

    def check_commands(self, arm, commands):
        self.checked_shape(commands)
        radius = commands[:, 2]
        speed = commands[:, 3]
        if (radius < 0).any():
            raise ValueError(f"a radius is 0 m or above, not {radius.min()}")
        if (abs(speed) > FASTEST).any():
            raise ValueError(
                f"a speed is up to {FASTEST} m/s either way, not {speed[abs(speed).argmax()]}"
            )
        try:
            joint_angles(arm, self.outlines(commands))
        except ValueError as error:
            raise ValueError(f"the orbit leaves what the arm can reach: {error}") from None

    def attractor_state(self, rng, arm, commands):
        """On the orbit at a random phase, with the velocity commanded there."""
        place = self.points(commands, rng.uniform(0, 2 * np.pi, (len(commands), 1)))[:, 0]
        velocity = np.stack(self.error(NUMPY, commands, *place.T)[1:], -1)
        return moving_state(arm, place, velocity)

    def grid(self, arm, number):
        """Three radii × four speeds (two each way) × centres, as many as fit the workspace."""
        radii = sorted({*np.linspace(*self.radius, 3)})
        laps = sorted({*self.lap})
        shapes = [
            (r, way * 2 * np.pi * r / lap) for r in radii for lap in laps for way in (-1.0, 1.0)
        ]
        for side in range(5, FINEST + 1):
            commands = np.array(
                [(*c, *shape) for c in self.places(arm, side, side) for shape in shapes]
            )
            fits = self.in_workspace(arm, self.outlines(commands)).all(1)
            if fits.sum() >= number:
                kept = commands[fits]
                return kept[np.round(np.linspace(0, len(kept) - 1, number)).astype(int)]
            if side >= COARSE and not fits.any():
                break
        raise ValueError(f"the arm's workspace has no room for {number} circles")

    def measures(self, recording, start, period, *, seed, noise):
        return cycle_measures(recording, start, period, self, seed=seed, noise=noise)

    def period(self, commands):
        """One round; half a second for a command that stands still."""
        speed = np.abs(commands[:, 3])
        return np.where(speed > 0, 2 * np.pi * commands[:, 2] / np.where(speed > 0, speed, 1), 0.5)


@dataclass(frozen=True)
class Circle(Orbit):
    """Circles. With radius and speed 0 the cost is that of reaching, exactly."""

    def outline(self, xp, x, y, radius):
        length = smooth_length(xp, x, y)
        return length - radius, x / length, y / length

    def error(self, xp, command, x, y):
        squared, *velocity = super().error(xp, command, x, y)
        dx, dy = x - command[..., 0], y - command[..., 1]
        return xp.where(command[..., 2], squared, dx * dx + dy * dy), *velocity


@dataclass(frozen=True)
class Ellipse(Orbit):
    """Ellipses of the circle's area, ``aspect`` times as long (along x) as wide."""

    aspect: float = within(2.0, 0.1, 10)

    def outline(self, xp, x, y, radius):
        """By three steps from evolute to evolute to the closest point; exact to 1e-6 of the radius
        near the curve.
        """
        size = at_least(xp, radius, SINGULAR)
        a, b = size * self.aspect**0.5, size / self.aspect**0.5
        px, py = xp.where(x, x, -x), xp.where(y, y, -y)
        tx = ty = px * 0 + 0.5**0.5
        for _ in range(3):
            ex, ey = (a * a - b * b) * tx * tx * tx / a, (b * b - a * a) * ty * ty * ty / b
            ratio = smooth_length(xp, a * tx - ex, b * ty - ey) / smooth_length(
                xp, px - ex, py - ey
            )
            tx = at_most(xp, at_least(xp, ((px - ex) * ratio + ex) / a, 0.0), 1.0)
            ty = at_most(xp, at_least(xp, ((py - ey) * ratio + ey) / b, 0.0), 1.0)
            length = smooth_length(xp, tx, ty)
            tx, ty = tx / length, ty / length
        out_x, out_y = tx / a, ty / b
        length = smooth_length(xp, out_x, out_y)
        out_x, out_y = out_x / length, out_y / length
        d = (px - a * tx) * out_x + (py - b * ty) * out_y
        return d, xp.where(x, out_x, -out_x), xp.where(y, out_y, -out_y)


@dataclass(frozen=True)
class RoundedPolygon(Orbit):
    """Regular polygons whose corners, ``rounding`` of the radius from their tips, are arcs."""

    corners: int = within(3, 3, 24)
    rounding: float = within(0.3, 0.01, 0.99)

    def outline(self, xp, x, y, radius):
        """Distance from a smaller polygon, less the rounding."""
        size = (1 - self.rounding) * radius
        rounding = self.rounding * radius
        half = np.pi / self.corners
        apothem = size * float(np.cos(half))
        side = size * float(np.sin(half))
        nearest: Any = None
        inside: Any = None
        for k in range(self.corners):
            angle = np.pi / 2 + half + 2 * half * k  # of this edge's normal; one corner points up
            c, s = float(np.cos(angle)), float(np.sin(angle))
            out = x * c + y * s - apothem
            along = y * c - x * s
            beyond = at_least(xp, along - side, 0.0) + at_most(xp, along + side, 0.0)
            candidate = (out * out + beyond * beyond, out * c - beyond * s, out * s + beyond * c)
            if nearest is None:
                nearest = candidate
                inside = -out
            else:
                closer = nearest[0] - candidate[0]
                nearest = tuple(
                    xp.where(closer, new, old) for new, old in zip(candidate, nearest, strict=True)
                )
                inside = at_most(xp, inside, -out)
        length = smooth_length(xp, nearest[1], nearest[2])
        d = xp.where(inside, -length, length)
        return d - rounding, nearest[1] / d, nearest[2] / d
