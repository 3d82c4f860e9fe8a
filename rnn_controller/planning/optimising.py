"""The search for the coefficients of a plan."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize

from rnn_controller.watching import DELAY, progress_bar, remark

QUIET_SHARE = 0.4  # of the iterations
MEMORY = 20  # steps that L-BFGS remembers
STEP = 0.004  # [m], [m/s] of a coefficient
DECAYS = (0.9, 0.98)  # of the means of gradient and squared gradient

Cost = Callable[[np.ndarray], tuple[float, np.ndarray]]


class Search:
    """A search in two stages, which keeps the coefficients that it has reached.

    The first stage minimises a cost without noise, by L-BFGS-B. The second follows the gradient of
    a cost under noise that is drawn again for every iteration, by Adam with a step that falls to
    zero. Ctrl-C ends the search: what it has reached is kept.

    Attributes:
        coefficients: (n, D) reached so far.
        done: Number of iterations so far.
        stopped: Whether Ctrl-C has ended the search.
    """

    def __init__(self, start: np.ndarray, bounds: Any, iterations: int):
        """Take coefficients (n, D) to start from, and the bounds of each of them."""
        self.coefficients = start
        self.done = 0
        self.stopped = False
        self._iterations = iterations
        self._bounds = bounds
        low, high = np.array(bounds, dtype=float).reshape(*start.shape, 2).transpose(2, 0, 1)
        # no bound was None, and is NaN now
        self._low = np.where(np.isnan(low), -np.inf, low)
        self._high = np.where(np.isnan(high), np.inf, high)

    def run(self, quiet: Cost, noisy: Cost | None) -> np.ndarray:
        """Return the coefficients (n, D) that both stages lead to; None leaves out the second."""
        first = round(QUIET_SHARE * self._iterations) if noisy else self._iterations
        with progress_bar(total=self._iterations, desc="plan", delay=DELAY) as bar:
            try:
                self._lbfgs(quiet, first, bar)
                if noisy:
                    self._adam(noisy, self._iterations - first, bar)
            except KeyboardInterrupt as stop:
                # a process that is terminated ends at once
                if not self.done or str(stop) == "terminated":
                    raise
                self.stopped = True
        if self.stopped:
            remark(f"stopped after {self.done} of {self._iterations} iterations")
        return self.coefficients

    def _lbfgs(self, cost: Cost, iterations: int, bar: Any) -> None:
        shape = self.coefficients.shape

        def flat(vector: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = cost(vector.reshape(shape))
            return value, gradient.ravel()

        def reached(intermediate_result: Any) -> None:
            self._reach(intermediate_result.x.reshape(shape), bar)

        options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": MEMORY}
        minimize(
            flat, self.coefficients.ravel(), jac=True, method="L-BFGS-B", bounds=self._bounds,
            options=options, callback=reached,
        )  # fmt: skip
        bar.update(iterations - self.done)  # it may have converged early
        self.done = iterations

    def _adam(self, cost: Cost, iterations: int, bar: Any) -> None:
        mean = np.zeros_like(self.coefficients)
        square = np.zeros_like(self.coefficients)
        for i in range(1, iterations + 1):
            _, gradient = cost(self.coefficients)
            mean += (1 - DECAYS[0]) * (gradient - mean)
            square += (1 - DECAYS[1]) * (gradient**2 - square)
            size = STEP * min(1.0, 2 * (1 - (i - 1) / iterations))
            ratio = (mean / (1 - DECAYS[0] ** i)) / (np.sqrt(square / (1 - DECAYS[1] ** i)) + 1e-9)
            self._reach(np.clip(self.coefficients - size * ratio, self._low, self._high), bar)

    def _reach(self, coefficients: np.ndarray, bar: Any) -> None:
        self.coefficients = coefficients.copy()
        self.done += 1
        bar.update()
