"""Standard normal numbers from counters, in lanes.

Philox 4×32-10 (Salmon et al. 2011) and the Box–Muller transform.

Number i of draw d under a key depends on these three alone, so it is the same in any process, on
any machine, and at any number of arms. With 32 bits for each uniform number the largest deviation
is 6.7.
"""

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils

from arm_env.codegen.callees import ELEMENT, Given, callee, vector_address
from arm_env.codegen.compiling import compile_source
from arm_env.codegen.elementary import emit_log, emit_sine_and_cosine, emit_whole
from arm_env.codegen.instructions import WHOLE, Number

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
INCREMENTS = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF
ROUNDS = 10
COUNTERS = 16  # whose numbers stand together
AT_ONCE = 4 * COUNTERS
TOGETHER = 8  # counters that make a vector


def scrambled(key: tuple[Any, Any], counter: tuple[Any, Any, Any, Any]) -> tuple[Any, ...]:
    """Return four random numbers for a key and a counter, 32 bits in an int64 each (Philox)."""
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for i in range(ROUNDS):
        first = (k0 + (INCREMENTS[0] * i & MASK)) & MASK
        second = (k1 + (INCREMENTS[1] * i & MASK)) & MASK
        p, q = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c2 = ((q >> 32) & MASK) ^ c1 ^ first, ((p >> 32) & MASK) ^ c3 ^ second
        c1, c3 = q & MASK, p & MASK
    return c0, c1, c2, c3


def _uniform(bits: Number) -> Number:
    return (emit_whole(bits) + 0.5) * 2.0**-32


def _pair(radius: Number, angle: Number) -> tuple[Number, Number]:
    """Two normal numbers from two uniform ones."""
    length = (emit_log(_uniform(radius)) * -2.0).root()
    sine, cosine = emit_sine_and_cosine(_uniform(angle) * (2 * math.pi))
    return length * cosine, length * sine


def _emit_normals(builder: Any, given: Given) -> None:
    """Emit how out (AT_ONCE,) is filled with the numbers of the counters from ``number`` on."""
    key, draw, number = (Number(builder, given[name]) for name in WHOLE_NUMBERS)
    steps = Number(builder, ir.Constant(ir.VectorType(WHOLE, TOGETHER), list(range(TOGETHER))))
    nothing = Number(builder, WHOLE(0)).in_lanes(TOGETHER)
    ends = (WHOLE(0), WHOLE(COUNTERS), WHOLE(TOGETHER))
    with cgutils.for_range_slice(builder, *ends, WHOLE) as (first, _):
        counter = number + Number(builder, first) + steps
        halves = (nothing + (draw & MASK), nothing + ((draw >> 32) & MASK))
        bits = scrambled((key & MASK, (key >> 32) & MASK), (counter, *halves, nothing))
        for i, normal in enumerate([*_pair(bits[0], bits[1]), *_pair(bits[2], bits[3])]):
            at = builder.add(first, WHOLE(COUNTERS * i))
            place = vector_address(builder, given["out"], at, TOGETHER)
            builder.store(normal.value, place, align=ELEMENT)


def _interpreted_normals(key: int, draw: int, number: int, out: np.ndarray) -> None:
    """Fill out (AT_ONCE,) with the same numbers, up to the last bits, where nothing is compiled."""
    counter = number + np.arange(COUNTERS, dtype=np.uint64)
    halves = [np.uint64(half) for value in (key, draw) for half in (value & MASK, value >> 32)]
    none = np.zeros_like(counter)
    bits = scrambled((halves[0], halves[1]), (counter, none + halves[2], none + halves[3], none))
    u = [(part + 0.5) * 2.0**-32 for part in bits]
    for i in (0, 2):
        length, angle = np.sqrt(-2.0 * np.log(u[i])), 2 * np.pi * u[i + 1]
        out[COUNTERS * i : COUNTERS * (i + 1)] = length * np.cos(angle)
        out[COUNTERS * (i + 1) : COUNTERS * (i + 2)] = length * np.sin(angle)


WHOLE_NUMBERS = ("key", "draw", "number")
some_normals: Any = (
    _interpreted_normals
    if numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    else callee("some_normals", [*WHOLE_NUMBERS, "out"], _emit_normals, whole=WHOLE_NUMBERS)
)

SOURCE = f"""
def noise_of(deviation, key, draw, noise):
    # fill noise (n,) with normal numbers of that deviation, those of a key and a draw
    some = empty({AT_ONCE})
    for first in range(0, len(noise), {AT_ONCE}):
        if deviation > 0:
            some_normals(key, draw, first // 4, some)
        for i in range(min({AT_ONCE}, len(noise) - first)):
            noise[first + i] = deviation * some[i] if deviation > 0 else 0.0
"""
noise_of = compile_source("random_numbers", SOURCE, some_normals=some_normals).noise_of


def standard_normals(key: int, draw: int, out: np.ndarray) -> None:
    """Fill out (n,) with the standard normal numbers of a key and a draw."""
    noise_of(1.0, key, draw, out)
