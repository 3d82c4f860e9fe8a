"""Recordings of movements."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from arm_env.tasks.recording_formats import (
    ARRAYS,
    OF_PERIODS,
    PERHAPS,
    dataframe,
    dataset,
    load,
    save,
)
from arm_env.tasks.variables import Labels, Variable, variables_of


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
        hand_force: Forces of a push and of a channel on the hand [N], (T + 1, B, 2); None if the
            perturbation has neither.
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
    hand_force: np.ndarray | None = None
    control_period: float = 0.01
    labels: Labels = None  # type: ignore[assignment]  # made from the shapes
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_shapes()
        if self.labels is None:
            muscles, commands = np.shape(self.actions)[-1], np.shape(self.commands)[-1]
            joints = (np.shape(self.states)[-1] - muscles) // 2
            object.__setattr__(self, "labels", Labels.numbered(joints, muscles, commands))

    def _check_shapes(self) -> None:
        """Raise ValueError unless all arrays have the same periods and episodes."""
        periods, *episodes = np.shape(self.actions)[:2] or (0,)
        for name in ARRAYS + PERHAPS:
            value = getattr(self, name)
            length = periods if name in OF_PERIODS else periods + 1
            if value is None and name in PERHAPS:
                continue
            if not isinstance(value, np.ndarray) or value.shape[:2] != (length, *episodes):
                found = value.shape if isinstance(value, np.ndarray) else type(value).__name__
                raise ValueError(
                    f"{name} of a recording must be an array of {length} by "
                    f"{episodes[0] if episodes else 'B'} or more numbers, since actions are "
                    f"(T, B, M) = {np.shape(self.actions)}, not {found}"
                )

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
        return variables_of(self)

    def to_dataframe(self) -> Any:
        """Return a tidy pandas DataFrame, with one row for each episode and time.

        Its columns are ``episode``, ``time_s`` and all ``variables``: the name of the variable,
        that of the component, and the unit, such as ``hand_x_m`` and ``hand_velocity_x_m_s``. Its
        ``attrs["units"]`` has the unit of each column. Raises ImportError without pandas.
        """
        return dataframe(self)

    def to_xarray(self) -> Any:
        """Return an xarray Dataset of all ``variables``, with named dimensions and units.

        Its dimensions are ``time``, ``episode``, ``axis``, ``muscle``, ``joint`` and ``neuron``.
        Raises ImportError without xarray.
        """
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
        return save(self, path, progress)

    @classmethod
    def load(cls, path: Path | str) -> "Recording":
        """Return the recording that ``save`` wrote as ``.npz`` or ``.nc``, equal to the bit.

        Raises ValueError for another file, and OSError for one that can't be read.
        """
        return cls(**load(path))
