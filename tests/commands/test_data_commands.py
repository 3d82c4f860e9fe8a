"""The commands record, export and list, and evaluate of several controllers."""

import json
import sys

import numpy as np
import onnxruntime
import pandas
import pytest

from arm_env import Recording
from rnn_controller import commands, load
from rnn_controller.checkpoint import TRAINED
from rnn_controller.commands import recording as recording_command


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder; returns its exit status and outputs."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rnn_controller", *map(str, arguments)])
        status = 0
        try:
            commands.main()
        except SystemExit as end:
            status = end.code or 0
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


def refused(result, *texts):
    status, out, _ = result
    assert isinstance(status, str) and status.startswith("error: ") and not out
    for text in texts:
        assert text in status, status


# --- record ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["npz", "nc", "csv"])
def test_record_writes_where_it_says(run, tmp_path, suffix):
    path = tmp_path / "new" / f"x.{suffix}"
    options = ("--episodes", 3, "--seconds", 0.1, "--seed", 5, "--noise", 0, "--curl", 13)
    status, out, err = run("record", "reach", "--output", path, *options)
    assert status == 0 and out == f"recording: {path}\n" and not err
    if suffix == "csv":
        table = pandas.read_csv(path)
        assert len(table) == 3 * 11 and table["neural_state_35"].notna().all()
        return
    found = Recording.load(path)
    assert found.states.shape == (11, 3, 10) and found.senses.shape == (11, 3, 18)
    assert (found.neural_states[0] == 0).all()
    assert found.source["noise"] == 0 and found.source["perturbation"]["curl"] == 13


def test_record_takes_as_long_as_evaluate_measures_and_repeats_itself(run, tmp_path):
    for name in ("a", "b"):
        run("record", "circle-paper", "--episodes", 2, "--output", f"{name}.npz")
    a, b = (Recording.load(f"{name}.npz") for name in "ab")
    assert len(a.actions) == 600 and a.states.tobytes() == b.states.tobytes()
    assert a.labels.commands == ("centre_x", "centre_y", "radius", "speed")
    assert run("record", "reach", "--episodes", 1, "--seconds", 0.01)[0] == 0
    assert Recording.load("runs/reach.npz").actions.shape == (1, 1, 6)


def test_record_refuses_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr(recording_command, "record", None)
    (tmp_path / "file").touch()
    refused(run("record", "reach", "--output", "x.mat"), ".npz, .nc or .csv")
    refused(run("record", "reach", "--output", "file/x.nc"), "is not a folder")
    refused(run("record", "reach", "--seconds", 0.001), "control period of 0.01 s")
    refused(run("record", "reach", "--episodes", 20_000, "--seconds", 60), "memory")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "h5netcdf", None)
        refused(run("record", "reach", "--output", "x.nc"), "rnn-motor-control[data]")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- export ---------------------------------------------------------------------------------------


def test_export_writes_where_it_says(run, tmp_path):
    status, out, _ = run("export", "reach-paper", "--output", "new/x.onnx")
    assert status == 0 and out == "controller: new/x.onnx\n"
    session = onnxruntime.InferenceSession("new/x.onnx")
    observation = np.full((2, 20), 0.5)
    found = session.run(None, {"observation": observation, "state": np.zeros((2, 12))})
    np.testing.assert_allclose(found[0], load("reach-paper").predict(observation)[0], atol=1e-6)
    assert run("export", "reach", "--output", "x.json")[0] == 0
    assert json.loads((tmp_path / "x.json").read_text())["task"] == "reach"
    assert run("export", "reach", "--single-precision")[1] == "controller: runs/reach.onnx\n"
    inputs = onnxruntime.InferenceSession("runs/reach.onnx").get_inputs()
    assert [array.type for array in inputs] == 2 * ["tensor(float)"]


def test_export_refuses_before_any_work(run, tmp_path, monkeypatch):
    refused(run("export", "reach", "--output", "x.pt"), ".onnx or .json")
    refused(run("export", "nobody", "--output", "x.json"), "no checkpoint 'nobody'")
    refused(run("export", "reach", "--output", "x.json", "--single-precision"), ".onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused(run("export", "reach", "--output", "x.onnx"), "rnn-motor-control[export]")
    assert not [*tmp_path.iterdir()]


# --- list -----------------------------------------------------------------------------------------


def test_list_names_every_controller_that_ships(run):
    status, out, _ = run("list")
    header, *rows = out.splitlines()
    assert status == 0 and header.split() == ["name", "task", "neurons", "network", "training"]
    shipped = {file.name.removesuffix(".safetensors") for file in TRAINED.iterdir()}
    assert {row.split()[0] for row in rows} == shipped and len(rows) == len(shipped)
    told = {entry["name"]: entry for entry in json.loads(run("list", "--json")[1])}
    assert told["circle-paper"]["neurons"] == 36 and told["reach"]["task"].startswith("reach: ")


# --- evaluate -------------------------------------------------------------------------------------


def test_evaluate_shows_several_controllers_side_by_side(run):
    options = ("--movements", 3, "--seed", 4)
    status, out, _ = run("evaluate", "reach", "reach-paper", *options)
    header, *rows = out.splitlines()
    assert status == 0 and header.split() == ["reach", "reach-paper"]
    assert all(len(row.split()) == 3 for row in rows) and rows[0].startswith("fraction_within")
    told = json.loads(run("evaluate", "reach", "reach-paper", *options, "--json")[1])
    for name, measures in told.items():
        assert measures == json.loads(run("evaluate", name, *options, "--json")[1])


def test_evaluate_shows_tasks_beside_each_other_with_dashes(run):
    rows = run("evaluate", "reach-paper", "circle-paper", "--movements", 2)[1].splitlines()
    found = {row.split()[0]: row.split()[1:] for row in rows[1:]}
    assert found["median_radial_error_m"][0] == "–" and "–" not in found["mean_value"]


def test_evaluate_tells_controllers_of_one_name_by_their_paths(run, tmp_path):
    path = tmp_path / "other" / "reach.safetensors"
    path.parent.mkdir()
    path.write_bytes((TRAINED / "reach.safetensors").read_bytes())
    out = run("evaluate", "reach", "other/reach.safetensors", "--movements", 2)[1]
    assert out.split()[:2] == ["reach", "other/reach.safetensors"]
    refused(run("evaluate", "reach", "reach"), "given once")
    refused(run("evaluate", "reach", "nobody"), "no checkpoint 'nobody'")
