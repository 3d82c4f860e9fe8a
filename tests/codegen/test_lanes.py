"""The same bits for one arm and for many, in any form, at any number, on every machine."""

import os
import subprocess
import sys

import gymnasium as gym
import mpmath
import numpy as np
import pytest

import arm_env
from arm_env.codegen import elementary
from arm_env.codegen.lanes import LANES
from arm_env.dynamics import layout, plant, task_kernels
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.envs.simulation import observation_bounds

P, W, H = Arm().flat(), CostWeights().flat(), 0.005
NUMBERS = (1, 4, 5, LANES - 1, LANES, LANES + 1, 2 * LANES + 4, 3 * LANES + 5)


def arguments(number, seed=0):
    """States, excitations, noise and cotangents of so many arms.

    Some are beyond their stops, some beyond max_excitation.
    """
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(-0.4, 3, (number, 2)), rng.uniform(-20, 20, (number, 2)),
                        rng.uniform(0, 1, (number, 6))], 1)  # fmt: skip
    return (
        x,
        rng.uniform(-0.2, 1.2, (number, 6)),
        rng.normal(0, 0.2, (number, 6)),
        rng.normal(0, 1, (number, 18)),
    )


FORMS = {
    "step": lambda x, u, noise, g: ((P, H, x, u), (10,)),
    "sense": lambda x, u, noise, g: ((P, x), (18,)),
    "excite": lambda x, u, noise, g: ((P, u, noise), (6,)),
    "step_vjp": lambda x, u, noise, g: ((P, H, x, u, g[:, :10].copy()), (10, 6)),
    "sense_vjp": lambda x, u, noise, g: ((P, x, g), (10,)),
    "excite_vjp": lambda x, u, noise, g: ((P, u, noise, g[:, :6].copy()), (6,)),
}


def one_by_one(kernel, given, outputs, number):
    for i in range(number):
        kernel(*(a[i] if np.ndim(a) == 2 else a for a in given), *(out[i] for out in outputs))


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("number", NUMBERS)
def test_rows_have_the_bits_of_one_after_another(name, number):
    given, sizes = FORMS[name](*arguments(number))
    alone, rows = ([np.full((number, size), np.nan) for size in sizes] for _ in range(2))
    one_by_one(getattr(plant, name), given, alone, number)
    getattr(plant, f"{name}_rows")(0, number, *given, *rows)
    for mine, theirs in zip(rows, alone, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", FORMS)
def test_lanes_have_the_bits_of_one_after_another(name):
    given, sizes = FORMS[name](*arguments(LANES, seed=1))
    alone = [np.empty((LANES, size)) for size in sizes]
    one_by_one(getattr(plant, name), given, alone, LANES)
    lanes = [np.empty(LANES * size) for size in sizes]
    getattr(plant, f"{name}_lanes")(*(a.T.ravel() if np.ndim(a) == 2 else a for a in given), *lanes)
    for mine, theirs in zip(lanes, alone, strict=True):
        np.testing.assert_array_equal(mine.reshape(-1, LANES).T, theirs)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 3), (2, 30), (30, 40)])
def test_rows_touch_nothing_but_their_own(first, last):
    x, u, *_ = arguments(40)
    out = np.full((40, 10), np.nan)
    plant.step_rows(first, last, P, H, x, u, out)
    assert (
        np.isnan(out[:first]).all()
        and np.isnan(out[last:]).all()
        and np.isfinite(out[first:last]).all()
    )


def test_rows_may_be_written_over_what_they_are_computed_from():
    x, u, *_ = arguments(40)
    out = np.empty_like(x)
    plant.step_rows(0, 40, P, H, x, u, out)
    plant.step_rows(0, 40, P, H, x, u, x)
    np.testing.assert_array_equal(x, out)


@pytest.mark.parametrize("task", [arm_env.Reach(), arm_env.Ellipse()], ids=["reach", "ellipse"])
def test_the_present_of_many_has_the_bits_of_the_present_of_one(task):
    x, u, *_ = arguments(37)
    command = task.sample_commands(np.random.default_rng(2), 37, Arm())
    bounds = observation_bounds(task, Arm())

    def present(kernels):
        costs = np.empty((37, layout.COSTS))
        seen = np.empty((37, len(bounds[0])), dtype=np.float32)
        clock = np.zeros(37, dtype=np.int64)
        given = (P, W, H, 0, u, 0.3, 7, 2, command, command, *map(np.float64, bounds))
        kernels.advance(*given, x[None], clock, costs, seen)
        return np.hstack([costs, seen])

    alone, together = task_kernels.compile_task_of_one(task), task_kernels.compile_task(task)
    np.testing.assert_array_equal(present(together), present(alone))


def test_a_diverged_arm_does_not_touch_its_neighbours():
    x, u, *_ = arguments(LANES)
    expected = x.copy()
    plant.step_rows(0, LANES, P, H, x, u, expected)
    x[3] = np.nan
    plant.step_rows(0, LANES, P, H, x, u, x)
    np.testing.assert_array_equal(np.delete(x, 3, 0), np.delete(expected, 3, 0))
    assert np.isnan(x[3, :4]).all()


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
def test_one_environment_alone_goes_as_it_goes_among_many(env_id):
    """Without noise, which is drawn for all at once."""
    envs = gym.make_vec(env_id, num_envs=21, noise=0.0, max_episode_steps=-1)
    envs.reset(seed=1)
    single = gym.make(env_id, noise=0.0, max_episode_steps=-1).unwrapped
    single.reset(seed=1)
    single.simulation.state[0] = envs.unwrapped.simulation.state[13]
    single.simulation.command = envs.unwrapped.simulation.command[[13]]
    rng = np.random.default_rng(3)
    for _ in range(80):  # before the first jump
        u = rng.uniform(0, 1, (21, 6))
        observations, rewards, _, _, infos = envs.step(u)
        observation, reward, _, _, info = single.step(u[13])
        np.testing.assert_array_equal(observation, observations[13])
        np.testing.assert_array_equal(info["state"], infos["state"][13])
        assert reward == rewards[13]


# --- elementary functions
# ---------------------------------------------------------------------------

ACCURACY = {
    "exp": [(-700, 700), (-1, 1), (-1e-8, 1e-8)],
    "log": [(0.5, 2), (0.9999, 1.0001), (1e-6, 1), (1, 1e10), (1e-300, 1e-290)],
    "sin": [(-4, 4), (3.14, 3.1417), (-1e4, 1e4), (-1e-9, 1e-9)],
    "cos": [(-4, 4), (1.57, 1.5709), (-1e4, 1e4)],
}


@pytest.mark.parametrize(
    ("name", "low", "high"), [(n, *r) for n, ranges in ACCURACY.items() for r in ranges]
)
def test_elementary_functions_are_exact_to_the_last_bits(name, low, high):
    function = getattr(elementary, name)
    exact = getattr(mpmath, name)
    with mpmath.workdps(40):
        for x in np.random.default_rng(0).uniform(low, high, 500).tolist():
            true = exact(mpmath.mpf(x))
            assert abs(function(x) - true) <= 5e-16 * abs(true), x


def test_elementary_functions_at_their_ends():
    assert (
        elementary.exp(0.0) == elementary.cos(0.0) == 1.0
        and elementary.sin(0.0) == elementary.log(1.0) == 0.0
    )
    assert 0 < elementary.exp(-1e300) < 1e-300 and 1e300 < elementary.exp(1e300) < np.inf
    for name in ACCURACY:
        assert name == "log" or np.isnan(getattr(elementary, name)(np.nan))


# --- every machine
# ----------------------------------------------------------------------------------


RECORDED = "00a13c2334b2cf49"
ROLLOUT = """
import hashlib
import numpy as np
from arm_env.dynamics import layout, plant
from arm_env.dynamics.parameters import Arm

p, x, bits = Arm().flat(), np.zeros((100, 10)), hashlib.sha256()
x[:, 0], x[:, 1] = np.linspace(0.1, 1.8, 100), np.linspace(0.6, 2.3, 100)
# NumPy keeps the stream of PCG64
actions = np.random.PCG64(7).random_raw(100 * 100 * 6).reshape(100, 100, 6) / 2.0**64
signal = np.empty((100, 18))
for t in range(1000):
    plant.control_steps(p, 0.005, 2, actions[t // 10], np.zeros((100, 6)), x)
    plant.sense_rows(0, 100, p, x, signal)
    bits.update(x.tobytes() + signal.tobytes())
assert np.isfinite(x).all()
found = bits.hexdigest()[:16]
print(found)
"""


def test_every_machine_computes_the_same_bits():
    """A rollout of 100 arms × 1000 steps.

    If the physics is as it was, another hash says that this machine rounds otherwise; if it was
    changed on purpose, the hash is to be recorded anew.
    """
    known = {}
    exec(ROLLOUT, known)
    assert known["found"] == RECORDED


def test_a_processor_without_wide_registers_and_fused_instructions_computes_them_too(tmp_path):
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "ARM_ENV_CACHE": str(tmp_path),
    }
    assert (
        subprocess.check_output([sys.executable, "-c", ROLLOUT], env=environment, text=True).strip()
        == RECORDED
    )
