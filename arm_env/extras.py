"""Packages that only some functions need, and that an extra of this package installs."""

import importlib
from typing import Any


def needed(package: str, extra: str, what: str) -> Any:
    """Return a package that ``what`` needs; raise ImportError, which names the extra, without it.

    >>> needed("pandas", "data", "a DataFrame")
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{what} needs the package {package}: pip install 'rnn-motor-control[{extra}]'"
        ) from error
