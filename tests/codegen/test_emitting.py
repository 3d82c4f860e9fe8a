"""Traced equations as instructions: the numbers of the printed code, in every form."""

import os
import subprocess
import sys
from collections import Counter

import numba
import numpy as np
import pytest
from test_tracing import FUNCTIONS, POINT, run

from arm_env.codegen.emitting import emitted, kernels
from arm_env.codegen.lanes import LANES
from arm_env.codegen.tracing import SYMBOLIC, flatten, load

X = load("x", (3,))
OUTPUTS = flatten([function(SYMBOLIC, X) for function in FUNCTIONS.values()])
KERNELS = kernels(emitted("f", ["x"], {"out": OUTPUTS}))


def test_every_operation_computes_what_its_printed_code_does():
    out = np.empty(len(OUTPUTS))
    KERNELS.f(POINT, out)
    np.testing.assert_allclose(out, run(OUTPUTS, x=POINT), rtol=1e-14)


@pytest.mark.parametrize("number", [1, LANES, LANES + 3])
def test_every_form_has_the_same_bits(number):
    x = POINT * np.random.default_rng(0).uniform(0.5, 1.5, (number, 3))
    alone = np.empty((number, len(OUTPUTS)))
    for row, out in zip(x, alone, strict=True):
        KERNELS.f(row, out)
    rows = np.full_like(alone, np.nan)
    KERNELS.f_rows(0, number, x, rows)
    np.testing.assert_array_equal(rows, alone)
    if number == LANES:
        lanes = np.empty(LANES * len(OUTPUTS))
        KERNELS.f_lanes(x.T.ravel(), lanes)
        np.testing.assert_array_equal(lanes.reshape(-1, LANES).T, alone)


def test_arrays_in_another_order_of_memory_are_refused():
    with pytest.raises(numba.TypingError, match="row after row"):
        KERNELS.f_rows(0, 2, np.ones((3, 2)).T, np.empty((2, len(OUTPUTS))))


COLD = """
import gymnasium as gym, arm_env
env = gym.make("ReachArm-v0")
env.reset(seed=0)
for _ in range(120):  # beyond a jump
    env.step(env.action_space.sample())
"""


def test_a_single_environment_compiles_what_it_needs_once(tmp_path):
    environment = {**os.environ, "ARM_ENV_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", COLD], env=environment, check=True)
    compiled = Counter(path.name.split(".")[1].split("-")[0] for path in tmp_path.rglob("*.nbc"))
    needed = [
        *("advance", "noise_of"),
        *("observe", "hold_to_action_space"),
        *("step", "sense", "excite", "cost"),
    ]
    assert compiled == dict.fromkeys(needed, 1)
