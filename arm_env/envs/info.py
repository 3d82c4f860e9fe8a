"""The ``info`` of one arm or of many."""

from typing import Any

import numpy as np

from arm_env.codegen.primitives import NUMPY
from arm_env.dynamics.layout import DISTANCE, HAND, SUCCESS, TERMS


def info_of(
    costs: np.ndarray, command: np.ndarray, state: np.ndarray, force: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the info of an arm, or of B arms with a leading axis in every entry, without noise.

    ``costs`` (..., 7) has the columns that ``arm_env.dynamics.layout`` names. ``command`` (..., K)
    was in force, and ``state`` (..., S) was reached. A ``force`` (..., 2) [N] is that of push and
    channel on the hand. The numbers of one arm are Python's own.
    """
    if costs.ndim == 1:
        columns, hand, target = costs.tolist(), costs[HAND], command[:2].copy()
    else:
        columns, hand, target = costs.T, costs[:, HAND], command[:, :2].copy()
    distance_cost, velocity_cost, effort_cost = columns[TERMS]
    info = {
        "hand": hand,
        "command": command.copy(),
        "target": target,
        "distance": columns[DISTANCE],
        "cost_distance": distance_cost,
        "cost_velocity": velocity_cost,
        "cost_effort": effort_cost,
        "is_success": columns[SUCCESS] > 0,
        "state": state.copy(),
    }
    if force is not None:
        info["hand_force"] = force.copy()
    return info


def muscle_info_of(simulation: Any) -> dict[str, np.ndarray]:
    """Return the entries that ``muscle_info`` adds to the info of a simulation's arms, (B, M) each.

    They are those of the present state of the arm that moves, without noise and delay.
    """
    body, state, settings = simulation.body, simulation.state, simulation.settings
    arm = settings.perturbation.applied_to(settings.arm)
    senses = body.sense(NUMPY, arm.arrays(), state)
    length, velocity, tension = np.split(senses, 3, -1)
    return {
        "muscle_length": length,
        "muscle_velocity": velocity,
        "muscle_activation": state[:, body.activations].copy(),
        "muscle_tension": tension,
    }
