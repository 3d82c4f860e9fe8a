"""Periodic cubic splines, linear in their coefficients."""

import numpy as np
from scipy.interpolate import BSpline

DEGREE = 3


def periodic_basis(number: int, periods: int, derivative: int = 0) -> np.ndarray:
    """Return periodic B-splines or their derivatives at even phases, (T, n).

    T is ``periods`` and n is ``number``. The knots are n even phases of a lap. A derivative is per
    lap. The values of a spline are those of this matrix times its coefficients; they lie between
    the least and the greatest of these.
    """
    knots = np.arange(-DEGREE, number + DEGREE + 1, dtype=float)
    splines = BSpline(knots, np.eye(number + DEGREE), DEGREE)
    values = splines(np.arange(periods) * number / periods, nu=derivative) * number**derivative
    basis = values[:, :number]
    basis[:, :DEGREE] += values[:, number:]
    return basis
