"""The table of a sweep: a row for every job that is done, as in ``comparison.csv``."""

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.csv_files import write_csv
from benchmarks.places import RECORD
from benchmarks.sweep.jobs import Job
from benchmarks.sweep.worker import RESULT

TABLE = "sweep.csv"
# the record last
KEPT = (
    *("checkpoint.safetensors", "policy.pt", "normalisation.pkl", "evaluations.npz"),
    *(RESULT, RECORD),
)
"""Files of a finished run that are stored; the others only serve to go on with its training."""


def is_done(folder: Path) -> bool:
    """Return whether a job's folder holds its result."""
    return (folder / RESULT).exists()


def write_table(jobs: list[Job], folder: Path) -> Path:
    """Write the rows of the jobs that are done, in the order of the jobs."""
    rows: list[dict[str, Any]] = [
        json.loads((folder / job.name / RESULT).read_text("utf-8"))
        for job in jobs
        if is_done(folder / job.name)
    ]
    return write_csv(folder / TABLE, rows)


def store(run: Path, stored: Path) -> None:
    """Copy the ``KEPT`` files of a finished run to a folder, which appears whole or not at all."""
    partial = stored.with_name(f".{stored.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in KEPT:
        if (run / name).exists():
            shutil.copy2(run / name, partial)
    shutil.rmtree(stored, ignore_errors=True)
    partial.rename(stored)
