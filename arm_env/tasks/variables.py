"""The variables of a recording: their names, units and values at all instants."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from arm_env.dynamics.body import ARM

AXES = ("x", "y")
SENSES = ("length", "velocity", "tension")
"""Signals of each muscle, in the order of the sensory signal."""


class Variable(NamedTuple):
    """One variable of a recording at T + 1 instants of B episodes.

    Attributes:
        name: Name of the variable, such as ``hand``.
        values: Values, (T + 1, B), or (T + 1, B, n) of a variable with n components.
        unit: Unit, such as ``m/s``; ``1`` without a dimension, and empty if it is not known.
        meaning: Meaning in words.
        dimension: Name of the axis of the components; empty for a variable without components.
        components: Names of the components, n strings or numbers.
    """

    name: str
    values: np.ndarray
    unit: str
    meaning: str
    dimension: str = ""
    components: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Labels:
    """The names and units of what the arrays of a recording hold.

    Attributes:
        joints: Names of the J joints.
        muscles: Names of the M muscles.
        commands: Names of a command's K components.
        command_units: Units of these, empty where the unit is not known.
        sensory_units: Units of muscle lengths, velocities and tensions.
    """

    joints: tuple[str, ...]
    muscles: tuple[str, ...]
    commands: tuple[str, ...]
    command_units: tuple[str, ...]
    sensory_units: tuple[str, str, str] = ARM.sensory_units

    @classmethod
    def numbered(cls, joints: int, muscles: int, commands: int) -> "Labels":
        """Return the names of the arm, where it has that many joints or muscles, or numbers."""

        def names(number: int, known: tuple[str, ...], kind: str) -> tuple[str, ...]:
            return known if len(known) == number else tuple(f"{kind}{i}" for i in range(number))

        return cls(
            joints=names(joints, ARM.joints, "joint"),
            muscles=names(muscles, ARM.muscles, "muscle"),
            commands=names(commands, (), ""),
            command_units=("",) * commands,
        )


def variables_of(recording: Any) -> list[Variable]:
    """Return the variables of ``Recording.variables``."""
    joints, muscles = recording.labels.joints, recording.labels.muscles
    j = len(joints)
    by_joint, by_muscle = ("joint", joints), ("muscle", muscles)
    found = [
        Variable("hand", recording.hand, "m", "position of the hand", "axis", AXES),
        Variable("hand_velocity", recording.velocity, "m/s", "velocity of the hand", "axis", AXES),
        Variable("hand_speed", recording.speed, "m/s", "speed of the hand"),
    ]
    for i, (name, unit) in enumerate(
        zip(recording.labels.commands, recording.labels.command_units, strict=True)
    ):
        values = _padded(recording.commands[..., i])
        found.append(Variable(command_variable(name), values, unit, f"command {name}"))
    angles, velocities, activations = np.split(recording.states, [j, 2 * j], axis=-1)
    excitations = "excitation by the controller, before noise"
    found += [
        Variable("action", _padded(recording.actions), "1", excitations, *by_muscle),
        Variable("activation", activations, "1", "activation of the muscle", *by_muscle),
        Variable("joint_angle", angles, "rad", "angle of the joint", *by_joint),
        Variable("joint_velocity", velocities, "rad/s", "velocity of the joint", *by_joint),
        Variable("reward", _padded(recording.rewards), "1", "reward, minus cost times period"),
    ]
    if recording.senses is not None:
        parts = np.split(recording.senses, 3, axis=-1)
        for signal, values, unit in zip(SENSES, parts, recording.labels.sensory_units, strict=True):
            meaning = f"{signal} of the muscle, without noise"
            found.append(Variable(f"muscle_{signal}", values, unit, meaning, *by_muscle))
    if recording.hand_force is not None:
        meaning = "force of push and channel on the hand"
        found.append(Variable("hand_force", recording.hand_force, "N", meaning, "axis", AXES))
    if recording.neural_states is not None:
        neurons = tuple(range(recording.neural_states.shape[-1]))
        meaning = "state of the controller's neuron"
        found.append(
            Variable("neural_state", recording.neural_states, "1", meaning, "neuron", neurons)
        )
    return found


def command_variable(name: str) -> str:
    """Return the name of the variable that holds a component of the command."""
    return "command_" + re.sub(r"\W+", "_", name)  # netCDF takes no slash


def _padded(values: np.ndarray) -> np.ndarray:
    """Return values of periods, (T, ...), at T + 1 instants; the last ones are NaN."""
    kind = values.dtype if values.dtype == np.float32 else np.dtype(float)
    return np.concatenate([values, np.full((1, *values.shape[1:]), np.nan)]).astype(kind)
