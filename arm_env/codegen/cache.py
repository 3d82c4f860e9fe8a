"""The cache of compiled code: a folder that never serves stale physics, with checked files.

Numba notices when a function's own file changes, but not when a function that it calls does. So
all code compiled here is cached in a folder named after a digest of all of ``arm_env``'s source.
Set ``ARM_ENV_CACHE`` to move the cache, and ``ARM_ENV_QUIET`` to compile without messages.
"""

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numba
import platformdirs
from numba.core.caching import FunctionCache, IndexDataCacheFile

WORTH_TELLING = 1.0  # [s] a message tells of longer compilation
NOWHERE = Path(os.devnull) / "arm_env"  # no such folder can be: compiled code stays in memory


@functools.cache
def cache_folder() -> Path:
    """Return the folder of compiled code.

    If the usual folder can't be written, it is a temporary one, which is removed at exit.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for file in _sources(files("arm_env")):
        digest.update(file.read_bytes())
    try:
        given = os.environ.get("ARM_ENV_CACHE")
        if given:
            root = os.path.abspath(os.path.expanduser(given))
        else:
            root = platformdirs.user_cache_dir("arm_env")
        if not os.path.isabs(root):
            raise RuntimeError(f"without a home there is no such folder as {root}")
        folder = Path(root) / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError, ValueError):  # no permission, no home, or no path at all
        try:
            folder = Path(tempfile.mkdtemp(prefix="arm_env-"))
        except OSError:  # nothing can be written anywhere
            return NOWHERE
        atexit.register(_remove, folder, os.getpid())
    return folder


def _sources(folder: Traversable) -> Iterator[Traversable]:
    """Return all Python files of a package, a folder or a zip archive, in a fixed order."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _sources(item)
        elif item.name.endswith(".py"):
            yield item


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # and not a forked child that leaves before its parent does
        shutil.rmtree(folder, ignore_errors=True)


class CheckedCache(FunctionCache):
    """Numba's cache of a function; a damaged file or a full disk costs time only.

    ``prepare`` is called with the function before its code is loaded.
    """

    def __init__(self, function: Any, prepare: Callable[[Any], None]):
        super().__init__(function)
        self._prepare = prepare
        if cache_folder() not in Path(self.cache_path).parents:
            raise OSError(
                "Numba would keep it in a folder that does not depend on the rest of the source"
            )
        locator = self._impl.locator
        self._cache_file = _CheckedFile(
            self.cache_path, self._impl.filename_base, locator.get_source_stamp()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        self._prepare(self._py_func)
        found = None
        # unpickling a file that was cut short may fail in any way; the code is compiled again
        with contextlib.suppress(Exception):
            found = super().load_overload(sig, target_context)
        if found is None:
            _say_that_it_takes_time()
            self._begun = time.monotonic()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        seconds = time.monotonic() - self._begun
        if seconds >= WORTH_TELLING:
            _say(f"{self._py_func.__name__} took {seconds:.0f} s")
        for begin in (lambda: None, self.flush):  # an index that can't be read is emptied
            with contextlib.suppress(Exception):
                begin()
                super().save_overload(sig, data)
                return


class _CheckedFile(IndexDataCacheFile):
    """Numba's files, with a digest after the machine code: damaged code is not run."""

    def _save_data(self, name: str, data: Any) -> None:
        code = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(code + hashlib.sha256(code).digest())

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise ValueError("the file is damaged")
        return super()._load_data(name)  # which stops where the digest begins


@functools.cache
def _say_that_it_takes_time() -> None:
    """Print a message the first time that code is compiled in this process."""
    _say("compiling for this machine, once: some seconds for an environment, more for training")


def _say(what: str) -> None:
    if sys.stderr is not None and not os.environ.get("ARM_ENV_QUIET"):
        print(f"arm_env: {what}", file=sys.stderr, flush=True)
