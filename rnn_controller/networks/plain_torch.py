"""Torch as this package computes with it: float64 on the CPU.

It does so whatever the program around it has set.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnn_controller.rollouts.parallel import threads_for_kernels


@contextmanager
def plain_torch() -> Iterator[None]:
    """Compute on the CPU and with gradients, as a context or a decorator.

    A default device, ``no_grad`` and ``inference_mode`` around it end here. The default type of
    numbers and autocast do not matter: all tensors of this package are made as float64, which
    autocast leaves alone.
    """
    # a device's context slows every call of torch, so there is one only where it is needed
    on_cpu: Any = nullcontext()
    if torch.get_default_device().type != "cpu":
        on_cpu = torch.device("cpu")
    with on_cpu, torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def training_conditions() -> Iterator[None]:
    """Set the conditions of a training run, so that it computes the same everywhere.

    This is a context or a decorator.
    """
    with plain_torch(), threads_for_kernels():
        yield


def float64(name: str, value: Tensor) -> Tensor:
    """Return a copy in float64 on the CPU, in memory of its own.

    That memory begins where torch's memory does. Linear algebra rounds otherwise at an address that
    is no multiple of 64 bytes, such as that of a part of a file.
    """
    if value.is_meta or not value.dtype.is_floating_point:
        raise ValueError(f"{name} must hold real numbers, but is {value.dtype} on {value.device}")
    with plain_torch():
        return value.detach().to("cpu", torch.float64, copy=True).contiguous()


def float64_array(name: str, value: Tensor) -> np.ndarray:
    """Return the same as an array."""
    return float64(name, value).numpy()
