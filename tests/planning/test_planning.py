"""The planner of commands: its gradient, its plans, and what it refuses."""

import math

import gymnasium as gym
import numpy as np
import pytest

import arm_env
from rnn_controller import Plan, figures, load, load_checkpoint, plan
from rnn_controller.planning import planner, plans
from rnn_controller.planning.commands import Circles, MovingTargets, Targets, kind_of
from rnn_controller.planning.curves import course
from rnn_controller.planning.drawings import DRAWINGS, clover, figure_of_eight, plan_of
from rnn_controller.planning.optimising import Search
from rnn_controller.planning.osculating import osculating
from rnn_controller.planning.points import read_points
from rnn_controller.planning.problem import Problem

LAP = 1.5  # [s] of the oval
QUIET = {"iterations": 20, "noise": 0}
KINDS = {"reach": Targets, "follow": MovingTargets, "circle": Circles}


def oval(phase):
    angle = 2 * math.pi * phase
    return [0.08 * math.sin(angle), 0.42 + 0.05 * math.cos(angle)]


@pytest.fixture(scope="module")
def checkpoint():
    return load_checkpoint("circle")


@pytest.fixture(scope="module")
def made(checkpoint):
    return plan(checkpoint, figure_of_eight, 3.0, **QUIET)


def median_gap(made, schedule):
    """Median distance [m] from the curve, without noise, under commands of a schedule."""
    env = gym.make_vec("CircleArm-v0", num_envs=1, schedule=schedule, noise=0, max_episode_steps=-1)
    before, steps = (round(time / made.hold) for time in (2 * made.lap, 4 * made.lap))
    hand = arm_env.record(load("circle"), env, steps, 0).hand[before + 1 :]
    env.close()
    return float(np.median(made.distances(hand)))


# --- plans ----------------------------------------------------------------------------------------


def test_a_plan_is_closer_to_the_curve_than_osculating_circles(made):
    planned = median_gap(made, made)
    assert planned == pytest.approx(made.quiet_distance_m, abs=5e-4)
    assert planned < 0.6 * median_gap(made, osculating(figure_of_eight, 3.0))


def test_iterations_bring_a_plan_closer_to_the_curve(checkpoint, made):
    shorter = plan(checkpoint, figure_of_eight, 3.0, noise=0, iterations=1)
    assert made.quiet_distance_m < 0.8 * shorter.quiet_distance_m
    assert made.noisy_distance_m == made.quiet_distance_m


def test_the_same_seed_gives_the_same_plan(checkpoint):
    one, again, other = (
        plan(checkpoint, oval, LAP, noise=0.1, iterations=2, seed=seed) for seed in (0, 0, 1)
    )
    assert again == one and hash(again) == hash(one)
    assert other != one
    assert one.noise == 0.1 and one.noisy_distance_m > 0


@pytest.mark.parametrize("name", DRAWINGS)
def test_shipped_plans_are_those_of_the_shipped_controller(checkpoint, name):
    shipped = plan_of(checkpoint, name)
    assert shipped.controller == plans.digest_of(checkpoint.network)
    assert shipped.quiet_distance_m < 0.004 and shipped.noisy_distance_m < 0.009
    assert shipped.lap == pytest.approx(DRAWINGS[name].lap)
    curve = np.array([DRAWINGS[name].curve(phase) for phase in np.linspace(0, 1, 50)])
    assert shipped.distances(curve).max() < 1e-3
    assert shipped.noise == 0.2
    assert median_gap(shipped, shipped) == pytest.approx(shipped.quiet_distance_m, abs=2e-4)


def test_another_controller_gets_no_shipped_plan():
    assert plans.shipped_plan("eight", load_checkpoint("circle-paper").network) is None
    assert plans.shipped_plan("none", load_checkpoint("circle").network) is None


@pytest.mark.parametrize("name", KINDS)
def test_commands_stay_in_the_ranges_of_the_training(name):
    subject = planner.subject_of(name)
    few = plan(name, clover, 3.0, iterations=3, noise=0)
    assert few.task == name and kind_of(subject.task) is KINDS[name]
    assert few.values.shape == (300, few.goal.command_size)
    subject.task.check_commands(subject.arm, few.values)
    places = subject.task.in_workspace(subject.arm, few.values[:, :2])
    assert places.mean() > 0.9  # the workspace is a penalty, no bound
    if name == "circle":
        radius, speed = few.values.T[2:]
        assert (subject.task.radius[0] <= radius).all() and (radius <= subject.task.radius[1]).all()
        turn = 2 * np.pi / subject.task.lap[0]
        assert np.abs(speed).max() <= turn * subject.task.radius[1]
    if name == "follow":  # a command's velocity is that of its place
        slope = np.gradient(few.values[:, :2], few.hold, axis=0)[1:-1]
        assert np.abs(slope - few.values[1:-1, 2:]).max() < 0.02


# --- plans as schedules ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [None, 2])
def test_a_plan_is_a_schedule_of_environments(made, number):
    options = {"schedule": made, "noise": 0, "max_episode_steps": -1}
    env = (
        gym.make("CircleArm-v0", **options)
        if number is None
        else gym.make_vec("CircleArm-v0", num_envs=number, **options)
    )
    env.reset(seed=0)
    for step in range(len(made.values) + 3):  # a lap and the next one's beginning
        for command in env.unwrapped.simulation.command:
            np.testing.assert_array_equal(command, made.values[step % len(made.values)])
        env.step(np.zeros(env.action_space.shape, np.float32))
    env.close()


def test_an_evaluation_says_that_a_plan_holds_its_commands_too_briefly(made):
    """Its measures are those of jumps. Its environment takes the plan all the same."""
    with pytest.raises(ValueError, match=r"schedule whose commands hold for .* not 0\.01 s"):
        arm_env.evaluate(load("circle"), "CircleArm-v0", schedule=made, movements=4)


def test_commands_repeat_after_a_lap(made):
    time = np.array([0, made.lap, made.lap + 2 * made.hold])
    rows = made.commands(np.random.default_rng(0), np.zeros(3, int), time, made.goal, None)
    np.testing.assert_array_equal(rows, made.values[[0, 0, 2]])


@pytest.mark.parametrize(("period", "steps"), [(0.005, 8), (0.02, 2)])
def test_a_lap_lasts_as_long_at_another_control_period(made, period, steps):
    env = gym.make("CircleArm-v0", schedule=made, control_period=period)
    env.reset(seed=0)
    for _ in range(steps):
        env.step(np.zeros(6, np.float32))
    np.testing.assert_array_equal(env.unwrapped.simulation.command[0], made.values[4])
    env.close()


def test_a_plan_is_drawn_by_a_controller_of_its_task(made):
    other = "follow" if made.task == "circle" else "circle"
    with pytest.raises(ValueError, match=f"made for the commands of {other}"):
        figures.figure_drawing(made, load(other), noise=0)
    with pytest.raises(ValueError, match="plan must be a Plan"):
        figures.figure_drawing("plan.json", load(made.task))


def test_a_plan_is_one_for_its_task(made):
    with pytest.raises(ValueError, match="the plan is one for circle, not for reach"):
        gym.make("ReachArm-v0", schedule=made).reset(seed=0)


# --- files ----------------------------------------------------------------------------------------


def test_a_saved_plan_is_loaded_as_it_was(made, tmp_path):
    path = made.save(tmp_path / "plan.json")
    assert Plan.load(path) == made
    np.testing.assert_array_equal(Plan.load(path).values, made.values)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "rnn-motor-control plan 1"}'])
def test_a_file_without_a_plan_is_refused(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is no plan"):
        Plan.load(path)


@pytest.mark.parametrize("name", plans.shipped_plans())
def test_a_shipped_plan_is_loaded_by_its_name(checkpoint, name):
    assert Plan.load(name) == plan_of(checkpoint, name)


def test_a_plan_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"there is no plan 'star'.* or one of: eight, clover"):
        Plan.load("star")
    with pytest.raises(ValueError, match=r"there is no plan '\./eight'"):
        Plan.load("./eight")


def test_a_damaged_plan_is_refused(made, tmp_path):
    path = made.save(tmp_path / "plan.json")
    text = path.read_text("utf-8")
    path.write_text(text.replace('"circle"', '"square"'))
    with pytest.raises(ValueError, match="square"):
        Plan.load(path)
    path.write_text(text.replace("plan 1", "plan 9"))
    with pytest.raises(ValueError, match="format"):
        Plan.load(path)


def test_a_plan_checks_its_fields():
    with pytest.raises(ValueError, match=r"values must be \(T, 4\)"):
        Plan(np.zeros((3, 2)), np.zeros((3, 2)), task="circle")
    with pytest.raises(ValueError, match="finite"):
        Plan(np.full((3, 2), np.nan), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="of one lap, not 3 and 4"):
        Plan(np.zeros((3, 2)), np.zeros((4, 2)))


def test_points_are_read_in_the_ways_of_spreadsheets(tmp_path):
    path = tmp_path / "points.csv"
    for text in (
        "x,y\n0.1,0.4\n-0.1,0.5\n", "# points\n0.1 0.4\n\n-0.1 0.5", "\ufeffx;y\n0.1;0.4\n-0.1;0.5",
        "0.1\t0.4\n-0.1\t0.5\n",
    ):  # fmt: skip
        path.write_text(text, "utf-8")
        np.testing.assert_array_equal(read_points(path), [[0.1, 0.4], [-0.1, 0.5]])


# --- curves ---------------------------------------------------------------------------------------


def test_an_array_and_a_function_of_a_curve_give_the_same_plan(checkpoint):
    angle = 2 * np.pi * np.arange(400) / 400
    circle = np.column_stack([0.08 * np.cos(angle), 0.42 + 0.08 * np.sin(angle)])
    few = {"iterations": 3, "noise": 0}
    one = plan(checkpoint, circle, LAP, **few)
    two = plan(
        checkpoint,
        lambda p: [0.08 * math.cos(2 * math.pi * p), 0.42 + 0.08 * math.sin(2 * math.pi * p)],
        LAP, **few,
    )  # fmt: skip
    # an array is a polygon, which is 2 μm inside the circle
    np.testing.assert_allclose(one.curve, two.curve, atol=1e-5)
    np.testing.assert_allclose(one.values, two.values, atol=3e-3)
    assert one.quiet_distance_m == pytest.approx(two.quiet_distance_m, abs=1e-3)


@pytest.fixture
def no_search(monkeypatch):
    """No search begins: what is wrong is said before."""

    def run(self, *_):
        raise AssertionError("a search has begun")

    monkeypatch.setattr(Search, "run", run)


SQUARE = [[-0.1, 0.4], [0.1, 0.4], [0.1, 0.5], [-0.1, 0.5]]


def with_row(row):
    return [*SQUARE[:2], row, *SQUARE[3:]]


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (np.zeros((5, 3)), r"array of points \(n, 2\).* not numbers of shape \(5, 3\)"),
        (SQUARE[:2], r"three points or more, an open one two, and there are 2"),
        (with_row([math.nan, 0.5]), r"must be finite, and row 2 is \[nan, 0.5\]"),
        (with_row([0.0, 5.0]), r"of the curve is outside .*point 0\.000, 5\.000 m from the shoulder"
                               r".* ends near .* 0\.\d* m there"),
        (np.array(SQUARE) * 100, r"point -10\.000, 40\.000 m.* in centimetres, divide by 100"),
        (np.array(SQUARE) / 100, "mm long: points are in metres"),
        (lambda phase: [phase, math.nan], r"at 0 it returns \[0\.0, nan\]"),
        (lambda phase: 0.4, "function from a phase"),
        (lambda phase: [0.1 * phase, 0.42], "ends at the phases 0 and 1 are 10.0 cm apart"),
        ("star.csv", r"there is no file 'star\.csv': a curve is a file with a point x, y in"),
        (plans.SHIPPED, "plans is a folder: a curve is a file"),
        (None, "a curve is a function .* path of a file of points, not None"),
        ("0.1 0.4", "there is no file"),
    ],
)  # fmt: skip
def test_wrong_curves_are_refused_before_any_search(checkpoint, no_search, curve, message):
    with pytest.raises(ValueError, match=message):
        plan(checkpoint, curve, LAP)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"-0.1,0.4\n0.1,0.4\n0,5\n", "first the point"),
        (b"-0.1,0.4\n0.1,0.4\n", "three points or more"),
        (b"-0.1,0.4\n0.1,nan\n0,0.5\n", "line 2: a point is two numbers x, y in metres such as"),
        (b"-0.1,0.4\n0.1\n0,0.5\n", "line 2: a point is two numbers"),
        (b"-0.1.1,0.4\n0.1,0.4\n0,0.5\n", "line 1: a point is two numbers"),
        (3 * b"-0.2,0.4\n0.2,0.4\n0.2,0.45\n-0.2,0.45\n", "a lap of .* is .* faster than"),
        (b"x,y\n", "holds no points"),
        (b"\x89PNG\xff\xfe", "is no text file"),
    ],
)
def test_what_is_wrong_in_a_file_names_the_file(checkpoint, no_search, tmp_path, content, message):
    path = tmp_path / "star.csv"
    path.write_bytes(content)
    for given in (path, str(path)):
        with pytest.raises(ValueError, match=rf"star\.csv.*({message})"):
            plan(checkpoint, given, LAP)


def test_a_file_of_points_gives_the_plan_of_its_points(tmp_path):
    path = tmp_path / "square.csv"
    path.write_text("\n".join(f"{x}, {y}" for x, y in SQUARE))
    few = {"iterations": 1, "noise": 0}
    assert plan("follow", path, LAP, **few) == plan("follow", SQUARE, LAP, **few)


def test_a_search_that_ends_out_of_reach_says_what_to_do(checkpoint):
    with pytest.raises(ValueError, match=r"commands that the arm can't carry out.* iterations, a"):
        plan(checkpoint, SQUARE, 3.0, iterations=1, noise=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lap": 0.1}, "lap"),
        ({"lap": math.nan}, "lap"),
        ({"lap": "long"}, "lap"),
        ({"lap": 0.5}, r"faster than a drawing may be .* give a lap of .* s or longer"),
        ({"speed": "fast"}, "speed"),
        ({"noise": -1}, "noise"),
        ({"seed": -1}, "seed"),
        ({"iterations": 0}, "iterations"),
    ],
)
def test_wrong_options_are_refused_before_any_search(checkpoint, no_search, options, message):
    given = {"lap": LAP, **options}
    with pytest.raises(ValueError, match=message):
        plan(checkpoint, SQUARE, **given)


class WithPredict:
    """A controller like one of stable-baselines3."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.zeros(6), state


@pytest.mark.parametrize("controller", [WithPredict(), lambda observation: np.zeros(6), 3, None])
def test_wrong_controllers_are_refused(no_search, controller):
    with pytest.raises(ValueError, match=r"a plan is made for a network with a compiled rollout"):
        plan(controller, SQUARE, LAP)


def test_a_speed_by_the_power_law_is_slow_in_bends():
    line = [oval(phase) for phase in np.arange(200) / 200]
    subject = planner.subject_of("circle")
    ratios = []
    for speed in ("uniform", "power-law"):
        places = course(line, 150, closed=True, speed=speed, task=subject.task, arm=subject.arm)
        pace = np.linalg.norm(np.diff(places, axis=0), axis=1)
        ratios.append(pace.max() / pace.min())
    assert ratios[0] < 1.02
    # curvatures of an ellipse differ by (8 / 5)³, and the speed by its cube root
    assert ratios[1] == pytest.approx(1.6, abs=0.1)


# --- the gradient ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_gradient_of_a_plan_is_that_of_differences(name, noise):
    subject = planner.subject_of(name)
    line = np.array([clover(phase) for phase in np.arange(1, 101) / 100])
    commands = KINDS[name](subject.task, subject.arm, line, 0.01)
    problem = Problem(
        subject.policy.network, subject.arm, subject.task, commands, line,
        noise=noise, rng=np.random.default_rng(0),
    )  # fmt: skip
    start = commands.start()
    _, gradient = problem(start)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 1
    direction = gradient / np.linalg.norm(gradient)
    step = 1e-7 * direction
    difference = (problem(start + step)[0] - problem(start - step)[0]) / 2e-7
    assert difference == pytest.approx((gradient * direction).sum(), rel=0.001)
