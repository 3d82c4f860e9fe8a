"""The ``info`` of one arm or of many."""

from typing import Any

import numpy as np

from arm_env.dynamics.layout import DISTANCE, HAND, SUCCESS, TERMS


def info_of(
    costs: np.ndarray, command: np.ndarray, state: np.ndarray, force: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the info of an arm, or of B arms with a leading axis in every entry, without noise.

    ``costs`` (..., 7) has the columns that ``arm_env.dynamics.layout`` names. ``command`` (..., K)
    was in force, and ``state`` (..., S) was reached. A ``force`` (..., 2) [N] is that of push and
    channel on the hand. The numbers of one arm are Python's own.
    """
    columns = costs.tolist() if costs.ndim == 1 else costs.T
    distance_cost, velocity_cost, effort_cost = columns[TERMS]
    command = command.copy()
    touched = {} if force is None else {"hand_force": force.copy()}
    return {
        **touched,
        "hand": costs[..., HAND],
        "command": command,
        "target": command[..., :2].copy(),
        "distance": columns[DISTANCE],
        "cost_distance": distance_cost,
        "cost_velocity": velocity_cost,
        "cost_effort": effort_cost,
        "is_success": columns[SUCCESS] > 0,
        "state": state.copy(),
    }
