"""The files of the live page: those of the folder ``page``, the printed model, and its numbers."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arm_env.dynamics.body import ARM
from arm_env.dynamics.parameters import Arm
from arm_env.envs import muscle_paths
from arm_env.envs.simulation import substeps_of
from arm_env.tasks.registry import TASKS
from rnn_controller.checkpoint import Checkpoint
from rnn_controller.live.model import controller_data, model_source
from rnn_controller.live.plans import ShownPlan, plan_data, shown_plans
from rnn_controller.rollouts.pontryagin import rollout

PAGE = files("rnn_controller") / "live" / "page"
SHOWN = ("reach", "circle", "follow")
"""Tasks that the page can show."""
PERIODS = 100  # of the reference movements
NOISE = 0.5  # width of the range of their uniform noise


def page_files(
    controllers: Mapping[str, Checkpoint], plans: Sequence[str] = (), *, public: bool = False
) -> dict[str, bytes]:
    """Return the bytes of each file by its relative path, such as ``index.html``.

    ``plans`` are paths or shipped names of plans; the page opens with the first of them. The
    shipped plans for the controllers are shown, too. The files of a ``public`` page don't say in
    which folders the plans lie. Raises ValueError for a controller whose task the page can't show,
    and for a plan that ``shown_plans`` refuses.
    """
    for name, checkpoint in controllers.items():
        if checkpoint.task not in SHOWN or checkpoint.orbit is not None:
            raise ValueError(f"the page shows {', '.join(SHOWN)} of the arm, not {name}'s task")
    found = {
        file.name: file.read_bytes()
        for file in sorted(PAGE.iterdir(), key=lambda file: file.name)
        if file.is_file()
    }
    found["model.js"] = model_source(controllers).encode()
    shown = shown_plans(controllers, plans)
    if public:
        shown = {name: each._replace(source=Path(each.source).name) for name, each in shown.items()}
    data = page_data(controllers, shown) | {"opensWithPlan": bool(plans)}
    found["data.json"] = json.dumps(data, separators=(",", ":")).encode()
    return found


def page_data(
    controllers: Mapping[str, Checkpoint], plans: Mapping[str, ShownPlan]
) -> dict[str, Any]:
    """Return the controllers, their reference movements, the plans, and how the arm is drawn."""
    task = TASKS["reach"]
    return {
        "muscles": list(ARM.muscles),
        "workspace": {"shoulder": list(task.shoulder), "elbow": list(task.elbow)},
        "stops": [list(Arm().lower_stop), list(Arm().upper_stop)],
        "drawing": {
            "muscles": [
                {
                    "side": muscle.side,
                    "pulley": muscle.pulley,
                    "origin": list(muscle.origin),
                    "insertion": list(muscle.insertion),
                }
                for muscle in muscle_paths.LAYOUT
            ],
            "trunk": muscle_paths.TRUNK_OUTLINE.round(4).tolist(),
            "head": muscle_paths.HEAD_OUTLINE.round(4).tolist(),
            "nose": muscle_paths.NOSE.tolist(),
        },
        "controllers": [
            {
                **controller_data(name, checkpoint),
                "links": list(checkpoint.arm.length),
                "usualArm": checkpoint.arm == Arm(),
                "reference": reference(checkpoint),
            }
            for name, checkpoint in controllers.items()
        ],
        "plans": [plan_data(name, shown, controllers) for name, shown in plans.items()],
    }


def uniform_noise(number: int) -> np.ndarray:
    """Return numbers (n,) in ±``NOISE`` / 2 of a generator that is easy to write in any language.

    It is that of Park & Miller (1988), whose whole numbers are exact in float64.
    """
    seed, drawn = 1, []
    for _ in range(number):
        seed = seed * 16807 % 2147483647
        drawn.append(NOISE * (seed / 2147483647 - 0.5))
    return np.array(drawn)


def reference(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a noisy movement that the compiled code computed, for the page to repeat.

    The command changes in the middle.
    """
    network, arm, task = checkpoint.network, checkpoint.arm, TASKS[checkpoint.task]
    rng = np.random.default_rng(0)
    commands = task.sample_commands(rng, 2, arm)
    start = task.attractor_state(rng, arm, commands[:1])
    signals = ARM.sensory_size + task.command_size + ARM.muscle_count
    noise = uniform_noise(PERIODS * signals).reshape(1, PERIODS, signals)
    rest = np.zeros((1, network.state_size))
    each = commands.repeat(PERIODS // 2, 0)[None]
    x0, y0, k, w = (torch.from_numpy(value) for value in (start, rest, each, noise))
    steps = substeps_of(network.config.control_period)
    states = rollout(network, arm, x0, y0, k, w, steps)[0][0].detach()
    return {"noise": NOISE, "commands": commands.tolist(), "states": states.tolist()}
