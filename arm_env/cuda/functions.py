"""Traced equations as functions of a GPU's threads.

They are printed as Python, which numba.cuda compiles. Their bits are not those of the processor:
the GPU has its own elementary functions, and fuses other products.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

from numba import config, cuda

from arm_env.codegen.tracing import function_source
from arm_env.dynamics.body import Body
from arm_env.dynamics.plant import Function, functions_of
from arm_env.dynamics.random_numbers import AT_ONCE, COUNTERS, MASK, scrambled

THREADS = 128  # of a block
# few arms leave most of a GPU idle, as the user knows
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # type: ignore[attr-defined]


def blocks_for(threads: int) -> tuple[int, int]:
    """Return the number of blocks that hold so many threads, and the number of threads in each."""
    return -(-threads // THREADS), THREADS


def device_functions(functions: Mapping[str, Function]) -> dict[str, Any]:
    """Return functions that code for the GPU calls, by name, each with the arrays of one arm."""
    return {
        name: printed(name, function_source(name, *function))
        for name, function in functions.items()
    }


@functools.cache
def physics_on_gpu(body: Body) -> dict[str, Any]:
    """Return ``functions_of`` a body for code on the GPU; they are printed once."""
    return device_functions(functions_of(body))


@functools.cache
def printed(name: str, source: str) -> Any:
    """Return the function of that name in Python source, for code on the GPU."""
    scope = {**LIBRARY}
    exec(source, scope)
    return cuda.jit(device=True)(scope[name])


@cuda.jit(device=True)
def _exp(x):  # type: ignore[no-untyped-def]
    # limited as on the processor (``arm_env.codegen.elementary``)
    x = 708.0 if x > 708.0 else x
    x = -708.0 if x < -708.0 else x
    return math.exp(x)


LIBRARY: dict[str, Any] = {
    **{name: getattr(math, name) for name in ("log", "sin", "cos", "sqrt", "inf", "nan")},
    "exp": _exp,
}

_scrambled = cuda.jit(device=True)(scrambled)


@cuda.jit(device=True)
def normal(key, draw, number):  # type: ignore[no-untyped-def]
    """Return the standard normal ``number`` of a draw under a key.

    It is that of ``arm_env.dynamics.random_numbers``, up to the last bits.
    """
    block, place = number // AT_ONCE, number % AT_ONCE
    counter, part = block * COUNTERS + place % COUNTERS, place // COUNTERS
    bits = _scrambled(
        (key & MASK, (key >> 32) & MASK),
        (counter & MASK, draw & MASK, (draw >> 32) & MASK, 0),
    )
    radius, turn = (bits[0], bits[1]) if part < 2 else (bits[2], bits[3])
    length = math.sqrt(-2.0 * math.log((radius + 0.5) * 2.0**-32))
    angle = 2 * math.pi * ((turn + 0.5) * 2.0**-32)
    return length * (math.cos(angle) if part % 2 == 0 else math.sin(angle))


@cuda.jit(device=True)
def noise_number(deviation, key, draw, number):  # type: ignore[no-untyped-def]
    """Return a number of that standard deviation; nothing is drawn if it is 0."""
    return deviation * normal(key, draw, number) if deviation > 0 else 0.0
