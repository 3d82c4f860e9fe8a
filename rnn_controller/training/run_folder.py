"""A training run's folder, which one training at a time may write to."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from arm_env.files import says_why
from rnn_controller.watching import remark

CHECKPOINT = "checkpoint.safetensors"
LOCK = ".training.lock"
WITHOUT_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EIO}
"""Errors of file systems that have no locks, such as some network file systems."""


class TrainingError(RuntimeError):
    """An error that ends a training. The last checkpoint with finite weights is kept."""


@contextmanager
def claimed(folder: Path) -> Iterator[Callable[[], None]]:
    """Make the folder and keep other trainings out of it, in this process too.

    Raises TrainingError if another training is in there. The operating system frees the lock when
    its process ends, however it ends; the file stays. Where the file system knows no locks, a
    remark says that the folder is not locked. The context's value is a function that raises
    TrainingError if the folder or the lock file has been removed since, which ends the lock.
    """
    path = folder / LOCK
    # Not a singleton: two trainings in one process must keep each other out, too.
    lock = FileLock(path, thread_local=False, is_singleton=False, fallback_to_soft=False)
    with says_why(folder / CHECKPOINT):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise TrainingError(
                f"another training is writing to {folder}: wait for its end, or choose another "
                "output"
            ) from None
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            path.touch()
            remark(
                f"{folder} can't be locked ({error.strerror}): take care that no other training "
                "writes to it"
            )
        ours = path.stat()

    def check() -> None:
        # A lock on a file that has been removed does not lock the file that replaced it.
        try:
            same = os.path.samestat(path.stat(), ours)
        except (FileNotFoundError, NotADirectoryError):
            same = False
        if not same:
            raise TrainingError(
                f"{folder}, or {LOCK} in it, was removed while a training was writing to it: "
                "this training ends, and writes nothing more there"
            )

    try:
        # of a training that was killed while it wrote
        for partial in folder.glob(f".{CHECKPOINT}.*"):
            partial.unlink(missing_ok=True)
        yield check
    finally:
        lock.release()
