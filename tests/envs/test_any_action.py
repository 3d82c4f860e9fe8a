"""Whatever the actions, every state stays finite and within the bounds of observations."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arm_env.dynamics.layout import MUSCLE_COUNT
from arm_env.dynamics.parameters import Arm
from arm_env.dynamics.plant import SPEED_BOUND, STOP_BOUND, control_steps

# A search for the worst (random bang-bang, alternating groups at all periods, greedy choices, an
# evolution of actions and posture) got this far at a maximum excitation of 4, in rad and rad/s; at
# 1 and 2 it got to 0.221 and 45.4, 0.251 and 54.3. The bounds leave room above the worst.
FURTHEST_FOUND, FASTEST_FOUND = 0.284, 63.3
# 10 s
SUBSTEP = 0.005
SUBSTEPS = 2
PERIODS = 1000
COMBINATIONS = np.array(
    [[bits >> muscle & 1 for muscle in range(MUSCLE_COUNT)] for bits in range(64)], dtype=float
)
CEILINGS = (1.0, 2.0, 4.0)


def outside(arm, x):
    """How far the furthest joint is beyond its stop [rad], (B,)."""
    return np.maximum(np.array(arm.lower_stop) - x[:, :2], x[:, :2] - arm.upper_stop).max(-1)


def extremes(arm, posture, u):
    """Largest angle beyond the stops, and largest speed, under actions u, (T, B, 6).

    The arms start from rest at angles (B, 2).
    """
    x = np.zeros((u.shape[1], 10))
    still = np.zeros(u.shape[1:])
    p = arm.flat()
    x[:, :2] = posture
    furthest = fastest = 0.0
    for action in u:
        control_steps(p, SUBSTEP, SUBSTEPS, action, still, x)
        assert np.isfinite(x).all()
        furthest = max(furthest, outside(arm, x).max())
        fastest = max(fastest, np.abs(x[:, 2:4]).max())
    assert (x[:, 4:] >= 0).all() and (x[:, 4:] <= arm.max_excitation * (1 + 1e-12)).all()
    return furthest, fastest


def assert_bounded(arm, posture, u):
    furthest, fastest = extremes(arm, posture, u)
    assert furthest < STOP_BOUND and fastest < SPEED_BOUND


fractions = st.floats(0, 1)
postures = st.tuples(fractions, fractions).map(
    lambda share: (
        np.array(Arm().lower_stop)
        + np.array(share) * np.subtract(Arm().upper_stop, Arm().lower_stop)
    )
)
actions = st.one_of(
    st.sampled_from(COMBINATIONS.tolist()),
    st.lists(fractions, min_size=MUSCLE_COUNT, max_size=MUSCLE_COUNT),
)
blocks = st.lists(st.tuples(actions, st.integers(1, 200)), min_size=1, max_size=30)
arms = st.sampled_from(CEILINGS).map(
    lambda max_excitation: replace(Arm(), max_excitation=max_excitation)
)


def held(sequence, arm):
    """Blocks of (action, periods), over and over for 10 s, (T, 1, 6)."""
    u = np.concatenate([np.tile(action, (periods, 1)) for action, periods in sequence])
    return arm.max_excitation * np.resize(u, (PERIODS, 1, MUSCLE_COUNT))


@settings(deadline=None, max_examples=100)
@given(arms, postures, blocks)
def test_any_piecewise_constant_action(arm, posture, sequence):
    assert_bounded(arm, posture, held(sequence, arm))


@settings(deadline=None, max_examples=50)
@given(arms, postures, st.lists(st.sampled_from(COMBINATIONS.tolist()), min_size=2, max_size=20))
def test_any_switching_between_extremes_every_control_period(arm, posture, cycle):
    assert_bounded(arm, posture, held([(action, 1) for action in cycle], arm))


@pytest.mark.parametrize("max_excitation", CEILINGS)
def test_every_constant_extreme_from_every_corner(max_excitation):
    arm = replace(Arm(), max_excitation=max_excitation)
    corners = np.array([*itertools.product(*zip(arm.lower_stop, arm.upper_stop, strict=True))])
    u = np.repeat(max_excitation * COMBINATIONS, len(corners), axis=0)
    assert_bounded(arm, np.tile(corners, (64, 1)), np.broadcast_to(u, (PERIODS, *u.shape)).copy())


@pytest.mark.parametrize(
    ("goal", "least"), [("speed", (0, 50)), ("stops", (0.2, 0))], ids=["speed", "stops"]
)
def test_a_greedy_adversary(goal, least):
    """Every 10 … 160 ms it takes, of all 64 extremes, the one that gets it furthest.

    It gets that far at least.
    """
    arm, rng = replace(Arm(), max_excitation=CEILINGS[-1]), np.random.default_rng(1)
    options = arm.max_excitation * COMBINATIONS
    still = np.zeros((64, MUSCLE_COUNT))
    p = arm.flat()
    furthest = fastest = 0.0
    for periods in (1, 2, 4, 8, 16):
        x = np.zeros((1, 10))
        x[:, :2] = rng.uniform(arm.lower_stop, arm.upper_stop)
        for _ in range(PERIODS // periods):
            ends = np.repeat(x, 64, 0)
            for _ in range(periods):
                control_steps(p, SUBSTEP, SUBSTEPS, options, still, ends)
            speed = np.abs(ends[:, 2:4]).max(-1)
            depth = outside(arm, ends)
            furthest = max(furthest, depth.max())
            fastest = max(fastest, speed.max())
            x = ends[[np.argmax(speed if goal == "speed" else depth)]]
    assert least[0] < furthest < STOP_BOUND and least[1] < fastest < SPEED_BOUND


def test_the_bounds_leave_room_above_the_worst_found():
    assert 1.2 * FURTHEST_FOUND < STOP_BOUND and 1.2 * FASTEST_FOUND < SPEED_BOUND
