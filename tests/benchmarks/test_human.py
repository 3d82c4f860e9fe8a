"""The model beside people: each measure on a case whose answer is known, the command, the page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import arm_env
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import coriolis, mass_matrix
from arm_env.tasks.workspace import jacobian
from benchmarks.human import __main__ as command
from benchmarks.human import curvature, experiments, reaches, stiffness, strength
from benchmarks.human.curves import OneFrequency
from benchmarks.human.experiments import EXPERIMENTS, Settings, measured
from benchmarks.human.reaches_rows import minimum_jerk_ratio
from benchmarks.human.rows import LIKE, PARTLY, UNLIKE, judged, read_csv, rounded, to_csv
from benchmarks.human.training import CURVES, config, folder_of
from benchmarks.places import RESULTS, STORED
from benchmarks.runs import module_name
from rnn_controller import load
from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.training.config import stored_config

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "human.md"


# Rows.


def test_a_verdict_needs_three_quarters_or_half_of_the_values():
    near, wide = (1.0, 2.0), (0.0, 4.0)
    assert judged([1, 1.5, 2, 9], near, wide) == LIKE
    assert judged([1, 1.5, 3, 9], near, wide) == PARTLY
    assert judged([1, 9, 9], near, wide) == judged([np.nan], near, wide) == UNLIKE


def test_numbers_are_shown_shortly():
    values = (123.4, 12.34, 1.234, 0.0012, 0.0, np.inf)
    assert [rounded(v) for v in values] == ["123", "12.3", "1.23", "0.001", "0", "infinite"]


# Stiffness and strength.


def test_the_static_force_of_the_hand_is_that_of_the_simulated_arm():
    arm = arm_env.Arm().arrays()
    state = np.zeros((1, 10))
    state[:, :2], state[:, 4:] = np.deg2rad([50, 90]), np.linspace(0.1, 0.6, 6)
    step = 1e-7
    after = arm_env.ARM.step(NUMPY, arm, state, state[:, 4:], step)
    m11, m12, m22 = mass_matrix(NUMPY, arm, state[:, :2])
    mass = np.array([[m11[0], m12[0]], [m12[0], m22]])
    torque = mass @ after[0, 2:4] / step  # at rest there is no other torque
    assert np.allclose(coriolis(NUMPY, arm, state[:, :2], state[:, 2:4]), 0)
    force = stiffness.hand_force(arm, state[:, :2], state[:, 4:])[0]
    np.testing.assert_allclose(jacobian(arm, state[:, :2])[0].T @ force, torque, rtol=2e-3)


def test_the_ellipse_of_a_known_stiffness():
    turn = np.deg2rad(30.0)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = axes @ np.diag([300.0, 100.0]) @ axes.T + np.array([[0, 7], [-7, 0]])
    shifts = stiffness.shifts_of(1)[:, 0]
    found = stiffness.ellipse(shifts, -shifts @ matrix.T, np.array([0.3, 0.0]))
    np.testing.assert_allclose(found.matrix, matrix)
    assert (found.largest, found.smallest) == pytest.approx((300, 100))
    assert np.rad2deg(found.angle) == pytest.approx(30)  # the line to the hand is the x axis


def test_a_hand_that_the_servo_leaves_in_place_keeps_its_force(monkeypatch):
    monkeypatch.setattr(stiffness, "DISPLACEMENT", 0.0)
    monkeypatch.setattr(stiffness, "REST", 3.0)
    controller, places = load("reach"), stiffness.targets()[4:5]
    rest, memory = stiffness.held(controller, places)
    before = stiffness.hand_force(arm_env.Arm().arrays(), rest[:, :2], rest[:, 4:])
    course = stiffness.displaced(controller, rest, memory, places)
    np.testing.assert_allclose(course, np.broadcast_to(before, course.shape), atol=0.02)


def test_the_largest_force_of_two_motors():
    torques = np.zeros((2, 6))
    torques[0, :2], torques[1, 2:4] = (3, -1), (2, -5)  # [N m]
    turning = np.eye(2)  # the force is the torque
    found = [strength.largest_force(torques, turning, np.deg2rad(a)) for a in (0, 90, 180, 270, 45)]
    np.testing.assert_allclose(found, [3, 2, 1, 5, 2 * np.sqrt(2)], rtol=1e-9)


# Reaches.


def straight(durations, distances, steps=150):
    """Minimum-jerk reaches along x, which begin after 0.1 s."""
    time = np.arange(steps)[:, None] * reaches.PERIOD - 0.1
    s = np.clip(time / np.array(durations), 0, 1)
    x = np.array(distances) * (10 * s**3 - 15 * s**4 + 6 * s**5)
    speed = np.array(distances) / np.array(durations) * 30 * s**2 * (1 - s) ** 2
    hand = np.array(reaches.CENTRE) + np.stack([x, 0 * x], -1)
    zero = np.zeros(len(durations))
    return reaches.Reaches(np.array(distances), zero, hand, speed, *reaches.extent(speed))


def test_minimum_jerk_reaches_are_measured_as_what_they_are():
    moved = straight([0.5, 0.8], [0.08, 0.16])
    np.testing.assert_allclose(moved.peak_to_mean, minimum_jerk_ratio(), rtol=0.03)
    np.testing.assert_allclose(moved.time_of_peak, 0.5, atol=0.02)
    np.testing.assert_allclose(moved.linearity, 0, atol=1e-9)
    np.testing.assert_array_equal(moved.peaks, 1)
    np.testing.assert_allclose(moved.peak, 1.875 * moved.distance / [0.5, 0.8], rtol=1e-3)
    within = reaches.time_within(moved, 0.04)
    assert (within > 0.1).all() and (within < [0.6, 0.9]).all()


def test_the_scatter_of_known_endpoints():
    rng, repeats = np.random.default_rng(0), 4000
    moved = straight([0.5] * repeats, [0.08] * repeats, steps=90)
    off = rng.normal(size=(repeats, 2)) * (0.006, 0.003)
    found = reaches.scatter(moved._replace(hand=moved.hand + off), repeats)
    assert found.extent[0] == pytest.approx(0.006, rel=0.05)
    assert found.lateral[0] == pytest.approx(0.003, rel=0.05)
    assert found.aspect[0] == pytest.approx(2, rel=0.05) and found.major[0] < 0.05


def test_mobility_is_largest_where_the_hand_is_lightest():
    found = reaches.mobility()
    np.testing.assert_allclose(found[:4], found[4:])  # forth and back
    arm = arm_env.Arm().arrays()
    state = np.zeros((1, 10))
    state[:, :2] = arm_env.joint_angles(arm_env.Arm(), np.array([reaches.CENTRE]))
    # the energy of the velocity that a unit impulse along a direction gives is half the mobility
    turning = jacobian(arm, state[:, :2])[0]
    m11, m12, m22 = mass_matrix(NUMPY, arm, state[:, :2])
    mass = np.array([[m11[0], m12[0]], [m12[0], m22]])
    turned = np.linalg.solve(mass, turning.T @ np.array([1.0, 0.0]))
    assert 0.5 * turned @ mass @ turned == pytest.approx(0.5 * found[0])


# Speed and curvature.


def run_along(x, y):
    return np.stack([x, y], -1)[:, None]


def test_a_harmonic_ellipse_obeys_the_law_of_one_third():
    command, rounds = np.array([[0.0, 0.4, 0.08, -0.6]]), 1.2  # anticlockwise
    phase = 2 * np.pi * rounds * np.arange(600) * curvature.PERIOD
    a, b = 0.08 * 2**0.5, 0.08 / 2**0.5
    found = curvature.exponents(
        run_along(a * np.cos(phase), 0.4 + b * np.sin(phase)), arm_env.Ellipse(), command
    )
    assert found.beta[0] == pytest.approx(1 / 3, abs=0.01) and found.r2[0] > 0.99
    assert found.rounds[0] == pytest.approx(rounds, rel=0.02)
    assert found.off[0] < 1e-4 and found.used[0] == 1


def test_an_ellipse_at_even_speed_has_no_exponent():
    command = np.array([0.0, 0.4, 0.08, 0.5])
    orbit = arm_env.Ellipse()
    curve = curvature.even_curve(orbit, command)
    path = np.array([curve(t * curvature.PERIOD) for t in range(600)])  # 1 round a second
    found = curvature.exponents(path[:, None], orbit, command[None])
    assert abs(found.beta[0]) < 0.03 and found.rounds[0] == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(("frequency", "depth"), [(3, 1.0), (4, 0.8)])
def test_the_curvature_of_a_curve_of_one_frequency(frequency, depth):
    orbit = OneFrequency(frequency=frequency, depth=depth)
    around = np.linspace(0, 2 * np.pi, 721)[:-1]
    points = orbit.points(np.array([[0, 0, 1.0, 1.0]]), around[None])[0]
    z = points[:, 0] + 1j * points[:, 1]
    modes, k = np.fft.fft(z), np.fft.fftfreq(len(z), 1 / len(z))
    modes[abs(k) > 30] = 0
    first, second = np.fft.ifft(1j * k * modes), np.fft.ifft(-k * k * modes)
    bend = np.log((first.conj() * second).imag / abs(first) ** 3)
    tangent = np.unwrap(np.angle(first))
    wave = np.cos(frequency * (tangent - np.pi / 2))
    assert np.corrcoef(wave, bend)[0, 1] > 0.98
    assert (bend.max() - bend.min()) / 2 == pytest.approx(depth, rel=0.1)
    assert 0.5 * np.sum(np.abs(z) ** 2) * (around[1] - around[0]) == pytest.approx(np.pi, rel=2e-3)
    eps = 1e-6
    d, out_x, out_y = orbit.outline(NUMPY, 1.02 * points[:, 0], 1.02 * points[:, 1], 1.0)
    ahead = orbit.outline(NUMPY, 1.02 * points[:, 0] + eps, 1.02 * points[:, 1], 1.0)[0]
    np.testing.assert_allclose((ahead - d) / eps, out_x, atol=0.03)
    np.testing.assert_allclose(out_x**2 + out_y**2, 1)


def test_a_curve_of_another_depth_is_refused():
    with pytest.raises(ValueError, match="depth"):
        OneFrequency(depth=2.0)


# The command, and what is stored.


def test_the_same_seed_gives_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "REACHING", experiments.REACHING[:1])
    settings = Settings(seed=3, repeats=3)
    rows, figure = measured("endpoints", settings)
    assert [row.experiment for row in rows] == ["endpoints"] * len(rows) and figure.axes
    again, _ = measured("endpoints", settings)
    other, _ = measured("endpoints", replace(settings, seed=4))
    assert rows == again != other
    assert read_csv(to_csv(tmp_path / "rows.csv", rows)) == rows


def test_the_command_writes_rows_and_figures_and_keeps_other_rows(tmp_path, capsys):
    stored = read_csv(RESULTS / "human.csv")
    to_csv(tmp_path / "human.csv", stored)
    command.main(command.Args(only=("strength",), output=tmp_path))
    # the strength of the arm has no chance in it, and no other row has changed
    assert read_csv(tmp_path / "human.csv") == stored
    assert (tmp_path / "human-strength.png").stat().st_size > 10_000
    assert (tmp_path / "human.md").read_text() == (RESULTS / "human.md").read_text()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("benchmarks/human/__main__.py", "benchmarks.human"),
        ("benchmarks/human/training.py", "benchmarks.human.training"),
        ("benchmarks/compare.py", "benchmarks.compare"),
    ],
)
def test_the_help_names_the_command(file, name, monkeypatch):
    monkeypatch.setattr("sys.argv", [f"/somewhere/{file}"])
    assert module_name() == name


def test_an_unknown_experiment_is_refused_before_anything_is_measured(tmp_path):
    with pytest.raises(ValueError, match="no experiment is called sleep: there are stiffness"):
        command.main(command.Args(only=("strength", "sleep"), output=tmp_path))
    assert not list(tmp_path.iterdir())


def test_every_stored_row_has_a_source_and_a_verdict():
    rows = read_csv(RESULTS / "human.csv")
    assert {row.experiment for row in rows} == set(EXPERIMENTS)
    for row in rows:
        assert row.people and row.source and row.why.endswith("."), row.quantity
        assert row.verdict in (LIKE, PARTLY, UNLIKE) and row.low <= row.value <= row.high
        assert row.checked == "read in the abstract" or "from memory" in row.checked


def test_the_page_shows_the_stored_tables():
    rows, page = read_csv(RESULTS / "human.csv"), PAGE.read_text()
    assert command.summary(rows) in page
    for name in EXPERIMENTS:
        assert command.section(name, rows) in page, name


@pytest.mark.parametrize(
    ("curve", "cost"), [*((curve, "effort") for curve in CURVES), ("ellipse", "speed")]
)
def test_stored_networks_are_those_of_the_command(curve, cost):
    training = load_checkpoint(STORED / folder_of(curve, cost)).training
    assert stored_config(training["config"]) == config(curve, cost)
    assert training["state"]["done"] == config(curve, cost).iterations
