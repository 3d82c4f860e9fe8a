"""The yardstick: whole and resumed it is the same, and its controls earn in the environment what it says."""

from dataclasses import fields, replace

import gymnasium as gym
import numpy as np
import pytest

from arm_env import JointPD, Reach, Still, record
from benchmarks import optimum as search
from benchmarks import yardstick
from benchmarks.optimum import Args, main
from benchmarks.yardstick import HOLDS, Optimum, from_own_state, load_optimum, optimality_ratios, stored_optimum
from rnn_controller import load


class Replay:
    """Issues the same controls (B, T, 6) whatever it sees."""

    def __init__(self, controls):
        self.controls = controls

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        t = state or 0
        return self.controls[:, t], t + 1


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Two movements, solved with fewer iterations than the real ones."""
    path, patch = tmp_path_factory.mktemp("optimum") / "o.npz", pytest.MonkeyPatch()
    full, few = search.solve, {"iterations": 15, "exact_iterations": 2}
    for module in (search, yardstick):
        patch.setattr(module, "solve", lambda *given, **k: full(*given, **{**few, **k}))
    args = Args("reach", movements=2, seed=3, output=path, batch=1)
    with pytest.MonkeyPatch.context() as interruption:
        saved = search.save

        def stop_after(target, optimum):
            saved(target, optimum)
            raise KeyboardInterrupt

        interruption.setattr(search, "save", stop_after)
        with pytest.raises(KeyboardInterrupt):
            main(args)
    partial = load_optimum(path)
    resumed = main(args)
    whole = main(replace(args, output=path.with_name("whole.npz"), batch=2))
    yield path, partial, resumed, whole
    patch.undo()


def test_resumed_is_uninterrupted(found):
    path, partial, resumed, whole = found
    assert len(partial.start) == 1 and len(resumed.start) == 2
    for name in (f.name for f in fields(Optimum)):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(load_optimum(path), name), getattr(whole, name))


def test_its_controls_earn_its_value(found):
    whole = found[3]
    np.testing.assert_allclose(optimality_ratios(Replay(whole.controls), "ReachArm-v0", whole), 1, rtol=1e-9)


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
def test_the_stored_ones_are_those_of_the_arm_as_it_is(env_id):
    stored = stored_optimum(env_id)
    assert len(stored.start) == stored.movements
    np.testing.assert_allclose(optimality_ratios(Replay(stored.controls), env_id, stored), 1, rtol=1e-9)


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
def test_the_shipped_network_is_never_below_the_stored_ones(env_id):
    stored = stored_optimum(env_id)
    assert optimality_ratios(load(stored.task), env_id, stored).min() > 1
    np.testing.assert_allclose(stored.wholes.min(1), stored.value, rtol=1e-12)


def test_controllers_are_measured_on_the_same_episodes(found):
    whole = found[3]
    envs = gym.make_vec("ReachArm-v0", num_envs=2, noise=0.0, max_episode_steps=1000)
    recording = record(JointPD(), envs, 200, seed=3)
    expected = -recording.rewards.sum(0) / whole.value
    np.testing.assert_allclose(optimality_ratios(JointPD(), "ReachArm-v0", whole), expected, rtol=1e-12)
    assert (expected > 1).all() and (optimality_ratios(Still(), "ReachArm-v0", whole) > 1).all()


def test_rest_costs_nothing_and_the_networks_hold_is_kept_where_it_pays(found):
    whole = found[3]
    rests, tensed = whole.held == HOLDS.index("optimal"), whole.held == HOLDS.index("network")
    assert (whole.parts[rests, 0] == 0).all() and (whole.controls[rests, :100] == 0).all()
    assert (whole.parts[tensed, 0] > 0).all() and (whole.wholes[tensed, 1] < whole.wholes[tensed, 0]).all()
    np.testing.assert_allclose(np.nanmin(whole.tried[:, 1], -1), whole.parts[:, 1])
    np.testing.assert_allclose(whole.value, whole.wholes.min(1))
    assert (optimality_ratios(load("reach"), "ReachArm-v0", whole) > 1).all()


def test_from_its_own_state_no_controller_is_below_the_optimum(found):
    whole = found[3]
    for controller in (JointPD(), Still(), Replay(whole.controls)):
        ours, best = from_own_state(controller, whole).T
        assert len(ours) == 2 and (best <= ours + 1e-12).all()
    np.testing.assert_allclose(ours, whole.parts[:, 1], rtol=1e-9)  # the optimum's own state is what it began with


def test_other_movements_are_refused(found):
    path, _, _, whole = found
    with pytest.raises(ValueError, match="move it away"):
        main(Args("reach", movements=2, seed=4, output=path))
    with pytest.raises(ValueError, match="ReachArm-v0"):
        optimality_ratios(Still(), "CircleArm-v0", whole)
    with pytest.raises(ValueError, match="compute it anew"):
        optimality_ratios(Still(), "ReachArm-v0", replace(whole, seed=4))
    with pytest.raises(ValueError, match="another arm"):
        optimality_ratios(Still(), "ReachArm-v0", replace(whole, parameters=whole.parameters * 1.01))


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_truncated_file_is_refused(found, share, tmp_path):
    whole = found[0].read_bytes()
    path = tmp_path / "o.npz"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="holds no optimal movements"):
        load_optimum(path)


def test_a_file_of_an_older_version_is_refused(found, tmp_path):
    with np.load(found[0]) as stored:
        np.savez(tmp_path / "o.npz", **{name: stored[name] for name in stored if name != "wholes"})
    with pytest.raises(ValueError, match="wholes"):
        load_optimum(tmp_path / "o.npz")


def test_a_perturbation_is_smooth_and_repeatable():
    controls = np.tile(Reach().hold * np.full(6, 0.3), (100, 1))
    first, again = (search.perturbed(np.random.default_rng(1), controls) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert 0.02 < np.std(first) < 0.3 and np.abs(np.diff(first, axis=0)).max() < 0.15
