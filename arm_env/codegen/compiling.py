"""Functions compiled by Numba, and generated source compiled once for the whole process."""

import contextlib
import functools
import hashlib
import importlib.util
import math
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np

from arm_env.codegen import cache
from arm_env.codegen.callees import link_callees
from arm_env.codegen.tracing import Symbol
from arm_env.files import write_whole

T = TypeVar("T")
PACKAGE = Path(__file__).parents[1]  # whose source names the cache
_lock = threading.RLock()  # threads may make environments at once


def jit(function: Callable[..., Any]) -> Any:
    """Compile a function for arrays of float64, with Python's lock released.

    Arithmetic is that of IEEE, without fused multiply-add. The inlining of code decides which
    products are fused; then the first process, which compiles, would not compute the same bits as
    the next, which finds all code in the cache.
    """
    config: Any = numba.config
    with _lock:
        before = config.CACHE_DIR
        config.CACHE_DIR = str(cache.cache_folder())
        try:
            compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
            if compiled is not function:  # with JIT off it is
                # no such folder can be made: it is compiled in every process
                with contextlib.suppress(Exception):
                    compiled._cache = cache.CheckedCache(function, link_callees)
            return compiled
        finally:
            config.CACHE_DIR = before


class Kernels:
    """The compiled functions of one generated source, as attributes.

    All code that compiles the same source in this process gets the same functions. A copy is the
    same object. An unpickled one, here or in another process, is found or made again by ``recipe``.
    """

    def __init__(
        self,
        functions: dict[str, Any],
        recipe: tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ):
        self.__dict__.update(functions)
        self._functions, self._recipe = functions, recipe

    def made_by(self, function: Callable[..., Any], *arguments: Any) -> "Kernels":
        """Return these kernels with the call by which copies are made."""
        return Kernels(self._functions, (function, arguments))

    def has_recipe(self) -> bool:
        """Whether copies can be made."""
        return self._recipe is not None

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
    """Compile the functions of generated source, unless that has been done before.

    They may call the functions ``known``.
    """
    known = {name: value for name, value in known.items() if re.search(rf"\b{name}\b", source)}
    # with JIT off it is itself
    origins = {key: getattr(value, "py_func", value) for key, value in known.items()}
    callees = sorted(
        f"{key}={origin.__module__}.{getattr(origin, '__name__', key)} "
        f"{getattr(origin, 'fingerprint', '')} {_digest_of_file(origin.__module__)}"
        for key, origin in origins.items()
    )
    stem = f"{name}_{hashlib.sha256(chr(10).join([source, *callees]).encode()).hexdigest()[:16]}"
    with _lock:
        if stem not in _tables:
            _tables[stem] = Kernels(_compiled(stem, source, known))
        return _tables[stem]


@functools.cache
def _digest_of_file(module: str) -> str:
    """Return a digest of a module's file that the cache folder's name does not cover, or ""."""
    found = sys.modules.get(module)
    path = getattr(found, "__file__", None)
    if not path or PACKAGE in Path(path).parents or Path(path).parent == cache.cache_folder():
        return ""
    loader = getattr(found, "__loader__", None)  # of files, or of a zip archive
    read = getattr(loader, "get_data", None)
    return hashlib.sha256(read(path) if read else Path(path).read_bytes()).hexdigest()[:16]


def _compiled(stem: str, source: str, known: dict[str, Any]) -> dict[str, Any]:
    path = cache.cache_folder() / f"{stem}.py"
    kept = _is_kept(path, source)
    numbers = {"sqrt": math.sqrt, "empty": np.empty, "inf": math.inf, "nan": math.nan}

    def fresh() -> ModuleType:
        # cached kernels look their callees up by this name
        module = sys.modules[stem] = ModuleType(stem)
        vars(module).update(numbers, **known)
        return module

    module = fresh()
    try:
        if not kept:
            raise ImportError(path)
        spec = importlib.util.spec_from_file_location(stem, path)
        assert spec and spec.loader
        spec.loader.exec_module(module)  # from Python's own cache, which may be damaged, too
    except Exception:
        module = fresh()
        exec(compile(source, str(path) if kept else f"<{stem}>", "exec"), vars(module))
    functions = {
        key: jit(f) for key, f in vars(module).items() if getattr(f, "__module__", None) == stem
    }
    vars(module).update(functions)
    return functions


def _is_kept(path: Path, source: str) -> bool:
    """Whether the file holds that source, after an attempt to write it.

    Numba looks at the file to know whether code is stale.
    """
    with contextlib.suppress(OSError):
        if path.read_bytes() == source.encode():
            return True
    with contextlib.suppress(OSError):
        write_whole(path, source)
        return True
    return False


def once_for_each_trace(
    trace: Callable[[Any], T],
) -> Callable[[Callable[[T], Kernels]], Callable[[Any], Kernels]]:
    """Return a decorator for a function that compiles kernels from the record of an object.

    ``trace`` makes the record. The object's equations are traced at every call and compiled once
    for each record, so that stale code never runs.
    """

    def decorate(build: Callable[[T], Kernels]) -> Callable[[Any], Kernels]:
        # the record keeps the symbols whose identities are its key
        known: dict[Any, tuple[T, Kernels]] = {}

        @functools.wraps(build)
        def kernels(origin: Any) -> Kernels:
            with _lock:
                traced = trace(origin)
                key = _identity(traced)
                if key not in known:
                    again = trace(origin)
                    if _identity(again) != key:
                        raise ValueError(
                            f"the equations of {type(origin).__name__} differ each time they "
                            "are traced: they must not draw random numbers or change anything"
                        )
                    known[key] = traced, build(traced)
                made = known[key][1]
                return made if made.has_recipe() else made.made_by(kernels, origin)

        return kernels

    return decorate


def _identity(record: Any) -> Any:
    """Return a record as a key of a table, in which a symbol is itself."""
    if isinstance(record, list | tuple):
        return tuple(map(_identity, record))
    return id(record) if isinstance(record, Symbol) else record
