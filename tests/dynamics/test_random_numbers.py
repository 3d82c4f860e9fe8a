"""Normal numbers from counters: the published generator, and what normal numbers are."""

import hashlib

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats

import arm_env  # noqa: F401
from arm_env.dynamics.random_numbers import AT_ONCE, scrambled, standard_normals

KNOWN = {  # the authors' own known answers for philox4x32-10 (Random123)
    ((0, 0), (0, 0, 0, 0)): (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4): (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ((0xA4093822, 0x299F31D0), (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)): (
        0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1,
    ),
}  # fmt: skip
NUMBER = 2_000_000


def normals(key, draw, number=NUMBER):
    out = np.empty(number)
    standard_normals(key, draw, out)
    return out


@pytest.mark.parametrize(("given", "expected"), KNOWN.items())
def test_the_generator_is_the_published_one(given, expected):
    key, counter = given
    assert scrambled(key, counter) == expected


@pytest.mark.parametrize(("key", "draw"), [(0, 0), (1, 0), (2**63 - 1, 2**40)])
def test_moments_and_distribution_are_normal(key, draw):
    x = normals(key, draw)
    assert np.abs(x).max() < 6.7
    for power, moment in enumerate((0, 1, 0, 3, 0, 15), start=1):
        error = x**power - moment
        assert abs(error.mean()) < 4.5 * error.std() / NUMBER**0.5
    assert stats.kstest(x, "norm").pvalue > 1e-4


@pytest.mark.parametrize("limit", [2, 3, 4, 5])
def test_tails_to_five_standard_deviations(limit):
    number = 20_000_000 if limit == 5 else NUMBER
    x = normals(3, 1, number)
    share = stats.norm.sf(limit)
    for tail in (x > limit, x < -limit):
        assert stats.binomtest(int(tail.sum()), number, share).pvalue > 1e-4


def test_numbers_of_one_draw_are_independent():
    x = normals(4, 0)
    for lag in (1, 2, 3, 4, AT_ONCE // 4, AT_ONCE // 2, AT_ONCE, 26, 26 * 64):
        for left, right in ((x, x), (x**2 - 1, x**2 - 1), (np.abs(x), x)):
            correlation = np.corrcoef(left[lag:], right[:-lag])[0, 1]
            assert abs(correlation) < 4.5 / NUMBER**0.5


@pytest.mark.parametrize("other", [(5, 1), (6, 0), (5 + 2**32, 0), (5, 2**32)])
def test_streams_of_other_keys_and_draws_are_independent(other):
    x, y = normals(5, 0), normals(*other)
    for left, right in ((x, y), (x**2, y**2)):
        assert abs(np.corrcoef(left, right)[0, 1]) < 4.5 / NUMBER**0.5


@pytest.mark.parametrize("number", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 1000])
def test_the_beginning_of_a_draw_does_not_depend_on_its_length(number):
    np.testing.assert_array_equal(normals(7, 3, number), normals(7, 3, 2000)[:number])


def test_bits_are_those_of_every_machine():
    digest = hashlib.sha256(normals(11, 13, 10_000).tobytes()).hexdigest()[:16]
    assert digest == "4e03c582046d3253"


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
def test_a_seed_gives_its_noise_again_and_another_seed_another(env_id):
    def observations(seed):
        envs = gym.make_vec(env_id, num_envs=3)
        seen = [envs.reset(seed=seed)[0]]
        seen += [envs.step(np.zeros((3, 6)))[0] for _ in range(3)]
        return np.array(seen)

    np.testing.assert_array_equal(observations(1), observations(1))
    assert (observations(1) != observations(2)).any(-1).all()
    # the arms rest: what differs from step to step is the noise
    lengths = observations(1)[:, :, :6]
    assert len(np.unique(lengths)) == lengths.size


def test_episodes_of_one_environment_have_other_noise_each():
    env = gym.make("ReachArm-v0")
    env.reset(seed=3)
    posture = {"options": {"posture": [0.8, 1.6], "targets": [[0.0, 0.4]]}}
    first, second = (env.reset(**posture)[0] for _ in range(2))
    assert (first[:6] != second[:6]).all()


def test_commands_do_not_depend_on_the_level_of_the_noise():
    def targets(noise):
        env = gym.make("ReachArm-v0", noise=noise)
        env.reset(seed=4)
        return [tuple(env.step(np.zeros(6))[4]["target"]) for _ in range(150)]

    assert targets(0.1) == targets(0.2) and len(set(targets(0.2))) == 2
