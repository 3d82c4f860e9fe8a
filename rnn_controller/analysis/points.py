"""Point attractors: fixed points of the closed loop's map."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

from rnn_controller.analysis.closed_loop import ClosedLoop
from rnn_controller.analysis.results import (
    SAME,
    Attractor,
    convergence_time,
    is_stable,
    time_constant,
)

TIME = 20.0  # [s] simulated for the starts to converge

Map = Callable[[Tensor], Tensor]


def fixed_point(step: Map, jacobian: Map, start: Tensor) -> tuple[Tensor, float]:
    """Find a fixed point (n,) of F by Newton's method (MINPACK's hybrid).

    Returns the point and its residual max |F(q) − q|. If that is larger than at the start, the
    start and its residual are returned.
    """
    solution = optimize.root(
        lambda q: (step(torch.from_numpy(q)) - torch.from_numpy(q)).numpy(),
        start.numpy(),
        jac=lambda q: (
            jacobian(torch.from_numpy(q)) - torch.eye(len(q), dtype=torch.float64)
        ).numpy(),
        tol=1e-13,
    )
    point = torch.from_numpy(solution.x)
    residual = float((step(point) - point).abs().max())
    rough = float((step(start) - start).abs().max())
    return (point, residual) if residual <= rough else (start, rough)


def find_point(
    loop: ClosedLoop, command: Tensor, begin: Tensor, rng: np.random.Generator
) -> tuple[Attractor, Tensor, Tensor]:
    """Find a command's point attractor, and run from the random starts ``begin`` (B, n).

    Returns its measures, its state (1, n), and the paths from the starts (B, T, n).
    """
    steps = round(TIME / loop.period)
    # Newton's method begins where the closed loop itself has come to rest. From elsewhere it might
    # end on another fixed point, also on an unstable one.
    rest = loop.run(loop.initial(command, rng), command[None], steps)[0, -1]
    point, residual = fixed_point(
        lambda q: loop.step(q[None], command[None])[0].detach(),
        lambda q: loop.jacobian(q[None], command[None])[0],
        rest,
    )
    largest = float(torch.linalg.eigvals(loop.jacobian(point[None], command[None])[0]).abs().max())
    goal = loop.hand(point)
    paths = loop.run(begin, command.expand(len(begin), -1), steps)
    distance = np.linalg.norm(loop.hand(paths) - goal, axis=-1)
    found = Attractor(
        command=tuple(command.tolist()),
        stable=is_stable(residual, largest),
        residual=residual,
        multiplier=largest,
        time_constant=time_constant(loop.period, largest),
        error=float(np.linalg.norm(goal - command.numpy())),
        period=0.0,
        same=float((distance[:, -1] < SAME).mean()),
        convergence=convergence_time(distance, loop.period),
    )
    return found, point[None], paths
