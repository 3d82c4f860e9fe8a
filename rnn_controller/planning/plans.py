"""Plans: commands over one lap of a drawing, as a schedule that repeats them."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arm_env.arguments import choice, floats, mapping
from arm_env.checked import Checked, within
from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS
from arm_env.tasks.task import Task
from rnn_controller.planning.curves import distances
from rnn_controller.validation import exactly

FORMAT = "rnn-motor-control plan 1"
SHIPPED = files("rnn_controller") / "planning" / "plans"
ROUNDING = 1e-6  # of a hold, by which a time may seem to be too early


@dataclass(frozen=True, eq=False)
class Plan(Checked):
    """Commands with which a controller draws a curve, lap after lap: a schedule.

    Environments, figures, animations and the live page take it as their schedule. Raises ValueError
    for fields that do not fit.

    Attributes:
        values: (T, K) commands of the control periods of one lap, in the units of the task.
        curve: (T, 2) [m] where the hand should be at the end of each period, on a closed curve.
        hold: Control period [s], for which each command stays.
        task: Name of the task, such as "circle".
        controller: Digest of the weights of the network that it was made for.
        noise: Noise level for which it was made, as for the environments.
        quiet_distance_m: Median distance of the hand from the curve without noise [m].
        noisy_distance_m: Median distance at that noise level [m], over ``NOISY`` hands.
    """

    values: np.ndarray
    curve: np.ndarray
    hold: float = within(0.01, 0, 1, above=True)
    task: str = "reach"
    controller: str = ""
    noise: float = within(0.0, 0, 10)
    quiet_distance_m: float = within(0.0, 0, 10)
    noisy_distance_m: float = within(0.0, 0, 10)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("task", self.task, TASKS)
        for name, columns in (("values", self.goal.command_size), ("curve", 2)):
            rows = floats(getattr(self, name))
            if rows.ndim != 2 or not len(rows) or rows.shape[1] != columns:
                raise ValueError(f"{name} must be (T, {columns}), not {rows.shape}")
            if not np.isfinite(rows).all():
                raise ValueError(f"{name} must be finite")
            rows.flags.writeable = False
            object.__setattr__(self, name, rows)
        if len(self.values) != len(self.curve):
            raise ValueError(
                f"values and curve must be of one lap, not {len(self.values)} and "
                f"{len(self.curve)} periods"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self._form() == other._form()

    def __hash__(self) -> int:
        return hash((self.task, self.hold, self.values.tobytes()))

    @property
    def lap(self) -> float:
        """Duration of one lap [s]."""
        return len(self.values) * self.hold

    @property
    def goal(self) -> Task:
        """The registered task whose commands these are."""
        return TASKS[self.task]

    def commands(
        self, rng: np.random.Generator, segment: np.ndarray, time: np.ndarray, task: Task, arm: Any
    ) -> np.ndarray:
        """Return the commands (n, K) of n arms at times (n,) [s] since their episodes began.

        A lap lasts as long in an environment whose control period is not ``hold``. Raises
        ValueError for another task than that of the plan.
        """
        if task.name != self.task:
            raise ValueError(f"the plan is one for {self.task}, not for {task.name}")
        passed = np.floor(time / self.hold + ROUNDING).astype(int)
        return self.values[passed % len(self.values)]

    def distances(self, hand: np.ndarray) -> np.ndarray:
        """Return the distances [m], (...), of positions (..., 2) [m] from the curve."""
        return distances(hand, self.curve)

    def save(self, path: Path | str) -> Path:
        """Write the plan as JSON, whole or not at all, and return the path."""
        return write_whole(path, json.dumps({"format": FORMAT, **self._form()}))

    @classmethod
    def load(cls, path: Path | str) -> "Plan":
        """Read a plan that ``save`` wrote, or a shipped one by its name, "eight" or "clover".

        Raises ValueError if there is none, or if the file is none or is damaged.
        """
        names = shipped_plans()
        file = SHIPPED / f"{path}.json" if str(path) in names else Path(path)  # "./eight" is a path
        if not file.is_file():
            raise ValueError(
                f"there is no plan {str(path)!r}; give the path of a file that Plan.save or "
                f"python -m rnn_controller draw wrote, or one of: {', '.join(names)}"
            )
        try:
            return cls._read(file.read_text("utf-8"))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{path} is no plan, as Plan.save or python -m rnn_controller draw writes it: "
                f"{error}"
            ) from None

    @classmethod
    def _read(cls, text: str) -> "Plan":
        given = mapping("a plan", json.loads(text))
        exactly("a plan", given, ("format", *(f.name for f in fields(cls))))
        if given.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        return cls(**given)

    def _form(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "values": self.values.tolist(), "curve": self.curve.tolist()}


def digest_of(network: torch.nn.Module) -> str:
    """Return twelve characters that stand for the weights of a network."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def shipped_plans() -> list[str]:
    """Return the names of the plans that come with the package, the figure of eight first."""
    names = [file.name.removesuffix(".json") for file in SHIPPED.iterdir()]
    return sorted(names, key=lambda name: (name != "eight", name))


def shipped_plan(name: str, network: torch.nn.Module) -> Plan | None:
    """Return the plan of that name that comes with the package, if it is one for the network."""
    if name not in shipped_plans():
        return None
    plan = Plan.load(name)
    return plan if plan.controller == digest_of(network) else None
