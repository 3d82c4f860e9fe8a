"""The receding-horizon controller reaches, draws, and keeps its arms apart.

It remembers no more than it returns.
"""

import gymnasium as gym
import numpy as np
import pytest

from arm_env import Circle, Reach, RecedingHorizon, evaluate
from arm_env.control.mpc import Tuning


def observed(env_id, number, seed, noise=0.0):
    return gym.make_vec(env_id, num_envs=number, noise=noise).reset(seed=seed)[0]


def driven(controller, env_id, steps, number=3, seed=1, noise=0.0):
    """Actions (T, B, 6) and infos of an episode."""
    envs = gym.make_vec(env_id, num_envs=number, noise=noise, schedule=None)
    observation, _ = envs.reset(seed=seed)
    state = None
    start = np.ones(number, dtype=bool)
    actions = []
    infos = []
    for _ in range(steps):
        action, state = controller.predict(observation, state, start)
        observation, _, _, _, info = envs.step(action)
        start = np.zeros(number, dtype=bool)
        actions.append(action)
        infos.append(info)
    return np.array(actions), infos, state


def test_without_noise_it_knows_body_and_command():
    """Its model is the environment: what it expects to sense is what is there."""
    actions, infos, belief = driven(
        RecedingHorizon(Reach(), noise=0.0, horizon=0.1, iterations=1), "ReachArm-v0", 8
    )
    np.testing.assert_allclose(belief.body, infos[-1]["state"], atol=1e-4)
    np.testing.assert_allclose(belief.command, infos[-1]["command"], atol=1e-6)
    assert actions.dtype == np.float32 and actions.min() >= 0 and actions.max() <= 1


def test_it_reaches():
    result = evaluate(RecedingHorizon(Reach(), noise=0.0), movements=6, seed=5, noise=0.0)
    assert result.fraction_within_target >= 5 / 6 and result.median_endpoint_error_m < 0.015


def test_it_runs_along_a_circle():
    env = gym.make_vec("CircleArm-v0", num_envs=2, noise=0.0, schedule=[[0.0, 0.4, 0.08, -0.4]])
    controller = RecedingHorizon(Circle(), noise=0.0)
    state = None
    observation, _ = env.reset(seed=2)
    distances = []
    for _ in range(100):
        action, state = controller.predict(observation, state)
        observation, _, _, _, info = env.step(action)
        distances.append(info["distance"])
    assert np.mean(distances[40:]) < 0.01


def test_a_batch_is_its_rows_and_repeatable():
    observations = [observed("ReachArm-v0", 3, seed, noise=0.2) for seed in (1, 2)]
    batched, alone = (RecedingHorizon(Reach(), tuning=Tuning(patience=0.0)) for _ in range(2))
    state = own = None
    for o in observations:
        action, state = batched.predict(o, state)
        single, own = alone.predict(o[1], own)
        assert single.shape == (6,) and single.max() > 0
        np.testing.assert_array_equal(action[1], single)


def test_rows_that_start_forget_and_the_state_is_left_alone():
    controller = RecedingHorizon(Reach(), tuning=Tuning(patience=0.0))
    first, then = (observed("ReachArm-v0", 3, seed, noise=0.2) for seed in (1, 2))
    _, state = controller.predict(first)
    kept = state.body.copy(), state.plan.copy()
    start = np.array([False, True, False])
    mixed, after = controller.predict(then, state, start)
    fresh = controller.predict(then)[0]
    going_on = controller.predict(then, state)[0]
    np.testing.assert_array_equal(mixed[1], fresh[1])
    np.testing.assert_array_equal(mixed[[0, 2]], going_on[[0, 2]])
    assert after.samples[:, 0].tolist() == [2, 1, 2]
    np.testing.assert_array_equal(state.body, kept[0])
    np.testing.assert_array_equal(state.plan, kept[1])


def test_a_command_is_averaged_until_it_jumps():
    controller = RecedingHorizon(Reach(), horizon=0.02, iterations=1)
    rng = np.random.default_rng(3)
    row = observed("ReachArm-v0", 1, 4)
    state = None
    for target, number in (((0.1, 0.4), 40), ((-0.3, 0.3), 40)):
        for _ in range(number):
            seen = row.copy()
            seen[0, 18:] = np.array(target) * (1 + 0.2 / 2**0.5 * rng.normal(size=2))
            _, state = controller.predict(seen, state)
        np.testing.assert_allclose(state.command[0], target, rtol=0.12)


def test_with_noise_it_waits_until_it_knows_where_it_is():
    controller = RecedingHorizon(Reach(), tuning=Tuning(patience=0.03))
    row = observed("ReachArm-v0", 1, 4)
    state = None
    actions = []
    row[0, 18:] = [0.2, 0.4]
    for _ in range(5):
        action, state = controller.predict(row, state)
        actions.append(action.max())
    assert actions[:3] == [0, 0, 0] and min(actions[3:]) > 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="20 signals"):
        RecedingHorizon(Reach()).predict(np.zeros((2, 22)))
    with pytest.raises(ValueError, match="horizon"):
        RecedingHorizon(Reach(), horizon=0.0)
