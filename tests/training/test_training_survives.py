"""Training among other programs: forks, threads, kills, copies, a second training.

Also what torch was set to.
"""

import asyncio
import contextlib
import copy
import errno
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import torch

from arm_env.dynamics.parameters import Arm
from arm_env.files import whole_file, write_whole
from rnn_controller import load
from rnn_controller.checkpoint import TASKS, Checkpoint, CheckpointError, load_checkpoint
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.networks.plain_torch import training_conditions
from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController
from rnn_controller.policy import Policy, controller_of
from rnn_controller.rollouts import pontryagin
from rnn_controller.training import trainer as training
from rnn_controller.training.objective import risk_sensitive, values
from rnn_controller.training.optimizers import Soap
from rnn_controller.training.run_folder import LOCK, claimed
from rnn_controller.training.trainer import Stage, TrainConfig, Trainer, TrainingError, train
from rnn_controller.training.trials import Sampling, sample

BRIEF = {"first": (0.1, 0.4), "second": (0.2, 0.5)}  # of 0.6 s
SOAP = Stage("soap", 6, batch_size=3, initial_target_radius=0.3, **BRIEF)
NETWORKS = {"rnn": NetworkConfig(3), "gru": ModuleConfig("gru", 3), "mlp": ModuleConfig("mlp", 3)}
SPAWN = multiprocessing.get_context("spawn")


def config(network="rnn", seed=1, **changes):
    return TrainConfig(network=NETWORKS[network], settling=0.1, seed=seed, **changes)


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setitem(training.RECIPES, "default", (SOAP,))


@pytest.fixture
def often(monkeypatch):
    """SOAP looks for its axes in every second iteration."""
    monkeypatch.setattr(Soap, "refresh", 2)


def same(one, other):
    """Whether two checkpoints hold the same run, bit for bit."""
    return one.tensors.keys() == other.tensors.keys() and all(
        torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors
    )


def predictions(controller):
    return controller.predict(np.random.default_rng(2).normal(0, 1, (4, 20)))


def assert_predict_the_same(one, other):
    for a, b in zip(predictions(one), predictions(other), strict=True):
        np.testing.assert_array_equal(a, b)


def python(script, *arguments, timeout=60):
    """What a script prints in an interpreter of its own; the test fails if it takes too long."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- forks and threads ----------------------------------------------------------------------------

SMALL = """if True:
    import multiprocessing, os, sys, torch
    from rnn_controller.training import trainer as training
    from rnn_controller.training.optimizers import Soap
    from rnn_controller.networks.recurrent import NetworkConfig
    from rnn_controller.training.trainer import Stage, TrainConfig, train
    Soap.refresh = 2
    holds = (0.2, 0.4)
    stage = Stage("soap", 4, batch_size=8, initial_target_radius=0.3, first=holds, second=holds)
    training.RECIPES["default"] = (stage,)
    def trained(name, seed=1):
        config = TrainConfig(network=NetworkConfig(8), settling=0.1, seed=seed)
        done = train(config, os.path.join(sys.argv[1], name), progress=False)
        return done.tensors["vector"].numpy().tobytes().hex()
    torch.set_num_threads(2)
    """


def test_a_forked_child_trains_as_its_parent_did(tmp_path):
    """Torch's own threads are in use before the fork, too."""
    script = """
    before = trained("parent")
    torch.randn(2000, 2000).exp().sum(), torch.randn(500, 500) @ torch.randn(500, 500)
    child = os.fork()
    if not child:
        torch.randn(2000, 2000).exp().sum()
        print(before == trained("child"), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert before == trained("parent again")
    """
    assert python(SMALL + script, tmp_path) == "True\n"


def test_a_pool_of_forked_workers_trains_many_seeds(tmp_path):
    script = """
    here = [trained(f"here {seed}", seed) for seed in range(3)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        there = pool.starmap(trained, [(f"there {seed}", seed) for seed in range(3)])
    print(here == there)
    """
    assert python(SMALL + script, tmp_path) == "True\n"


def test_linear_algebra_rounds_the_same_on_any_number_of_threads(often, tmp_path):
    """With weights enough for it to be shared out."""
    before = torch.get_num_threads()
    runs = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            larger = TrainConfig(settling=0.1, iterations=3)
            runs.append(train(larger, tmp_path / str(threads), progress=False))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert same(*runs)


@pytest.mark.parametrize("network", NETWORKS)
def test_two_trainings_in_two_threads_end_as_each_does_alone(often, tmp_path, network):
    before = torch.get_num_threads()
    alone = [
        train(config(network, seed), tmp_path / f"alone {seed}", progress=False) for seed in (1, 2)
    ]
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(train, config(network, s), tmp_path / f"beside {s}", progress=False)
            for s in (1, 2)
        ]
    assert all(same(job.result(), one) for job, one in zip(jobs, alone, strict=True))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("network", NETWORKS)
def test_one_controller_serves_many_threads(tmp_path, network):
    controller = controller_of(train(config(network, iterations=1), tmp_path, progress=False))
    observations = np.random.default_rng(3).normal(0, 1, (200, 5, 20))
    expected = [controller.predict(o) for o in observations]
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(controller.predict, observations), expected, strict=True):
            np.testing.assert_array_equal(got[0], wanted[0])
            np.testing.assert_array_equal(got[1], wanted[1])


def test_training_runs_where_an_event_loop_does(tmp_path):
    async def cell():
        return train(config(), tmp_path / "loop", progress=False)

    assert same(asyncio.run(cell()), train(config(), tmp_path / "plain", progress=False))


# --- what torch was set to ------------------------------------------------------------------------


@contextlib.contextmanager
def default_device(name):
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


SETTINGS = {
    "another device": lambda: default_device("meta"),
    "half precision": lambda: default_dtype(torch.float16),
    "double precision": lambda: default_dtype(torch.float64),
    "no gradients": torch.no_grad,
    "gradients disabled": lambda: torch.set_grad_enabled(False),
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "deterministic": deterministic,
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_training_and_loading_do_not_depend_on_what_torch_is_set_to(
    often, tmp_path, setting, network
):
    plain = train(config(network), tmp_path / "plain", progress=False)
    with SETTINGS[setting]():
        run = train(config(network), tmp_path / "set", progress=False)
        loaded = load_checkpoint(tmp_path / "plain")
        again = train(config(network), tmp_path / "set", resume=True, progress=False)
        inside = predictions(load(tmp_path / "plain"))
    assert same(run, plain) and same(loaded, plain) and same(again, plain)
    for got, wanted in zip(inside, predictions(controller_of(plain)), strict=True):
        np.testing.assert_array_equal(got, wanted)
    for parameter in loaded.network.parameters():
        assert (
            parameter.dtype == torch.float64
            and parameter.device.type == "cpu"
            and not parameter.is_inference()
        )


@pytest.mark.parametrize(
    "setting", [name for name in SETTINGS if name not in ("no gradients", "inference")]
)
def test_a_loop_of_ones_own_does_not_depend_on_it_either(setting):
    def gradient():
        task = TASKS["reach"]
        arm = Arm()
        network = RecurrentController(NetworkConfig(3), 2, torch.Generator().manual_seed(1))
        brief = Sampling(settling=0.1, **BRIEF)
        m = sample(np.random.default_rng(1), 3, 3, task=task, arm=arm, sampling=brief)
        with torch.enable_grad():
            x, u, _ = pontryagin.rollout(network, arm, m.x0, m.y0, m.commands, m.noise)
            v = values(task, arm, task.weights, x, u, m.commands, 0.01, m.lengths)
            risk_sensitive(v, 1.0).backward()
        return network.motor.grad

    expected = gradient()
    with SETTINGS[setting]():
        assert torch.equal(gradient(), expected)


@pytest.mark.parametrize(
    "before",
    [
        "torch.set_default_device('meta')",
        "torch.set_default_dtype(torch.float16)",
        "torch.inference_mode().__enter__()",
    ],
)
def test_importing_does_not_depend_on_it(tmp_path, trained_plainly, before):
    script = SMALL.replace("from rnn", f"{before}\n    from rnn", 1) + "print(trained('run'))"
    assert python(script, tmp_path / "set") == trained_plainly


@pytest.fixture(scope="module")
def trained_plainly(tmp_path_factory):
    """Output of a small training in a process of its own."""
    return python(SMALL + "print(trained('run'))", tmp_path_factory.mktemp("trained") / "plain")


def test_weights_of_another_precision_are_taken_as_the_numbers_they_are(tmp_path):
    network = RecurrentController(NetworkConfig(3), 2, torch.Generator().manual_seed(1)).half()
    exact = copy.deepcopy(network).double()
    assert_predict_the_same(Policy(network), Policy(exact))
    saved = load(Checkpoint(network).save(tmp_path / "checkpoint.safetensors"))
    assert_predict_the_same(saved, Policy(exact))
    state = network.initial_state(2)
    assert (
        network(torch.zeros(2, 20, dtype=torch.float16), state)[1].dtype
        == state.dtype
        == torch.float16
    )
    with pytest.raises(
        ValueError, match=r"^recurrent must be a float64 tensor on the CPU, not torch.float16"
    ):
        zeros = [
            torch.zeros(size, dtype=torch.float64)
            for size in ((1, 10), (1, 3), (1, 5, 2), (1, 5, 26))
        ]
        pontryagin.rollout(network, Arm(), *zeros)


def test_weights_without_numbers_are_refused_by_name(tmp_path):
    network = RecurrentController(NetworkConfig(3), 2, torch.Generator().manual_seed(1)).to("meta")
    for use in (Policy, lambda n: Checkpoint(n).save(tmp_path / "checkpoint.safetensors")):
        with pytest.raises(
            ValueError, match=r"^recurrent must hold real numbers, but is torch.float64 on meta$"
        ):
            use(network)


# --- resuming -------------------------------------------------------------------------------------


def test_a_run_resumed_at_any_of_forty_points_computes_the_same_bits(monkeypatch, tmp_path):
    """The parts of a file lie at all kinds of addresses, as its header is longer or shorter."""
    monkeypatch.setattr(Soap, "refresh", 3)
    monkeypatch.setitem(
        training.RECIPES,
        "default",
        (Stage("soap", 44, batch_size=2, initial_target_radius=0.3, **BRIEF),),
    )
    trainer = Trainer(TrainConfig(network=NetworkConfig(8), settling=0.1), tmp_path)
    vectors = []

    def keep(name, value, step):
        if name == "objective":
            trainer.path = tmp_path / str(step) / "checkpoint.safetensors"
            trainer.seconds = 10.0 ** (step % 8) / 3  # which makes the header longer or shorter
            trainer.save()
            vectors.append(trainer.vector)

    trainer.log = keep
    trainer.run(progress=False)
    for at in range(40):
        resumed = Trainer.resume(tmp_path / str(at))
        assert all(
            t.data_ptr() % 64 == 0
            for t in (resumed.vector, *resumed.state.optimizer.values())
            if t.numel()
        )
        for step in (1, 2, 3):
            with training_conditions():
                resumed._iterate(resumed.stages[0])
            assert torch.equal(resumed.vector, vectors[at + step]), (at, step)


def test_a_run_is_saved_before_its_first_iteration_and_after_it(monkeypatch, tmp_path):
    done = []
    evaluate = Trainer.evaluate

    def watched(self, *arguments):
        done.append(len(load_checkpoint(tmp_path).tensors["history"]))
        return evaluate(self, *arguments)

    monkeypatch.setattr(Trainer, "evaluate", watched)
    train(config(), tmp_path, progress=False)
    assert done == [0, 1, 1, 1, 1, 1]


def test_a_killed_run_goes_on_to_the_same_and_leaves_no_lock_behind(tmp_path):
    script = SMALL.replace(
        "training.RECIPES", "from dataclasses import replace\n    training.RECIPES"
    ).replace("(stage,)", "(replace(stage, iterations=300),)")
    wait = "\n    trained('run')"
    process = subprocess.Popen(
        [sys.executable, "-c", script + wait, str(tmp_path)], cwd=Path(__file__).parents[2]
    )
    path = tmp_path / "run" / "checkpoint.safetensors"
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with claimed(tmp_path / "run"):
        left = load_checkpoint(tmp_path / "run")
    assert len(left.tensors["history"]) < 300


@pytest.mark.parametrize(
    ("folder", "text"), [("empty", "nothing was saved in that folder yet"), ("nowhere", "no such")]
)
def test_resuming_what_was_never_saved_says_so(tmp_path, folder, text):
    (tmp_path / "empty").mkdir()
    for begin in (Trainer.resume, lambda path: train(config(), path, resume=True, progress=False)):
        with pytest.raises(
            CheckpointError, match=f"there is no checkpoint .*{folder}.* to resume, .*{text}"
        ):
            begin(tmp_path / folder)
    assert not (tmp_path / "nowhere").exists() and not list((tmp_path / "empty").iterdir())


# --- two at once ----------------------------------------------------------------------------------


def test_a_second_training_into_a_folder_is_refused(monkeypatch, tmp_path):
    refusals = []
    evaluate = Trainer.evaluate

    def beside(self, *arguments):
        for resume in (False, True):
            with pytest.raises(
                TrainingError, match=f"another training is writing to {tmp_path}: "
            ) as caught:
                train(config(seed=9), tmp_path, resume=resume, progress=False)
            refusals.append(caught.value)
        with pytest.raises(TrainingError, match="another training"):
            Trainer(config(seed=9), tmp_path).run(progress=False)
        return evaluate(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "evaluate", beside)
        done = train(config(), tmp_path, progress=False)
    assert len(refusals) == 12
    assert same(load_checkpoint(tmp_path), done)
    assert same(train(config(), tmp_path, resume=True, progress=False), done)  # it is free again


@pytest.mark.parametrize("removed", ["folder", "lock", "replaced"])
def test_a_training_whose_lock_is_removed_ends_at_its_next_save(monkeypatch, tmp_path, removed):
    folder = tmp_path / "run"
    evaluate = Trainer.evaluate

    def disturbed(self, *arguments):
        if removed == "folder" and folder.exists():
            shutil.rmtree(folder)
        else:
            (folder / LOCK).unlink(missing_ok=True)
        if removed == "replaced":
            (folder / LOCK).touch()
        return evaluate(self, *arguments)

    monkeypatch.setattr(Trainer, "evaluate", disturbed)
    with pytest.raises(
        TrainingError, match=f"{folder}, or {LOCK} in it, was removed while"
    ) as caught:
        train(config(), folder, progress=False)
    assert "\n" not in str(caught.value) and folder.exists() == (removed != "folder")
    assert not list(folder.glob("*.safetensors")) or not len(
        load_checkpoint(folder).tensors["history"]
    )


@pytest.mark.skipif(os.name == "nt", reason="simulates a file system of Unix")
@pytest.mark.parametrize("number", ["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EINVAL", "EIO"])
def test_where_there_are_no_locks_a_training_says_so_and_goes_on(
    monkeypatch, tmp_path, capsys, number
):
    def flock(*_):
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    monkeypatch.setattr("fcntl.flock", flock)
    done = train(config(), tmp_path, progress=False)
    assert len(done.tensors["history"]) == SOAP.iterations
    out, err = capsys.readouterr()
    assert not out and err.startswith(f"{tmp_path} can't be locked") and err.count("\n") == 1
    assert same(train(config(), tmp_path, resume=True, progress=False), done)


@pytest.mark.skipif(os.name == "nt", reason="simulates a file system of Unix")
def test_a_lock_that_may_not_be_had_is_refused(monkeypatch, tmp_path):
    def flock(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match="can't be written: No space left"):
        train(config(), tmp_path, progress=False)


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path):
    left = tmp_path / ".checkpoint.safetensors.0123456789abcdef"
    left.write_bytes(b"half")
    with claimed(tmp_path):
        assert not left.exists()


def test_a_folder_is_free_again_after_an_error(monkeypatch, tmp_path):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "_iterate", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        train(config(), tmp_path, progress=False)
    train(config(), tmp_path, resume=True, progress=False)


def test_a_forked_child_neither_keeps_a_claim_nor_ends_it(tmp_path):
    script = """if True:
        import os, sys
        from pathlib import Path
        from rnn_controller.training.run_folder import TrainingError, claimed
        folder, (reading, writing) = Path(sys.argv[1]), os.pipe()
        with claimed(folder):
            lasting = os.fork()
            if not lasting:
                os.read(reading, 1)  # lives on after the claim has ended
                os._exit(0)
            passing = os.fork()
            if not passing:
                sys.exit(0)  # its locks are cleared away here
            os.waitpid(passing, 0)
            try:
                with claimed(folder):
                    print("not refused")
            except TrainingError:
                pass
        with claimed(folder):
            print("free")
        os.write(writing, b"1")
        os.waitpid(lasting, 0)
    """
    assert python(script, tmp_path) == "free\n"


# --- copies ---------------------------------------------------------------------------------------

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "cloudpickle": lambda value: pickle.loads(cloudpickle.dumps(value)),
}


def begun(network, folder, iterations=3):
    """A trainer in the middle of its run that logs somewhere."""
    trainer = Trainer(config(network), folder, lambda name, value, step: None)
    for _ in range(iterations):
        trainer._iterate(trainer.stages[0])
    return trainer


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_copy_of_a_trainer_goes_the_same_way(often, tmp_path, network, way):
    trainer = begun(network, tmp_path / "original")
    copied = COPIES[way](trainer)
    copied.path = tmp_path / "copy" / "checkpoint.safetensors"
    assert same(copied.run(progress=False), trainer.run(progress=False))


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_copy_of_anything_that_is_trained_is_the_same(tmp_path, network, way):
    checkpoint = train(config(network), tmp_path, progress=False)
    copied = COPIES[way](checkpoint)
    assert same(copied, checkpoint) and copied.training == checkpoint.training
    assert_predict_the_same(controller_of(copied), controller_of(checkpoint))
    controller = controller_of(checkpoint)
    assert type(controller) is Policy
    assert_predict_the_same(COPIES[way](controller), controller)
    weights = COPIES[way](checkpoint.network).state_dict()
    assert all(
        torch.equal(weights[name], value) for name, value in checkpoint.network.state_dict().items()
    )


def finished(trainer):
    """The run's end, in another process: weights as bytes."""
    return trainer.run(progress=False).tensors["vector"].numpy().tobytes()


@pytest.mark.parametrize("network", ["rnn", "gru"])
def test_a_trainer_sent_to_another_process_shares_nothing_with_it(tmp_path, network):
    trainer = begun(network, tmp_path / "original")
    before = [p.detach().clone() for p in trainer.network.parameters()]
    with SPAWN.Pool(1) as pool:
        there = pool.apply(finished, (trainer,))
    assert all(
        torch.equal(p, was) for p, was in zip(trainer.network.parameters(), before, strict=True)
    )
    trainer.path = tmp_path / "here" / "checkpoint.safetensors"
    assert finished(trainer) == there


# --- writing --------------------------------------------------------------------------------------


def evaluations(monkeypatch):
    """The calls of ``Trainer.evaluate`` from now on."""
    calls = []
    evaluate = Trainer.evaluate
    monkeypatch.setattr(
        Trainer, "evaluate", lambda self, *given: calls.append(1) or evaluate(self, *given)
    )
    return calls


@pytest.mark.parametrize("place", ["file", "file/run", "run"])
def test_an_output_that_can_not_be_written_is_refused_in_a_sentence_before_any_work(
    monkeypatch, tmp_path, place
):
    (tmp_path / "file").write_text("in the way")
    if place == "run":
        (tmp_path / "run" / "checkpoint.safetensors").mkdir(parents=True)
    calls = evaluations(monkeypatch)
    output = tmp_path / place
    with pytest.raises(OSError) as caught:
        train(config(), output, progress=False)
    message = str(caught.value)
    assert not calls and str(output) in message and "Errno" not in message and "\n" not in message


def test_a_full_disk_is_found_before_any_work(monkeypatch, tmp_path):
    def full(path, data):
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    calls = evaluations(monkeypatch)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        OSError, match=r"checkpoint.safetensors can't be written: No space left on device$"
    ) as caught:
        train(config(), tmp_path, progress=False)
    assert not calls and caught.value.errno == errno.ENOSPC
    assert not [path for path in tmp_path.iterdir() if "checkpoint" in path.name]


def test_processes_of_one_number_write_one_file_at_once(monkeypatch, tmp_path):
    """As in two containers that share a folder."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "notes"
    barrier = threading.Barrier(2)
    replace = Path.replace

    def both_are_ready(partial, target):
        barrier.wait(10)
        return replace(partial, target)

    monkeypatch.setattr(Path, "replace", both_are_ready)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(write_whole, path, text * 1000) for text in ("a", "b")]
    assert all(job.result() == path for job in jobs)
    assert set(path.read_text()) in ({"a"}, {"b"}) and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_is_as_open_to_others_as_any(tmp_path, mask):
    before = os.umask(mask)
    try:
        path = write_whole(tmp_path / "notes", "text")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize(
    ("place", "reason"), [(".", "it is a folder"), ("file/notes", "file is a file, not a folder")]
)
def test_a_place_for_no_file_is_refused_in_a_sentence(tmp_path, place, reason):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=f"can't be written: .*{reason}$"):
        write_whole(tmp_path / place, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interrupt_at_any_line_of_writing_leaves_one_whole_file(tmp_path):
    path = tmp_path / "notes"
    lines = []
    codes = write_whole.__code__, whole_file.__wrapped__.__code__

    def interrupted_at(number):
        executed = iter(range(1, 1000))

        def trace(frame, event, argument):
            if event == "line" and frame.f_code in codes:
                lines.append(frame.f_lineno)
                if next(executed) == number:
                    raise KeyboardInterrupt
            return trace

        sys.settrace(lambda frame, event, _: trace if frame.f_code in codes else None)
        try:
            write_whole(path, "new")
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(None)
        return False

    number = 1
    path.write_text("old")
    while interrupted_at(number):
        assert path.read_text() in ("old", "new") and list(tmp_path.iterdir()) == [path]
        path.write_text("old")
        number += 1
    assert number > 7 and path.read_text() == "new"
