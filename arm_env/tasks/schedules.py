"""Command schedules: which command holds when."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from arm_env.arguments import detached, floats, number, shown
from arm_env.checked import Checked, within
from arm_env.tasks.task import Task

FOR_EVER = 1e9  # [s] no command is held longer


@runtime_checkable
class Schedule(Protocol):
    """Commands that stay for ``hold`` [s] each; the environment asks when one is due."""

    @property
    def hold(self) -> float:
        """How long a command stays [s]."""

    def commands(
        self, rng: np.random.Generator, segment: np.ndarray, time: np.ndarray, task: Task, arm: Any
    ) -> np.ndarray:
        """Commands (n, K) of n arms entering their segment (n,) = 0, 1, … at time (n,) [s]."""


@dataclass(frozen=True)
class RandomJumps(Checked):
    """Jumps between random commands, as the paper trains and tests (fig. 4)."""

    hold: float = within(1.0, 0, FOR_EVER)  # [s]

    def commands(self, rng, segment, time, task, arm):
        return task.sample_commands(rng, len(segment), arm)


@dataclass(frozen=True, eq=False)
class CommandList(Checked):
    """Fixed commands (n, K), one after the other; the last one stays."""

    values: np.ndarray
    hold: float = within(1.0, 0, FOR_EVER)  # [s]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "values", _commands(self.values))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CommandList)
            and self.hold == other.hold
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.hold, self.values.tobytes()))

    def commands(self, rng, segment, time, task, arm):
        return self.values[np.minimum(segment, len(self.values) - 1)]


@dataclass(frozen=True)
class MovingCommand(Checked):
    """A command (K,) given as a function of the time [s], asked anew every control period."""

    function: Callable[[float], np.ndarray]
    hold: float = within(0.0, 0, FOR_EVER)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise ValueError(
                f"function must be a function of the time [s], not {shown(self.function)}"
            )
        try:
            inspect.signature(self.function).bind(0.0)
        except TypeError as error:
            raise ValueError(f"function must take the time [s] alone ({error})") from None
        except ValueError:
            pass  # a signature that can't be read, of compiled code

    def commands(self, rng, segment, time, task, arm):
        values = [detached(self.function(float(t))) for t in time]
        try:
            return np.array(values, dtype=float)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            names = ", ".join(task.command_names)
            raise ValueError(
                f"the function must return a command ({names}), not {shown(values[0])}"
            ) from None


def _commands(value: Any) -> np.ndarray:
    """Commands (n, K) from a list of them or a single one; a copy that nobody can write to."""
    try:
        commands = floats(value)
    except ValueError:
        raise ValueError("a list of commands is an array of numbers, a command a row") from None
    if commands.ndim not in (1, 2) or not commands.size:
        raise ValueError(f"a list of commands has one a row, and this has shape {commands.shape}")
    commands = np.atleast_2d(commands)
    commands.flags.writeable = False
    return commands


def unknown_schedule(value: Any, task: Task, reason: Exception) -> ValueError:
    """Return the error for a value that is no schedule; it tells the ``reason``."""
    return ValueError(
        f"{shown(value)} is no schedule: give None (random jumps), an array of commands "
        f"({', '.join(task.command_names)}) a row, shape (n, {task.command_size}), a function of "
        "time [s], "
        f"or an arm_env.Schedule; {reason}"
    )


def hold_of(schedule: Schedule) -> float:
    """Return how long a command of the schedule stays [s].

    Raises ValueError if the schedule's ``hold`` is no such time.
    """
    return number("the hold of a schedule", schedule.hold, 0, FOR_EVER)


def as_schedule(value: Any, task: Task, arm: Any, hold: float | None = None) -> Schedule:
    """Return the schedule that a user described.

    The value is None, a list of commands, a function of time, or a ``Schedule``. The schedule's
    first commands are checked, as far as they are known.
    """
    hold = task.hold if hold is None else hold
    if value is None:
        return RandomJumps(hold)
    if callable(value) and not isinstance(value, type | Schedule):
        value = MovingCommand(value)
    if isinstance(value, Schedule) and not isinstance(value, type):
        hold_of(value)
        if isinstance(value, MovingCommand):
            task.check_commands(arm, value.commands(None, None, np.zeros(1), task, arm))
        if isinstance(value, CommandList):
            task.check_commands(arm, value.values)
        return value
    try:
        commands = CommandList(value, hold)
    except ValueError as error:
        raise unknown_schedule(value, task, error) from None
    task.check_commands(arm, commands.values)
    return commands
