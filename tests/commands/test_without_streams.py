"""Programs without stdout and stderr: pythonw, services, and shells that close them."""

import io
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from arm_env import Reach
from rnn_controller import __main__ as start
from rnn_controller import commands, figures, load, load_checkpoint
from rnn_controller.analysis import attractors, points
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.training import trainer as training
from rnn_controller.training.trainer import Stage, TrainConfig, Trainer, TrainingError, train

SHORT = ("--neurons=3", "--settling=0.1", "--batch-size=2", "--iterations=2", "--output=here")
STAGE = Stage("adam", 2, batch_size=2, first=(0.2, 0.3), second=(0.2, 0.3))
CONFIG = TrainConfig(network=NetworkConfig(3), settling=0.1)


@pytest.fixture
def without_streams(monkeypatch):
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        monkeypatch.setattr(sys, name, None)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setitem(training.RECIPES, "default", (STAGE,))


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_command_whose_streams_are_closed_does_its_work(tmp_path, closed):
    line = f"{sys.executable} -m rnn_controller train reach {' '.join(SHORT)} {closed}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0 and not done.stderr
    assert len(load_checkpoint(tmp_path / "here").tensors["history"]) == 2
    assert not [path for path in tmp_path.iterdir() if path.name != "here"]


def test_streams_of_any_kind_are_taken_at_the_start(monkeypatch):
    class Bare:
        def write(self, text):
            pass

    for out, err in ((None, None), (io.StringIO(), Bare()), (Bare(), None)):
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        start.prepare_streams()
        for given, now in ((out, sys.stdout), (err, sys.stderr)):
            assert now is given if given else now.write("ω") == 1


def test_a_signal_finds_no_stderr(monkeypatch):
    def write(number, text):
        raise OSError(9, "Bad file descriptor")

    ends = []
    monkeypatch.setattr(start.os, "write", write)
    monkeypatch.setattr(start.os, "_exit", ends.append)
    start.leave(signal.SIGTERM, None)
    assert ends == [143]


def test_a_command_that_is_called_does_its_work_or_says_why(without_streams, monkeypatch, tmp_path):
    monkeypatch.setattr(
        sys,
        "argv",
        ["rnn_controller", "train", "reach", *SHORT[:-1], f"--output={tmp_path / 'here'}"],
    )
    commands.main()
    assert len(load_checkpoint(tmp_path / "here").tensors["history"]) == 2
    with pytest.raises(SystemExit, match=r"^error: .*checkpoint\.safetensors exists"):
        commands.main()


def test_training_shows_no_progress(without_streams, tmp_path):
    assert len(train(CONFIG, tmp_path).tensors["history"]) == 2


def test_a_repair_is_not_remarked(without_streams, monkeypatch, tmp_path):
    evaluate = Trainer.evaluate
    calls = []

    def broken_once(self, *arguments):
        found = evaluate(self, *arguments)
        calls.append(found.value)
        return found if len(calls) > 1 else replace(found, value=np.inf)

    monkeypatch.setattr(Trainer, "evaluate", broken_once)
    assert len(train(CONFIG, tmp_path).tensors["history"]) == 2 and len(calls) == 2


def test_analysis_and_animation_show_no_progress(without_streams, monkeypatch, tmp_path):
    controller = load("reach")
    monkeypatch.setattr(points, "TIME", 0.1)
    loop = attractors.ClosedLoop(controller.network, Reach())
    assert attractors.analyse(loop, np.array([[0.0, 0.4]]), starts=2).attractors
    assert figures.animate(controller, tmp_path / "a.gif", seconds=0.04).is_file()


@pytest.mark.parametrize("error", [MemoryError("none"), RuntimeError("broken")])
def test_a_training_that_fails_in_its_first_iteration_does_not_block_the_next(
    monkeypatch, tmp_path, error
):
    def fails(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "evaluate", fails)
        with pytest.raises((TrainingError, RuntimeError)):
            train(CONFIG, tmp_path, progress=False)
    train(CONFIG, tmp_path, progress=False)
    with pytest.raises(FileExistsError):
        train(CONFIG, tmp_path, progress=False)
