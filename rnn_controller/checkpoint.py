"""Checkpoints: weights in safetensors, the configuration beside them as JSON; no pickle.

Files appear whole or not at all: they are written under a temporary name and renamed.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from arm_env.orbits import Circle
from arm_env.parameters import Arm, CostWeights
from arm_env.tasks import Reach, Task
from rnn_controller.modules import Network, build, network_config

FORMAT = "rnn-motor-control 1"
TASKS: dict[str, Task] = {"reach": Reach(), "circle": Circle()}
ENVIRONMENTS = {"reach": "ReachArm-v0", "circle": "CircleArm-v0"}
TRAINED = Path(__file__).parent / "trained"


class CheckpointError(ValueError):
    """A file that is no usable checkpoint."""


@dataclass
class Checkpoint:
    """A controller, what it was trained for, and where its training stands."""

    network: Network
    task: str = "reach"
    arm: Arm = field(default_factory=Arm)
    """The unperturbed one; what it was perturbed by stands in ``training``."""
    weights: CostWeights = field(default_factory=CostWeights)
    noise: float = 0.2
    training: dict[str, Any] = field(default_factory=dict)
    """Configuration and position of the training run; JSON values."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """State of the optimiser and the history of the objective."""

    def save(self, path: Path | str) -> Path:
        """Write the checkpoint, replacing what was there."""
        header = {
            "format": FORMAT,
            "task": self.task,
            "network": asdict(self.network.config),
            "arm": asdict(self.arm),
            "weights": asdict(self.weights),
            "noise": self.noise,
            "training": self.training,
        }
        tensors = {f"network.{name}": value.detach() for name, value in self.network.state_dict().items()}
        tensors |= {f"training.{name}": value for name, value in self.tensors.items()}
        contiguous = {name: value.clone().contiguous() for name, value in tensors.items()}
        data = safetensors.torch.save(contiguous, {key: json.dumps(value) for key, value in header.items()})
        return write_whole(Path(path), data)


def write_whole(path: Path, data: bytes | str) -> Path:
    """Write a file under a temporary name and rename it, so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def find(name: Path | str) -> Path:
    """The file of a shipped controller's name, of a checkpoint, or of a run's folder."""
    shipped = {path.stem: path for path in sorted(TRAINED.glob("*.safetensors"))}
    path = shipped.get(str(name), Path(name))  # "./reach" is a path
    path = path / "checkpoint.safetensors" if path.is_dir() else path
    if not path.is_file():
        known = f", or one of: {', '.join(shipped)}" if shipped else ""
        raise CheckpointError(f"there is no checkpoint {str(path)!r}; a path is wanted{known}")
    return path


def load_checkpoint(name: Path | str) -> Checkpoint:
    """Read a checkpoint by path, by run folder or by the name of a shipped controller."""
    path = find(name)
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not a complete checkpoint: {error}") from error
    if metadata.get("format") != json.dumps(FORMAT):
        raise CheckpointError(
            f"{path} is no checkpoint of this package: format {metadata.get('format')}, not {FORMAT!r}"
        )
    try:
        return _assemble({key: json.loads(value) for key, value in metadata.items()}, tensors)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} contradicts itself: {error}") from error


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    config = network_config(header["network"])
    if header["task"] not in TASKS:
        raise ValueError(f"unknown task {header['task']!r}: there are {', '.join(TASKS)}")
    arm = Arm(**{key: _tupled(value) for key, value in header["arm"].items()})
    network = build(config, TASKS[header["task"]], arm, torch.Generator())
    stored = {key.removeprefix("network."): value for key, value in tensors.items() if key.startswith("network.")}
    for name, parameter in network.state_dict().items():
        if name not in stored or stored[name].shape != parameter.shape:
            found = tuple(stored[name].shape) if name in stored else "missing"
            raise ValueError(f"{config.neurons} neurons need {name} {tuple(parameter.shape)}, but it is {found}")
        if not torch.isfinite(stored[name]).all():
            raise ValueError(f"{name} is not finite")
    network.load_state_dict(stored)
    return Checkpoint(
        network=network,
        task=header["task"],
        arm=arm,
        weights=CostWeights(**header["weights"]),
        noise=header["noise"],
        training=header["training"],
        tensors={k.removeprefix("training."): v for k, v in tensors.items() if k.startswith("training.")},
    )


def _tupled(value: Any) -> Any:
    """JSON's lists as the tuples they were."""
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value
