"""Copies of everything a user holds go the same way as the original.

They are made by deepcopy, by pickle, and in another process.
"""

import concurrent.futures
import copy
import gc
import multiprocessing
import pickle
import subprocess
import sys
import threading
import tracemalloc
from dataclasses import dataclass

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest

import arm_env
from arm_env.codegen import compiling
from arm_env.codegen.primitives import at_least
from arm_env.codegen.tracing import Symbol
from arm_env.dynamics import task_kernels

IDS = ("ReachArm-v0", "CircleArm-v0")
WAYS = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "cloudpickle": lambda value: cloudpickle.loads(cloudpickle.dumps(value)),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
PERTURBED = {"perturbation": {"curl": 15, "delay": 0.05}, "weights": {"alpha": 0.5}, "noise": 0.1}


def course(envs, steps=12):
    """Everything that some steps return.

    Actions and resets come from the environment's own generators.
    """
    seen = []
    for _ in range(steps):
        observation, reward, terminated, truncated, info = envs.step(envs.action_space.sample())
        seen += [
            observation,
            reward,
            terminated,
            truncated,
            *(info[k] for k in ("state", "distance", "command")),
        ]
    return [*seen, envs.reset()[0]]


def assert_same_course(*all_envs):
    first, *others = (course(envs) for envs in all_envs)
    for other in others:
        for ours, theirs in zip(first, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@EVERY_WAY
@pytest.mark.parametrize("env_id", IDS)
def test_a_copy_of_an_environment_goes_the_same_way(env_id, way):
    env = gym.make(env_id, **PERTURBED)
    env.reset(seed=3)
    env.action_space.seed(4)
    for _ in range(7):
        env.step(env.action_space.sample())
    assert_same_course(env, way(env), way(way(env)))


def test_copies_before_the_first_reset_begin_alike():
    env = gym.make("ReachArm-v0")
    env.reset(seed=1)
    copied = copy.deepcopy(env)
    np.testing.assert_array_equal(env.reset()[0], copied.reset()[0])


@EVERY_WAY
@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("mode", gym.vector.AutoresetMode, ids=lambda m: m.value)
def test_a_copy_of_a_vector_environment_goes_the_same_way(env_id, mode, way):
    envs = gym.make_vec(env_id, num_envs=3, autoreset_mode=mode, max_episode_steps=8, **PERTURBED)
    envs.reset(seed=3)
    envs.action_space.seed(4)
    for _ in range(5):
        envs.step(envs.action_space.sample())
    copied = way(envs)
    assert_same_course(envs, copied) if mode is not gym.vector.AutoresetMode.DISABLED else None
    assert copied.spec == envs.spec and copied.unwrapped.simulation is not envs.unwrapped.simulation


@EVERY_WAY
@pytest.mark.parametrize("env_id", IDS)
def test_a_rendered_environment_is_copied_and_both_draw(env_id, way):
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=5)
    frame = env.render()
    copied = way(env)
    np.testing.assert_array_equal(copied.render(), frame)
    env.close()
    np.testing.assert_array_equal(copied.render(), frame)
    copied.close()


def test_a_copy_leaves_the_original_alone():
    env = gym.make("ReachArm-v0")
    env.reset(seed=1)
    state = env.unwrapped.simulation.state.copy()
    copied = copy.deepcopy(env)
    for _ in range(5):
        copied.step(copied.action_space.high)
    np.testing.assert_array_equal(env.unwrapped.simulation.state, state)


CONTROLLERS = {
    "still": lambda: arm_env.Still(),
    "random": lambda: arm_env.Random(
        gym.make("ReachArm-v0").action_space, np.random.default_rng(0)
    ),
    "joint PD": lambda: arm_env.JointPD(),
    "receding horizon": lambda: arm_env.RecedingHorizon(
        arm_env.Reach(), horizon=0.05, iterations=1
    ),
}


@EVERY_WAY
@pytest.mark.parametrize("make", CONTROLLERS.values(), ids=CONTROLLERS)
def test_a_copy_of_a_controller_acts_alike(make, way):
    controller = make()
    envs = gym.make_vec("ReachArm-v0", num_envs=2)
    observation = envs.reset(seed=1)[0]
    state = None
    for _ in range(15):
        action, state = controller.predict(observation, state)
        observation = envs.step(action)[0]
    np.testing.assert_array_equal(
        way(controller).predict(observation, state)[0], controller.predict(observation, state)[0]
    )


@EVERY_WAY
def test_a_copy_of_a_problem_has_the_same_optimum(way):
    problem = arm_env.ArmProblem(arm_env.Ellipse(aspect=3.0), np.array([0.0, 0.4, 0.05, 0.3]))
    states = np.zeros((6, 10))
    controls = np.full((5, 6), 0.1)
    states[:, :2] = 0.5, 1.5
    arguments = states, controls, np.zeros((5, 6)), np.zeros((5, 6, 10)), 1.0
    value = problem.follow(*arguments)[2]
    assert way(problem).follow(*arguments)[2] == value


# --- other processes
# --------------------------------------------------------------------------------


def steps_of(pickled):
    """What the pickled environment returns in its next steps; runs in another process."""
    return pickle.dumps(course(pickle.loads(pickled)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_goes_on_where_this_one_is(method):
    env = gym.make("CircleArm-v0", orbit=arm_env.Ellipse(aspect=1.5))
    env.reset(seed=6)
    env.action_space.seed(7)
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        there = pickle.loads(pool.submit(steps_of, pickle.dumps(env)).result(timeout=120))
    for ours, theirs in zip(course(env), there, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_orbit_of_a_script_goes_to_a_process_that_knows_only_its_bytes(tmp_path):
    """As Ray and joblib send things: by cloudpickle.

    The other process has compiled nothing and imports no script.
    """
    script = tmp_path / "script.py"
    script.write_text(
        """
from dataclasses import dataclass
import cloudpickle, gymnasium as gym, arm_env, sys

@dataclass(frozen=True)
class Wide(arm_env.Circle):
    def outline(self, xp, x, y, radius):
        d, ox, oy = super().outline(xp, x, y, radius)
        return 0.75 * d, ox, oy

command = [0.0, 0.4, 0.05, 0.3]
env = gym.make("CircleArm-v0", orbit=Wide(), schedule=lambda t: command, render_mode="rgb_array")
env.reset(seed=8)
env.render()
open(sys.argv[1], "wb").write(cloudpickle.dumps(env))
print(env.step(env.action_space.high)[1])
"""
    )
    code = (
        "import pickle, sys; env = pickle.load(open(sys.argv[1], 'rb')); "
        "print(env.step(env.action_space.high)[1])"
    )
    path = str(tmp_path / "env.pickle")
    outputs = [
        subprocess.run(
            [sys.executable, *command, path],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        ).stdout
        for command in ([str(script)], ["-c", code])
    ]
    assert outputs[0] == outputs[1] and float(outputs[0]) < 0


def test_threads_that_make_and_step_environments_at_once_do_as_one_after_another():
    def go(seed, results):
        # nobody else's: they compile, too
        env = gym.make("CircleArm-v0", orbit=arm_env.Ellipse(aspect=1.7 + seed % 2))
        env.reset(seed=seed)
        env.action_space.seed(seed)
        results[seed] = course(env, 200)

    one_by_one = {}
    at_once = {}
    threads = [threading.Thread(target=go, args=(seed, at_once)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(6):
        go(seed, one_by_one)
    for seed in range(6):
        for ours, theirs in zip(one_by_one[seed], at_once[seed], strict=True):
            np.testing.assert_array_equal(ours, theirs)


# --- one set of kernels for one source
# --------------------------------------------------------------


@dataclass(frozen=True)
class Squashed(arm_env.Circle):
    factor: float = 0.5

    def outline(self, xp, x, y, radius):
        length = xp.sqrt(at_least(xp, x * x + y * y, 1e-8))
        return self.factor * (length - radius), x / length, y / length


class Listed(arm_env.Circle):
    """A task that holds what may change from within."""

    factors = None

    def outline(self, xp, x, y, radius):
        d, out_x, out_y = super().outline(xp, x, y, radius)
        return self.factors[0] * d, out_x, out_y


def distance(task):
    env = gym.make("CircleArm-v0", orbit=task)
    return env.reset(seed=1, options={"posture": [0.5, 1.5], "targets": [0.0, 0.4, 0.05, 0.3]})[1][
        "distance"
    ]


def test_equal_tasks_share_kernels_and_different_ones_do_not():
    assert (
        task_kernels.compile_task(Squashed(factor=0.5)).advance
        is task_kernels.compile_task(Squashed()).advance
    )
    assert distance(Squashed(factor=0.25)) == pytest.approx(distance(Squashed(factor=0.5)) / 2)


def test_a_class_of_the_same_name_is_another_task():
    """As when a notebook's cell is run again with another body."""

    def define(factor):
        class Again(arm_env.Circle):
            def outline(self, xp, x, y, radius):
                d, out_x, out_y = super().outline(xp, x, y, radius)
                return factor * d, out_x, out_y

        return Again()

    assert distance(define(2.0)) == pytest.approx(2 * distance(define(1.0)))


def test_a_task_that_changes_from_within_is_seen_as_it_is():
    task = Listed()
    object.__setattr__(task, "factors", [1.0])
    before = distance(task)
    task.factors[0] = 3.0
    assert distance(task) == pytest.approx(3 * before)


ABOVE = 1.0  # a global that equations read


class Raised(arm_env.Circle):
    def outline(self, xp, x, y, radius):
        d, out_x, out_y = super().outline(xp, x, y, radius)
        return ABOVE * d, out_x, out_y


def double(self, xp, command, x, y):
    d, *velocity = arm_env.Circle.error(self, xp, command, x, y)
    return 4.0 * d, *velocity


def other_cost(self, xp, arm, weights, state, u, command):
    terms = arm_env.Circle.cost(self, xp, arm, weights, state, u, command)
    return 2.0 * terms[0], *terms[1:]


CHANGES = {
    "a tolerance": lambda patch: patch.setattr(Raised, "tolerance", 0.03),
    "a global": lambda patch: patch.setitem(globals(), "ABOVE", 2.0),
    "a method": lambda patch: patch.setattr(Raised, "error", double),
    "the cost": lambda patch: patch.setattr(Raised, "cost", other_cost),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_equations_read_may_change_in_a_running_process(change, monkeypatch):
    """As in a notebook with autoreload: kernels belong to what was traced, not to the class."""
    task = Raised()
    before = task_kernels.compile_task(task).advance
    change(monkeypatch)
    assert task_kernels.compile_task(task).advance is not before
    monkeypatch.undo()
    assert task_kernels.compile_task(task).advance is before


def test_equations_that_are_others_each_time_are_refused(monkeypatch):
    monkeypatch.setattr(Raised, "error", lambda self, xp, k, x, y: (x * np.random.rand(), 0.0, 0.0))
    with pytest.raises(
        ValueError, match=r"Raised differ each time .* must not draw random numbers"
    ):
        task_kernels.compile_task(Raised())


@dataclass(frozen=True)
class Elsewhere(arm_env.Reach):
    """Equations of another class, so that both share machine code."""


def test_a_copy_does_not_depend_on_another_task_with_the_same_equations():
    kernels = task_kernels.compile_task(arm_env.Reach())
    assert task_kernels.compile_task(Elsewhere()).advance is kernels.advance
    assert b"Elsewhere" not in pickle.dumps(kernels)


WRONG_ERRORS = {
    "if": (lambda xp, k, x, y: (x if x > 0 else y, 0.0, 0.0), r"xp\.where\(x, a, b\)"),
    "maximum": (lambda xp, k, x, y: (np.maximum(x, 0.0), 0.0, 0.0), "at_least and at_most"),
    "NumPy": (lambda xp, k, x, y: (np.hypot(x, y), 0.0, 0.0), "may hold numbers.*sqrt"),
    "number": (lambda xp, k, x, y: (float(x), 0.0, 0.0), "may hold numbers.*sqrt"),
    "two": (
        lambda xp, k, x, y: (x * x, 0.0),
        r"error must give one number for each of squared distance, desired",
    ),
    "one": (lambda xp, k, x, y: x * x, "error must give one number for each of"),
    "many": (
        lambda xp, k, x, y: (k * k, 0.0, 0.0),
        r"one number for each of .*, not shapes \[\(4,\), \(\), \(\)\]",
    ),
    "no such part": (lambda xp, k, x, y: (k[4], 0.0, 0.0), "index 4 is out of bounds"),
}


@pytest.mark.parametrize(("error", "text"), WRONG_ERRORS.values(), ids=WRONG_ERRORS)
def test_equations_that_cannot_be_compiled_are_refused_with_what_can_be(error, text, monkeypatch):
    monkeypatch.setattr(Raised, "error", lambda self, *given: error(*given))
    with pytest.raises(TypeError, match=rf"^the equations of Raised can't be compiled: .*{text}"):
        gym.make("CircleArm-v0", orbit=Raised())


def test_kernels_without_a_recipe_are_not_pickled():
    with pytest.raises(TypeError, match="recipe"):
        pickle.dumps(task_kernels.task_kernels(task_kernels.trace_task(arm_env.Reach())))


def test_making_environments_takes_no_memory_that_stays():
    orbits = [arm_env.Circle(), arm_env.Ellipse(aspect=2.0), arm_env.RoundedPolygon(corners=3)]

    def make(number):
        for i in range(number):
            gym.make("CircleArm-v0", orbit=orbits[i % 3])
            gym.make_vec("ReachArm-v0", num_envs=2)
            if i % 50 == 0:
                arm_env.evaluate(
                    arm_env.Still(), movements=1, schedule=arm_env.RandomJumps(hold=0.2)
                )
        gc.collect()

    make(60)  # compiles, and fills what is filled once
    modules = len(sys.modules)
    tables = len(compiling._tables)
    tracemalloc.start()
    try:
        make(100)
        before = tracemalloc.get_traced_memory()[0]
        make(300)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # [bytes] of 600 environments, one of which had kept 225 KiB; the table of symbols takes 300 KiB
    # when it is laid out anew, which may happen in here
    assert grown < 400_000
    assert (len(sys.modules), len(compiling._tables)) == (modules, tables)


def test_symbols_live_as_long_as_somebody_holds_them():
    held = Symbol("scalar", "nobody else's") + 1.0
    gc.collect()
    count = len(Symbol._known)
    task_kernels.task_kernels(task_kernels.trace_task(arm_env.Reach()))
    gc.collect()
    assert len(Symbol._known) == count
    assert (Symbol("scalar", "nobody else's") + 1.0) is held
