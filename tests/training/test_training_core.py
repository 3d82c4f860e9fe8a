"""What training is made of: pure evaluations, failures, networks that say how they are trained, and
the names that settings had before.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from arm_env.checked import with_present_names
from rnn_controller import commands
from rnn_controller.checkpoint import CheckpointError, load_checkpoint
from rnn_controller.networks.coordinates import Coordinates, FlatWeights
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.training.evaluation import Failure, failure_of
from rnn_controller.training.resuming import stored_training
from rnn_controller.training.trainer import (
    DEFAULTS,
    RECIPES,
    Evaluation,
    Stage,
    TrainConfig,
    Trainer,
    train,
)

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / "benchmarks/results/runs").glob("*/checkpoint.safetensors"))
SHIPPED = sorted((ROOT / "rnn_controller/trained").glob("*.safetensors"))
NETWORKS = {
    "rnn": NetworkConfig(3),
    "unbiased": NetworkConfig(3, bias=False),
    "gru": ModuleConfig("gru", 3),
    "mlp": ModuleConfig("mlp", 3),
}
EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS)
BRIEF = Stage("soap", 4, batch_size=3, first=(0.1, 0.4), second=(0.2, 0.5))


@pytest.fixture
def trainer(monkeypatch, tmp_path):
    """Begins a short run of a network."""
    monkeypatch.setitem(RECIPES, "default", (BRIEF,))
    return lambda network: Trainer(
        TrainConfig(network=NETWORKS[network], settling=0.1, seed=1), tmp_path / "run"
    )


# --- evaluation -----------------------------------------------------------------------------------


def everything(trainer):
    """All that an evaluation might change."""
    return {
        **{name: value.clone() for name, value in trainer.network.state_dict().items()},
        "rest": {k: v for k, v in trainer.__dict__.items() if k not in ("network", "coordinates")},
    }


@EVERY_NETWORK
def test_an_evaluation_is_repeatable_and_changes_nothing(trainer, network):
    run = trainer(network)
    trials = run._trials(BRIEF)
    other = run.vector + 0.1
    before = everything(run)
    one, elsewhere, same = (
        run.evaluate(vector, trials, run.config.cost) for vector in (run.vector, other, run.vector)
    )
    after = everything(run)
    assert before.pop("rest") == after.pop("rest")
    assert all(parameter.grad is None for parameter in run.network.parameters())
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert torch.equal(one.gradient, same.gradient)
    assert replace(one, gradient=same.gradient) == same
    assert one.value != elsewhere.value and one.failure is None
    assert one.steps == int(trials.lengths.sum()) and 0 <= one.on_target <= 1


def test_an_evaluation_that_is_interrupted_gives_the_weights_back(trainer, monkeypatch):
    run = trainer("rnn")
    before = run.coordinates.vector()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(run.evaluator), "rollout", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.evaluate(run.vector + 1, run._trials(BRIEF), run.config.cost)
    assert torch.equal(run.coordinates.vector(), before)


def spoilt(run, failure):
    """A vector whose evaluation fails so."""
    network = run.network
    with torch.no_grad():
        if failure is Failure.SILENT:
            network.motor.fill_(-1)
            network.reflex.zero_()
            network.motor_bias.fill_(-1)
        elif failure is Failure.EXPLODED:
            network.recurrent.copy_(100 * torch.eye(3))
            network.neural_bias.fill_(1)
        else:
            network.motor.fill_(1e200)
    return run.coordinates.vector()


@pytest.mark.parametrize("failure", Failure)
def test_each_failure_is_told_from_the_others(trainer, failure):
    run = trainer("rnn")
    found = run.evaluate(spoilt(run, failure), run._trials(BRIEF), run.config.cost)
    assert found.failure is failure
    if failure is Failure.EXPLODED:
        assert found.value == float("inf")


def evaluation(failure):
    return Evaluation(1.0, torch.ones(2), failure, 0.0, 1)


@pytest.mark.parametrize(
    ("value", "end", "met", "expected"),
    [
        (1.0, 0.0, [None], None),
        (1.0, 0.0, [Failure.EXPLODED, Failure.NOT_FINITE, None], None),  # a line search turned back
        (float("inf"), 0.0, [Failure.EXPLODED, None], Failure.EXPLODED),
        (float("nan"), 0.0, [None], Failure.NOT_FINITE),
        (1.0, float("nan"), [None], Failure.NOT_FINITE),
        (1.0, 0.0, [None, Failure.SILENT], Failure.SILENT),
        (1.0, 0.0, [Failure.SILENT, None], None),
    ],
)
def test_what_a_step_begins_with_and_leads_to_decides(value, end, met, expected):
    seen = [evaluation(failure) for failure in met]
    assert failure_of(value, torch.full((2,), end), seen) is expected


@EVERY_NETWORK
def test_a_network_says_how_it_is_trained(trainer, network):
    run = trainer(network)
    module = run.network
    recurrent = isinstance(NETWORKS[network], NetworkConfig)
    assert type(run.coordinates) is (Coordinates if recurrent else FlatWeights)
    drawn = torch.rand(4, 3, dtype=torch.float64)
    start = module.training_state(drawn)
    assert start.shape == (4, module.state_size) and torch.equal(start, drawn) == recurrent
    assert recurrent or not start.any()
    assert module.can_fall_silent == recurrent
    before = run.coordinates.vector()
    other = run._untrained(1)
    assert module.revive(other) == recurrent
    assert torch.equal(run.coordinates.vector(), before) == (not recurrent)
    if recurrent:
        assert torch.equal(module.motor, other.motor)


def test_neurons_that_are_never_exactly_silent_are_not_woken(trainer):
    network = replace(NETWORKS["rnn"], activation="tanh")
    assert not Trainer(TrainConfig(network=network), "nowhere").network.can_fall_silent


# --- the same runs as ever ------------------------------------------------------------------------

REFERENCE = {
    "reach": ("0x1.e4af3a7bd603dp+1", "0x1.5895ed23ad301p+2"),
    "gru": ("0x1.37f3c7addba14p+2", "0x1.3a19034e13b8bp+4"),
}
CONFIGS = {
    "reach": replace(DEFAULTS["reach"], batch_size=20, iterations=3),
    "gru": replace(DEFAULTS["reach"], network=ModuleConfig("gru"), batch_size=10, iterations=4),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_a_run_ends_where_it_did_before_the_trainer_was_taken_apart(tmp_path, name):
    """The last objective and the norm of the vector, to more digits than another order of draws or
    another schedule would leave; compilers may differ in the last ones.
    """
    done = train(CONFIGS[name], tmp_path, progress=False)
    found = float(done.tensors["history"][-1, 0]), float(done.tensors["vector"].norm())
    assert found == pytest.approx(tuple(map(float.fromhex, REFERENCE[name])), rel=1e-11)


# --- earlier names --------------------------------------------------------------------------------

STAGE = {present: earlier for earlier, present in Stage.earlier_names.items()}
CONFIG = {present: earlier for earlier, present in TrainConfig.earlier_names.items()}


def with_earlier_names(path):
    """Rewrite a checkpoint as the versions before wrote it."""
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    training = json.loads(metadata["training"])
    training["position"] = training.pop("state")
    training["config"] = {CONFIG.get(k, k): v for k, v in training["config"].items()}
    training["stages"] = [{STAGE.get(k, k): v for k, v in s.items()} for s in training["stages"]]
    tensors["training.sound"] = tensors.pop("training.last_finite")
    metadata["training"] = json.dumps(training)
    path.write_bytes(safetensors.torch.save(tensors, metadata))


def test_a_run_in_earlier_names_goes_on_to_the_same_bits(trainer, tmp_path):
    config = trainer("rnn").config
    whole = train(config, tmp_path / "whole", progress=False)
    begun = trainer("rnn")
    for _ in range(2):
        begun._iterate(BRIEF)
    with_earlier_names(begun.save())
    done = train(config, tmp_path / "run", resume=True, progress=False)
    assert done.tensors.keys() == whole.tensors.keys() >= {"last_finite", "vector"}
    assert all(torch.equal(done.tensors[name], whole.tensors[name]) for name in done.tensors)
    assert done.training["stages"] == whole.training["stages"]


def test_a_name_and_its_earlier_one_together_are_refused(trainer, tmp_path):
    run = trainer("rnn")
    with pytest.raises(ValueError, match="either batch_size or movements"):
        with_present_names(TrainConfig, {"movements": 3, "batch_size": 3})
    checkpoint = run.checkpoint()
    checkpoint.training["stages"][0]["movements"] = 3
    checkpoint.save(run.path)
    with pytest.raises(CheckpointError, match="either batch_size or movements"):
        Trainer.resume(tmp_path / "run")


@pytest.mark.parametrize("path", [*SHIPPED, *STORED], ids=lambda path: path.parent.name + path.stem)
def test_every_stored_training_is_read_by_its_present_names(path):
    training = stored_training(load_checkpoint(path))
    fields = {"batch_size", "resample", "learning_rate", "initial_target_radius", "anneal_fraction"}
    assert all(fields <= stage.keys() and not stage.keys() & STAGE.values()
               for stage in training["stages"])  # fmt: skip
    assert training["state"]["done"] > 0


@pytest.mark.parametrize("name", ["gru-ReachArm-v0-0", "rnn-ReachArm-v0-0", "rnn-CircleArm-v0-1"])
def test_a_stored_run_can_be_resumed(name):
    folder = ROOT / "benchmarks/results/runs" / name
    run = Trainer.resume(folder)
    assert run.state.stage == len(run.stages) and run.state.done == len(run.history)
    assert torch.equal(run.vector, load_checkpoint(folder).tensors["vector"])


def test_mappings_may_hold_earlier_names_and_python_may_not(tmp_path):
    run = Trainer({"movements": 7, "rate": 0.5}, tmp_path)
    assert (run.config.batch_size, run.config.learning_rate) == (7, 0.5)
    for name in ("movements", "rate"):
        with pytest.raises(TypeError, match=name):
            TrainConfig(**{name: 1})


@pytest.mark.parametrize("style", ["{}={}", "{} {}"])
def test_the_command_line_takes_earlier_options_and_says_what_they_are_called(
    monkeypatch, capsys, style
):
    def parsed(**options):
        given = " ".join(style.format(f"--{name}", value) for name, value in options.items())
        monkeypatch.setattr(sys, "argv", ["rnn_controller", "train", "reach", *given.split()])
        return commands.parsed().task.config, capsys.readouterr().err

    present, silence = parsed(**{"batch-size": 3, "learning-rate": 0.25})
    earlier, said = parsed(movements=3, rate=0.25)
    assert present == earlier == replace(DEFAULTS["reach"], batch_size=3, learning_rate=0.25)
    assert not silence
    assert said == (
        "note: --movements is now called --batch-size\nnote: --rate is now called --learning-rate\n"
    )


def test_the_movements_of_an_evaluation_are_still_called_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rnn_controller", "evaluate", "reach", "--movements", "3"])
    assert commands.parsed().movements == 3 and not capsys.readouterr().err
