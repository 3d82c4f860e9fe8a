"""Compiled kernels over a batch, split over torch's threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1)


def in_parallel(kernel: Callable[..., None], batch: int, *arguments: Any, share: int = 1) -> None:
    """Call kernel(first, last, *arguments) for parts of a batch, ``share`` or more to a thread.

    Each member is computed alone, so the split changes nothing.
    """
    threads = min(torch.get_num_threads(), max(1, batch // share))
    if threads == 1:
        kernel(0, batch, *arguments)
        return
    edges = np.linspace(0, batch, threads + 1).astype(int).tolist()
    jobs = [_workers().submit(kernel, *pair, *arguments) for pair in pairwise(edges)]
    for job in jobs:
        job.result()
