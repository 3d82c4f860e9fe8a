"""exp, log, sin and cos that give the same bits on every machine, for one number or for lanes.

A library's functions differ between machines, and the compiler can't vectorise them. These consist
of additions, multiplications, divisions and fused multiply-adds, which IEEE 754 defines to the last
bit, and of a number's bit pattern. Their relative error is below 5e-16. Arguments are reduced after
Cody & Waite (1980), and the remainder goes into a polynomial. exp limits its argument to ±708; log
is for normal numbers above zero; sin and cos are for angles up to 1e5 rad.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic

from arm_env.codegen.compiling import jit
from arm_env.codegen.instructions import Number

# adding and subtracting it rounds to a whole number, which the last bits hold in between
ROUND = 1.5 * 2.0**52
EXPONENT_BITS = -(1 << 52)  # sign and exponent
BIAS = 1023  # of the exponent
WHOLE_BITS = 0x4330000000000000  # that of 2⁵², in whose last bits a smaller whole number may stand
HALF_ROOT_BITS = 4604544271217802189  # that of √½, from which mantissas run to √2
LN2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # high and low part (fdlibm)
# π/2, in three parts (fdlibm)
HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
# Polynomials that interpolate at Chebyshev's points of the reduced range, computed with 40 digits.
# Off by less than 2e-17 of the value, they have four terms less than Taylor's would need.
EXP = (
    1.0, 1.0, 0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062,
    0.0013888888917213717, 0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06,
    2.7620088445409746e-07, 2.510038549551032e-08,
)  # fmt: skip
# log((1 + s) / (1 − s)) / s in s²
LOG = (
    2.0, 0.666666666666667, 0.39999999999899444, 0.2857142862600327, 0.22222211130259878,
    0.18182889455674947, 0.15331710618210773, 0.14616585424888623,
)  # fmt: skip
# (sin y − y) / y³ and (cos y − 1 + y²/2) / y⁴ in y²
SINE = (
    -0.16666666666666666, 0.008333333333330946, -0.0001984126983675497, 2.755731610068303e-06,
    -2.5051131455427943e-08, 1.5918101230273893e-10,
)  # fmt: skip
COSINE = (
    0.041666666666666664, -0.0013888888888887395, 2.4801587298763433e-05, -2.755731727056031e-07,
    2.087614602468733e-09, -1.1382614868413877e-11,
)  # fmt: skip


def series(coefficients: Sequence[float], x: Any) -> Any:
    """Return a polynomial by Estrin's scheme, whose terms need not wait for each other."""
    terms: list[Any] = list(coefficients)
    while len(terms) > 1:
        pairs = zip(terms[::2], [*terms[1::2], None], strict=False)
        terms = [a if b is None else x.times_plus(b, a) for a, b in pairs]
        x = x * x
    return terms[0]


def emit_whole(bits: Number) -> Number:
    """Emit the float64 of a whole number from 0 to 2⁵² − 1."""
    return (bits | WHOLE_BITS).number() - 2.0**52


def emit_exp(x: Number) -> Number:
    """Emit the instructions of exp x."""
    x = x.where(">", 708.0, 708.0, x)
    x = x.where("<", -708.0, -708.0, x)
    rounded = x * (1 / math.log(2)) + ROUND
    k = rounded - ROUND
    r = k.times_plus(-LN2[1], k.times_plus(-LN2[0], x))
    powers = series(EXP, r)
    return powers * ((rounded.bits() + BIAS) << 52).number()


def emit_log(x: Number) -> Number:
    """Emit the instructions of log x."""
    bits = x.bits()
    above = bits - HALF_ROOT_BITS  # in whose first bits the exponent stands
    f = (bits - (above & EXPONENT_BITS)).number() - 1.0
    s = f / (f + 2.0)
    r = s * s
    powers = series(LOG, r)
    biased = (above + (BIAS << 52)).shifted_down(52)
    k = emit_whole(biased) - float(BIAS)
    return k.times_plus(LN2[0], s.times_plus(powers, k * LN2[1]))


def emit_sine_and_cosine(x: Number) -> tuple[Number, Number]:
    """Emit the instructions of sin x and cos x, which share most of them."""
    rounded = x * (2 / math.pi) + ROUND
    k = rounded - ROUND
    y = x
    for part in HALF_PI:
        y = k.times_plus(-part, y)
    r = y * y
    sine = (y * r).times_plus(series(SINE, r), y)
    cosine = (r * r).times_plus(series(COSINE, r), r.times_plus(-0.5, 1.0))

    def turned(quarters: int) -> Number:
        quarter = rounded.bits() + quarters
        value = (quarter & 1).where("!=", 0, cosine, sine)
        return (quarter & 2).where("!=", 0, -value, value)

    return turned(0), turned(1)


def _callable(name: str, emit: Callable[[Number], Number]) -> Any:
    """Return a function for compiled code that has the emitted instructions."""

    def typed(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return emit(Number(builder, arguments[0])).value

        return types.float64(types.float64), generate

    typed.__name__ = name
    return intrinsic(typed)


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # for debuggers: the bits are those of the library then
    CALLED: dict[str, Any] = {name: getattr(math, name) for name in ("exp", "log", "sin", "cos")}
else:
    CALLED = {
        "exp": _callable("exp", emit_exp),
        "log": _callable("log", emit_log),
        "sin": _callable("sin", lambda x: emit_sine_and_cosine(x)[0]),
        "cos": _callable("cos", lambda x: emit_sine_and_cosine(x)[1]),
    }

_exp, _log, _sin, _cos = (CALLED[name] for name in ("exp", "log", "sin", "cos"))


# For callers outside compiled code.
@jit
def exp(x):
    """Return exp x."""
    return _exp(x)


@jit
def log(x):
    """Return the natural logarithm of x."""
    return _log(x)


@jit
def sin(x):
    """Return sin x."""
    return _sin(x)


@jit
def cos(x):
    """Return cos x."""
    return _cos(x)
