"""Functions of a user's own, which are given as ``module:function``."""

import importlib
from collections.abc import Callable
from typing import Any


def named_function(name: str) -> Callable[..., Any]:
    """Return the function that is called ``module:function``. Raises ValueError without one."""
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever the module does when it is imported
        raise ValueError(
            f"there is no function {name}, given as module:function: {error}"
        ) from None
