"""Compiled code: where it is kept, whatever the home, the folder and the neighbours are like."""

import builtins
import io
import math
import os
import pickle
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from arm_env.codegen import cache, compiling, tracing
from arm_env.files import write_whole

MAKE = """
import gymnasium as gym, arm_env
from arm_env.codegen.cache import cache_folder
env = gym.make("ReachArm-v0")
env.reset(seed=1)
reward = env.step(env.action_space.high)[1]
print(cache_folder(), reward, sep="\\n")
"""
ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else"
)


def folder_of(
    tmp_path,
    code="from arm_env.codegen.cache import cache_folder; print(cache_folder())",
    **changes,
):
    """The folder that another process with these variables uses, and whether it is still there."""
    environment = {
        k: v for k, v in os.environ.items() if k not in ("ARM_ENV_CACHE", "XDG_CACHE_HOME")
    }
    environment["PYTHONPATH"] = str(Path(compiling.__file__).parents[2])
    for key, value in changes.items():
        environment.pop(key, None)
        if value is not None:
            environment[key] = str(value)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    folder = Path(done.stdout.splitlines()[0])
    return folder, folder.exists()


def is_temporary(folder, there):
    return folder.name.startswith("arm_env-") and not there


def test_the_cache_is_where_it_is_told_to_be(tmp_path, monkeypatch):
    for given, where in [
        (tmp_path / "new" / "deep folder", tmp_path / "new" / "deep folder"),
        ("here", tmp_path / "here"),  # relative to where the process began
        ("~/there", tmp_path / "there"),
        (f"{tmp_path}/slash/", tmp_path / "slash"),
    ]:
        folder, there = folder_of(tmp_path, ARM_ENV_CACHE=given, HOME=tmp_path)
        assert folder.parent == where and there


def test_a_process_that_changes_its_folder_keeps_its_cache(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    code = """
import os, gymnasium as gym, arm_env
from arm_env.codegen.cache import cache_folder
os.chdir("elsewhere")
gym.make("ReachArm-v0")
print(cache_folder())
"""
    folder, there = folder_of(tmp_path, code, ARM_ENV_CACHE="here")
    assert (
        folder.parent == tmp_path / "here"
        and there
        and not list((tmp_path / "elsewhere").iterdir())
    )
    assert list(folder.glob("task_*.py"))


def test_an_empty_variable_is_none(tmp_path):
    folder, there = folder_of(
        tmp_path, ARM_ENV_CACHE="", HOME=tmp_path, XDG_CACHE_HOME=tmp_path / "x"
    )
    assert tmp_path in folder.parents and there


@pytest.mark.parametrize("given", ["file", "file/below", "/dev/null", "/proc/nowhere", "x" * 5000])
def test_where_nothing_can_be_written_it_is_temporary_and_removed_at_the_end(given, tmp_path):
    (tmp_path / "file").write_text("")
    assert is_temporary(*folder_of(tmp_path, ARM_ENV_CACHE=given))


def test_a_home_that_is_not_there_makes_the_cache_temporary(tmp_path):
    (tmp_path / "file").write_text("")
    assert is_temporary(*folder_of(tmp_path, HOME=tmp_path / "file" / "nobody"))


SOMEBODY_ELSE = """
import os
from arm_env.codegen.cache import cache_folder
os.setgroups([]), os.setgid(54321), os.setuid(54321)
print(cache_folder.__wrapped__())
"""


@ROOT
def test_a_user_without_an_entry_and_without_a_home_has_a_temporary_cache(tmp_path):
    """``docker run --user``: nobody knows where such a user's home is."""
    for home in (None, "", "/nonexistent"):
        assert is_temporary(*folder_of(tmp_path, SOMEBODY_ELSE, HOME=home))


@ROOT
def test_another_user_s_cache_is_left_alone(tmp_path):
    mine = tmp_path / "mine"
    assert is_temporary(*folder_of(tmp_path, SOMEBODY_ELSE, ARM_ENV_CACHE=mine))


def test_a_user_whom_no_library_can_find_a_home_for(monkeypatch):
    def nowhere(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", nowhere)
    monkeypatch.delenv("ARM_ENV_CACHE", raising=False)
    assert cache.cache_folder.__wrapped__().name.startswith("arm_env-")


def test_a_forked_child_that_ends_first_leaves_the_temporary_folder(tmp_path):
    (tmp_path / "file").write_text("")
    code = """
import os, sys
from arm_env.codegen.cache import cache_folder
folder = cache_folder()
if os.fork() == 0:
    sys.exit()
os.wait()
assert folder.exists()
print(folder)
"""
    assert is_temporary(*folder_of(tmp_path, code, ARM_ENV_CACHE="file"))


def test_processes_that_compile_at_once_share_one_cache(tmp_path):
    environment = {**os.environ, "ARM_ENV_CACHE": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    outputs = {process.communicate()[0] for process in running}
    assert all(process.returncode == 0 for process in running) and len(outputs) == 1
    # nothing temporary is left
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def of_another_version(path):
    other = {".py": b"def plus(x):\n    return x + 99\n", ".nbi": pickle.dumps("0.0.1") + b"?"}
    path.write_bytes(other.get(path.suffix, path.read_bytes()[::-1]))


def with_one_bit_turned(path):
    data = bytearray(path.read_bytes())
    if path.suffix == ".nbc":  # the others hold no machine code
        data[len(data) // 2] ^= 1
    path.write_bytes(data)


def as_a_folder(path):
    path.unlink()
    (path / "inside").mkdir(parents=True)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "garbage": lambda path: path.write_bytes(b"\x80garbage"),
    "another version": of_another_version,
    "one bit": with_one_bit_turned,
    "gone": Path.unlink,
    "a folder": as_a_folder,
}


class Small:
    """A cache with one small function, in a folder of its own.

    It knows whether something was compiled for a value.
    """

    def __init__(self, folder, monkeypatch):
        self.folder, self.said = folder, []
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        monkeypatch.setattr(cache, "cache_folder", lambda: folder)
        monkeypatch.setattr(cache, "_say_that_it_takes_time", lambda: self.said.append(1))

    def value(self):
        self.said.clear()
        return compiling._compiled("small", "def plus(x):\n    return x + 1\n", {})["plus"](
            1.0
        ), bool(self.said)

    def files(self, kind="*"):
        return [path for path in self.folder.rglob(kind) if path.is_file()]


@pytest.mark.parametrize("kind", ["*", "*.py", "*.pyc", "*.nbi", "*.nbc"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_any_damage_of_any_file_of_the_cache_costs_time_only(damage, kind, tmp_path, monkeypatch):
    cache = Small(tmp_path, monkeypatch)
    assert cache.value() == (2.0, True) and cache.value() == (2.0, False)
    assert len(cache.files()) == 4
    for path in cache.files(kind):
        damage(path)
    assert cache.value()[0] == 2.0
    # and without a word where no source can be kept
    for_ever = damage is as_a_folder and kind in ("*.nbi", "*.nbc")
    assert cache.value() == (2.0, for_ever)


@pytest.mark.parametrize("kind", [".py", ".nb"])
def test_another_user_s_files_are_compiled_anew(kind, tmp_path, monkeypatch):
    cache = Small(tmp_path, monkeypatch)
    opened = open
    cache.value()

    def refuse(path, *arguments, **more):
        if str(path).startswith(str(tmp_path)) and kind in Path(path).suffix:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **more)

    for module in (builtins, io):
        monkeypatch.setattr(module, "open", refuse)
    assert cache.value()[0] == 2.0


def test_a_file_in_the_place_of_numba_s_folder_sends_its_cache_nowhere_else(tmp_path, monkeypatch):
    """Beside the source, its other choice, code would outlive a change of what it calls."""
    Small(tmp_path, monkeypatch)

    def plus(x):
        return x + 1

    folder = Path(compiling.jit(plus)._cache.cache_path)
    assert folder.parent == tmp_path
    folder.rmdir()
    folder.write_text("")
    again = compiling.jit(plus)
    assert again._cache.cache_path is None and again(1.0) == 2.0


def test_a_cache_that_becomes_full_costs_time_only(monkeypatch):
    @compiling.jit
    def fresh(x):
        return x + 41.5

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(fresh._cache._cache_file, "save", full)
    assert fresh(1.0) == 42.5


# --- files that appear whole or not at all
# ----------------------------------------------------------


def test_a_file_is_written_whole_with_the_rights_of_any_other(tmp_path):
    path = write_whole(tmp_path / "new" / "file", b"abc")
    assert path.read_bytes() == b"abc"
    (tmp_path / "other").write_bytes(b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)
    assert write_whole(path, "ä").read_text() == "ä"


def test_writers_of_one_file_do_not_meet(tmp_path, monkeypatch):
    """Two containers that share a folder: everybody has the same process number."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "file"
    errors = []
    contents = [bytes([i]) * 100_000 for i in range(4)]

    def write(data):
        try:
            for _ in range(40):
                write_whole(path, data)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert path.read_bytes() in contents
    assert not errors and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "file", b"before")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_whole(tmp_path, b"")
    assert list(tmp_path.iterdir()) == []


# --- one source, one set of kernels
# -----------------------------------------------------------------


def test_the_same_source_is_compiled_once_and_another_callee_is_another_source():
    @compiling.jit
    def one(x):
        return x + 1

    @compiling.jit
    def two(x):
        return x + 2

    source = "def call(x):\n    return f(x)\n"
    first, again, other = (compiling.compile_source("test", source, f=f) for f in (one, one, two))
    assert first is again and first is not other
    assert first.call(1.0) == 2 and other.call(1.0) == 3
    assert np.isfinite(first.call(np.float64(0)))


def test_compiling_is_announced_in_one_line_and_only_when_it_happens(tmp_path):
    code = "from arm_env.codegen.elementary import exp, log; print(exp(0.0) + log(1.0))"
    environment = {**os.environ, "ARM_ENV_CACHE": str(tmp_path), "ARM_ENV_QUIET": ""}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        for _ in range(2)
    ]
    assert [run.stdout for run in runs] == ["1.0\n", "1.0\n"]
    first, second = (run.stderr for run in runs)
    assert first.count("\n") == 1 and "compiling for this machine" in first and second == ""


# --- where nothing can be written, and packages in archives ---------------------------------------


def test_without_any_place_to_write_kernels_are_compiled_in_memory(monkeypatch):
    def no_folder(**_):
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setenv("ARM_ENV_CACHE", os.devnull)
    monkeypatch.setattr(cache.tempfile, "mkdtemp", no_folder)
    assert cache.cache_folder.__wrapped__() == cache.NOWHERE
    monkeypatch.setattr(cache, "cache_folder", lambda: cache.NOWHERE)
    monkeypatch.setattr(compiling, "_tables", {})

    def twice(x):
        return 2 * x

    double = compiling.jit(twice)
    made = compiling.compile_source(
        "in_memory", "def fourfold(x):\n    return twice(twice(x))\n", twice=double
    )
    assert double(1.5) == 3.0 and made.fourfold(1.5) == 6.0


def test_environments_are_made_where_nothing_can_be_written(tmp_path):
    nowhere = """
import tempfile
def none(*_):
    raise FileNotFoundError('No usable temporary directory found')
tempfile._get_default_tempdir = none
"""
    environment = {"ARM_ENV_CACHE": os.devnull, "NUMBA_DISABLE_JIT": "1", "TMPDIR": None}
    folder, there = folder_of(tmp_path, nowhere + MAKE, **environment)
    assert folder == cache.NOWHERE and not there


ARCHIVED = """
import sys, arm_env, rnn_controller
from arm_env.codegen.cache import cache_folder
from rnn_controller import load
assert all(module.__file__.startswith(sys.argv[1]) for module in (arm_env, rnn_controller))
print(cache_folder(), load("reach").predict([0.1] * 20)[0].tobytes().hex())
"""


def test_packages_in_an_archive_find_their_controllers_and_the_same_cache(tmp_path):
    root = Path(compiling.__file__).parents[2]
    archive = tmp_path / "packages.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for package in ("arm_env", "rnn_controller"):
            for path in (root / package).rglob("*"):
                if path.suffix in (".py", ".safetensors"):
                    written.write(path, path.relative_to(root))
    outputs = []
    for place in (root, archive):
        told = {"PYTHONPATH": str(place), "NUMBA_DISABLE_JIT": "1", "ARM_ENV_CACHE": str(tmp_path)}
        command = [sys.executable, "-c", ARCHIVED, str(place)]
        done = subprocess.run(
            command, env={**os.environ, **told}, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]


def test_numbers_without_end_are_printed_so_that_they_compile():
    x = tracing.load("x", (1,))[0]
    outputs = [x * math.inf, x - math.inf, tracing.constant(math.nan)]
    kernels = compiling.compile_source(
        "test", tracing.function_source("without_end", ["x"], {"out": outputs})
    )
    out = np.empty(3)
    kernels.without_end(np.ones(1), out)
    np.testing.assert_array_equal(out, [np.inf, -np.inf, np.nan])
