"""Writing of files that appear whole or not at all."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path | str, data: bytes | str) -> Path:
    """Write a file under a temporary name and rename it, so that no reader sees half of it.

    Several processes may write the same file at once, also from several machines; the last one is
    kept. Raises OSError, with the path that can't be written and the reason.
    """
    with whole_file(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
    return Path(path)


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Give the temporary path under which a file is to be written; rename it at the end.

    Its folder is made. Raises OSError as ``write_whole`` does. After an error nothing is left.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with says_why(path):
        if path.is_dir():
            raise IsADirectoryError("it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def says_why(path: Path) -> Iterator[None]:
    """Raise OSError with one sentence that says which path can't be written, and why."""
    try:
        yield
    except OSError as error:
        place = next(
            (parent for parent in path.parents if parent.exists() and not parent.is_dir()), None
        )
        reason = f"{place} is a file, not a folder" if place else error.strerror or str(error)
        told = type(error)(f"{path} can't be written: {reason}")
        told.errno = error.errno
        raise told from error
