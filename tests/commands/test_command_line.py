"""The command line: what it writes and prints, and how it refuses.

A refusal is one line, no traceback, and a nonzero status.
"""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import asdict, fields

import pytest
import torch

from arm_env import Arm, Circle, CycleMeasures, Perturbation, ReachMeasures
from rnn_controller import commands as command_line
from rnn_controller import load_checkpoint
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController
from rnn_controller.training import trainer as training
from rnn_controller.training.trainer import Stage, TrainConfig, Trainer

TINY = ("--neurons", "3", "--settling", "0.1")
MEASURES = {field.name for field in fields(ReachMeasures)}
CYCLE_MEASURES = {field.name for field in fields(CycleMeasures)}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """In an empty folder, with recipes of one short stage."""
    monkeypatch.chdir(tmp_path)
    stage = Stage("adam", 4, batch_size=2, first=(0.2, 0.3), second=(0.2, 0.3))
    for name in training.RECIPES:
        monkeypatch.setitem(training.RECIPES, name, (stage,))


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command; returns its exit status, and what it printed to stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rnn_controller", *map(str, arguments)])
        status = 0
        try:
            command_line.main()
        except SystemExit as end:
            status = end.code
            if isinstance(status, str):  # Python prints it and exits with 1
                print(status, file=sys.stderr)
                status = 1
        output = capsys.readouterr()
        return status or 0, output.out, output.err

    return run


@pytest.fixture
def controller(tmp_path):
    network = RecurrentController(NetworkConfig(3), 2, torch.Generator().manual_seed(1))
    return Checkpoint(network).save(tmp_path / "tiny" / "checkpoint.safetensors")


def refused(result, *texts):
    """Nonzero status, nothing on stdout, and one line on stderr that says these things."""
    status, out, err = result
    assert status == 1 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for text in texts:
        assert text in err, err


def refused_by_the_parser(result, *texts):
    """Likewise from tyro, which draws a box round its message."""
    status, out, err = result
    assert status == 2 and "Traceback" not in out + err
    for text in texts:
        assert text in " ".join(err.replace("│", " ").split()), err


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ((), ["train", "evaluate", "figure", "demo"]),
        (("train",), ["reach", "circle"]),
        (
            ("train", "reach"),
            [
                "--recipe",
                "--seed",
                "--output",
                "--resume",
                "--tensorboard",
                "--neurons",
                "--iterations",
            ],
        ),
        (
            ("train", "circle"),
            ["--recipe", "--seed", "--output", "--resume", "--neurons", "--settling"],
        ),
        (("evaluate",), ["--movements", "--seed", "--noise", "--curl", "--delay", "--json"]),
        (("figure",), ["--output", "--seed", "--noise"]),
        (("demo",), ["--output", "--iterations"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_help_names_every_option(run, command, options):
    status, out, _ = run(*command, "--help")
    assert status == 0
    for option in options:
        assert option in out


def test_without_arguments_it_prints_help(run):
    assert run() == run("--help")
    assert run()[0] == 0


@pytest.mark.parametrize(
    "command", ["figure", "animate", "attractors", "demo", "evaluate", ("train", "circle")]
)
def test_help_shows_no_python(run, command):
    out = run(*([command] if isinstance(command, str) else command), "--help")[1]
    for choices in ("{5,6,7,8,tuning,", "{6a,", "{default,", "{relu,", "{cpu,"):
        out = out.replace(choices, "")
    assert not [text for text in ("None", "{", "STR", "INT", "(own)", "Box") if text in out]


@pytest.mark.parametrize("command", ["", *command_line.COMMANDS, "train reach", "train circle"])
def test_help_has_two_examples_and_a_sentence_for_every_option(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "90")
    out = run(*command.split(), "--help")[1]
    examples = re.findall(r"^  python -m rnn_controller (.*)$", out, re.MULTILINE)
    assert len(examples) == 2 and all(line.startswith(command) for line in examples)
    *explained, _ = " ".join(out.replace("│", " ").split()).split("(default: ")
    assert len(explained) >= len(re.findall(r"^│ --", out, re.MULTILINE))
    assert all(text.endswith(". ") for text in explained)


@pytest.mark.parametrize("command", ["evaluate", "figure", "animate", "attractors", "train reach"])
def test_the_examples_of_help_are_commands(run, command):
    out = run(*command.split(), "--help")[1]
    for example in re.findall(r"^  python -m rnn_controller (.*)$", out, re.MULTILINE):
        assert command_line.parsed(shlex.split(example))


def test_python_m_runs_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rnn_controller", "evaluate", "nobody"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr.startswith("error: there is no checkpoint 'nobody'")
        and "Traceback" not in done.stderr
    )


# --- train ----------------------------------------------------------------------------------------


def test_train_writes_the_checkpoint_where_it_says(run, tmp_path):
    status, out, _ = run("train", "reach", *TINY, "--iterations", 2, "--output", tmp_path / "here")
    assert status == 0 and out == f"checkpoint: {tmp_path / 'here' / 'checkpoint.safetensors'}\n"
    written = load_checkpoint(tmp_path / "here")
    assert written.network.config.neurons == 3 and len(written.tensors["history"]) == 2


def test_train_says_where_results_are_before_its_bar_which_has_names_that_a_reader_knows(run):
    err = run("train", "reach", *TINY, "--iterations", 3, "--output", "here")[2]
    first, bar = err.split("\n", 1)
    assert first == "train reach: the results are written to here"
    assert re.search(r"\d left, objective [\d.]+, target radius 4.0 cm, \d+ % within target", bar)
    assert "compiling" not in bar and "it/s" not in bar


def test_the_progress_bar_changes_no_weights(tmp_path):
    config = TrainConfig(network=NetworkConfig(3), settling=0.1, iterations=2)
    runs = [training.train(config, tmp_path / str(bar), progress=bar) for bar in (True, False)]
    assert torch.equal(*(run.tensors["vector"] for run in runs))


def test_train_writes_under_runs_by_task_and_seed(run, tmp_path):
    status, out, _ = run("train", "reach", *TINY, "--iterations", 1, "--seed", 5)
    assert status == 0 and out == "checkpoint: runs/reach-5/checkpoint.safetensors\n"
    assert load_checkpoint(tmp_path / "runs" / "reach-5").training["config"]["seed"] == 5


def test_circles_are_trained_with_defaults_of_their_own(run, tmp_path):
    status, out, _ = run("train", "circle", "--settling", 0.1, "--iterations", 1)
    assert status == 0 and out == "checkpoint: runs/circle-0/checkpoint.safetensors\n"
    written = load_checkpoint(tmp_path / "runs" / "circle-0")
    assert written.task == "circle" and written.network.command_size == 4
    assert written.network.config.neurons == 64 and written.weights == Circle.weights


def test_defaults_are_those_of_the_table(run, monkeypatch):
    given = []
    monkeypatch.setattr(
        command_line.training, "train", lambda config, *_, **__: given.append(config)
    )
    for task in training.DEFAULTS:
        run("train", task)
    assert given == list(training.DEFAULTS.values())


def test_the_task_is_chosen_by_its_subcommand_alone(run):
    refused_by_the_parser(run("train", "reach", "--task", "circle"), "--task")
    refused_by_the_parser(run("train"), "reach", "circle")


def test_options_reach_the_configuration(run):
    run(
        "train",
        "reach",
        *TINY,
        "--iterations",
        1,
        "--beta",
        0.5,
        "--no-bias",
        "--activation",
        "tanh",
        "--alpha",
        0.25,
    )
    written = load_checkpoint("runs/reach-0")
    assert written.training["config"]["beta"] == 0.5 and written.weights.alpha == 0.25
    assert written.network.config.activation == "tanh" and not written.network.config.bias


@pytest.mark.parametrize("recipe", training.RECIPES)
def test_every_recipe_runs_by_name(run, recipe):
    status, _, _ = run(
        "train", "reach", *TINY, "--iterations", 1, "--recipe", recipe, "--output", "here"
    )
    assert status == 0 and load_checkpoint("here").training["config"]["recipe"] == recipe


def test_interrupt_says_how_to_go_on_and_resume_does(run, monkeypatch):
    evaluate = Trainer.evaluate
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    command = ("train", "reach", *TINY, "--output", "here")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "evaluate", interrupted)
        status, _, err = run(*command)
    assert status == 130 and "--resume" in err and "here" in err and "Traceback" not in err
    assert len(load_checkpoint("here").tensors["history"]) == 1
    status, _, _ = run(*command, "--resume")
    assert status == 0 and len(load_checkpoint("here").tensors["history"]) == 4
    run("train", "reach", *TINY, "--output", "whole")
    resumed, whole = (load_checkpoint(name).network.state_dict() for name in ("here", "whole"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_overwriting_a_run_is_refused(run):
    command = ("train", "reach", *TINY, "--iterations", 1, "--output", "here")
    run(*command)
    refused(run(*command), "here/checkpoint.safetensors exists", "--resume")


def test_resume_of_nothing_is_refused(run):
    refused(
        run("train", "reach", *TINY, "--output", "nowhere", "--resume"),
        "there is no checkpoint 'nowhere",
    )


def test_resume_with_other_options_is_refused_naming_them(run):
    run("train", "reach", *TINY, "--iterations", 2, "--output", "here")
    refused(
        run(
            "train",
            "reach",
            *TINY,
            "--iterations",
            2,
            "--output",
            "here",
            "--resume",
            "--beta",
            0.25,
        ),
        "beta",
        "0.25",
    )


def test_resume_of_a_controller_that_is_no_run_is_refused(run, controller):
    refused(
        run("train", "reach", *TINY, "--output", controller.parent, "--resume"),
        "no training run to resume",
    )


@pytest.mark.parametrize("output", ["file", "file/run"])
def test_an_output_that_can_be_no_folder_is_refused(run, tmp_path, output):
    (tmp_path / "file").write_text("in the way")
    refused(run("train", "reach", *TINY, "--iterations", 1, "--output", output), "file")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--beta", -1),
        ("--neurons", 0),
        ("--noise", -1),
        ("--settling", -1),
        ("--mass", 0),
        ("--iterations", 0),
        ("--activation", "swish"),
    ],
)
def test_values_that_make_no_sense_are_refused(run, option, value):
    status, out, err = run("train", "reach", option, value)
    assert status in (1, 2) and out == "" and "Traceback" not in err
    assert option.strip("-").split("-")[0] in err or str(value) in err


def test_failed_training_is_said_in_a_line(run, monkeypatch):
    def failing(*_):
        raise training.TrainingError("the network is dead")

    monkeypatch.setattr(Trainer, "_iterate", failing)
    status, out, err = run("train", "reach", *TINY)
    assert (
        status == 1
        and out == ""
        and err.endswith("error: the network is dead\n")
        and "Traceback" not in err
    )


def test_training_under_a_perturbation_keeps_it_beside_the_unperturbed_arm_and_resumes_under_it(
    run,
):
    command = (
        "train",
        "reach",
        *TINY,
        "--iterations",
        2,
        "--output",
        "here",
        "--curl",
        10,
        "--load",
        0.5,
    )
    assert run(*command)[0] == 0
    written = load_checkpoint("here")
    assert written.arm == Arm()
    assert Perturbation(**written.training["config"]["perturbation"]) == Perturbation(
        curl=10, load=0.5
    )
    assert Trainer.resume("here").arm == Perturbation(curl=10, load=0.5).applied_to(Arm())
    assert run(*command, "--resume")[0] == 0
    refused(run(*command[:-2], "--resume"), "perturbation", "load=0.5", "load=0.0")
    run("train", "reach", *TINY, "--iterations", 2, "--output", "there")
    fields = (load_checkpoint(name).network.state_dict()["motor"] for name in ("here", "there"))
    assert not torch.equal(*fields)


def test_a_run_begun_before_there_were_perturbations_goes_on(run):
    command = ("train", "reach", *TINY, "--iterations", 2, "--output", "here")
    run(*command)
    old = load_checkpoint("here")
    del old.training["config"]["perturbation"]
    old.save("here/checkpoint.safetensors")
    assert run(*command, "--resume")[0] == 0
    assert run("evaluate", "here", "--movements", 2)[2] == ""


def test_training_under_a_delay_is_refused(run):
    refused(run("train", "reach", *TINY, "--delay", 0.04), "training has no sensory delay", "0.04")


# --- evaluate -------------------------------------------------------------------------------------


def no_constant(name):
    raise AssertionError(f"{name} is not JSON")


def test_evaluate_prints_json_with_exactly_the_measures(run, controller):
    status, out, _ = run(
        "evaluate", controller, "--movements", 3, "--seed", 4, "--noise", 0.1, "--json"
    )
    measures = json.loads(out, parse_constant=no_constant)
    assert status == 0 and set(measures) == MEASURES
    assert (measures["number_of_movements"], measures["seed"], measures["noise"]) == (3, 4, 0.1)


def test_evaluating_a_circle_controller_measures_cycles(run, tmp_path):
    network = RecurrentController(NetworkConfig(3), 4, torch.Generator().manual_seed(1))
    path = Checkpoint(network, "circle", weights=Circle.weights).save(tmp_path / "c.safetensors")
    status, out, _ = run("evaluate", path, "--movements", 2, "--json")
    measures = json.loads(out, parse_constant=no_constant)
    assert status == 0 and set(measures) == CYCLE_MEASURES and measures["number_of_movements"] == 2


def test_evaluate_prints_a_line_for_each_measure(run, controller):
    status, out, _ = run("evaluate", controller, "--movements", 3)
    rows = [line.split() for line in out.splitlines()]
    assert status == 0 and {name for name, _ in rows} == MEASURES
    assert (
        dict(rows)["number_of_movements"] == "3"
        and float(dict(rows)["median_endpoint_error_m"]) > 0
    )


@pytest.mark.parametrize(
    "option", ["--mass=1.2", "--strength=0.8", "--curl=10", "--load=1", "--delay=0.04"]
)
def test_evaluate_takes_every_perturbation(run, controller, option):
    plain, perturbed = (
        run("evaluate", controller, "--movements", 3, *options) for options in ((), (option,))
    )
    assert perturbed[0] == 0 and perturbed[1] != plain[1] and perturbed[2] == ""


def test_evaluate_perturbs_as_told_and_not_as_trained_but_notes_it(run, controller):
    trained = load_checkpoint(controller)
    trained.training = {"config": {"perturbation": asdict(Perturbation(curl=10.0))}}
    path = trained.save("trained.safetensors")
    for options in ((), ("--curl", 10)):
        same, (status, out, err) = (
            run("evaluate", c, "--movements", 3, *options) for c in (controller, path)
        )
        assert status == 0 and out == same[1]
        assert (
            err == ""
            if options
            else err == "note: trained under {'curl': 10.0}, measured under {}\n"
        )


def test_evaluate_is_repeatable(run, controller):
    one, same, other = (
        run("evaluate", controller, "--movements", 3, "--seed", seed)[1] for seed in (1, 1, 2)
    )
    assert one == same != other


def test_evaluate_takes_a_run_s_folder(run, controller):
    assert run("evaluate", controller.parent, "--movements", 2) == run(
        "evaluate", controller, "--movements", 2
    )


@pytest.mark.parametrize("name", ["nobody", "no/such/file.safetensors"])
def test_evaluating_a_missing_controller_is_refused(run, name):
    refused(run("evaluate", name), f"there is no checkpoint '{name}'")


def test_evaluating_a_broken_checkpoint_is_refused(run, controller):
    controller.write_bytes(controller.read_bytes()[:100])
    refused(run("evaluate", controller), str(controller), "not a complete checkpoint")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--movements", 0), ("--noise", -1), ("--noise", "nan"), ("--delay", 0.005)],
)
def test_evaluations_that_make_no_sense_are_refused(run, controller, option, value):
    status, out, err = run("evaluate", controller, option, value)
    assert status in (1, 2) and out == "" and "Traceback" not in err and str(value) in err


# --- what the parser refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (("train", "reach", "--bogus", "1"), ["--bogus"]),
        (("evaluate", "reach", "--bogus"), ["--bogus"]),
        (("train", "reach", "--recipe", "grandmother"), ["'grandmother'", "'default'"]),
        (("train", "juggle"), ["juggle", "reach, circle"]),
        (("train", "reach", "--seed", "many"), ["--seed", "many"]),
        (("evaluate",), ["A shipped controller", "required"]),
        (("dance",), ["dance", "evaluate"]),
        (("train", "reach", "--output", ""), ["--output", "it is empty"]),
    ],
    ids=" ".join,
)
def test_the_parser_names_what_it_refuses(run, arguments, texts):
    refused_by_the_parser(run(*arguments), *texts)
