"""Modules are found under the names that they had before they were moved or renamed."""

import json
import pickle
import subprocess
import sys

import pytest

import arm_env
import rnn_controller
from arm_env.envs.env import ReachArmEnv

OLD = {
    "arm_env.env": "arm_env.envs.env",
    "arm_env.vector_env": "arm_env.envs.vector_env",
    "arm_env.parameters": "arm_env.dynamics.parameters",
    "arm_env.equations": "arm_env.dynamics.equations",
    "arm_env.plant": "arm_env.dynamics.plant",
    "arm_env.tasks": "arm_env.tasks",
    "arm_env.orbits": "arm_env.tasks.orbits",
    "arm_env.controllers": "arm_env.control.controllers",
    "arm_env.receding": "arm_env.control.mpc",
    "arm_env.control.receding": "arm_env.control.mpc",
    "rnn_controller.plant": "rnn_controller.rollouts.plant",
    "rnn_controller.pontryagin": "rnn_controller.rollouts.pontryagin",
    "rnn_controller.neural": "rnn_controller.analysis.neural",
    "rnn_controller.attractors": "rnn_controller.analysis.attractors",
    "rnn_controller.network": "rnn_controller.networks.recurrent",
    "rnn_controller.modules": "rnn_controller.networks.modules",
    "rnn_controller.trainer": "rnn_controller.training.trainer",
}


def fresh(code):
    """What a new interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("first", ["old", "new"])
def test_an_earlier_name_means_the_same_module_whichever_comes_first(first):
    pairs = OLD.items() if first == "old" else [(new, old) for old, new in OLD.items()]
    code = f"""
import importlib, json
pairs = [(importlib.import_module(a), importlib.import_module(b)) for a, b in {list(pairs)}]
same = [a is b for a, b in pairs]
specs = [a.__spec__.name == a.__name__ for a, b in pairs]
print(json.dumps([all(same), all(specs)]))
"""
    assert json.loads(fresh(code)) == [True, True]


def test_an_earlier_name_is_an_attribute_of_its_package():
    assert fresh("import arm_env; print(arm_env.env.ReachArmEnv.__module__)") == "arm_env.envs.env"
    assert (
        fresh("import rnn_controller as r; print(r.neural.play.__module__)")
        == "rnn_controller.analysis.neural"
    )


@pytest.mark.parametrize("package", [arm_env, rnn_controller])
def test_a_name_that_never_was_is_refused(package):
    with pytest.raises(AttributeError, match="nonsense"):
        _ = package.nonsense


def test_what_was_pickled_under_an_earlier_name_is_read():
    pickled = pickle.dumps(ReachArmEnv, protocol=0)
    assert pickle.loads(pickled.replace(b"arm_env.envs.env", b"arm_env.env")) is ReachArmEnv


def test_a_renamed_module_is_found_in_its_folder():
    code = "from arm_env.control import receding; import arm_env; print(arm_env.control.receding"
    assert fresh(f"{code}.RecedingHorizon.__module__)") == "arm_env.control.mpc"
    assert pickle.loads(b"carm_env.control.receding\nRecedingHorizon\n.") is arm_env.RecedingHorizon


def test_a_module_runs_under_its_earlier_name():
    command = [sys.executable, "-m", "arm_env.parameters"]
    assert subprocess.run(command, capture_output=True, text=True).returncode == 0


def test_measures_are_still_found_where_they_were():
    from arm_env import evaluation
    from arm_env.tasks import measures, reach

    assert (
        evaluation.reach_measures is reach.reach_measures
        and evaluation.TARGET_SIZE == measures.TARGET_SIZE
    )
