"""Numba with an on-disk cache that can never serve stale physics, and one set of kernels for one source.

Numba notices when a function's own file changes, but not when a function that it calls does. So
everything compiled here is cached in a folder named after a digest of all of ``arm_env``'s source.
Set ``ARM_ENV_CACHE`` to move the cache, and ``ARM_ENV_QUIET`` to compile without a word.
"""

import atexit
import contextlib
import functools
import hashlib
import importlib.util
import math
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import platformdirs
from numba.core.caching import FunctionCache

from arm_env.files import write_whole

_lock = threading.RLock()  # threads may make environments at once
NOWHERE = Path(os.devnull) / "arm_env"  # no such folder can be: compiled code stays in memory


@functools.cache
def cache_folder() -> Path:
    """Return where compiled code is kept; a temporary folder, removed at exit, if the usual one can't be written."""
    digest = hashlib.sha256(numba.__version__.encode())
    source = files("arm_env")  # in a folder or in a zip archive
    for file in sorted(source.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    try:
        given = os.environ.get("ARM_ENV_CACHE")
        root = os.path.abspath(os.path.expanduser(given)) if given else platformdirs.user_cache_dir("arm_env")
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


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # and not a forked child that leaves before its parent does
        shutil.rmtree(folder, ignore_errors=True)


def jit(function: Callable[..., Any]) -> Any:
    """Compile for arrays of float64, no lock held.

    IEEE semantics, without fused multiply-add: which products are fused depends on what is inlined where, and then the
    first process, which compiles, would not compute the same bits as the next, which finds all in the cache.
    """
    config: Any = numba.config
    with _lock:
        before, config.CACHE_DIR = config.CACHE_DIR, str(cache_folder())
        try:
            compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
            if compiled is not function:  # with JIT off it is
                with contextlib.suppress(RuntimeError, OSError):  # there is nowhere to keep it
                    compiled._cache = _Cache(function)
            return compiled
        finally:
            config.CACHE_DIR = before


class _Cache(FunctionCache):
    """Numba's cache of a function, without which it works as well: a damaged file, or a full disk, costs time only."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = None
        with contextlib.suppress(Exception):  # unpickling what was cut short fails in any way: it is compiled again
            found = super().load_overload(sig, target_context)
        if found is None:
            _say_that_it_takes_time()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        # What is there is damaged or unwritable, and the folder may be read from again later.
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)


@functools.cache
def _say_that_it_takes_time() -> None:
    """Write one line, the first time that something is compiled in this process."""
    if sys.stderr is not None and not os.environ.get("ARM_ENV_QUIET"):
        print("arm_env: compiling for this machine; this takes up to half a minute, once", file=sys.stderr, flush=True)


class Kernels:
    """The compiled functions of one generated source, as attributes.

    They belong to their source: whoever compiles the same source in this process gets the same object. A copy of it is
    itself, and one that is unpickled, here or in another process, is found or made anew by ``recipe``.
    """

    def __init__(self, functions: dict[str, Any]):
        self.__dict__.update(functions)
        self._recipe: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    def made_by(self, function: Callable[..., Any], *arguments: Any) -> "Kernels":
        """Remember the call that makes these kernels, for copies; return them."""
        self._recipe = (function, arguments)
        return self

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __deepcopy__(self, memo: Any) -> "Kernels":
        return self

    def __reduce__(self) -> Any:
        if self._recipe is None:
            raise TypeError("kernels without a recipe can't be pickled")
        return self._recipe


_tables: dict[str, Kernels] = {}


def compile_source(name: str, source: str, **known: Any) -> Kernels:
    """Compile the functions of generated source, which may call those ``known``, unless that has been done before."""
    origins = {key: getattr(value, "py_func", value) for key, value in known.items()}  # with JIT off it is itself
    callees = sorted(
        f"{key}={origin.__module__}.{getattr(origin, '__name__', key)} {_digest_of_file(origin.__module__)}"
        for key, origin in origins.items()
    )
    stem = f"{name}_{hashlib.sha256(chr(10).join([source, *callees]).encode()).hexdigest()[:16]}"
    with _lock:
        if stem not in _tables:
            _tables[stem] = Kernels(_compiled(stem, source, known))
        return _tables[stem]


@functools.cache
def _digest_of_file(module: str) -> str:
    """A digest of the file of a module that the cache folder's name does not know, else nothing."""
    found = sys.modules.get(module)
    path = getattr(found, "__file__", None)
    if not path or Path(path).parent in (Path(__file__).parent, cache_folder()):
        return ""
    loader = getattr(found, "__loader__", None)  # of files, or of a zip archive
    read = getattr(loader, "get_data", None)
    return hashlib.sha256(read(path) if read else Path(path).read_bytes()).hexdigest()[:16]


def _compiled(stem: str, source: str, known: dict[str, Any]) -> dict[str, Any]:
    path = cache_folder() / f"{stem}.py"
    if not path.exists():
        with contextlib.suppress(OSError):
            write_whole(path, source)
    spec = importlib.util.spec_from_file_location(stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module  # cached kernels look their callees up by this name
    vars(module).update({"sqrt": math.sqrt, "empty": np.empty}, **known)
    if path.exists():
        spec.loader.exec_module(module)
    else:  # it could not be written
        exec(compile(source, str(path), "exec"), vars(module))
    functions = {key: jit(f) for key, f in vars(module).items() if getattr(f, "__module__", None) == stem}
    vars(module).update(functions)
    return functions


def once_for_each_task(build: Callable[[Any], Kernels]) -> Callable[[Any], Kernels]:
    """Decorate a function that compiles kernels for a task: it traces the task's equations once, not at every call.

    Tasks are taken to be the same if their class is, and all that they hold. One that holds more than plain values
    (numbers, strings, tuples of them) may change from within, and is traced anew each time.
    """

    @functools.lru_cache(maxsize=128)
    def known(key: _TaskKey) -> Kernels:
        return build(key.task)

    @functools.wraps(build)
    def kernels(task: Any) -> Kernels:
        key = _TaskKey(task)
        with _lock:
            made = known(key) if key.plain else build(task)
            return made.made_by(kernels, task)

    return kernels


class _TaskKey:
    """A task as a key of a table."""

    def __init__(self, task: Any):
        self.task, held = task, getattr(task, "__dict__", None)
        self.plain = held is not None and all(map(_plain, held.values()))
        self._content = (type(task), tuple(sorted((held or {}).items())) if self.plain else id(task))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TaskKey) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)


def _plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_plain, value))
    return isinstance(value, int | float | str | None)
