"""Progress bars and remarks on stderr. Programs without a stderr show none."""

import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from tqdm import tqdm

from arm_env.control.controllers import Controller

DELAY = 3.0  # [s] work that ends sooner shows no bar
WIDE = 120  # [columns] narrower terminals show the text of an iteration without a bar
RECENT = 101  # iterations whose mean duration gives the time left


def progress_bar(
    iterable: Iterable[Any] | None = None, disable: bool = False, **options: Any
) -> Any:
    """Return a progress bar on stderr; it is off without a stderr, as under ``pythonw``."""
    return tqdm(iterable, disable=disable or sys.stderr is None, **options)


def remark(text: str) -> None:
    """Print a line to stderr, above the progress bars, if there is a stderr."""
    if sys.stderr is not None:
        tqdm.write(text, file=sys.stderr)


class IterationBar:
    """A progress bar of training on stderr, with the time left and a text on the last iteration.

    The first iteration does not count for the time left, since it may be much slower than the rest.
    """

    def __init__(self, title: str, total: int, done: int = 0, disable: bool = False):
        columns = shutil.get_terminal_size((WIDE, 24)).columns
        layout = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {elapsed} elapsed{postfix}"
        self._remaining = total - done
        self._ends: deque[float] = deque(maxlen=RECENT)  # [s] ends of the last iterations
        self._bar = progress_bar(
            total=total, initial=done, disable=disable, desc=title,
            bar_format=layout if columns >= WIDE else "{elapsed}{postfix}",
        )  # fmt: skip

    def __enter__(self) -> "IterationBar":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def advance(self, text: str) -> None:
        """Count one iteration, and show a text on it."""
        self._remaining -= 1
        self._ends.append(time.monotonic())
        if len(self._ends) > 1:
            each = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
            text = f"{tqdm.format_interval(each * self._remaining)} left, {text}"
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()


class Watched:
    """A controller whose steps move a progress bar on stderr, which appears after three seconds.

    The bar begins at the second step. Compiling may take long before it.
    """

    def __init__(self, controller: Controller, steps: int, title: str):
        self._controller = controller
        self._begin = lambda: progress_bar(
            total=steps, initial=1, desc=title, unit="step", delay=DELAY
        )
        self._begun = False
        self._bar: Any = None

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __getattr__(self, name: str) -> Any:
        if name == "_controller":  # not there yet: a copy is being made
            raise AttributeError(name)
        return getattr(self._controller, name)

    def predict(self, *arguments: Any, **options: Any) -> tuple[np.ndarray, Any]:
        """Return the actions (B, M) and the state that the controller itself returns."""
        if self._bar is not None:
            self._bar.update()
        elif self._begun:
            self._bar = self._begin()
        self._begun = True
        return self._controller.predict(*arguments, **options)
