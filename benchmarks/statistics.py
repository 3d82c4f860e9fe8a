"""Statistics of few seeds, with stratified bootstrap intervals (Agarwal et al. 2021).

They are interquartile means and probabilities of improvement.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import trim_mean

Scores = Sequence[float] | np.ndarray


def interquartile_mean(scores: Scores) -> float:
    """Return the mean of the middle half of the scores; of fewer than four, of all."""
    return float(trim_mean(np.asarray(scores, dtype=float), 0.25))


def interval(
    strata: Sequence[Scores], rng: np.random.Generator, level: float = 0.95, resamples: int = 5000
) -> tuple[float, float]:
    """Return the bootstrap interval of the interquartile mean over all strata (tasks).

    Runs are resampled within each stratum. Raises ValueError for an empty stratum.
    """
    if not strata or not all(len(scores) for scores in strata):
        raise ValueError("every stratum needs one score at least")
    drawn = [
        np.asarray(s, dtype=float)[rng.integers(len(s), size=(resamples, len(s)))] for s in strata
    ]
    means = trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def improvement(ours: Scores, theirs: Scores) -> float:
    """Return the probability that one of our scores is higher than one of theirs; equals are 1/2.

    Raises ValueError if there are no scores.
    """
    if not len(ours) or not len(theirs):
        raise ValueError("both need one score at least")
    difference = np.subtract.outer(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float))
    return float(np.mean((np.sign(difference) + 1) / 2))


def improvement_interval(
    ours: Scores,
    theirs: Scores,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 5000,
) -> tuple[float, float]:
    """Return the bootstrap interval of the probability of improvement."""
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    drawn = [improvement(rng.choice(a, len(a)), rng.choice(b, len(b))) for _ in range(resamples)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
