"""Checkpoints: what comes back, what is refused and how, and that no half of one is ever left."""

import ast
import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

import arm_env
import rnn_controller
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.evaluation import evaluate
from arm_env.files import write_whole
from rnn_controller import checkpoint as checkpoints
from rnn_controller.checkpoint import TASKS, Checkpoint, CheckpointError, load_checkpoint
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController
from rnn_controller.policy import load

NEURONS = 3
MACAQUE = Path(__file__).parent / "data" / "reach-macaque.safetensors"
SOURCES = [
    path
    for package in (arm_env, rnn_controller)
    for path in Path(package.__file__).parent.rglob("*.py")
]


def network(**config):
    return RecurrentController(
        NetworkConfig(NEURONS, **config), 2, torch.Generator().manual_seed(1)
    )


def checkpoint():
    """One whose every field differs from its default."""
    return Checkpoint(
        network(time_constant=0.031, activation="tanh", bias=False, control_period=0.005),
        arm=replace(Arm(), mass=(1.9, 0.8), max_excitation=0.7),
        weights=CostWeights(
            alpha=1.7, gamma=0.02, target_radius=0.09, brake_radius=0.05, reference_speed=0.4
        ),
        noise=0.1,
        training={"config": {"seed": 3, "beta": float("inf")}, "stage": 2, "seconds": 1.5},
        tensors={
            "history": torch.randn(4, 2, dtype=torch.float64),
            "optimizer.steps": torch.zeros(0, 5),
        },
    )


@pytest.fixture
def saved(tmp_path):
    return checkpoint().save(tmp_path / "checkpoint.safetensors")


def contents(path):
    """Metadata and tensors of a safetensors file."""
    with safetensors.safe_open(path, "pt") as file:
        return dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def rewrite(path, *, metadata=None, tensors=None):
    """The file with some entries replaced, or removed where the new value is None."""
    old_metadata, old_tensors = contents(path)
    new_metadata = {k: v for k, v in (old_metadata | (metadata or {})).items() if v is not None}
    new_tensors = {k: v for k, v in (old_tensors | (tensors or {})).items() if v is not None}
    path.write_bytes(safetensors.torch.save(new_tensors, new_metadata))


def refused(path, *texts):
    """The file is refused by an error that names it and says these things in one line."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for text in texts:
        assert text in message, message


# --- what comes back ------------------------------------------------------------------------------


def test_every_field_comes_back(saved):
    before, after = checkpoint(), load_checkpoint(saved)
    for name in ("task", "arm", "weights", "noise", "training"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.network.config == before.network.config


def test_weights_come_back_bit_for_bit(saved):
    before, after = checkpoint().network.state_dict(), load_checkpoint(saved).network.state_dict()
    assert before.keys() == after.keys()
    assert all(
        torch.equal(before[name], after[name]) and after[name].dtype == torch.float64
        for name in before
    )


def test_tensors_of_the_training_come_back_bit_for_bit(tmp_path):
    before = checkpoint()
    after = load_checkpoint(before.save(tmp_path / "c.safetensors"))
    assert before.tensors.keys() == after.tensors.keys()
    assert all(torch.equal(before.tensors[name], after.tensors[name]) for name in before.tensors)


def test_what_was_loaded_can_be_saved_again_to_the_same_contents(saved, tmp_path):
    (metadata, tensors), (new_metadata, new_tensors) = (
        contents(path)
        for path in (saved, load_checkpoint(saved).save(tmp_path / "again.safetensors"))
    )
    assert new_metadata == metadata and new_tensors.keys() == tensors.keys()
    assert all(torch.equal(new_tensors[name], tensors[name]) for name in tensors)


def earlier(tmp_path, changes):
    """A copy of an earlier version's file whose arm has these fields changed.

    Where a value is None, the field is removed.
    """
    path = tmp_path / "earlier.safetensors"
    shutil.copy(MACAQUE, path)
    arm = json.loads(contents(path)[0]["arm"]) | changes
    kept = {name: value for name, value in arm.items() if value is not None}
    rewrite(path, metadata={"arm": json.dumps(kept)})
    return path


def test_a_file_of_an_earlier_version_has_the_arm_that_it_was_trained_on():
    found = load_checkpoint(MACAQUE)
    np.testing.assert_allclose(found.arm.flat(), Arm.macaque().flat(), rtol=0, atol=1e-15)
    assert found.network.config.neurons == 12 and found.weights == CostWeights(
        alpha=0.3, gamma=0.05
    )


def test_a_controller_of_an_earlier_version_reaches_as_it_did():
    found = load_checkpoint(MACAQUE)
    measures = evaluate(load(MACAQUE), movements=200, seed=1, arm=found.arm, weights=found.weights)
    assert measures.fraction_within_target >= 0.95


def test_a_file_of_an_earlier_version_can_be_saved_again(tmp_path):
    before = load_checkpoint(MACAQUE)
    after = load_checkpoint(before.save(tmp_path / "again.safetensors"))
    assert after.arm == before.arm and after.training == before.training


def test_an_arm_written_before_there_was_a_field_has_none(tmp_path):
    assert load_checkpoint(earlier(tmp_path, {"curl": 20.0})).arm.curl == 20
    arm = load_checkpoint(earlier(tmp_path, {"curl": None})).arm
    assert arm.curl == 0 and arm.tone == 0


def test_a_loaded_network_computes_the_same(saved):
    before, after = checkpoint().network, load_checkpoint(saved).network
    observation = torch.randn(
        4, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(5)
    )
    state = torch.rand(4, NEURONS, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    for one, other in zip(before(observation, state), after(observation, state), strict=True):
        assert torch.equal(one, other)


def test_a_file_a_folder_and_a_shipped_name_all_lead_to_a_checkpoint(saved, monkeypatch):
    monkeypatch.setattr(checkpoints, "TRAINED", saved.parent)
    loaded = [
        load_checkpoint(name)
        for name in (saved, str(saved), saved.parent, str(saved.parent), "checkpoint")
    ]
    first = loaded[0].network.state_dict()
    assert all(
        torch.equal(first[name], c.network.state_dict()[name]) for c in loaded for name in first
    )


def test_a_shipped_name_goes_before_a_folder_and_a_dot_before_it_makes_it_a_path(
    saved, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoints, "TRAINED", tmp_path / "trained")
    Checkpoint(network(), noise=0.3).save(tmp_path / "trained" / "reach.safetensors")
    Checkpoint(network(), noise=0.4).save(tmp_path / "reach" / "checkpoint.safetensors")
    assert load_checkpoint("reach").noise == 0.3
    assert load_checkpoint("./reach").noise == load_checkpoint(tmp_path / "reach").noise == 0.4
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_checkpoint("./trained")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_its_environment_and_its_controllers_come_back(task, tmp_path):
    env = gym.make(TASKS[task].env_id).unwrapped
    size = TASKS[task].command_size
    assert env.task == TASKS[task] and env.observation_space.shape == (18 + size,)
    controller = RecurrentController(NetworkConfig(NEURONS), size, torch.Generator().manual_seed(1))
    loaded = load_checkpoint(Checkpoint(controller, task).save(tmp_path / "c.safetensors"))
    assert loaded.task == task and loaded.network.command_size == size
    before, after = controller.state_dict(), loaded.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_loading_leaves_the_global_generator_alone(saved):
    before = torch.random.get_rng_state()
    load_checkpoint(saved)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_saving_makes_the_folders_on_the_way(tmp_path):
    path = checkpoint().save(tmp_path / "some" / "where" / "c.safetensors")
    assert load_checkpoint(path).noise == 0.1


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [1, 7, 8, 9, 100, 0.5, 0.9, -8, -1])
def test_a_truncated_file_is_refused(saved, kept):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    refused(saved, "not a complete checkpoint")


def test_an_empty_file_is_refused(saved):
    saved.write_bytes(b"")
    refused(saved, "not a complete checkpoint")


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_refused(saved, seed):
    saved.write_bytes(np.random.default_rng(seed).bytes(5000))
    refused(saved, "not a complete checkpoint")


def test_bytes_too_many_are_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"more")
    refused(saved, "not a complete checkpoint")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": '"rnn-motor-control 99"'}])
def test_a_foreign_safetensors_file_is_refused_as_foreign(saved, metadata):
    saved.write_bytes(safetensors.torch.save({"weight": torch.zeros(3)}, metadata))
    refused(saved, "no checkpoint of this package")


def test_a_pickle_is_refused_unread(saved):
    torch.save({"weight": torch.zeros(3)}, saved)
    refused(saved, "not a complete checkpoint")


@pytest.mark.parametrize("neurons", [NEURONS - 1, NEURONS + 1, 12])
def test_another_number_of_neurons_than_the_weights_is_refused(saved, neurons):
    config = json.loads(contents(saved)[0]["network"]) | {"neurons": neurons}
    rewrite(saved, metadata={"network": json.dumps(config)})
    refused(saved, f"{neurons} neurons need motor (6, {neurons}), but motor is (6, {NEURONS})")


@pytest.mark.parametrize("name", [name for name, _ in network().named_parameters()])
def test_a_missing_tensor_is_refused_by_name(saved, name):
    rewrite(saved, tensors={f"network.{name}": None})
    refused(saved, name, "missing")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["recurrent", "motor_bias"])
def test_a_weight_that_is_not_finite_is_refused_by_name(saved, name, value):
    weight = contents(saved)[1][f"network.{name}"]
    weight.view(-1)[0] = value
    rewrite(saved, tensors={f"network.{name}": weight})
    refused(saved, name, "not finite")


def test_a_superfluous_weight_is_refused_by_name(saved):
    rewrite(saved, tensors={"network.attention": torch.zeros(3)})
    with pytest.raises(CheckpointError, match="attention"):
        load_checkpoint(saved)


@pytest.mark.parametrize("key", ["task", "network", "arm", "weights", "noise", "training"])
def test_a_missing_part_of_the_configuration_is_refused_by_name(saved, key):
    rewrite(saved, metadata={key: None})
    refused(saved, key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", "3"),
        ("task", "[]"),
        ("network", '{"neurons": 3, "layers": 2}'),
        ("network", '{"neurons": 0}'),
        ("network", '{"neurons": "many"}'),
        ("network", "[]"),
        ("arm", '{"wings": 2}'),
        ("arm", "[]"),
        ("weights", '{"alpha": 1.0, "omega": 2.0}'),
        ("weights", "3"),
    ],
)
def test_a_configuration_of_another_kind_is_refused(saved, key, value):
    rewrite(saved, metadata={key: value})
    refused(saved, "contradicts itself")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"optimal_angles": None}, "arm is incomplete: optimal_angles is missing"),
        ({"mass": None}, "arm is incomplete: mass is missing"),
        ({"wings": 2}, "arm holds wings, which is unknown"),
        ({"path_offset": [0.1] * 6}, "arm holds path_offset, which is unknown"),
        (
            {"moment_arms": [[0.02] * 6]},
            "arm: moment_arms must be finite numbers from -1 to 1, shape (2, 6), not ",
        ),
        ({"optimal_angles": "many"}, "arm: optimal_angles must be finite numbers"),
        ({"optimal_length": [0.0] * 6}, "arm: optimal_length must be finite numbers"),
        ({"maximum_force": [-1.0] * 6}, "arm: maximum_force must be finite numbers"),
        ({"moment_arms": None}, "arm is incomplete: path_curvature, path_offset, path_slope"),
    ],
)
def test_a_damaged_arm_of_an_earlier_version_is_refused(tmp_path, changes, text):
    refused(earlier(tmp_path, changes), "contradicts itself", text)


def test_an_unknown_task_is_refused_by_name_with_the_known_ones(saved):
    rewrite(saved, metadata={"task": '"juggle"'})
    refused(saved, "its task 'juggle' is not registered here", "reach, circle")


def test_a_controller_of_another_task_is_refused(saved):
    """Its commands have another size."""
    rewrite(saved, metadata={"task": '"circle"'})
    refused(saved, f"need command ({NEURONS}, 4), but it is ({NEURONS}, 2)")


def test_a_configuration_that_is_no_json_is_refused(saved):
    rewrite(saved, metadata={"arm": "{half"})
    refused(saved)


@pytest.mark.parametrize("name", ["nowhere.safetensors", "no/such/folder", "nobody"])
def test_a_missing_file_or_unknown_name_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    refused(name, "there is no checkpoint")


def test_an_unknown_name_is_refused_with_the_known_ones(saved, monkeypatch):
    monkeypatch.setattr(checkpoints, "TRAINED", saved.parent)
    checkpoint().save(saved.parent / "another.safetensors")
    refused("nobody", "one of: another, checkpoint")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    refused(tmp_path, "there is no checkpoint")


# --- writing --------------------------------------------------------------------------------------


class DiskFullError(OSError):
    pass


def half_written(path, data):
    with open(path, "wb") as file:
        file.write(data[: len(data) // 2])
    raise DiskFullError("no space left")


def not_renamed(*_):
    raise DiskFullError("no space left")


@pytest.mark.parametrize(
    ("method", "failing"), [("write_bytes", half_written), ("replace", not_renamed)]
)
@pytest.mark.parametrize("error", [DiskFullError, KeyboardInterrupt])
def test_failed_writing_leaves_the_old_file_and_no_other(
    saved, monkeypatch, method, failing, error
):
    before = saved.read_bytes()

    def fail(*arguments):
        try:
            failing(*arguments)
        except DiskFullError:
            raise error from None

    monkeypatch.setattr(Path, method, fail)
    with pytest.raises(error):
        Checkpoint(network()).save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "notes.txt"
    assert write_whole(path, "first, and long") == path
    write_whole(path, "σ")
    assert path.read_text(encoding="utf-8") == "σ" and list(tmp_path.iterdir()) == [path]


def test_a_file_begins_as_safetensors_do(saved):
    data = saved.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header["__metadata__"]["format"] == json.dumps(checkpoints.FORMAT)
    assert "network.recurrent" in header


def imported(tree):
    """Names of all modules that a source file imports, at any place in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_nothing_is_pickled(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"} & set(
        imported(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("torch", "save"), ("torch", "load")}
