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


# Kept for all calls, so that none has to start threads of its own.
@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1)


class _Threads:
    """The number of threads that kernels have while torch itself has one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.number = 1


_threads = _Threads()


@contextmanager
def threads_for_kernels() -> Iterator[None]:
    """Leave torch's threads to the compiled kernels, as a context or a decorator.

    On one thread torch's linear algebra rounds the same on every machine.
    """
    # Torch's number of threads is one for the whole process, and several threads of Python may be
    # in here at once: the first takes it away, the last gives it back.
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


def _forget_threads_in_a_forked_child() -> None:
    """Forget the threads of the pool and of torch, which did not survive the fork.

    The child would wait for them for ever. Torch can't start its threads again, so the child has
    one thread, unless it asks for more.
    """
    _workers.cache_clear()
    _threads.lock = threading.Lock()  # another thread of the parent may have held it
    _threads.number = 1
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads_in_a_forked_child)


def in_parallel(kernel: Callable[..., None], batch: int, *arguments: Any, share: int = 1) -> None:
    """Call kernel(first, last, *arguments) for parts of a batch, ``share`` or more to a thread.

    Each member is computed alone, so the split changes nothing.
    """
    available = _threads.number if _threads.users else torch.get_num_threads()
    # a thread with less than its share would cost more than it saves
    threads = min(available, max(1, batch // share))
    if threads == 1:
        kernel(0, batch, *arguments)
        return
    edges = np.linspace(0, batch, threads + 1).astype(int).tolist()
    # Threads, not processes: the kernels release Python's lock, and write into the same arrays.
    jobs = [_workers().submit(kernel, *pair, *arguments) for pair in pairwise(edges)]
    for job in jobs:
        job.result()
