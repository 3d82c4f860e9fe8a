"""Odd values of every option of every command work, or are refused in a sentence.

They are refused before anything is written. The options are read from the help texts, so that a new
one is tried by itself.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from arm_env.tasks.registry import TASKS
from rnn_controller import commands, figures, load_checkpoint
from rnn_controller.analysis import attractors
from rnn_controller.commands import demo, measuring
from rnn_controller.training import trainer as training
from rnn_controller.training.trainer import Stage

SMALL = ("--neurons=3", "--settling=0.1", "--iterations=1", "--batch-size=1")
COMMANDS = {  # by what help is asked for: the smallest run
    ("train", "reach"): SMALL,
    ("train", "circle"): SMALL,
    ("evaluate",): ("reach", "--movements=2"),
    ("record",): ("reach-paper", "--episodes=1", "--seconds=0.02"),
    ("export",): ("reach-paper",),
    ("figure",): ("6",),
    ("animate",): ("6a",),
    ("attractors",): ("reach", "--commands=2", "--starts=1"),
    ("demo",): ("--iterations=1",),
}
KINDS = {
    **dict.fromkeys(("N", "ITERATIONS"), "INT"),
    **dict.fromkeys(("NUMBER", "SECONDS", "METRES", "KILOGRAMS", "SPEED", "FACTOR"), "FLOAT"),
    **dict.fromkeys(("SHARE", "LOW HIGH", "STIFFNESS DAMPING"), "FLOAT"),
    **dict.fromkeys(("B11 B12 B21 B22", "NEWTONS DIRECTION START DURATION"), "FLOAT"),
    **dict.fromkeys(("FILE", "FOLDER"), "PATH"),
    "ORBIT": "NAME",
    "": "",
}
"""Kinds of values, by the names that help gives them."""
HUGE = "1" + 40 * "0"
LONG = 300 * "n"
IMPOSSIBLE = {  # what no option of a kind can mean
    "INT": ("-1", "nan", "1e400", "1e-400", HUGE, "", "ω"),
    "FLOAT": ("nan", "-inf", HUGE, "", "ω"),
    "PATH": (
        "",
        "file",
        "file/x.png",
        "/dev/full",
        "/dev/full/x.png",
        "/proc/none/x.png",
        LONG,
        f"{LONG}.gif",
        "a\0.gif",
    ),
    "NAME": ("", "ω", "None", "nowhere:Nothing", "subprocess:Popen", "math:pi"),
    "CHOICE": ("", "ω", "None"),
    "": ("x",),
}
PERHAPS = {
    "INT": ("0",),
    "FLOAT": ("0", "-1", "1e400", "1e-400"),
    "PATH": ("folder", "ω.png", "folder/ω.gif"),
}
NAMES = ("", "nobody", "ω", "folder", "file", "file/under", "/dev/full", "None", LONG, "a\0b")


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own; return its exit status and outputs.

    Its work is cut down to a step.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    stage = Stage("adam", 1, batch_size=1, first=(0.2, 0.3), second=(0.2, 0.3))
    for name in training.RECIPES:
        monkeypatch.setitem(training.RECIPES, name, (stage,))
    point = attractors.Attractor((0.0, 0.4), True, 0.0, 0.9, 0.1, 0.001, 0.0, 1.0, 0.5)
    monkeypatch.setattr(
        attractors, "analyse", lambda *_, **k: attractors.Analysis("reach", [point], 0, 1, (1, 1))
    )
    for name in ("figure_5", "figure_6", "figure_attractors"):
        monkeypatch.setattr(figures, name, lambda *_, **__: Figure(figsize=(1, 1)))
    measure = commands.measure
    few = lambda checkpoint, _, *more: measure(checkpoint, 2, *more)  # noqa: E731
    animate = figures.animate
    for module in (measuring, demo):
        monkeypatch.setattr(module, "measure", few)
    monkeypatch.setattr(figures, "animate", lambda *a, **k: animate(*a, **{**k, "seconds": 0.04}))

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["rnn_controller", *arguments])
        status = 0
        try:
            commands.main()
        except SystemExit as end:
            status = end.code or 0
        out, err = capsys.readouterr()
        if isinstance(status, str):  # Python prints it
            assert status.startswith("error: ") and "\n" not in status, status
            status, err = 1, err + status
        return status, out, err

    return call


def files():
    return {path for path in Path().rglob("*") if path.name not in ("folder", "file")}


def refused(result):
    """In a sentence, with nothing on stdout and nothing written."""
    status, out, err = result
    return status in (1, 2) and not out and "Traceback" not in err and not files()


def options(call, names):
    """Name and kind of every option that a command's help names."""
    text = call(*names, "--help")[1]
    found = re.findall(
        r"^\W{1,2}(--[a-z-]+)(?:, --no-[a-z-]+)?(?: ((?:[A-Z0-9]+ )*[A-Z0-9]+\b|\{\S*))?(?: |$)",
        text,
        re.MULTILINE,
    )
    found = [(name, "CHOICE" if kind.startswith("{") else KINDS[kind]) for name, kind in found]
    assert len(found) > 1 and (("--output", "PATH") in found or names == ("evaluate",))
    return found


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_any_option_is_refused_in_a_sentence_or_works(call, names):
    for name, kind in options(call, names):
        for value in (*IMPOSSIBLE[kind], *PERHAPS.get(kind, ())):
            if names == ("train", "circle") and value not in ("", "nan"):
                continue  # its options are those of reach
            small = [text for text in COMMANDS[names] if not text.startswith(f"{name}=")]
            result = call(*names, *small, f"{name}={value}")
            if kind in ("INT", "FLOAT") and result[0]:
                assert name.strip("-").replace("-", "_") in result[2].replace("-", "_"), (
                    name,
                    value,
                    result,
                )
            assert refused(result) or (result[0] == 0 and value not in IMPOSSIBLE[kind]), (
                name,
                value,
                result,
                files(),
            )
            for path in files():
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.parametrize("command", ["evaluate", "attractors"])
def test_json_is_all_of_stdout(call, command):
    status, out, err = call(command, *COMMANDS[(command,)], "--json")
    assert status == 0 and json.loads(out)["seed"] in (0, 1_000_000) and not err


@pytest.mark.parametrize(
    "command",
    [
        "evaluate",
        "evaluate reach",
        "record",
        "export",
        "attractors",
        "figure 5",
        "figure 6",
        "figure tuning",
        "animate 7a",
    ],
)
def test_any_controller_s_name_is_refused_in_a_sentence(call, command):
    for name in NAMES:
        assert refused(call(*command.split(), name)), name


@pytest.mark.parametrize(
    "command", ["train", "figure", "animate", "evaluate", "", "figure 6 reach"]
)
def test_any_other_word_is_refused_in_a_sentence(call, command):
    for word in ("", "ω", "None", "-1", "--output", LONG):
        assert refused(call(*command.split(), word)), word


def test_the_whole_workspace_of_a_tiny_arm_has_no_room_for_circles():
    task = TASKS["circle"]
    arm = load_checkpoint("circle").arm
    tiny = type(arm)(length=(0.06, 0.06), centre_of_mass=(0.03, 0.03))
    assert len(attractors.grid(task, arm, 2000)) == 2000
    with pytest.raises(ValueError, match="no room for 5 circles"):
        attractors.grid(task, tiny, 5)
    for number in (0, -1, 2.5, np.nan):
        with pytest.raises(ValueError, match="number must be a whole number"):
            attractors.grid(task, arm, number)
