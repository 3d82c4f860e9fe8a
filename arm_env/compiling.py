"""Numba with an on-disk cache that can never serve stale physics.

Numba notices when a function's own file changes, but not when a function that it calls does. So
everything compiled here is cached in a folder named after a digest of all of ``arm_env``'s source.
Set ``ARM_ENV_CACHE`` to move the cache.
"""

import functools
import hashlib
import importlib.util
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import platformdirs


@functools.cache
def cache_folder() -> Path:
    """Where compiled code is kept; a temporary folder if the usual one can't be written."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    root = os.environ.get("ARM_ENV_CACHE") or platformdirs.user_cache_dir("arm_env")
    folder = Path(root) / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="arm_env-"))
    return folder


def jit(function: Callable[..., Any]) -> Any:
    """Compile for arrays of float64, no lock held.

    IEEE semantics, without fused multiply-add: which products are fused depends on what is inlined where, and then the
    first process, which compiles, would not compute the same bits as the next, which finds all in the cache.
    """
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(cache_folder())
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before


def compile_source(name: str, source: str, **known: Any) -> ModuleType:
    """Compile the functions of generated source, which may call those ``known``; the module has each as attribute."""
    path = cache_folder() / f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:16]}.py"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(source)
        partial.rename(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # cached kernels look their callees up by this name
    vars(module).update({f: getattr(math, f) for f in ("exp", "log", "sin", "cos", "sqrt")}, **known)
    spec.loader.exec_module(module)
    for key, value in list(vars(module).items()):
        if getattr(value, "__module__", None) == path.stem:
            setattr(module, key, jit(value))
    return module
