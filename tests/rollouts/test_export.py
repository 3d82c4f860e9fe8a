"""Exported controllers compute what ours compute, and files say what their numbers mean."""

import json
import sys
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import onnx
import onnxruntime
import pytest
from test_vector_tracing import NETWORKS

import arm_env
from arm_env import Arm, JointPD
from arm_env.dynamics.body import ARM
from rnn_controller import Policy, load, load_checkpoint
from rnn_controller.export import to_json, to_onnx
from rnn_controller.policy import ModuleController

OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = 1
KINDS = {
    "reach": lambda: load("reach"),
    "circle": lambda: load("circle"),
    **{name: lambda name=name: Policy(NETWORKS[name]()) for name in ("gru", "mlp", "odd")},
}


class Runner:
    """An exported controller in onnxruntime, with the interface of ours."""

    def __init__(self, path, kind=np.float64):
        self.session = onnxruntime.InferenceSession(path, OPTIONS)
        self.kind = kind
        self.sizes = {array.name: array.shape[1] for array in self.session.get_inputs()}

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        given = {"observation": observation.astype(self.kind)}
        if "state" in self.sizes:
            rest = np.zeros((len(observation), self.sizes["state"]), self.kind)
            given["state"] = rest if state is None else state
        action, *following = self.session.run(None, given)
        return action, (following[0] if following else None)


def driven(controller, env_id, steps=1000, episodes=2):
    envs = gym.make_vec(env_id, num_envs=episodes, max_episode_steps=-1)
    return arm_env.record(controller, envs, steps, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_steps_in_onnxruntime_are_ours(kind, tmp_path):
    ours = KINDS[kind]()
    env_id = "CircleArm-v0" if kind == "circle" else "ReachArm-v0"
    runner = Runner(to_onnx(ours, tmp_path / "controller.onnx"))
    expected, found = driven(ours, env_id), driven(runner, env_id)
    assert expected.actions.std() > 0.001
    for name in ("actions", "hand", "states"):
        assert abs(getattr(found, name) - getattr(expected, name)).max() < 1e-6, name
    if kind == "mlp":
        assert "state" not in runner.sizes and found.neural_states is None
    else:
        assert abs(found.neural_states[1:] - expected.neural_states[1:]).max() < 1e-6


def test_float32_is_less_exact(tmp_path):
    path = to_onnx("reach", tmp_path / "controller.onnx", single_precision=True)
    expected, found = (
        driven(load("reach"), "ReachArm-v0"),
        driven(Runner(path, np.float32), "ReachArm-v0"),
    )
    assert abs(found.hand - expected.hand).max() < 1e-4
    assert found.actions.dtype == np.float32


def test_the_batch_may_have_any_size(tmp_path):
    ours = KINDS["odd"]()
    runner = Runner(to_onnx(ours, tmp_path / "controller.onnx"))
    observation = np.random.default_rng(0).normal(1, 0.2, (5, 20))
    for size in (1, 2, 5):
        action, state = runner.predict(observation[:size])
        expected = ours.predict(observation[:size])
        np.testing.assert_allclose(action, expected[0], atol=1e-6)
        np.testing.assert_allclose(state, expected[1], atol=1e-12)


def test_actions_keep_to_the_limits_of_the_arm(tmp_path):
    ours = Policy(load("reach").network, Arm(max_excitation=0.05))
    runner = Runner(to_onnx(ours, tmp_path / "controller.onnx"))
    action = runner.predict(np.random.default_rng(0).normal(1, 0.5, (50, 20)))[0]
    assert action.min() == 0 and action.max() == 0.05
    assert to_onnx(ours, tmp_path / "c.onnx") and onnx.load(tmp_path / "c.onnx").graph.node


def test_the_model_says_what_its_numbers_mean(tmp_path):
    model = onnx.load(to_onnx("circle", tmp_path / "new" / "circle.onnx"))
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (model.producer_name, model.producer_version) == (
        "rnn-motor-control",
        arm_env.__version__,
    )
    assert told["task"] == "circle" and told["control_period"] == "0.01"
    names = [signal["name"] for signal in json.loads(told["observation"])]
    assert tuple(names) == gym.make("CircleArm-v0").unwrapped.observation_names
    assert json.loads(told["initial_state"]) == [0.0] * 64
    shapes = {
        array.name: [d.dim_param or d.dim_value for d in array.type.tensor_type.shape.dim]
        for array in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "observation": ["batch", 22],
        "state": ["batch", 64],
        "action": ["batch", 6],
        "next_state": ["batch", 64],
    }


# --- JSON -----------------------------------------------------------------------------------------


def step_of(told, observation, state):
    """One step computed from the file alone, as a program in another language would do it."""
    arrays = {
        group: {name: np.array(entry["values"]) for name, entry in told[group].items()}
        for group in ("weights", "constants")
    }
    known = {"observation": observation, "state": state}
    functions = {
        "where": lambda x, a, b: np.where(x > 0, a, b),
        "exp": np.exp,
        "sqrt": np.sqrt,
        **{group: SimpleNamespace(**values) for group, values in arrays.items()},
    }
    unary = {
        "relu": lambda x: np.maximum(x, 0),
        "tanh": np.tanh,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "exp": np.exp,
        "sqrt": np.sqrt,
        "expression": lambda x: x,
    }

    def value(name):
        return known[name] if name in known else eval(name, functions)

    for step in told["steps"]:
        operation, operands = step["operation"], step["operands"]
        if operation == "product":
            found = value(operands[0]) @ value(operands[1])
        elif operation == "concatenate":
            found = np.concatenate([value(operand) for operand in operands])
        elif operation == "slice":
            found = value(operands[0])[operands[1] : operands[2]]
        elif operation == "repeat":
            found = np.repeat(value(operands[0]), step["size"])
        else:
            found = unary[operation](eval(operands[0], {**functions, **known}))
        known[step["result"]] = np.broadcast_to(found, (step["size"],))
    u = value(told["excitations"])
    return np.clip(u, 0, told["max_excitation"]), value(told["next_state"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_knows_the_file_alone_computes_the_same(kind, tmp_path):
    ours = KINDS[kind]()
    told = json.loads(to_json(ours, tmp_path / "controller.json").read_text())
    state = np.array(told["initial_state"])
    expected = None
    rng = np.random.default_rng(2)
    for _ in range(20):
        observation = rng.normal(1, 0.3, len(told["observation"]))
        action, state = step_of(told, observation, state)
        known, expected = ours.predict(observation, expected)
        np.testing.assert_allclose(action, known, atol=1e-6)
        np.testing.assert_allclose(state, expected[0], atol=1e-12)


def test_json_has_the_weights_to_the_bit_and_their_meaning(tmp_path):
    checkpoint = load_checkpoint("reach")
    told = json.loads(to_json(checkpoint, tmp_path / "reach.json").read_text())
    assert set(told["weights"]) == set(checkpoint.network.weights._fields)
    for name, weight in checkpoint.network.weights._asdict().items():
        entry = told["weights"][name]
        assert entry["shape"] == list(weight.shape)
        assert np.array(entry["values"]).tobytes() == weight.detach().numpy().tobytes()
    assert told["constants"]["leak"]["values"] == checkpoint.network.leak
    assert told["observation"][6] == {"name": "velocity_SF", "unit": "L0/s"}
    assert told["observation"][18] == {"name": "target_x", "unit": "m"}
    assert [muscle["name"] for muscle in told["action"]] == list(ARM.muscles)
    assert told["class"] == "rnn_controller.networks.recurrent:RecurrentController"
    assert told["config"]["neurons"] == 36 and told["environment"] == "ReachArm-v0"


def test_a_network_whose_task_is_not_known_has_numbered_commands(tmp_path):
    told = json.loads(to_json(KINDS["gru"](), tmp_path / "gru.json").read_text())
    assert told["task"] is None and told["observation"][19] == {"name": "command_1", "unit": ""}


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("write, suffix", [(to_onnx, ".onnx"), (to_json, ".json")])
def test_other_controllers_and_places_are_refused_and_nothing_is_written(
    write, suffix, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    module = ModuleController(NETWORKS["gru"]())
    for controller in (JointPD(), len, None, module, NETWORKS["gru"]()):
        with pytest.raises(ValueError, match="equations"):
            write(controller, f"x{suffix}")
    with pytest.raises(ValueError, match="no checkpoint 'nobody'"):
        write("nobody", f"x{suffix}")
    for name in ("x", "x.pt", f"x{suffix}.gz", ""):
        with pytest.raises(ValueError, match=rf"written as \{suffix}"):
            write("reach", name)
    with pytest.raises(OSError, match="is not a folder"):
        write("reach", f"file/x{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_onnx_that_is_missing_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx.*'rnn-motor-control\[export\]'"):
        to_onnx("reach", tmp_path / "x.onnx")
    assert to_json("reach", tmp_path / "x.json")
