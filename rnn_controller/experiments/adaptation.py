"""Adaptation to a force field: a network is trained on in it, block by block.

The protocol is that of Shadmehr & Mussa-Ivaldi (1994): reaches without the field, with it, and
without it again. Catch trials are reaches in which the field is off (or on, where it is off
otherwise). Channel trials (Scheidt et al. 2000) hold the hand on a straight line and measure the
force with which it resists. The network learns from neither.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from arm_env.arguments import count, number, numbers
from arm_env.checked import group
from arm_env.dynamics.contacts import Channel
from arm_env.dynamics.perturbations import Perturbation
from arm_env.tasks.reach import Reach
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.experiments.practice import Practice
from rnn_controller.experiments.reaches import CENTRE, DISTANCE, Reaches, around, reaches
from rnn_controller.experiments.subject import checkpoint_of
from rnn_controller.watching import progress_bar, remark

PHASES = ("baseline", "field", "after")
HOLD, MOVE = 0.8, 0.6  # [s] of the reaches that are measured
MOVING = 0.3  # [s] after the jump, for which force in the channel and ideal force are compared
FIELD = Perturbation(curl=13.0)


@dataclass(frozen=True)
class Adaptation:
    """The course of adaptation over P blocks, in D directions, with T + 1 instants a reach.

    Lateral deviations are positive to the side to which the field pushes, so an after-effect is
    negative. They are the largest ones of a reach, in size.

    Attributes:
        phase: (P,) name of each block's phase: baseline, field or after.
        directions: (D,) [rad] directions of the targets.
        time: (T + 1,) [s] since the jump of the target.
        deviation: (P, D) [m] lateral deviation in the block's own condition.
        catch: (P, D) [m] lateral deviation in catch trials, in which the field is off in the field
            phase, and on in the others.
        hand: (P, D, T + 1, 2) [m] hand positions in the block's own condition.
        force: (P, D, T + 1) [N] lateral force on the wall in channel trials, positive against the
            side to which the field pushes.
        ideal: (P, D, T + 1) [N] lateral force that would cancel the field at the velocity of the
            hand in these trials.
        index: (P,) adaptation index: slope of the force, minus that before the field, on the ideal
            force, over the first 0.3 s; median over directions. 0 is none, and 1 cancels the field.
        objective: (P,) objective of the training in each block, eq. 5'.
        perturbation: The field.
        checkpoint: The controller after the last block.
    """

    phase: np.ndarray
    directions: np.ndarray
    time: np.ndarray
    deviation: np.ndarray
    catch: np.ndarray
    hand: np.ndarray
    force: np.ndarray
    ideal: np.ndarray
    index: np.ndarray
    objective: np.ndarray
    perturbation: Perturbation
    checkpoint: Checkpoint

    def of(self, phase: Literal["baseline", "field", "after"]) -> np.ndarray:
        """Return the numbers (n,) of the blocks of a phase."""
        return np.flatnonzero(self.phase == phase)


def adapt(
    controller: Any = "reach",
    perturbation: Any = FIELD,
    *,
    baseline: int = 5,
    field: int = 40,
    after: int = 20,
    batch_size: int = 48,
    learning_rate: float = 0.002,
    directions: int = 8,
    distance: float = DISTANCE,
    centre: tuple[float, float] = CENTRE,
    channel: Any = None,
    seed: int = 0,
    progress: bool = True,
) -> Adaptation:
    """Train a reaching network on in a force field, and measure it before every block.

    A block is one step of the optimiser (Adam) on a batch of ``batch_size`` noisy centre-out
    reaches, drawn from ``seed``. The numbers of blocks of the three phases are ``baseline``,
    ``field`` and ``after``. Before the step of a block, its reaches, catch trials and channel
    trials are made without noise. ``controller`` is the name of a shipped controller, a checkpoint
    or its path; it is not changed. ``perturbation`` has a ``curl`` or a ``field``, and
    ``channel`` is an ``arm_env.Channel``. Ctrl-C ends the experiment after a whole block and
    returns the blocks so far. Raises ValueError for a value outside its range, and for a network
    that is not for reaching.
    """
    checkpoint = checkpoint_of(controller)
    if checkpoint.task != Reach.name:
        raise ValueError(f"adaptation needs a controller for reach, not for {checkpoint.task}")
    pushed = group("perturbation", perturbation, Perturbation, Perturbation())
    matrix = field_matrix(pushed)
    walls = group("channel", channel, Channel, Channel())
    blocks = [
        *[PHASES[0]] * count("baseline", baseline, 1, 10_000),
        *[PHASES[1]] * count("field", field, 1, 10_000),
        *[PHASES[2]] * count("after", after, 0, 10_000),
    ]
    place = np.array(numbers("centre", centre, (2,)))
    way = number("distance", distance, 0, 2, above=True)
    targets = around(place, count("directions", directions, 1, 100), way)
    Reach().check_commands(checkpoint.arm, np.vstack([place, targets]))
    practice = Practice(
        checkpoint, place, targets, count("batch_size", batch_size, 1, 10_000),
        number("learning_rate", learning_rate, 0, 1), seed,
    )  # fmt: skip
    free, wall = Perturbation(), Perturbation(channel=walls)
    rows: list[dict[str, Any]] = []

    def measured(condition: Perturbation) -> Reaches:
        return reaches(
            practice.checkpoint(), perturbation=condition, targets=targets, centre=centre,
            hold=HOLD, move=MOVE,
        )  # fmt: skip

    try:
        for number_of_block, phase in enumerate(
            progress_bar(blocks, disable=not progress, desc="adapt")
        ):
            own, other = (pushed, free) if phase == "field" else (free, pushed)
            shown, caught, held = measured(own), measured(other), measured(wall)
            side = sides(shown, matrix)
            row = {
                "deviation": shown.peak_lateral[:, 0] * side,
                "catch": caught.peak_lateral[:, 0] * side,
                "hand": shown.hand[:, 0],
                # the wall's force on the hand, and the hand's on the wall
                "force": (held.hand_force[:, 0] * held.left[:, None]).sum(-1) * side[:, None],
                "ideal": (held.velocity[:, 0] @ matrix.T * held.left[:, None]).sum(-1)
                * side[:, None],
                "objective": practice.block(own, number_of_block),
            }
            rows.append(row)
    except KeyboardInterrupt:
        if len(rows) <= baseline:
            raise
        remark(f"adaptation stopped: the result has {len(rows)} of {len(blocks)} blocks")
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Adaptation(
        phase=np.array(blocks[: len(rows)]),
        directions=shown.directions,
        time=shown.time,
        **table,
        index=adaptation_index(table["force"], table["ideal"], shown.time, baseline),
        perturbation=pushed,
        checkpoint=practice.checkpoint(),
    )


def field_matrix(perturbation: Perturbation) -> np.ndarray:
    """Return B of the whole viscous field, (2, 2) [N s/m]; raise ValueError if there is none."""
    curl = perturbation.curl
    matrix = np.array(perturbation.field) + np.array([[0.0, curl], [-curl, 0.0]])
    if not matrix.any():
        raise ValueError(
            "adaptation needs a force field: give a perturbation with a curl or a field, such as "
            '{"curl": 13}'
        )
    if perturbation.touches or perturbation.delay:
        raise ValueError("adaptation trains in the field, which may have no push, channel or delay")
    return matrix


def sides(found: Reaches, matrix: np.ndarray) -> np.ndarray:
    """Return 1 where a field pushes a straight reach to its left, and −1 elsewhere, (D,)."""
    return np.where((found.along @ matrix.T * found.left).sum(-1) >= 0, 1.0, -1.0)


def adaptation_index(
    force: np.ndarray, ideal: np.ndarray, time: np.ndarray, baseline: int
) -> np.ndarray:
    """Return the slopes (P,) of lateral forces on ideal ones, (P, D, T + 1) [N] each: medians.

    The mean force of the first ``baseline`` blocks is subtracted, since an unadapted hand presses
    on the wall, too. Only the first 0.3 s of ``time`` (T + 1,) [s] count. The median is over the
    directions: some networks press against the field in all directions but one.
    """
    early = time <= MOVING
    change = (force - force[:baseline].mean(0))[..., early]
    wanted = ideal[..., early]
    slopes: np.ndarray = np.median((change * wanted).sum(2) / (wanted * wanted).sum(2), axis=1)
    return slopes
