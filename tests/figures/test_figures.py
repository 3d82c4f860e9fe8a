"""Figures show what was recorded, and files appear whole or not at all."""

import importlib.util
import re
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
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import Function
from arm_env.dynamics.equations import force_curves, isometric_torques, muscle_length
from arm_env.dynamics.parameters import MUSCLES
from arm_env.envs.env import ArmEnv
from arm_env.envs.muscle_paths import muscle_paths
from arm_env.envs.rendering import to_pixels
from arm_env.tasks.measures import TARGET_SIZE, closest_minimum_jerk, path_deviation
from rnn_controller import commands, figures
from rnn_controller.analysis.attractors import Analysis, Attractor
from rnn_controller.checkpoint import TASKS, Checkpoint
from rnn_controller.commands import environment_of, short_name
from rnn_controller.figures import (
    COLOURS,
    TARGETS,
    animate,
    figure_5,
    figure_6,
    moving_target,
    save,
)
from rnn_controller.figures.common import NOISY
from rnn_controller.figures.cycles import AT_PLACES, OF_SHAPES, PARTS
from rnn_controller.figures.muscles import workspace_angles
from rnn_controller.figures.reaching import LONGEST_LAG, tracking_lag
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController
from rnn_controller.planning.drawings import DRAWINGS
from rnn_controller.planning.osculating import osculating
from rnn_controller.planning.plans import Plan
from rnn_controller.policy import controller_of

SEED = 3
NOISE = 0.1
ARMS = (Arm(), Arm.macaque(), Arm(length=(0.31, 0.34), path_curvature=(0.0,) * 6))
PUSH = Function(lambda observation: np.full((len(observation), 6), 0.1))  # noise changes it


def recorded(schedule, seconds):
    """Hand (T + 1, 2), speed (T + 1,) and commands (T, 2) after the first second.

    They are found by another way than the module's.
    """
    envs = gym.make_vec(
        "ReachArm-v0", num_envs=1, schedule=schedule, noise=NOISE, max_episode_steps=10_000
    )
    recording = record(JointPD(), envs, 100 * (seconds + 1), SEED)
    return recording.hand[100:, 0], recording.speed[100:, 0], recording.commands[100:, 0]


def circles(schedule, seconds, seed, noise):
    """A recording of the circle task under ``PUSH``."""
    options = {"schedule": schedule, "noise": noise, "max_episode_steps": 10_000}
    envs = gym.make_vec("CircleArm-v0", num_envs=1, **options)
    return record(PUSH, envs, round(100 * seconds), seed)


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
    muscles = {
        f"{part} {action}"
        for part in ("shoulder", "elbow", "biarticular")
        for action in ("flexor", "extensor")
    }
    assert texts == muscles | {r"$\theta_1$", r"$\theta_2$"}
    assert len(axes.collections) == 6 and axes.get_aspect() == 1
    arcs = [p for p in axes.patches if isinstance(p, Arc)]
    angles = np.deg2rad([arc.theta2 - arc.theta1 for arc in arcs])
    assert arcs[1].theta1 == arcs[0].theta2  # the elbow's angle is counted from the upper arm
    for drawn, path in zip(axes.collections, muscle_paths(Arm(), angles), strict=True):
        np.testing.assert_allclose(
            [*(s[0] for s in drawn.get_segments()), drawn.get_segments()[-1][1]], path
        )


def test_figure_5_takes_another_arm():
    hands = [
        figure_5(arm).axes[0].lines[0].get_xydata()[-1] for arm in (None, Arm(length=(0.3, 0.4)))
    ]
    assert np.linalg.norm(hands[1] - hands[0]) == pytest.approx(0.07)


def test_figure_5_draws_the_force_curves():
    axes = figure_5().axes[1]
    assert axes.name == "3d"
    assert (
        "L_0" in axes.get_xlabel() and "L_0$/s" in axes.get_ylabel() and "F_" in axes.get_zlabel()
    )
    length, velocity = np.meshgrid(np.linspace(*axes.get_xlim()), np.linspace(*axes.get_ylim()))
    highest = force_curves(NUMPY, length, velocity)[0].max()
    heights = axes.collections[0].get_array()
    assert heights.min() >= 0 and heights.max() == pytest.approx(highest, rel=0.1)


def by_letter(figure):
    return {title[0]: a for a in figure.axes if (title := a.get_title(loc="left"))}


@pytest.mark.parametrize("arm", ARMS)
def test_isometric_torques_do_the_work_of_the_tensions(arm):
    """τ = −(∂L/∂θ)ᵀ T, with the lengths' derivative by differences."""
    angles = workspace_angles()
    eps = 1e-6
    parameters = arm.arrays()
    length = muscle_length(parameters, angles)
    tension = parameters.maximum_force * force_curves(NUMPY, length, np.zeros_like(length))[0]
    torques = isometric_torques(NUMPY, arm.arrays(), angles)
    for joint in (0, 1):
        shift = eps * np.eye(2)[joint]
        behind, ahead = (muscle_length(parameters, angles + s * shift) for s in (-1, 1))
        slope = parameters.optimal_length * (ahead - behind) / (2 * eps)
        np.testing.assert_allclose(torques[..., joint, :], -slope * tension, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("arm", ARMS)
def test_figure_5_draws_the_torques_at_rest(arm):
    axes = by_letter(figure_5(arm))
    angles = workspace_angles()
    for joint, letter in enumerate("cd"):
        other = angles[22, 22, 1 - joint]
        own = np.deg2rad(axes[letter].lines[0].get_xdata())
        assert np.rad2deg(own[[0, -1]]) == pytest.approx([(0, 110), (30, 140)][joint])
        postures = np.stack([own, np.full(45, other)][:: 1 - 2 * joint], -1)
        single = isometric_torques(NUMPY, arm.arrays(), postures)[:, joint].T
        *drawn, flexors, extensors, _ = (line.get_ydata() for line in axes[letter].lines)
        first = 2 * joint
        np.testing.assert_allclose(drawn, single[[first, first + 1, 4, 5]], atol=1e-9)
        np.testing.assert_allclose(flexors, single[::2].sum(0), atol=1e-9)
        np.testing.assert_allclose(extensors, single[1::2].sum(0), atol=1e-9)
        everywhere = isometric_torques(NUMPY, arm.arrays(), angles)[..., joint, :]
        totals = everywhere[..., ::2].sum(-1), everywhere[..., 1::2].sum(-1)
        for band, total in zip(axes[letter].collections, totals, strict=True):
            (box,) = (path.get_extents() for path in band.get_paths())
            assert (box.y0, box.y1) == pytest.approx((total.min(), total.max()))
        flexion, extension = (t.get_text() for t in axes[letter].texts)
        assert flexion == f"flexion ≥ {totals[0].min():.2g} N m"
        assert extension == f"extension ≥ {-totals[1].max():.2g} N m"


def test_the_arm_is_strong_enough_everywhere_in_figure_5():
    axes = by_letter(figure_5())
    texts = [t.get_text() for letter in "cd" for t in axes[letter].texts]
    assert [float(re.search(r"[\d.]+", text)[0]) for text in texts] == [21, 33, 21, 22]


@pytest.mark.parametrize("arm", ARMS)
def test_figure_5_marks_the_lengths_that_the_workspace_uses(arm):
    figure = figure_5(arm)
    curve = by_letter(figure)["e"]
    strips = figure.axes[-1]
    length, tension = curve.lines[0].get_data()
    np.testing.assert_allclose(tension, force_curves(NUMPY, length, np.zeros_like(length))[0])
    assert [t.get_text() for t in strips.get_yticklabels()] == list(MUSCLES)
    low, high = np.transpose([Reach.shoulder, Reach.elbow])
    angles = np.random.default_rng(0).uniform(low, high, (20_000, 2))
    lengths = muscle_length(arm.arrays(), angles)
    for bar, colour, used in zip(strips.patches, np.repeat(COLOURS[:3], 2), lengths.T, strict=True):
        first, last = bar.get_x(), bar.get_x() + bar.get_width()
        assert first <= used.min() < first + 0.02 and last - 0.02 < used.max() <= last
        assert strips.get_xlim()[0] < first and last < strips.get_xlim()[1]
        assert to_hex(bar.get_facecolor()) == colour.lower()
    assert curve.get_xlim() == strips.get_xlim() == (length[0], length[-1])


def test_figure_6_has_the_panels_of_the_paper(panels):
    assert sorted(panels) == ["a", "b", "c", "d"]
    assert [panels[p].get_ylabel() for p in "abcd"] == [
        "y [m]",
        "distance [cm]",
        "speed [m/s]",
        "y [m]",
    ]
    assert panels["c"].get_xlabel() == "time [s]" and panels["d"].get_xlabel() == "x [m]"
    assert (
        panels["a"].get_xlim() == panels["d"].get_xlim()
        and panels["b"].get_xlim() == panels["c"].get_xlim()
    )
    assert panels["a"].get_aspect() == panels["d"].get_aspect() == 1


def test_panel_a_is_the_recorded_path_in_four_joined_pieces(panels, reaching):
    pieces = coloured(panels["a"], "-")
    for k, piece in enumerate(pieces):
        np.testing.assert_array_equal(piece, reaching[0][movement(k)])
    circles = [p for p in panels["a"].patches if isinstance(p, Circle)]
    np.testing.assert_allclose([c.center for c in circles], TARGETS)
    assert {c.radius for c in circles} == {TARGET_SIZE} and not any(c.get_fill() for c in circles)
    assert [t.get_text() for t in panels["a"].texts][:-1] == ["start", "1", "2", "3", "4"]


def test_panel_a_says_how_straight_the_reaches_are(panels, reaching):
    paths = [reaching[0][movement(k)] for k in range(4)]
    for target, path, line in zip(TARGETS, paths, coloured(panels["a"], "--"), strict=True):
        np.testing.assert_array_equal(line, [path[0], target])
    shares = [
        100 * path_deviation(path[:, None], path[:1], target[None])[0]
        for target, path in zip(TARGETS, paths, strict=True)
    ]
    numbers = ", ".join(f"{share:.0f}" for share in shares)
    wanted = f"largest distance from the straight line:\n{numbers} % of its length"
    assert panels["a"].texts[-1].get_text() == wanted
    assert legend_of(panels["a"]) == ["straight"]


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


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
    correlations = [closest_minimum_jerk(speed[movement(k)][:, None])[0][0] for k in range(4)]
    (label,) = legend_of(panels["c"])
    assert label.startswith("minimum jerk, r ≥ ")
    assert 0 <= min(correlations) - float(label[-4:]) < 0.01
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
    lag = tracking_lag(hand[1:], commands, round(100 * LONGEST_LAG))
    assert 0 < lag < 100 * LONGEST_LAG
    plain = 100 * np.median(np.linalg.norm(hand[1:] - commands, axis=-1))
    left = 100 * np.median(np.linalg.norm(hand[1 + lag :] - commands[:-lag], axis=-1))
    distances = f"median distance {plain:.1f} cm,\n{left:.1f} cm"
    wanted = f"{distances} with the lag of {lag / 100:.2f} s taken out"
    assert [t.get_text() for t in panels["d"].texts] == [wanted] and left < plain


@pytest.mark.parametrize("late, found", [(0, 0), (1, 1), (37, 37), (50, 50), (60, 50), (-20, 0)])
def test_the_lag_is_how_much_later_the_hand_is_where_the_target_was(late, found):
    """Up to the longest, 50 here; with a tremor of 1 cm."""
    time = np.arange(800) / 100
    target, hand = (np.array([moving_target(t - s / 100) for t in time]) for s in (0, late))
    assert tracking_lag(hand, target, 50) == found
    tremor = np.random.default_rng(0).normal(0, 0.01, hand.shape)
    assert abs(tracking_lag(hand + tremor, target, 50) - found) <= 4


def lines_behind_and_in_front(axes):
    """Lines of the runs, (n, 2) each: with noise, and without, which are thicker and over them."""
    solid = [line for line in axes.lines if line.get_linestyle() == "-"]
    behind = [line for line in solid if line.get_alpha()]
    front = [line for line in solid if not line.get_alpha() and line.get_lw() == 1.5]
    assert {line.get_zorder() for line in front} == {2}
    for line in behind:
        assert line.get_alpha() < 0.5 and line.get_lw() < 1 and line.get_zorder() < 2
    return [line.get_xydata() for line in behind], [line.get_xydata() for line in front]


@pytest.fixture(scope="module")
def figure_7():
    return figures.figure_7(PUSH, seed=SEED, noise=NOISE)


def some_plan(curve, lap):
    """Commands that no planner found: circles about the middle of the curve."""
    line = np.array([curve(phase) for phase in np.arange(1, 101) / 100])
    return Plan(np.column_stack([line, np.tile((0.05, 0.3), (100, 1))]), line, lap / 100, "circle")


PLANS = {name: some_plan(drawing.curve, drawing.lap) for name, drawing in DRAWINGS.items()}


@pytest.fixture(scope="module")
def figure_8():
    return figures.figure_8(PUSH, seed=SEED, noise=NOISE, name=100 * "n", plans=PLANS)


def test_figure_7_letters_its_panels(figure_7):
    titles = sorted(a.get_title(loc="left") for a in figure_7.axes)
    assert [title[0] for title in titles] == list("abcd")
    assert [title[4:] for title in titles] == [
        "Sequence of centres", "Varying radius and speed", "Radius in b", "Clockwise speed in b",
    ]  # fmt: skip


def test_figure_7_draws_three_noisy_runs_behind_one_without(figure_7):
    axes = by_letter(figure_7)
    parts = len(PARTS)
    for letter, schedule in (("a", AT_PLACES), ("b", OF_SHAPES)):
        behind, front = lines_behind_and_in_front(axes[letter])
        assert (len(behind), len(front)) == (NOISY * parts, parts)
        runs = [circles(schedule, 12.5, SEED + k, NOISE).hand[:, 0] for k in range(NOISY)]
        runs.append(circles(schedule, 12.5, SEED, 0.0).hand[:, 0])
        for k, piece in enumerate([*behind, *front]):
            start = 250 * (k % parts)
            np.testing.assert_array_equal(piece, runs[k // parts][start : start + 251])


def test_figure_7_draws_the_courses_of_its_second_panel(figure_7):
    axes = by_letter(figure_7)
    parts = len(PARTS)
    runs = [circles(OF_SHAPES, 12.5, SEED + k, NOISE) for k in range(NOISY)]
    runs.append(circles(OF_SHAPES, 12.5, SEED, 0.0))
    courses = {"c": [], "d": []}
    for one in runs:
        away = one.hand[1:, 0] - one.commands[:, 0, :2]
        radius = np.linalg.norm(away, axis=-1)
        courses["c"].append(100 * radius)
        courses["d"].append((one.velocity[1:, 0] * away[:, ::-1] * (1, -1)).sum(-1) / radius)
    radius, speed = runs[0].commands[:, 0, 2:].T
    for letter, wanted in (("c", 100 * radius), ("d", speed)):
        behind, front = lines_behind_and_in_front(axes[letter])
        assert (len(behind), len(front)) == (NOISY * parts, parts)
        for k, piece in enumerate([*behind, *front]):
            start = 250 * (k % parts)
            course = courses[letter][k // parts]
            np.testing.assert_allclose(piece[:, 1], course[start : start + 250])
        (dashed,) = (line for line in axes[letter].lines if line.get_linestyle() == "--")
        np.testing.assert_allclose(dashed.get_ydata(), wanted)


def test_every_command_of_figure_7_has_a_colour_of_its_own():
    assert len(set(PARTS)) == len(AT_PLACES.values) == len(OF_SHAPES.values)


@pytest.mark.parametrize("way", ["osculating circles", "planned commands"])
def test_figure_8_says_the_distance_without_noise_and_with_it(figure_8, way):
    rows = np.array(figure_8.axes).reshape(2, 2)
    planned = way == "planned commands"
    for axes, (name, drawing) in zip(rows[int(planned)], DRAWINGS.items(), strict=True):
        curve, lap, title = drawing
        assert axes.get_title(loc="left")[4:] == f"{title}, {way}"
        behind, front = lines_behind_and_in_front(axes)
        schedule = PLANS[name] if planned else osculating(curve, lap)
        seconds = [(SEED + k, NOISE) for k in range(NOISY)] + [(SEED, 0.0)]
        runs = [circles(schedule, 4 * lap, *each).hand for each in seconds]
        for line, hand in zip([*behind, *front], runs, strict=True):
            np.testing.assert_array_equal(line, hand[round(100 * lap) :, 0])
        wanted = np.array([curve(phase) for phase in np.linspace(0, 1, 2000)])
        away = [line[:, None] - wanted for line in [*behind, *front]]
        gaps = [np.linalg.norm(each, axis=-1).min(1) for each in away]
        (text,) = (t.get_text() for t in axes.texts)
        found = re.fullmatch(r"median distance ([\d.]+) mm, with noise ([\d.]+) mm", text)
        quiet, noisy = (float(number) for number in found.groups())
        assert quiet == pytest.approx(1000 * np.median(gaps[-1]), abs=0.1)
        assert noisy == pytest.approx(1000 * np.median(np.concatenate(gaps[:-1])), abs=0.1)


def test_the_figure_of_a_plan_shows_curve_commands_and_distances():
    plan = PLANS["eight"]
    figure = figures.figure_drawing(plan, PUSH, seed=SEED, noise=NOISE, name="n")
    axes = by_letter(figure)
    behind, front = lines_behind_and_in_front(axes["a"])
    assert (len(behind), len(front)) == (NOISY, 1)
    np.testing.assert_array_equal(front[0], circles(plan, 12, SEED, 0.0).hand[300:, 0])
    (dashed,) = (line for line in axes["a"].lines if line.get_linestyle() == "--")
    np.testing.assert_array_equal(dashed.get_xydata()[:-1], plan.curve)
    laps = [line for line in axes["b"].lines if not line.get_alpha()]
    shown = np.concatenate([line.get_ydata() for line in laps])
    np.testing.assert_allclose(shown, 1000 * plan.distances(front[0][1:]))
    x, y = (line.get_ydata()[:-1] for line in axes["c"].lines)
    np.testing.assert_array_equal(np.stack([x, y], -1), plan.values[:, :2])
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
    assert_texts_apart(figure, texts)
    quiet = figures.figure_drawing(plan, PUSH, noise=0)
    assert [t.get_text() for t in quiet.legends[0].get_texts()] == [
        "without noise", "commanded centres", "curve",
    ]  # fmt: skip


def test_without_noise_figures_7_and_8_draw_one_run():
    draws = ((figures.figure_7, "abcd", len(PARTS)), (figures.figure_8, "ab", 1))
    for draw, letters, lines in draws:
        figure = draw(PUSH, noise=0)
        for letter in letters:
            behind, front = lines_behind_and_in_front(by_letter(figure)[letter])
            assert (len(behind), len(front)) == (0, lines)
        labels = [t.get_text() for t in figure.legends[0].get_texts()]
        assert labels == ["without noise", "command" if lines > 1 else "curve"]
        assert not [t for a in figure.axes for t in a.texts if "noise" in t.get_text()]


def signatures(figure):
    return [t.get_text() for t in figure.texts if t.get_text().startswith("controller")]


def test_every_figure_says_whose_it_is_if_it_is_told(panels, figure_7):
    point = Attractor((0.0, 0.4), True, 0.0, 0.9, 0.1, 0.001, 0.0, 1.0, 0.5)
    for figure in (
        figure_5(name="reach"),
        figure_6(Still(), name="reach"),
        figures.figure_7(Still(), noise=0, name="reach"),
        figures.figure_8(Still(), noise=0, name="reach"),
        figures.figure_tuning(made_for("reach").network, name="reach"),
        figures.figure_attractors(Analysis("reach", [point], 0, 1, (1, 1)), name="reach"),
    ):
        assert signatures(figure) == ["controller: reach"]
    for nameless in (figure_5(), panels["a"].figure, figure_7):
        assert not signatures(nameless)


@pytest.mark.parametrize("name", ["$\\nonsense$", "a_b^c", 300 * "n"])
def test_any_name_can_be_drawn(tmp_path, name):
    figure = figure_5(name=name)
    save(figure, tmp_path / "figure.png")
    (signature,) = (t for t in figure.texts if t.get_text().startswith("controller"))
    FigureCanvasAgg(figure).draw()  # places it
    assert signature.get_window_extent().width < 0.5 * figure.bbox.width
    assert signature.get_text()[12:45] == name[:33]


@pytest.mark.parametrize(
    "given, name",
    [
        ("reach", "reach"), ("runs/circle-0", "circle-0"), ("runs/circle-0/", "circle-0"),
        ("runs/circle-0/checkpoint.safetensors", "circle-0"), ("runs/best.safetensors", "best"),
    ],
)  # fmt: skip
def test_a_controller_s_short_name_tells_no_way_to_it(given, name):
    assert short_name(given) == name


@pytest.mark.parametrize(
    "which, given, name",
    [
        ("5", None, None), ("5", "circle", "circle"), ("6", None, "reach"), ("7", None, "circle"),
        ("8", "circle", "circle"), ("tuning", None, "reach"),
    ],
)  # fmt: skip
def test_the_command_line_passes_the_controller_s_name(monkeypatch, which, given, name):
    names = []
    monkeypatch.setattr(figures, f"figure_{which}", lambda *_, name=None, **__: names.append(name))
    commands.Figure(which, given).drawn()
    assert names == [name]


def test_the_same_seed_draws_the_same_figure(panels):
    again, other = (
        figure_6(JointPD(), seed=seed, noise=NOISE).axes[0] for seed in (SEED, SEED + 1)
    )
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
    figure = figure_5(name="n" * 100)
    muscles, _, *flat = figure.axes
    texts = [*figure.texts, *figure.legends[0].get_texts(), *muscles.texts]
    for axes in flat:
        ticks = axes.get_xticklabels()
        texts += [t for t in axes.findobj(Text) if t.get_text() and t not in ticks]
    assert_texts_apart(figure, [t for t in texts if t.get_visible()])
    figure = panels["a"].figure
    # all but the ticks' labels
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
    assert len(texts) == 24
    assert_texts_apart(figure, texts)


def test_no_text_of_the_circles_overlaps_another_or_the_edge(figure_7, figure_8):
    for figure, number in ((figure_7, 14), (figure_8, 18)):
        texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
        assert len(texts) == number
        assert_texts_apart(figure, texts)


def in_workspace(position):
    angles = joint_angles(Arm(), position)
    task = Reach()
    return bool(
        ((angles[..., 0] >= task.shoulder[0]) & (angles[..., 0] <= task.shoulder[1])).all()
        and ((angles[..., 1] >= task.elbow[0]) & (angles[..., 1] <= task.elbow[1])).all()
    )


@given(st.floats(0, 1e6))
def test_the_moving_target_stays_in_the_workspace_and_is_slow(time):
    here = moving_target(time)
    soon = moving_target(time + 0.01)
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
    "suffix, beginning",
    [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("PNG", b"\x89PNG")],
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
    before = path.read_bytes()
    broken = Figure()
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


def test_an_animation_of_a_plan_begins_after_the_first_laps_and_shows_the_curve(
    tmp_path, monkeypatch
):
    curve = np.array([[-0.1, 0.4], [0.1, 0.4], [0.1, 0.5], [-0.1, 0.5]]).repeat(50, 0)
    plan = Plan(curve, curve, task="reach")  # laps of 2 s
    shown = []

    def drawn(env):
        shown.append(env.simulation.elapsed[0] * plan.hold)
        return np.full((540, 720, 3), 255, np.uint8)

    monkeypatch.setattr(ArmEnv, "render", drawn)
    path = animate(Still(), tmp_path / "arm.gif", seconds=0.2, schedule=plan)
    np.testing.assert_allclose(shown, 4 + np.arange(5) / 25, atol=0.006)
    with Image.open(path) as picture:
        red = np.asarray(picture.convert("RGB"))[..., 0]
    column, row = ((to_pixels([0.0, 0.4]) * 480 / 720).round()).astype(int)
    assert red[row - 1 : row + 2, column].min() < 200 and red[row - 9, column] > 250


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


@pytest.mark.parametrize(
    "name", ["arm", "arm.png", "arm.mov", "", "folder.gif", "file/arm.gif", f"{300 * 'n'}.gif"]
)
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
    network = RecurrentController(
        NetworkConfig(3, **config), kind.command_size, torch.Generator().manual_seed(0)
    )
    return Checkpoint(network, task, arm or Arm(), kind.weights)


def test_figures_and_animations_are_those_of_the_checkpoint_s_own_arm_and_period(tmp_path):
    checkpoint = made_for(
        "reach", Arm(length=(0.31, 0.34), max_excitation=0.8), control_period=0.03
    )
    controller = controller_of(checkpoint)
    environment = environment_of(checkpoint)
    axes = {a.get_title(loc="left")[0]: a for a in figure_6(controller, **environment).axes}
    joints = axes["a"].lines[0].get_xydata()
    np.testing.assert_allclose(np.linalg.norm(np.diff(joints, axis=0), axis=1), (0.31, 0.34))
    jumps = sorted(line.get_xdata()[0] for line in axes["b"].lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(np.diff(jumps), 1.0, atol=0.03)
    for k, line in enumerate(coloured(axes["b"], "-")):
        assert line[0, 0] == jumps[k] and line[-1, 0] == pytest.approx(jumps[k] + 1, abs=0.05)
    assert animate(controller, tmp_path / "arm.gif", seconds=0.2, **environment).is_file()


@pytest.mark.parametrize(
    "arm, period, text",
    [
        (Arm(), 0.02, "acts every 0.02 s"),
        (Arm(max_excitation=2), 0.01, "made for a maximum excitation"),
    ],
)
def test_another_environment_than_the_controller_was_made_for_is_refused(
    tmp_path, arm, period, text
):
    controller = controller_of(made_for("reach", arm, control_period=period))
    for draw in (figure_6, lambda c: animate(c, tmp_path / "arm.gif")):
        with pytest.raises(ValueError, match=text):
            draw(controller)
    assert not list(tmp_path.iterdir())


def test_another_task_s_controller_is_refused(tmp_path):
    controller = controller_of(made_for("circle"))
    for draw in (figure_6, lambda c: animate(c, tmp_path / "arm.gif")):
        with pytest.raises(ValueError, match="made for the commands of circle"):
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
    pictures = [
        animate(JointPD(), tmp_path / f"{i}.gif", seed=i // 2, seconds=0.12).read_bytes()
        for i in range(3)
    ]
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
    check = (
        "import sys, rnn_controller.figures; "
        "assert not {'matplotlib.pyplot', 'pygame'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


# --- small networks -------------------------------------------------------------------------------


@pytest.mark.parametrize(("neurons", "silent"), [(1, False), (2, False), (1, True)])
def test_tuning_of_the_smallest_networks_is_drawn(tmp_path, recwarn, neurons, silent):
    network = RecurrentController(NetworkConfig(neurons), 2, torch.Generator().manual_seed(1))
    with torch.no_grad():
        network.neural_bias.fill_(1.0)
        for parameter in network.parameters() if silent else ():
            parameter.zero_()
    assert save(figures.figure_tuning(network), tmp_path / "tuning.png").is_file()
    assert not [str(w.message) for w in recwarn if w.category is not DeprecationWarning]


@pytest.mark.parametrize(
    "values", [(), (0.9,), (0.9, 0.9), (0.9, np.nextafter(0.9, 1)), (0.0, 0.0), (1e-300, 2e-300)]
)
def test_attractors_are_drawn_however_near_their_values_lie(tmp_path, values):
    found = [
        Attractor(
            (0.0, 0.4),
            True,
            0.0,
            value,
            -0.01 / np.log(value) if value else 0.0,
            value,
            0.0,
            1.0,
            value,
        )
        for value in values
    ] or [Attractor((0.0, 0.4), False, 1.0, 1.1, np.inf, 0.1, 0.0, 0.0, np.inf)]
    figure = figures.figure_attractors(Analysis("reach", found, 0, 1, (1, 1)))
    heights = [
        sum(bar.get_height() for bar in axes.patches if hasattr(bar, "get_height"))
        for axes in figure.axes
    ]
    assert heights[3:6] == [len(values)] * 3
    assert save(figure, tmp_path / "attractors.png").is_file()


def test_a_figure_that_fails_leaves_no_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    point = Attractor((0.0, 0.4), True, 0.0, 0.9, 0.1, 0.001, 0.0, 1.0, 0.5)
    found = Analysis("reach", [point], 0, 1, (1, 1))
    monkeypatch.setattr("rnn_controller.analysis.attractors.analyse", lambda *_, **k: found)
    monkeypatch.setattr(figures, "figure_attractors", lambda *_, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        commands.Attractors("reach").run()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
