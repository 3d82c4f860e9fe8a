"""Every controller that was ever stored still loads and measures what it did.

``data/measures.json`` was measured before the code was sorted into folders, and again when
roundings changed (by 2e-9 of a value at most); when a network is trained anew and replaces a stored
one, its entry is replaced with it. NumPy draws starts and commands, and rounds them otherwise with
AVX-512: measures then differ by up to 2e-9 of a value, so ``conftest.py`` turns that off.
"""

import json
from pathlib import Path

import pytest

import arm_env
from benchmarks.runs import stored_runs
from rnn_controller import load_checkpoint
from rnn_controller.commands import environment_of
from rnn_controller.policy import controller_of

MEASURED = json.loads((Path(__file__).parent / "data" / "measures.json").read_text())
SHIPPED = ("reach", "circle", "follow", "reach-paper", "circle-paper")
RUNS = {run.folder.name: run for run in stored_runs()}


def assert_as_before(name, measures, rel):
    found = measures.as_dict()
    for key, value in MEASURED[name].items():
        assert found[key] == (None if value is None else pytest.approx(value, rel=rel)), key


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_controller_measures_what_it_did(name):
    checkpoint = load_checkpoint(name)
    controller = controller_of(checkpoint)
    environment = environment_of(checkpoint)
    env_id = checkpoint.goal.env_id
    measures = arm_env.evaluate(controller, env_id, movements=10, seed=7, **environment)
    assert_as_before(name, measures, 1e-12)


@pytest.mark.parametrize("name", RUNS)
def test_a_stored_run_measures_what_it_did(name):
    run = RUNS[name]
    measures = arm_env.evaluate(run.controller(), run.environment, movements=10, seed=7)
    # What runs in torch is not the same to the last digit on every machine.
    compiled = (run.folder / "checkpoint.safetensors").exists()
    assert_as_before(name, measures, 1e-12 if compiled else 1e-3)


def test_every_measurement_is_of_a_controller_that_there_is():
    assert MEASURED.keys() == {*SHIPPED, *RUNS}
