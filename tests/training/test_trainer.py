"""Training: it learns, repeats itself, goes on after an interrupt, and notices what goes wrong.

Everything runs on a few short movements of a small network; the recipes are replaced by short ones.
"""

import contextlib
import itertools
import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.tasks.reach import Reach
from arm_env.tasks.shapes import Circle
from arm_env.tasks.workspace import joint_angles
from rnn_controller import checkpoint as checkpoints
from rnn_controller.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController
from rnn_controller.policy import Policy
from rnn_controller.rollouts import pontryagin
from rnn_controller.training import evaluation, loop, optimizers, repair
from rnn_controller.training import trainer as training
from rnn_controller.training.optimizers import Soap
from rnn_controller.training.trainer import Stage, TrainConfig, Trainer, TrainingError, train
from rnn_controller.training.trials import Sampling, sample

BRIEF = {"first": (0.1, 0.4), "second": (0.2, 0.5)}  # of 0.6 s
ADAM = Stage("adam", 6, batch_size=3, initial_target_radius=0.3, **BRIEF)
SOAP = Stage("soap", 6, batch_size=3, initial_target_radius=0.3, **BRIEF)
CONJUGATE = Stage(
    "conjugate-gradient", 6, batch_size=3, resample=False, initial_target_radius=0.3, **BRIEF
)
RECIPES = {
    "adam": (ADAM,),
    "soap": (SOAP,),
    "conjugate-gradient": (CONJUGATE,),
    "one target width": (
        Stage(
            "conjugate-gradient",
            6,
            batch_size=3,
            resample=False,
            initial_target_radius=0.0,
            **BRIEF,
        ),
    ),
    "two stages": (ADAM, CONJUGATE),
    "three stages": (CONJUGATE, SOAP, ADAM),
}
EVERY_RECIPE = pytest.mark.parametrize("recipe", RECIPES)


def config(seed=1, **changes):
    return TrainConfig(
        network=NetworkConfig(3, time_constant=0.02), settling=0.1, seed=seed, **changes
    )


def circling(seed=1, **changes):
    return config(seed, task="circle", cost=Circle.weights, **changes)


TASKS = pytest.mark.parametrize("begun", [config(), circling()], ids=["reach", "circle"])


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Short runs of SOAP look for their axes, too."""
    monkeypatch.setattr(Soap, "refresh", 2)


@pytest.fixture
def stages(monkeypatch):
    """Sets the stages that the default recipe stands for."""
    return lambda *given: monkeypatch.setitem(training.RECIPES, "default", given)


@pytest.fixture
def adam(stages):
    stages(ADAM)


def weights(network):
    return torch.nn.utils.parameters_to_vector(network.parameters()).detach().clone()


def assert_same_run(one, other):
    """The same weights, history and optimiser's state, bit for bit."""
    assert torch.equal(weights(one.network), weights(other.network))
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def interrupt_after_each_iteration(patch):
    """Every iteration is whole, and the last that a run makes."""
    iterate = Trainer._iterate

    def once(self, stage):
        iterate(self, stage)
        raise KeyboardInterrupt

    patch.setattr(Trainer, "_iterate", once)


class Watched:
    """Replaces ``Trainer.evaluate`` by one that counts its calls.

    It hands each result to ``change``.
    """

    def __init__(
        self, monkeypatch, change=lambda call, value, gradient, weights: (value, gradient)
    ):
        self.calls, self.iterations = 0, []
        evaluate = Trainer.evaluate

        def watched(trainer, weights, trials, cost):
            found = evaluate(trainer, weights, trials, cost)
            self.calls += 1
            self.iterations.append(len(trainer.history))
            value, gradient = change(self.calls, found.value, found.gradient, weights)
            return replace(found, value=value, gradient=gradient)

        monkeypatch.setattr(Trainer, "evaluate", watched)


def interrupt_at(monkeypatch, number):
    def change(call, value, gradient, _):
        if call == number:
            raise KeyboardInterrupt
        return value, gradient

    return Watched(monkeypatch, change)


# --- learning -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "optimizer", "share"), [("reach", "adam", 0.8), ("circle", "soap", 0.3)]
)
def test_training_lowers_the_objective_on_held_out_movements(
    stages, monkeypatch, tmp_path, task, optimizer, share
):
    monkeypatch.setattr(Soap, "refresh", 20)
    half_second = {"first": (share, share), "second": (share, share)}
    stages(
        Stage(
            optimizer,
            120,
            batch_size=15,
            learning_rate=0.02,
            initial_target_radius=0.3,
            **half_second,
        )
    )
    wide = CostWeights(alpha=0.1, gamma=0.001, target_radius=0.2, brake_radius=0.2)
    begun = TrainConfig(
        task, network=NetworkConfig(6, time_constant=0.02), settling=0.1, seed=1, cost=wide
    )
    held_out = sample(
        np.random.default_rng(99),
        40,
        6,
        task=checkpoints.TASKS[task],
        arm=Arm(),
        sampling=Sampling(settling=0.1, **half_second),
    )
    trainer = Trainer(begun, tmp_path)
    before = trainer.evaluate(trainer.vector, held_out, wide).value
    trainer.run(progress=False)
    after = trainer.evaluate(trainer.vector, held_out, wide).value
    assert after < 0.8 * before


def test_line_searching_optimizers_lower_the_objective_in_every_iteration(stages, tmp_path):
    stages(
        Stage(
            "conjugate-gradient",
            15,
            batch_size=5,
            resample=False,
            initial_target_radius=0.0,
            **BRIEF,
        )
    )
    trainer = Trainer(config(cost=CostWeights(target_radius=0.3, brake_radius=0.3)), tmp_path)
    trainer.run(progress=False)
    values = [value for value, _ in trainer.history]
    assert (
        all(later <= earlier for earlier, later in itertools.pairwise(values))
        and values[-1] < 0.999 * values[0]
    )


@EVERY_RECIPE
def test_same_seed_gives_the_same_weights_and_another_others(stages, tmp_path, recipe):
    stages(*RECIPES[recipe])
    one, same, other = (
        train(config(seed), tmp_path / name, progress=False)
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert_same_run(one, same)
    assert not torch.equal(weights(one.network), weights(other.network))


def test_number_of_threads_does_not_change_the_result(adam, tmp_path):
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(train(config(), tmp_path / str(threads), progress=False))
    finally:
        torch.set_num_threads(before)
    assert_same_run(*results)


def test_a_process_that_compiles_computes_the_bits_of_one_that_finds_all_compiled(tmp_path):
    """A hundred movements, so that one other rounding in the physics or its adjoint shows."""
    script = """if True:
        import sys
        from rnn_controller.training.trainer import TrainConfig, Trainer
        trainer = Trainer(TrainConfig(), sys.argv[1])
        stage = trainer.stages[0]
        trials, cost = trainer._trials(stage), trainer.config.cost
        found = trainer.evaluate(trainer.vector, trials, cost)
        print(found.value.hex(), found.gradient.numpy().tobytes().hex())
    """
    command = [sys.executable, "-c", script, str(tmp_path / "run")]
    environment = {**os.environ, "ARM_ENV_CACHE": str(tmp_path / "cache")}
    compiled, loaded = (subprocess.check_output(command, env=environment) for _ in range(2))
    assert compiled == loaded


def test_fresh_movements_in_every_iteration_or_one_batch_for_the_stage(tmp_path):
    def drawn(stage, iteration):
        trainer = Trainer(config(), tmp_path)
        trainer.state = replace(trainer.state, iteration=iteration)
        return trainer._trials(stage)

    for name in ("x0", "y0", "commands", "noise"):
        assert not torch.equal(*(getattr(drawn(ADAM, i), name) for i in (0, 1)))
        assert torch.equal(*(getattr(drawn(CONJUGATE, i), name) for i in (0, 1)))


@EVERY_RECIPE
def test_history_holds_the_objective_of_each_iteration_at_its_own_target_radius(
    stages, monkeypatch, tmp_path, recipe
):
    stages(*RECIPES[recipe])
    trainer = Trainer(config(), tmp_path)
    points = []
    iterate = Trainer._iterate

    def recorded(self, stage):
        points.append((self.vector, self._trials(stage)))
        return iterate(self, stage)

    monkeypatch.setattr(Trainer, "_iterate", recorded)
    trainer.run(progress=False)
    for (w, movements), (value, radius) in zip(points, trainer.history, strict=True):
        cost = replace(trainer.config.cost, target_radius=radius)
        assert trainer.evaluate(w, movements, cost).value == value


@TASKS
def test_gradient_is_that_of_the_objective(begun, tmp_path):
    trainer = Trainer(begun, tmp_path)
    cost = replace(begun.cost, target_radius=0.3, brake_radius=0.3)
    movements = trainer._trials(CONJUGATE)
    w = trainer.vector
    gradient = trainer.evaluate(w, movements, cost).gradient
    direction = torch.randn(len(w), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ahead, behind = (
        trainer.evaluate(w + eps * direction, movements, cost).value for eps in (1e-6, -1e-6)
    )
    assert (ahead - behind) / 2e-6 == pytest.approx(float(gradient @ direction), rel=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_the_vector_that_is_optimised_stands_for_the_weights(tmp_path, bias):
    trainer = Trainer(replace(config(), network=NetworkConfig(3, bias=bias)), tmp_path)
    before = weights(trainer.network)
    trainer.coordinates.assign(trainer.vector + 1)
    assert not torch.allclose(weights(trainer.network), before)
    trainer.coordinates.assign(trainer.vector)
    torch.testing.assert_close(weights(trainer.network), before, rtol=1e-14, atol=1e-15)


def test_biases_stay_at_zero_without_bias(adam, tmp_path):
    unbiased = TrainConfig(network=NetworkConfig(3, bias=False), settling=0.1)
    network = train(unbiased, tmp_path, progress=False).network
    assert not network.neural_bias.any() and not network.motor_bias.any() and network.motor.any()


def test_log_receives_objective_and_radius_of_every_iteration(adam, tmp_path):
    rows = []
    trainer = Trainer(config(), tmp_path, lambda *row: rows.append(row))
    trainer.run(progress=False)
    for name, column in (("objective", 0), ("target_radius_m", 1)):
        expected = [(name, entry[column], i) for i, entry in enumerate(trainer.history)]
        assert [row for row in rows if row[0] == name] == expected


def test_tensorboard_holds_every_iteration(adam, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(config(), tmp_path, progress=False, tensorboard=True)
    written = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in written.Scalars("objective")] == list(range(ADAM.iterations))


@TASKS
def test_every_task_trains_on_movements_of_its_own(adam, tmp_path, begun):
    done = train(begun, tmp_path, progress=False)
    assert done.task == begun.task and done.weights == begun.cost
    assert done.network.command_size == checkpoints.TASKS[begun.task].command_size
    assert (
        torch.isfinite(done.tensors["history"]).all()
        and len(done.tensors["history"]) == ADAM.iterations
    )


def test_a_movement_is_on_target_by_its_own_last_fifth_of_a_second(tmp_path):
    """The first is on its target until the very end, the second until just before."""
    trainer = Trainer(config(), tmp_path)
    movements = sample(
        np.random.default_rng(3),
        2,
        3,
        task=Reach(),
        arm=Arm(),
        sampling=Sampling(settling=0.1, first=(1.0, 1.0), second=(0.5, 1.5)),
    )
    assert movements.lengths[0] != movements.lengths[1]
    x = torch.zeros(2, movements.commands.shape[1] + 1, 10, dtype=torch.float64)
    aside = movements.commands[:, -1, :2].clone()
    for b, (length, end) in enumerate(zip(movements.lengths.tolist(), (0, 15), strict=True)):
        x[b, :, :2] = torch.from_numpy(joint_angles(Arm(), aside[b].numpy()))
        x[b, length + 1 - end : length + 1, :2] = 0.5
        x[b, length + 1 :] = 0.0
    assert trainer.evaluator.share_on_target(x, movements) == 0.5


# --- schedule -------------------------------------------------------------------------------------


def test_target_radius_falls_geometrically_from_the_widest_to_the_exact_final_one():
    stage = Stage(initial_target_radius=0.3, anneal_fraction=0.8)
    assert stage.target_radius(0.0, 0.04) == pytest.approx(0.3, rel=1e-15)
    assert stage.target_radius(0.4, 0.04) == pytest.approx((0.3 * 0.04) ** 0.5, rel=1e-12)
    assert stage.target_radius(0.8, 0.04) == stage.target_radius(1.0, 0.04) == 0.04


def test_target_radius_never_starts_below_the_final_one():
    assert Stage(initial_target_radius=0.01).target_radius(0.0, 0.04) == 0.04


@EVERY_RECIPE
def test_radius_only_narrows_within_a_stage_and_ends_on_the_exact_one(stages, tmp_path, recipe):
    stages(*RECIPES[recipe])
    trainer = Trainer(config(), tmp_path)
    trainer.run(progress=False)
    radii = iter([radius for _, radius in trainer.history])
    for stage in RECIPES[recipe]:
        part = list(itertools.islice(radii, stage.iterations))
        assert all(later <= earlier for earlier, later in itertools.pairwise(part))
        assert part[-1] == trainer.config.cost.target_radius


@pytest.mark.parametrize("iterations", [2, 3, 10])
@pytest.mark.parametrize("fraction", [0.5, 0.8, 1.0])
def test_a_run_of_any_length_ends_on_the_exact_radius(stages, tmp_path, iterations, fraction):
    stages(
        Stage(
            "adam", 100, batch_size=2, initial_target_radius=0.3, anneal_fraction=fraction, **BRIEF
        )
    )
    trainer = Trainer(config(iterations=iterations), tmp_path)
    trainer.run(progress=False)
    assert trainer.history[0][1] > trainer.history[-1][1] == trainer.config.cost.target_radius


@pytest.mark.parametrize("iterations", [2, 5, 7, 100, 1000])
def test_iterations_stretch_or_shrink_the_recipe_to_that_many_in_all(stages, iterations):
    stages(ADAM, CONJUGATE)
    assert sum(stage.iterations for stage in config(iterations=iterations).stages()) == iterations


def test_without_iterations_the_recipe_is_as_written(stages):
    stages(ADAM, CONJUGATE)
    assert config().stages() == (ADAM, CONJUGATE)


@pytest.mark.parametrize("recipe", training.RECIPES)
def test_every_recipe_ends_on_the_exact_radius(recipe):
    last = training.RECIPES[recipe][-1]
    assert last.target_radius((last.iterations - 1) / last.iterations, 0.04) == 0.04


# --- interrupts -----------------------------------------------------------------------------------


def places(iterations):
    """Calls of evaluate (from 1) at which to interrupt.

    They are the first, the last, some between, and some inside each line search.
    """
    within = [
        n
        for n in range(2, len(iterations))
        if iterations[n - 2] == iterations[n - 1] == iterations[n]
    ]
    return sorted(
        {1, 2, len(iterations) // 2, len(iterations), *within[:: max(1, len(within) // 3)]}
    )


def test_an_interrupted_run_on_circles_goes_on_to_the_same(stages, monkeypatch, tmp_path):
    stages(SOAP, CONJUGATE)
    with monkeypatch.context() as patch:
        watched = Watched(patch)
        whole = train(circling(), tmp_path / "whole", progress=False)
    for number in (1, 5, watched.calls // 2, watched.calls):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt_at(patch, number)
            train(circling(), tmp_path / f"at {number}", progress=False)
        assert_same_run(
            train(circling(), tmp_path / f"at {number}", resume=True, progress=False), whole
        )


class InterruptedAt:
    """Ctrl-C at the n-th line that ``Trainer._iterate`` executes; keeps the lines' numbers."""

    def __init__(self, number=math.inf):
        self.number, self.lines = number, []

    def __enter__(self):
        sys.settrace(
            lambda frame, event, _: (
                self.trace if frame.f_code is Trainer._iterate.__code__ else None
            )
        )
        return self

    def trace(self, frame, event, argument):
        if event == "line":
            self.lines.append(frame.f_lineno)
            if len(self.lines) == self.number:
                raise KeyboardInterrupt
        return self.trace

    def __exit__(self, *_):
        sys.settrace(None)


def test_an_interrupt_at_any_line_of_an_iteration_loses_nothing(stages, tmp_path):
    """At the last time but one that each is executed."""
    stages(replace(SOAP, iterations=2), replace(CONJUGATE, iterations=3))
    with InterruptedAt() as watched:
        whole = train(config(), tmp_path / "whole", progress=False)
    times = {
        line: [n for n, other in enumerate(watched.lines, 1) if other == line]
        for line in watched.lines
    }
    assert len(times) > 25
    for number in {executed[-2:][0] for executed in times.values()}:
        with pytest.raises(KeyboardInterrupt), InterruptedAt(number):
            train(config(), tmp_path / str(number), progress=False)
        left = load_checkpoint(tmp_path / str(number))
        assert len(left.tensors["history"]) == left.training["state"]["done"]
        assert_same_run(train(config(), tmp_path / str(number), resume=True, progress=False), whole)


@EVERY_RECIPE
def test_interrupted_and_resumed_is_the_same_as_in_one_go(stages, monkeypatch, tmp_path, recipe):
    stages(*RECIPES[recipe])
    with monkeypatch.context() as patch:
        watched = Watched(patch)
        whole = train(config(), tmp_path / "whole", progress=False)
    for number in places(watched.iterations):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt_at(patch, number)
            train(config(), tmp_path / f"at {number}", progress=False)
        resumed = train(config(), tmp_path / f"at {number}", resume=True, progress=False)
        assert_same_run(resumed, whole)


def test_the_interrupts_tried_include_the_middle_of_line_searches_and_both_stages(
    stages, monkeypatch, tmp_path
):
    stages(*RECIPES["three stages"])
    watched = Watched(monkeypatch)
    train(config(), tmp_path, progress=False)
    tried = [watched.iterations[n - 1] for n in places(watched.iterations)]
    longest = max(len(list(group)) for _, group in itertools.groupby(watched.iterations))
    assert longest >= 3 and min(tried) < 6 and max(tried) >= 12


@pytest.mark.parametrize("recipe", ["adam", "conjugate-gradient", "two stages"])
def test_a_run_interrupted_after_every_iteration_ends_the_same(
    stages, monkeypatch, tmp_path, recipe
):
    stages(*RECIPES[recipe])
    whole = train(config(), tmp_path / "whole", progress=False)
    with monkeypatch.context() as patch:
        interrupt_after_each_iteration(patch)
        for i in range(len(whole.tensors["history"])):
            with pytest.raises(KeyboardInterrupt):
                train(config(), tmp_path / "parts", resume=i > 0, progress=False)
    final = train(config(), tmp_path / "parts", resume=True, progress=False)
    assert_same_run(final, whole)


@pytest.mark.parametrize("recipe", ["adam", "conjugate-gradient"])
def test_an_interrupt_while_logging_loses_nothing(stages, tmp_path, recipe):
    stages(*RECIPES[recipe])
    whole = train(config(), tmp_path / "whole", progress=False)

    def interrupting(name, value, step):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(config(), tmp_path / "part", interrupting).run(progress=False)
    assert_same_run(train(config(), tmp_path / "part", resume=True, progress=False), whole)


def test_ctrl_c_leaves_a_checkpoint_that_loads_and_runs(adam, monkeypatch, tmp_path):
    interrupt_at(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path, progress=False)
    left = load_checkpoint(tmp_path)
    action, _ = Policy(left.network, left.arm).predict(np.zeros((2, 20)))
    assert action.shape == (2, 6) and len(left.tensors["history"]) == 2


def test_what_an_interrupt_leaves_is_no_point_of_a_line_search(stages, monkeypatch, tmp_path):
    stages(CONJUGATE)
    seen = []

    def change(call, value, gradient, w):
        seen.append(w.clone())
        if call == 2:  # the first trial of the first line search
            raise KeyboardInterrupt
        return value, gradient

    Watched(monkeypatch, change)
    trainer = Trainer(config(), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(progress=False)
    left = load_checkpoint(tmp_path)
    assert torch.equal(left.tensors["vector"], seen[0]) and not torch.equal(seen[0], seen[1])
    trainer.coordinates.assign(seen[0])
    assert torch.equal(weights(left.network), weights(trainer.network))


def test_a_finished_run_resumed_is_left_as_it_is(adam, monkeypatch, tmp_path):
    done = train(config(), tmp_path, progress=False)
    watched = Watched(monkeypatch)
    assert_same_run(train(config(), tmp_path, resume=True, progress=False), done)
    assert watched.calls == 0


def test_long_runs_are_saved_on_the_way(adam, monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    lengths = []

    def change(call, value, gradient, _):
        if call > 1:
            lengths.append(len(load_checkpoint(tmp_path).tensors["history"]))
        return value, gradient

    Watched(monkeypatch, change)
    train(config(), tmp_path, progress=False)
    assert lengths == list(range(1, ADAM.iterations))


# --- what a run refuses ---------------------------------------------------------------------------


def test_a_run_is_not_overwritten(adam, tmp_path):
    train(config(), tmp_path, progress=False)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match=r"checkpoint\.safetensors exists: .*--resume"):
        train(config(seed=2), tmp_path, progress=False)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 7}, "seed 1 there, 7 here"),
        ({"beta": 0.5}, "beta .* there, 0.5 here"),
        ({"iterations": 3}, "iterations None there, 3 here"),
        ({"noise": 0.1, "beta": 0.5}, "noise .* there, 0.1 here; beta"),
        ({"cost": CostWeights(alpha=3.21)}, r"cost .*there.*alpha=3\.21.*here"),
    ],
)
def test_resume_with_another_configuration_is_refused_naming_the_difference(
    adam, tmp_path, change, text
):
    train(config(), tmp_path, progress=False)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ValueError, match=f"another configuration: .*{text}"):
        train(replace(config(), **change), tmp_path, resume=True, progress=False)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


# --- extending a run ------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["adam", "soap", "conjugate-gradient"])
def test_a_run_that_has_ended_can_be_extended(stages, tmp_path, capsys, recipe):
    stages(*RECIPES[recipe])
    done = train(config(iterations=3), tmp_path, progress=False)
    more = train(config(iterations=6), tmp_path, resume=True, progress=False)
    said = [
        line
        for line in capsys.readouterr().err.splitlines()
        if "iteration 1: the network is dead" not in line
    ]
    assert len(said) == 1 and said[0].startswith(
        f"the run in {tmp_path} goes on from iteration 3 to 6 instead of 3: "
    )
    assert ("the learning rate goes from 0 to 50 % of that at the start" in said[0]) == (
        recipe != "conjugate-gradient"
    )
    assert more.training["config"]["iterations"] == 6 and more.training["extended"] == [[3, 3]]
    history = more.tensors["history"]
    assert len(history) == 6 and torch.equal(history[:3], done.tensors["history"])
    assert not torch.equal(weights(more.network), weights(done.network))
    again = train(config(iterations=6), tmp_path, resume=True, progress=False)
    assert_same_run(again, more)
    assert not capsys.readouterr().err and again.training["extended"] == [[3, 3]]


def test_a_run_that_goes_on_can_be_extended_and_interrupted(adam, monkeypatch, tmp_path, capsys):
    for name, kills in (("whole", 1), ("cut", 3)):
        for number in range(kills):
            given = config(iterations=4 if number == 0 else 9)
            with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
                interrupt_after_each_iteration(patch)
                train(given, tmp_path / name, resume=number > 0, progress=False)
    runs = [
        train(config(iterations=9), tmp_path / name, resume=True, progress=False)
        for name in ("whole", "cut")
    ]
    assert_same_run(*runs)
    assert [run.training["extended"] for run in runs] == [[[1, 4]], [[1, 4]]]


def test_what_can_not_be_extended_is_refused(stages, tmp_path):
    stages(ADAM)
    train(config(iterations=4), tmp_path / "one", progress=False)
    for changes in ({"iterations": 3}, {"iterations": 8, "beta": 0.5}):
        with pytest.raises(ValueError, match="another configuration: "):
            train(replace(config(), **changes), tmp_path / "one", resume=True, progress=False)
    stages(ADAM, CONJUGATE)
    train(config(iterations=4), tmp_path / "two", progress=False)
    with pytest.raises(ValueError, match="another configuration: iterations 4 there, 8 here"):
        train(config(iterations=8), tmp_path / "two", resume=True, progress=False)


@pytest.mark.parametrize("told", [7, [7], [[1]], [[1, -2]], [[1, 2.5]], "ab"])
def test_extensions_that_are_none_are_refused(adam, tmp_path, told):
    trainer = Trainer(config(), tmp_path)
    trainer.extended = told
    trainer.save()
    with pytest.raises(CheckpointError, match="no training run to resume: extended must be"):
        Trainer.resume(tmp_path)


# --- what else is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "now",
    [
        (CONJUGATE,),
        (replace(ADAM, learning_rate=0.02),),
        (replace(ADAM, first=(0.1, 0.41)),),
        (replace(ADAM, iterations=7),),
        (ADAM, CONJUGATE),
    ],
    ids=["optimizer", "rate", "holds", "iterations", "stages"],
)
def test_resume_is_refused_if_the_recipe_has_changed_since(stages, monkeypatch, tmp_path, now):
    stages(ADAM)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(patch, 3)
        train(config(), tmp_path, progress=False)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    stages(*now)
    with pytest.raises(
        CheckpointError, match=f"recipe 'default' is no longer what {tmp_path} was begun with"
    ):
        train(config(), tmp_path, resume=True, progress=False)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    stages(ADAM)
    train(config(), tmp_path, resume=True, progress=False)


@pytest.mark.parametrize("beta", [0.0, math.inf])
def test_the_extremes_of_risk_sensitivity_train_and_resume(adam, monkeypatch, tmp_path, beta):
    whole = train(config(beta=beta), tmp_path / "whole", progress=False)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_at(patch, 3)
        train(config(beta=beta), tmp_path / "part", progress=False)
    assert_same_run(train(config(beta=beta), tmp_path / "part", resume=True, progress=False), whole)


def test_resume_without_a_checkpoint_is_refused(adam, tmp_path):
    with pytest.raises(CheckpointError, match=f"there is no checkpoint '{tmp_path / 'nothing'}"):
        train(config(), tmp_path / "nothing", resume=True, progress=False)
    assert not (tmp_path / "nothing").exists()


def test_resume_of_a_controller_without_training_state_is_refused(adam, tmp_path):
    network = RecurrentController(NetworkConfig(3), 2, torch.Generator().manual_seed(1))
    Checkpoint(network).save(tmp_path / "checkpoint.safetensors")
    with pytest.raises(CheckpointError, match=f"{tmp_path} holds no training run to resume"):
        train(config(), tmp_path, resume=True, progress=False)


def test_resume_takes_the_run_in_the_folder_and_no_shipped_controller_of_that_name(
    adam, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    done = train(config(), "reach", progress=False)
    monkeypatch.setattr(checkpoints, "TRAINED", tmp_path / "trained")
    network = RecurrentController(NetworkConfig(3), 2, torch.Generator().manual_seed(1))
    Checkpoint(network).save(tmp_path / "trained" / "reach.safetensors")
    assert_same_run(train(config(), "reach", resume=True, progress=False), done)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"optimizer": "sgd"}, "unknown optimizer 'sgd': choose one of .*adam"),
        ({"iterations": 0}, "^iterations must be a whole number from 1 to "),
        ({"batch_size": 0}, "^batch_size must be a whole number from 1 to "),
        ({"optimizer": "conjugate-gradient"}, "conjugate-gradient .*needs resample=False"),
        ({"anneal_fraction": 0.0}, "anneal_fraction"),
        ({"anneal_fraction": -1.0}, "anneal_fraction"),
    ],
)
def test_impossible_stages_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Stage(**arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"task": "juggle"}, "unknown task 'juggle': choose one of .*reach"),
        ({"recipe": "grandmother's"}, "unknown recipe .*: choose one of .*default"),
        ({"beta": -1.0}, "beta"),
        ({"beta": math.nan}, "beta"),
        ({"noise": -0.1}, "noise"),
        ({"settling": -0.1}, "settling"),
        ({"settling": math.nan}, "settling"),
        ({"iterations": 0}, "^iterations must be a whole number from 1 to "),
        ({"batch_size": 0}, "^batch_size must be a whole number from 1 to "),
    ],
)
def test_impossible_configurations_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        TrainConfig(**arguments)


# --- what can go wrong ----------------------------------------------------------------------------


@EVERY_RECIPE
@pytest.mark.parametrize("broken", ["value", "gradient"])
def test_a_single_objective_that_is_not_finite_is_reported_and_trained_over(
    stages, monkeypatch, tmp_path, capsys, recipe, broken
):
    stages(*RECIPES[recipe])

    def change(call, value, gradient, _):
        if call != 1:
            return value, gradient
        return (math.nan, gradient) if broken == "value" else (value, gradient * math.nan)

    Watched(monkeypatch, change)
    done = train(config(), tmp_path, progress=False)
    assert "iteration 0: the objective or its gradient is not finite" in "".join(
        capsys.readouterr()
    )
    assert len(done.tensors["history"]) == sum(stage.iterations for stage in RECIPES[recipe])
    assert torch.isfinite(weights(done.network)).all()
    assert not torch.equal(
        weights(done.network), weights(Trainer(config(), tmp_path / "new").network)
    )


@EVERY_RECIPE
def test_a_point_where_the_objective_is_not_finite_is_left_again(
    stages, monkeypatch, tmp_path, recipe
):
    stages(*RECIPES[recipe])
    bad = []

    def change(call, value, gradient, w):
        if call == 2:
            bad.append(w.clone())
        return (math.nan if bad and torch.equal(w, bad[0]) else value), gradient

    Watched(monkeypatch, change)
    done = train(config(), tmp_path, progress=False)
    assert torch.isfinite(done.tensors["history"][-1]).all()
    assert not torch.equal(done.tensors["vector"], bad[0])


def silence(trainer, weight, bias):
    """No muscle is ever excited, however lively the neurons."""
    with torch.no_grad():
        trainer.network.motor.fill_(weight)
        trainer.network.reflex.zero_()
        trainer.network.motor_bias.fill_(bias)
    trainer.state = replace(trainer.state, vector=trainer.coordinates.vector())


@pytest.mark.parametrize("bias", [-0.05, -1.0, -100.0])
@pytest.mark.parametrize("recipe", ["adam", "conjugate-gradient"])
def test_a_dead_network_is_reported_and_revived(stages, tmp_path, capsys, recipe, bias):
    stages(*RECIPES[recipe])
    trainer = Trainer(config(), tmp_path)
    silence(trainer, bias, bias)
    trainer.run(progress=False)
    assert "the network is dead: no muscle is excited in any movement" in "".join(
        capsys.readouterr()
    )
    found = trainer.evaluate(trainer.vector, trainer._trials(ADAM), trainer.config.cost)
    assert found.failure is None


def test_a_dead_network_without_bias_is_revived_without_one(adam, tmp_path, capsys):
    trainer = Trainer(TrainConfig(network=NetworkConfig(3, bias=False), settling=0.1), tmp_path)
    silence(trainer, -0.05, 0.0)
    trainer.run(progress=False)
    assert "the network is dead" in "".join(capsys.readouterr())
    found = trainer.evaluate(trainer.vector, trainer._trials(ADAM), trainer.config.cost)
    assert found.failure is None and not trainer.network.motor_bias.any()


def test_a_lively_network_is_not_taken_for_dead(adam, tmp_path, capsys):
    train(config(), tmp_path, progress=False)
    assert "".join(capsys.readouterr()) == ""


@pytest.mark.parametrize("recipe", ["adam", "conjugate-gradient"])
def test_an_exploding_neural_state_is_reported(stages, tmp_path, capsys, recipe):
    stages(*RECIPES[recipe])
    trainer = Trainer(config(iterations=20), tmp_path)
    with torch.no_grad():
        trainer.network.recurrent.copy_(20 * torch.eye(3))
    trainer.state = replace(trainer.state, vector=trainer.coordinates.vector())
    with contextlib.suppress(TrainingError):  # there may be nothing to go back to
        trainer.run(progress=False)
    assert "iteration 0: the neural state exceeds 10000" in "".join(capsys.readouterr())
    assert torch.isfinite(load_checkpoint(tmp_path).tensors["vector"]).all()


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "one target width"])
def test_lasting_failure_ends_the_run_with_a_sound_checkpoint(
    stages, monkeypatch, tmp_path, recipe
):
    stages(*RECIPES[recipe])

    def change(call, value, gradient, _):
        return (value if call <= 4 else math.nan), gradient

    Watched(monkeypatch, change)
    with pytest.raises(
        TrainingError, match=r"not finite, .* times in a row; the last finite weights.*checkpoint"
    ):
        train(config(iterations=40), tmp_path, progress=False)
    left = load_checkpoint(tmp_path)
    assert torch.isfinite(weights(left.network)).all()


def test_a_line_search_among_values_that_are_not_finite_stays_put(stages, monkeypatch, tmp_path):
    stages(*RECIPES["one target width"])
    Watched(
        monkeypatch, lambda call, value, gradient, _: (value if call == 1 else math.nan, gradient)
    )
    with contextlib.suppress(TrainingError):  # an honest end too
        train(config(), tmp_path, progress=False)
    start = Trainer(config(), tmp_path / "new").vector
    assert torch.equal(load_checkpoint(tmp_path).tensors["vector"], start)


def test_a_line_search_turns_back_where_the_neural_state_explodes(stages, monkeypatch, tmp_path):
    """It explodes, here, half-way to the first point that the line search tries."""
    stages(
        Stage(
            "conjugate-gradient",
            5,
            batch_size=3,
            resample=False,
            initial_target_radius=0.0,
            **BRIEF,
        )
    )
    trainer = Trainer(config(cost=CostWeights(target_radius=0.3, brake_radius=0.3)), tmp_path)
    start = weights(trainer.network)
    rollout = pontryagin.rollout
    distances = []

    def explosive(network, *arguments):
        x, u, y = rollout(network, *arguments)
        distances.append((weights(network) - start).norm())
        return x, u, y * 1e9 if distances[-1] > distances[min(1, len(distances) - 1)] / 2 > 0 else y

    monkeypatch.setattr(pontryagin, "rollout", explosive)
    trainer.run(progress=False)
    left = (weights(load_checkpoint(tmp_path).network) - start).norm()
    assert 1e-3 * distances[1] < left <= distances[1] / 2


def nothing_is_lower_than(start):
    """A change for ``Watched``: the objective is 1 at the start and 2 elsewhere."""
    return lambda call, value, gradient, w: (1.0 if torch.equal(w, start) else 2.0, gradient)


def test_a_stage_whose_line_search_finds_nothing_any_more_ends(
    stages, monkeypatch, tmp_path, capsys
):
    stages(
        Stage(
            "conjugate-gradient",
            40,
            batch_size=2,
            resample=False,
            initial_target_radius=0.0,
            **BRIEF,
        ),
        replace(ADAM, iterations=3),
    )
    trainer = Trainer(config(), tmp_path)
    Watched(monkeypatch, nothing_is_lower_than(trainer.vector))
    done = trainer.run(progress=False)
    assert len(done.tensors["history"]) == training.PATIENCE + 3
    said = "".join(capsys.readouterr())
    assert (
        "the line search finds no lower objective; conjugate-gradient ends here" in said
        and said.count("\n") == 1
    )


def test_a_stage_is_not_given_up_while_its_target_narrows(stages, monkeypatch, tmp_path, capsys):
    stages(replace(CONJUGATE, iterations=2 * training.PATIENCE, anneal_fraction=1.0))
    trainer = Trainer(config(), tmp_path)
    Watched(monkeypatch, nothing_is_lower_than(trainer.vector))
    assert len(trainer.run(progress=False).tensors["history"]) == 2 * training.PATIENCE
    assert "no descent" not in "".join(capsys.readouterr())


def test_stalls_are_counted_across_a_resume(stages, monkeypatch, tmp_path):
    stages(
        Stage(
            "conjugate-gradient",
            40,
            batch_size=2,
            resample=False,
            initial_target_radius=0.0,
            **BRIEF,
        )
    )
    Watched(monkeypatch, nothing_is_lower_than(Trainer(config(), tmp_path).vector))
    with monkeypatch.context() as patch:
        interrupt_after_each_iteration(patch)
        for i in range(3):
            with pytest.raises(KeyboardInterrupt):
                train(config(), tmp_path, resume=i > 0, progress=False)
    done = train(config(), tmp_path, resume=True, progress=False)
    assert len(done.tensors["history"]) == training.PATIENCE


def test_what_lasting_failure_leaves_is_a_point_with_a_finite_objective(
    adam, monkeypatch, tmp_path
):
    start = Trainer(config(), tmp_path).vector

    def finite(w):
        return (w - start).abs().max() < 1e-9

    Watched(monkeypatch, lambda _, value, gradient, w: (value if finite(w) else math.nan, gradient))
    with pytest.raises(TrainingError):
        train(config(iterations=40), tmp_path, progress=False)
    assert finite(load_checkpoint(tmp_path).tensors["vector"])


def test_a_failure_is_counted_across_a_resume(adam, monkeypatch, tmp_path):
    def change(call, value, gradient, _):
        if call == 3:
            raise KeyboardInterrupt
        return math.nan, gradient

    watched = Watched(monkeypatch, change)
    with pytest.raises(KeyboardInterrupt):
        train(config(iterations=40), tmp_path, progress=False)
    with pytest.raises(TrainingError, match=f"{training.PATIENCE + 1} times in a row"):
        train(config(iterations=40), tmp_path, resume=True, progress=False)
    assert watched.calls == 1 + training.PATIENCE + 1


def test_an_output_that_can_be_no_folder_is_refused_before_any_training(
    adam, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("in the way")
    watched = Watched(monkeypatch)
    with pytest.raises(OSError):
        train(config(), tmp_path / "file" / "run", progress=False)
    assert watched.calls == 0


def test_a_batch_of_any_size_is_computed_in_parts(monkeypatch, tmp_path):
    trainer = Trainer(config(0), tmp_path)
    m = sample(
        np.random.default_rng(0),
        11,
        trainer.config.network.neurons,
        task=trainer.task,
        arm=trainer.arm,
    )
    whole = trainer.evaluate(trainer.vector, m, trainer.config.cost)
    monkeypatch.setattr(evaluation, "TOGETHER", 4)
    parts = trainer.evaluate(trainer.vector, m, trainer.config.cost)
    assert parts.value == pytest.approx(whole.value, rel=1e-12)
    assert parts.steps == whole.steps == int(m.lengths.sum())
    assert parts.on_target == pytest.approx(whole.on_target, rel=1e-12)
    torch.testing.assert_close(parts.gradient, whole.gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "network",
    [
        NetworkConfig(3),
        NetworkConfig(4, bias=False),
        ModuleConfig("gru", 3),
        ModuleConfig("mlp", 3),
    ],
)
def test_blocks_of_large_networks_hold_every_weight_once(network, monkeypatch, tmp_path):
    monkeypatch.setattr(optimizers, "MOST_TOGETHER", 10)
    trainer = Trainer(replace(config(0), network=network), tmp_path)
    number = len(trainer.vector)
    held = trainer._blocks[trainer._blocks < number]
    assert sorted(held.tolist()) == list(range(number))
    if isinstance(network, NetworkConfig):  # a unit's block is what that unit receives
        names = trainer.coordinates.parts(torch.arange(number))
        n = network.neurons
        for unit, row in enumerate(trainer._blocks[:n]):
            received = [
                names[name].reshape(n, -1)[unit] for name in ("recurrent", "sensory", "command")
            ]
            assert set(torch.cat(received).tolist()) <= set(row.tolist())


def test_a_large_network_resumes_in_blocks_where_an_uninterrupted_run_ends(monkeypatch, tmp_path):
    monkeypatch.setattr(optimizers, "MOST_TOGETHER", 10)
    monkeypatch.setattr(Soap, "refresh", 2)
    monkeypatch.setitem(training.RECIPES, "default", (SOAP,))
    whole = train(config(0), tmp_path / "whole", progress=False)
    begun = Trainer(config(0), tmp_path / "cut")
    for _ in range(3):
        begun._iterate(begun.stages[0])
    begun.save()
    cut = train(config(0), tmp_path / "cut", resume=True, progress=False)
    assert all(
        torch.equal(a, b)
        for a, b in zip(cut.network.parameters(), whole.network.parameters(), strict=True)
    )


def test_neurons_and_muscles_that_fall_silent_get_another_chance(tmp_path):
    """Neuron 0 changes nothing when it is woken, and muscle 1 is excited again.

    The others keep their weights.
    """
    trainer = Trainer(TrainConfig(network=NetworkConfig(4), settling=0.1), tmp_path)
    network = trainer.network
    movements = trainer._trials(ADAM)
    with torch.no_grad():
        for weights in (network.recurrent, network.sensory, network.command):
            weights[0] = 0.0
        network.neural_bias[0], network.neural_bias[1:] = -1.0, 3.0  # the others fire
        network.motor[1], network.reflex[1], network.motor_bias[1] = 0.0, 0.0, -1.0
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    _, u, _ = trainer.evaluator.rollout(movements)
    assert not (u[..., 1] > 0).any() and (u[..., 0] > 0).any()
    vector, steps = repair.with_silent_units_woken(
        trainer.coordinates.vector(), movements, trainer.evaluator, trainer._untrained(1)
    )
    assert steps == movements.lengths.sum()
    trainer.coordinates.assign(vector)
    _, u, _ = trainer.evaluator.rollout(movements)
    assert (u[..., 1] > trainer.arm.tone).any()
    assert (
        (network.sensory[0] != 0).all()
        and not network.recurrent[:, 0].any()
        and not network.motor[:, 0].any()
    )
    kept = [0, 2, 3, 4, 5]
    torch.testing.assert_close(network.motor[kept, 1:], before["motor"][kept, 1:])
    torch.testing.assert_close(network.reflex[kept], before["reflex"][kept])
    torch.testing.assert_close(network.sensory[1:], before["sensory"][1:])


def test_a_gpu_trains_to_the_same_weights_up_to_rounding(tmp_path):
    config = TrainConfig(network=NetworkConfig(neurons=3), iterations=1, batch_size=2)
    ends = [
        train(config, tmp_path / device, progress=False, device=device).network.state_dict()
        for device in ("cpu", "cuda")
    ]
    for name, weight in ends[0].items():
        torch.testing.assert_close(ends[1][name], weight, rtol=1e-9, atol=1e-11)


def test_a_gpu_that_is_not_there_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="needs an NVIDIA GPU"):
        train(TrainConfig(), tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()
