"""Training by several processes: the same weights, and what is left if one of them is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.training.config import DEFAULTS
from rnn_controller.training.team import Team, fingerprint, joined, part_size
from rnn_controller.training.trainer import Trainer, train

ITERATIONS = 100
SMALL = ("--iterations", str(ITERATIONS), "--batch-size", "80", "--neurons", "6")


def torchrun(processes, folder, *options):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command += ["--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    command += ["-m", "rnn_controller", "train", "reach", *SMALL, "--output", str(folder), *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )


def trained(processes, folder, *options):
    process = torchrun(processes, folder, *options)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert out.count("checkpoint: ") == 1, out
    return load_checkpoint(folder / "checkpoint.safetensors")


def weights(checkpoint):
    return torch.cat([value.flatten() for value in checkpoint.network.state_dict().values()])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The checkpoint of a training by one process."""
    return trained(1, tmp_path_factory.mktemp("alone"))


def test_parts_are_shared_out_whole():
    for size in (1, 2, 3, 5):
        for number in (1, 2, 7, 32):
            shares = [Team(rank, size).share(number) for rank in range(size)]
            assert [i for share in shares for i in range(number)[share]] == list(range(number))
    assert part_size(1) == part_size(2048) == 32 and part_size(2049) == 48
    one, other = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 2**-50])
    assert fingerprint(one) == fingerprint(one.clone()) != fingerprint(other.double())


def test_without_torchrun_there_is_nobody_to_share_with(tmp_path):
    with pytest.raises(ValueError, match="torchrun --nproc-per-node"), joined(True):
        pass
    with joined(False) as team:
        assert team is None
    with pytest.raises(ValueError, match="torchrun"):
        train(DEFAULTS["reach"], tmp_path / "run", shared=True)
    assert not (tmp_path / "run").exists()


def test_a_gradient_in_parts_is_that_of_the_whole(tmp_path):
    class Alone(Team):
        def gathered(self, rows, number):
            return rows

    trainer = Trainer(DEFAULTS["reach"], tmp_path)
    stage = trainer.stages[0]
    trials = trainer._trials(stage)
    whole = trainer.evaluate(trainer.vector, trials, trainer.config.cost)
    trainer.share(Alone(0, 1))
    parts = trainer.evaluate(trainer.vector, trials, trainer.config.cost)
    assert parts.value == pytest.approx(whole.value, rel=1e-13)
    assert parts.steps == whole.steps and parts.on_target == pytest.approx(whole.on_target)
    difference = (parts.gradient - whole.gradient).abs().max()
    assert difference < 1e-12 * whole.gradient.abs().max()


@pytest.mark.parametrize("processes", [2, 3])
def test_the_weights_do_not_depend_on_the_number_of_processes(processes, alone, tmp_path):
    other = trained(processes, tmp_path / "run")
    assert (weights(other) - weights(alone)).abs().max() < 1e-12
    assert other.training["state"] == alone.training["state"]


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to find the processes")
def test_a_killed_process_ends_the_run_which_another_number_of_them_goes_on_with(alone, tmp_path):
    process = torchrun(2, tmp_path)
    checkpoint = tmp_path / "checkpoint.safetensors"
    written = set()  # before the first iteration, and after it
    end = time.monotonic() + 120
    while len(written) < 2:
        if checkpoint.exists():
            written.add(checkpoint.stat().st_mtime_ns)
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.005)
    (second,) = (pid for pid in children(process.pid) if b"\0RANK=1\0" in environment(pid))
    os.kill(second, signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "another process of this training has ended" in out or "go on with" in out, out
    done = load_checkpoint(checkpoint).training["state"]["done"]
    assert 0 < done < ITERATIONS
    other = trained(3, tmp_path, "--resume")
    assert (weights(other) - weights(alone)).abs().max() < 1e-12


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def environment(pid):
    return b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
