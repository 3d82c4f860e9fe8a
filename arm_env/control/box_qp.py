"""Minimum of a quadratic function within a box, the small problem of every control period.

The method is that of Tassa et al. (2014).
"""

import numpy as np

from arm_env.codegen.compiling import jit

LEAST_PIVOT = 1e-14  # [-] below this a matrix counts as not positive definite


@jit
def factorise(a, n):
    """Replace a's leading (n, n) block by its lower factor; False if there is none.

    There is one if the block is positive definite.
    """
    for j in range(n):
        for k in range(j):
            a[j, j] -= a[j, k] * a[j, k]
        if not a[j, j] > LEAST_PIVOT:
            return False
        a[j, j] = np.sqrt(a[j, j])
        for i in range(j + 1, n):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
    return True


@jit
def solve_factored(a, n, b):
    """Replace b by (a aᵀ)⁻¹ b, for the leading (n, n) block of a lower factor a."""
    for i in range(n):
        for k in range(i):
            b[i] -= a[i, k] * b[k]
        b[i] /= a[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            b[i] -= a[k, i] * b[k]
        b[i] /= a[i, i]


@jit
def box_qp(h, g, low, high, x, free, factor):
    """Minimise gᵀx + ½ xᵀhx within low ≤ x ≤ high by projected Newton steps from x, in place.

    h is (m, m); g, x, low and high are (m,). Returns the number of free components: their indices
    lead ``free``, their Cholesky factor ``factor``. Returns −1 if h is not positive definite among
    them (Bertsekas 1982; Tassa et al. 2014).
    """
    m = len(x)
    slope = np.empty(m)
    direction = np.empty(m)
    trial = np.empty(m)
    n = 0
    for _ in range(50):
        n = 0
        size = 0.0
        for i in range(m):
            slope[i] = g[i]
            for j in range(m):
                slope[i] += h[i, j] * x[j]
            if not ((x[i] <= low[i] and slope[i] > 0) or (x[i] >= high[i] and slope[i] < 0)):
                free[n] = i
                n += 1
                size = max(size, abs(slope[i]))
        for i in range(n):
            for j in range(n):
                factor[i, j] = h[free[i], free[j]]
        if not factorise(factor, n):
            return -1
        if size == 0.0:
            return n
        for i in range(n):
            direction[i] = -slope[free[i]]
        solve_factored(factor, n, direction)
        scale = 1.0
        found = False
        while scale > 1e-10 and not found:
            moved = 0.0
            gain = 0.0
            for i in range(m):
                trial[i] = x[i]
            for i in range(n):
                k = free[i]
                trial[k] = min(max(x[k] + scale * direction[i], low[k]), high[k])
            for i in range(m):
                step_i = trial[i] - x[i]
                moved = max(moved, abs(step_i))
                gain -= slope[i] * step_i
                for j in range(m):
                    gain -= 0.5 * step_i * h[i, j] * (trial[j] - x[j])
            expected = 0.0
            for i in range(n):
                expected -= slope[free[i]] * (trial[free[i]] - x[free[i]])
            found = gain >= 0.1 * expected
            scale *= 0.5
        if not found:
            return n
        for i in range(m):
            x[i] = trial[i]
        if moved < 1e-13:
            return n
    return n
