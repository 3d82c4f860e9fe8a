"""A progress bar for whatever drives a controller."""

from typing import Any

import numpy as np
from tqdm import tqdm

from arm_env.controllers import Controller

DELAY = 3.0  # [s] work that is done sooner shows no bar


class Watched:
    """A controller whose steps move a progress bar on stderr, which appears after three seconds."""

    def __init__(self, controller: Controller, steps: int, title: str):
        self._controller = controller
        self._bar = tqdm(total=steps, desc=title, unit="step", delay=DELAY)

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
