"""The numbers that an analysis of attractors gives: for each command, and in all."""

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from arm_env.files import write_whole
from arm_env.tasks.measures import Measures, settling_steps

NEAR = 0.01  # [m] a hand this near the attractor's has converged
SAME = 0.002  # [m] a hand this near at the end is on it


@dataclass(frozen=True)
class Attractor:
    """The result of the search for one command's attractor."""

    command: tuple[float, ...]
    stable: bool
    residual: float
    multiplier: float
    """Largest |eigenvalue| of F (points), or of the return map (cycles): below 1 is stable."""
    time_constant: float
    """Time constant [s] with which a small displacement decays, the slowest one."""
    error: float
    """Mean distance of the attractor's hand positions from the commanded ones [m]."""
    period: float
    """Duration of a cycle [s]; 0 for a point."""
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
    """Largest multiplier of the stable ones."""
    dimensions_of_attractors: int
    """As section IV counts them: the numbers of a command."""
    components_of_attractors: int
    """Principal components that hold 95 % of the variance of the states on all attractors."""
    dimensions_of_movements: int
    """As section IV counts them: 4 for jumps between points, 17 for those between circles."""
    components_of_movements: int
    """The same for the states in the movements of all random starts."""
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
        """The numbers that sum up all attractors."""
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
        """Write a row for every command, as CSV."""
        text = io.StringIO()
        rows = [asdict(a) for a in self.attractors]
        columns = [key for key in rows[0] if key != "command"]
        writer = csv.writer(text)
        writer.writerow([*names, *columns])
        writer.writerows([*row["command"], *(row[key] for key in columns)] for row in rows)
        return write_whole(path, text.getvalue())


def is_stable(residual: float, multiplier: float) -> bool:
    """Whether a fixed point was found, and small displacements from it decay."""
    return residual < 1e-9 and multiplier < 1


def time_constant(period: float, multiplier: float) -> float:
    """The time [s] in which a displacement decays, of one that shrinks to a share in a period."""
    return -period / np.log(multiplier) if 0 < multiplier < 1 else np.inf


def convergence_time(distance: np.ndarray, period: float) -> float:
    """Median time [s] until hands stay near, from their distances (B, T) [m] each period."""
    return float(np.median(settling_steps(distance.T >= NEAR) * period))
