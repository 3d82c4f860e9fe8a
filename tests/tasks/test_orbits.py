"""Orbits: distance and direction against the curve itself, starts, and what is refused."""

import itertools

import numpy as np
import pytest
import torch

from arm_env import Circle, Ellipse, RoundedPolygon, hand_position
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import hand
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.orbits import FASTEST, SINGULAR, smooth_length
from arm_env.tasks.workspace import jacobian, nearest_angles
from rnn_controller.rollouts.plant import TORCH

ARM = Arm()
SHAPES = {
    "circle": Circle(),
    "ellipse": Ellipse(),
    "tall ellipse": Ellipse(aspect=0.6),
    "triangle": RoundedPolygon(),
    "square": RoundedPolygon(corners=4, rounding=0.2),
    "round pentagon": RoundedPolygon(corners=5, rounding=0.8),
}
EVERY = pytest.mark.parametrize("orbit", SHAPES.values(), ids=SHAPES.keys())
RADIUS = 0.08


def turned(angle):
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def curve(orbit, number=3000):
    """Points of the orbit round the origin, (n, 2), and the outward normals there.

    They are dense and run anticlockwise.
    """
    angle = np.linspace(0, 2 * np.pi, number)
    if isinstance(orbit, Circle):
        return RADIUS * turned(angle), turned(angle)
    if isinstance(orbit, Ellipse):
        a, b = RADIUS * orbit.aspect**0.5, RADIUS / orbit.aspect**0.5
        assert a * b == pytest.approx(RADIUS**2)  # the circle's area
        normal = turned(angle) * [b, a]
        return turned(angle) * [a, b], normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    points = []
    normals = []
    half = np.pi / orbit.corners
    rounding = orbit.rounding * RADIUS
    for k in range(orbit.corners):
        middle = np.pi / 2 + 2 * half * k
        arc = turned(np.linspace(middle - half, middle + half, 500))
        corner = (RADIUS - rounding) * turned(middle) + rounding * arc
        following = (RADIUS - rounding) * turned(middle + 2 * half) + rounding * arc[-1]
        edge = corner[-1] + np.linspace(0, 1, 500)[1:-1, None] * (following - corner[-1])
        points += [corner, edge]
        normals += [arc, np.tile(arc[-1], (len(edge), 1))]
    return np.concatenate(points), np.concatenate(normals)


def distance_to(points, places):
    """Distance of places (n, 2) from the closed, convex polyline, negative inside."""
    start = points
    along = np.roll(points, -1, 0) - points
    offset = places[:, None] - start
    share = (offset * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-300)
    d = np.linalg.norm(offset - np.clip(share, 0, 1)[..., None] * along, axis=-1).min(1)
    outside = (cross(offset, along) > 1e-15).any(1)
    return np.where(outside, d, -d)


def places(number=200, seed=1):
    """Round the origin, up to three radii away."""
    return np.random.default_rng(seed).uniform(-2.2 * RADIUS, 2.2 * RADIUS, (number, 2))


def beside(orbit, offsets, seed=2):
    """Places at these distances from the curve, the distances, and the normals there."""
    points, normals = curve(orbit)
    rng = np.random.default_rng(seed)
    which = rng.integers(len(points), size=200)
    d = rng.choice(offsets, 200)
    return points[which] + d[:, None] * normals[which], d, normals[which]


def commands(orbit, number=60, seed=3):
    return orbit.sample_commands(np.random.default_rng(seed), number, ARM)


def speeds(orbit, command, place):
    """The velocity commanded at places (n, 2)."""
    return np.stack(np.broadcast_arrays(*orbit.error(NUMPY, command, *place.T)[1:]), -1)


# --- shape ----------------------------------------------------------------------------------------


@EVERY
def test_distance_is_that_from_the_curve(orbit):
    """On both sides; far inside, where nobody needs them, the ellipse's steps are too few."""
    where = places()
    expected = distance_to(curve(orbit)[0], where)
    d, _, _ = orbit.outline(NUMPY, *where.T, RADIUS)
    assert (expected > 0.5 * RADIUS).any() and (expected < -0.2 * RADIUS).any()
    near = expected > (-0.3 * RADIUS if isinstance(orbit, Ellipse) else -RADIUS)
    np.testing.assert_allclose(d[near], expected[near], rtol=0, atol=2e-5 * RADIUS)
    assert np.abs(d - expected).max() < 0.02 * RADIUS


@EVERY
def test_beside_the_curve_distance_and_normal_are_exact(orbit):
    where, expected, normals = beside(orbit, [-0.01, -0.002, 0.0, 0.003, 0.02])
    d, *out = orbit.outline(NUMPY, *where.T, RADIUS)
    tolerance = 1e-5 if isinstance(orbit, Ellipse) else 1e-9
    np.testing.assert_allclose(d, expected, rtol=0, atol=tolerance * RADIUS)
    np.testing.assert_allclose(np.stack(out, -1), normals, rtol=0, atol=100 * tolerance)


@EVERY
def test_the_normal_is_the_gradient_of_the_distance_and_has_length_1(orbit):
    where = beside(orbit, [-0.01, 0.0, 0.02])[0]
    h = 1e-7
    _, *out = orbit.outline(NUMPY, *where.T, RADIUS)
    np.testing.assert_allclose(np.hypot(*out), 1, rtol=1e-12)
    for axis, component in enumerate(out):
        ahead, behind = (
            orbit.outline(NUMPY, *(where + e * np.eye(2)[axis]).T, RADIUS)[0] for e in (h, -h)
        )
        slope = (ahead - behind) / (2 * h)
        # where arc and edge meet, and on the ellipse's axes
        edge = np.abs(slope - component) > 1e-3
        assert edge.mean() < 0.02
        np.testing.assert_allclose(slope[~edge], component[~edge], rtol=0, atol=1e-3)


@EVERY
@pytest.mark.parametrize("offset", [0.0, 1e-9, 0.5 * SINGULAR, 1e-3])
def test_near_the_centre_cost_and_gradient_are_finite(orbit, offset):
    command = torch.tensor([0.0, 0.4, RADIUS, 0.5], dtype=torch.float64)
    place = torch.tensor(
        [[0.6 * offset, 0.4 + 0.8 * offset], [0.0, 0.4 + offset]], dtype=torch.float64
    )
    place.requires_grad_()
    squared, *velocity = orbit.error(TORCH, command, *place.T)
    (slope,) = torch.autograd.grad(sum([squared.sum(), *(v.sum() for v in velocity)]), place)
    assert torch.isfinite(slope).all() and all(torch.isfinite(v).all() for v in velocity)
    assert np.hypot(*(v.detach().numpy() for v in velocity)).max() <= 0.5 * (1 + 1e-12)


@EVERY
def test_gradient_of_the_error_equals_central_differences(orbit):
    """By torch, at the curve and away from it, along random directions."""
    where = np.concatenate([beside(orbit, [-0.01, 0.01, 0.03])[0], places()])
    h = 1e-7
    command = torch.tensor([0.0, 0.0, RADIUS, 0.5], dtype=torch.float64)
    direction = torch.from_numpy(np.random.default_rng(4).standard_normal(where.shape))

    def total(place):
        squared, *velocity = orbit.error(TORCH, command, *place.T)
        return squared + 0.01 * velocity[0] + 0.02 * velocity[1]

    place = torch.from_numpy(where).requires_grad_()
    (slope,) = torch.autograd.grad(total(place).sum(), place)
    with torch.no_grad():
        difference = (total(place + h * direction) - total(place - h * direction)) / (2 * h)
    wrong = (difference - (slope * direction).sum(-1)).abs() > 1e-5
    assert wrong.double().mean() < 0.02  # here and there a kink lies between the two


@pytest.mark.parametrize("xp", [NUMPY, TORCH], ids=["numpy", "torch"])
def test_smooth_length_is_the_length_and_a_parabola_with_its_slope_below(xp):
    def at(value):
        value = torch.tensor(value, dtype=torch.float64) if xp is TORCH else np.array(value)
        return float(smooth_length(xp, 0.6 * value, 0.8 * value))

    assert [at(r) for r in (0.3, 2 * SINGULAR)] == pytest.approx([0.3, 2 * SINGULAR], rel=1e-14)
    assert at(SINGULAR * (1 - 1e-9)) == pytest.approx(SINGULAR, rel=2e-9)
    assert at(0.0) == pytest.approx(SINGULAR / 2, rel=1e-14)
    slope = (at(SINGULAR) - at(SINGULAR * (1 - 1e-5))) / (SINGULAR * 1e-5)
    assert slope == pytest.approx(1, rel=1e-4)


# --- the whole orbit ------------------------------------------------------------------------------


@EVERY
def test_points_lie_on_the_curve_in_the_directions_asked_for(orbit):
    drawn = commands(orbit, 20)
    phase = np.linspace(-3, 3, 31)
    points = orbit.points(drawn, np.tile(phase, (20, 1)))
    for command, row in zip(drawn, points, strict=True):
        assert orbit.error(NUMPY, command, *row.T)[0].max() < 1e-20
        np.testing.assert_allclose(
            np.arctan2(*(row - command[:2]).T[::-1]), phase, rtol=0, atol=1e-12
        )


@EVERY
@pytest.mark.parametrize("speed", [0.4, -0.4, 0.0])
def test_the_track_is_run_along_as_the_command_says(orbit, speed):
    command = np.array([0.0, 0.4, RADIUS, speed])
    track = orbit.track(command)
    along = np.roll(track, -1, 0) - np.roll(track, 1, 0)
    turning = cross(track - command[:2], along)
    assert (turning < 0).all() if speed > 0 else (turning > 0).all()  # above 0 is clockwise
    if speed:
        wanted = speeds(orbit, command, track)
        agreement = (wanted * along).sum(-1) / np.linalg.norm(along, axis=-1) / abs(speed)
        assert agreement.min() > 0.9


@EVERY
def test_the_commanded_speed_is_reached_on_the_orbit_and_across_the_normal(orbit):
    for command in commands(orbit, 10):
        place = orbit.track(command)
        wanted = speeds(orbit, command, place)
        out = np.stack(orbit.outline(NUMPY, *(place - command[:2]).T, command[2])[1:], -1)
        np.testing.assert_allclose(np.linalg.norm(wanted, axis=-1), abs(command[3]), rtol=1e-9)
        assert np.abs((wanted * out).sum(-1)).max() < 1e-12


@EVERY
def test_sampled_orbits_lie_wholly_in_the_workspace(orbit):
    drawn = commands(orbit, 100)
    orbit.check_commands(ARM, drawn)
    points = orbit.points(drawn, np.tile(np.linspace(0, 2 * np.pi, 200), (100, 1)))
    # [rad] between the 48 points that are looked at
    angles = nearest_angles(ARM, points)
    slack = 0.005
    np.testing.assert_allclose(hand_position(ARM, angles), points, rtol=0, atol=1e-6)
    for joint, (low, high) in enumerate((orbit.shoulder, orbit.elbow)):
        assert low - slack < angles[..., joint].min() and angles[..., joint].max() < high + slack


def test_sampled_commands_have_the_documented_ranges():
    x, y, radius, speed = commands(Circle(), 2000).T
    lap = 2 * np.pi * radius / abs(speed)
    assert 0.04 <= radius.min() < 0.045 and 0.095 < radius.max() <= 0.1
    assert 0.8 - 1e-9 <= lap.min() < 0.82 and 1.98 < lap.max() <= 2.0 + 1e-9
    assert abs((speed > 0).mean() - 0.5) < 0.05  # more than four standard errors
    assert np.ptp(x) > 0.3 and np.ptp(y) > 0.2
    np.testing.assert_allclose(Circle().period(commands(Circle(), 2000)), lap, rtol=1e-12)


def test_a_command_that_stands_still_has_the_period_of_reaching():
    assert Circle().period(np.array([[0.0, 0.4, 0.08, 0.0]])).tolist() == [0.5]


@EVERY
def test_a_start_is_on_the_orbit_with_the_velocity_commanded_there(orbit):
    drawn = commands(orbit)
    h = 1e-6
    state = orbit.attractor_state(np.random.default_rng(5), ARM, drawn)
    ahead, here, behind = (
        hand_position(ARM, state[:, :2] + e * state[:, 2:4]) for e in (h, 0.0, -h)
    )
    velocity = (ahead - behind) / (2 * h)
    squared = orbit.error(NUMPY, drawn, *here.T)[0]
    assert squared.max() < 1e-20 and not state[:, 4:].any()
    np.testing.assert_allclose(velocity, speeds(orbit, drawn, here), rtol=0, atol=1e-8)
    turning = cross(here - drawn[:, :2], velocity)
    np.testing.assert_array_equal(np.sign(turning), -np.sign(drawn[:, 3]))
    phase = np.arctan2(*(here - drawn[:, :2]).T)
    assert np.histogram(phase, 4, (-np.pi, np.pi))[0].min() > 4  # of 60: all round


def test_jacobian_is_the_derivative_of_the_hand():
    rng, h = np.random.default_rng(6), 1e-6
    angles = rng.uniform(ARM.lower_stop, ARM.upper_stop, (50, 2))
    for joint, unit in enumerate(np.eye(2)):
        slope = (hand_position(ARM, angles + h * unit) - hand_position(ARM, angles - h * unit)) / (
            2 * h
        )
        np.testing.assert_allclose(jacobian(ARM, angles)[..., joint], slope, rtol=0, atol=1e-9)
    velocity = rng.uniform(-5, 5, (50, 2))
    expected = np.stack(hand(NUMPY, ARM, np.concatenate([angles, velocity], -1))[2:], -1)
    np.testing.assert_allclose(
        (jacobian(ARM, angles) @ velocity[..., None])[..., 0], expected, rtol=1e-12
    )


# --- what is refused ------------------------------------------------------------------------------

GOOD = [0.0, 0.4, 0.08, 0.5]
BAD_COMMANDS = {
    "negative radius": ([0.0, 0.4, -0.01, 0.5], r"a radius is 0 m or above, not -0\.01"),
    "too fast": ([0.0, 0.4, 0.08, 2.5], r"a speed is up to 2\.0 m/s either way, not 2\.5"),
    "too fast anticlockwise": (
        [0.0, 0.4, 0.08, -2.5],
        r"a speed is up to 2\.0 m/s either way, not -2\.5",
    ),
    "NaN centre": ([np.nan, 0.4, 0.08, 0.5], "must be finite.*'centre_x': nan"),
    "NaN radius": ([0.0, 0.4, np.nan, 0.5], "must be finite.*'radius': nan"),
    "infinite speed": ([0.0, 0.4, 0.08, np.inf], "must be finite.*'speed': inf"),
    "out of reach": (
        [0.9, 0.4, 0.08, 0.5],
        r"the orbit leaves what the arm can reach: the hand can't reach \[",
    ),
    "partly out of reach": (
        [0.0, 0.6, 0.08, 0.5],
        r"the orbit leaves what the arm can reach: the hand can't reach \[",
    ),
    "round the shoulder": (
        [0.0, 0.1, 0.09, 0.5],
        r"the orbit leaves what the arm can reach: the hand can't reach \[",
    ),
    "two numbers": (
        [0.0, 0.4],
        r"4 components \(centre_x, centre_y, radius, speed\), not shape \(2,\)",
    ),
}


@EVERY
@pytest.mark.parametrize(("command", "message"), BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
def test_bad_commands_are_refused(orbit, command, message):
    with pytest.raises(ValueError, match=message):
        orbit.check_commands(ARM, np.array([command]))
    if len(command) == 4:
        with pytest.raises(ValueError, match=message):
            orbit.check_commands(ARM, np.array([GOOD, command, GOOD]))


@EVERY
@pytest.mark.parametrize("radius", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("speed", [-FASTEST, 0.0, FASTEST])
def test_commands_at_the_limits_are_accepted(orbit, radius, speed):
    command = np.array([[0.0, 0.4, radius, speed]])
    orbit.check_commands(ARM, command)
    state = orbit.attractor_state(np.random.default_rng(7), ARM, command)
    low, high = orbit.command_bounds(ARM)
    assert np.isfinite(state).all() and (low <= command).all() and (command <= high).all()


@pytest.mark.parametrize(("corners", "rounding"), [(2, 0.3), (3, 0.0), (3, 1.0), (4, -0.1)])
def test_impossible_polygons_are_refused(corners, rounding):
    with pytest.raises(
        ValueError, match=r"corners must be a whole number from 3|rounding must be a number from"
    ):
        RoundedPolygon(corners=corners, rounding=rounding)


def test_shapes_of_many_corners_come_close_to_the_circle():
    where = places()
    circle = Circle().outline(NUMPY, *where.T, RADIUS)[0]
    gaps = [
        np.abs(
            RoundedPolygon(corners=n, rounding=0.5).outline(NUMPY, *where.T, RADIUS)[0] - circle
        ).max()
        for n in (3, 6, 12, 24)
    ]
    assert (
        all(finer < coarser for coarser, finer in itertools.pairwise(gaps))
        and gaps[-1] < 0.01 * RADIUS
    )
