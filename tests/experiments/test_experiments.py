"""The field's experiments with small numbers: shapes, signs, seeds, and refusals."""

import numpy as np
import pytest

import arm_env
from rnn_controller import load, load_checkpoint
from rnn_controller.experiments import adapt, centre_out, following, pushing, reaches
from rnn_controller.experiments.adaptation import adaptation_index

SMALL = {"batch_size": 16, "directions": 4, "progress": False}
QUIET = {"progress": False}


@pytest.fixture(scope="module")
def adapted():
    """Two blocks before, ten in and five after a curl field; a few seconds."""
    return adapt("reach", baseline=2, field=10, after=5, **SMALL)


# --- reaches and centre-out -----------------------------------------------------------------------


def test_centre_out_has_paths_and_neurons_of_every_direction_and_repeat():
    found = centre_out("reach", directions=4, repeats=2, noise=0.1, move=0.6)
    neurons = load_checkpoint("reach").network.config.neurons
    assert found.hand.shape == (4, 2, 61, 2) and found.speed.shape == (4, 2, 61)
    assert found.rates.shape == (4, 61, neurons)
    assert sorted(found.order) == list(range(neurons))
    assert found.pca.shape == found.jpca.shape == (4, 61, 2)
    assert found.explained.sum() == pytest.approx(1) and (np.diff(found.explained) <= 0).all()
    assert 0 <= found.rotation_r2 <= 1 and found.frequency > 0
    assert not np.array_equal(found.hand[:, 0], found.hand[:, 1])  # each has noise of its own


def test_neurons_are_in_the_order_of_their_largest_activity():
    found = centre_out("reach", directions=4)
    peaks = found.rates.mean(0).argmax(0)
    assert (np.diff(peaks[found.order]) >= 0).all()


def test_reaches_go_to_their_targets_from_the_centre():
    found = reaches("reach", directions=6, distance=0.12)
    assert np.linalg.norm(found.hand[:, 0, 0] - found.centre, axis=-1).max() < 0.02
    assert np.linalg.norm(found.hand[:, 0, -1] - found.targets, axis=-1).max() < 0.02
    np.testing.assert_allclose(found.directions, np.pi / 3 * np.arange(6), atol=1e-12)
    assert 0.3 < found.speed.max() < 1.5 and not found.hand_force.any()


def test_a_curl_field_bends_all_reaches_to_the_right_and_its_opposite_to_the_left():
    """In the first 0.12 s, from where the hand would be; later the network overcorrects."""
    free, right, left = (
        reaches("reach", directions=4, move=0.12, perturbation={"curl": curl}).lateral[..., -1]
        for curl in (0, 15, -15)
    )
    assert (right < free - 0.005).all() and (left > free + 0.005).all()


def test_any_controller_reaches_but_centre_out_needs_neurons():
    still = lambda observation: np.full((len(observation), 6), 0.1)  # noqa: E731
    found = reaches(still, directions=4)
    assert found.activity.shape == (4, 1, 101, 0) and found.hand.shape == (4, 1, 101, 2)
    with pytest.raises(ValueError, match="activity of neurons"):
        centre_out(still, directions=4)


def test_the_same_seed_gives_the_same_reaches():
    first, again, other = (
        reaches("reach", directions=2, noise=0.2, seed=seed).hand for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# --- adaptation -----------------------------------------------------------------------------------


def test_a_field_makes_an_error_that_practice_reduces(adapted):
    deviation = adapted.deviation.mean(1)
    baseline, field = adapted.of("baseline"), adapted.of("field")
    assert deviation[field[0]] > 0.01 > 0.005 > abs(deviation[baseline[-1]])
    assert deviation[field[-1]] < 0.7 * deviation[field[0]]


def test_the_after_effect_has_the_opposite_sign(adapted):
    deviation = adapted.deviation.mean(1)
    field, after = adapted.of("field"), adapted.of("after")
    assert deviation[after[0]] < -0.005
    assert abs(deviation[after[-1]]) < abs(deviation[after[0]])  # it is washed out
    # catch trials in the field phase show it too, and more and more
    assert adapted.catch[field[-1]].mean() < -0.005 < adapted.catch[field[0]].mean()


def test_arrays_have_a_row_for_each_block(adapted):
    assert list(adapted.phase) == 2 * ["baseline"] + 10 * ["field"] + 5 * ["after"]
    assert adapted.deviation.shape == adapted.catch.shape == (17, 4)
    instants = len(adapted.time)
    assert adapted.hand.shape == (17, 4, instants, 2)
    assert adapted.force.shape == adapted.ideal.shape == (17, 4, instants)
    assert adapted.index.shape == adapted.objective.shape == (17,)
    assert np.isfinite(adapted.index).all() and np.isfinite(adapted.objective).all()
    assert adapted.ideal.mean() > 0  # against a push, which is positive


def test_the_given_controller_stays_as_it_is_and_the_seed_decides():
    checkpoint = load_checkpoint("reach")
    before = [weight.clone() for weight in checkpoint.network.parameters()]
    runs = [
        adapt(checkpoint, baseline=1, field=2, after=0, seed=seed, **SMALL) for seed in (3, 3, 4)
    ]
    assert all((a == b).all() for a, b in zip(before, checkpoint.network.parameters(), strict=True))
    for name in ("deviation", "catch", "hand", "force", "index", "objective"):
        np.testing.assert_array_equal(getattr(runs[0], name), getattr(runs[1], name))
    assert (runs[0].objective != runs[2].objective).all()
    after = runs[0].checkpoint.network.parameters()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_blocks_without_a_learning_rate_are_all_alike():
    found = adapt("reach", baseline=1, field=3, after=0, learning_rate=0.0, **SMALL)
    np.testing.assert_array_equal(found.deviation[1], found.deviation[3])
    np.testing.assert_allclose(found.index, 0, atol=1e-12)


def test_the_adaptation_index_is_the_median_of_the_directions_slopes():
    time = np.linspace(0, 0.6, 61)
    ideal = np.ones((3, 5, 61)) * np.sin(np.pi * time / 0.6)
    before = 2.0 + 0 * ideal  # an unadapted hand presses on the wall
    force = before + np.array([0.0, 0.5, 1.0])[:, None, None] * ideal
    force[1:, 0] = before[1:, 0] - 3 * ideal[1:, 0]  # one direction the other way
    force[..., time > 0.3] = 99.0  # later forces do not count
    np.testing.assert_allclose(adaptation_index(force, ideal, time, 1), [0, 0.5, 1], atol=1e-12)


def test_ctrl_c_keeps_the_blocks_so_far(monkeypatch, capsys):
    from rnn_controller.experiments import adaptation

    block = adaptation.Practice.block

    def interrupted(self, condition, index):
        if index == 3:
            raise KeyboardInterrupt
        return block(self, condition, index)

    monkeypatch.setattr(adaptation.Practice, "block", interrupted)
    found = adapt("reach", baseline=1, field=5, after=0, **SMALL)
    assert list(found.phase) == ["baseline", "field", "field"]
    assert "3 of 6 blocks" in capsys.readouterr().err


# --- pushes ---------------------------------------------------------------------------------------


def test_a_push_displaces_the_hand_which_returns():
    found = pushing("reach", directions=4, force=5.0, seconds=1.5, **QUIET)
    assert found.hand.shape == found.unpushed.shape == (4, 1, len(found.time), 2)
    directions = np.stack([np.cos(found.directions), np.sin(found.directions)], -1)
    soon = found.displacement[:, 0, np.searchsorted(found.time, 0.08)]
    assert ((soon * directions).sum(-1) > 0.7 * np.linalg.norm(soon, axis=-1)).all()
    assert not found.displacement[..., found.time < 0, :].any()
    assert (found.peak > 0.01).all() and (found.return_time > 0.1).all()
    assert (found.distance[..., -1] < 0.01).all() and np.isfinite(found.return_time).all()


def test_a_larger_push_displaces_the_hand_more_and_none_not_at_all():
    peaks = [pushing("reach", directions=2, force=f, seconds=0.5, **QUIET).peak for f in (0, 2, 5)]
    assert not peaks[0].any() and (peaks[0] < peaks[1]).all() and (peaks[1] < peaks[2]).all()


def test_a_push_during_a_movement_is_compared_with_that_movement():
    found = pushing("reach", during="movement", directions=2, seconds=0.8, **QUIET)
    np.testing.assert_allclose(found.target, [0, 0.48], atol=1e-12)
    np.testing.assert_array_equal(found.unpushed[0], found.unpushed[1])
    assert np.linalg.norm(found.unpushed[0, 0, -1] - found.target) < 0.02
    assert found.displacement[0, 0, :, 0].max() > 0.01  # the first push is to the right


# --- following ------------------------------------------------------------------------------------


def test_a_slow_target_is_followed_with_gain_one_and_a_short_lag():
    found = following("follow", bands=(0.25,), arms=4, **QUIET)
    np.testing.assert_allclose(found.frequencies, [[0.0625, 0.125, 0.1875, 0.25]])
    np.testing.assert_allclose(found.gain, 1, atol=0.1)
    assert np.abs(found.lag).max() < 0.1 and found.error[0] < 0.01
    assert found.hand[0].shape == found.target[0].shape == (*found.time[0].shape, 4, 2)


def test_a_controller_that_sees_no_velocity_lags():
    told = following("follow", bands=(1.0,), arms=4, **QUIET)
    untold = following("reach", bands=(1.0,), arms=4, env_id="ReachArm-v0", **QUIET)
    assert (untold.lag > 0.1).all() and (untold.lag > told.lag + 0.1).all()
    assert (untold.gain < told.gain).all() and untold.error[0] > told.error[0]


def test_a_push_is_added_to_a_perturbation_in_any_form():
    curled = {"directions": 1, "seconds": 0.3, **QUIET}
    first, second, free = (
        pushing("reach", perturbation=given, **curled)
        for given in ({"load": 2.0}, arm_env.Perturbation(load=2.0), None)
    )
    np.testing.assert_array_equal(first.hand, second.hand)
    assert first.peak[0, 0] < free.peak[0, 0]


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: centre_out("reach", directions=0), "directions"),
        (lambda: centre_out("reach", distance=-0.1), "distance"),
        (lambda: centre_out("reach", distance=1.5), "reach"),
        (lambda: centre_out("reach", perturbation={"curls": 3}), "perturbation"),
        (lambda: centre_out("circle"), "made for the commands of circle"),
        (lambda: centre_out("reach", centre=5), r"centre must be finite numbers, shape \(2,\)"),
        (lambda: centre_out("reach", seed=-1), "seed"),
        (lambda: reaches("reach", targets=5), r"targets must be finite numbers, shape \(1, 2\)"),
        (lambda: reaches("reach", targets=[0, 0.4]), "targets must be finite numbers"),
        (lambda: reaches("reach", targets=[]), "targets must be finite numbers"),
        (lambda: reaches("reach", schedule=[(0, 0.4)]), "itself sets schedule"),
        (lambda: following("circle", arms=2, **QUIET), "made for the commands of circle"),
        (lambda: following("follow", max_episode_steps=9), "itself sets max_episode_steps"),
        (lambda: adapt(load("reach")), "training needs a checkpoint"),
        (lambda: adapt(arm_env.JointPD()), "training needs a checkpoint"),
        (lambda: adapt("reach", centre="x"), "centre must be finite numbers"),
        (lambda: adapt("reach", distance=0), "distance must be a number above 0"),
        (lambda: pushing("reach", perturbation={"push": {}}), "the experiment itself pushes"),
        (lambda: adapt("reach", {}), "needs a force field"),
        (lambda: adapt("circle"), "a controller for reach, not for circle"),
        (lambda: adapt("reach", {"curl": 13, "push": {}}), "no push, channel or delay"),
        (lambda: adapt("reach", baseline=0), "baseline"),
        (lambda: adapt("reach", batch_size=0), "batch_size"),
        (lambda: adapt("reach", learning_rate=-1), "learning_rate"),
        (lambda: pushing("reach", during="sleep"), "during.*hold.*movement"),
        (lambda: pushing("reach", force=-1), "force.*from 0 to 200"),
        (lambda: pushing("reach", seconds=0), "seconds"),
        (lambda: following("follow", bands=()), "bands must be band limits"),
        (lambda: following("follow", bands=(-1,)), "band"),
        (lambda: following("follow", arms=0), "arms"),
    ],
)
def test_wrong_values_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
