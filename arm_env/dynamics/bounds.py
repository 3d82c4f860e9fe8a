"""The bounds of the arm's sensory signals, whatever the actions."""

import numpy as np

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics import equations
from arm_env.dynamics.parameters import MUSCLES, Arm

# Bounds of the default arm, a quarter above the largest values that searches for bad actions found
# at a max_excitation of 4. The searches found 45, 54 and 63 rad/s at maximum excitations of 1, 2
# and 4, and 0.22, 0.25 and 0.28 rad.
SPEED_BOUND = 80.0  # [rad/s] no action makes a joint faster
STOP_BOUND = 0.36  # [rad] no action drives a joint further into its stop
PULL_BOUND = 2.0  # [-] no length and velocity give a larger normalised tension


def sensory_bounds(arm: Arm) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest noise-free sensory signal, (18,) each, over all states.

    Units are those of ``arm_env.dynamics.equations.sense``.
    """
    low, high = np.array(arm.lower_stop) - STOP_BOUND, np.array(arm.upper_stop) + STOP_BOUND
    arrays = arm.arrays()
    # A length is linear in the shoulder's angle and quadratic in the elbow's: its extremes lie at
    # the ends of both, or where its moment arm about the elbow vanishes. Moment arms are linear.
    bent = np.where(arrays.path_curvature == 0, 1.0, 2 * arrays.path_curvature)
    elbows = [low[1], high[1], *np.clip(-arrays.path_slope[1] / bent, low[1], high[1])]
    postures = np.array([[shoulder, elbow] for shoulder in (low[0], high[0]) for elbow in elbows])
    lengths = equations.muscle_length(arrays, postures)
    arms = equations.moment_arm_matrix(NUMPY, arrays, postures)  # (P, 2, 6)
    speed = abs(arms).max(0).sum(0) * SPEED_BOUND / arrays.optimal_length
    tension = np.full(len(MUSCLES), arm.max_excitation * PULL_BOUND)
    return (
        np.concatenate([lengths.min(0), -speed, 0 * tension]),
        np.concatenate([lengths.max(0), speed, tension]),
    )
