"""Command schedules: which command holds when."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from arm_env.tasks import Task


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
class RandomJumps:
    """Jumps between random commands, as the paper trains and tests (fig. 4)."""

    hold: float = 1.0  # [s]

    def commands(self, rng, segment, time, task, arm):
        return task.sample_commands(rng, len(segment), arm)


@dataclass(frozen=True)
class CommandList:
    """Fixed commands (n, K), one after the other; the last one stays."""

    values: np.ndarray
    hold: float = 1.0  # [s]

    def commands(self, rng, segment, time, task, arm):
        return self.values[np.minimum(segment, len(self.values) - 1)]


@dataclass(frozen=True)
class MovingCommand:
    """A command (K,) given as a function of the time [s], asked anew every control period."""

    function: Callable[[float], np.ndarray]
    hold: float = 0.0

    def commands(self, rng, segment, time, task, arm):
        return np.array([self.function(float(t)) for t in time], dtype=float)


def as_schedule(value: Any, task: Task, arm: Any, hold: float | None = None) -> Schedule:
    """A schedule from what a user wrote: None, a list of commands, a function of time, a Schedule."""
    hold = task.hold if hold is None else hold
    if value is None:
        return RandomJumps(hold)
    if isinstance(value, Schedule) and not isinstance(value, type):
        if not 0 <= value.hold < np.inf:
            raise ValueError(f"a schedule's hold is a time [s], 0 or above, not {value.hold}")
        return value
    if callable(value) and not isinstance(value, type):
        moving = MovingCommand(value)
        task.check_commands(arm, moving.commands(None, None, np.zeros(1), task, arm))  # its first, before all else
        return moving
    try:
        commands = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(
            f"unknown schedule {value!r}: give None (random jumps), an array of commands "
            f"({', '.join(task.command_names)}) a row, a function of time [s], or an arm_env.Schedule"
        ) from None
    if commands.ndim == 1:
        commands = commands[None]
    if commands.ndim != 2 or not len(commands):
        raise ValueError(f"a list of commands has shape (n, {task.command_size}), not {commands.shape}")
    task.check_commands(arm, commands)
    return CommandList(commands, hold)
