"""Progress bars and remarks of long work, which do without streams where a program has none."""

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from tqdm import tqdm

from arm_env.control.controllers import Controller

DELAY = 3.0  # [s] work that is done sooner shows no bar


def progress_bar(
    iterable: Iterable[Any] | None = None, disable: bool = False, **options: Any
) -> Any:
    """Return a progress bar on stderr; it is off without a stderr, as under ``pythonw``."""
    return tqdm(iterable, disable=disable or sys.stderr is None, **options)


def remark(text: str) -> None:
    """Print a line to stderr, above the progress bars, if there is a stderr."""
    if sys.stderr is not None:
        tqdm.write(text, file=sys.stderr)


class Watched:
    """A controller whose steps move a progress bar on stderr, which appears after three seconds."""

    def __init__(self, controller: Controller, steps: int, title: str):
        self._controller = controller
        self._bar = progress_bar(total=steps, desc=title, unit="step", delay=DELAY)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def __getattr__(self, name: str) -> Any:
        if name == "_controller":  # not there yet: a copy is being made
            raise AttributeError(name)
        return getattr(self._controller, name)

    def predict(self, *arguments: Any, **options: Any) -> tuple[np.ndarray, Any]:
        """Return what the controller itself does."""
        self._bar.update()
        return self._controller.predict(*arguments, **options)
