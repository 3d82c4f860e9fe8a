"""The table of a sweep: a row for every job that is done, as in ``comparison.csv``."""

import secrets
import shutil
from pathlib import Path
from typing import Any

from benchmarks.csv_files import write_csv
from benchmarks.places import RECORD, RESULT
from benchmarks.sweep.jobs import Job, result_in
from benchmarks.sweep.worker import BEGUN, ERROR, LOG

TABLE = "sweep.csv"
# the record last
KEPT = (
    *("checkpoint.safetensors", "policy.pt", "normalisation.pkl", "evaluations.npz"),
    *(RESULT, RECORD),
)
"""Files of a finished run that are stored; the others only serve to go on with its training."""
# of the sweep, not of the job
OWN = shutil.ignore_patterns(LOG, BEGUN, ERROR, ".lock")


def is_done(folder: Path) -> bool:
    """Return whether a job's folder holds its result."""
    return (folder / RESULT).exists()


def is_stored(folder: Path) -> bool:
    """Return whether a folder of stored runs holds a run; early ones are records only."""
    return (folder / RECORD).exists() or is_done(folder)


def write_table(jobs: list[Job], folder: Path, stored: Path | None = None) -> Path:
    """Write the rows of the jobs that are done, or stored, in the order of the jobs."""
    places = [folder] if stored is None else [folder, stored]
    rows: list[dict[str, Any]] = []
    for job in jobs:
        done = [place / job.name for place in places if is_done(place / job.name)]
        rows += [result_in(run) for run in done[:1]]
    return write_csv(folder / TABLE, rows)


def store(run: Path, stored: Path) -> None:
    """Copy a finished run to a folder, which appears whole or not at all.

    Only the ``KEPT`` files of a training are copied, and all that a user's own function wrote. A
    folder that is there already stays as it is.
    """
    stored.parent.mkdir(parents=True, exist_ok=True)
    partial = stored.with_name(f".{stored.name}.{secrets.token_hex(8)}")
    try:
        if (run / RECORD).exists():
            partial.mkdir()
            for name in KEPT:
                if (run / name).exists():
                    shutil.copy2(run / name, partial)
        else:
            shutil.copytree(run, partial, ignore=OWN)
        try:
            partial.rename(stored)
        except OSError:
            if not is_stored(stored):  # by another sweep, which was faster
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
