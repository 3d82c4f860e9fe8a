"""Checks of the values that a file holds, and how messages show them."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Return the value. Raises ValueError unless it is a mapping."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping, not {in_one_line(value)}")
    return value


def exactly(name: str, found: Mapping[str, Any], expected: Any) -> None:
    """Raise ValueError unless a mapping has the expected keys and no other."""
    missing = sorted(set(expected) - set(found))
    unknown = sorted(set(found) - set(expected))
    if missing:
        raise ValueError(f"{name} is incomplete: {', '.join(missing)} is missing")
    if unknown:
        raise ValueError(f"{name} holds {', '.join(unknown)}, which is unknown")


def real_and_finite(name: str, value: Tensor, limit: float = math.inf) -> None:
    """Raise ValueError unless a tensor (...) is float64, finite and within ± ``limit``."""
    if value.dtype != torch.float64:
        raise ValueError(f"{name} must be float64, not {value.dtype}")
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} is not finite")
    if value.numel() and float(value.abs().max()) > limit:
        raise ValueError(
            f"{name} must hold numbers up to {limit:g}, not {float(value.abs().max()):g}"
        )


def in_one_line(value: Any) -> str:
    """Return a value or an error as text of one line and at most 300 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
