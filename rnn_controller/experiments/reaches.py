"""Reaches from a place to targets, all at once: the movements of most experiments."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from arm_env.arguments import count, floats, number, numbers
from arm_env.checked import Checked, within
from arm_env.tasks.schedules import FOR_EVER
from rnn_controller.experiments.subject import subject, watch

CENTRE = (0.0, 0.38)  # [m] in front of the shoulder, in the middle of the workspace
DISTANCE = 0.10  # [m] of centre-out reaches
HOLD = 1.0  # [s] on the centre, before the target jumps
MOVE = 1.0  # [s] after the jump
MOST = 10_000  # arms at once


@dataclass(frozen=True, eq=False)
class Jumps(Checked):
    """A schedule in which each arm of a batch has its own start and its own target.

    Attributes:
        starts: (B, K) first commands.
        targets: (B, K) second commands, which stay.
        hold: Time for which the first stays [s].
    """

    starts: np.ndarray
    targets: np.ndarray
    hold: float = within(HOLD, 0, FOR_EVER)

    def commands(self, rng, segment, time, task, arm):
        """Return the commands (B, K) of all arms, which enter their segments (B,) together."""
        return np.where(np.asarray(segment)[:, None] == 0, self.starts, self.targets)


@dataclass(frozen=True)
class Reaches:
    """Reaches in D directions, R times each, at T + 1 instants from the jump of the target on.

    Attributes:
        time: (T + 1,) [s] since the jump.
        directions: (D,) [rad] directions of the targets; 0 is to the right, π/2 away from the body.
        centre: (2,) [m] the start.
        targets: (D, 2) [m] the targets.
        hand: (D, R, T + 1, 2) [m] positions of the hand.
        velocity: (D, R, T + 1, 2) [m/s] velocities of the hand.
        states: (D, R, T + 1, S) states of the body.
        actions: (D, R, T, M) excitations from the jump on [-].
        activity: (D, R, T + 1, N) activity of the neurons; N is 0 for a controller without a state.
        hand_force: (D, R, T + 1, 2) [N] forces of push and channel on the hand; 0 without them.
    """

    time: np.ndarray
    directions: np.ndarray
    centre: np.ndarray
    targets: np.ndarray
    hand: np.ndarray
    velocity: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    activity: np.ndarray
    hand_force: np.ndarray

    @property
    def speed(self) -> np.ndarray:
        """Speeds of the hand [m/s], (D, R, T + 1)."""
        return np.linalg.norm(self.velocity, axis=-1)

    @property
    def along(self) -> np.ndarray:
        """Unit vectors from the centre to the targets, (D, 2)."""
        away = self.targets - self.centre
        length = np.linalg.norm(away, axis=-1, keepdims=True)
        return away / np.where(length > 0, length, 1)

    @property
    def left(self) -> np.ndarray:
        """Unit vectors to the left of the lines from the centre to the targets, (D, 2)."""
        return np.stack([-self.along[:, 1], self.along[:, 0]], -1)

    @property
    def lateral(self) -> np.ndarray:
        """Distances to the left of the lines from the hands' starts to the targets [m].

        They are (D, R, T + 1).
        """
        line = self.targets[:, None] - self.hand[:, :, 0]  # (D, R, 2)
        length = np.linalg.norm(line, axis=-1)
        normal = np.stack([-line[..., 1], line[..., 0]], -1)
        normal = normal / np.where(length > 0, length, 1)[..., None]
        return ((self.hand - self.hand[:, :, :1]) * normal[:, :, None]).sum(-1)

    @property
    def peak_lateral(self) -> np.ndarray:
        """Lateral distances [m] where they are largest in size, with their sign, (D, R)."""
        lateral = self.lateral
        at = np.abs(lateral).argmax(-1)
        return np.take_along_axis(lateral, at[..., None], -1)[..., 0]


def reaches(
    controller: Any = "reach",
    *,
    perturbation: Any = None,
    directions: int = 8,
    distance: float = DISTANCE,
    centre: tuple[float, float] = CENTRE,
    targets: Any = None,
    repeats: int = 1,
    noise: float = 0.0,
    seed: int = 0,
    hold: float = HOLD,
    move: float = MOVE,
    **environment: Any,
) -> Reaches:
    """Record reaches from a centre to targets on a circle around it.

    ``controller`` is the name of a shipped controller, a checkpoint, its path, or a controller that
    ``arm_env.evaluate`` takes. The hand is on ``centre`` [m] for ``hold`` [s]; then the target
    jumps to ``distance`` [m] (0 for no jump) in one of ``directions`` directions, ``repeats`` times
    each, and the hand is recorded for ``move`` [s]. ``targets`` (D, 2) [m] may be given instead of
    ``directions`` and ``distance``. ``perturbation``, ``noise`` and
    ``environment`` go to the environment. Raises ValueError for a value outside its range, and for
    targets that the arm can't reach.
    """
    place = np.array(numbers("centre", centre, (2,)))
    if targets is None:
        targets = around(place, count("directions", directions, 1, MOST), distance)
    targets = floats(targets)
    targets = np.array(numbers("targets", targets, (max(1, len(np.atleast_1d(targets))), 2)))
    repeats = count("repeats", repeats, 1, MOST // len(targets))
    hold, move = number("hold", hold, 0.01, 100), number("move", move, 0.05, 100)
    given, arguments = subject(controller, environment)
    each = np.repeat(targets, repeats, axis=0)
    schedule = Jumps(np.broadcast_to(place, each.shape), each, hold)
    arguments = {
        **arguments, "schedule": schedule, "noise": noise, "perturbation": perturbation,
    }  # fmt: skip
    seen, activity, period = watch(given, "ReachArm-v0", len(each), hold + move, seed, arguments)
    jump = round(hold / period)

    def shaped(values: np.ndarray) -> np.ndarray:
        part = np.moveaxis(values[jump:], 0, 1)
        return part.reshape(len(targets), repeats, *part.shape[1:])

    hand = shaped(seen.hand)
    force = np.zeros_like(hand) if seen.hand_force is None else shaped(seen.hand_force)
    # the state that was returned in a period belongs to its end; that of the reset is not shown
    nothing = np.zeros((len(seen.actions), len(each), 0))
    neural = nothing if activity is None else activity
    neural = np.concatenate([np.zeros_like(neural[:1]), neural])
    return Reaches(
        np.arange(hand.shape[2]) * period, directions_of(targets - place), place, targets, hand,
        shaped(seen.velocity),
        shaped(seen.states), shaped(seen.actions), shaped(neural), force,
    )  # fmt: skip


def around(centre: np.ndarray, number_of_targets: int, distance: float) -> np.ndarray:
    """Return targets [m], (D, 2), on a circle of radius ``distance`` [m] around a centre (2,)."""
    radius = number("distance", distance, 0, 2)
    angles = 2 * np.pi * np.arange(number_of_targets) / number_of_targets
    return centre + radius * np.stack([np.cos(angles), np.sin(angles)], -1)


def directions_of(vectors: np.ndarray) -> np.ndarray:
    """Return the directions [rad] of vectors (D, 2), (D,), from 0 to 2π."""
    return np.arctan2(vectors[:, 1], vectors[:, 0]) % (2 * np.pi)
