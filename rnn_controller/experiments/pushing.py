"""Pushes on the hand, while it holds still or moves."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arm_env.arguments import choice, count, number
from arm_env.checked import group
from arm_env.dynamics.contacts import Push
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.measures import settling_steps
from rnn_controller.experiments.reaches import CENTRE, DISTANCE, HOLD, MOST, Reaches, reaches
from rnn_controller.watching import progress_bar

RETURNED = 0.01  # [m] from where the hand would be without the push
TARGET = np.pi / 2  # [rad] movements go away from the body
SHOWN_BEFORE = 0.1  # [s]


@dataclass(frozen=True)
class Pushing:
    """Pushes in D directions, R times each, at T + 1 instants.

    Attributes:
        time: (T + 1,) [s] since the push began.
        directions: (D,) [rad] directions of the push.
        force: Size of the push [N].
        duration: Duration of the push [s].
        hand: (D, R, T + 1, 2) [m] hand positions with the push.
        unpushed: (D, R, T + 1, 2) [m] hand positions without it, with the same noise.
        target: (2,) [m] the target in force.
    """

    time: np.ndarray
    directions: np.ndarray
    force: float
    duration: float
    hand: np.ndarray
    unpushed: np.ndarray
    target: np.ndarray

    @property
    def displacement(self) -> np.ndarray:
        """Hand positions from where the hand would be without the push [m], (D, R, T + 1, 2)."""
        return self.hand - self.unpushed

    @property
    def distance(self) -> np.ndarray:
        """Distances from where the hand would be without the push [m], (D, R, T + 1)."""
        return np.linalg.norm(self.displacement, axis=-1)

    @property
    def peak(self) -> np.ndarray:
        """Largest distances [m], (D, R)."""
        return self.distance.max(-1)

    @property
    def return_time(self) -> np.ndarray:
        """Times [s] from the begin of the push until the hand stays within 1 cm, (D, R).

        The 1 cm are from where the hand would be without the push. The time is infinite for a hand
        that is outside at the end.
        """
        after = self.distance[..., self.time >= 0]
        flat = after.reshape(-1, after.shape[-1]).T
        steps = settling_steps(flat >= RETURNED).reshape(after.shape[:2])
        return steps * (self.time[1] - self.time[0])


def pushing(
    controller: Any = "reach",
    *,
    during: str = "hold",
    force: float = 5.0,
    duration: float = 0.1,
    after: float = 0.1,
    directions: int = 8,
    seconds: float = 1.5,
    centre: tuple[float, float] = CENTRE,
    distance: float = DISTANCE,
    progress: bool = True,
    **options: Any,
) -> Pushing:
    """Push the hand in several directions, and record where it goes.

    With ``during="hold"`` the hand holds on ``centre`` [m]; with "movement" it moves ``distance``
    [m] away from the body, and the push of ``force`` [N] begins ``after`` [s] the jump of the
    target. It lasts ``duration`` [s], and the hand is recorded for ``seconds`` from its begin. Each
    push is compared with the same movement without it. ``progress`` shows a bar on stderr. Further
    options, such as ``noise``, ``repeats`` and ``seed``, are those of ``reaches``. Raises
    ValueError for a value outside its range.
    """
    choice("during", during, ("hold", "movement"))
    seconds, after = number("seconds", seconds, 0.1, 60), number("after", after, 0, 60)
    way = number("distance", distance, 0, 2) if during == "movement" else 0.0
    hold = number("hold", options.pop("hold", HOLD), SHOWN_BEFORE, 100)
    angles = 2 * np.pi * np.arange(count("directions", directions, 1, MOST)) / directions
    pushes = [Push(force, float(angle), hold + after, duration) for angle in angles]
    given = group("perturbation", options.pop("perturbation", None), Perturbation, Perturbation())
    if given.push is not None:
        raise ValueError("the experiment itself pushes: give force and duration, not a push")
    # the only target of a circle of one would lie to the right
    turned = centre + way * np.array([np.cos(TARGET), np.sin(TARGET)])

    def moved(push: Push | None) -> Reaches:
        return reaches(
            controller, centre=centre, targets=turned[None], hold=hold, move=after + seconds,
            perturbation=replace(given, push=push), **options,
        )  # fmt: skip

    free = moved(None)
    pushed = [moved(push) for push in progress_bar(pushes, disable=not progress, desc="push")]
    hands = np.stack([one.hand[0] for one in pushed])
    begin = max(0, round((after - SHOWN_BEFORE) / free.time[1]))
    return Pushing(
        free.time[begin:] - after,
        angles,
        pushes[0].force,
        pushes[0].duration,
        hands[:, :, begin:],
        np.broadcast_to(free.hand, hands.shape)[:, :, begin:],
        turned,
    )
