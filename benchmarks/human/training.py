"""Networks that are trained on one curve: ``python -m benchmarks.human.training ellipse``."""

from dataclasses import replace

import arm_env
from benchmarks.human.curves import OneFrequency
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.training.trainer import DEFAULTS, TrainConfig

LAP = (0.5, 0.9)  # [s] as commanded; the hand is slower
RADIUS = (0.06, 0.09)  # [m]
CURVES: dict[str, arm_env.Orbit] = {
    "ellipse": arm_env.Ellipse(radius=RADIUS, lap=LAP),
    "triangle": OneFrequency(frequency=3, radius=RADIUS, lap=LAP),
    "square": OneFrequency(frequency=4, radius=RADIUS, lap=LAP),
}
COSTS = {"effort": {"alpha": 0.1, "gamma": 20.0}, "speed": {"alpha": 2.0, "gamma": 0.05}}


def config(curve: str, cost: dict[str, float], iterations: int = 1000) -> TrainConfig:
    """Return the configuration of the training on a curve."""
    base = DEFAULTS["circle"]
    return replace(
        base,
        orbit=CURVES[curve],
        network=NetworkConfig(neurons=36),
        cost=replace(base.cost, **cost),
        iterations=iterations,
        batch_size=50,
    )
