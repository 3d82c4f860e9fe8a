"""The optimum: whole and resumed it is the same, and its controls earn what it says."""

from dataclasses import fields, replace

import gymnasium as gym
import numpy as np
import pytest

from arm_env import Arm, JointPD, Reach, Still, record
from arm_env.control.arm_problem import ArmProblem
from arm_env.control.ilqr import follow
from arm_env.dynamics.layout import MUSCLE_COUNT
from arm_env.tasks.registry import task_of_environment
from benchmarks import optimality
from benchmarks import optimum as search
from benchmarks.optimality import (
    Optimum,
    from_own_state,
    load_optimum,
    mean_of_ratios,
    optimality_ratios,
    ratio_of_means,
    stored_optimum,
)
from benchmarks.optimum import Args, main
from rnn_controller import load


class Replay:
    """Issues the same controls (B, T, 6) whatever it sees."""

    def __init__(self, controls):
        self.controls = controls

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        t = state or 0
        return self.controls[:, t], t + 1


def effort_of_the_tone(env_id):
    """What excitations below the tone can save over an episode [s]: they act as the tone does."""
    task = task_of_environment(env_id)
    arm = Arm()
    return 2 * task.hold * MUSCLE_COUNT * task.weights.gamma / 2 * arm.tone**2


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Two movements, solved with fewer iterations than the real ones."""
    path, patch = tmp_path_factory.mktemp("optimum") / "o.npz", pytest.MonkeyPatch()
    full = search.solve
    few = {"iterations": 15, "exact_iterations": 2}
    for module in (search, optimality):
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
    np.testing.assert_allclose(
        optimality_ratios(Replay(whole.controls), "ReachArm-v0", whole), 1, rtol=1e-9
    )


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
def test_the_stored_ones_are_those_of_the_arm_as_it_is(env_id):
    stored = stored_optimum(env_id)
    assert len(stored.start) == stored.movements
    np.testing.assert_allclose(
        optimality_ratios(Replay(stored.controls), env_id, stored), 1, rtol=1e-9
    )


@pytest.mark.parametrize("env_id", ["ReachArm-v0", "CircleArm-v0"])
def test_the_shipped_network_is_never_below_the_stored_ones(env_id):
    stored = stored_optimum(env_id)
    ratios = optimality_ratios(load(stored.task), env_id, stored)
    assert ((ratios - 1) * stored.value > -effort_of_the_tone(env_id)).all()
    np.testing.assert_allclose(stored.wholes.min(1), stored.value, rtol=1e-12)


def test_controllers_are_measured_on_the_same_episodes(found):
    whole = found[3]
    envs = gym.make_vec("ReachArm-v0", num_envs=2, noise=0.0, max_episode_steps=1000)
    recording = record(JointPD(), envs, 200, seed=3)
    expected = -recording.rewards.sum(0) / whole.value
    np.testing.assert_allclose(
        optimality_ratios(JointPD(), "ReachArm-v0", whole), expected, rtol=1e-12
    )
    assert (expected > 1).all() and (optimality_ratios(Still(), "ReachArm-v0", whole) > 1).all()


def test_the_cheaper_hold_is_kept(found):
    whole = found[3]
    np.testing.assert_allclose(np.nanmin(whole.tried[:, 1], -1), whole.parts[:, 1])
    np.testing.assert_allclose(whole.value, whole.wholes.min(1))
    excess = (optimality_ratios(load("reach"), "ReachArm-v0", whole) - 1) * whole.value
    assert (excess > -effort_of_the_tone("ReachArm-v0")).all()


def test_the_best_hold_of_a_reach_keeps_the_arm_from_drifting(found):
    """The tone alone lets the arm drift off; holding it costs little, and less than drifting."""
    whole = found[3]
    held = whole.tried[:, 0, 0]
    drift = [
        follow(ArmProblem(Reach(), commands[0]), start, np.zeros((200, MUSCLE_COUNT)))[2]
        for commands, start in zip(whole.commands, whole.start, strict=True)
    ]
    assert (held > 0).all() and (held < 5e-4).all() and (held < 0.5 * np.array(drift)).all()


def test_controls_stay_between_tone_and_ceiling(found):
    arm = Arm()
    controls = found[3].controls
    assert controls.min() >= arm.tone and controls.max() <= arm.max_excitation


def test_jumps_are_the_distances_of_the_attractors(found):
    whole = found[3]
    expected = np.linalg.norm(whole.commands[:, 1] - whole.commands[:, 0], axis=1)
    np.testing.assert_allclose(whole.jumps, expected)
    circle = [0.1, 0.4, 0.05, 0.3]  # [m] centre, radius; [m/s]
    pairs = [[circle, [0.1, 0.4, 0.08, 0.3]], [circle, [0.4, 0.4, 0.05, 0.3]], [circle, circle]]
    circles = replace(whole, task="circle", commands=np.array(pairs))
    np.testing.assert_allclose(circles.jumps, [0.03, 0.3, 0], atol=1e-6)


def test_means_of_ratios_leave_out_short_jumps(found):
    """A jump of 4 cm changes the ratio of the means alone."""
    starts = np.zeros((3, 2))
    steps = np.array([[0.04, 0.0], [0.3, 0.0], [0.0, 0.2]])
    commands = np.stack([starts, starts + steps], 1)
    parts = np.array([[0, 0.01], [0, 0.2], [0.1, 0.2]])
    three = replace(found[3], commands=commands, parts=parts)
    ratios = np.array([9.0, 1.0, 2.0])
    assert mean_of_ratios(ratios, three) == pytest.approx(1.5)
    assert ratio_of_means(ratios, three) == pytest.approx((0.09 + 0.2 + 0.6) / 0.51)


@pytest.mark.parametrize(("task", "number"), [("reach", 100), ("circle", 24)])
def test_each_task_has_its_number_of_movements(task, number):
    assert Args(task).number == number and Args(task, movements=3).number == 3


def test_from_its_own_state_no_controller_is_below_the_optimum(found):
    whole = found[3]
    for controller in (JointPD(), Still(), Replay(whole.controls)):
        ours, best = from_own_state(controller, whole).T
        assert len(ours) == 2 and (best <= ours + effort_of_the_tone("ReachArm-v0")).all()
    # the optimum's own state is what it began with
    np.testing.assert_allclose(ours, whole.parts[:, 1], rtol=1e-9)


def test_other_movements_are_refused(found):
    path, _, _, whole = found
    with pytest.raises(ValueError, match="move it away"):
        main(Args("reach", movements=2, seed=4, output=path))
    with pytest.raises(ValueError, match="ReachArm-v0"):
        optimality_ratios(Still(), "CircleArm-v0", whole)
    with pytest.raises(ValueError, match="compute it again"):
        optimality_ratios(Still(), "ReachArm-v0", replace(whole, seed=4))
    with pytest.raises(ValueError, match="another arm"):
        optimality_ratios(
            Still(), "ReachArm-v0", replace(whole, parameters=whole.parameters * 1.01)
        )


def test_movements_are_the_same_up_to_their_last_bits(found):
    """Which depend on the processor."""
    whole = found[3]
    ours = optimality_ratios(Still(), "ReachArm-v0", whole)
    nudged = replace(whole, start=whole.start + 1e-14, commands=whole.commands - 1e-14)
    np.testing.assert_array_equal(optimality_ratios(Still(), "ReachArm-v0", nudged), ours)
    for name in ("start", "commands"):
        moved = replace(whole, **{name: getattr(whole, name) + 1e-11})
        with pytest.raises(ValueError, match="no longer draws"):
            optimality_ratios(Still(), "ReachArm-v0", moved)


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
