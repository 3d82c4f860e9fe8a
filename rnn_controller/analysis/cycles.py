"""Limit cycles: fixed points of a return map.

The hand runs round a centre and crosses a ray from it. The return map leads from one upward
crossing to the next. Between two control periods the state is interpolated linearly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import spatial
from torch import Tensor

from arm_env.codegen.primitives import NUMPY
from rnn_controller.analysis.closed_loop import ClosedLoop
from rnn_controller.analysis.points import Map
from rnn_controller.analysis.results import (
    SAME,
    Attractor,
    convergence_time,
    is_stable,
    time_constant,
)

LAPS = 12.0  # laps that starts are given to converge
SHORTEST = 4.0  # [s] shortest time that starts are given to converge
ROUNDS = 20  # laps of simulation before Newton's method begins


@dataclass(frozen=True)
class Lap:
    """One application of the return map.

    Attributes:
        end: (n,) state at the next crossing of the section.
        steps: Control periods until then.
        path: (T, n) states on the way.
        jacobian: (n, n) derivative of the end along the start.
    """

    end: Tensor
    steps: float
    path: Tensor
    jacobian: Tensor


def return_map(follow: Map, jacobians: Map, crossing: Map, start: Tensor) -> Lap | None:
    """Go from ``start`` to the next upward zero of ``crossing``; None if the path meets none.

    ``follow`` gives the path, states (T, n) from the start on; ``crossing`` maps states (T, n) to
    (T,); the state is interpolated linearly between the two astride. ``jacobians`` gives (T, n, n)
    along a path.
    """
    path = follow(start)
    heights = crossing(path)
    # the crossing that the path starts on does not count
    upward = torch.nonzero((heights[1:-1] < 0) & (heights[2:] >= 0))[:, 0] + 1
    if not len(upward):
        return None
    number = int(upward[0])
    states = path[: number + 2]
    last = float(heights[number])
    value = float(heights[number + 1])
    before, after = states[-2], states[-1]
    share = -last / (value - last)  # of a control period, until the crossing
    flow = after - before
    end = before + share * flow
    total = torch.eye(len(start), dtype=torch.float64)
    along = jacobians(states[:-1])
    for matrix in along[:-1]:
        total = matrix @ total
    moved = (1 - share) * total + share * (along[-1] @ total)
    point = end.detach().requires_grad_()
    # The end lies on the section. When the start is displaced, the path crosses at another time, so
    # the part of the displacement across the section becomes a shift along the flow.
    normal = torch.autograd.grad(crossing(point[None])[0], point)[0]
    moved = moved - torch.outer(flow, normal @ moved) / (normal @ flow)
    return Lap(end, number + share, states[:-1], moved)


def limit_cycle(
    go_round: Callable[[Tensor], Lap | None], start: Tensor, tries: int = 12
) -> tuple[Lap | None, float]:
    """Find a fixed point of the return map by Newton's method.

    ``start`` is a state (n,), and ``go_round`` returns the lap that begins in a state (n,). Returns
    the lap from the best point found and its residual, the largest component of |end − start|. They
    are None and infinity if the path from ``start`` does not meet the section.
    """
    best = None
    best_residual = np.inf
    q = start
    for _ in range(tries):
        lap = go_round(q)
        if lap is None:
            break
        residual = float((lap.end - q).abs().max())
        if residual < best_residual:
            best, best_residual = lap, residual
        if residual < 1e-11 or residual > 10 * best_residual:
            break
        identity = torch.eye(len(q), dtype=torch.float64)
        q = q + torch.linalg.solve(identity - lap.jacobian, lap.end - q)
    return best, best_residual


def find_cycle(
    loop: ClosedLoop, command: Tensor, begin: Tensor, rng: np.random.Generator
) -> tuple[Attractor, Tensor, Tensor]:
    """Find a command's limit cycle, and run from the random starts ``begin`` (B, n).

    Returns its measures, states on it (·, n), and the paths from the starts (B, T, n).
    """
    lap_steps = float(loop.task.period(command[None].numpy())[0]) / loop.period
    way = -1.0 if command[3] > 0 else 1.0  # clockwise crosses the ray downwards
    crossing = _ray(loop, command, way)

    def go_round(q: Tensor) -> Lap | None:
        return return_map(
            lambda start: loop.run(start[None], command[None], round(3 * lap_steps))[0],
            lambda path: loop.jacobian(path, command.expand(len(path), -1)),
            crossing,
            q,
        )

    warm = loop.run(loop.initial(command, rng), command[None], round(ROUNDS * lap_steps))[0]
    steps = round(max(LAPS * lap_steps, SHORTEST / loop.period))
    paths = loop.run(begin, command.expand(len(begin), -1), steps)
    start = _last_crossing(warm, crossing)
    lap, residual = (None, np.inf) if start is None else limit_cycle(go_round, start)
    if lap is None:
        nothing = (False, np.inf, np.inf, np.inf, np.inf, 0.0, 0.0, np.inf)
        return Attractor(tuple(command.tolist()), *nothing), warm[-1:], paths
    largest = float(torch.linalg.eigvals(lap.jacobian).abs().max())
    track = loop.hand(torch.cat([lap.path, lap.end[None]]))
    squared = loop.task.error(NUMPY, command.numpy(), *track.T)[0]
    hands = loop.hand(paths)
    distance = _distance_from(track, hands)
    last = hands[:, -round(lap_steps) :]
    final = distance[:, -round(lap_steps) :].max(1)
    # a hand that moves along the same curve in the other direction is on another cycle
    same_way = way * _swept_area(last - command[:2].numpy()) > 0
    period = lap.steps * loop.period
    found = Attractor(
        command=tuple(command.tolist()),
        stable=is_stable(residual, largest),
        residual=residual,
        multiplier=largest,
        time_constant=time_constant(period, largest),
        error=float(np.sqrt(squared).mean()),
        period=period,
        same=float(((final < SAME) & same_way).mean()),
        convergence=convergence_time(distance, loop.period),
    )
    return found, lap.path, paths


def _ray(loop: ClosedLoop, command: Tensor, way: float) -> Map:
    """Return the height of the hand over the ray from the centre along x, for states (T, n)."""
    centre = command[:2].numpy()

    def crossing(q: Tensor) -> Tensor:
        x, y = loop.hand_coordinates(q)
        # The line through the centre is crossed twice a lap. Behind the centre, the hand counts as
        # below the ray, so the crossing there is none.
        behind = x < centre[0]
        return torch.where(behind, -torch.ones_like(y), way * (y - centre[1]))

    return crossing


def _last_crossing(path: Tensor, crossing: Map) -> Tensor | None:
    """Return the state in which a path (T, n) crosses upward for the last time; None if never."""
    heights = crossing(path)
    astride = torch.nonzero((heights[:-1] < 0) & (heights[1:] >= 0))[:, 0]
    if not len(astride):
        return None
    i = int(astride[-1])
    share = -heights[i] / (heights[i + 1] - heights[i])
    return path[i] + share * (path[i + 1] - path[i])


def _distance_from(track: np.ndarray, hands: np.ndarray) -> np.ndarray:
    """Return the distances (B, T) [m] of hands (B, T, 2) from a track (·, 2)."""
    # The nearest point is looked for among quarters of control periods: in a whole one a fast hand
    # moves further than ``SAME``.
    quarters = [track[:-1] + s * np.diff(track, axis=0) for s in np.arange(4) / 4]
    distance: np.ndarray = spatial.cKDTree(np.concatenate(quarters)).query(hands)[0]
    return distance


def _swept_area(turn: np.ndarray) -> np.ndarray:
    """Return twice the area (B,) [m²] that hands (B, T, 2) sweep; positive counterclockwise."""
    crossed = turn[:, :-1, 0] * turn[:, 1:, 1] - turn[:, :-1, 1] * turn[:, 1:, 0]
    return crossed.sum(1)
