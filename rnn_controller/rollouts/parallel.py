"""Compiled kernels over a batch, split over torch's threads."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1)


class _Threads:
    """How many threads the kernels have, while torch itself has one."""

    def __init__(self) -> None:
        self.lock, self.users, self.number = threading.Lock(), 0, 1


_threads = _Threads()


@contextmanager
def threads_for_kernels() -> Iterator[None]:
    """Leave torch's threads to the compiled kernels: on one thread linear algebra rounds the same
    on every machine.

    As a context or a decorator, in several threads of Python at once; torch's number is that of the
    whole process.
    """
    with _threads.lock:
        if not _threads.users:
            _threads.number = torch.get_num_threads()
        _threads.users += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _threads.lock:
            _threads.users -= 1
            if not _threads.users:
                torch.set_num_threads(_threads.number)


def _begin_anew_in_a_forked_child() -> None:
    """Forget what did not survive the fork: the pool's threads, and torch's own, for which it would
    wait for ever.

    Torch can't start its threads again, so the child has one thread, unless it asks for more.
    """
    _workers.cache_clear()
    _threads.lock, _threads.number = threading.Lock(), 1
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_a_forked_child)


def in_parallel(kernel: Callable[..., None], batch: int, *arguments: Any, share: int = 1) -> None:
    """Call kernel(first, last, *arguments) for parts of a batch, ``share`` or more to a thread.

    Each member is computed alone, so the split changes nothing.
    """
    available = _threads.number if _threads.users else torch.get_num_threads()
    threads = min(available, max(1, batch // share))
    if threads == 1:
        kernel(0, batch, *arguments)
        return
    edges = np.linspace(0, batch, threads + 1).astype(int).tolist()
    jobs = [_workers().submit(kernel, *pair, *arguments) for pair in pairwise(edges)]
    for job in jobs:
        job.result()
