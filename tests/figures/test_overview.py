"""Every task is drawn and animated by the same functions."""

from typing import get_args

import numpy as np
import pytest

from arm_env import JointPD, Still
from arm_env.control.controllers import Function
from arm_env.tasks.registry import TASKS
from rnn_controller import commands, figures
from rnn_controller.commands.experiments import EXPERIMENTS
from rnn_controller.figures.common import NOISY
from rnn_controller.figures.overview import figure_overview


def panels(figure):
    return {axes.get_title(loc="left")[:1]: axes for axes in figure.axes}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_drawn(name):
    task = TASKS[name]
    figure = figure_overview(Still(), task, seed=1, name="still")
    shown = panels(figure)
    assert shown.keys() == set("abcd")
    seconds = task.hold if task.moving else 2 * task.hold
    # Each noisy run and the quiet one, and the command dashed.
    assert len(shown["d"].lines) == NOISY + 2
    assert shown["d"].lines[-1].get_xdata()[-1] == pytest.approx(seconds)
    assert len(shown["b"].lines) == 2 * (NOISY + 1) + (0 if task.cyclic else 2)


def test_what_is_drawn_is_the_distance_and_the_speed_of_the_hand():
    figure = figure_overview(JointPD(), TASKS["reach"], seed=2, noise=0.0)
    shown = panels(figure)
    x, y = (line.get_ydata() for line in shown["b"].lines[:2])
    target_x, target_y = (line.get_ydata() for line in shown["b"].lines[2:])
    distance = shown["c"].lines[0].get_ydata()
    np.testing.assert_allclose(distance, 100 * np.hypot(x - target_x, y - target_y), atol=1e-9)
    speed = np.hypot(np.gradient(x, 0.01), np.gradient(y, 0.01))
    np.testing.assert_allclose(shown["d"].lines[0].get_ydata()[1:-1], speed[1:-1], atol=0.05)
    assert (shown["d"].lines[1].get_ydata() == 0).all()


def test_the_commands_of_noisy_runs_are_those_of_the_quiet_one(monkeypatch):
    from rnn_controller.figures import overview

    shown = []
    run = overview.run
    monkeypatch.setattr(overview, "run", lambda *a, **k: shown.append(run(*a, **k)) or shown[-1])
    push = Function(lambda observation: np.full((len(observation), 6), 0.1))
    figure_overview(push, TASKS["follow"], seed=4)
    assert len(shown) == NOISY + 1
    for other in shown[1:]:
        np.testing.assert_array_equal(other.command, shown[0].command)
        assert (other.hand != shown[0].hand).any()


def test_the_command_line_offers_every_figure_and_scene_that_there_is():
    names = {"5", "tuning", *figures.OF_MOVEMENTS, *EXPERIMENTS, *TASKS}
    assert set(get_args(commands.FigureName)) == names
    assert set(get_args(commands.SceneName)) == set(figures.SCENES)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_animated(name, tmp_path):
    scene = figures.SCENES[name]
    path = figures.animate(
        Still(), tmp_path / "a.gif", seconds=0.2, env_id=scene.env_id, schedule=scene.schedule
    )
    assert path.stat().st_size > 1000
