"""A batch of arms under one task: what ``ArmEnv`` (a batch of one) and ``ArmVectorEnv`` have in
common.
"""

from typing import Any, NamedTuple

import numpy as np

from arm_env.arguments import detached, floats, mapping, shown
from arm_env.dynamics.parameters import MUSCLES, Arm
from arm_env.dynamics.plant import (
    ANGLES,
    COSTS,
    MUSCLE_COUNT,
    NOISE_MARGIN,
    STATE_SIZE,
    compile_task,
    hold_to_action_space,
    noise_of,
    observe,
    sensory_bounds,
)
from arm_env.envs.settings import Settings, schedule_of
from arm_env.tasks.schedules import RandomJumps, Schedule, hold_of
from arm_env.tasks.task import Task

NOISE_PERIOD = 0.005  # [s] the step at which a noise level is a standard deviation
LONGEST_SUBSTEP = 0.005  # [s] of the physics; docs/choices.md says what it costs


def noise_deviation(level: float, control_period: float) -> float:
    """Standard deviation of ω a control period, so that a level means the same at any period."""
    return level * (NOISE_PERIOD / control_period) ** 0.5


def substeps_of(control_period: float) -> int:
    """How many physics steps make a control period."""
    return max(1, int(np.ceil(control_period / LONGEST_SUBSTEP - 1e-9)))


class Start(NamedTuple):
    """How an episode begins."""

    schedule: Schedule | None  # None for that of the settings
    posture: np.ndarray | None  # (2,) [rad]; None for the first command's attractor


class Simulation:
    """``number`` arms, their commands and clocks; every array but ``history`` has a leading axis of
    arms.

    ``settings`` are those in force; ``change`` gives new ones, which come into force at the next
    reset. The arm of the settings is what spaces, commands and drawings are of; what moves is that
    under their perturbation.
    """

    def __init__(self, number: int, task: Task, *arguments: Any, **more: Any):
        """Take what ``Settings.of`` takes."""
        self.number = number
        self.settings = Settings.of(task, *arguments, **more)
        self._coming: Settings | None = None
        self._kernels = compile_task(task)
        self.low, self.high = observation_bounds(task, self.settings.arm)
        self.substeps = substeps_of(self.settings.control_period)
        self._step = self.settings.control_period / self.substeps
        self.history = np.zeros((1, number, STATE_SIZE))  # what is sensed first, the present last
        self._come_into_force()
        self._schedules = np.full(number, None, dtype=object)  # of every arm
        self.command = np.zeros((number, task.command_size))
        self.elapsed = np.zeros(number, dtype=np.int64)  # control periods since the reset
        self._segment = np.zeros(number, dtype=np.int64)
        self._due = np.zeros(number, dtype=np.int64)  # when the next command is
        self._key = self._draws = 0  # of the noise
        self._quiet = 0  # control periods in which surely no command is due

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Copy the arrays: those that another process sent may be read-only."""
        vars(self).update(
            {key: np.array(x) if isinstance(x, np.ndarray) else x for key, x in state.items()}
        )

    @property
    def task(self) -> Task:
        """The task."""
        return self.settings.task

    @property
    def arm(self) -> Arm:
        """The unperturbed arm."""
        return self.settings.arm

    @property
    def control_period(self) -> float:
        """Δt [s]."""
        return self.settings.control_period

    @property
    def state(self) -> np.ndarray:
        """Present states, (B, 10): joint angles [rad], velocities [rad/s], activations."""
        return self.history[-1]

    @property
    def coming(self) -> Settings:
        """The settings of the next episode."""
        return self._coming or self.settings

    def change(self, **changes: Any) -> None:
        """Check new settings, which come into force for all arms at the next reset of any;
        ValueError if refused.
        """
        self._coming = self.coming.changed(**changes)

    def _come_into_force(self) -> None:
        self.settings, self._coming = self.coming, None
        settings = self.settings
        self._deviation = noise_deviation(settings.noise, settings.control_period)
        self._p = settings.perturbation.applied_to(settings.arm).flat()
        self._w = settings.weights.flat()
        missing = (
            settings.perturbation.delay_periods(settings.control_period) + 1 - len(self.history)
        )
        oldest = np.repeat(self.history[:1], max(missing, 0), axis=0)
        self.history = np.concatenate([oldest, self.history[max(-missing, 0) :]])

    def start(self, options: dict[str, Any] | None) -> Start:
        """How episodes begin under options of ``reset``; ValueError if they are refused."""
        options = mapping("options", options)
        unknown = set(options) - {"posture", "targets", "schedule"}
        if unknown:
            raise ValueError(
                f"unknown reset options {sorted(map(str, unknown))}: there are posture, targets and schedule"
            )
        if {"targets", "schedule"} <= set(options):
            raise ValueError("give either targets or a schedule: targets are a schedule")
        schedule = None
        if "schedule" in options or "targets" in options:
            name = "targets" if "targets" in options else "schedule"
            schedule = schedule_of(
                name,
                options[name],
                self.task,
                self.arm,
                self.coming.schedule.hold or self.task.hold,
            )
        return Start(
            schedule, self._checked_posture(options["posture"]) if "posture" in options else None
        )

    def reset(self, rng: np.random.Generator, which: np.ndarray, start: Start) -> None:
        """Begin a new episode in the arms of the boolean mask ``which``, (B,)."""
        if self._coming:
            self._come_into_force()
        # nothing is drawn without noise
        self._key, self._draws = int(rng.integers(2**63)) if self._deviation else 0, 0
        schedule = start.schedule or self.settings.schedule
        zero = np.zeros(int(which.sum()), dtype=np.int64)
        command = self._next_command(rng, schedule, zero, zero)
        state = self.task.attractor_state(rng, self.arm, command)
        if start.posture is not None:
            state[:, ANGLES] = start.posture
            state[:, ANGLES.stop :] = 0
        for arm in np.flatnonzero(which):
            self._schedules[arm] = schedule
        self.command = self.command.copy()
        self.history[:, which], self.command[which] = state, command
        self.elapsed[which] = self._segment[which] = 0
        self._due[which] = self._periods(schedule)
        self._quiet = 0

    def _checked_posture(self, posture: Any) -> np.ndarray:
        try:
            angles = floats(posture)
        except ValueError:
            angles = np.full(2, np.nan)
        if (
            angles.shape != (2,)
            or not ((angles >= self.arm.lower_stop) & (angles <= self.arm.upper_stop)).all()
        ):
            low = np.round(self.arm.lower_stop, 3).tolist()
            high = np.round(self.arm.upper_stop, 3).tolist()
            raise ValueError(
                f"a posture is shoulder and elbow angle between {low} and {high} rad, not {posture}"
            )
        return angles

    def _periods(self, schedule: Schedule) -> int:
        return max(1, round(hold_of(schedule) / self.control_period))

    def _next_command(
        self, rng: np.random.Generator, schedule: Schedule, segment: np.ndarray, elapsed: np.ndarray
    ) -> np.ndarray:
        time = elapsed * self.control_period
        if isinstance(schedule, RandomJumps):  # whose commands the task itself draws
            return schedule.commands(rng, segment, time, self.task, self.arm)
        try:
            command = _numbers(schedule.commands(rng, segment, time, self.task, self.arm))
            self.task.check_commands(self.arm, command)
            if len(command) != len(segment):
                raise ValueError(
                    f"there must be a command for each of {len(segment)} arms, not {len(command)}"
                )
        except ValueError as error:
            raise ValueError(f"schedule: {error}") from error
        return command

    def checked_action(self, action: Any, ignored: np.ndarray | None = None) -> np.ndarray:
        """A copy of the action, (B, 6), held to the action space; ValueError if it is none."""
        u = np.array(detached(action), dtype=float)
        if u.shape != (self.number, MUSCLE_COUNT):
            raise ValueError(
                f"an action is {MUSCLE_COUNT} excitations an arm, shape {(self.number, MUSCLE_COUNT)}, not {u.shape}"
            )
        if ignored is not None:
            u[ignored] = 0
        bad = hold_to_action_space(u, self.arm.max_excitation)
        if bad >= 0:
            where = f" of arm {bad}" if self.number > 1 else ""
            raise ValueError(f"the excitations{where} must be finite, not {u[bad].tolist()}")
        return u

    def step(self, rng: np.random.Generator, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance all arms by one control period under a checked action.

        Returns ``costs`` of the state reached, under the command in force, and observations. The
        command may change afterwards; the observations show the new one.
        """
        changes = self._following_commands(rng)  # may refuse, and then nothing has moved
        command = self.command
        if changes:
            self.command = command.copy()
        for due, schedule, following in changes:
            self.command[due] = following
            self._segment[due] += 1
            self._due[due] += self._periods(schedule)
        costs, observation = self._blank()
        self._draws += 1
        self._kernels.advance(
            self._p, self._w, self._step, self.substeps, u,
            self._deviation, self._key, self._draws, command, self.command,
            self.low, self.high, self.history, self.elapsed, costs, observation,
        )  # fmt: skip
        self._quiet -= 1
        if self._quiet <= 0:
            self._quiet = int((self._due - self.elapsed).min())
        return costs, observation

    def _blank(self) -> tuple[np.ndarray, np.ndarray]:
        return np.empty((self.number, COSTS)), np.empty(
            (self.number, len(self.low)), dtype=np.float32
        )

    def _following_commands(
        self, rng: np.random.Generator
    ) -> list[tuple[np.ndarray, Schedule, np.ndarray]]:
        """Which arms change their command at the end of this period, by what schedule, and to what."""
        if self._quiet > 1:
            return []
        due = self.elapsed + 1 >= self._due
        following = []
        for schedule in {id(s): s for s in self._schedules[due]}.values():
            of = due & np.array([s is schedule for s in self._schedules])
            command = self._next_command(rng, schedule, self._segment[of] + 1, self.elapsed[of] + 1)
            following.append((of, schedule, command))
        return following

    def costs(self, u: np.ndarray) -> np.ndarray:
        """Cost terms, distance, success and the hand in this state under u, (B, 7), as ``COSTS``
        says.
        """
        out = self._blank()[0]
        self._kernels.costs(self._p, self._w, self.state, u, self.command, out)
        return out

    def observe(self) -> np.ndarray:
        """Noisy observations, (B, 18 + K) float32: delayed senses, the present command."""
        observation = self._blank()[1]
        noise = np.empty(observation.size)
        self._draws += 1
        noise_of(self._deviation, self._key, self._draws, noise)
        observe(
            self._p,
            self.history[0],
            self.command,
            noise.reshape(observation.shape),
            self.low,
            self.high,
            observation,
        )
        return observation

    def info(self, costs: np.ndarray, command: np.ndarray) -> dict[str, np.ndarray]:
        """What ``info`` says of every arm, noise-free."""
        command = command.copy()
        return {
            "hand": costs[:, 5:],
            "command": command,
            "target": command[:, :2].copy(),
            "distance": costs[:, 3],
            "cost_distance": costs[:, 0],
            "cost_velocity": costs[:, 1],
            "cost_effort": costs[:, 2],
            "is_success": costs[:, 4] > 0,
            "state": self.state.copy(),
        }


def _numbers(commands: Any) -> np.ndarray:
    try:
        return np.asarray(detached(commands), dtype=float)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"commands must be numbers, not {shown(commands)}") from None


def observation_bounds(task: Task, arm: Arm) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest observations, (18 + K,) float32 each."""
    low, high = (
        np.concatenate(pair)
        for pair in zip(sensory_bounds(arm), task.command_bounds(arm), strict=True)
    )
    low = np.minimum(low * (1 + NOISE_MARGIN), low * (1 - NOISE_MARGIN))
    high = np.maximum(high * (1 + NOISE_MARGIN), high * (1 - NOISE_MARGIN))
    return low.astype(np.float32), high.astype(np.float32)


def observation_names(task: Task) -> tuple[str, ...]:
    """Names of the observation's components in order, such as ``length_SF`` and ``target_x``."""
    sensory = [
        f"{signal}_{muscle}" for signal in ("length", "velocity", "tension") for muscle in MUSCLES
    ]
    return (*sensory, *task.command_names)
