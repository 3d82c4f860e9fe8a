"""Recordings of movements: their arrays, and the names and units of what these hold."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
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


@dataclass(frozen=True)
class Recording:
    """A recording of B episodes over T control periods, as ``arm_env.record`` returns it.

    J is the number of joints, M that of muscles, K that of a command's components: 2, 6 and 2 for
    ``ReachArm-v0``. States, hand and rewards are the true ones, without sensory noise. Period t
    lasts from instant t to instant t + 1.

    Attributes:
        states: Body states, (T + 1, B, 2 J + M): joint angles [rad], angular velocities [rad/s],
            activations [-]. The first is the state at the start.
        commands: Commands in force during each period, (T, B, K), in the units of the task.
        actions: Excitations that the controller returned [-], (T, B, M). Noise is added to them
            afterwards; the activations in ``states`` follow the noisy ones.
        rewards: Rewards −c Δt, (T, B).
        hand: Hand positions from the shoulder [m], (T + 1, B, 2).
        velocity: Hand velocities [m/s], (T + 1, B, 2).
        neural_states: States of the controller, (T + 1, B, N), if it returned arrays (B, N) as its
            state; else None. The state that it returned in period t stands at instant t + 1. The
            first is the controller's ``rest_state``, or NaN if it has none.
        senses: Sensory signals without noise and without delay, (T + 1, B, 3 M): lengths,
            velocities and tensions of the muscles; None if they were not recorded.
        control_period: Duration Δt of a period [s].
        labels: Names and units of what the arrays hold.
        source: Origin of the recording: task, environment, seed, noise level, perturbation and
            version of the package, as values that JSON can hold.
    """

    states: np.ndarray
    commands: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    hand: np.ndarray
    velocity: np.ndarray
    neural_states: np.ndarray | None = None
    senses: np.ndarray | None = None
    control_period: float = 0.01
    labels: Labels = None  # type: ignore[assignment]  # made from the shapes
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.labels is None:
            muscles, commands = np.shape(self.actions)[-1], np.shape(self.commands)[-1]
            joints = (np.shape(self.states)[-1] - muscles) // 2
            object.__setattr__(self, "labels", Labels.numbered(joints, muscles, commands))

    @property
    def speed(self) -> np.ndarray:
        """Hand speed [m/s], (T + 1, B)."""
        return np.linalg.norm(self.velocity, axis=-1)

    @property
    def time(self) -> np.ndarray:
        """Times of the T + 1 instants since the start [s], (T + 1,)."""
        # without the rounding errors of the products, so that a time can be looked up
        return np.round(np.arange(len(self.states)) * self.control_period, 9)

    def variables(self) -> list[Variable]:
        """Return all variables at T + 1 instants, in the order of a table's columns.

        Commands, actions and rewards of a period stand at the instant at which it begins. They are
        NaN at the last instant.
        """
        joints, muscles = self.labels.joints, self.labels.muscles
        j = len(joints)
        by_joint, by_muscle = ("joint", joints), ("muscle", muscles)
        found = [
            Variable("hand", self.hand, "m", "position of the hand", "axis", AXES),
            Variable("hand_velocity", self.velocity, "m/s", "velocity of the hand", "axis", AXES),
            Variable("hand_speed", self.speed, "m/s", "speed of the hand"),
        ]
        for i, (name, unit) in enumerate(
            zip(self.labels.commands, self.labels.command_units, strict=True)
        ):
            values = _padded(self.commands[..., i])
            found.append(Variable(command_variable(name), values, unit, f"command {name}"))
        angles, velocities, activations = np.split(self.states, [j, 2 * j], axis=-1)
        excitations = "excitation by the controller, before noise"
        found += [
            Variable("action", _padded(self.actions), "1", excitations, *by_muscle),
            Variable("activation", activations, "1", "activation of the muscle", *by_muscle),
            Variable("joint_angle", angles, "rad", "angle of the joint", *by_joint),
            Variable("joint_velocity", velocities, "rad/s", "velocity of the joint", *by_joint),
            Variable("reward", _padded(self.rewards), "1", "reward, minus cost times period"),
        ]
        if self.senses is not None:
            parts = np.split(self.senses, 3, axis=-1)
            for signal, values, unit in zip(SENSES, parts, self.labels.sensory_units, strict=True):
                meaning = f"{signal} of the muscle, without noise"
                found.append(Variable(f"muscle_{signal}", values, unit, meaning, *by_muscle))
        if self.neural_states is not None:
            neurons = tuple(range(self.neural_states.shape[-1]))
            meaning = "state of the controller's neuron"
            found.append(
                Variable("neural_state", self.neural_states, "1", meaning, "neuron", neurons)
            )
        return found

    def to_dataframe(self) -> Any:
        """Return a tidy pandas DataFrame, with one row for each episode and time.

        Its columns are ``episode``, ``time_s`` and all ``variables``: the name of the variable,
        that of the component, and the unit, such as ``hand_x_m`` and ``hand_velocity_x_m_s``. Its
        ``attrs["units"]`` has the unit of each column. Raises ImportError without pandas.
        """
        from arm_env.tasks.recording_formats import dataframe

        return dataframe(self)

    def to_xarray(self) -> Any:
        """Return an xarray Dataset of all ``variables``, with named dimensions and units.

        Its dimensions are ``time``, ``episode``, ``axis``, ``muscle``, ``joint`` and ``neuron``.
        Raises ImportError without xarray.
        """
        from arm_env.tasks.recording_formats import dataset

        return dataset(self)

    def save(
        self, path: Path | str, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
    ) -> Path:
        """Write the recording as ``.npz``, ``.nc`` (netCDF) or ``.csv``; return the path.

        The suffix says the format. A CSV file has nine digits of each number, the others have all.
        The file appears whole or not at all. ``progress`` receives the parts in which a CSV file is
        written, and gives them back one by one, as ``tqdm`` does.
        Raises ValueError for another suffix, and ImportError without the packages of the format.
        """
        from arm_env.tasks.recording_formats import save

        return save(self, path, progress)

    @classmethod
    def load(cls, path: Path | str) -> "Recording":
        """Return the recording that ``save`` wrote as ``.npz`` or ``.nc``, equal to the bit.

        Raises ValueError for another file, and OSError for one that can't be read.
        """
        from arm_env.tasks.recording_formats import load

        return load(path)


def command_variable(name: str) -> str:
    """Return the name of the variable that holds a component of the command."""
    return "command_" + re.sub(r"\W+", "_", name)  # netCDF takes no slash


def _padded(values: np.ndarray) -> np.ndarray:
    """Return values of periods, (T, ...), at T + 1 instants; the last ones are NaN."""
    kind = values.dtype if values.dtype == np.float32 else np.dtype(float)
    return np.concatenate([values, np.full((1, *values.shape[1:]), np.nan)]).astype(kind)
