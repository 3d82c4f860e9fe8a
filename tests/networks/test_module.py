"""Any module through the plant: the compiled body against the eager one.

Also baselines, from training to ``predict``.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

import rnn_controller.training.trainer as training
from arm_env.dynamics.layout import STATE_SIZE
from arm_env.dynamics.parameters import Arm
from arm_env.tasks.reach import Reach
from rnn_controller.analysis.attractors import ClosedLoop
from rnn_controller.checkpoint import TASKS, CheckpointError, load_checkpoint
from rnn_controller.networks.modules import Baseline, ModuleConfig
from rnn_controller.policy import ModuleController, Policy, load
from rnn_controller.rollouts import body
from rnn_controller.rollouts.body import CompiledBody, EagerBody
from rnn_controller.rollouts.plant import rollout
from rnn_controller.training.objective import risk_sensitive, values
from rnn_controller.training.trainer import Stage, TrainConfig, Trainer, train
from rnn_controller.training.trials import Sampling, sample

BATCH = 5
NEURONS = 4
KINDS = ("gru", "mlp")
ARM = Arm()


def baseline(kind="gru", task="reach", seed=1):
    """Untrained but lively."""
    module = Baseline(
        ModuleConfig(kind, NEURONS), TASKS[task], ARM, torch.Generator().manual_seed(seed)
    )
    with torch.no_grad():
        module.motor.weight.mul_(20)
    return module


def movements(task="reach", number=BATCH, neurons=0, seed=2, **options):
    short = {"settling": 0.0, "first": (0.2, 0.3), "second": (0.2, 0.3)}
    return sample(
        np.random.default_rng(seed),
        number,
        neurons,
        task=TASKS[task],
        arm=ARM,
        sampling=Sampling(**{**short, **options}),
    )


# --- the compiled body ----------------------------------------------------------------------------


def situation(name):
    """States, excitations and noise of a period.

    Kinks are taken to be on their shortening, inner side.
    """
    rng, arm = np.random.default_rng(3), Arm()
    x = np.zeros((BATCH, STATE_SIZE))
    x[:, :2], x[:, 2:4] = Reach().sample_angles(rng, BATCH), rng.uniform(-3, 3, (BATCH, 2))
    x[:, 4:] = rng.uniform(0.1, 0.6, (BATCH, 6))
    u = rng.uniform(-0.3, 1.3, (BATCH, 6))
    noise = rng.normal(0, 0.14, (BATCH, 6))
    match name:
        case "at rest":  # every muscle between shortening and lengthening
            x[:, 2:4] = 0
        case "at the stops":
            x[:, :2] = np.array(arm.lower_stop)
            x[1:3, :2] = np.add(arm.upper_stop, [[0.1, 0.0], [0.0, 0.1]])
        case "excitations on the edges":
            u[:, :2], u[:, 2:4], noise[:] = arm.tone, arm.max_excitation, 0.0
    return tuple(torch.from_numpy(value) for value in (x, u, noise))


def seen(arm_body, x, u, noise):
    """Signal and next state, and the gradient of some cost of both."""
    x, u = x.clone().requires_grad_(), u.clone().requires_grad_()
    signal = arm_body.sense(x)
    after = arm_body.move(x, u, noise)
    cost = torch.sin(3 * signal).sum() + torch.cos(2 * after).sum()
    return signal.detach(), after.detach(), *torch.autograd.grad(cost, (x, u))


@pytest.mark.parametrize("substeps", [1, 3])
@pytest.mark.parametrize("name", ["moving", "at rest", "at the stops", "excitations on the edges"])
def test_the_compiled_body_is_the_eager_one(name, substeps):
    given = situation(name)
    compiled, eager = (
        seen(kind(ARM, 0.01, substeps), *given) for kind in (CompiledBody, EagerBody)
    )
    for got, expected in zip(compiled, eager, strict=True):
        torch.testing.assert_close(
            got, expected, rtol=1e-12, atol=1e-12 * float(expected.abs().max())
        )
    assert all(slope.abs().max() > 1e-3 for slope in eager[2:])


def both_rollouts(kind, task, m, **options):
    """States, excitations and gradient of the objective, with the compiled and the eager body."""
    found = []
    for compiled in (True, False):
        module = baseline(kind, task)
        x0 = m.x0.clone().requires_grad_()
        x, u = rollout(module, ARM, x0, m.commands, m.noise, compiled=compiled, **options)
        weights = replace(training.DEFAULTS[task].cost, target_radius=0.3)
        v = values(TASKS[task], ARM, weights, x, u, m.commands, 0.01, m.lengths)
        slopes = torch.autograd.grad(risk_sensitive(v, 1.0), [x0, *module.parameters()])
        found.append((x.detach(), u.detach(), slopes))
    return found


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_and_its_gradient_are_the_same_compiled_and_eager(kind, task):
    m = movements(task, second=(0.1, 0.1) if task == "circle" else (0.2, 0.3), first=(0.1, 0.15))
    assert len(m.lengths.unique()) > 1
    (x, u, slopes), (eager_x, eager_u, eager_slopes) = both_rollouts(kind, task, m)
    torch.testing.assert_close(x, eager_x, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(u, eager_u, rtol=1e-12, atol=1e-12)
    for got, expected in zip(slopes, eager_slopes, strict=True):
        assert torch.linalg.norm(expected) > 1e-9
        assert torch.linalg.norm(got - expected) < 1e-10 * torch.linalg.norm(expected)


def test_threads_do_not_change_a_single_bit(monkeypatch):
    monkeypatch.setattr(body, "SHARE", 1)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(seen(CompiledBody(ARM, 0.01, 2), *situation("moving")))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_single_precision_takes_the_eager_body_and_is_refused_to_the_compiled_one():
    m = movements()
    given = [value.float() for value in (m.x0, m.commands, m.noise)]
    x, _ = rollout(baseline().float(), ARM, *given)
    assert x.dtype == torch.float32
    with pytest.raises(
        ValueError, match=r"takes float64 tensors on the CPU, but x0 is torch\.float32"
    ):
        rollout(baseline(), ARM, *given, compiled=True)


def test_a_gradient_along_the_noise_needs_the_eager_body():
    m = movements()
    noise = m.noise.clone().requires_grad_()
    (slope,) = torch.autograd.grad(
        rollout(baseline(), ARM, m.x0, m.commands, noise)[0].sum(), noise
    )
    assert slope[..., -6:].abs().max() > 0
    with pytest.raises(ValueError, match="no gradient along the noise"):
        rollout(baseline(), ARM, m.x0, m.commands, noise, compiled=True)


def test_the_compiled_body_has_no_second_derivative_and_says_so():
    m = movements()
    x0 = m.x0.clone().requires_grad_()
    x, _ = rollout(baseline(), ARM, x0, m.commands, m.noise)
    (slope,) = torch.autograd.grad(x.square().sum(), x0, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
    x, _ = rollout(baseline(), ARM, x0, m.commands[:, :3], m.noise[:, :3], compiled=False)
    (slope,) = torch.autograd.grad(x.square().sum(), x0, create_graph=True)
    assert torch.isfinite(torch.autograd.grad(slope.sum(), x0)[0]).all()


# --- a baseline as a controller -------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_predict_is_the_rollout_that_is_trained(kind):
    module = baseline(kind)
    m = movements(noise=0.0)
    with torch.no_grad():
        x, u = rollout(module, ARM, m.x0, m.commands, m.noise)
    controller = ModuleController(module)
    state = None
    eye = CompiledBody(ARM, 0.01, 2)
    for t in range(m.commands.shape[1]):
        signal = torch.cat([eye.sense(x[:, t]), m.commands[:, t]], -1).numpy()
        action, state = controller.predict(signal, state)
        assert action.dtype == np.float32
        np.testing.assert_allclose(action, u[:, t], rtol=1e-6)
    assert u.max() - u.min() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_episode_forgets_and_a_single_arm_gives_a_single_action(kind):
    controller = ModuleController(baseline(kind))
    o = np.random.default_rng(4).normal(0, 1, (3, 20))
    first, state = controller.predict(o)
    second, after = controller.predict(o, state, np.array([True, False, True]))
    np.testing.assert_array_equal(second[[0, 2]], first[[0, 2]])
    assert kind == "mlp" or abs(second[1] - first[1]).max() > 1e-3
    assert state.shape == after.shape == (3, NEURONS if kind == "gru" else 0)
    single, _ = controller.predict(o[0])
    np.testing.assert_allclose(single, first[0], rtol=1e-6)


def test_a_users_module_is_clipped_to_the_action_space_and_kept_as_it_was():
    class Wild(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.size = torch.nn.Parameter(torch.tensor(5.0, dtype=torch.float64))

        def initial_state(self, batch):
            return torch.full((batch, 2), 7.0, dtype=torch.float64)

        def forward(self, observation, state):
            return self.size * torch.tensor([-1.0, 1, -1, 1, -1, 1]).expand(
                len(observation), 6
            ), state + 1

    module = Wild()
    controller = ModuleController(module)
    with torch.no_grad():
        module.size.zero_()
    action, state = controller.predict(np.zeros((2, 20)))
    np.testing.assert_array_equal(action, np.tile([0, 1], (2, 3)))
    np.testing.assert_array_equal(state, np.full((2, 2), 8.0))
    np.testing.assert_array_equal(
        controller.predict(np.zeros((2, 20)), state, [True, False])[1][:, 0], [8, 9]
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((np.zeros(19),), "observations of 20 signals"),
        ((np.zeros((2, 20)), np.zeros((2, 3))), r"the state of 2 arms is \(2, 4\)"),
        ((np.zeros((2, 20)), None, [True]), "one flag an arm"),
    ],
)
def test_wrong_shapes_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        ModuleController(baseline()).predict(*arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_a_baseline_can_be_analysed(kind):
    """Its Jacobian, through the compiled body, is that of differences."""
    loop = ClosedLoop(baseline(kind), Reach())
    m = movements(neurons=loop.neurons)
    q = torch.cat([m.x0, m.y0], -1)[:1]
    command = m.commands[:1, 0]
    q[:, 2:4] = 0.5
    direction = torch.randn(
        q.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5)
    )
    ahead, behind = (loop.step(q + eps * direction, command).detach() for eps in (1e-6, -1e-6))
    expected = (ahead - behind) / 2e-6
    along = (loop.jacobian(q, command) @ direction[..., None])[..., 0]
    torch.testing.assert_close(along, expected, rtol=1e-5, atol=1e-7)


# --- training -------------------------------------------------------------------------------------


def config(kind="gru", **changes):
    tiny = {
        "batch_size": 4,
        "iterations": 3,
        "learning_rate": 0.01,
        "settling": 0.0,
        "recipe": "adam",
    }
    return TrainConfig(network=ModuleConfig(kind, NEURONS), **{**tiny, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_objective_in_seconds(kind, monkeypatch, tmp_path):
    """On other movements than those trained on, under the wide target of the beginning."""
    jumps = {"first": (0.2, 0.2), "second": (1.2, 1.2), "noise_scale": (1.0, 1.0)}  # of 0.5 s
    monkeypatch.setitem(
        training.RECIPES,
        "adam",
        (
            Stage(
                "adam",
                30,
                10,
                learning_rate=0.02,
                initial_target_radius=0.3,
                anneal_fraction=1e9,
                **jumps,
            ),
        ),
    )
    trainer = Trainer(
        config(kind, iterations=None, batch_size=None, learning_rate=None, seed=2), tmp_path
    )
    held = movements(number=50, **jumps)
    cost = replace(trainer.config.cost, target_radius=0.3)
    before = trainer.evaluate(trainer.vector, held, cost).value
    done = trainer.run(progress=False)
    assert trainer.evaluate(trainer.vector, held, cost).value < 0.9 * before
    assert done.training["state"]["steps"] == 30 * 10 * 70


@pytest.mark.parametrize("recipe", ["adam", "default"])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(recipe, tmp_path):
    whole = train(config(recipe=recipe), tmp_path / "whole", progress=False)
    begun = Trainer(config(recipe=recipe), tmp_path / "cut")
    begun._iterate(begun.stages[0])
    begun.save()
    cut = train(config(recipe=recipe), tmp_path / "cut", resume=True, progress=False)
    assert all(
        torch.equal(a, b)
        for a, b in zip(cut.network.parameters(), whole.network.parameters(), strict=True)
    )
    assert torch.equal(cut.tensors["history"], whole.tensors["history"])
    assert cut.training["state"] == whole.training["state"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_can_be_loaded_and_acts_the_same(kind, tmp_path):
    done = train(config(kind, iterations=1), tmp_path, progress=False)
    controller = load(tmp_path)
    assert isinstance(controller, Policy) and controller.network.config == done.network.config
    o = np.random.default_rng(6).normal(0, 1, (3, 20))
    np.testing.assert_array_equal(controller.predict(o)[0], Policy(done.network).predict(o)[0])
    np.testing.assert_allclose(
        controller.predict(o)[0], ModuleController(done.network).predict(o)[0], rtol=1e-6
    )


def test_a_broken_file_is_refused(tmp_path):
    done = train(config(iterations=1), tmp_path, progress=False)
    path = tmp_path / "checkpoint.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="not a complete checkpoint"):
        load(tmp_path)
    done.network.config = ModuleConfig("gru", NEURONS + 1)
    done.save(path)
    with pytest.raises(
        CheckpointError, match=rf"{NEURONS + 1} neurons need motor \(6, {NEURONS + 1}\)"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "lstm"}, "'lstm': choose one of gru, mlp"),
        ({"neurons": 0}, "^neurons must be a whole number from 1 to "),
        ({"control_period": 0.0}, "^control_period must be a number from 0.0001 to 0.1"),
    ],
)
def test_impossible_modules_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        ModuleConfig(**changes)


def test_an_impossible_rate_is_refused():
    with pytest.raises(ValueError, match=r"^learning_rate must be a number above 0"):
        TrainConfig(learning_rate=0.0)
