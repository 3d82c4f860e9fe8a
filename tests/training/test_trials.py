"""Training samples: where they start, when they jump, their noise, and their seed."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.equations import hand
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.reach import Reach
from arm_env.tasks.shapes import Circle
from arm_env.tasks.workspace import joint_angles
from rnn_controller.training.objective import of_parts, risk_sensitive
from rnn_controller.training.trials import Sampling, TrialBatch, sample

ARM = Arm()
TASK = Reach()
NEURONS = 3
FIELDS = ("x0", "y0", "commands", "noise")
TASKS = pytest.mark.parametrize("task", [Reach(), Circle()], ids=["reach", "circle"])


def movements(seed=0, number=40, **changes) -> TrialBatch:
    """Each command held for 0.2 s, if it is one of reaching."""
    task = changes.pop("task", TASK)
    sampling = Sampling(**{"settling": 0.0, "first": (0.4, 0.4), "second": (0.4, 0.4), **changes})
    rng = np.random.default_rng(seed)
    return sample(rng, number, NEURONS, task=task, arm=ARM, sampling=sampling)


def jumps(drawn):
    """The period at which each movement's command changes, which it does once."""
    changed = (drawn.commands[:, 1:] != drawn.commands[:, :-1]).any(-1)
    assert (changed.sum(1) == 1).all()
    return changed.double().argmax(1) + 1


@TASKS
def test_shapes_and_precision(task):
    drawn = movements(number=7, task=task)
    size = task.command_size
    shapes = {name: tuple(getattr(drawn, name).shape) for name in FIELDS}
    periods = int(drawn.lengths.max())
    expected = {"commands": (7, periods, size), "noise": (7, periods, 18 + size + 6)}
    assert shapes == {"x0": (7, 10), "y0": (7, NEURONS), **expected}
    assert {getattr(drawn, name).dtype for name in FIELDS} == {torch.float64}
    assert drawn.lengths.shape == (7,) and drawn.lengths.dtype == torch.int64


@TASKS
def test_hand_starts_on_the_first_attractor(task):
    drawn = movements(task=task)
    x, y, *velocity = hand(NUMPY, ARM.arrays(), drawn.x0.numpy())
    squared, *wanted = task.error(NUMPY, drawn.commands[:, 0].numpy(), x, y)
    assert squared.max() < 1e-20
    for actual, commanded in zip(velocity, wanted, strict=True):
        np.testing.assert_allclose(actual, commanded, rtol=0, atol=1e-12)


def test_body_starts_at_rest_with_silent_muscles():
    assert not movements().x0[:, 2:].any()


@pytest.mark.parametrize(("settling", "period"), [(0.0, 0.01), (0.0, 0.005), (0.375, 0.01)])
def test_command_jumps_once_after_settling_and_period(settling, period):
    drawn = movements(settling=settling, control_period=period)
    commands = drawn.commands
    hold = round(0.4 * (settling + 0.5) / period)
    assert (drawn.lengths == 2 * hold).all() and commands.shape[1] == 2 * hold
    assert (commands[:, :hold] == commands[:, :1]).all() and (
        commands[:, hold:] == commands[:, -1:]
    ).all()
    assert (commands[:, 0] != commands[:, -1]).all()


def test_each_command_is_held_anywhere_in_its_range():
    drawn = movements(number=300, first=(0.2, 0.6), second=(1.0, 1.4))
    first = jumps(drawn)
    second = drawn.lengths - first
    for times, low, middle in ((first, 10, 20), (second, 50, 60)):
        assert times.min() == low and times.max() == low + 20
        # four standard errors
        assert len(times.unique()) == 21 and abs(times.double().mean() - middle) < 1.5
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.25
    assert drawn.commands.shape[1] == drawn.lengths.max() > drawn.lengths.min()


def test_cycles_are_held_for_settling_and_a_lap():
    drawn = movements(number=100, task=Circle(), settling=0.3, first=(1.0, 1.0), second=(0.5, 0.5))
    laps = [
        2 * np.pi * k[:, 2] / abs(k[:, 3]) for k in (drawn.commands[:, 0], drawn.commands[:, -1])
    ]
    np.testing.assert_allclose(jumps(drawn), (0.3 + laps[0]) / 0.01, rtol=0, atol=0.5 + 1e-9)
    np.testing.assert_allclose(
        drawn.lengths - jumps(drawn), 0.5 * (0.3 + laps[1]) / 0.01, rtol=0, atol=0.5 + 1e-9
    )


def test_no_command_is_held_for_less_than_a_control_period():
    drawn = movements(first=(0.0, 0.0), second=(0.0, 0.0))
    assert (drawn.lengths == 2).all() and (jumps(drawn) == 1).all()


def test_both_commands_lie_in_the_workspace():
    for command in movements(number=300).commands[:, [0, -1]].numpy().transpose(1, 0, 2):
        angles = joint_angles(ARM, command)
        rounding = 1e-9
        for joint, (low, high) in enumerate((TASK.shoulder, TASK.elbow)):
            assert (
                low - rounding <= angles[:, joint].min()
                and angles[:, joint].max() <= high + rounding
            )


def test_first_and_second_command_are_unrelated():
    commands = movements(number=2000, first=(0.02, 0.02), second=(0.02, 0.02)).commands
    correlation = np.corrcoef(commands[:, 0].T, commands[:, -1].T)[:2, 2:]
    assert abs(correlation).max() < 0.1  # more than four standard errors


@pytest.mark.parametrize(("period", "deviation"), [(0.005, 0.2), (0.01, 0.2 / 2**0.5)])
def test_noise_has_the_right_deviation_at_any_control_period(period, deviation):
    noise = movements(noise=0.2, control_period=period).noise
    assert noise.std().item() == pytest.approx(deviation, rel=0.02)  # five standard errors
    assert abs(noise.mean().item()) < 0.02 * deviation


def test_noise_is_white():
    noise = movements(noise=0.2, number=100).noise.numpy()
    between_times = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    between_signals = np.corrcoef(noise.reshape(-1, 26).T)[~np.eye(26, dtype=bool)]
    assert abs(between_times) < 0.02 and abs(between_signals).max() < 0.08


def test_movements_are_as_noisy_as_their_noise_scale():
    noise = movements(noise=0.2, number=300, second=(0.5, 0.5), noise_scale=(0.5, 1.0)).noise
    share = noise.std((1, 2)) / (0.2 / 2**0.5)
    assert 0.45 < share.min() < 0.55 and 0.95 < share.max() < 1.05
    assert share.mean().item() == pytest.approx(0.75, abs=0.04)


def test_the_first_share_of_the_movements_is_quiet():
    """A fifth of them: their second holds and their noise come from ranges of their own."""
    drawn = movements(
        noise=0.2, number=300, first=(0.4, 0.4), second=(0.2, 0.6), noise_scale=(0.5, 1.0),
        quiet=0.2, quiet_second=(1.0, 1.4), quiet_noise_scale=(0.1, 0.3),
    )  # fmt: skip
    second = drawn.lengths - jumps(drawn)
    assert (jumps(drawn) == 20).all()
    assert 50 <= second[:60].min() < 52 and 68 < second[:60].max() <= 70
    assert 10 <= second[60:].min() < 12 and 28 < second[60:].max() <= 30
    share = drawn.noise.std((1, 2)) / (0.2 / 2**0.5)
    assert 0.09 < share[:60].min() < 0.12 and 0.28 < share[:60].max() < 0.31
    assert 0.45 < share[60:].min() < 0.55 and 0.95 < share[60:].max() < 1.05


@pytest.mark.parametrize(
    ("number", "quiet", "expected"), [(10, 0.3, 3), (10, 0.04, 0), (7, 1.0, 7), (3, 0.5, 2)]
)
def test_the_quiet_share_is_rounded_to_whole_movements(number, quiet, expected):
    """The quiet ones have no noise at all, as the defaults of ``Sampling`` say."""
    noise = movements(noise=0.2, number=number, quiet=quiet).noise
    assert not noise[:expected].any() and (noise[expected:].abs().amax((1, 2)) > 0.1).all()


@TASKS
def test_without_quiet_movements_their_ranges_change_nothing(task):
    arguments = {
        "task": task,
        "noise": 0.2,
        "number": 12,
        "second": (0.3, 0.5),
        "noise_scale": (0.5, 1.0),
    }
    plain = movements(**arguments)
    other = movements(**arguments, quiet=0.0, quiet_second=(5.0, 9.0), quiet_noise_scale=(0.3, 0.4))
    some = movements(**arguments, quiet=0.25, quiet_second=(0.1, 0.2), quiet_noise_scale=(0.3, 0.4))
    for name in (*FIELDS, "lengths"):
        assert torch.equal(getattr(plain, name), getattr(other, name)), name
    assert (
        torch.equal(plain.lengths[3:], some.lengths[3:])
        and (plain.lengths[:3] > some.lengths[:3]).all()
    )
    assert torch.equal(plain.x0, some.x0)


@TASKS
def test_the_bodies_of_the_first_share_may_start_anywhere_and_moving(task):
    plain, some = (movements(number=20, task=task, thrown=share) for share in (0.0, 0.25))
    assert torch.equal(plain.x0[5:], some.x0[5:]) and torch.equal(
        plain.commands[:, 0], some.commands[:, 0]
    )
    thrown = some.x0[:5].numpy()
    x, y, *_ = hand(NUMPY, ARM.arrays(), thrown)
    assert (task.error(NUMPY, some.commands[:5, 0].numpy(), x, y)[0] > 1e-6).all()
    assert (thrown[:, 2:] != 0).all() and (thrown[:, 4:] > 0).all()


def test_noise_is_exactly_zero_when_off():
    assert not movements(noise=0.0).noise.any()


def test_neural_states_are_random_from_silent_to_twice_as_lively():
    y0 = movements(number=500).y0
    assert (y0 >= 0).all() and y0.max() <= 2
    assert y0.max(1).values.min() < 0.1 and y0.max() > 1.8
    assert (y0.std(1) > 0).all()  # not one value for all neurons


def test_same_seed_gives_the_same_movements_and_another_others():
    one, same, other = (movements(seed, second=(0.3, 0.5)) for seed in (5, 5, 6))
    for name in (*FIELDS, "lengths"):
        assert torch.equal(getattr(one, name), getattr(same, name)), name
        assert not torch.equal(getattr(one, name), getattr(other, name)), name


def test_environment_and_trainer_start_from_the_same_attractor_state(monkeypatch):
    def marked(self, rng, arm, commands):
        return np.tile(np.arange(10.0) / 100, (len(commands), 1))

    monkeypatch.setattr(Reach, "attractor_state", marked)
    env = gym.make("arm_env:ReachArm-v0")
    _, info = env.reset(seed=1)
    expected = np.arange(10.0) / 100
    np.testing.assert_array_equal(info["state"], expected)
    np.testing.assert_array_equal(movements().x0.numpy(), np.tile(expected, (40, 1)))


def test_environment_starts_where_a_movement_to_the_same_target_does():
    drawn = movements(number=3)
    env = gym.make("arm_env:ReachArm-v0")
    for x0, commands in zip(drawn.x0.numpy(), drawn.commands.numpy(), strict=True):
        _, info = env.reset(seed=1, options={"targets": commands[[0, -1]]})
        np.testing.assert_allclose(info["state"], x0, rtol=0, atol=1e-15)


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0, float("inf")])
def test_the_objective_of_parts_is_that_of_all(beta):
    v = torch.linspace(0.3, 2.0, 7, dtype=torch.float64).requires_grad_()
    whole = risk_sensitive(v, beta)
    (expected,) = torch.autograd.grad(whole, v)
    parts = [v[:3], v[3:6], v[6:]]
    numbers = torch.tensor([3.0, 3.0, 1.0], dtype=torch.float64)
    together = of_parts(torch.stack([risk_sensitive(part, beta) for part in parts]), numbers, beta)
    (gradient,) = torch.autograd.grad(together, v)
    torch.testing.assert_close(together, whole, rtol=1e-13, atol=0)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-15)


def test_movements_in_parts_are_all_of_them_in_order():
    m = sample(np.random.default_rng(0), 7, 2, task=Reach(), arm=Arm())
    parts = list(m.parts(3))
    assert [len(part.x0) for part in parts] == [3, 3, 1]
    for name in ("x0", "y0", "commands", "noise", "lengths"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(m, name))


@TASKS
def test_a_share_of_the_bodies_starts_anywhere_and_moving(task):
    x0 = movements(number=400, task=task, thrown=0.5).x0.numpy()
    thrown = x0[:200]
    others = x0[200:]
    low, high = np.stack([task.shoulder, task.elbow], -1)
    assert ((thrown[:, :2] >= low) & (thrown[:, :2] <= high)).all()
    assert thrown[:, 2:4].std() == pytest.approx(2.0, rel=0.15)
    assert 0 <= thrown[:, 4:].min() < 0.02 and 0.48 < thrown[:, 4:].max() <= 0.5
    assert not others[:, 4:].any() and (task != TASK or not others[:, 2:4].any())
