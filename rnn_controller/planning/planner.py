"""The planner: the commands over time with which a controller draws a curve."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from arm_env.arguments import count, number, shown
from arm_env.dynamics.parameters import Parameters
from arm_env.evaluation import record
from arm_env.tasks.task import Task
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.planning.commands import kind_of
from rnn_controller.planning.curves import course, distances
from rnn_controller.planning.optimising import Search
from rnn_controller.planning.plans import Plan, digest_of
from rnn_controller.planning.points import read_points
from rnn_controller.planning.problem import WARM_UP, Problem
from rnn_controller.policy import Policy, controller_of

ITERATIONS = 100
LAPS = (0.5, 30.0)  # [s]
FASTEST = 1.0  # [m/s] mean speed of a drawing
NOISY = 16  # hands by which a finished plan is measured under noise
MEASURED = 2  # laps of each
DECIMALS = 6  # of a command in m or m/s


class Subject(NamedTuple):
    """A controller that a plan is made for, with its arm and its task.

    Attributes:
        policy: The controller.
        arm: Parameters of its arm.
        task: Task that it was trained for.
    """

    policy: Policy
    arm: Parameters
    task: Task

    @property
    def environment(self) -> dict[str, Any]:
        """Arguments of the environment that the controller was trained for."""
        period = self.policy.network.config.control_period
        return {"arm": self.arm, "control_period": period, **self.task.arguments}


def plan(
    controller: Path | str | Checkpoint | Policy,
    curve: Any,
    lap: float,
    *,
    closed: bool = True,
    speed: str | None = None,
    noise: float = 0.2,
    seed: int = 0,
    iterations: int = ITERATIONS,
) -> Plan:
    """Return the commands over time with which a controller draws a curve, as a schedule.

    They are splines with eight knots a second, and minimise the mean squared distance between hand
    and curve, half of it without noise and half of it at ``noise``. The hand may be early or late
    by a tenth of a lap. The gradient goes through the closed loop, by the costate equations.

    ``controller`` reaches, follows or draws circles; it is a shipped name, a path, a ``Checkpoint``
    or a ``Policy`` loaded from one. ``curve`` is a function from a phase (0 to 1) to a point x, y
    [m], an array of points (n, 2) [m] from the shoulder, or the path of a file with a point x, y a
    line. ``lap`` is the duration of a lap [s], rounded to control periods. A curve that is not
    ``closed`` is drawn to its end and back.
    ``speed`` is that along the curve, "uniform" or "power-law" (in proportion to the curvature to
    the power of −1/3); by default a function has its own, and points are passed at a uniform one.
    The same ``seed`` gives the same plan. Ctrl-C keeps what has been reached.

    Raises ValueError for another controller, for a curve that leaves the workspace or is too fast,
    and for arguments outside their ranges.

    >>> eight = plan("circle", lambda p: [0.1 * sin(2 * pi * p), 0.42 + 0.05 * sin(4 * pi * p)], 3)
    >>> env = gymnasium.make("CircleArm-v0", schedule=eight)
    """
    subject = subject_of(controller)
    kind = kind_of(subject.task)
    lap = number("lap", lap, *LAPS)
    noise = number("noise", noise, 0, 10)
    seed = count("seed", seed)
    iterations = count("iterations", iterations, 1, 10_000)
    network = subject.policy.network
    period = network.config.control_period
    line = line_of(curve, lap, subject, closed, speed)
    commands = kind(subject.task, subject.arm, line, period)
    rng = np.random.default_rng(seed)
    quiet, noisy = (
        Problem(network, subject.arm, subject.task, commands, line, noise=level, rng=rng)
        for level in (0.0, noise)
    )
    search = Search(commands.start(), commands.bounds(), iterations)
    found = search.run(quiet, noisy.renewed if noise else None)
    values = np.round(commands.commands(found), DECIMALS)
    check_found(values, subject)
    made = Plan(
        values, np.round(line, DECIMALS), hold=period, task=subject.task.name,
        controller=digest_of(network), noise=noise,
    )  # fmt: skip
    return measured(made, subject, seed)


def subject_of(controller: Any) -> Subject:
    """Return the controller with its arm and task. Raises ValueError if it can't be planned for."""
    given = controller
    if isinstance(given, str | Path):
        given = load_checkpoint(given)
    if isinstance(given, Checkpoint):
        given = controller_of(given)
    if isinstance(given, Policy) and given.task is not None:
        return Subject(given, given.arm, given.task)
    raise ValueError(
        "a plan is made for a network with a compiled rollout, whose task is known: give a shipped "
        'name such as "circle", the path of a checkpoint, a Checkpoint, or a Policy loaded from '
        f"one, not {shown(controller)}"
    )


def line_of(
    curve: Any, lap: float, subject: Subject, closed: bool, speed: str | None
) -> np.ndarray:
    """Return where the hand should be at the end of each control period of a lap [m], (T, 2).

    Raises ValueError, with the path of the curve's file if it is one, for a curve that can't be
    drawn.
    """
    source = curve if isinstance(curve, str | Path) else None
    points = curve if source is None else read_points(source)
    periods = round(lap / subject.policy.network.config.control_period)
    try:
        line = course(
            points, periods, closed=closed, speed=speed, task=subject.task, arm=subject.arm
        )
        check_speed(line, lap)
    except ValueError as error:
        raise ValueError(error if source is None else f"{source}: {error}") from None
    return line


def check_found(values: np.ndarray, subject: Subject) -> None:
    """Raise ValueError if the arm can't carry out the commands (T, K) that a search has found."""
    try:
        subject.task.check_commands(subject.arm, values)
    except ValueError as error:
        raise ValueError(
            f"the search ended at commands that the arm can't carry out: {error}; give more "
            "iterations, a longer lap or a smaller curve"
        ) from None


def check_speed(line: np.ndarray, lap: float) -> None:
    """Raise ValueError if a lap [s] along a closed line (T, 2) [m] is faster than ``FASTEST``."""
    length = float(np.linalg.norm(line - np.roll(line, 1, axis=0), axis=1).sum())
    if length / lap > FASTEST:
        raise ValueError(
            f"a lap of {lap:g} s along {length:.2f} m is {length / lap:.2f} m/s, faster than a "
            f"drawing may be ({FASTEST:g} m/s): give a lap of {length / FASTEST:.1f} s or longer"
        )


def measured(made: Plan, subject: Subject, seed: int) -> Plan:
    """Return the plan with the median distances of the hand that it leads to."""
    quiet, noisy = (
        float(np.median(distances(drawn(made, subject, level, seed), made.curve)))
        for level in (0.0, made.noise)
    )
    return replace(made, quiet_distance_m=quiet, noisy_distance_m=noisy)


def drawn(made: Plan, subject: Subject, noise: float, seed: int) -> np.ndarray:
    """Return the hand's positions in ``MEASURED`` laps [m], (T, B, 2), in the environment.

    B is ``NOISY``, or 1 without noise.
    """
    envs = gym.make_vec(
        subject.task.env_id, num_envs=NOISY if noise else 1, schedule=made, noise=noise,
        max_episode_steps=-1, **subject.environment,
    )  # fmt: skip
    before = -(-WARM_UP // made.lap) * made.lap
    first, steps = (round(time / made.hold) for time in (before, before + MEASURED * made.lap))
    recording = record(subject.policy, envs, steps, seed)
    envs.close()
    return recording.hand[first + 1 :]
