"""A batch of arms under one task, which ``ArmEnv`` (a batch of one) and ``ArmVectorEnv`` share."""

from typing import Any, NamedTuple

import numpy as np

from arm_env.arguments import detached, floats, mapping
from arm_env.codegen.primitives import NUMPY
from arm_env.devices import checked_device
from arm_env.dynamics.body import Body
from arm_env.dynamics.layout import COSTS, HAND
from arm_env.dynamics.plant import (
    NOISE_MARGIN,
    hold_to_action_space,
)
from arm_env.dynamics.task_kernels import (
    compile_task,
    compile_task_of_one,
    compile_touched_task,
)
from arm_env.envs.commands import Commands
from arm_env.envs.contacts import Contacts
from arm_env.envs.own_arrays import OwnArrays
from arm_env.envs.settings import Settings, check_hold, schedule_of
from arm_env.tasks.schedules import Schedule
from arm_env.tasks.task import Task
from arm_env.tasks.variables import SENSES

NOISE_PERIOD = 0.005  # [s] the step at which a noise level is a standard deviation
LONGEST_SUBSTEP = 0.005  # [s] of the physics; see docs/choices.md


def noise_deviation(level: float, control_period: float) -> float:
    """Return the standard deviation of ω in a control period [s].

    It is scaled so that a noise level means the same at any control period.
    """
    return level * (NOISE_PERIOD / control_period) ** 0.5


def substeps_of(control_period: float) -> int:
    """Return the number of physics steps in a control period [s]."""
    return max(1, int(np.ceil(control_period / LONGEST_SUBSTEP - 1e-9)))


class Start(NamedTuple):
    """The way in which an episode begins.

    Attributes:
        schedule: Schedule of its commands; None for that of the settings.
        posture: Joint angles [rad], (J,); None for the first command's attractor.
    """

    schedule: Schedule | None
    posture: np.ndarray | None  # (J,)


class Simulation(OwnArrays):
    """A number of arms and their clocks; every array but ``history`` has a leading axis of arms.

    ``settings`` are those in force. ``change`` gives new ones, which come into force at the next
    reset. Spaces, commands and drawings belong to the arm of the settings; the arm that moves is
    that arm under their perturbation. Raises ValueError as ``Settings.of`` does.
    """

    def __init__(self, number: int, task: Task, *arguments: Any, device: str = "cpu", **more: Any):
        """Make ``number`` arms with the arguments of ``Settings.of``, moved by a ``device``."""
        self.number = number
        self.device = checked_device(device)
        self.settings = Settings.of(task, *arguments, **more)
        self._coming: Settings | None = None
        self.low, self.high = observation_bounds(task, self.settings.arm)
        self._bounds = self.low.astype(float), self.high.astype(float)
        self.substeps = substeps_of(self.settings.control_period)
        self._step = self.settings.control_period / self.substeps
        self._max_excitation = float(self.settings.arm.max_excitation)
        # the states that are sensed come first, the present ones last
        self.history = np.zeros((1, number, self.body.state_size))
        self._come_into_force()
        self._commands = Commands(number, task, self.arm, self.control_period)
        self.elapsed = np.zeros(number, dtype=np.int64)  # control periods since the reset
        self._key = self._draws = 0  # of the noise

    @property
    def task(self) -> Task:
        """Task of the arms."""
        return self.settings.task

    @property
    def body(self) -> Body:
        """Body of the task."""
        return self.task.body

    @property
    def arm(self) -> Any:
        """Parameters of the unperturbed body."""
        return self.settings.arm

    @property
    def control_period(self) -> float:
        """Control period Δt [s]."""
        return self.settings.control_period

    @property
    def state(self) -> np.ndarray:
        """Present states, (B, 2 J + M): joint angles [rad], velocities [rad/s], activations."""
        return self.history[-1]

    @property
    def command(self) -> np.ndarray:
        """Commands in force, (B, K)."""
        return self._commands.present

    @command.setter
    def command(self, commands: np.ndarray) -> None:
        self._commands.present = commands

    def point(self, place: np.ndarray | None) -> None:
        """Move the targets or centres of all commands to a place [m], (2,), with the next step.

        The task holds them to its workspace. They stay there until ``place`` is None, whatever the
        schedule says; then the schedule goes on.
        """
        self._commands.pointed = place

    @property
    def coming(self) -> Settings:
        """Settings of the next episode."""
        return self._coming or self.settings

    def change(self, **changes: Any) -> None:
        """Check new settings, which come into force for all arms at the next reset of any of them.

        Raises ValueError if they are refused.
        """
        self._coming = self.coming.changed(**changes)

    def _come_into_force(self) -> None:
        self.settings, self._coming = self.coming, None
        settings = self.settings
        self._deviation = noise_deviation(settings.noise, settings.control_period)
        arm = settings.perturbation.applied_to(settings.arm)
        self._p, self._arrays = arm.flat(), arm.arrays()
        self._w = settings.weights.flat()
        missing = (
            settings.perturbation.delay_periods(settings.control_period) + 1 - len(self.history)
        )
        oldest = np.repeat(self.history[:1], max(missing, 0), axis=0)
        self.history = np.concatenate([oldest, self.history[max(-missing, 0) :]])
        self._contacts = None
        if settings.perturbation.touches:
            self._contacts = Contacts(self.number, settings.perturbation, settings.control_period)
        self._kernels = self._compiled()

    def _compiled(self) -> Any:
        """Return what has the kernel ``advance`` for the task."""
        task, touched = self.task, self._contacts is not None
        if self.device == "cuda":
            from arm_env.cuda.stepping import CudaTask

            return CudaTask(task, touched)
        if touched:
            return compile_touched_task(task)
        return compile_task_of_one(task) if self.number == 1 else compile_task(task)

    def start(self, options: dict[str, Any] | None) -> Start:
        """Return the start of episodes under the options of ``reset``.

        Raises ValueError if the options are refused.
        """
        options = mapping("options", options)
        unknown = set(options) - {"posture", "targets", "schedule"}
        if unknown:
            raise ValueError(
                f"unknown reset options {sorted(map(str, unknown))}: there are posture, targets "
                "and schedule"
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
            check_hold(name, schedule, self.coming.control_period)
        return Start(
            schedule, self._checked_posture(options["posture"]) if "posture" in options else None
        )

    def reset(self, rng: np.random.Generator, which: np.ndarray, start: Start) -> None:
        """Begin a new episode in the arms of the boolean mask ``which``, (B,)."""
        if self._coming:
            self._come_into_force()
        # without noise, no key is drawn
        self._key, self._draws = int(rng.integers(2**63)) if self._deviation else 0, 0
        schedule = start.schedule or self.settings.schedule
        command = self._commands.begin(rng, which, schedule)
        state = self.task.attractor_state(rng, self.arm, command)
        if start.posture is not None:
            state[:] = 0
            state[:, self.body.angles] = start.posture
        self.history[:, which] = state
        self.elapsed[which] = 0
        if self._contacts:
            self._contacts.begin(which)

    def _checked_posture(self, posture: Any) -> np.ndarray:
        joints = self.body.joints
        try:
            angles = floats(posture)
        except ValueError:
            angles = np.full(len(joints), np.nan)
        if (
            angles.shape != (len(joints),)
            or not ((angles >= self.arm.lower_stop) & (angles <= self.arm.upper_stop)).all()
        ):
            low = np.round(self.arm.lower_stop, 3).tolist()
            high = np.round(self.arm.upper_stop, 3).tolist()
            raise ValueError(
                f"a posture is {' and '.join(joints)} angle between {low} and {high} rad, "
                f"not {posture}"
            )
        return angles

    def checked_action(self, action: Any, ignored: np.ndarray | None = None) -> np.ndarray:
        """Return a copy of the action, (B, M), held to the action space.

        Actions of the arms in the mask ``ignored``, (B,), are replaced by 0. Raises ValueError for
        another shape, and for a number that is not finite.
        """
        u = np.array(detached(action), dtype=float, order="C")
        shape = (self.number, self.body.muscle_count)
        if u.shape != shape:
            raise ValueError(
                f"an action is {shape[1]} excitations an arm, shape {shape}, not {u.shape}"
            )
        if ignored is not None:
            u[ignored] = 0
        return self.held(u)

    def held(self, u: np.ndarray) -> np.ndarray:
        """Hold excitations (B, M) to the action space, in place, and return them.

        Raises ValueError if one is not finite.
        """
        bad = hold_to_action_space(u, self._max_excitation)
        if bad >= 0:
            where = f" of arm {bad}" if self.number > 1 else ""
            raise ValueError(f"the excitations{where} must be finite, not {u[bad].tolist()}")
        return u

    def step(self, rng: np.random.Generator, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance all arms by one control period under a checked action u, (B, M).

        Returns costs (B, 7) of the state reached, under the command in force, and observations, as
        ``present`` does. The command may change afterwards; the observations show the new one.
        """
        # A schedule may raise an error here, before anything has moved.
        changes = self._commands.changes(rng, self.elapsed)
        command = self.command
        self._commands.take(changes, self.elapsed)
        contact = (self._contacts.at(self.elapsed),) if self._contacts else ()
        costs, observation = self._advance(self.substeps, u, command, *contact)
        if self._contacts:
            jumped = (self.command[:, :2] != command[:, :2]).any(1)
            self._contacts.end(self.body.hand(NUMPY, self._arrays, self.state))
            self._contacts.jump(jumped, costs[:, HAND], self.command[:, :2])
        self._commands.tick(self.elapsed)
        return costs, observation

    @property
    def hand_force(self) -> np.ndarray | None:
        """Forces x, y [N] of push and channel on the hands at the end of the last period, (B, 2).

        None if the perturbation has neither.
        """
        return self._contacts.force if self._contacts else None

    def present(self) -> tuple[np.ndarray, np.ndarray]:
        """Return costs and observations of the present states, under no excitation.

        The costs are (B, 7): terms, distance, success and the hand. The observations are noisy, (B,
        3 M + K) float32: delayed sensory signals and the present command.
        """
        still = np.zeros((self.number, self.body.muscle_count))
        contact = (self._contacts.present,) if self._contacts else ()
        return self._advance(0, still, self.command, *contact)

    def _advance(
        self, substeps: int, u: np.ndarray, command: np.ndarray, *contact: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        costs = np.empty((self.number, COSTS))
        observation = np.empty((self.number, len(self.low)), dtype=np.float32)
        self._draws += 1
        self._kernels.advance(
            self._p, self._w, self._step, substeps, u,
            self._deviation, self._key, self._draws, command, self.command,
            *self._bounds, self.history, self.elapsed, costs, observation, *contact,
        )  # fmt: skip
        return costs, observation


def observation_bounds(task: Task, arm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest observation, (3 M + K,) float32 each."""
    low, high = (
        np.concatenate(pair)
        for pair in zip(task.body.sensory_bounds(arm), task.command_bounds(arm), strict=True)
    )
    low = np.minimum(low * (1 + NOISE_MARGIN), low * (1 - NOISE_MARGIN))
    high = np.maximum(high * (1 + NOISE_MARGIN), high * (1 - NOISE_MARGIN))
    return low.astype(np.float32), high.astype(np.float32)


def observation_names(task: Task) -> tuple[str, ...]:
    """Return the names of the observation's components, such as ``length_SF`` and ``target_x``."""
    return (*sensory_names(task.body), *task.command_names)


def sensory_names(body: Body) -> tuple[str, ...]:
    """Return the names of the components of a body's sensory signal, such as ``length_SF``."""
    return tuple(f"{signal}_{muscle}" for signal in SENSES for muscle in body.muscles)
