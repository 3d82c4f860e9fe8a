"""What a worker does with a job: it trains, measures, and writes the result."""

import contextlib
import json
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import arm_env
from arm_env.files import write_whole
from benchmarks.named import named_function
from benchmarks.places import MEASURED_SEED, RESULT
from benchmarks.sweep.jobs import Job

ERROR, LOG, BEGUN = "error.txt", "log.txt", "begun.txt"
PATIENCE = 120.0  # [s] to wait for a process that did the same job and was told to end


def work(job: Job, folder: Path, movements: int) -> None:
    """Do a job in its folder, unless that holds its result; what was begun goes on.

    The result is written when all is done. Only one process at a time can do a job. If the job
    fails, its traceback is written to the folder, and the exception raised.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if (folder / RESULT).exists():
            return
        with (folder / BEGUN).open("a") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}\n")
        try:
            with _logged(folder / LOG):
                row = result_of(job, folder, movements)
            attempts = len((folder / BEGUN).read_text().splitlines())
            row = {**row, "attempts": attempts, "version": arm_env.__version__}
            text = json.dumps(row, indent=1, default=_number) + "\n"
        except (Exception, SystemExit) as error:
            write_whole(folder / ERROR, traceback.format_exc())
            if isinstance(error, SystemExit):  # which would end the sweep
                raise RuntimeError(f"the job has left by sys.exit({error.code!r})") from None
            raise
        write_whole(folder / RESULT, text)
        (folder / ERROR).unlink(missing_ok=True)


def run_here(
    job: Job,
    folder: Path,
    movements: int,
    tries: int,
    report: Callable[[Job, str | None], Any],
) -> dict[str, str]:
    """Do the only job of a sweep in this process, as ``cluster.run`` does many on Ray.

    The start of Ray takes longer than a short job.
    """
    error = None
    for _ in range(tries):
        try:
            work(job, folder / job.name, movements)
        except Exception as failure:
            error = in_a_line(failure)
        else:
            error = None
            break
    report(job, error)
    return {job.name: error} if error else {}


def in_a_line(error: BaseException) -> str:
    """Return in one line why a job failed."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def result_of(job: Job, folder: Path, movements: int) -> dict[str, Any]:
    """Train as the job says, and return its row of the table."""
    row = {
        "job": job.name,
        "method": job.method,
        "controller": job.controller,
        "environment": job.environment,
        "seed": job.seed,
    }
    settings = json.dumps(dict(job.settings))
    if ":" in job.method:
        measures = named_function(job.method)(folder, job.task, job.seed, dict(job.settings))
        return {**row, **measures, "settings": settings}
    run = trained(job, folder)
    measures = arm_env.evaluate(
        run.controller(), job.environment, movements=movements, seed=MEASURED_SEED
    ).as_dict()
    measures["movements_seed"] = measures.pop("seed")
    return {
        **row,
        **measures,
        "train_steps": run.steps,
        "train_seconds": round(run.seconds, 1),
        "core_seconds": round(run.core_seconds, 1),
        "parameters": run.parameters,
        "settings": settings,
    }


def trained(job: Job, folder: Path) -> Any:
    """Train as the job says, on one thread, and return the ``benchmarks.runs.Run``."""
    import torch

    from benchmarks import train_network
    from benchmarks.runs import read_run

    torch.set_num_threads(1)
    if job.method in train_network.VARIANTS:
        train_network.finish(job.method, job.task, job.seed, job.settings, folder, job.title)
    else:
        from benchmarks import train_baseline
        from benchmarks.baselines import settings

        given = settings(job.method, job.environment, job.settings)
        train_baseline.begun(job.method, job.environment, job.seed, given, folder).go()
    return read_run(folder)


def _number(value: Any) -> Any:
    """Return a number of NumPy or torch, which JSON does not know, as one of Python."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"the measures of a job are numbers and texts, not {type(value).__name__}")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from the folder of a job; RuntimeError if one is at work there."""
    try:
        with FileLock(folder / ".lock", timeout=PATIENCE):
            yield
    except Timeout:
        raise RuntimeError(f"another process is doing this job, in {folder}") from None


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    with (
        path.open("a", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        yield
