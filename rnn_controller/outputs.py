"""Checks that a result can be written to a place, made before the work begins."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

SPARE = 40  # characters that a file's temporary name may have more than its own


def output_file(path: Path | str, suffixes: Sequence[str], what: str) -> Path:
    """Return the path of a file that can be written as one of the ``suffixes``.

    Raises ValueError or OSError otherwise.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        *others, last = suffixes
        listed = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"{what} is written as {listed}, not as {str(path)!r}")
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder; {what} needs the name of a file")
    if path.exists() and not path.is_file():
        raise OSError(f"{str(path)!r} is a device; {what} needs the name of a file")
    # raises OSError if the temporary name is too long
    path.with_name(f"{path.name}{SPARE * '_'}").exists()
    output_folder(path.parent)
    return path


def output_folder(path: Path | str) -> Path:
    """Return the path of a folder that exists or can be made, and that can be written to.

    Raises OSError otherwise.
    """
    path = there = Path(path)
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(f"{str(there)!r} is not a folder, so nothing can be written in it")
    try:
        if not os.access(there, os.W_OK):
            raise PermissionError("it is read-only")
        # a whole file system may be read-only, or not for files
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise PermissionError(
            f"{str(there)!r} can't be written to: {error.strerror or error}"
        ) from None
    return path
