"""The devices that arms are computed on: the processor, or an NVIDIA GPU."""

from typing import Any

from arm_env.arguments import choice

DEVICES = ("cpu", "cuda")


def checked_device(device: Any) -> str:
    """Return the name of a device, "cpu" or "cuda".

    Raises ValueError for another name, and for "cuda" where numba.cuda finds no GPU.
    """
    if choice("device", device, DEVICES) == "cuda":
        from numba import cuda

        if not cuda.is_available():
            raise ValueError(
                "device 'cuda' needs an NVIDIA GPU with its driver, and numba.cuda finds none. "
                "pip install 'rnn-motor-control[cuda]' installs the packages "
                "(NUMBA_ENABLE_CUDASIM=1 simulates a GPU, slowly)"
            )
    return str(device)
