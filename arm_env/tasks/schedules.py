"""Command schedules: they say which command holds when."""

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
    """The protocol of a schedule: commands that stay for ``hold`` [s] each.

    The environment asks for a command when one is due.
    """

    @property
    def hold(self) -> float:
        """Time for which a command stays [s]."""

    def commands(
        self, rng: np.random.Generator, segment: np.ndarray, time: np.ndarray, task: Task, arm: Any
    ) -> np.ndarray:
        """Return the commands (n, K) of n arms that enter their segment, (n,) = 0, 1, ….

        ``time`` [s] is (n,).
        """


@dataclass(frozen=True)
class RandomJumps(Checked):
    """Jumps between random commands, as in the paper (Huh & Todorov 2009, fig. 4).

    Attributes:
        hold: Time for which a command stays [s].
    """

    hold: float = within(1.0, 0, FOR_EVER)

    def commands(self, rng, segment, time, task, arm):
        """Return random commands of the task, (n, K), for n arms."""
        return task.sample_commands(rng, len(segment), arm)


@dataclass(frozen=True, eq=False)
class CommandList(Checked):
    """Fixed commands, one after the other; the last one stays.

    Raises ValueError if the commands are not an array of numbers with one command a row.

    Attributes:
        values: Commands, (n, K), or a single one, (K,).
        hold: Time for which a command stays [s].
    """

    values: np.ndarray
    hold: float = within(1.0, 0, FOR_EVER)

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
        """Return the commands (n, K) of n arms that enter their segment, (n,)."""
        return self.values[np.minimum(segment, len(self.values) - 1)]


@dataclass(frozen=True)
class MovingCommand(Checked):
    """A command that is given as a function of the time.

    Raises ValueError if ``function`` can't be called with the time alone.

    Attributes:
        function: A function from the time [s] since the start of the episode to a command (K,).
        hold: Time after which it is called again [s]; 0 for every control period.
    """

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
        """Return the commands (n, K) at times (n,) [s].

        Raises ValueError if the function does not return a command.
        """
        values = [detached(self.function(float(t))) for t in time]
        try:
            return np.array(values, dtype=float)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            names = ", ".join(task.command_names)
            raise ValueError(
                f"the function must return a command ({names}), not {shown(values[0])}"
            ) from None


def _commands(value: Any) -> np.ndarray:
    """Commands (n, K) from a list of them or a single one; a read-only copy."""
    try:
        commands = floats(value)
    except ValueError:
        raise ValueError("a list of commands is an array of numbers, a command a row") from None
    if commands.ndim not in (1, 2) or not commands.size:
        raise ValueError(
            f"a list of commands has shape (n, K), a command a row, not shape {commands.shape}"
        )
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

    Raises ValueError if the schedule's ``hold`` is not a number in the range of such times.
    """
    return number("the hold of a schedule", schedule.hold, 0, FOR_EVER)


def as_schedule(value: Any, task: Task, arm: Any, hold: float | None = None) -> Schedule:
    """Return the schedule that a user described.

    The value is None (random jumps), commands (n, K), a function of time [s], or a ``Schedule``.
    The schedule's first commands are checked, as far as they are known. Raises ValueError for
    anything else, and for commands that the arm can't carry out.
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
