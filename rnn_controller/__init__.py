"""The recurrent controller of Huh & Todorov (2009), and the trainer that finds its weights.

>>> from rnn_controller import load
>>> policy = load("reach")
>>> action, state = policy.predict(observation)

The names are imported when they are first used, so that the command line begins, and can be
stopped, at once.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_controller.checkpoint import Checkpoint, CheckpointError, load_checkpoint
    from rnn_controller.export import to_json, to_onnx
    from rnn_controller.networks.equation_module import EquationConfig, EquationModule
    from rnn_controller.networks.recurrent import NetworkConfig, RecurrentController
    from rnn_controller.planning.planner import plan
    from rnn_controller.planning.plans import Plan
    from rnn_controller.policy import Policy, load
    from rnn_controller.training.trainer import TrainConfig, Trainer, TrainingError, train

_EARLIER = {
    "network": "networks.recurrent",
    "modules": "networks.modules",
    "coordinates": "networks.coordinates",
    "plain_torch": "networks.plain_torch",
    "closed_loop": "rollouts.closed_loop",
    "lane_algebra": "rollouts.lane_algebra",
    "vector_tracing": "rollouts.vector_tracing",
    "body": "rollouts.body",
    "plant": "rollouts.plant",
    "pontryagin": "rollouts.pontryagin",
    "parallel": "rollouts.parallel",
    "trainer": "training.trainer",
    "recipes": "training.recipes",
    "movements": "training.trials",
    "training.movements": "training.trials",
    "objective": "training.objective",
    "optimizers": "training.optimizers",
    "position": "training.state",
    "training.position": "training.state",
    "run_folder": "training.run_folder",
    "attractors": "analysis.attractors",
    "neural": "analysis.neural",
}
_MODULES = {
    "checkpoint": ("Checkpoint", "CheckpointError", "load_checkpoint"),
    "export": ("to_json", "to_onnx"),
    "networks.equation_module": ("EquationConfig", "EquationModule"),
    "networks.recurrent": ("NetworkConfig", "RecurrentController"),
    "planning.planner": ("plan",),
    "planning.plans": ("Plan",),
    "policy": ("Policy", "load"),
    "training.trainer": ("TrainConfig", "Trainer", "TrainingError", "train"),
}
__all__ = [
    "Checkpoint",
    "CheckpointError",
    "EquationConfig",
    "EquationModule",
    "NetworkConfig",
    "Plan",
    "Policy",
    "RecurrentController",
    "TrainConfig",
    "Trainer",
    "TrainingError",
    "load",
    "load_checkpoint",
    "plan",
    "to_json",
    "to_onnx",
    "train",
]


class _Moved:
    """``arm_env.moved.Moved``, which takes a second to import, once it is needed."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        package, _, earlier = name.partition(".")
        if package != __name__ or earlier not in _EARLIER:
            return None
        from arm_env.moved import Moved

        return Moved(__name__, _EARLIER).find_spec(name)


sys.meta_path.insert(0, _Moved())  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    if name in _EARLIER:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
