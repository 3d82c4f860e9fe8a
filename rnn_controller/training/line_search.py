"""The line search of the conjugate gradient."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], tuple[float, Tensor]]
"""A function of a vector of weights (n,) that returns the objective and its gradient (n,)."""


def line_search(
    function: Function,
    w: Tensor,
    value: float,
    gradient: Tensor,
    direction: Tensor,
    length: float,
    curvature: float,
    evaluations: int = 20,
) -> tuple[float, float, Tensor]:
    """Find a step length that meets the strong Wolfe conditions.

    The search starts at w (n,), where the function has the ``value`` and the ``gradient`` (n,), and
    goes along the ``direction`` (n,). ``length`` is the first step length that is tried. At most
    ``evaluations`` points are tried. A point meets the curvature condition if its slope is at most
    ``curvature`` times the slope at w, both in absolute value.

    The algorithms are 3.5 and 3.6 of Nocedal & Wright (2006). Returns the step length, and the
    value and gradient (n,) there. If the conditions can't be met, that is the best point seen.
    Values that are not finite count as too high.
    """
    slope = float(gradient @ direction)
    # The bracket [low, high] holds a point that meets the conditions, once it has a high end. Low
    # is the end of lower value, so it may be the greater number.
    low = 0.0
    low_value = value
    low_slope = slope
    high = None
    best = (0.0, value, gradient)
    for _ in range(evaluations):
        new_value, new_gradient = function(w + length * direction)
        # Where the arm or the network diverges there is no slope to go by; the bracket shrinks.
        finite = math.isfinite(new_value) and bool(torch.isfinite(new_gradient).all())
        new_slope = float(new_gradient @ direction) if finite else float("nan")
        if finite and new_value < best[1]:
            best = (length, new_value, new_gradient)
        if (
            not finite
            or new_value > value + 1e-4 * length * slope
            or (new_value >= low_value and low > 0)
        ):
            high = length
        # the slope is small, too, so both conditions are met
        elif abs(new_slope) <= -curvature * slope:
            return length, new_value, new_gradient
        else:
            # If the objective rises from here towards high, the minimum lies between here and low.
            if new_slope * ((high if high is not None else float("inf")) - low) >= 0:
                high = low
            low = length
            low_value = new_value
            low_slope = new_slope
        length = (
            2 * low
            if high is None
            else _interpolate(low, low_value, low_slope, high, new_value, length)
        )
        # rounding decides from here on
        if high is not None and abs(high - low) < 1e-12:
            break
    return best


def _interpolate(
    low: float, low_value: float, low_slope: float, high: float, value: float, tried: float
) -> float:
    """Return the minimum of the parabola through the low end and the point tried.

    It is kept inside the bracket.
    """
    width = high - low
    guess = low + width / 2
    if tried == high and math.isfinite(value):
        bend = value - low_value - low_slope * width
        if bend > 0:
            guess = low - low_slope * width * width / (2 * bend)
    inner, outer = sorted((low + 0.1 * width, high - 0.1 * width))
    # A guess at an end would leave the bracket as wide as it was.
    return min(max(guess, inner), outer)
