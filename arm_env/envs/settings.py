"""The settings of an environment: its arguments, checked and made plain."""

from dataclasses import dataclass
from typing import Any

from arm_env.arguments import number, same, shown
from arm_env.checked import group
from arm_env.dynamics.parameters import CostWeights
from arm_env.dynamics.perturbations import Perturbation
from arm_env.envs.specifications import ORBITS, SCHEDULES, revived
from arm_env.tasks.orbits import Orbit
from arm_env.tasks.schedules import (
    CommandList,
    MovingCommand,
    RandomJumps,
    Schedule,
    as_schedule,
    unknown_schedule,
)
from arm_env.tasks.shapes import Circle
from arm_env.tasks.task import Task

LARGEST_NOISE = 10.0  # [-] standard deviation at a 5 ms step
LONGEST_PERIOD, SHORTEST_PERIOD = 0.1, 1e-4  # [s]


@dataclass(frozen=True)
class Settings:
    """The arguments of an environment, checked and made plain.

    Attributes:
        task: The task.
        arm: Parameters of the task's body.
        weights: Weights of the cost.
        noise: Standard deviation of the noise at a 5 ms step [-].
        control_period: Δt [s].
        schedule: Schedule of the commands.
        perturbation: Perturbation of the body.
    """

    task: Task
    arm: Any
    weights: CostWeights
    noise: float
    control_period: float
    schedule: Schedule
    perturbation: Perturbation

    @classmethod
    def of(
        cls,
        task: Task,
        arm: Any = None,
        weights: Any = None,
        noise: Any = 0.2,
        control_period: Any = 0.01,
        schedule: Any = None,
        perturbation: Any = None,
    ) -> "Settings":
        """Return settings from the values that a user wrote.

        Raises ValueError, with the name of the argument, for a value that is not allowed.
        """
        if not isinstance(task, Task):
            raise ValueError(f"task must be an arm_env.Task, such as Reach(), not {shown(task)}")
        default: Any = task.body.parameters
        arm = group("arm", arm, type(default), default)
        settings = cls(
            task=task,
            arm=arm,
            weights=group("weights", weights, CostWeights, task.weights),
            noise=number("noise", noise, 0, LARGEST_NOISE),
            control_period=number(
                "control_period", control_period, SHORTEST_PERIOD, LONGEST_PERIOD
            ),
            schedule=schedule_of("schedule", schedule, task, arm, task.hold),
            perturbation=group("perturbation", perturbation, Perturbation, Perturbation()),
        )
        # the delay must be a whole number of control periods
        settings.perturbation.delay_periods(settings.control_period)
        settings.perturbation.applied_to(arm)
        check_contacts(settings)
        check_hold("schedule", settings.schedule, settings.control_period)
        return settings

    def changed(self, **changes: Any) -> "Settings":
        """Return these settings with some replaced, in any form that an environment takes."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__} | changes
        return Settings.of(**given)


def check_contacts(settings: Settings) -> None:
    """Raise ValueError if the body or the task has no place for a push or a channel."""
    if settings.perturbation.touches and not settings.task.body.touchable:
        raise ValueError(
            "perturbation: this body takes neither a push nor a channel: its step must take a "
            "contact, and the Body needs touchable=True"
        )
    task, schedule = settings.task, settings.schedule
    moving = task.cyclic or task.moving or isinstance(schedule, MovingCommand)
    if settings.perturbation.channel is not None and moving:
        raise ValueError(
            "perturbation: a channel leads to a target that stands still, so it needs a task such "
            f"as reach and a schedule of jumps, not {task.name} under a {type(schedule).__name__}"
        )


def check_hold(name: str, schedule: Schedule, control_period: float) -> None:
    """Raise ValueError if the commands of a list stay for less than a control period [s]."""
    hold = schedule.hold
    if (
        isinstance(schedule, CommandList)
        and 0 < hold < control_period
        and not same(hold, control_period)
    ):
        raise ValueError(
            f"{name}: its commands stay for {hold:g} s, which is less than the control period of "
            f"{control_period:g} s: give it a longer hold, or 0 for a command in every period"
        )


def schedule_of(name: str, value: Any, task: Task, arm: Any, hold: float) -> Schedule:
    """Return the schedule that a user wrote as the argument ``name``.

    The value comes from code, or from a specification in plain form. Raises ValueError if it is no
    schedule.
    """
    try:
        try:
            schedule = revived("schedule", value, SCHEDULES, RandomJumps(hold))
        except ValueError as error:
            raise unknown_schedule(value, task, error) from None
        return as_schedule(schedule, task, arm, hold)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def as_orbit(value: Any) -> Orbit:
    """Return the orbit that a user wrote.

    The value is None for circles, an orbit, its name, or a mapping of its fields. Raises ValueError
    for anything else.
    """
    orbit = Circle() if value is None else revived("orbit", value, ORBITS, Circle(), Orbit)
    if not isinstance(orbit, Orbit):
        known = ", ".join(f"{kind.__name__}()" for kind in ORBITS.values())
        raise ValueError(
            f"orbit must be {known}, an arm_env.Orbit of your own, or a name or mapping, "
            f"not {shown(value)}"
        )
    return orbit
