"""Stored runs: trained controllers, and the records of their training.

A run is a folder ``CONTROLLER-ENVIRONMENT-SEED`` with a ``run.json``: algorithm, environment, seed,
settings, number of parameters, and the learning curve, a list of measures at the steps and seconds
of training at which they were taken.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import tyro

import arm_env
from arm_env.control.controllers import Controller
from arm_env.tasks.registry import ENVIRONMENTS, TASKS
from benchmarks.places import RECORD, STORED
from rnn_controller.options import OPTIONS, OptionError, show
from rnn_controller.training.trainer import TrainingError

T = TypeVar("T")

if TYPE_CHECKING:
    TaskName = str
    EnvironmentId = str
else:  # on the command line, one of those that are registered
    TaskName = tyro.extras.literal_type_from_choices(TASKS)
    EnvironmentId = tyro.extras.literal_type_from_choices(ENVIRONMENTS)
NOISE = 0.2  # [-] the environments' own, at a 5 ms step
CURVE_SEED, CURVE_MOVEMENTS = 500_000, 200


class Times(NamedTuple):
    """How long a training has lasted [s]: by the clock, and summed over the processor's cores."""

    seconds: float
    core_seconds: float


def times_of(curve: list[dict[str, Any]]) -> Times:
    """Return how long the training of a learning curve has lasted.

    Early runs did not count their processor time. They used one core, so it is their duration.
    """
    if not curve:
        return Times(0.0, 0.0)
    last = curve[-1]
    return Times(last["seconds"], last.get("core_seconds", last["seconds"]))


def curve_point(controller: Controller, env_id: str, steps: int, times: Times) -> dict[str, Any]:
    """Return the measures of a controller after that many steps and seconds of training."""
    measures = arm_env.evaluate(controller, env_id, movements=CURVE_MOVEMENTS, seed=CURVE_SEED)
    return {"steps": steps, **times._asdict(), **measures.as_dict()}


@dataclass(frozen=True)
class Run:
    """A stored run: the folder, and the record of the training."""

    folder: Path
    algorithm: str
    environment: str
    seed: int
    parameters: int
    curve: list[dict[str, Any]]

    @property
    def steps(self) -> int:
        """Environment steps of the training."""
        return self.curve[-1]["steps"]

    @property
    def seconds(self) -> float:
        """Duration of the training [s]."""
        return self.curve[-1]["seconds"]

    @property
    def core_seconds(self) -> float:
        """Processor time of the training [s]."""
        return times_of(self.curve).core_seconds

    def controller(self) -> Controller:
        """Return the trained controller."""
        if (self.folder / "policy.pt").exists():
            from benchmarks.baselines import load_baseline

            return load_baseline(self.folder)
        from rnn_controller import load

        return load(self.folder)


def read_run(folder: Path) -> Run:
    """Return the run in a folder. Raises ValueError if its record is damaged."""
    try:
        record = json.loads((folder / RECORD).read_text())
        names = ("algorithm", "environment", "seed", "parameters", "curve")
        return Run(folder, **{name: record[name] for name in names})
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise ValueError(
            f"{folder} holds no finished run: {type(error).__name__} {error}"
        ) from error


def stored_runs(root: Path = STORED) -> Iterator[Run]:
    """Return all runs below a folder, by name."""
    for path in sorted(root.glob(f"*/{RECORD}")):
        yield read_run(path.parent)


def parsed(kind: type[T]) -> T:
    """Return the dataclass of a command's options, read from the command line."""
    show(kind)
    with OPTIONS:
        return tyro.cli(
            kind,
            prog=f"python -m {module_name()}",
            description=cleandoc(kind.__doc__ or ""),
        )


def module_name() -> str:
    """Return the name of the module that runs as a command, such as ``benchmarks.compare``."""
    path = Path(sys.argv[0])
    parts = path.with_suffix("").parts
    if "benchmarks" not in parts:
        return f"benchmarks.{path.stem}"
    last = len(parts) - 1 - parts[::-1].index("benchmarks")
    return ".".join(parts[last:]).removesuffix(".__main__")


def command_line(main: Callable[[Any], object], arguments: Any) -> None:
    """Run a command with the arguments of the command line.

    A user's mistake and Ctrl-C end it in one line.
    """
    try:
        main(parsed(arguments))
    except KeyboardInterrupt:
        raise SystemExit(
            "interrupted; what is done is kept, and the same command goes on "
            "(training with --resume)"
        ) from None
    except (ValueError, OSError, OptionError, TrainingError) as error:
        raise SystemExit(f"error: {error}") from None
