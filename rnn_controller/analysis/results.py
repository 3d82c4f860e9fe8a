"""The results of an analysis of attractors: for each command, and in total."""

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from arm_env.files import write_whole
from arm_env.tasks.measures import Measures, settling_steps

NEAR = 0.01  # [m] a hand that stays within this distance of the attractor has converged
SAME = 0.002  # [m] a hand within this distance at the end is on the attractor


@dataclass(frozen=True)
class Attractor:
    """The result of the search for one command's attractor.

    Attributes:
        command: The command (K,).
        stable: Whether an attractor was found and small displacements from it decay.
        residual: Largest component of |F(q) − q| for points, of |P(q) − q| for cycles (P: the
            return map).
        multiplier: Largest |eigenvalue| of the Jacobian of F or P; the attractor is stable if it is
            below 1.
        time_constant: Time constant [s] of the slowest decay of a small displacement.
        error: Mean distance [m] of the hand on the attractor from the commanded point or circle.
        period: Duration of a cycle [s]; 0 for a point.
        same: Share of the random starts that end on this attractor.
        convergence: Median time [s] until the starts stay within 1 cm of the attractor.
    """

    command: tuple[float, ...]
    stable: bool
    residual: float
    multiplier: float
    time_constant: float
    error: float
    period: float
    same: float
    convergence: float


@dataclass(frozen=True)
class AttractorMeasures(Measures):
    """Measures of all attractors of a controller.

    Attributes:
        number_of_commands: Number of commands, spread over the workspace.
        fraction_stable: Share of the commands with a stable attractor.
        fraction_same_attractor: Share of all random starts that end on their command's attractor.
        max_residual: Largest residual of the stable attractors.
        median_convergence_time_s: Median over the commands of the time τ_c [s] until starts stay
            within 1 cm.
        largest_multiplier: Largest multiplier of the stable attractors.
        dimensions_of_attractors: Number of dimensions as the paper's section IV counts them: the
            numbers of a command.
        components_of_attractors: Principal components that hold 95 % of the variance of the states
            on all attractors.
        dimensions_of_movements: Dimensions as section IV counts them: 4 for jumps between points,
            17 between circles.
        components_of_movements: Principal components that hold 95 % of the variance of the states
            in all movements.
        starts_per_command: Number of random starts for each command.
        seed: Seed of the random starts.
    """

    number_of_commands: int
    fraction_stable: float
    fraction_same_attractor: float
    max_residual: float
    median_convergence_time_s: float
    largest_multiplier: float
    dimensions_of_attractors: int
    components_of_attractors: int
    dimensions_of_movements: int
    components_of_movements: int
    starts_per_command: int
    seed: int


@dataclass(frozen=True)
class Analysis:
    """All attractors of a controller, and the number of principal components of its states.

    Attributes:
        task: Name of the task.
        attractors: The attractors, one for each command.
        seed: Seed of the random starts.
        starts: Number of random starts for each command.
        components: Principal components of the states on the attractors, and in the movements to
            them.
        dimensions: Dimensions of both, as the paper counts them for the task.
    """

    task: str
    attractors: list[Attractor]
    seed: int
    starts: int
    components: tuple[int, int]
    dimensions: tuple[int, int] = (2, 4)

    @property
    def measures(self) -> AttractorMeasures:
        """The measures of all attractors."""
        found = [a for a in self.attractors if a.stable]
        times = [a.convergence for a in found]
        return AttractorMeasures(
            number_of_commands=len(self.attractors),
            fraction_stable=len(found) / len(self.attractors),
            fraction_same_attractor=float(np.mean([a.same for a in self.attractors])),
            max_residual=max((a.residual for a in found), default=np.nan),
            median_convergence_time_s=float(np.median(times)) if times else np.nan,
            largest_multiplier=max((a.multiplier for a in found), default=np.nan),
            dimensions_of_attractors=self.dimensions[0],
            components_of_attractors=self.components[0],
            dimensions_of_movements=self.dimensions[1],
            components_of_movements=self.components[1],
            starts_per_command=self.starts,
            seed=self.seed,
        )

    def save_table(self, path: Path, names: tuple[str, ...]) -> Path:
        """Write a CSV table with a row for every command, and return its path.

        ``names`` are the names of the command's numbers.
        """
        text = io.StringIO()
        rows = [asdict(a) for a in self.attractors]
        columns = [key for key in rows[0] if key != "command"]
        writer = csv.writer(text)
        writer.writerow([*names, *columns])
        writer.writerows([*row["command"], *(row[key] for key in columns)] for row in rows)
        return write_whole(path, text.getvalue())


def is_stable(residual: float, multiplier: float) -> bool:
    """Return whether a fixed point was found, and small displacements from it decay."""
    return residual < 1e-9 and multiplier < 1


def time_constant(period: float, multiplier: float) -> float:
    """Return the time constant [s] of a decay by the factor ``multiplier`` in each period [s]."""
    return -period / np.log(multiplier) if 0 < multiplier < 1 else np.inf


def convergence_time(distance: np.ndarray, period: float) -> float:
    """Return the median time [s] until hands stay within ``NEAR``.

    ``distance`` (B, T) [m] is theirs from the attractor, in every ``period`` [s].
    """
    return float(np.median(settling_steps(distance.T >= NEAR) * period))
