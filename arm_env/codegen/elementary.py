"""exp, log, sin and cos that give the same bits on every machine.

They serve one number at a time, or vector registers.

A library's functions differ between machines, and the compiler can't vectorise them. These consist
of additions, multiplications, divisions and fused multiply-adds, which IEEE 754 defines to the last
bit, and of a number's bit pattern. They are off by less than 5e-16 of the value. Arguments are
reduced after Cody & Waite (1980), and what is left is summed as a Taylor series. exp takes what
lies beyond ±708 for ±708; log is for normal numbers above zero; sin and cos are for angles up to
1e5 rad.
"""

import math
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic

from arm_env.codegen.compiling import compile_source

# added and taken away again, it rounds to a whole number, which stands in the last bits meanwhile
ROUND = 1.5 * 2.0**52
ROUND_BITS = 4843621399236968448  # its bit pattern
WHOLE_BITS = 0x4330000000000000  # that of 2⁵², in whose last bits a smaller whole number may stand
HALF_ROOT_BITS = 4604544271217802189  # that of √½, from which mantissas run to √2
LN2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # high and low part (fdlibm)
# π/2, in three parts (fdlibm)
HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
# coefficients of (sin y − y) / y³ and of (cos y − 1 + y²/2) / y⁴ in y²
SINE = [(-1) ** (i + 1) / math.factorial(2 * i + 3) for i in range(8)]
COSINE = [(-1) ** i / math.factorial(2 * i + 4) for i in range(8)]


def _series(coefficients: list[float], variable: str) -> str:
    """A polynomial by Horner's scheme, as source."""
    *others, expression = map(repr, coefficients)
    for coefficient in reversed(others):
        expression = f"fma({expression}, {variable}, {coefficient})"
    return expression


SOURCE = f"""
def exp(x):
    x = 708.0 if x > 708.0 else x
    x = -708.0 if x < -708.0 else x
    rounded = x * {1 / math.log(2)!r} + {ROUND!r}
    k = rounded - {ROUND!r}
    r = fma(k, -{LN2[1]!r}, fma(k, -{LN2[0]!r}, x))
    series = {_series([1 / math.factorial(i) for i in range(14)], "r")}
    return series * float_of((bits_of(rounded) + 1023) << 52)

def log(x):
    bits = bits_of(x)
    exponent = (bits - {HALF_ROOT_BITS}) >> 52
    f = float_of(bits - (exponent << 52)) - 1.0
    s = f / (2.0 + f)
    r = s * s
    series = {_series([2 / (2 * i + 1) for i in range(12)], "r")}
    k = float_of({ROUND_BITS} + exponent) - {ROUND!r}
    return fma(k, {LN2[0]!r}, fma(s, series, k * {LN2[1]!r}))

def turned(x, quarters):
    rounded = x * {2 / math.pi!r} + {ROUND!r}
    k = rounded - {ROUND!r}
    y = fma(k, -{HALF_PI[2]!r}, fma(k, -{HALF_PI[1]!r}, fma(k, -{HALF_PI[0]!r}, x)))
    r = y * y
    sine = fma(y * r, {_series(SINE, "r")}, y)
    cosine = fma(r * r, {_series(COSINE, "r")}, 1.0 - 0.5 * r)
    quarter = bits_of(rounded) + quarters
    value = cosine if quarter & 1 != 0 else sine
    return -value if quarter & 2 != 0 else value

def sin(x):
    return turned(x, 0)

def cos(x):
    return turned(x, 1)

def whole(x):
    return float_of(x | {WHOLE_BITS}) - {2.0**52!r}
"""


@intrinsic
def bits_of(typing_context: Any, x: Any) -> Any:
    """Return the bit pattern of a float64 as an int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@intrinsic
def float_of(typing_context: Any, bits: Any) -> Any:
    """Return the float64 of a bit pattern, an int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


@intrinsic
def widest_registers(typing_context: Any) -> Any:
    """Let the function that calls this use the processor's widest vectors.

    By default Intel's get half of theirs.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # not among those llvmlite knows by name
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


def _nothing() -> None:
    """Stand for ``widest_registers`` where nothing is compiled."""


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # for debuggers: the bits are those of the library then
    exp, log, sin, cos = math.exp, math.log, math.sin, math.cos
    whole: Any = float
    widest_registers = _nothing  # type: ignore[assignment]
else:
    _compiled = compile_source("elementary", SOURCE, bits_of=bits_of, float_of=float_of, fma=fma)
    exp = _compiled.exp
    log = _compiled.log
    sin = _compiled.sin
    cos = _compiled.cos
    whole = _compiled.whole
