"""Standard normal numbers from counters, in lanes.

Philox 4×32-10 (Salmon et al. 2011) and the Box–Muller transform.

Number i of draw d under a key depends on these three alone, so it is the same in any process, on
any machine, and at any number of arms. With 32 bits for each uniform number the largest deviation
is 6.7.
"""

import math
import textwrap

from arm_env.codegen.compiling import compile_source
from arm_env.codegen.elementary import cos, log, sin, whole, widest_registers
from arm_env.codegen.lanes import LANES

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
INCREMENTS = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF
ROUNDS = 10
AT_ONCE = 4 * LANES


def _scramble(indentation: str) -> str:
    """Source that scrambles the counter c0 … c3 with the key k0, k1; each is a 32-bit number in an
    int64.
    """
    lines = []
    for i in range(ROUNDS):
        first, second = ((f"((k{j} + {INCREMENTS[j] * i & MASK}) & {MASK})") for j in (0, 1))
        lines += [
            f"p, q = {MULTIPLIERS[0]} * c0, {MULTIPLIERS[1]} * c2",
            f"c0, c2 = ((q >> 32) & {MASK}) ^ c1 ^ {first}, ((p >> 32) & {MASK}) ^ c3 ^ {second}",
            f"c1, c3 = q & {MASK}, p & {MASK}",
        ]
    return textwrap.indent("\n".join(lines), indentation)


SOURCE = f"""
def philox(k0, k1, c0, c1, c2, c3, out):
{_scramble("    ")}
    out[0], out[1], out[2], out[3] = c0, c1, c2, c3

def uniform(bits):
    return (whole(bits) + 0.5) * {2.0**-32!r}

def some_normals(k0, k1, number, low, high, out):
    widest_registers()
    for lane in range({LANES}):
        c0, c1, c2, c3 = number + lane, low, high, 0
{_scramble("        ")}
        one, other = sqrt(-2.0 * log(uniform(c0))), sqrt(-2.0 * log(uniform(c2)))
        angle, second = {2 * math.pi!r} * uniform(c1), {2 * math.pi!r} * uniform(c3)
        out[lane], out[{LANES} + lane] = one * cos(angle), one * sin(angle)
        out[{2 * LANES} + lane], out[{3 * LANES} + lane] = other * cos(second), other * sin(second)

def standard_normals(key, draw, out):
    some = empty({AT_ONCE})
    for first in range(0, len(out), {AT_ONCE}):
        some_normals(
            key & {MASK}, (key >> 32) & {MASK}, first // 4, draw & {MASK}, (draw >> 32) & {MASK},
            some
        )
        for i in range(min({AT_ONCE}, len(out) - first)):
            out[first + i] = some[i]
"""

_compiled = compile_source(
    "random_numbers",
    SOURCE,
    cos=cos,
    log=log,
    sin=sin,
    whole=whole,
    widest_registers=widest_registers,
)
standard_normals = _compiled.standard_normals
philox = _compiled.philox
