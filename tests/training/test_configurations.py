"""Configurations of networks and of training: numbers in any form, held to ranges."""

import json
import math
from dataclasses import asdict, fields, replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.reach import Reach
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.networks.recurrent import CONTROL_PERIODS, NetworkConfig, RecurrentController
from rnn_controller.training import trainer as training
from rnn_controller.training.config import OF_ALL_STAGES
from rnn_controller.training.trainer import DEFAULTS, RECIPES, Stage, TrainConfig, Trainer, train
from rnn_controller.training.trials import Sampling, sample

BRIEF = Stage("adam", 2, batch_size=2, first=(0.1, 0.4), second=(0.2, 0.5))
KINDS = (NetworkConfig, ModuleConfig, Stage, TrainConfig)
RANGES = [
    (kind, f.name, f.metadata["range"])
    for kind in KINDS
    for f in fields(kind)
    if "range" in f.metadata
]
EVERY_NUMBER = pytest.mark.parametrize(
    ("kind", "name", "allowed"), RANGES, ids=[f"{k.__name__}.{n}" for k, n, _ in RANGES]
)


@EVERY_NUMBER
@pytest.mark.parametrize(
    "bad", [math.nan, -1.0, -math.inf, math.inf, 1e300, "much", None, True, [1, 2, 3], object()]
)
def test_what_can_not_be_meant_is_refused_by_name_when_a_configuration_is_made(
    kind, name, allowed, bad
):
    if (bad is None and allowed.optional) or (bad == math.inf and allowed.infinite):
        assert getattr(kind(**{name: bad}), name) == bad
        return
    with pytest.raises(ValueError, match=f"^{name} must be .*, not "):
        kind(**{name: (bad, bad) if allowed.shape else bad})


@EVERY_NUMBER
def test_numbers_of_other_libraries_become_plain(kind, name, allowed):
    default = getattr(kind(), name)
    value = default
    if default is None:
        value = (
            (2.0, 2.0) if allowed.shape else (2 if allowed.whole else float(min(2, allowed.high)))
        )
    for form in (
        np.array,
        lambda v: torch.from_numpy(np.array(v)),
        *((np.int64, np.uint8) if allowed.whole and value < 256 else ()),
    ):
        got = getattr(kind(**{name: form(value)}), name)
        assert type(got) is type(value) and got == value


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_a_configuration_has_a_range(kind):
    for f in (f for f in fields(kind) if f.name != "orbit"):  # is no number
        assert ("range" in f.metadata) == (
            type(getattr(kind(), f.name)) in (int, float, tuple, type(None))
        ), f.name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (TrainConfig, "task"),
        (TrainConfig, "recipe"),
        (Stage, "optimizer"),
        (NetworkConfig, "activation"),
        (ModuleConfig, "kind"),
    ],
)
@pytest.mark.parametrize("value", ["none such", "", 3, None, ["adam"]])
def test_choices_are_refused_by_name(kind, name, value):
    with pytest.raises(ValueError, match=f"unknown {name} .*: choose one of "):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), [(NetworkConfig, "bias"), (Stage, "resample")])
def test_flags_are_true_or_false(kind, name):
    for value in (1, "no", None):
        with pytest.raises(ValueError, match=f"^{name} must be True or False"):
            kind(**{name: value})


@pytest.mark.parametrize(
    "name", ["first", "second", "noise_scale", "quiet_second", "quiet_noise_scale"]
)
def test_ranges_of_a_stage_run_upwards(name):
    with pytest.raises(ValueError, match=rf"^{name} must go from low to high, not \(2, 1\)"):
        Stage(**{name: (2, 1)})
    if name in OF_ALL_STAGES:
        with pytest.raises(ValueError, match=rf"^{name} must go from low to high, not \(2, 1\)"):
            TrainConfig(**{name: (2, 1)})


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_set_for_a_training_replaces_that_of_every_stage_of_its_recipe(recipe):
    config = TrainConfig(
        recipe=recipe,
        quiet=0.25,
        quiet_second=(3, 5),
        quiet_noise_scale=(0.2, 0.4),
        learning_rate=0.5,
    )
    for stage, own in zip(config.stages(), RECIPES[recipe], strict=True):
        assert (stage.quiet, stage.quiet_second, stage.quiet_noise_scale) == (
            0.25,
            (3.0, 5.0),
            (0.2, 0.4),
        )
        assert replace(stage, **{name: getattr(own, name) for name in OF_ALL_STAGES}) == own
    assert TrainConfig(recipe=recipe).stages() == RECIPES[recipe]
    silent = TrainConfig(recipe=recipe, quiet=0).stages()
    assert silent == tuple(replace(stage, quiet=0.0) for stage in RECIPES[recipe])


def test_the_quiet_movements_of_a_stage_reach_the_batch(tmp_path, monkeypatch):
    stage = replace(
        BRIEF, batch_size=10, quiet=0.1, quiet_second=(1.0, 1.0), quiet_noise_scale=(0.5, 0.5)
    )
    monkeypatch.setitem(RECIPES, "default", (stage,))
    config = TrainConfig(
        network=NetworkConfig(3),
        settling=0.0,
        quiet=0.3,
        quiet_second=(2.0, 2.0),
        quiet_noise_scale=(0.0, 0.0),
    )
    batch = Trainer(config, tmp_path / "run")._trials(config.stages()[0])
    assert not batch.noise[:3].any() and (batch.noise[3:].std((1, 2)) > 0.05).all()
    assert (batch.lengths[:3] >= 100).all() and (batch.lengths[3:] < 50).all()


def test_groups_may_be_mappings():
    given = TrainConfig(network={"neurons": 5}, cost={"alpha": 1}, perturbation={"curl": 15})
    assert given == TrainConfig(
        network=NetworkConfig(5), cost=CostWeights(alpha=1.0), perturbation=Perturbation(curl=15.0)
    )
    assert TrainConfig(network={"kind": "mlp"}).network == ModuleConfig("mlp")
    assert TrainConfig(network=None, cost=None, perturbation=None) == TrainConfig()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"network": {"neurons": 0}}, "network: neurons must be"),
        ({"network": {"layers": 2}}, "network has no field 'layers': there are neurons"),
        ({"network": {"kind": "gru", "activation": "relu"}}, "network has no field 'activation'"),
        ({"network": 12}, "network must be a NetworkConfig, a mapping"),
        ({"cost": {"reference_speed": 0}}, "cost: reference_speed must be"),
        ({"cost": {"alpha": math.nan}}, "cost: alpha must be"),
        ({"cost": {"gamma": -1}}, "cost: gamma must be"),
        ({"perturbation": {"delay": 0.05}}, "no sensory delay"),
        ({"perturbation": "strong"}, "perturbation must be a Perturbation, a mapping"),
    ],
)
def test_groups_that_can_not_be_meant_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        TrainConfig(**changes)


def test_a_configuration_of_other_libraries_numbers_trains_is_saved_and_resumed(
    monkeypatch, tmp_path
):
    monkeypatch.setitem(RECIPES, "default", (BRIEF,))
    one = np.float32
    many = np.int64
    config = TrainConfig(
        network=NetworkConfig(many(3), one(0.125)), noise=one(0.25), learning_rate=one(0.5),
        beta=torch.tensor(2.0),
        seed=many(7), iterations=many(2), batch_size=np.uint8(2), settling=one(0.125),
    )  # fmt: skip
    plain = TrainConfig(
        network=NetworkConfig(3, 0.125),
        noise=0.25,
        learning_rate=0.5,
        beta=2.0,
        seed=7,
        iterations=2,
        batch_size=2,
        settling=0.125,
    )
    assert config == plain and json.dumps(asdict(config)) == json.dumps(asdict(plain))
    done = train(config, tmp_path, progress=False)
    assert load_checkpoint(tmp_path).training["config"] == done.training["config"]
    train(plain, tmp_path, resume=True, progress=False)


@pytest.mark.parametrize("seed", [2**53 + 1, 2**63 - 1])
def test_the_largest_seeds_are_kept_exactly_and_train(monkeypatch, tmp_path, seed):
    monkeypatch.setitem(RECIPES, "default", (BRIEF,))
    config = TrainConfig(network=NetworkConfig(3), settling=0.1, seed=seed)
    assert train(config, tmp_path, progress=False).training["config"]["seed"] == seed
    train(config, tmp_path, resume=True, progress=False)


@pytest.mark.parametrize("period", CONTROL_PERIODS)
def test_every_control_period_of_a_network_is_one_of_the_environment(period):
    gym.make("arm_env:ReachArm-v0", control_period=period)
    assert (
        NetworkConfig(control_period=period).control_period
        == ModuleConfig(control_period=period).control_period
    )


@pytest.mark.parametrize(
    "network", [NetworkConfig(3, control_period=0.1), ModuleConfig("gru", 3, control_period=0.1)]
)
def test_the_longest_control_period_trains_on_the_shortest_holds(monkeypatch, tmp_path, network):
    monkeypatch.setitem(RECIPES, "default", (replace(BRIEF, first=(0, 0), second=(0, 0.01)),))
    done = train(TrainConfig(network=network, settling=0.0), tmp_path, progress=False)
    assert len(done.tensors["history"]) == 2 and torch.isfinite(done.tensors["history"]).all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"settling": math.nan}, "settling"),
        ({"noise": -1}, "noise"), ({"noise": math.inf}, "noise"),
        ({"control_period": 0}, "control_period"), ({"first": (1, math.inf)}, "first"),
        ({"noise_scale": 1}, "noise_scale"),
        ({"quiet": 1.5}, "quiet"), ({"quiet_second": (-1, 1)}, "quiet_second"),
        ({"quiet_noise_scale": "no"}, "quiet_noise_scale"), ({"thrown": -0.1}, "thrown"),
        ({"number": 0}, "number"), ({"neurons": 2.5}, "neurons"),
    ],
)  # fmt: skip
def test_movements_that_can_not_be_meant_are_refused(changes, text):
    arguments = {"number": 2, "neurons": 3, "task": Reach(), "arm": Arm()}
    size = {name: changes.pop(name) for name in ("number", "neurons") if name in changes}
    with pytest.raises(ValueError, match=f"^{text} must be"):
        sample(np.random.default_rng(1), **{**arguments, **size}, sampling=Sampling(**changes))


def test_movements_take_numbers_of_other_libraries():
    def noise(number, settling, noise):
        sampling = Sampling(settling=settling, noise=noise)
        rng = np.random.default_rng(1)
        return sample(rng, number, 3, task=Reach(), arm=Arm(), sampling=sampling).noise

    same = noise(np.int32(2), np.float32(0.125), torch.tensor(0.25))
    assert torch.equal(noise(2, 0.125, 0.25), same)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"task": "juggle"}, "unknown task"),
        ({"noise": math.nan}, "noise must be"), ({"noise": -1}, "noise must be"),
        ({"arm": {"mass": 0}}, "arm: mass must be"), ({"weights": 3}, "weights must be"),
        ({"training": []}, "training must be a mapping"),
        ({"training": {"config": 3}}, "config must be a mapping"),
    ],
)  # fmt: skip
def test_a_checkpoint_checks_itself_when_it_is_made(changes, text):
    with pytest.raises(ValueError, match=text):
        Checkpoint(RecurrentController(NetworkConfig(3), 2), **changes)


def test_a_checkpoint_with_what_json_does_not_know_is_refused_unwritten(tmp_path):
    checkpoint = Checkpoint(
        RecurrentController(NetworkConfig(3), 2), training={"rate": np.float32(1)}
    )
    with pytest.raises(ValueError, match="training must hold JSON values only"):
        checkpoint.save(tmp_path / "run" / "checkpoint.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("use", [lambda path: Trainer(3, path), lambda path: train("reach", path)])
def test_what_is_no_configuration_is_refused(tmp_path, use):
    with pytest.raises(ValueError, match="config must be a TrainConfig, a mapping"):
        use(tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["resume", "progress", "tensorboard"])
def test_flags_of_train_are_true_or_false(tmp_path, name):
    with pytest.raises(ValueError, match=f"^{name} must be True or False"):
        train(TrainConfig(), tmp_path / "run", **{name: "yes"})
    assert not list(tmp_path.iterdir())


def test_the_shipped_configurations_are_in_range():
    for config in DEFAULTS.values():
        assert replace(config) == config
    assert all(replace(stage) == stage for stages in training.RECIPES.values() for stage in stages)
