"""The commands of a batch of arms: the ones in force, and the schedules by which others follow."""

from typing import Any

import numpy as np

from arm_env.arguments import detached, shown
from arm_env.envs.own_arrays import OwnArrays
from arm_env.tasks.schedules import RandomJumps, Schedule, hold_of
from arm_env.tasks.task import Task

Change = tuple[np.ndarray, Schedule, np.ndarray]
"""Arms (B,) bool whose command changes, by which schedule, and their new courses or commands."""


class Commands(OwnArrays):
    """Commands in force, ``present`` (B, K), and the data with which they change.

    A command changes when its schedule's hold has passed. Under random commands of a task whose
    commands move, it also moves along its course in every control period.
    """

    def __init__(self, number: int, task: Task, arm: Any, control_period: float):
        self.present = np.zeros((number, task.command_size))
        self._task = task
        self._arm = arm
        self._period = control_period
        self._schedules = np.full(number, None, dtype=object)
        self._segment = np.zeros(number, dtype=np.int64)
        self._due = np.zeros(number, dtype=np.int64)  # control period of the next change
        self._calm = 0  # control periods in which surely no command changes
        self._moves = np.zeros(number, dtype=bool)
        self._courses = np.zeros((number, 0))  # (B, P), of those that move
        self._began = np.zeros(number, dtype=np.int64)  # control period in which a course began
        # [m] (2,) where a person holds the targets or centres, or None
        self.pointed: np.ndarray | None = None

    def begin(self, rng: np.random.Generator, which: np.ndarray, schedule: Schedule) -> np.ndarray:
        """Put a schedule's first commands in force in the arms of a mask (B,); return them.

        They are (n, K).
        """
        none = np.zeros(int(which.sum()), dtype=np.int64)
        drawn = self._next(rng, schedule, none, none)
        for i in np.flatnonzero(which):
            self._schedules[i] = schedule
        self._segment[which] = 0
        self._due[which] = self._periods(schedule)
        self._calm = 0
        self.present = self.present.copy()
        self._set(which, schedule, drawn, none)
        return self.present[which]

    def changes(self, rng: np.random.Generator, elapsed: np.ndarray) -> list[Change]:
        """Return the changes at the end of this period.

        ``elapsed`` (B,) counts the periods before it. A schedule may refuse to give a command; then
        ValueError is raised, and nothing has changed.
        """
        if self._calm > 1:
            return []
        due = elapsed + 1 >= self._due
        found = []
        for schedule in {id(s): s for s in self._schedules[due]}.values():
            of = due & np.array([s is schedule for s in self._schedules])
            drawn = self._next(rng, schedule, self._segment[of] + 1, elapsed[of] + 1)
            found.append((of, schedule, drawn))
        return found

    def take(self, changes: list[Change], elapsed: np.ndarray) -> None:
        """Make the changes; the array ``present`` is replaced, not written to.

        ``elapsed`` (B,) counts the periods before this one.
        """
        moves = self._task.moving and self._moves.any()
        if changes or moves:
            self.present = self.present.copy()
        for which, schedule, drawn in changes:
            self._segment[which] += 1
            self._due[which] += self._periods(schedule)
            self._set(which, schedule, drawn, elapsed[which] + 1)
        if moves:
            time = (elapsed + 1 - self._began)[self._moves] * self._period
            self.present[self._moves] = self._task.command_at(self._courses[self._moves], time)
        if self.pointed is not None:
            moved = [self._task.moved_to(self._arm, c, self.pointed) for c in self.present]
            self.present = np.array(moved)

    def tick(self, elapsed: np.ndarray) -> None:
        """Count a period, after which ``elapsed`` (B,) have passed."""
        self._calm -= 1
        if self._calm <= 0:
            self._calm = int((self._due - elapsed).min())

    def _set(
        self, which: np.ndarray, schedule: Schedule, drawn: np.ndarray, began: np.ndarray
    ) -> None:
        moving = self._along_courses(schedule)
        self._moves[which] = moving
        if not moving:
            self.present[which] = drawn
            return
        if self._courses.shape[1] != drawn.shape[1]:
            self._courses = np.zeros((len(self._moves), drawn.shape[1]))
        self._courses[which] = drawn
        self._began[which] = began
        self.present[which] = self._task.command_at(drawn, np.zeros(len(drawn)))

    def _along_courses(self, schedule: Schedule) -> bool:
        return self._task.moving and isinstance(schedule, RandomJumps)

    def _periods(self, schedule: Schedule) -> int:
        return max(1, round(hold_of(schedule) / self._period))

    def _next(
        self, rng: np.random.Generator, schedule: Schedule, segment: np.ndarray, elapsed: np.ndarray
    ) -> np.ndarray:
        """Return commands (n, K) that a schedule gives n arms, or courses (n, P) if they move."""
        if self._along_courses(schedule):
            return self._task.sample_courses(rng, len(segment), self._arm)
        time = elapsed * self._period
        if isinstance(schedule, RandomJumps):  # the task itself draws these: they are sound
            return schedule.commands(rng, segment, time, self._task, self._arm)
        try:
            commands = _numbers(schedule.commands(rng, segment, time, self._task, self._arm))
            self._task.check_commands(self._arm, commands)
            if len(commands) != len(segment):
                raise ValueError(
                    f"there must be a command for each of {len(segment)} arms, not {len(commands)}"
                )
        except ValueError as error:
            raise ValueError(f"schedule: {error}") from error
        return commands


def _numbers(commands: Any) -> np.ndarray:
    try:
        return np.asarray(detached(commands), dtype=float)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"commands must be numbers, not {shown(commands)}") from None
