"""The mouse in the window of ``render_mode="human"``; the events are posted, as SDL would."""

import gymnasium as gym
import numpy as np
import pytest

from arm_env.envs.rendering import to_metres, to_pixels
from arm_env.tasks.registry import TASKS
from arm_env.tasks.shapes import Circle
from arm_env.tasks.task import Task

INSIDE = np.array([0.05, 0.45])
OUTSIDE = np.array([0.9, 0.6])


@pytest.fixture
def window(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened = []

    def open_window(env_id="ReachArm-v0", **arguments):
        env = gym.make(env_id, render_mode="human", max_episode_steps=-1, **arguments)
        opened.append(env)
        env.reset(seed=1)
        env.unwrapped._renderer.fps = 10_000  # a clock that does not wait
        return env

    yield open_window
    for env in opened:
        env.close()


def post(env, kind, place, button=1):
    pygame = env.unwrapped._renderer.pygame
    more = {"rel": (0, 0), "buttons": (1, 0, 0)} if kind == "MOUSEMOTION" else {"button": button}
    pixel = tuple(int(p) for p in to_pixels(place).round())
    pygame.event.post(pygame.event.Event(getattr(pygame, kind), pos=pixel, **more))


def still(env, steps=2):
    """Two steps: the frame of the first reads the mouse, the second moves the target."""
    for _ in range(steps):
        result = env.step(np.zeros(6))
    return result


def test_pixels_and_metres_are_each_other_s_inverse():
    places = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 2))
    np.testing.assert_allclose(to_metres(to_pixels(places)), places, atol=1e-12)


def test_the_target_is_at_the_pointer_while_the_button_is_down(window):
    env = window()
    before = env.unwrapped.simulation.command[0].copy()
    post(env, "MOUSEMOTION", INSIDE)  # the button is up
    np.testing.assert_array_equal(still(env)[4]["target"], before)
    post(env, "MOUSEBUTTONDOWN", INSIDE)
    observation, *_, info = still(env, 3)
    np.testing.assert_allclose(info["target"], INSIDE, atol=1e-3)
    np.testing.assert_allclose(env.unwrapped.simulation.command[0], INSIDE, atol=1e-3)
    assert info["distance"] == pytest.approx(np.linalg.norm(info["hand"] - info["target"]))
    assert np.abs(observation[-2:] / INSIDE - 1).max() < 1  # noisy, but of this target
    there = np.add(INSIDE, (0.02, -0.03))
    post(env, "MOUSEMOTION", there)
    np.testing.assert_allclose(still(env, 3)[4]["target"], there, atol=1e-3)
    post(env, "MOUSEBUTTONUP", there)
    post(env, "MOUSEMOTION", INSIDE)
    np.testing.assert_allclose(still(env, 3)[4]["target"], there, atol=1e-3)


def test_the_target_stays_until_the_next_jump_of_the_schedule(window):
    targets = np.array([[0.0, 0.4], [-0.2, 0.4]])
    env = window(schedule=targets)
    post(env, "MOUSEBUTTONDOWN", INSIDE)
    post(env, "MOUSEBUTTONUP", INSIDE)  # a click between two frames
    np.testing.assert_allclose(still(env, 90)[4]["target"], INSIDE, atol=1e-3)
    np.testing.assert_allclose(still(env, 20)[4]["target"], targets[1])


def test_a_held_button_outlasts_the_jumps_of_the_schedule(window):
    env = window(schedule=np.array([[0.0, 0.4], [-0.2, 0.4]]))
    post(env, "MOUSEBUTTONDOWN", INSIDE)
    np.testing.assert_allclose(still(env, 110)[4]["target"], INSIDE, atol=1e-3)


def test_other_buttons_do_nothing(window):
    env = window()
    before = env.unwrapped.simulation.command[0].copy()
    post(env, "MOUSEBUTTONDOWN", INSIDE, button=3)
    np.testing.assert_array_equal(still(env)[4]["target"], before)


def test_a_circle_keeps_its_size_and_speed(window):
    command = [0.0, 0.4, 0.06, 0.3]
    env = window("CircleArm-v0", schedule=command)
    post(env, "MOUSEBUTTONDOWN", INSIDE)
    moved = still(env, 3)[4]["command"]
    np.testing.assert_allclose(moved, [*INSIDE, *command[2:]], atol=1e-3)


def test_a_moving_target_rests_at_the_pointer_and_then_goes_on(window):
    env = window("FollowArm-v0")
    post(env, "MOUSEBUTTONDOWN", INSIDE)
    np.testing.assert_allclose(still(env, 3)[4]["command"], [*INSIDE, 0, 0], atol=1e-3)
    post(env, "MOUSEBUTTONUP", INSIDE)
    moving = still(env, 4)[4]["command"]
    assert np.linalg.norm(moving[2:]) > 1e-3 and np.linalg.norm(moving[:2] - INSIDE) > 0.01


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_commands_are_held_to_the_workspace(task):
    arm = task.body.parameters
    rng = np.random.default_rng(0)
    for command in task.sample_commands(rng, 20, arm):
        for place in (OUTSIDE, -OUTSIDE, INSIDE, np.zeros(2)):
            moved = task.moved_to(arm, command, place)
            assert task.in_workspace(arm, task.outlines(moved[None])).all()
            task.check_commands(arm, moved[None])
            assert moved.shape == command.shape


def test_the_border_is_where_the_workspace_ends():
    task = TASKS["reach"]
    arm = task.body.parameters
    moved = task.moved_to(arm, np.array([0.0, 0.4]), OUTSIDE)
    (middle,) = task.places(arm, 1, 1)
    beyond = moved + 2e-3 * (OUTSIDE - middle) / np.linalg.norm(OUTSIDE - middle)
    assert task.in_workspace(arm, moved) and not task.in_workspace(arm, beyond)


def test_a_circle_that_fits_nowhere_stays():
    command = np.array([0.0, 0.4, 0.5, 0.3])
    np.testing.assert_array_equal(
        Circle().moved_to(Circle.body.parameters, command, INSIDE), command
    )


def test_the_commands_of_another_body_stay():
    class Elsewhere(Task):
        body = object()  # type: ignore[assignment]

    command = np.array([0.3, 0.1])
    assert Elsewhere().moved_to(None, command, INSIDE) is command
