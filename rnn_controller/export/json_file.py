"""A controller's weights, equations and their meaning as JSON."""

import json
from pathlib import Path
from typing import Any

from arm_env.files import write_whole
from rnn_controller.export.exported import Exported
from rnn_controller.export.steps import steps_of
from rnn_controller.outputs import output_file

FORMAT = "rnn-motor-control controller 1"
SUFFIX = ".json"


def check_json(path: Path | str) -> Path:
    """Return the path, if a JSON file can be written there; raise ValueError or OSError else."""
    return output_file(path, (SUFFIX,), "a controller's JSON file")


def to_json(controller: Any, path: Path | str) -> Path:
    """Write a controller's weights, equations and their meaning as JSON; return the path.

    ``controller`` is a name such as "reach", a path, a ``Checkpoint``, or what ``load`` gave. The
    file has all that another program needs to compute the same actions: docs/how-to/export.md
    describes it. Numbers have all their digits. Raises ValueError for another suffix or controller.

    >>> to_json("reach", "reach.json")
    """
    path = check_json(path)
    return write_whole(path, printed(contents(Exported.of(controller))))


def contents(exported: Exported) -> dict[str, Any]:
    """Return what the file holds, as values that JSON can hold."""
    arrays: dict[str, dict[str, Any]] = {"weights": {}, "constants": {}}
    for place, value in exported.values.items():
        group, _, name = exported.names[place].partition(".")
        arrays[group][name] = {"shape": list(value.shape), "values": value.tolist()}
    return {
        "format": FORMAT,
        **exported.description(),
        **steps_of(exported.traced, exported.sizes, exported.values, exported.names),
        **arrays,
    }


def printed(told: dict[str, Any]) -> str:
    """Return JSON in which each weight, step and signal has one line."""
    lines = []
    for name, value in told.items():
        text = json.dumps(value)
        if isinstance(value, dict) and value:
            parts = [f"  {json.dumps(key)}: {json.dumps(part)}" for key, part in value.items()]
            text = "{\n" + ",\n".join(parts) + "\n }"
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join(f"  {json.dumps(part)}" for part in value) + "\n ]"
        lines.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
