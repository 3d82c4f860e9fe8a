"""The settings of torch that this package computes with: float64 on the CPU, with gradients.

They hold inside this package, whatever the program around it has set.
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

    A default device, ``no_grad`` and ``inference_mode`` of the program around have no effect
    inside. The default type and autocast don't matter: this package makes all tensors as float64,
    which autocast does not change.
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
    """Return a copy (...) in float64 on the CPU, in separate memory.

    Raises ValueError for numbers that are not real. The memory is aligned as torch aligns it:
    linear algebra rounds differently at an address that is no multiple of 64 bytes.
    """
    if value.is_meta or not value.dtype.is_floating_point:
        raise ValueError(f"{name} must hold real numbers, but is {value.dtype} on {value.device}")
    with plain_torch():
        return value.detach().to("cpu", torch.float64, copy=True).contiguous()


def float64_array(name: str, value: Tensor) -> np.ndarray:
    """Return a copy as a float64 array (...). Raises ValueError for numbers that are not real."""
    return float64(name, value).numpy()
