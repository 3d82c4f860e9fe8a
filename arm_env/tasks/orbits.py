"""Limit cycles: circles and other closed curves for the hand to run along.

The source is Huh & Todorov (2009), V.B.2.

An orbit is a shape that answers two questions about a point: how far outside the curve it lies, and
which direction is outward. Cost, environment, start and drawing follow from these. The functions
work on arrays of any library, like ``arm_env.dynamics.equations``, so a new shape compiles and
trains like the circle.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from arm_env.checked import within
from arm_env.codegen.primitives import NUMPY, Array, Primitives, at_least, at_most
from arm_env.dynamics.parameters import CostWeights
from arm_env.tasks.measures import Measures, Recording, ShownMeasure, settling_steps, trailing_mean
from arm_env.tasks.task import FASTEST, Task
from arm_env.tasks.workspace import draw_until, hand_position, joint_angles, moving_state

# [m] nearer to a centre than this, the outward direction fades to zero: it has no limit there
SINGULAR = 1e-4
# centres of a grid along each joint angle: that many must fit one orbit, and all of them
COARSE = 20
FINEST = 60
# [-] of the commanded speed: a hand that runs this much slower or faster is on the orbit
SPEED_TOLERANCE = 0.25
OUTLINE = 2 * np.pi * np.arange(48) / 48  # [rad] phases at which an orbit is checked


def smooth_length(xp: Primitives, x: Array, y: Array) -> Array:
    """Return √(x² + y²), (...); below ``SINGULAR``, a parabola with the same value and slope.

    x and y are (...) each.
    """
    square = x * x + y * y
    away = xp.sqrt(at_least(xp, square, SINGULAR * SINGULAR))
    return xp.where(
        square - SINGULAR * SINGULAR, away, (square + SINGULAR * SINGULAR) / (2 * SINGULAR)
    )


@dataclass(frozen=True)
class CycleMeasures(Measures):
    """Measures of running along orbits, after the jump to the second command of each episode.

    Errors are means over the last round, or over as much of it as the second command lasts.

    Attributes:
        fraction_converged: Share of movements with a radial error below 1.5 cm and a speed error
            below 25 %.
        median_radial_error_m: Median of the mean distance from the orbit [m].
        p95_radial_error_m: 95th percentile of the same [m].
        median_speed_error: Median difference of the mean tangential speed from the commanded speed,
            as a share of the latter.
        fraction_correct_direction: Share of movements that run in the commanded direction.
        median_convergence_time_s: Median time from the jump until the movement stays converged [s].
            The time of a movement that never does is infinite.
        mean_value: Mean of V = Σ c Δt over the whole episode, i.e. minus the mean return.
        number_of_movements: Number of movements.
        seed: Seed of the evaluation.
        noise: Noise level of the evaluation.
    """

    fraction_converged: float
    median_radial_error_m: float
    p95_radial_error_m: float
    median_speed_error: float
    fraction_correct_direction: float
    median_convergence_time_s: float
    mean_value: float
    number_of_movements: int
    seed: int
    noise: float


@dataclass(frozen=True)
class Orbit(Task):
    """Limit cycles of one shape, one for each command.

    A command is centre x, y [m], radius [m] and speed v_d [m/s], above 0 for clockwise. A random
    command has a radius and a duration of one round that are uniform in the ranges below, either
    direction with equal chance, and a centre that is uniform over those whose whole orbit lies in
    the workspace. The speed follows: 2π radius / lap. A subclass defines ``outline``. Raises
    ValueError for a field outside its range.

    Attributes:
        radius: Range of the radius of random commands [m].
        lap: Range of the duration of one round of random commands [s].
        shoulder: Range of the shoulder angle in the workspace [rad], as for every ``Task``.
        elbow: Range of the elbow angle in the workspace [rad].
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
    # Circles cost several times as much as reaches: a smaller β weighs differences alike. The hand
    # keeps moving, so no tremor hides in the noise; training with the full noise makes circles more
    # accurate under it.
    training = MappingProxyType({"recipe": "full-noise", "network": {"neurons": 64}, "beta": 0.5})
    speed_tolerance = SPEED_TOLERANCE

    command_names = ("centre_x", "centre_y", "radius", "speed")
    command_units = {"centre_x": "m", "centre_y": "m", "radius": "m", "speed": "m/s"}
    tolerance = 0.015
    hold = 3.0
    weights = CostWeights(alpha=2.0, gamma=0.05)

    @property
    def arguments(self):
        return {"orbit": self}

    def outline(
        self, xp: Primitives, x: Array, y: Array, radius: Array
    ) -> tuple[Array, Array, Array]:
        """Return the distance [m] from the curve, and the outward unit normal x, y, (...) each.

        Both are those of a point x, y [m] relative to the centre, (...) each, for a curve of
        ``radius`` [m]. The distance is negative inside.
        """
        raise NotImplementedError

    def error(self, xp, command, x, y):
        d, out_x, out_y = self.outline(
            xp, x - command[..., 0], y - command[..., 1], command[..., 2]
        )
        return d * d, command[..., 3] * out_y, -(command[..., 3] * out_x)

    def success(self, xp, command, x, y, vx, vy):
        """Return a value above 0 where the hand is on the orbit, (...), for ``is_success``.

        The hand must be near the curve. If the commanded speed is not 0, it must also run along the
        curve in the commanded direction with about that speed. x, y [m] and vx, vy [m/s] are (...)
        each.
        """
        _, wish_x, wish_y = self.error(xp, command, x, y)
        square = command[..., 3] * command[..., 3]
        # difference of the speed along the curve from the commanded speed, times the latter
        off = vx * wish_x + vy * wish_y - square
        on_speed = self.speed_tolerance * self.speed_tolerance * square * square - off * off
        near = super().success(xp, command, x, y, vx, vy)
        return xp.where(square, at_most(xp, near, on_speed), near)

    def points(self, commands: np.ndarray, phase: np.ndarray) -> np.ndarray:
        """Return the positions on the orbits [m], (n, P, 2), in given directions from the centre.

        Commands are (n, 4), the directions ``phase`` [rad] (n, P).
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
        """Return points of one orbit [m], (48, 2), in the order in which the hand runs along it.

        The command is (4,). Without speed the order is anticlockwise.
        """
        return self.points(command[None], OUTLINE[None] * (-1 if command[3] > 0 else 1))[0]

    def sample_commands(self, rng, number, arm):
        def draw():
            centre = hand_position(arm, self.sample_angles(rng, 2 * number))
            radius = rng.uniform(*self.radius, 2 * number)
            lap = rng.uniform(*self.lap, 2 * number)
            speed = rng.choice([-1.0, 1.0], 2 * number) * 2 * np.pi * radius / lap
            drawn = np.column_stack([centre, radius, speed])
            return drawn[self.in_workspace(arm, self.outlines(drawn)).all(1)]

        refusal = (
            "hardly any orbit lies in the workspace: the radius must be smaller than "
            f"{self.radius} m"
        )
        return draw_until(draw, number, self.command_size, refusal)

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
        """Return body states (n, 10) on the orbits of commands (n, 4) at random phases.

        The hand has the velocity that is commanded there; activations are zero.
        """
        place = self.points(commands, rng.uniform(0, 2 * np.pi, (len(commands), 1)))[:, 0]
        velocity = np.stack(self.error(NUMPY, commands, *place.T)[1:], -1)
        return moving_state(arm, place, velocity)

    def grid(self, arm, number):
        """Return commands (number, 4) spread evenly over radii, speeds and centres.

        They are chosen from three radii × four speeds (two each way) × the centres whose orbits lie
        in the workspace. Raises ValueError if there is no room for that many.
        """
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
        """Return the duration of one round [s], (n,); 0.5 s for a command without speed.

        Commands are (n, 4).
        """
        speed = np.abs(commands[:, 3])
        return np.where(speed > 0, 2 * np.pi * commands[:, 2] / np.where(speed > 0, speed, 1), 0.5)


def cycle_measures(
    recording: Recording, jump: int, period: float, orbit: Any, *, seed: int, noise: float
) -> CycleMeasures:
    """Return the measures of the orbits that begin ``jump`` periods into a recording.

    ``period`` is the control period [s].
    """
    command = recording.commands[-1]
    # (T, B, 2)
    place = recording.hand[jump + 1 :]
    velocity = recording.velocity[jump + 1 :]
    squared, *wanted = orbit.error(NUMPY, command, place[..., 0], place[..., 1])
    speed = np.abs(command[:, 3])  # without speed, only the distance counts
    # Along the tangent, 1 is the commanded speed in the commanded direction.
    progress = (velocity * np.stack(wanted, -1)).sum(-1) / np.where(speed > 0, speed * speed, 1)
    lap = np.clip(np.round(orbit.period(command) / period).astype(int), 1, len(place))
    radial = trailing_mean(np.sqrt(squared), lap)
    ratio = trailing_mean(progress, lap)
    ratio = np.where(speed > 0, ratio, 1.0)
    on_orbit = (radial < orbit.tolerance) & (np.abs(ratio - 1) < orbit.speed_tolerance)
    settled = np.maximum(settling_steps(~on_orbit) + 1 - lap, 0)  # laps look back
    return CycleMeasures(
        fraction_converged=float(on_orbit[-1].mean()),
        median_radial_error_m=float(np.median(radial[-1])),
        p95_radial_error_m=float(np.quantile(radial[-1], 0.95)),
        median_speed_error=float(np.median(np.abs(ratio[-1] - 1))),
        fraction_correct_direction=float((ratio[-1] > 0).mean()),
        median_convergence_time_s=float(np.median(settled) * period),
        mean_value=float(-recording.rewards.sum(0).mean()),
        number_of_movements=place.shape[1],
        seed=seed,
        noise=noise,
    )
