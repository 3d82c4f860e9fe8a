"""What a person sees: where the muscles run, and what is in the picture."""

import copy
import itertools
import operator
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

from arm_env.dynamics.equations import moment_arms
from arm_env.dynamics.parameters import MUSCLES, Arm
from arm_env.envs.muscle_paths import LAYOUT, joint_positions, muscle_paths
from arm_env.envs.rendering import (
    ACTIVE,
    HAND,
    HEIGHT,
    RESTING,
    TARGET,
    TARGET_EDGE,
    WIDTH,
    Renderer,
    activation_colour,
    to_pixels,
)
from arm_env.tasks.reach import Reach
from arm_env.tasks.shapes import Circle, Ellipse, RoundedPolygon
from arm_env.tasks.workspace import hand_position

ARM = Arm()
POSTURES = [
    np.deg2rad(p)
    for p in itertools.product((-10, 20, 50, 80, 110, 140), (5, 30, 60, 90, 120, 150, 160))
]
# As far past the soft stops as full excitation drives the joints.
PAST_THE_STOPS = [np.deg2rad(p) for p in itertools.product((-19, 150), (-2, 166))]
RADIUS = 0.04


def frame(degrees=(45, 90), activation=0.2, command=(0.0, 0.4), path=(), task=None):
    state = np.concatenate([np.deg2rad(degrees), np.zeros(2), np.broadcast_to(activation, 6)])
    return Renderer(ARM, "rgb_array", 50, task).draw(
        state, command, np.reshape(path, (-1, 2)), RADIUS
    )


def colour_at(picture, point):
    column, row = to_pixels(point).round().astype(int)
    return tuple(int(c) for c in picture[row, column])


def side_of(p, q, points):
    """Positive for points (..., 2) on the left of the line from p to q."""
    d, r = q - p, points - p
    return d[0] * r[..., 1] - d[1] * r[..., 0]


def crosses(path, near, far):
    """Whether a polyline (n, 2) meets the segment from near to far."""
    across = np.diff(np.sign(side_of(near, far, path))) != 0
    astride = [side_of(p, q, near) * side_of(p, q, far) <= 0 for p, q in itertools.pairwise(path)]
    return bool((across & astride).any())


def test_the_crossing_test_sees_a_crossing():
    near, far = np.array([0.0, 0.0]), np.array([1.0, 0.0])
    assert crosses(np.array([[0.5, 1.0], [0.5, -1.0]]), near, far)
    assert not crosses(np.array([[1.5, 1.0], [1.5, -1.0]]), near, far)


def test_joints_are_those_of_the_model():
    for angles in POSTURES:
        joints = joint_positions(ARM, angles)
        assert joints.shape == (3, 2)
        np.testing.assert_allclose(joints[2], hand_position(ARM, angles), atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(np.diff(joints, axis=0), axis=-1), ARM.length)


@pytest.mark.parametrize("angles", POSTURES + PAST_THE_STOPS)
def test_muscles_cross_no_bone(angles):
    joints = joint_positions(ARM, angles)
    for name, path in zip(MUSCLES, muscle_paths(ARM, angles), strict=True):
        for near, far in itertools.pairwise(joints):
            assert not crosses(path, near, far), (name, np.rad2deg(angles))


@pytest.mark.parametrize("angles", POSTURES)
def test_muscles_keep_outside_their_pulleys(angles):
    joints = joint_positions(ARM, angles)
    for muscle, path in zip(LAYOUT, muscle_paths(ARM, angles, 200), strict=True):
        for joint in range(muscle.origin.link, muscle.insertion.link):
            assert np.linalg.norm(path - joints[joint], axis=-1).min() > 0.98 * muscle.pulley


def test_muscles_lengthen_as_their_moment_arms_say():
    """Flexion shortens flexors, stretches extensors, and leaves muscles of other joints alone."""
    middle = np.deg2rad([60.0, 80.0])
    step = np.deg2rad(5.0)

    def lengths(angles):
        return np.array(
            [np.linalg.norm(np.diff(p, axis=0), axis=-1).sum() for p in muscle_paths(ARM, angles)]
        )

    for joint, arms in enumerate(moment_arms(ARM.arrays(), middle)):
        change = lengths(middle + step * np.eye(2)[joint]) - lengths(middle)
        np.testing.assert_array_equal(np.sign(change.round(9)), -np.sign(arms))


def test_paths_are_even_and_move_smoothly():
    previous = None
    for elbow in np.deg2rad(np.arange(-5, 171, 1.0)):
        paths = np.stack(muscle_paths(ARM, np.array([1.0, elbow]), 30))
        spacing = np.linalg.norm(np.diff(paths, axis=1), axis=-1)
        assert paths.shape == (6, 30, 2)
        # a chord of a bend is a little shorter
        assert (spacing.min(1) > 0.8 * spacing.max(1)).all()
        if previous is not None:
            assert np.abs(paths - previous).max() < 0.01
        previous = paths


def test_frame_is_an_image_of_its_own():
    first = frame()
    assert first.shape == (HEIGHT, WIDTH, 3)
    assert first.dtype == np.uint8
    assert first.flags.writeable and first.flags.c_contiguous
    np.testing.assert_array_equal(first, frame())


def test_renderer_can_be_used_again():
    renderer = Renderer(ARM, "rgb_array", 50)
    state = np.concatenate([np.deg2rad([45, 90]), np.zeros(8)])
    first = renderer.draw(state, (0.0, 0.4), np.zeros((0, 2)), RADIUS)
    kept = first.copy()
    other = renderer.draw(
        state + 0.3, (0.1, 0.3), np.random.default_rng(0).uniform(0, 0.3, (30, 2)), RADIUS
    )
    assert (other != kept).any()
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(renderer.draw(state, (0.0, 0.4), [], RADIUS), kept)
    renderer.close()


@pytest.mark.parametrize(
    "change",
    [
        {"activation": 0.8},
        {"degrees": (50, 90)},
        {"degrees": (45, 95)},
        {"command": (0.05, 0.4)},
        {"task": Circle(), "command": (0.0, 0.4, 0.05, 0.3)},
        {"path": [(0.1, 0.3), (0.2, 0.3), (0.25, 0.35)]},
        *({"activation": 0.2 + 0.5 * row} for row in np.eye(6)),
    ],
)
def test_frame_shows_every_change(change):
    assert (frame(**change) != frame()).any(-1).sum() > 50


def test_activation_saturates_at_one():
    assert activation_colour(0.0) == RESTING
    assert activation_colour(1.0) == activation_colour(4.0) == ACTIVE
    np.testing.assert_array_equal(frame(activation=1.0), frame(activation=4.0))


@pytest.mark.parametrize("target", [(0.0, 0.4), (-0.3, 0.35), (0.4, 0.3)])
def test_target_disc_lies_where_the_target_is(target):
    picture = frame(degrees=(0, 60), command=target)
    assert colour_at(picture, target) == TARGET
    for direction in np.concatenate([np.eye(2), -np.eye(2)]):
        assert colour_at(picture, target + 0.85 * RADIUS * direction) == TARGET
        assert colour_at(picture, target + 1.1 * RADIUS * direction) != TARGET


ORBIT = (-0.1, 0.4, 0.08, 0.3)
ORBITS = pytest.mark.parametrize(
    "orbit", [Circle(), Ellipse(), RoundedPolygon()], ids=["circle", "ellipse", "triangle"]
)


@ORBITS
def test_an_orbit_is_a_line_along_the_curve(orbit):
    picture = frame(degrees=(0, 60), command=ORBIT, task=orbit)
    directions = np.linspace(0, 2 * np.pi, 90)
    (points,) = orbit.points(np.array([ORBIT]), directions[None])
    drawn = np.array([colour_at(picture, point) for point in points])
    assert ((drawn >= TARGET_EDGE) & (drawn <= TARGET)).all()  # an arrow's edge is smoothed
    assert len(np.unique(drawn, axis=0)) > 1
    for share in (0.6, 1.4):  # and nowhere else
        aside = ORBIT[:2] + share * (points - ORBIT[:2])
        assert not {colour_at(picture, point) for point in aside} & {TARGET, TARGET_EDGE}


@ORBITS
@pytest.mark.parametrize(("index", "value"), [(0, -0.05), (1, 0.35), (2, 0.06), (3, -0.3)])
def test_frame_shows_every_change_of_an_orbit(orbit, index, value):
    """Of the speed, the direction: by arrows."""
    other = np.array(ORBIT)
    other[index] = value
    before, after = (
        frame(degrees=(0, 60), command=command, task=orbit) for command in (ORBIT, other)
    )
    assert (after != before).any(-1).sum() > 50


def test_an_orbit_without_radius_can_be_drawn():
    picture = frame(degrees=(0, 60), command=(0.0, 0.4, 0.0, 0.0), task=Circle())
    assert colour_at(picture, (0.0, 0.4)) == TARGET


def test_hand_lies_where_the_hand_is():
    for angles in POSTURES:
        assert colour_at(frame(np.rad2deg(angles)), hand_position(ARM, angles)) == HAND


def test_everything_fits():
    reach = [joint_positions(ARM, angles)[2] for angles in POSTURES]
    muscles = [point for angles in POSTURES for path in muscle_paths(ARM, angles) for point in path]
    targets = hand_position(ARM, Reach().sample_angles(np.random.default_rng(0), 500))
    pixels = to_pixels(np.concatenate([reach, muscles, targets]))
    assert (pixels > 10).all() and (pixels < np.array([WIDTH, HEIGHT]) - 10).all()


def test_human_mode_shows_the_same_picture(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    renderer = Renderer(ARM, "human", 1000)
    state = np.concatenate([np.deg2rad([45, 90]), np.zeros(2), np.full(6, 0.2)])
    for _ in range(3):
        assert renderer.draw(state, (0.0, 0.4), np.zeros((0, 2)), RADIUS) is None
    shown = renderer.pygame.surfarray.array3d(renderer.pygame.display.get_surface()).swapaxes(0, 1)
    np.testing.assert_array_equal(shown, frame())
    renderer.close()
    renderer.close()
    assert not renderer.pygame.display.get_init()


def test_of_two_windows_one_may_be_closed(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    first, second = (gym.make("ReachArm-v0", render_mode="human").unwrapped for _ in range(2))
    for env in (first, second):
        env.reset(seed=1)
        env._renderer.fps = 10_000  # a clock that does not wait
        env.step(env.action_space.high)
    display = first._renderer.pygame.display
    first.close()
    assert display.get_init()
    second.step(second.action_space.high)
    first.reset(seed=1)  # and opened again
    second.close()
    first.step(first.action_space.high)
    first.close()
    assert not display.get_init()


@pytest.mark.parametrize("closed_by", ["display.quit", "quit", "another size"])
def test_a_window_that_others_close_or_change_is_opened_again(monkeypatch, closed_by):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gym.make("ReachArm-v0", render_mode="human")
    env.reset(seed=1)
    pygame = env.unwrapped._renderer.pygame
    env.unwrapped._renderer.fps = 10_000
    if closed_by == "another size":
        pygame.display.set_mode((100, 100))
    else:  # as Gymnasium's own environments do
        operator.attrgetter(closed_by)(pygame)()
    env.step(env.action_space.high)
    assert pygame.display.get_surface().get_size() == (WIDTH, HEIGHT)
    env.close()


def test_a_window_is_left_to_the_original_when_a_copy_is_closed(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gym.make("ReachArm-v0", render_mode="human")
    env.reset(seed=1)
    env.unwrapped._renderer.fps = 10_000
    copied = copy.deepcopy(env)
    copied.close()
    env.step(env.action_space.high)
    env.close()


def test_missing_pygame_is_said_clearly(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(DependencyNotInstalled, match="pip install pygame"):
        Renderer(ARM, "rgb_array", 50)
    assert len(muscle_paths(ARM, POSTURES[0])) == 6  # figures need no pygame


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="ansi"):
        Renderer(ARM, "ansi", 50)
