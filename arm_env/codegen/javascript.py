"""Traced equations as JavaScript, with the bits of the compiled code.

JavaScript has the additions, multiplications, divisions and square roots of IEEE 754, but no fused
multiply-add. ``fma`` of the printed library computes it from them (Boldo & Melquiond 2008): with an
exact product, exact sums, and one rounding to odd. It is exact as long as nothing overflows or
becomes subnormal.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from arm_env.codegen import elementary
from arm_env.codegen.emission import Emission
from arm_env.codegen.symbols import Symbol


def literal(value: float) -> str:
    """Return a number of Python's as one of JavaScript's."""
    return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, repr(float(value)))


class Printed:
    """A number of printed code: each operation on it adds a line, as one on ``Number`` does."""

    def __init__(self, lines: list[str], text: str):
        self.lines = lines
        self.text = text

    def printed(self, expression: str) -> Self:
        """Add a line that computes an expression; return its value."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"const {name} = {expression};")
        return type(self)(self.lines, name)

    def __add__(self, other: Any) -> Self:
        return self.printed(f"{self.text} + {_text(other)}")

    def __sub__(self, other: Any) -> Self:
        return self.printed(f"{self.text} - {_text(other)}")

    def __mul__(self, other: Any) -> Self:
        return self.printed(f"{self.text} * {_text(other)}")

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Self:
        return self.printed(f"-{self.text}")

    def reciprocal(self) -> Self:
        """1 / this."""
        return self.printed(f"1 / {self.text}")

    def times_plus(self, factor: Any, term: Any) -> Self:
        """This times a factor plus a term, rounded once."""
        return self.printed(f"fma({self.text}, {_text(factor)}, {_text(term)})")

    def root(self) -> Self:
        """The square root."""
        return self.printed(f"Math.sqrt({self.text})")

    def chosen(self, where_above_zero: Any, otherwise: Any) -> Self:
        """``where_above_zero`` where this is above 0, else (NaN, too) ``otherwise``."""
        return self.printed(f"{self.text} > 0 ? {_text(where_above_zero)} : {_text(otherwise)}")


def _text(value: Any) -> str:
    text = value.text if isinstance(value, Printed) else literal(value)
    return f"({text})" if text.startswith("-") else text


class JavaScript(Emission):
    """Symbols as lines of JavaScript. ``load`` gives the text of an element of an array."""

    def __init__(self, load: Callable[[str, Any], str]):
        self.lines: list[str] = []
        # in a line of its own: what is read may be written over at the end
        super().__init__(
            self.lines, {}, lambda array, index: self.named("").printed(load(array, index))
        )

    def named(self, text: str) -> Any:
        """A number by the text that stands for it."""
        return Printed(self.lines, text)

    def constant(self, value: float) -> Any:
        return self.named(_text(value))

    def scalar(self, name: str) -> Any:
        return self.named(name)

    def uniform(self, array: str, index: Any) -> Any:
        return self.named(f"{array}[{index}]")

    def elementary(self, name: str, x: Any) -> Any:
        return x.printed(f"{name}({x.text})")

    def sine_and_cosine(self, x: Any) -> Any:
        both = x.printed(f"sineAndCosine({x.text})")
        return self.named(f"{both.text}[0]"), self.named(f"{both.text}[1]")


def javascript_function(
    name: str, arguments: Sequence[str], results: Mapping[str, Sequence[Symbol]]
) -> str:
    """Return a function that fills the arrays ``results`` from its arguments.

    An array may be both argument and result.
    """
    code = JavaScript(lambda array, index: f"{array}[{index}]")
    numbers: dict[str, Any] = {a: code.numbers_of(symbols) for a, symbols in results.items()}
    lines = [f"function {name}({', '.join([*arguments, *results])}) {{", *code.lines]
    for array, values in numbers.items():
        lines += [f"{array}[{i}] = {value.text};" for i, value in enumerate(values)]
    return "\n".join([*lines, "}"]) + "\n"


def _polynomial(name: str, coefficients: Sequence[float]) -> str:
    """A function of x: a polynomial, summed in the order of the compiled code."""
    lines: list[str] = []
    total = elementary.series(coefficients, Printed(lines, "x"))
    return "\n".join([f"function {name}(x) {{", *lines, f"return {total.text};", "}"]) + "\n"


ROOT_HALF = divmod(elementary.HALF_ROOT_BITS, 1 << 32)
PI_PARTS = tuple(-part for part in elementary.HALF_PI)
LIBRARY = (
    """
const F = new Float64Array(1);  // a number, and its bits: the low half, then the high half
const U = new Uint32Array(F.buffer);
const I = new Int32Array(F.buffer);

// a b + c, rounded once
function fma(a, b, c) {
  const p = a * b;
  let t = 134217729 * a;
  const ah = t - (t - a), al = a - ah;
  t = 134217729 * b;
  const bh = t - (t - b), bl = b - bh;
  const e = al * bl - (((p - ah * bh) - al * bh) - ah * bl);  // a b = p + e
  const th = c + e, z1 = th - c, tl = (c - (th - z1)) + (e - z1);  // c + e = th + tl
  const vh = p + th, z2 = vh - p, vl = (p - (vh - z2)) + (th - z2);  // p + th = vh + vl
  // vh + tl + vl: mostly, the rounding of tl + vl, up or down, makes no difference
  const s = tl + vl, sum = vh + s * 0.9999999999999998;
  return sum === vh + s * 1.0000000000000002 ? sum : vh + odd(tl, vl);
}

// x + y; if it is not exact, the neighbour whose last bit is 1
function odd(x, y) {
  const s = x + y, z = s - x, rest = (x - (s - z)) + (y - z);
  if (rest === 0) return s;
  F[0] = s;
  if (U[0] & 1) return s;
  if ((rest > 0) === (s > 0)) U[0] |= 1;
  else {
    if (U[0] === 0) U[1] -= 1;
    U[0] -= 1;
  }
  return F[0];
}
"""
    + _polynomial("expSeries", elementary.EXP)
    + _polynomial("logSeries", elementary.LOG)
    + _polynomial("sineSeries", elementary.SINE)
    + _polynomial("cosineSeries", elementary.COSINE)
    + f"""
const ROUND = {literal(elementary.ROUND)};

function exp(x) {{
  x = x > 708 ? 708 : x;
  x = x < -708 ? -708 : x;
  const k = (x * {literal(1 / math.log(2))} + ROUND) - ROUND;
  const r = fma(k, {literal(-elementary.LN2[1])}, fma(k, {literal(-elementary.LN2[0])}, x));
  U[0] = 0;
  I[1] = (k + {elementary.BIAS}) << 20;
  const scale = F[0];
  return expSeries(r) * scale;
}}

function log(x) {{
  F[0] = x;
  const k = (I[1] - {ROOT_HALF[0]} - (U[0] < {ROOT_HALF[1]} ? 1 : 0)) >> 20;
  I[1] -= k << 20;
  const f = F[0] - 1;
  const s = f / (f + 2);
  const low = k * {literal(elementary.LN2[1])};
  return fma(k, {literal(elementary.LN2[0])}, fma(s, logSeries(s * s), low));
}}

function sineAndCosine(x) {{
  const rounded = x * {literal(2 / math.pi)} + ROUND;
  const k = rounded - ROUND;
  let y = fma(k, {literal(PI_PARTS[0])}, x);
  y = fma(k, {literal(PI_PARTS[1])}, y);
  y = fma(k, {literal(PI_PARTS[2])}, y);
  F[0] = rounded;
  const quarter = U[0];
  const r = y * y;
  const sine = fma(y * r, sineSeries(r), y);
  const cosine = fma(r * r, cosineSeries(r), fma(r, -0.5, 1));
  const s = quarter & 1 ? cosine : sine, c = quarter & 1 ? sine : cosine;
  return [quarter & 2 ? -s : s, (quarter + 1) & 2 ? -c : c];
}}
"""
)
"""``fma``, ``exp``, ``log`` and ``sineAndCosine``, which printed functions call."""
