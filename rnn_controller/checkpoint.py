"""Checkpoints: weights in safetensors, the configuration beside them as JSON; no pickle.

Files appear whole or not at all: they are written under a temporary name and renamed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from arm_env.arguments import choice, number
from arm_env.checked import group, with_present_names
from arm_env.dynamics.parameters import Arm, CostWeights
from arm_env.envs.settings import as_orbit
from arm_env.envs.specifications import ORBITS, plain, revived
from arm_env.files import write_whole
from arm_env.tasks.orbits import Orbit
from arm_env.tasks.registry import TASKS, task_of_environment
from arm_env.tasks.task import Task
from rnn_controller.networks.equation_module import EquationConfig, EquationModule
from rnn_controller.networks.modules import NETWORKS, AnyConfig, build, config_type
from rnn_controller.networks.plain_torch import float64, plain_torch

T = TypeVar("T")
FORMAT = "rnn-motor-control 1"
LARGEST_WEIGHT = 1e9  # a network beyond it overflows within a few steps
HEADER = ("format", "task", "network", "arm", "weights", "noise", "training")
TRAINED: Traversable = files("rnn_controller") / "trained"


class CheckpointError(ValueError):
    """A file that is no usable checkpoint."""


@dataclass
class Checkpoint:
    """A controller, what it was trained for, and where its training stands."""

    network: EquationModule
    task: str = "reach"
    """reach or circle; an orbit, given here, becomes the ``orbit`` of circle."""
    arm: Arm = field(default_factory=Arm)
    """The unperturbed one; what it was perturbed by stands in ``training``."""
    weights: CostWeights = field(default_factory=CostWeights)
    noise: float = 0.2
    training: dict[str, Any] = field(default_factory=dict)
    """Configuration and position of the training run; JSON values."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """State of the optimiser and the history of the objective."""
    orbit: Orbit | None = None
    """What it was trained to run along, if not along circles."""

    def __post_init__(self) -> None:
        self.task, self.orbit = task_and_orbit(self.task, self.orbit)
        self.arm = group("arm", self.arm, Arm, Arm())
        self.weights = group("weights", self.weights, CostWeights, CostWeights())
        self.noise = number("noise", self.noise, 0, 10)
        mapping("training", self.training)
        if self.training.get("config") is not None:
            mapping("training's config", self.training["config"])

    @property
    def goal(self) -> Task:
        """The task itself, with the orbit."""
        return task_of(self.task, self.orbit)

    @plain_torch()
    def save(self, path: Path | str) -> Path:
        """Write the checkpoint, replacing what was there.

        Raises ValueError, and writes nothing, for a network that could not be loaded again.
        """
        header = {
            "format": FORMAT,
            "task": self.task,
            "network": network_form(self.network, self.goal, self.arm),
            "arm": asdict(self.arm),
            "weights": asdict(self.weights),
            "noise": self.noise,
            "training": self.training,
        }
        if self.orbit is not None:
            header["orbit"] = form("orbit", self.orbit)
        tensors = {
            f"network.{name}": float64(name, value)
            for name, value in self.network.state_dict().items()
        }
        tensors |= {
            f"training.{name}": value.detach().clone().contiguous()
            for name, value in self.tensors.items()
        }
        try:
            metadata = {key: json.dumps(value) for key, value in header.items()}
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"a checkpoint's training must hold JSON values only: {error}"
            ) from None
        return write_whole(Path(path), safetensors.torch.save(tensors, metadata))


def task_of(name: str, orbit: Orbit | None) -> Task:
    """The task of that name, along an orbit if there is one."""
    return TASKS[name] if orbit is None else orbit


def task_and_orbit(task: Any, orbit: Any) -> tuple[str, Orbit | None]:
    """The task's name and its orbit, None for the usual circle, from what a user gave as either."""
    if isinstance(task, Task) and task.cyclic and orbit is None:
        task, orbit = task_of_environment(task.env_id).name, task
    if isinstance(task, Task):
        raise ValueError(
            f"task must be reach, circle, or an orbit without another one, not {in_one_line(task)}"
        )
    choice("task", task, TASKS)
    if orbit is None:
        return task, None
    if not TASKS[task].cyclic:
        raise ValueError(f"an orbit belongs to the task circle, not to {task}")
    orbit = as_orbit(orbit)
    if orbit == TASKS[task]:
        return task, None
    form("orbit", orbit)  # can be stored
    return task, orbit


def find(name: Path | str) -> Traversable:
    """The file of a shipped controller's name, of a checkpoint, or of a run's folder."""
    there = TRAINED.iterdir() if TRAINED.is_dir() else ()
    shipped: dict[str, Traversable] = {
        file.name.removesuffix(".safetensors"): file
        for file in sorted(there, key=lambda file: file.name)
        if file.name.endswith(".safetensors")
    }
    if str(name) in shipped:  # "./reach" is a path
        return shipped[str(name)]
    path = Path(name)
    path = path / "checkpoint.safetensors" if path.is_dir() else path
    if not path.is_file():
        known = f", or one of: {', '.join(shipped)}" if shipped else ""
        raise CheckpointError(f"there is no checkpoint {str(path)!r}; a path is wanted{known}")
    return path


@plain_torch()
def load_checkpoint(name: Path | str) -> Checkpoint:
    """Read a checkpoint by path, by run folder or by the name of a shipped controller."""
    path = find(name)
    try:
        with as_file(path) as on_disk, safetensors.safe_open(on_disk, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not a complete checkpoint: {in_one_line(error)}"
        ) from error
    if metadata.get("format") != json.dumps(FORMAT):
        found = in_one_line(metadata.get("format"))
        raise CheckpointError(
            f"{path} is no checkpoint of this package: format {found}, not {FORMAT!r}"
        )
    try:
        return _assemble({key: json.loads(value) for key, value in metadata.items()}, tensors)
    except ClassError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:
        raise CheckpointError(f"{path} contradicts itself: {in_one_line(error)}") from error


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    exactly("the header", header, HEADER if "orbit" not in header else (*HEADER, "orbit"))
    config = stored_network(header["network"])
    task = choice("task", header["task"], TASKS)
    orbit = stored_orbit(header["orbit"]) if "orbit" in header else None
    arm = stored_arm(header["arm"])
    weights = {
        key.removeprefix("network."): value
        for key, value in tensors.items()
        if key.startswith("network.")
    }
    need = "its configuration needs"
    if not isinstance(config, EquationConfig):
        motor = weights.get("motor", weights.get("motor.weight"))
        need = f"{config.neurons} neurons need"
        # before one of the wrong size takes the memory
        if motor is None or motor.shape[-1:] != (config.neurons,):
            found = "motor is missing" if motor is None else f"motor is {tuple(motor.shape)}"
            raise ValueError(f"{need} motor {(6, config.neurons)}, but {found}")
    network = build(config, task_of(task, orbit), arm, torch.Generator("cpu"))
    expected = network.state_dict()
    exactly("the network", weights, expected)
    for name, parameter in expected.items():
        if weights[name].shape != parameter.shape:
            wanted = tuple(parameter.shape)
            shape = tuple(weights[name].shape)
            raise ValueError(f"{need} {name} {wanted}, but it is {shape}")
        real_and_finite(name, weights[name], LARGEST_WEIGHT)
        if name == "scale" and not bool((weights[name] > 1 / LARGEST_WEIGHT).all()):
            raise ValueError("scale must be positive")
    network.load_state_dict(weights)
    others = sorted(key for key in tensors if not key.startswith(("network.", "training.")))
    if others:
        raise ValueError(
            f"a tensor {others[0]!r} belongs neither to the network nor to the training"
        )
    return Checkpoint(
        network=network,
        task=task,
        arm=arm,
        weights=stored(CostWeights, "weights", header["weights"]),
        noise=header["noise"],
        training=header["training"],
        # copies: in the file they lie at any address, which linear algebra notices in its last
        # digit
        tensors={
            key.removeprefix("training."): value.clone()
            for key, value in tensors.items()
            if key.startswith("training.")
        },
        orbit=orbit,
    )


def stored_arm(values: Any) -> Arm:
    """The arm that a file holds: of today's kind, or with the constant moment arms of earlier
    files.
    """
    if "moment_arms" not in mapping("arm", values):
        return stored(Arm, "arm", values)
    earlier = with_present_names(Arm, {"curl": 0.0, "tone": 0.0, **values})
    geometry = {"moment_arms", "optimal_angles", "optimal_length"}
    new = {"path_offset", "path_slope", "path_curvature", "tendon_length"}
    exactly("arm", earlier, {f.name for f in fields(Arm)} - new | geometry)
    try:
        return Arm.with_constant_moment_arms(**earlier)
    except ValueError as error:
        raise ValueError(f"arm: {error}") from None


def stored_network(values: Any) -> AnyConfig:
    """The configuration of a network that a file holds."""
    if ":" in str(mapping("network", values).get("kind")):
        return stored_own("network", values, {}, EquationConfig)
    return stored(config_type(values), "network", values)


def stored_orbit(values: Any) -> Orbit:
    """The orbit that a file holds."""
    return stored_own("orbit", values, ORBITS, Orbit)


class ClassError(CheckpointError):
    """A file that names a class of a user's own, which is not to be had here."""


def stored_own(name: str, values: Any, kinds: Mapping[str, type], base: type[T]) -> T:
    """The object that a file holds as a mapping of its fields.

    Its class is one of the ``kinds``, or one of a user's own, named as ``module:Class``. It must be
    derived from ``base``; nothing else is made.
    """
    kind = mapping(name, values).get("kind")
    try:
        made = revived(name, values, kinds, None, base)
    except Exception as error:  # whatever a module raises as it is imported
        raise ClassError(
            f"its {name} is of the class {kind!r}, which can't be made here: {in_one_line(error)}"
        ) from error
    assert isinstance(made, base)
    return made


def form(name: str, value: Any) -> dict[str, Any]:
    """The mapping that a file holds for an orbit, or for a network's configuration.

    Raises ValueError if the same object could not be made from it again.
    """
    told = plain(value)
    if not isinstance(told, dict):
        raise ValueError(
            f"the {name} can't be stored: a checkpoint names its class, "
            f"{type(value).__qualname__}, as module:Class, so it must be a frozen dataclass at the "
            "top of a module, made from plain values only"
        )
    return told


def network_form(network: Any, task: Task, arm: Arm) -> dict[str, Any]:
    """The mapping that a file holds for a network's configuration.

    Raises ValueError if the same network could not be made from it again.
    """
    config: Any = getattr(network, "config", None)
    if type(network) is NETWORKS.get(type(config)):
        return asdict(config)
    kind = type(network).__name__
    if not isinstance(config, EquationConfig):
        its = "without a config" if config is None else f"with a {type(config).__name__}"
        raise ValueError(
            f"a checkpoint can't hold this {kind} {its}: derive the network from "
            "EquationModule and its config from EquationConfig, both of rnn_controller"
        )
    told = form("network", config)
    again = build(config, task, arm, torch.Generator("cpu"))
    shapes = [
        {name: value.shape for name, value in n.state_dict().items()} for n in (network, again)
    ]
    if type(again) is not type(network) or shapes[0] != shapes[1]:
        raise ValueError(
            f"a checkpoint can't hold this {kind}: the build of its config makes another network"
        )
    return told


def stored(kind: type[T], name: str, values: Any, later: tuple[str, ...] = ()) -> T:
    """A group of settings from a file that holds every field but those that came ``later``."""
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    values = with_present_names(kind, mapping(name, values))
    exactly(name, values, known - (set(later) - set(values)))
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """The value, if it is a mapping."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping, not {in_one_line(value)}")
    return value


def exactly(name: str, found: Mapping[str, Any], expected: Any) -> None:
    """Raise ValueError unless a mapping has the expected keys and no other."""
    missing = sorted(set(expected) - set(found))
    unknown = sorted(set(found) - set(expected))
    if missing:
        raise ValueError(f"{name} is incomplete: {', '.join(missing)} is missing")
    if unknown:
        raise ValueError(f"{name} holds {', '.join(unknown)}, which is unknown")


def real_and_finite(name: str, value: Tensor, limit: float = math.inf) -> None:
    """Raise ValueError unless a tensor is float64 and finite, and no number in it is beyond the
    limit.
    """
    if value.dtype != torch.float64:
        raise ValueError(f"{name} must be float64, not {value.dtype}")
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} is not finite")
    if value.numel() and float(value.abs().max()) > limit:
        raise ValueError(
            f"{name} must hold numbers up to {limit:g}, not {float(value.abs().max()):g}"
        )


def in_one_line(value: Any) -> str:
    """A value or an error as a message shows it."""
    text = " ".join(str(value).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
