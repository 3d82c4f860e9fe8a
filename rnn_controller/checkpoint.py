"""Checkpoints: weights in safetensors, the configuration beside them as JSON; no pickle.

Files appear whole or not at all: they are written under a temporary name and renamed.
"""

import json
from dataclasses import asdict, dataclass, field
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from arm_env.arguments import choice, number
from arm_env.checked import group
from arm_env.dynamics.body import Body
from arm_env.dynamics.parameters import CostWeights
from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS
from arm_env.tasks.task import Task
from rnn_controller.checkpoint_header import (
    CheckpointError,
    ClassError,
    arm_form,
    form,
    network_form,
    stored,
    stored_arm,
    stored_network,
    stored_orbit,
    task_and_orbit,
    task_of,
)
from rnn_controller.networks.equation_module import EquationConfig, EquationModule
from rnn_controller.networks.modules import AnyConfig, build
from rnn_controller.networks.plain_torch import float64, plain_torch
from rnn_controller.validation import exactly, in_one_line, mapping, real_and_finite

__all__ = [
    "TASKS",
    "TRAINED",
    "Checkpoint",
    "CheckpointError",
    "environment_of",
    "exactly",
    "form",
    "load_checkpoint",
    "mapping",
    "real_and_finite",
    "stored",
    "stored_network",
    "stored_orbit",
    "task_and_orbit",
    "task_of",
]

FORMAT = "rnn-motor-control 1"
LARGEST_WEIGHT = 1e9  # a network beyond it overflows within a few steps
HEADER = ("format", "task", "network", "arm", "weights", "noise", "training")
TRAINED: Traversable = files("rnn_controller") / "trained"


@dataclass
class Checkpoint:
    """A controller, the task and arm that it was trained for, and the state of its training.

    Attributes:
        network: The network with its weights.
        task: Name of the task. An orbit that is given here becomes the ``orbit`` of the task
            circle.
        arm: Parameters of the body without perturbation, by default the task's. A perturbation of
            the training is in ``training``.
        weights: Weights of the cost.
        noise: Standard deviation of the process noise at a step of 5 ms.
        training: Configuration and counters of the training run, as JSON values.
        tensors: State of the optimiser, and objective and target radius of every iteration.
        orbit: Orbit of the training, if it is not the circle.
    """

    network: EquationModule
    task: str = "reach"
    arm: Any = None
    weights: CostWeights = field(default_factory=CostWeights)
    noise: float = 0.2
    training: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    orbit: Task | None = None

    def __post_init__(self) -> None:
        self.task, self.orbit = task_and_orbit(self.task, self.orbit)
        default = self.goal.body.parameters
        self.arm = group("arm", self.arm, type(default), default)
        self.weights = group("weights", self.weights, CostWeights, CostWeights())
        self.noise = number("noise", self.noise, 0, 10)
        mapping("training", self.training)
        if self.training.get("config") is not None:
            mapping("training's config", self.training["config"])

    @property
    def goal(self) -> Task:
        """The task that the controller was trained for, with its orbit."""
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
            "arm": arm_form(self.arm),
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


def find(name: Path | str) -> Traversable:
    """Return the file of a shipped controller, of a checkpoint's path, or in a run's folder.

    Raises CheckpointError if there is none.
    """
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
        raise CheckpointError(f"there is no checkpoint {str(path)!r}; give a path{known}")
    return path


@plain_torch()
def load_checkpoint(name: Path | str) -> Checkpoint:
    """Read a checkpoint, given its path, its run's folder, or the name of a shipped controller.

    Raises CheckpointError if there is none, or if the file is damaged or contradicts itself.
    """
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
    task = header["task"]
    if isinstance(task, str) and task not in TASKS:
        raise ClassError(
            f"its task {task!r} is not registered here: there are {', '.join(TASKS)}, and those of "
            "modules that call arm_env.register_task, once they are imported"
        )
    choice("task", task, TASKS)
    orbit = stored_orbit(header["orbit"]) if "orbit" in header else None
    goal = task_of(task, orbit)
    arm = stored_arm(header["arm"], goal.body)
    weights = _of("network.", tensors)
    _check_motor(config, weights, goal.body)
    network = build(config, goal, arm, torch.Generator("cpu"))
    _check_weights(config, weights, network.state_dict())
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
        tensors={name: value.clone() for name, value in _of("training.", tensors).items()},
        orbit=orbit,
    )


def _of(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of one part of the file, by their names without the prefix."""
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _need(config: AnyConfig) -> str:
    if isinstance(config, EquationConfig):
        return "its configuration needs"
    return f"{config.neurons} neurons need"


def _check_motor(config: AnyConfig, weights: dict[str, Tensor], body: Body) -> None:
    """Raise ValueError unless the number of neurons is that of the stored weights.

    This comes before the network is built: a wrong number might take all memory.
    """
    if isinstance(config, EquationConfig):
        return  # which of its weights shows a size, only the class knows
    motor = weights.get("motor", weights.get("motor.weight"))
    if motor is None or motor.shape[-1:] != (config.neurons,):
        found = "motor is missing" if motor is None else f"motor is {tuple(motor.shape)}"
        wanted = (body.muscle_count, config.neurons)
        raise ValueError(f"{_need(config)} motor {wanted}, but {found}")


def _check_weights(
    config: AnyConfig, weights: dict[str, Tensor], expected: dict[str, Tensor]
) -> None:
    """Raise ValueError unless the weights fit a network of that configuration."""
    exactly("the network", weights, expected)
    for name, parameter in expected.items():
        if weights[name].shape != parameter.shape:
            wanted = tuple(parameter.shape)
            shape = tuple(weights[name].shape)
            raise ValueError(f"{_need(config)} {name} {wanted}, but it is {shape}")
        real_and_finite(name, weights[name], LARGEST_WEIGHT)
        if name == "scale" and not bool((weights[name] > 1 / LARGEST_WEIGHT).all()):
            raise ValueError("scale must be positive")


def environment_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the arguments of the environment that a controller was trained for."""
    period = checkpoint.network.config.control_period
    return {
        "arm": checkpoint.arm,
        "weights": checkpoint.weights,
        "control_period": period,
        **checkpoint.goal.arguments,
    }
