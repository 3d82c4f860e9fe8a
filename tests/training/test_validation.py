"""Validation during training: it measures, and changes nothing."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch

import arm_env
from arm_env.tasks.follow import Follow
from arm_env.tasks.shapes import Circle
from rnn_controller.checkpoint import CheckpointError, load_checkpoint
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.policy import load
from rnn_controller.training import held_out
from rnn_controller.training.recipes import RECIPES
from rnn_controller.training.trainer import Stage, TrainConfig, Trainer, train

ADAM = Stage("adam", 6, batch_size=3, initial_target_radius=0.3, first=(0.1, 0.4))
CONFIG = TrainConfig(network=NetworkConfig(3, time_constant=0.02), settling=0.1, seed=1)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setitem(RECIPES, "default", (ADAM,))
    monkeypatch.setitem(RECIPES, "full-noise", (ADAM,))
    monkeypatch.setattr(held_out, "MOVEMENTS", 20)


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "default", (ADAM,))
        patch.setattr(held_out, "MOVEMENTS", 20)
        return train(CONFIG, folder, progress=False, validate_every=4), folder


def iterations(checkpoint):
    return [entry["iteration"] for entry in checkpoint.training["validation"]]


def test_it_comes_at_the_start_every_so_often_and_at_the_end(validated):
    assert iterations(validated[0]) == [0, 4, 6]


def test_the_measures_are_those_of_evaluate(validated):
    checkpoint, folder = validated
    measures = arm_env.evaluate(
        load(folder), movements=20, seed=held_out.SEED, noise=0.2, weights=checkpoint.weights
    ).as_dict()
    entry = checkpoint.training["validation"][-1]
    assert entry.pop("iteration") == 6
    assert entry == {name: measures[name] for name in entry}
    assert {"fraction_within_target", "median_endpoint_error_m", "mean_value"} <= entry.keys()
    entry["iteration"] = 6


def test_it_is_on_the_arm_that_is_trained(validated, tmp_path):
    perturbed = replace(CONFIG, perturbation={"mass": 2}, seed=1)
    heavy = train(perturbed, tmp_path, progress=False, validate_every=6)
    first = [run.training["validation"][0]["mean_value"] for run in (validated[0], heavy)]
    assert first[0] != first[1]  # of the same untrained network


def test_the_weights_are_the_same_to_the_bit(validated, tmp_path):
    plain = train(CONFIG, tmp_path, progress=False)
    assert "validation" not in plain.training
    for name, value in plain.network.state_dict().items():
        assert torch.equal(value, validated[0].network.state_dict()[name])
    for name, value in plain.tensors.items():
        assert torch.equal(value, validated[0].tensors[name])


def test_a_resumed_run_has_the_same_validations(validated, tmp_path, monkeypatch):
    def interrupted(self, stage, take=Trainer._iterate):
        if self.state.done == 5:
            raise KeyboardInterrupt
        return take(self, stage)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_iterate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(CONFIG, tmp_path, progress=False, validate_every=4)
    assert iterations(load_checkpoint(tmp_path)) == [0, 4]
    resumed = train(CONFIG, tmp_path, progress=False, resume=True, validate_every=4)
    assert resumed.training["validation"] == validated[0].training["validation"]


def test_a_run_that_is_stopped_during_a_validation_makes_it_after_all(
    validated, tmp_path, monkeypatch
):
    def interrupted(checkpoint, take=held_out.validate):
        if checkpoint.training["state"]["done"] == 4:
            raise KeyboardInterrupt
        return take(checkpoint)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(held_out, "validate", interrupted)
        train(CONFIG, tmp_path, progress=False, validate_every=4)
    assert iterations(load_checkpoint(tmp_path)) == [0]
    resumed = train(CONFIG, tmp_path, progress=False, resume=True, validate_every=4)
    assert resumed.training["validation"] == validated[0].training["validation"]


@pytest.mark.parametrize(
    ("task", "measure"),
    [(Circle(), "fraction_converged"), (Follow(), "fraction_on_target")],
    ids=["circle", "follow"],
)
def test_every_task_has_its_own_measures(tmp_path, task, measure):
    config = replace(CONFIG, task=task.name, cost=task.weights)
    done = train(config, tmp_path, progress=False, validate_every=6)
    assert iterations(done) == [0, 6]
    assert 0 <= done.training["validation"][0][measure] <= 1
    figure = held_out.draw(done)
    assert len(figure.axes) >= 3


def test_tensorboard_has_curves_and_figures(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    done = train(CONFIG, tmp_path, progress=False, tensorboard=True, validate_every=3)
    log = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    curve = log.Scalars("validation/median_endpoint_error_m")
    assert [event.step for event in curve] == [0, 3, 6]
    expected = [entry["median_endpoint_error_m"] for entry in done.training["validation"]]
    np.testing.assert_allclose([event.value for event in curve], expected, rtol=1e-6)
    assert not [tag for tag in log.Tags()["scalars"] if tag.endswith(("seed", "noise"))]
    images = log.Images("movements")
    assert [event.step for event in images] == [0, 3, 6]
    assert len({event.encoded_image_string for event in images}) == 3


def test_the_interval_depends_on_tensorboard_unless_it_is_given():
    assert held_out.interval(None, True) == 250 and held_out.interval(None, False) == 0
    assert held_out.interval(0, True) == 0 and held_out.interval(7, False) == 7


@pytest.mark.parametrize("every", [-1, 2.5, "often", True])
def test_an_odd_interval_is_refused_before_any_work(tmp_path, every):
    with pytest.raises(ValueError, match="validate_every"):
        train(CONFIG, tmp_path / "run", progress=False, validate_every=every)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "bad", [{"iteration": 0}, [3], [{"iteration": 9}], [{"iteration": 2}, {"iteration": 2}], [{}]]
)
def test_a_damaged_record_of_validations_is_refused(validated, tmp_path, bad):
    checkpoint, _ = validated
    training = {**checkpoint.training, "validation": bad}
    replace(checkpoint, training=training).save(tmp_path / "checkpoint.safetensors")
    with pytest.raises(CheckpointError, match="validation"):
        Trainer.resume(tmp_path)
