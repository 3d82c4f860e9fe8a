"""Base class of objects that are sent to other processes, and write to their arrays there."""

from typing import Any

import numpy as np


class OwnArrays:
    """An object whose arrays are its own after it was unpickled."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Copy the arrays, since those that another process sent may be read-only."""
        own = {key: np.array(x) if isinstance(x, np.ndarray) else x for key, x in state.items()}
        vars(self).update(own)
