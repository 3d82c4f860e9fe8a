"""The vector environment on a GPU, which numba.cuda simulates (see ``tests/conftest.py``)."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from numba import cuda, float64

import arm_env
from arm_env.cuda.functions import normal
from arm_env.dynamics.random_numbers import standard_normals

ARGUMENTS = [
    ("ReachArm-v0", {}),
    ("CircleArm-v0", {"noise": 0.0}),
    ("ReachArm-v0", {"perturbation": {"delay": 0.03, "curl": 13.0}, "control_period": 0.005}),
    ("ReachArm-v0", {"perturbation": {"push": {"force": 5.0, "duration": 2.0}}}),
]


def made(env_id, device, **arguments):
    return gym.make_vec(env_id, num_envs=3, device=device, max_episode_steps=2, **arguments)


def steps(envs, number=4):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(number):
        observations, rewards, _, _, info = envs.step(rng.random((3, 6)))
        found += [observations, rewards, info["hand"], envs.unwrapped.simulation.state.copy()]
    return found


def close(some, others):
    for a, b in zip(some, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6 if a.dtype == np.float32 else 1e-9, atol=1e-9)


@pytest.mark.parametrize(("env_id", "arguments"), ARGUMENTS)
def test_a_gpu_steps_as_the_processor_does(env_id, arguments):
    both = [made(env_id, device, **arguments) for device in ("cpu", "cuda")]
    first = [envs.reset(seed=5)[0] for envs in both]
    close(first[:1], first[1:])
    close(*map(steps, both))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_goes_on_by_itself(copied):
    envs = made("ReachArm-v0", "cuda").unwrapped
    envs.reset(seed=0)
    other = copied(envs)
    ours = steps(envs, 2)
    for a, b in zip(ours, steps(other, 2), strict=True):
        assert np.array_equal(a, b)


def test_noise_on_a_gpu_is_that_of_the_processor():
    @cuda.jit
    def draw(out):
        i = cuda.grid(1)
        if i < out.shape[0]:
            out[i] = normal(7, 2**40 + 3, i)

    found, expected = np.zeros(150), np.zeros(150)
    draw[1, 150](found)
    standard_normals(7, 2**40 + 3, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_exponentials_are_limited_as_on_the_processor():
    from arm_env.codegen.elementary import exp
    from arm_env.cuda.functions import LIBRARY

    called = LIBRARY["exp"]

    @cuda.jit
    def fill(x):
        at = cuda.local.array(1, float64)
        at[0] = x[cuda.grid(1)]
        x[cuda.grid(1)] = called(at[0])

    x = np.array([-1e4, -1.0, 0.0, 700.0, 1e4])
    expected = [exp(value) for value in x]
    fill[1, len(x)](x)
    np.testing.assert_allclose(x, expected, rtol=1e-12)


def test_without_a_gpu_the_error_says_what_is_needed(monkeypatch):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"needs an NVIDIA GPU with its driver.*cuda"):
        gym.make_vec("ReachArm-v0", num_envs=2, device="cuda")
    with pytest.raises(ValueError, match="unknown device 'gpu': choose one of cpu, cuda"):
        gym.make_vec("ReachArm-v0", num_envs=2, device="gpu")
    assert arm_env.evaluate(arm_env.Still(), movements=2).number_of_movements == 2
