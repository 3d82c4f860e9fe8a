"""The command that lists the controllers that come with the package."""

import json
from dataclasses import dataclass
from importlib.resources import as_file
from typing import Any

import safetensors

from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import TRAINED, find
from rnn_controller.checkpoint_header import stored_network
from rnn_controller.networks.modules import NETWORKS

COLUMNS = ("name", "task", "neurons", "network", "training")


@dataclass(frozen=True)
class List:
    """List the controllers that come with the package.

    Every command takes them by these names.

    Examples:
      python -m rnn_controller list
      python -m rnn_controller list --json
    """

    json: bool = False
    """Print the list as JSON instead of a table."""

    def run(self) -> None:
        """Print the list."""
        found = [entry(name) for name in shipped()]
        if self.json:
            print(json.dumps(found, indent=2))
            return
        rows = [COLUMNS, *(tuple(str(e[column]) for column in COLUMNS) for e in found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())


def shipped() -> list[str]:
    """Return the names of the controllers that come with the package, reach first."""
    names = [file.name.removesuffix(".safetensors") for file in TRAINED.iterdir()]
    order = ("reach", "circle", "follow", "reach-paper", "circle-paper")
    return sorted(names, key=lambda name: (order.index(name) if name in order else 9, name))


def entry(name: str) -> dict[str, Any]:
    """Return what the header of a shipped controller says; its weights are not read."""
    with as_file(find(name)) as path, safetensors.safe_open(path, "np") as file:
        header = {key: json.loads(value) for key, value in file.metadata().items()}
    config = stored_network(header["network"])
    network: Any = NETWORKS[type(config)]
    training = header["training"].get("config", {})
    iterations = training.get("iterations")
    return {
        "name": name,
        "task": f"{header['task']}: {TASKS[header['task']].summary[:-1].lower()}",
        "neurons": getattr(config, "neurons", None),
        "network": network.__doc__.partition("\n")[0].removeprefix("The ").rstrip("."),
        "training": ", ".join(
            [
                f"recipe {training.get('recipe')}",
                *([f"{iterations} iterations"] if iterations else []),
                f"seed {training.get('seed')}",
            ]
        ),
    }
