"""The attractors of body and controller together: where they are, how stable, and whether they are
alone.

Huh & Todorov (2009), section IV, ask that every command have one stable attractor and that the
system forget where it came from. Here that is measured, noise-free, for any controller that
``rnn_controller.rollouts.plant.rollout`` can drive, through F: one control period of the closed
loop, from q = [x; y] (body and neural state) to the next.

Point attractors are fixed points of F. A limit cycle is closed by a return map: the hand runs round
the centre and crosses a ray from it; between two control periods the state is interpolated
linearly.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import optimize, spatial
from torch import Tensor

from arm_env.arguments import count
from arm_env.codegen.primitives import NUMPY
from arm_env.control.controllers import check_period
from arm_env.dynamics import equations
from arm_env.dynamics.parameters import Arm
from arm_env.dynamics.plant import MUSCLE_COUNT, SENSORY_SIZE, STATE_SIZE
from arm_env.envs.simulation import substeps_of
from arm_env.files import write_whole
from arm_env.tasks.measures import Measures, settling_steps
from arm_env.tasks.registry import task_of_environment
from arm_env.tasks.task import Task
from rnn_controller.rollouts import pontryagin
from rnn_controller.rollouts.body import CompiledBody
from rnn_controller.rollouts.plant import TORCH, advance, tensors
from rnn_controller.training.trials import thrown_bodies
from rnn_controller.watching import DELAY, progress_bar

NEAR = 0.01  # [m] a hand this near the attractor's has converged
SAME = 0.002  # [m] a hand this near at the end is on it
# [s], [-] how long starts are given to converge
TIME_FOR_POINTS = 20.0
LAPS = 12.0
ROUNDS = 20  # laps that a limit cycle is given before it is polished
CHUNK = 500  # states whose Jacobians are computed at once

Map = Callable[[Tensor], Tensor]


class ClosedLoop:
    """F for one or many commands; q is (B, 10 + N), the neural state flattened by the controller's
    layout.
    """

    def __init__(
        self, controller: Any, task: Task, arm: Arm | None = None, control_period: float = 0.01
    ):
        check_period(controller, control_period)
        self.controller = controller
        self.task = task
        self.arm = arm or Arm()
        self.period = control_period
        self.substeps = substeps_of(control_period)
        self._numbers = tensors(self.arm)
        self._body = CompiledBody(self.arm, control_period, self.substeps)
        state = controller.initial_state(1)
        if not isinstance(state, Tensor) or state.ndim != 2:
            raise TypeError(
                f"the controller's state must be a tensor (B, N) to be analysed, not {type(state).__name__}"
            )
        self.neurons = state.shape[1]
        self.size = STATE_SIZE + self.neurons

    def step(self, q: Tensor, command: Tensor) -> Tensor:
        """The state one control period later; differentiable."""
        x, y = q[..., :STATE_SIZE], q[..., STATE_SIZE:]
        silence = torch.zeros(
            *q.shape[:-1], SENSORY_SIZE + command.shape[-1] + MUSCLE_COUNT, dtype=q.dtype
        )
        x, _, y = advance(self.controller, self._body, x, y, command, silence)
        return torch.cat([x, y], -1)

    def jacobian(self, q: Tensor, command: Tensor) -> Tensor:
        """∂F/∂q, (B, n, n), at states (B, n) under commands (B, K)."""
        n = self.size
        rows = []
        for states, commands in zip(q.split(CHUNK), command.split(CHUNK), strict=True):
            copies = states.repeat_interleave(n, 0).requires_grad_()  # one for each component of F
            ahead = self.step(copies, commands.repeat_interleave(n, 0))
            chosen = torch.eye(n, dtype=q.dtype).repeat(len(states), 1)
            rows.append(torch.autograd.grad(ahead, copies, chosen)[0].reshape(-1, n, n))
        return torch.cat(rows)

    def run(self, q: Tensor, command: Tensor, steps: int) -> Tensor:
        """States (B, steps + 1, n) from q (B, n) under constant commands (B, K)."""
        x, y = q[:, :STATE_SIZE].contiguous(), q[:, STATE_SIZE:].contiguous()
        commands = command[:, None].expand(-1, steps, -1).contiguous()
        with torch.no_grad():
            if pontryagin.has_equations(self.controller):
                silence = torch.zeros(
                    len(q), steps, SENSORY_SIZE + command.shape[1] + MUSCLE_COUNT, dtype=q.dtype
                )
                xs, _, ys = pontryagin.rollout(
                    self.controller, self.arm, x, y, commands, silence, self.substeps
                )
                return torch.cat([xs, ys], -1)
            states = [q]
            for _ in range(steps):
                states.append(self.step(states[-1], command))
            return torch.stack(states, 1)

    def hand(self, q: Tensor) -> np.ndarray:
        """Hand positions [m], (..., 2), of states (..., n)."""
        x, y, _, _ = equations.hand(TORCH, self._numbers, q[..., :STATE_SIZE])
        return torch.stack([x, y], -1).numpy()


# Point attractors.


def fixed_point(step: Map, jacobian: Map, start: Tensor) -> tuple[Tensor, float]:
    """A fixed point of a map by Newton's method (MINPACK's hybrid), and its residual max |F(q) −
    q|.
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


# Limit cycles.


@dataclass(frozen=True)
class Lap:
    """One application of the return map."""

    end: Tensor  # (n,) on the section again
    steps: float  # control periods that it took
    path: Tensor  # (T, n) the states on the way
    jacobian: Tensor  # (n, n) of end along the start


def return_map(follow: Map, jacobians: Map, crossing: Map, start: Tensor) -> Lap | None:
    """Go from ``start`` to the next upward zero of ``crossing``; None if the path meets none.

    ``follow`` gives the path, states (T, n) from the start on; ``crossing`` maps states (T, n) to
    (T,); the state is interpolated linearly between the two astride. ``jacobians`` gives (T, n, n)
    along a path.
    """
    path = follow(start)
    heights = crossing(path)
    # not the one it starts on
    upward = torch.nonzero((heights[1:-1] < 0) & (heights[2:] >= 0))[:, 0] + 1
    if not len(upward):
        return None
    number = int(upward[0])
    states = path[: number + 2]
    last = float(heights[number])
    value = float(heights[number + 1])
    before, after = states[-2], states[-1]
    share = -last / (value - last)
    flow = after - before
    end = before + share * flow
    total = torch.eye(len(start), dtype=torch.float64)
    along = jacobians(states[:-1])
    for matrix in along[:-1]:
        total = matrix @ total
    moved = (1 - share) * total + share * (along[-1] @ total)
    point = end.detach().requires_grad_()
    normal = torch.autograd.grad(crossing(point[None])[0], point)[0]
    moved = moved - torch.outer(flow, normal @ moved) / (normal @ flow)
    return Lap(end, number + share, states[:-1], moved)


def limit_cycle(
    go_round: Callable[[Tensor], Lap | None], start: Tensor, tries: int = 12
) -> tuple[Lap | None, float]:
    """A fixed point of the return map by Newton's method, and its residual; None if the section is
    not met.
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


# The analysis.


@dataclass(frozen=True)
class Attractor:
    """What was found for one command."""

    command: tuple[float, ...]
    stable: bool
    residual: float
    multiplier: float
    """Largest |eigenvalue| of F (points), or of the return map (cycles): below 1 is stable."""
    time_constant: float
    """Slowest [s] with which a small displacement decays."""
    error: float
    """Mean distance of the attractor's hand positions from the commanded ones [m]."""
    period: float
    """Of a cycle [s]; 0 for a point."""
    same: float
    """Share of the random starts that end on it."""
    convergence: float
    """Median time [s] until they stay within 1 cm of it."""


@dataclass(frozen=True)
class AttractorMeasures(Measures):
    """A controller's attractors in numbers."""

    number_of_commands: int
    fraction_stable: float
    """Share of the commands with a stable attractor."""
    fraction_same_attractor: float
    """Share of all random starts that end on their command's attractor."""
    max_residual: float
    """Largest |F(q) − q|, or |P(q) − q|, of the stable ones."""
    median_convergence_time_s: float
    """Median τ_c over commands."""
    largest_multiplier: float
    """Largest over the stable ones."""
    dimensions_of_attractors: int
    """As section IV counts them: the numbers of a command."""
    components_of_attractors: int
    """Principal components that hold 95 % of the variance of the states on all attractors."""
    dimensions_of_movements: int
    """As section IV counts them: 4 for jumps between points, 17 for those between circles."""
    components_of_movements: int
    """Principal components that hold 95 % of the variance of the states in all random starts'
    movements.
    """
    starts_per_command: int
    seed: int


@dataclass(frozen=True)
class Analysis:
    """All attractors of a controller, and principal components of what it does."""

    task: str
    attractors: list[Attractor]
    seed: int
    starts: int
    components: tuple[int, int]  # of the states on attractors, and of those on the way to them
    dimensions: tuple[int, int] = (2, 4)  # of both, as the paper counts them for the task

    @property
    def measures(self) -> AttractorMeasures:
        """The summary."""
        found = [a for a in self.attractors if a.stable]
        return AttractorMeasures(
            number_of_commands=len(self.attractors),
            fraction_stable=len(found) / len(self.attractors),
            fraction_same_attractor=float(np.mean([a.same for a in self.attractors])),
            max_residual=max((a.residual for a in found), default=np.nan),
            median_convergence_time_s=float(np.median([a.convergence for a in found]))
            if found
            else np.nan,
            largest_multiplier=max((a.multiplier for a in found), default=np.nan),
            dimensions_of_attractors=self.dimensions[0],
            components_of_attractors=self.components[0],
            dimensions_of_movements=self.dimensions[1],
            components_of_movements=self.components[1],
            starts_per_command=self.starts,
            seed=self.seed,
        )

    def save_table(self, path: Path, names: tuple[str, ...]) -> Path:
        """A row for every command, as CSV."""
        text = io.StringIO()
        rows = [asdict(a) for a in self.attractors]
        columns = [key for key in rows[0] if key != "command"]
        writer = csv.writer(text)
        writer.writerow([*names, *columns])
        writer.writerows([*row["command"], *(row[key] for key in columns)] for row in rows)
        return write_whole(path, text.getvalue())


def grid(task: Task, arm: Arm, number: int) -> np.ndarray:
    """Return ``number`` commands (n, K) spread evenly over the task's own."""
    return task.grid(arm, count("number", number, 1))


def random_starts(rng: np.random.Generator, loop: ClosedLoop, number: int) -> Tensor:
    """States (number, n) from which to start: any posture, moving, muscles and neurons anyhow, and
    then driven for half a second by some other command.
    """
    task = loop.task
    arm = loop.arm
    body = thrown_bodies(rng, task, number)
    neural = rng.uniform(0, 2, (number, 1)) * rng.uniform(0, 1, (number, loop.neurons))
    before = torch.from_numpy(task.sample_commands(rng, number, arm))
    return loop.run(torch.from_numpy(np.hstack([body, neural])), before, round(0.5 / loop.period))[
        :, -1
    ]


def analyse(
    loop: ClosedLoop,
    commands: np.ndarray,
    *,
    starts: int = 50,
    seed: int = 0,
    progress: bool = True,
) -> Analysis:
    """Find, test and count the attractors of ``commands`` (n, K)."""
    starts = count("starts", starts, 1)
    seed = count("seed", seed)
    if not len(commands):
        raise ValueError("at least one command is needed")
    loop.task.check_commands(loop.arm, commands)
    rng = np.random.default_rng(seed)
    find = _cycle if loop.task.cyclic else _point
    attractors = []
    on = []
    towards = []
    for command in progress_bar(commands, disable=not progress, desc="attractors", delay=DELAY):
        begin = random_starts(rng, loop, starts)
        attractor, states, paths = find(loop, torch.from_numpy(command), begin, rng)
        attractors.append(attractor)
        on.append(states)
        towards.append(paths[:4, ::5].reshape(-1, loop.size))  # some of them
    both = components(torch.cat(on)), components(torch.cat(towards))
    # an orbit of one's own may be called otherwise
    name = task_of_environment(loop.task.env_id).name
    return Analysis(name, attractors, seed, starts, both, loop.task.dimensions)


def components(states: Tensor, share: float = 0.95) -> int:
    """How many principal components of standardised states (n, ·) hold a share of the variance."""
    deviation = states.std(0, correction=0)
    varying = states[:, deviation > 1e-9]
    if not varying.shape[1]:
        return 0
    variances = torch.linalg.svdvals((varying - varying.mean(0)) / varying.std(0)) ** 2
    held = variances.cumsum(0) / variances.sum()
    return int((held < share).sum()) + 1


def _initial(loop: ClosedLoop, command: Tensor, rng: np.random.Generator) -> Tensor:
    """The body on the commanded attractor, neurons at rest: (1, n)."""
    body = loop.task.attractor_state(rng, loop.arm, command[None].numpy())
    return torch.cat(
        [torch.from_numpy(body), loop.controller.initial_state(1).to(torch.float64)], -1
    )


# what it is, states on it (·, n), and paths to it (B, T, n)
Found = tuple[Attractor, Tensor, Tensor]


def _point(loop: ClosedLoop, command: Tensor, begin: Tensor, rng: np.random.Generator) -> Found:
    steps = round(TIME_FOR_POINTS / loop.period)
    rest = loop.run(_initial(loop, command, rng), command[None], steps)[0, -1]
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
        stable=residual < 1e-9 and largest < 1,
        residual=residual,
        multiplier=largest,
        time_constant=-loop.period / np.log(largest) if 0 < largest < 1 else np.inf,
        error=float(np.linalg.norm(goal - command.numpy())),
        period=0.0,
        same=float((distance[:, -1] < SAME).mean()),
        convergence=float(np.median(settling_steps(distance.T >= NEAR) * loop.period)),
    )
    return found, point[None], paths


def _cycle(loop: ClosedLoop, command: Tensor, begin: Tensor, rng: np.random.Generator) -> Found:
    task = loop.task
    centre = command[:2].numpy()
    lap_steps = float(task.period(command[None].numpy())[0]) / loop.period
    way = -1.0 if command[3] > 0 else 1.0  # clockwise crosses the ray downwards

    def crossing(q: Tensor) -> Tensor:
        """Height of the hand over the ray from the centre along x; far from it where the hand is
        behind.
        """
        x, y, _, _ = equations.hand(TORCH, loop._numbers, q[..., :STATE_SIZE])
        behind = x < centre[0]
        return torch.where(behind, -torch.ones_like(y), way * (y - centre[1]))

    def go_round(q: Tensor) -> Lap | None:
        return return_map(
            lambda start: loop.run(start[None], command[None], round(3 * lap_steps))[0],
            lambda path: loop.jacobian(path, command.expand(len(path), -1)),
            crossing,
            q,
        )

    warm = loop.run(_initial(loop, command, rng), command[None], round(ROUNDS * lap_steps))[0]
    heights = crossing(warm)
    astride = torch.nonzero((heights[:-1] < 0) & (heights[1:] >= 0))[:, 0]
    steps = round(max(LAPS * lap_steps, 4.0 / loop.period))
    paths = loop.run(begin, command.expand(len(begin), -1), steps)
    none = Attractor(
        tuple(command.tolist()), False, np.inf, np.inf, np.inf, np.inf, 0.0, 0.0, np.inf
    )
    if not len(astride):
        return none, warm[-1:], paths
    i = int(astride[-1])
    share = -heights[i] / (heights[i + 1] - heights[i])
    lap, residual = limit_cycle(go_round, warm[i] + share * (warm[i + 1] - warm[i]))
    if lap is None:
        return none, warm[-1:], paths
    largest = float(torch.linalg.eigvals(lap.jacobian).abs().max())
    track = loop.hand(torch.cat([lap.path, lap.end[None]]))
    fine = np.concatenate([track[:-1] + s * np.diff(track, axis=0) for s in np.arange(4) / 4])
    hands = loop.hand(paths)
    distance = spatial.cKDTree(fine).query(hands)[0]
    final = distance[:, -round(lap_steps) :].max(1)
    squared = task.error(NUMPY, command.numpy(), *track.T)[0]
    turn = hands[:, -round(lap_steps) :] - centre
    area = (turn[:, :-1, 0] * turn[:, 1:, 1] - turn[:, :-1, 1] * turn[:, 1:, 0]).sum(1)
    found = Attractor(
        command=tuple(command.tolist()),
        stable=residual < 1e-9 and largest < 1,
        residual=residual,
        multiplier=largest,
        time_constant=-lap.steps * loop.period / np.log(largest) if 0 < largest < 1 else np.inf,
        error=float(np.sqrt(squared).mean()),
        period=lap.steps * loop.period,
        same=float(((final < SAME) & (way * area > 0)).mean()),
        convergence=float(np.median(settling_steps(distance.T >= NEAR) * loop.period)),
    )
    return found, lap.path, paths
