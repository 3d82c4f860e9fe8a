"""Damaged checkpoints: each is refused in a sentence, or it is still one that is whole."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from arm_env.dynamics.parameters import Arm
from rnn_controller.checkpoint import TASKS, TRAINED, Checkpoint, CheckpointError, load_checkpoint
from rnn_controller.networks.modules import ModuleConfig, build
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.policy import controller_of
from rnn_controller.training import trainer as training
from rnn_controller.training.config import stored_config
from rnn_controller.training.trainer import Stage, TrainConfig, Trainer, TrainingError

STORED = Path(__file__).parents[1] / "benchmarks" / "results" / "runs"
CHECKPOINTS = {
    "reach": TRAINED / "reach.safetensors",
    "circle": TRAINED / "circle.safetensors",
    # an earlier version wrote it
    "macaque": Path(__file__).parent / "data" / "reach-macaque.safetensors",
}
FRESH = {"gru": "reach", "mlp": "circle"}
"""Kinds of modules that no file is kept of, and a task for them."""
JUNK = [
    None,
    True,
    False,
    [],
    {},
    "",
    "relu",
    "nan",
    [[]],
    [1.0],
    {"alpha": 1},
    0,
    -1,
    0.5,
    3,
    1e300,
    -1e300,
    10**400,
]
JUNK += [math.nan, math.inf, -math.inf]
TEXTS = ["", "{", "[" * 100_000, "nan", "\0", '"', "{}", "[]", "ω", "1e999", '{"a": 1, "a": 2}']
MUTANTS = 80  # of each kind of each checkpoint; half as many of each run
BRIEF = {"first": (0.1, 0.4), "second": (0.2, 0.5)}  # of 0.6 s


def contents(path):
    """Metadata and tensors of a safetensors file."""
    with safetensors.safe_open(path, "pt") as file:
        metadata = dict(sorted(file.metadata().items()))  # in an order that is the same every time
        return metadata, {key: file.get_tensor(key) for key in sorted(file.keys())}


def pick(rng, values):
    values = list(values)
    return values[rng.integers(len(values))]


def places(value, path=()):
    """Every place in nested JSON, as the keys that lead there."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed(rng, value):
    """The JSON value with another value, a key too few or one too many at one place."""
    *way, last = pick(rng, [path for path in places(value) if path] or [("",)])
    holder = value
    for key in way:
        holder = holder[key]
    if not isinstance(holder, dict | list):
        return pick(rng, JUNK)
    kind = rng.integers(5)
    if kind == 0:
        del holder[last]
    elif kind == 1 and isinstance(holder, dict):
        holder[pick(rng, ["", "extra", "kind", "neurons", "alpha"])] = pick(rng, JUNK)
    elif kind == 2 and isinstance(holder[last], int | float):
        holder[last] = pick(
            rng, [-holder[last], holder[last] * 1e-300, holder[last] + 1, str(holder[last])]
        )
    else:
        holder[last] = pick(rng, JUNK)
    return value


def header_mutant(rng, metadata, tensors, keys):
    key = pick(rng, keys)
    kind = rng.integers(8)
    if kind == 0:
        return {**metadata, key: pick(rng, TEXTS)}, tensors
    if kind == 1:
        return {name: text for name, text in metadata.items() if name != key}, tensors
    return {**metadata, key: json.dumps(changed(rng, json.loads(metadata[key])))}, tensors


def with_one(rng, value, number):
    value = value.clone()
    if value.numel():
        value.view(-1)[rng.integers(value.numel())] = number
    return value


TENSOR_CHANGES = [
    lambda rng, value: None,
    lambda rng, value: value.to(pick(rng, [torch.float32, torch.float16, torch.int64, torch.bool])),
    lambda rng, value: value.flatten()[1:],
    lambda rng, value: value[None],
    lambda rng, value: value.reshape(-1),
    lambda rng, value: value.T.contiguous() if value.ndim == 2 else value.new_zeros(0),
    lambda rng, value: torch.zeros_like(value),
    lambda rng, value: -value,
    lambda rng, value: value * pick(rng, [1e8, 1e300, 1e-300]),
    lambda rng, value: with_one(
        rng, value, pick(rng, [math.nan, math.inf, -math.inf, 1e300, 1e8, 0.0])
    ),
]


def tensor_mutant(rng, metadata, tensors, names):
    name = pick(rng, names)
    kind = rng.integers(len(TENSOR_CHANGES) + 1)
    if kind == len(TENSOR_CHANGES):
        other = pick(rng, ["network.extra", "extra", "training.extra", "training.optimizer.extra"])
        return metadata, {**tensors, other: tensors[name].clone()}
    new = TENSOR_CHANGES[kind](rng, tensors[name])
    return metadata, {
        key: value for key, value in {**tensors, name: new}.items() if value is not None
    }


def refusal(act):
    """What refuses it, in one sentence; None if nothing does."""
    try:
        act()
    except (CheckpointError, TrainingError) as error:
        assert 10 < len(str(error)) < 1000 and "\n" not in str(error), str(error)[:1000]
        return error
    return None


def usable(path):
    """Load the checkpoint; what is loaded must be valid and predict."""
    checkpoint = load_checkpoint(path)
    assert (
        replace(checkpoint.network.config) == checkpoint.network.config
        and replace(checkpoint.arm) == checkpoint.arm
    )
    assert replace(checkpoint.weights) == checkpoint.weights and 0 <= checkpoint.noise <= 10
    controller = controller_of(checkpoint)
    rng = np.random.default_rng(1)
    state = None
    for _ in range(3):
        action, state = controller.predict(
            rng.normal(0, 1, (2, 18 + checkpoint.network.command_size)), state
        )
        assert np.isfinite(action).all() and np.isfinite(state).all()


def checkpoint_file(name, folder):
    """A whole checkpoint to damage: one that is kept, or one made in the folder."""
    if name in CHECKPOINTS:
        return CHECKPOINTS[name]
    task = FRESH[name]
    generator = torch.Generator().manual_seed(0)
    network = build(ModuleConfig(name, 16), TASKS[task], Arm(), generator)
    return Checkpoint(network, task).save(folder / "whole.safetensors")


@pytest.mark.parametrize("kind", ["header", "tensor"])
@pytest.mark.parametrize("name", [*CHECKPOINTS, *FRESH])
def test_a_damaged_checkpoint_is_refused_or_still_usable(tmp_path, name, kind):
    metadata, tensors = contents(checkpoint_file(name, tmp_path))
    rng = np.random.default_rng(sum(map(ord, name)))
    path = tmp_path / "checkpoint.safetensors"
    refused = 0
    for number in range(MUTANTS):
        if kind == "header":
            mutant = header_mutant(
                rng, metadata, tensors, [key for key in metadata if key != "training"]
            )
        else:
            mutant = tensor_mutant(
                rng, metadata, tensors, [key for key in tensors if key.startswith("network.")]
            )
        path.write_bytes(safetensors.torch.save(mutant[1], mutant[0]))
        try:
            refused += refusal(lambda: usable(path)) is not None
        except Exception as error:
            raise AssertionError(f"mutant {number}") from error
    assert refused > MUTANTS / 3


@pytest.mark.parametrize("name", ["reach", "gru"])
def test_a_checkpoint_with_wrong_bytes_is_refused_or_still_usable(tmp_path, name):
    data = checkpoint_file(name, tmp_path).read_bytes()
    rng = np.random.default_rng(3)
    path = tmp_path / "checkpoint.safetensors"
    for _ in range(MUTANTS):
        wrong = bytearray(data)
        start = int(rng.integers(len(data) if rng.integers(2) else 5000))
        wrong[start : start + rng.integers(9)] = rng.bytes(int(rng.integers(1, 9)))
        path.write_bytes(wrong)
        refusal(lambda: usable(path))


@pytest.fixture
def begun(monkeypatch, tmp_path):
    """Make a run and return its checkpoint's path.

    It stands in the middle of its first stage or at its end.
    """
    fixed = {"resample": False, "initial_target_radius": 0.0}
    STAGES = {
        "soap": Stage("soap", 8, batch_size=2, **BRIEF),
        "conjugate-gradient": Stage("conjugate-gradient", 8, batch_size=2, **fixed, **BRIEF),
    }

    def begin(optimizer, network, iterations=4):
        monkeypatch.setitem(training.RECIPES, "default", (STAGES[optimizer],))
        trainer = Trainer(TrainConfig(network=network, settling=0.1), tmp_path)
        for _ in range(iterations):
            trainer._iterate(trainer.stages[trainer.state.stage])
        return trainer.save()

    return begin


def go_on(path):
    """Resume the run and make up to two more iterations."""
    trainer = Trainer.resume(path.parent)
    for _ in range(2):
        if trainer.state.stage < len(trainer.stages):
            trainer._iterate(trainer.stages[trainer.state.stage])
    trainer.save()


@pytest.mark.parametrize(
    ("optimizer", "network"),
    [("soap", NetworkConfig(3)), ("conjugate-gradient", ModuleConfig("mlp", 2))],
)
@pytest.mark.parametrize("kind", ["header", "tensor"])
def test_a_damaged_run_is_refused_or_goes_on(begun, capsys, optimizer, network, kind):
    path = begun(optimizer, network)
    metadata, tensors = contents(path)
    go_on(path)  # undamaged, it does
    rng = np.random.default_rng(5)
    refused = 0
    for number in range(MUTANTS // 2):
        if kind == "header":
            mutant = header_mutant(rng, metadata, tensors, ["training"])
        else:
            mutant = tensor_mutant(
                rng, metadata, tensors, [key for key in tensors if key.startswith("training.")]
            )
        path.write_bytes(safetensors.torch.save(mutant[1], mutant[0]))
        try:
            refused += refusal(lambda: go_on(path)) is not None
        except Exception as error:
            raise AssertionError(f"mutant {number}") from error
    assert refused > MUTANTS / 6


COUNTERS = {"stage": 2, "iteration": 8, "done": 9, "failures": 6, "stalls": 5}
WRONG = [
    (name, wrong)
    for name, most in COUNTERS.items()
    for wrong in (-1, most, 0.5, "many", None, True, math.nan)
]


@pytest.mark.parametrize(("name", "wrong"), [*WRONG, ("steps", -1), ("steps", 0.5)])
def test_a_place_where_no_run_can_stand_is_refused(begun, name, wrong):
    path = begun("soap", NetworkConfig(3))
    metadata, tensors = contents(path)
    stands = json.loads(metadata["training"])
    stands["state"][name] = wrong
    path.write_bytes(safetensors.torch.save(tensors, {**metadata, "training": json.dumps(stands)}))
    with pytest.raises(CheckpointError, match=f"holds no training run to resume: .*{name} must be"):
        Trainer.resume(path.parent)


def test_a_finished_run_and_one_of_no_iterations_can_be_resumed(begun):
    for iterations in (0, 8):
        go_on(begun("soap", NetworkConfig(3), iterations))


@pytest.mark.parametrize(
    ("part", "field"),
    [("arm", "tone"), ("weights", "alpha"), ("network", "time_constant")],
)
def test_a_field_of_another_shape_or_none_is_refused_by_name(tmp_path, part, field):
    metadata, tensors = contents(CHECKPOINTS["reach"])
    path = tmp_path / "checkpoint.safetensors"
    for junk in ([], [1.0, 2.0], {}, None, "", "much", math.nan, -1, True):
        values = {**json.loads(metadata[part]), field: junk}
        path.write_bytes(safetensors.torch.save(tensors, {**metadata, part: json.dumps(values)}))
        with pytest.raises(CheckpointError, match=f"{part}: {field} must be"):
            load_checkpoint(path)
    missing = {key: value for key, value in json.loads(metadata[part]).items() if key != field}
    path.write_bytes(safetensors.torch.save(tensors, {**metadata, part: json.dumps(missing)}))
    with pytest.raises(CheckpointError, match=f"{part} is incomplete: {field} is missing"):
        load_checkpoint(path)


def every_checkpoint():
    return sorted([*TRAINED.glob("*.safetensors"), *STORED.glob("*/checkpoint.safetensors")])


@pytest.mark.parametrize(
    "path", every_checkpoint(), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_shipped_and_stored_checkpoint_is_usable_and_its_configuration_valid(path):
    usable(path)
    checkpoint = load_checkpoint(path)
    config = stored_config(checkpoint.training["config"])
    assert (config.task, config.network) == (checkpoint.task, checkpoint.network.config)
