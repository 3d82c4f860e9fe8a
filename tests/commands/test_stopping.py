"""Commands that are stopped, or whose output nobody takes, end with a line and a status.

They run in real processes.
"""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from rnn_controller.__main__ import stop

COMMAND = [sys.executable, "-m", "rnn_controller"]
SHORT = ("--neurons=3", "--settling=0.1", "--batch-size=2")
STOPPER = """
    import os, sys, threading

    class Stopper:
        def find_spec(self, name, path=None, target=None):
            if name == {module!r}:
                sys.meta_path.remove(self)
                if {delay}:
                    threading.Timer({delay}, os.kill, (os.getpid(), {number})).start()
                else:
                    os.kill(os.getpid(), {number})

    sys.meta_path.insert(0, Stopper())
"""
"""A ``sitecustomize`` that sends its process a signal, so long after the import of a module begins.
"""
AT_IMPORT = {
    "torch": ["evaluate", "reach"],
    "rnn_controller.commands": ["evaluate", "reach"],
    "rnn_controller.analysis.attractors": ["attractors", "reach"],
    "matplotlib.figure": ["figure", "5"],
    "pygame": ["animate", "6a"],
}
AT_WORK = [
    (signal.SIGINT, ["evaluate", "reach", "--movements=20000"]),
    (signal.SIGINT, ["attractors", "reach", "--commands=2000"]),
    (signal.SIGINT, ["demo", "--output=here"]),
    (signal.SIGINT, ["train", "reach", *SHORT, "--output=here"]),
    (signal.SIGTERM, ["train", "reach", *SHORT, "--output=here"]),
]


def started(folder, arguments, module, number, delay=0.0):
    """A command in a new folder that will be sent a signal.

    It takes Ctrl-C even where this process does not.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        textwrap.dedent(STOPPER.format(module=module, delay=delay, number=int(number)))
    )
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


# the folder of the results, and a progress bar, or its text alone where that is wide
MAY_STAND_BEFORE = r"results are written|%[|]|^\d\d:\d\d|^$"


def last_line(process, number):
    """The line in which it says that it was stopped.

    Before it there is at most the folder of the results, and a progress bar.
    """
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number and not out, err
    *before, last = err.strip().split("\n")
    assert not [line for line in before if not re.search(MAY_STAND_BEFORE, line)], err
    assert last.startswith("interrupted" if number == signal.SIGINT else "terminated"), err
    return last


def test_a_signal_while_modules_are_imported(tmp_path):
    number = signal.SIGINT
    processes = [
        started(tmp_path / module, case, module, number) for module, case in AT_IMPORT.items()
    ]
    for process in processes:
        last_line(process, number)


def test_a_signal_at_work(tmp_path):
    begin = "rnn_controller.watching"  # one of the last to be imported
    folders = [tmp_path / str(index) for index in range(len(AT_WORK))]
    processes = [
        started(f, case, begin, number, 3.0)
        for f, (number, case) in zip(folders, AT_WORK, strict=True)
    ]
    for folder, process, (number, _) in zip(folders, processes, AT_WORK, strict=True):
        last = last_line(process, number)
        written = [
            path.name
            for path in folder.rglob("[!.]*.*")
            if path.is_file() and path.suffix not in (".py", ".pyc")
        ]
        assert written in ([], ["checkpoint.safetensors"])
        assert ("go" in last) == bool(written)


def test_a_signal_while_llvm_calls_python_comes_a_moment_later(monkeypatch):
    source = "def _raw_object_cache_getbuffer(call): return call()"
    callback = {"__name__": "llvmlite.binding.executionengine"}
    exec(source, callback)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        # it would be lost in here
        callback["_raw_object_cache_getbuffer"](lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(KeyboardInterrupt, match="terminated"):
            time.sleep(10)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("command", "statuses", "text"),
    [
        ("evaluate --help | true", (0, 141), ""),
        (
            "evaluate reach --movements 2 > /dev/full",
            (1,),
            "error: [Errno 28] No space left on device\n",
        ),
    ],
)
def test_an_output_that_nobody_takes(tmp_path, command, statuses, text):
    line = f"set -o pipefail; {sys.executable} -m rnn_controller {command}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert (
        done.returncode in statuses
        and done.stderr.endswith(text)
        and "Traceback" not in done.stderr
    ), done.stderr
    assert text or not done.stderr


def test_a_terminal_that_has_no_greek(tmp_path):
    done = subprocess.run(
        [*COMMAND, "train", "reach", "--help"], capture_output=True, cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr and b"--settling" in done.stdout
