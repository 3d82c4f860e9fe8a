"""A training run's folder, which one training at a time may write to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from arm_env.files import says_why

CHECKPOINT = "checkpoint.safetensors"
LOCK = ".training.lock"


class TrainingError(RuntimeError):
    """Training can't go on; the message says why, and the last sound checkpoint is kept."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make the folder and keep other trainings out of it, in this process too; TrainingError if one is in there.

    The operating system frees the lock when its process ends, however it ends; the file stays.
    """
    lock = FileLock(folder / LOCK, thread_local=False, is_singleton=False)
    with says_why(folder / CHECKPOINT):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise TrainingError(
                f"another training is writing to {folder}: wait for its end, or choose another output"
            ) from None
    try:
        for partial in folder.glob(f".{CHECKPOINT}.*"):  # of a training that was killed while it wrote
            partial.unlink(missing_ok=True)
        yield
    finally:
        lock.release()
