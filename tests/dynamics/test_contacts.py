"""Fields as matrices, pushes and channels: closed forms, clocks of their own, refusals."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from arm_env import SADDLE, Arm, Channel, JointPD, Perturbation, Push, Recording, record
from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics import equations
from arm_env.dynamics.body import ARM as ARM_BODY
from arm_env.envs.settings import Settings
from arm_env.tasks.reach import Reach
from rnn_controller import load_checkpoint

ARM = replace(Arm(), friction=(0.0, 0.0, 0.0))
CURL = 13.0
CENTRE, AHEAD = np.array([0.0, 0.38]), np.array([0.0, 0.48])  # [m]
PERIOD = 0.01  # [s]
WALL = 0.003  # [m] from its line; a hand without walls leaves it by 0.05 in a strong field


def moving_states(number=40):
    """Random postures within the stops that move, with slack muscles."""
    rng = np.random.default_rng(3)
    low, high = np.add(ARM.lower_stop, 0.2), np.subtract(ARM.upper_stop, 0.2)
    angles = rng.uniform(low, high, (number, 2))
    return np.concatenate([angles, rng.uniform(-3, 3, (number, 2)), np.zeros((number, 6))], -1)


def environments(number=2, env_id="ReachArm-v0", **arguments):
    given = {"noise": 0.0, "schedule": [CENTRE, AHEAD], "max_episode_steps": -1, **arguments}
    return gym.make_vec(env_id, num_envs=number, **given)


def recorded(number=1, steps=160, controller=None, seed=1, **arguments):
    """Reaches ahead, in which the target jumps after 1 s."""
    return record(controller or JointPD(), environments(number, **arguments), steps, seed)


@pytest.fixture(scope="module")
def free():
    return recorded()


# --- fields ---------------------------------------------------------------------------------------


def test_curl_is_the_matrix_with_plus_curl_above_and_minus_curl_below(free):
    curl = recorded(perturbation={"curl": CURL})
    matrix = recorded(perturbation={"field": ((0.0, CURL), (-CURL, 0.0))})
    np.testing.assert_allclose(curl.states, matrix.states, rtol=0, atol=1e-12)
    assert np.abs(curl.hand - free.hand).max() > 0.01


def test_curl_and_field_add_up():
    half = ((0.0, CURL / 2), (-CURL / 2, 0.0))
    both = recorded(perturbation={"curl": CURL / 2, "field": half}, steps=130)
    curl = recorded(perturbation={"curl": CURL}, steps=130)
    np.testing.assert_allclose(both.states, curl.states, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "field",
    [SADDLE, ((0.0, CURL), (-CURL, 0.0)), ((-5.0, 0.0), (0.0, 0.0))],
    ids=["saddle", "curl", "along x"],
)
def test_the_power_of_a_field_is_that_of_its_force_on_the_hand(field):
    """ω · M Δω / h is v · B v, which is 0 for a curl."""
    x, h = moving_states(), 1e-6

    def momentum(arm):
        after = equations.step(NUMPY, arm.arrays(), x, np.zeros(6), h)
        m11, m12, m22 = equations.mass_matrix(NUMPY, arm.arrays(), x[:, :2])
        w1, w2 = (after - x)[:, 2:4].T / h
        return np.stack([m11 * w1 + m12 * w2, m12 * w1 + m22 * w2], -1)

    pushed = momentum(Perturbation(field=field).applied_to(ARM)) - momentum(ARM)
    _, _, *velocity = equations.hand(NUMPY, ARM.arrays(), x)
    v = np.stack(velocity, -1)
    expected = (v * (v @ np.array(field).T)).sum(-1)
    size = 13.0 * (v * v).sum(-1)  # of the force times the speed
    assert np.abs((x[:, 2:4] * pushed).sum(-1) - expected).max() < 1e-3 * size.max()
    assert np.abs(pushed).max() > 1


def test_an_arm_with_a_curl_of_its_own_has_no_other_field():
    arm = Arm(curl=CURL)
    assert arm.field == ((0.0, 0.0), (0.0, 0.0))
    given = recorded(arm=arm, steps=130)
    perturbed = recorded(perturbation={"curl": CURL}, steps=130)
    np.testing.assert_array_equal(given.states, perturbed.states)


def test_a_checkpoint_that_knows_only_curl_is_loaded(tmp_path):
    """The arm is written as JSON in the header of the file."""
    stored = Path(__file__).parents[2] / "rnn_controller" / "trained" / "reach.safetensors"
    path = Path(shutil.copy(stored, tmp_path / "earlier.safetensors"))
    text = path.read_bytes()
    size = int.from_bytes(text[:8], "little")
    header = json.loads(text[8 : 8 + size])
    arm = json.loads(header["__metadata__"]["arm"])
    arm.pop("field", None)
    header["__metadata__"]["arm"] = json.dumps({**arm, "curl": CURL})
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + text[8 + size :])
    found = load_checkpoint(path).arm
    assert found.curl == CURL and found.field == Arm().field


# --- pushes ---------------------------------------------------------------------------------------


def test_a_push_of_no_force_changes_no_bit(free):
    pushed = recorded(perturbation={"push": {"force": 0.0, "start": 0.2}})
    np.testing.assert_array_equal(pushed.states, free.states)
    assert not pushed.hand_force.any()
    assert free.hand_force is None


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2, -2.5])
def test_a_push_moves_the_hand_in_its_direction(angle, free):
    """At first: later the joints' inertia and the controller turn the hand."""
    push = Push(force=5.0, direction=angle, start=0.3, duration=0.1)
    moved = (recorded(perturbation={"push": push}, steps=60).hand - free.hand[:61])[:, 0]
    direction = np.array([np.cos(angle), np.sin(angle)])
    assert not moved[:31].any()
    assert moved[38] @ direction > 0.7 * np.linalg.norm(moved[38]) > 1e-3


def test_a_push_is_the_force_times_the_time_that_it_lasts():
    push = Push(force=4.0, start=0.085, duration=0.02)
    forces = push.forces(np.arange(12), PERIOD)
    np.testing.assert_allclose(forces[:, 0], [*8 * [0], 2, 4, 2, 0], atol=1e-7)
    assert not forces[:, 1].any()
    late = Push(force=4.0, direction=np.pi / 2, start=0.3, duration=0.1).forces(
        np.arange(60), PERIOD
    )
    assert (late[:, 1] > 0).sum() == 10 and late[:, 1].max() == 4


def test_each_arm_is_pushed_at_its_own_time_after_its_own_reset():
    push = Push(force=3.0, start=0.08, duration=0.02)
    envs = environments(3, perturbation={"push": push})
    envs.reset(seed=1)
    seen, since = [], np.zeros(3, dtype=int)
    for step in range(24):
        if step in (5, 9):
            mask = np.arange(3) == (1 if step == 5 else 2)
            envs.reset(seed=2, options={"reset_mask": mask})
            since[mask] = 0
        _, _, _, _, infos = envs.step(np.zeros(envs.action_space.shape, np.float32))
        seen.append(infos["hand_force"])
        np.testing.assert_array_equal(
            seen[-1], np.outer(np.isin(since, (8, 9)), [3.0, 0.0]), str(step)
        )
        since += 1
    assert [np.flatnonzero(arm).tolist() for arm in np.array(seen)[..., 0].T] == [
        [8, 9], [13, 14], [8, 17, 18],  # the third arm's first push is cut off
    ]  # fmt: skip


def test_the_next_episode_has_the_push_again():
    envs = environments(2, perturbation={"push": {"force": 3.0, "start": 0.02, "duration": 0.01}},
                        max_episode_steps=5)  # fmt: skip
    envs.reset(seed=1)
    forces = [
        envs.step(np.zeros(envs.action_space.shape, np.float32))[4]["hand_force"][0, 0]
        for _ in range(12)
    ]
    assert sum(force == 3 for force in forces) == 2


# --- channels -------------------------------------------------------------------------------------


def test_a_channel_holds_the_hand_near_the_line(free):
    strong = {"curl": 20.0}
    held = recorded(perturbation={**strong, "channel": {}})
    loose = recorded(perturbation=strong)
    off = [abs(found.hand[100:, 0, 0] - found.hand[100, 0, 0]) for found in (held, loose)]
    assert off[0].max() < WALL < 5 * WALL < off[1].max()
    assert np.abs(held.hand_force[101:]).max() > 1 and not held.hand_force[:101].any()
    # it gets to the target all the same
    assert held.hand[-1, 0, 1] == pytest.approx(free.hand[-1, 0, 1], abs=0.02)


def test_a_channel_pushes_across_the_line_only():
    diagonal = CENTRE + 0.07
    held = recorded(perturbation={"curl": 30.0, "channel": {}}, schedule=[CENTRE, diagonal])
    line = diagonal - held.hand[100, 0]
    along = held.hand_force[101:, 0] @ (line / np.linalg.norm(line))
    assert np.abs(along).max() < 1e-9 < 1 < np.abs(held.hand_force).max()


def test_the_arm_in_a_channel_stays_finite_under_random_actions():
    hardest = Perturbation(
        channel=Channel(20_000, 1000), push=Push(200, 0.3, 0.2, 5), curl=200, mass=0.5, strength=2
    )
    envs = environments(16, perturbation=hardest, schedule=None, noise=0.2)
    envs.reset(seed=3)
    rng = np.random.default_rng(4)
    for _ in range(500):
        actions = rng.integers(0, 2, envs.action_space.shape).astype(np.float32)
        observations, rewards, *_, infos = envs.step(actions)
        assert np.isfinite(observations).all() and np.isfinite(rewards).all()
        assert np.isfinite(infos["hand_force"]).all()
    assert np.abs(infos["state"][:, :2]).max() < 10


def test_hand_and_target_at_one_place_have_no_wall_between_them():
    walls = Channel().walls(np.array([CENTRE, CENTRE]), np.array([CENTRE + 1e-4, AHEAD]))
    assert not walls[0].any()
    np.testing.assert_allclose(walls[1], [-1, 0, 0, 4000, 60], atol=1e-12)


# --- recordings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["npz", "nc"])
def test_a_file_keeps_the_force_on_the_hand(tmp_path, suffix):
    found = recorded(2, 8, perturbation={"push": {"force": 3.0, "start": 0.02}})
    again = Recording.load(found.save(tmp_path / f"push.{suffix}"))
    np.testing.assert_array_equal(again.hand_force, found.hand_force)
    assert found.hand_force.shape == (9, 2, 2) and found.hand_force.any()
    assert again.to_dataframe().attrs["units"]["hand_force_x_N"] == "N"


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"field": 13.0}, "field"),
        ({"field": ((0, 1, 2), (0, 1, 2))}, "field"),
        ({"field": ((0, np.nan), (0, 0))}, "field.*from -200 to 200"),
        ({"field": ((0, 300), (-300, 0))}, "field.*from -200 to 200"),
        ({"field": ((20, 0), (0, 0))}, "at most 16 N s/m"),
        ({"push": {"force": -1}}, "force.*from 0 to 200"),
        ({"push": {"duration": -0.1}}, "duration"),
        ({"push": {"strength": 3}}, "push"),
        ({"push": 3}, "push"),
        ({"channel": {"stiffness": 1e6}}, "stiffness.*from 0 to 20000"),
        ({"channel": True}, "channel"),
    ],
)
def test_wrong_values_are_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        Perturbation(**wrong)


def test_a_channel_needs_a_target_that_stands_still():
    for env_id in ("CircleArm-v0", "FollowArm-v0"):
        with pytest.raises(ValueError, match="a channel leads to a target that stands still"):
            gym.make(env_id, perturbation={"channel": {}})
    gym.make("CircleArm-v0", perturbation={"push": {"force": 1.0}}).close()


def test_a_body_that_takes_no_contact_refuses_both():
    class Untouched(Reach):
        body = replace(ARM_BODY, touchable=False)

    for perturbation in ({"push": {"force": 1.0}}, {"channel": {}}):
        with pytest.raises(ValueError, match="needs touchable=True"):
            Settings.of(Untouched(), perturbation=perturbation)
