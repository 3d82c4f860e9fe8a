"""A controller as it is exported: its equations, their numbers, and what they mean."""

from dataclasses import asdict, dataclass, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from arm_env import __version__
from arm_env.arguments import shown
from arm_env.dynamics.body import Body, body_of
from arm_env.envs.simulation import sensory_names
from arm_env.tasks.variables import SENSES
from rnn_controller.checkpoint import Checkpoint, load_checkpoint
from rnn_controller.policy import Policy, controller_of
from rnn_controller.rollouts.vector_tracing import Traced, trace


@dataclass(frozen=True)
class Exported:
    """A controller whose network is given by equations, as files for other programs describe it.

    Attributes:
        policy: The controller.
    """

    policy: Policy

    @classmethod
    def of(cls, controller: Any) -> "Exported":
        """Return the controller by its name or path, from its checkpoint, or as ``load`` gave it.

        Raises ValueError for any other controller.
        """
        if isinstance(controller, str | Path):
            controller = load_checkpoint(controller)
        if isinstance(controller, Checkpoint):
            controller = controller_of(controller)
        if not isinstance(controller, Policy):
            raise ValueError(
                "only a network that is given by its equations can be exported: a name such as "
                f"'reach', a path, a Checkpoint or a Policy, not {shown(controller)}"
            )
        return cls(controller)

    @property
    def network(self) -> Any:
        """The network."""
        return self.policy.network

    @property
    def body(self) -> Body:
        """The body that the network controls."""
        return body_of(self.network)

    @cached_property
    def traced(self) -> Traced:
        """The record of the network's equations."""
        return trace(self.network)

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of components of the arrays that the record begins with."""
        signals = self.body.sensory_size + self.network.command_size
        return {"signal": signals, "state": self.network.state_size}

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """Weights and constants, by the names w[i] and c[i] that the record gives them.

        They are matrices (m, n), vectors (n,) and numbers: () of a constant, (1,) of a weight.
        """
        groups = {"w": self.policy.plain_weights, "c": self.policy.plain_constants}
        return {
            f"{group}[{i}]": np.asarray(value)
            for group, values in groups.items()
            for i, value in enumerate(values)
        }

    @cached_property
    def names(self) -> dict[str, str]:
        """Names such as ``weights.recurrent`` of the values, by those of the record."""
        groups = {"weights": self.network.weights, "constants": self.network.constants}
        return {
            f"{group[0]}[{i}]": f"{group}.{name}"
            for group, values in groups.items()
            for i, name in enumerate(values._asdict())
        }

    @property
    def observation(self) -> list[dict[str, str]]:
        """Name and unit of each component of an observation; the unit is empty if not known."""
        body, task = self.body, self.policy.task
        signals = zip(SENSES, body.sensory_units, strict=True)
        units = [unit for _, unit in signals for _ in body.muscles]
        if task is None:
            names = tuple(f"command_{i}" for i in range(self.network.command_size))
            command_units: tuple[str, ...] = ("",) * len(names)
        else:
            names, command_units = task.labels.commands, task.labels.command_units
        return [
            {"name": name, "unit": unit}
            for name, unit in zip(
                (*sensory_names(body), *names), (*units, *command_units), strict=True
            )
        ]

    def description(self) -> dict[str, Any]:
        """Return what the numbers mean, as values that JSON can hold."""
        network, task, config = self.network, self.policy.task, self.network.config
        kind = type(network)
        return {
            "producer": "rnn-motor-control",
            "version": __version__,
            "task": task and task.name,
            "environment": task and task.env_id,
            "control_period": self.policy.control_period,
            "class": f"{kind.__module__}:{kind.__qualname__}",
            "config": asdict(config) if is_dataclass(config) else {},  # type: ignore[arg-type]
            "observation": self.observation,
            "action": [{"name": muscle, "unit": "1"} for muscle in self.body.muscles],
            "max_excitation": float(self.policy.max_excitation),
            "initial_state": self.policy.rest_state.tolist(),
        }
