"""Whatever is particular to a task comes from the registry."""

import ast
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import arm_env
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.follow import Follow
from arm_env.tasks.measures import Recording
from arm_env.tasks.reach import Reach
from arm_env.tasks.registry import ENVIRONMENTS, TASKS, task_of_environment
from arm_env.tasks.shapes import Circle
from arm_env.tasks.task import Task
from rnn_controller.analysis.attractors import Analysis, Attractor
from rnn_controller.training.config import DEFAULTS, TrainConfig

ROOT = Path(__file__).parents[2]
IDS = [task.env_id for task in TASKS.values()]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_says_all_that_is_asked_of_it(name):
    task = TASKS[name]
    assert task.name == name and task_of_environment(task.env_id) is task
    assert gym.spec(task.env_id).max_episode_steps == task.max_episode_steps
    assert (
        gym.make_vec(task.env_id, num_envs=1).unwrapped.max_episode_steps == task.max_episode_steps
    )
    assert DEFAULTS[name].task == name and DEFAULTS[name].cost == task.weights
    assert task.summary.endswith(".")


def test_training_is_what_a_task_says_and_the_defaults_otherwise():
    assert DEFAULTS["reach"] == TrainConfig()
    circle = DEFAULTS["circle"]
    assert (circle.recipe, circle.network.neurons, circle.beta) == ("full-noise", 64, 0.5)


def test_an_environment_without_a_task_is_named_with_those_that_have_one():
    with pytest.raises(ValueError, match="CartPole-v1: there are ReachArm-v0, CircleArm-v0"):
        task_of_environment("CartPole-v1")


@pytest.mark.parametrize("env_id", IDS)
def test_another_seed_gives_another_start_and_command(env_id):
    envs = [gym.make(env_id) for _ in range(3)]
    first, again, other = (
        env.reset(seed=seed)[1] for env, seed in zip(envs, (1, 1, 2), strict=True)
    )
    for name in ("state", "command"):
        np.testing.assert_array_equal(first[name], again[name])
        assert (first[name] != other[name]).any()


@pytest.mark.parametrize("env_id", IDS)
def test_a_reward_is_that_of_the_state_that_the_step_ends_in(env_id):
    env = gym.make(env_id)
    env.reset(seed=3)
    action = env.action_space.high
    for _ in range(5):
        _, reward, _, _, info = env.step(action)
        unwrapped = env.unwrapped
        arm = unwrapped.arm.arrays()
        weights = unwrapped.weights
        terms = unwrapped.task.cost(
            NUMPY, arm, weights, info["state"], action.astype(float), info["command"]
        )
        assert reward == pytest.approx(-sum(terms) * unwrapped.control_period, rel=1e-12)


@dataclass(frozen=True)
class Heart(Circle):
    """An orbit of one's own with a name, a tolerance and few points of its own."""

    name = "heart"
    dimensions = (5, 9)
    speed_tolerance = 0.05

    def track(self, command):
        return super().track(command)[::12]


def test_an_orbit_of_ones_own_may_have_a_name_and_dimensions_of_its_own():
    config = TrainConfig(task=Heart())
    assert (config.task, config.orbit) == ("circle", Heart())
    found = Analysis(
        "circle",
        [Attractor((0, 0.4, 0.08, 0.3), True, 0, 0.9, 0.1, 0, 1, 1, 1)],
        0,
        1,
        (1, 1),
        (5, 9),
    )
    assert (
        found.measures.dimensions_of_attractors == 5 and found.measures.dimensions_of_movements == 9
    )


def test_success_and_measures_have_one_tolerance_of_speed():
    command = np.array([[0.0, 0.4, 0.08, 0.3]])
    place = Circle().points(command, np.zeros((1, 1)))[:, 0]
    _, x, y = Circle().error(NUMPY, command, *place.T)
    for task, wanted in ((Circle(), True), (Heart(), False)):
        assert (task.success(NUMPY, command, *place.T, 1.2 * x, 1.2 * y) > 0).all() == wanted


def test_few_points_of_a_line_are_drawn():
    env = gym.make("CircleArm-v0", orbit=Heart(), render_mode="rgb_array")
    env.reset(seed=1)
    assert env.render().ndim == 3


def test_a_hand_that_rests_where_it_should_has_converged():
    commands = np.tile([0.0, 0.4, 0.0, 0.0], (300, 2, 1))
    hand = np.tile([0.0, 0.4], (301, 2, 1))
    nothing = np.zeros((300, 2))
    resting = Recording(
        np.zeros((301, 2, 10)), commands, np.zeros((300, 2, 6)), nothing, hand, 0 * hand
    )
    found = Circle().measures(resting, 100, 0.01, seed=0, noise=0.0)
    assert found.fraction_converged == 1 and found.median_speed_error == 0


@pytest.mark.parametrize(
    "task", [Circle(), Circle(radius=(0.05, 0.05), lap=(1.0, 1.0)), Circle(lap=(1.0, 1.0))]
)
def test_a_grid_holds_no_command_twice(task):
    commands = task.grid(Arm(), 50)
    assert commands.shape == (50, 4) and len(np.unique(commands, axis=0)) == 50


def test_nobody_else_asks_what_kind_of_task_it_is():
    """Except where an orbit is an argument."""
    asking = []
    for package in ("arm_env", "rnn_controller", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                call = isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
                if call and ast.unparse(node.args[1]) in ("Orbit", "Reach"):
                    asking.append(path.relative_to(ROOT).as_posix())
    assert asking == ["arm_env/envs/settings.py"]


def test_a_task_of_ones_own_must_say_what_every_task_says():
    bare = type("Bare", (Task,), {"name": "bare", "env_id": "BareArm-v0"})
    with pytest.raises(ValueError, match=r"a task needs summary, success_measure, .*weights"):
        arm_env.register_task(bare())
    assert "bare" not in TASKS
    with pytest.raises(ValueError, match="another task needs another name and another env_id"):
        arm_env.register_task(type("Other", (Reach,), {"env_id": "OtherArm-v0"})())


def test_a_movement_that_never_ends_is_not_measured():
    with pytest.raises(ValueError, match=r"3600.0 s at the most, .* after 2e\+09 s"):
        arm_env.evaluate(arm_env.Still(), movements=2, schedule=arm_env.RandomJumps(1e9))


@pytest.fixture
def own(monkeypatch):
    """A task derived from one of the package's, gone after the test."""

    class Mine(Follow):
        name = "mine"
        env_id = "MineArm-v0"
        tolerance = 0.1

    for table, key in ((TASKS, "mine"), (ENVIRONMENTS, "MineArm-v0"), (gym.registry, "MineArm-v0")):
        monkeypatch.setitem(table, key, Mine())
    arm_env.register_task(Mine())
    return Mine


def test_a_task_derived_from_another_stands_in_its_own_environment(own):
    for env in (gym.make("MineArm-v0"), gym.make_vec("MineArm-v0", num_envs=2)):
        assert type(env.unwrapped.task) is own
    again = gym.make(gym.spec("MineArm-v0").from_json(gym.make("MineArm-v0").spec.to_json()))
    assert type(again.unwrapped.task) is own


@pytest.mark.parametrize("wrong", [Reach, "reach", None])
def test_what_is_no_task_is_not_registered(wrong):
    with pytest.raises(ValueError, match=r"task must be an arm_env.Task, such as Reach\(\), not"):
        arm_env.register_task(wrong)
