"""Figures show what was recorded, and files appear whole or not at all."""

import importlib.util
import subprocess
import sys
from itertools import pairwise

import gymnasium as gym
import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle
from matplotlib.text import Text
from PIL import Image

from arm_env import Arm, JointPD, Reach, Still, joint_angles, record
from arm_env.env import ArmEnv
from arm_env.equations import NUMPY, force_curves
from arm_env.evaluation import TARGET_SIZE, closest_minimum_jerk
from arm_env.rendering import muscle_paths
from rnn_controller import figures
from rnn_controller.checkpoint import TASKS, Checkpoint
from rnn_controller.commands import environment_of
from rnn_controller.figures import COLOURS, TARGETS, animate, figure_5, figure_6, moving_target, save
from rnn_controller.network import NetworkConfig, RecurrentController
from rnn_controller.policy import controller_of

SEED, NOISE = 3, 0.1


def recorded(schedule, seconds):
    """Hand (T + 1, 2), speed (T + 1,) and commands (T, 2) after the first second, by another way than the module's."""
    envs = gym.make_vec("ReachArm-v0", num_envs=1, schedule=schedule, noise=NOISE, max_episode_steps=10_000)
    recording = record(JointPD(), envs, 100 * (seconds + 1), SEED)
    return recording.hand[100:, 0], recording.speed[100:, 0], recording.commands[100:, 0]


@pytest.fixture(scope="module")
def panels():
    axes = figure_6(JointPD(), seed=SEED, noise=NOISE).axes
    return {a.get_title(loc="left")[0]: a for a in axes}


@pytest.fixture(scope="module")
def reaching():
    return recorded(np.vstack([figures.START, TARGETS]), 4)


def coloured(axes, style):
    """The data of the movements' lines of that style, (n, 2) each, in the order of the colours."""
    found = {to_hex(line.get_color()): line for line in axes.lines if line.get_linestyle() == style}
    return [found[colour.lower()].get_xydata() for colour in COLOURS]


def movement(k):
    return slice(100 * k, 100 * k + 101)


def test_figure_5_draws_and_names_every_muscle():
    axes = figure_5().axes[0]
    texts = {t.get_text() for t in axes.texts}
    muscles = {f"{part} {action}" for part in ("shoulder", "elbow", "biarticular") for action in ("flexor", "extensor")}
    assert texts == muscles | {r"$\theta_1$", r"$\theta_2$"}
    assert len(axes.collections) == 6 and axes.get_aspect() == 1
    arcs = [p for p in axes.patches if isinstance(p, Arc)]
    angles = np.deg2rad([arc.theta2 - arc.theta1 for arc in arcs])
    assert arcs[1].theta1 == arcs[0].theta2  # the elbow's angle is counted from the upper arm
    for drawn, path in zip(axes.collections, muscle_paths(Arm(), angles), strict=True):
        np.testing.assert_allclose([*(s[0] for s in drawn.get_segments()), drawn.get_segments()[-1][1]], path)


def test_figure_5_takes_another_arm():
    hands = [figure_5(arm).axes[0].lines[0].get_xydata()[-1] for arm in (None, Arm(length=(0.3, 0.4)))]
    assert np.linalg.norm(hands[1] - hands[0]) == pytest.approx(0.07)


def test_figure_5_draws_the_force_curves():
    axes = figure_5().axes[1]
    assert axes.name == "3d"
    assert "L_0" in axes.get_xlabel() and "L_0$/s" in axes.get_ylabel() and "F_" in axes.get_zlabel()
    length, velocity = np.meshgrid(np.linspace(*axes.get_xlim()), np.linspace(*axes.get_ylim()))
    highest = force_curves(NUMPY, length, velocity)[0].max()
    heights = axes.collections[0].get_array()
    assert heights.min() >= 0 and heights.max() == pytest.approx(highest, rel=0.1)


def test_figure_6_has_the_panels_of_the_paper(panels):
    assert sorted(panels) == ["a", "b", "c", "d"]
    assert [panels[p].get_ylabel() for p in "abcd"] == ["y [m]", "distance [cm]", "speed [m/s]", "y [m]"]
    assert panels["c"].get_xlabel() == "time [s]" and panels["d"].get_xlabel() == "x [m]"
    assert panels["a"].get_xlim() == panels["d"].get_xlim() and panels["b"].get_xlim() == panels["c"].get_xlim()
    assert panels["a"].get_aspect() == panels["d"].get_aspect() == 1


def test_panel_a_is_the_recorded_path_in_four_joined_pieces(panels, reaching):
    pieces = coloured(panels["a"], "-")
    for k, piece in enumerate(pieces):
        np.testing.assert_array_equal(piece, reaching[0][movement(k)])
    circles = [p for p in panels["a"].patches if isinstance(p, Circle)]
    np.testing.assert_allclose([c.center for c in circles], TARGETS)
    assert {c.radius for c in circles} == {TARGET_SIZE} and not any(c.get_fill() for c in circles)
    assert {t.get_text() for t in panels["a"].texts} == {"start", "1", "2", "3", "4"}


def test_panel_b_is_the_recorded_distance(panels, reaching):
    hand, _, commands = reaching
    for k, line in enumerate(coloured(panels["b"], "-")):
        distance = np.linalg.norm(hand[1:] - commands, axis=-1)[100 * k : 100 * (k + 1)]
        np.testing.assert_allclose(line[1:, 1], 100 * distance)
        np.testing.assert_allclose(line[:, 0], k + np.arange(101) / 100)
    jumps = sorted(line.get_xdata()[0] for line in panels["b"].lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(jumps, [0, 1, 2, 3])
    assert panels["b"].patches[0].get_height() == pytest.approx(100 * TARGET_SIZE)


def test_panel_c_is_the_recorded_speed_over_the_closest_bells(panels, reaching):
    _, speed, _ = reaching
    bells = coloured(panels["c"], "--")
    for k, line in enumerate(coloured(panels["c"], "-")):
        np.testing.assert_array_equal(line[:, 1], speed[movement(k)])
        bell = closest_minimum_jerk(speed[movement(k)][:, None])[1][:, 0]
        np.testing.assert_allclose(np.nan_to_num(bells[k][:, 1]), bell, atol=1e-9)


def test_panel_d_is_the_recorded_tracking(panels):
    hand, _, commands = recorded(moving_target, int(figures.ROUND))
    lines = {line.get_label(): line.get_xydata() for line in panels["d"].lines}
    np.testing.assert_array_equal(lines["hand"], hand)
    np.testing.assert_array_equal(lines["target"], commands)
    np.testing.assert_allclose(commands[0], moving_target(1.0))
    median = 100 * np.median(np.linalg.norm(hand[1:] - commands, axis=-1))
    assert [t.get_text() for t in panels["d"].texts] == [f"median distance {median:.1f} cm"]


def test_the_same_seed_draws_the_same_figure(panels):
    again, other = (figure_6(JointPD(), seed=seed, noise=NOISE).axes[0] for seed in (SEED, SEED + 1))
    for k, piece in enumerate(coloured(panels["a"], "-")):
        np.testing.assert_array_equal(piece, coloured(again, "-")[k])
        assert not np.array_equal(piece, coloured(other, "-")[k])


def test_an_arm_that_never_moves_can_be_drawn(tmp_path):
    assert save(figure_6(Still(), noise=0.0), tmp_path / "still.png").is_file()


def assert_texts_apart(figure, texts):
    FigureCanvasAgg(figure).draw()  # places them
    boxes = [Text.get_window_extent(t) for t in texts]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, texts[i]
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, texts[i]
        assert not [texts[k] for k in range(i) if box.overlaps(boxes[k])], texts[i]


def test_no_text_overlaps_another_or_the_edge(panels):
    figure = figure_5()
    assert_texts_apart(figure, [*figure.texts, *figure.axes[0].texts])
    figure = panels["a"].figure
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]  # all but the ticks' labels
    assert len(texts) == 20
    assert_texts_apart(figure, texts)


def in_workspace(position):
    angles, task = joint_angles(Arm(), position), Reach()
    return bool(
        ((angles[..., 0] >= task.shoulder[0]) & (angles[..., 0] <= task.shoulder[1])).all()
        and ((angles[..., 1] >= task.elbow[0]) & (angles[..., 1] <= task.elbow[1])).all()
    )


@given(st.floats(0, 1e6))
def test_the_moving_target_stays_in_the_workspace_and_is_slow(time):
    here, soon = moving_target(time), moving_target(time + 0.01)
    assert here.shape == (2,) and in_workspace(here)
    assert np.linalg.norm(soon - here) < 0.01 * 0.3


def test_the_moving_target_closes_its_round():
    np.testing.assert_allclose(moving_target(0.7 + figures.ROUND), moving_target(0.7), atol=1e-12)


def test_the_targets_are_reachable_and_well_spread():
    points = np.vstack([figures.START, TARGETS])
    assert in_workspace(points)
    distances = np.linalg.norm(points[:, None] - points, axis=-1)[np.triu_indices(len(points), 1)]
    assert distances.min() > 2.5 * TARGET_SIZE


@pytest.mark.parametrize(
    "suffix, beginning", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("PNG", b"\x89PNG")]
)
def test_save_writes_by_suffix_into_a_new_folder(tmp_path, suffix, beginning):
    path = save(Figure(figsize=(1, 1)), tmp_path / "new" / f"figure.{suffix}")
    assert path.read_bytes().startswith(beginning)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["figure", "figure.jpg", "figure.png.gz"])
def test_save_refuses_other_suffixes_and_leaves_nothing(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.png, \.pdf or \.svg"):
        save(Figure(), tmp_path / "new" / name)
    assert not list(tmp_path.iterdir())


def test_a_figure_that_fails_to_draw_leaves_the_old_file(tmp_path):
    path = save(Figure(figsize=(1, 1)), tmp_path / "figure.png")
    before, broken = path.read_bytes(), Figure()
    broken.text(0, 0, "$\\nonsense$")
    with pytest.raises(ValueError):
        save(broken, path)
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == before


def test_animate_writes_a_gif_of_so_many_seconds(tmp_path):
    path = animate(JointPD(), tmp_path / "new" / "arm.gif", seconds=0.4)
    assert list(path.parent.iterdir()) == [path]
    with Image.open(path) as picture:
        assert (picture.format, picture.size, picture.n_frames) == ("GIF", (480, 360), 10)
        shown = []
        for frame in range(picture.n_frames):
            picture.seek(frame)
            assert picture.info["duration"] == 40 and picture.info["loop"] == 0
            shown.append(np.asarray(picture.convert("RGB")))
    assert all((a != b).any() for a, b in pairwise(shown))
    np.testing.assert_allclose(shown[0][5, 400], (252, 252, 250), atol=8)  # paper


@pytest.mark.parametrize("period", [0.01, 0.03, 0.07])
def test_frames_show_the_arm_when_they_are_due(tmp_path, monkeypatch, period):
    shown = []

    def drawn(env):
        shown.append(env.simulation.elapsed[0] * period)
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(ArmEnv, "render", drawn)
    animate(Still(), tmp_path / "arm.gif", seconds=1, control_period=period)
    np.testing.assert_allclose(shown, np.arange(25) / 25, atol=period / 2 + 1e-9)


def test_animate_writes_an_mp4_of_so_many_seconds(tmp_path):
    moviepy = pytest.importorskip("moviepy")
    path = animate(JointPD(), tmp_path / "new" / "arm.MP4", seconds=0.4)
    assert list(path.parent.iterdir()) == [path]
    with moviepy.VideoFileClip(str(path)) as clip:
        assert (clip.fps, clip.size, clip.n_frames) == (25, [480, 360], 10)
        np.testing.assert_allclose(clip.get_frame(0)[5, 400], (252, 252, 250), atol=8)  # paper


def not_to_be_asked(*_, **__):
    raise AssertionError("the work has begun")


def test_an_mp4_without_the_extra_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(Still, "predict", not_to_be_asked)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"rnn-motor-control\[video\]"):
        animate(Still(), tmp_path / "arm.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["arm", "arm.png", "arm.mov", "", "folder.gif", "file/arm.gif", f"{300 * 'n'}.gif"])
def test_animate_refuses_a_path_before_the_work(tmp_path, monkeypatch, name):
    monkeypatch.setattr(Still, "predict", not_to_be_asked)
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises((ValueError, OSError), match=r"written as|folder|too long"):
        animate(Still(), tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 2


def made_for(task, arm=None, **config):
    """A checkpoint of a controller of that arm."""
    kind = TASKS[task]
    network = RecurrentController(NetworkConfig(3, **config), kind.command_size, torch.Generator().manual_seed(0))
    return Checkpoint(network, task, arm or Arm(), kind.weights)


def test_figures_and_animations_are_those_of_the_checkpoint_s_own_arm_and_period(tmp_path):
    checkpoint = made_for("reach", Arm(length=(0.31, 0.34), ceiling=0.8), control_period=0.03)
    controller, environment = controller_of(checkpoint), environment_of(checkpoint)
    axes = {a.get_title(loc="left")[0]: a for a in figure_6(controller, **environment).axes}
    joints = axes["a"].lines[0].get_xydata()
    np.testing.assert_allclose(np.linalg.norm(np.diff(joints, axis=0), axis=1), (0.31, 0.34))
    jumps = sorted(line.get_xdata()[0] for line in axes["b"].lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(np.diff(jumps), 1.0, atol=0.03)
    for k, line in enumerate(coloured(axes["b"], "-")):
        assert line[0, 0] == jumps[k] and line[-1, 0] == pytest.approx(jumps[k] + 1, abs=0.05)
    assert animate(controller, tmp_path / "arm.gif", seconds=0.2, **environment).is_file()


@pytest.mark.parametrize("arm, period, text", [(Arm(), 0.02, "control_period"), (Arm(ceiling=2), 0.01, "ceiling")])
def test_another_environment_than_the_controller_was_made_for_is_refused(tmp_path, arm, period, text):
    controller = controller_of(made_for("reach", arm, control_period=period))
    for draw in (figure_6, lambda c: animate(c, tmp_path / "arm.gif")):
        with pytest.raises(ValueError, match=f"made for a {text}"):
            draw(controller)
    assert not list(tmp_path.iterdir())


def test_another_task_s_controller_is_refused(tmp_path):
    controller = controller_of(made_for("circle"))
    for draw in (figure_6, lambda c: animate(c, tmp_path / "arm.gif")):
        with pytest.raises(ValueError, match="observations of 22 signals"):
            draw(controller)


def test_an_arm_that_can_t_reach_the_targets_is_refused():
    checkpoint = made_for("reach", Arm(length=(0.2, 0.2)))
    for draw in (
        lambda: figure_6(controller_of(checkpoint), **environment_of(checkpoint)),
        lambda: figures.figure_tuning(checkpoint.network, checkpoint.arm),
    ):
        with pytest.raises(ValueError, match="reach"):
            draw()


def test_animate_repeats_with_the_seed(tmp_path):
    pictures = [animate(JointPD(), tmp_path / f"{i}.gif", seed=i // 2, seconds=0.12).read_bytes() for i in range(3)]
    assert pictures[0] == pictures[1] != pictures[2]


def test_an_animation_that_fails_leaves_nothing(tmp_path):
    class Broken(Still):
        def predict(self, *arguments, **options):
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        animate(Broken(), tmp_path / "arm.gif", seconds=0.2)
    for seconds in (0, -1, np.nan, np.inf, 1e9):
        with pytest.raises(ValueError, match=r"seconds must be a number from 0\.04 to 60"):
            animate(Still(), tmp_path / "arm.gif", seconds=seconds)
    assert not list(tmp_path.iterdir())


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    before = dict(matplotlib.rcParams)
    figure_5()
    assert dict(matplotlib.rcParams) == before


def test_importing_opens_no_display():
    check = "import sys, rnn_controller.figures; assert not {'matplotlib.pyplot', 'pygame'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
