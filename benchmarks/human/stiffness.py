"""Stiffness of the hand at rest: a small displacement, and the force that opposes it.

The hand is held on a target by the network, without noise, until it is at rest. Then a stiff servo
moves it by 6 mm in each of eight directions within 0.1 s and holds it there. The restoring force is
the mean from 0.3 to 0.5 s after the displacement. "Muscles alone" have the activations of the rest,
and "with the network" they follow the network's commands while the servo holds the hand.
"""

from typing import Any, NamedTuple

import numpy as np

import arm_env
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import Controller
from arm_env.dynamics.equations import isometric_torques
from arm_env.envs.simulation import substeps_of
from arm_env.tasks.workspace import jacobian, joint_angles
from benchmarks.human.movements import PERIOD, Commands, recorded

DISTANCES = (0.30, 0.40, 0.50)  # [m] from the shoulder
BEARINGS = np.deg2rad([60.0, 90.0, 120.0])  # [rad] of the hand, 90° is straight ahead
DISPLACEMENT = 0.006  # [m]
DIRECTIONS = 2 * np.pi * np.arange(8) / 8  # [rad]
REST = 6.0  # [s] before the displacement
RAMP = 0.1  # [s]
WINDOW = (0.3, 0.5)  # [s] after the displacement
EARLY = 0.1  # [s] after the displacement
GROWTH = 1.5  # a force that grows by this factor from ``EARLY`` to the end grows


class Ellipse(NamedTuple):
    """The stiffness of a hand, and the ellipse of its symmetric part.

    Attributes:
        largest: Stiffness along the major axis [N/m].
        smallest: Stiffness along the minor axis [N/m].
        angle: Angle from the line shoulder–hand to the major axis [rad], −π/2 to π/2.
        matrix: (2, 2) [N/m] the force is −matrix @ displacement.
        hand: (2,) [m] position of the hand.
    """

    largest: float
    smallest: float
    angle: float
    matrix: np.ndarray
    hand: np.ndarray

    @property
    def shape(self) -> float:
        """Length of the ellipse over its width [-]."""
        return self.largest / self.smallest

    @property
    def size(self) -> float:
        """Geometric mean of both stiffnesses [N/m]."""
        return float(np.sqrt(abs(self.largest * self.smallest)))


def hand_force(arm: Any, angles: np.ndarray, activations: np.ndarray) -> np.ndarray:
    """Return the static force of the hand on its surroundings [N], (n, 2).

    The joints are at rest at ``angles`` [rad], (n, 2), the muscles have activations (n, 6).
    """
    torques = (isometric_torques(NUMPY, arm, angles) * activations[:, None]).sum(-1)
    return np.linalg.solve(jacobian(arm, angles).swapaxes(-1, -2), torques[..., None])[..., 0]


def ellipse(displacements: np.ndarray, forces: np.ndarray, hand: np.ndarray) -> Ellipse:
    """Return the stiffness that fits forces (n, 2) [N] after displacements (n, 2) [m] best."""
    matrix = -np.linalg.lstsq(displacements, forces, rcond=None)[0].T
    values, axes = np.linalg.eigh(0.5 * (matrix + matrix.T))
    major = np.arctan2(axes[1, 1], axes[0, 1]) - np.arctan2(hand[1], hand[0])
    angle = (major + np.pi / 2) % np.pi - np.pi / 2
    return Ellipse(float(values[1]), float(values[0]), float(angle), matrix, hand)


def targets() -> np.ndarray:
    """Return the places [m], (P, 2): every distance in every bearing."""
    way = np.stack([np.cos(BEARINGS), np.sin(BEARINGS)], -1)
    return (np.array(DISTANCES)[:, None, None] * way).reshape(-1, 2)


def held(controller: Controller, places: np.ndarray) -> tuple[np.ndarray, Any]:
    """Return the states (P, 10) of body and network that rest on targets (P, 2) [m]."""
    arm = arm_env.Arm()
    recording = recorded(
        controller, "ReachArm-v0", Commands(places[None], REST), REST, noise=0.0, seed=0
    )
    memory = None
    for state in recording.states[:-1]:
        memory = controller.predict(seen(arm.arrays(), state, places), memory)[1]
    return recording.states[-1], memory


def seen(arm: Any, state: np.ndarray, command: np.ndarray) -> np.ndarray:
    """Return the observations (B, 20) of states (B, 10) under commands (B, 2), without noise."""
    return np.concatenate([arm_env.ARM.sense(NUMPY, arm, state), command], -1)


def shifts_of(places: int) -> np.ndarray:
    """Return the displacements [m], (D, P, 2), of hands at P places."""
    shift = DISPLACEMENT * np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], -1)
    return np.repeat(shift[:, None], places, 1)


def displaced(
    controller: Controller, rest: np.ndarray, memory: np.ndarray, command: np.ndarray
) -> np.ndarray:
    """Return the forces [N], (T, D, P, 2), of hands from the end of their displacement on.

    The arms rest in states (P, 10), their networks in ``memory``, (P, N), under commands (P, 2).
    """
    body, arm = arm_env.ARM, arm_env.Arm().arrays()
    directions, places = len(DIRECTIONS), len(rest)
    state = np.tile(rest, (directions, 1))
    neural = np.tile(memory, (directions, 1))
    commands = np.tile(command, (directions, 1))
    start = np.stack(body.hand(NUMPY, arm, state)[:2], -1)
    shifts = shifts_of(places).reshape(-1, 2)
    substeps = substeps_of(PERIOD)
    ramp = round(RAMP / PERIOD)
    forces = []
    for period in range(ramp + round(WINDOW[1] / PERIOD)):
        u, neural = controller.predict(seen(arm, state, commands), neural)
        excitation = body.excitation(NUMPY, arm, np.asarray(u, dtype=float), 0.0)
        angles = joint_angles(arm, start + min(1.0, (period + 1) / ramp) * shifts)
        turning = (angles - state[:, body.angles]) / PERIOD
        for _ in range(substeps):
            state = body.step(NUMPY, arm, state, excitation, PERIOD / substeps)
        state[:, body.angles] = angles  # the servo is stiff
        state[:, body.velocities] = turning if period + 1 < ramp else 0.0
        forces.append(hand_force(arm, angles, state[:, body.activations]))
    return np.array(forces[ramp:]).reshape(-1, directions, places, 2)


class Stiffness(NamedTuple):
    """The stiffness of one network's hand at P places, in the order of ``targets``.

    Attributes:
        muscles: P ellipses of the muscles alone.
        network: P ellipses with the network.
        activation: (P,) largest activation at rest [-].
        growing: (D, P) whether the force under the servo grows by half while it is held.
    """

    muscles: list[Ellipse]
    network: list[Ellipse]
    activation: np.ndarray
    growing: np.ndarray


def stiffness(controller: Controller) -> Stiffness:
    """Return the stiffness of the hand at all places, alone and with the network."""
    places = targets()
    rest, memory = held(controller, places)
    arm = arm_env.Arm().arrays()
    hands = np.stack(arm_env.ARM.hand(NUMPY, arm, rest)[:2], -1)
    activations = rest[:, arm_env.ARM.activations]
    before = hand_force(arm, rest[:, arm_env.ARM.angles], activations)
    shifts = shifts_of(len(places))
    alone = np.stack(
        [hand_force(arm, joint_angles(arm, hands + each), activations) for each in shifts]
    )
    course = displaced(controller, rest, memory, places) - before  # (T, D, P, 2)
    size = np.linalg.norm(course, axis=-1)
    held_for = slice(*(round(t / PERIOD) for t in WINDOW))

    def fitted(forces: np.ndarray) -> list[Ellipse]:
        return [ellipse(shifts[:, i], forces[:, i], hand) for i, hand in enumerate(hands)]

    return Stiffness(
        fitted(alone - before),
        fitted(course[held_for].mean(0)),
        activations.max(-1),
        size[-1] > GROWTH * size[round(EARLY / PERIOD)],
    )
