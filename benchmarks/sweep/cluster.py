"""The jobs of a sweep on Ray: on this machine, or on a cluster that shares a file system."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from benchmarks.sweep.jobs import Job
from benchmarks.sweep.worker import in_a_line, work

DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # Ray's 15 starves a training beside any other program
}
"""Settings of Ray in the environment, unless the user has others there."""
LOOK = 1.0  # [s] between two looks at the jobs that run


@contextmanager
def cluster(address: str | None, workers: int) -> Iterator[None]:
    """Start Ray with a number of workers on this machine, or join the cluster at an address.

    Raises ValueError if there is no cluster at the address.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in DEFAULTS.items()})
    there = {"address": address} if address else {"address": "local", "num_cpus": workers}
    try:
        ray.init(
            **there,
            include_dashboard=False if address is None else None,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except ConnectionError as error:
        raise ValueError(f"there is no Ray cluster at {address}: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()


def run(
    jobs: list[Job],
    folder: Path,
    movements: int,
    tries: int,
    report: Callable[[Job, str | None], Any],
) -> dict[str, str]:
    """Do jobs, each in a folder of its name and in a process of its own; return the errors by name.

    A job that fails is tried again, ``tries`` times in all. ``report`` is called with each job that
    ends, and with the error if it has failed for good.
    """
    # a fresh process for each job: nothing of one can change another, and killing it ends the job
    task = ray.remote(num_cpus=1, max_calls=1, max_retries=0)(work)

    def begin(job: Job) -> Any:
        return task.options(name=job.name).remote(job, folder / job.name, movements)

    running = {begin(job): (job, 1) for job in jobs}
    failed: dict[str, str] = {}
    while running:
        ended, _ = ray.wait(list(running), num_returns=1, timeout=LOOK)
        for reference in ended:
            job, attempt = running.pop(reference)
            error = _error(reference)
            if error and attempt < tries:
                running[begin(job)] = (job, attempt + 1)
                continue
            if error:
                failed[job.name] = error
            report(job, error)
    return failed


def _error(reference: Any) -> str | None:
    """Return in one line why a job failed, or None if it did not."""
    try:
        ray.get(reference)
    except RayError as error:
        return in_a_line(getattr(error, "cause", None) or error)
    return None
