"""The baselines' settings as hyperparameter files of rl_zoo3, and their curriculum as a callback.

``python -m benchmarks.zoo`` writes ``benchmarks/rl_zoo3/*.yml`` from ``settings.toml``.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from stable_baselines3.common.callbacks import BaseCallback

from arm_env.files import write_whole
from benchmarks.baselines import settings, start_at
from rnn_controller.training.recipes import narrowing_radius

FOLDER = Path(__file__).with_name("rl_zoo3")
NAMES = {
    "crossq": "crossq",
    "ppo": "ppo",
    "recurrent-ppo": "ppo_lstm",
    "sac": "sac",
    "tqc": "tqc",
}
"""rl_zoo3's names of the algorithms, by those of this package."""
ENV_IDS = ("ReachArm-v0", "CircleArm-v0", "FollowArm-v0")
HEAD = """\
# Hyperparameters for rl_zoo3, written from benchmarks/settings.toml by: python -m benchmarks.zoo
# Run rl_zoo3 in the folder that holds benchmarks/, since the callback is imported from there:
#   python -m rl_zoo3.train --algo {name} --env ReachArm-v0 --gym-packages arm_env \\
#       --conf-file benchmarks/rl_zoo3/{name}.yml --num-threads 1
# Four things differ from python -m benchmarks.train_baseline --algo {algorithm}:
# - rl_zoo3 makes one environment per arm, which is slower than one vector environment.
# - The learning rate falls with every step, not between legs.
# - The first episode of each arm has the task's own noise and target.
# - rl_zoo3 counts steps; it knows no limit on processor time.
"""


class Curriculum(BaseCallback):
    """The baselines' curriculum: a wide target that narrows, and noise that grows, leg by leg.

    An untrained policy begins with the mean action ``initial_action``.

    It acts on environments of this package in a ``VecEnv`` of stable-baselines3 that holds one
    environment per arm. ``noise`` holds the shares of the legs after which the noise begins to
    grow, and is the environments' own (above 1: it never is). The last leg has the task's target.
    """

    def __init__(
        self,
        legs: int,
        initial_target_radius: float,
        anneal_fraction: float,
        noise: tuple[float, float],
        initial_action: float,
    ):
        super().__init__()
        self.legs = legs
        self.initial_target_radius = initial_target_radius
        self.anneal_fraction = anneal_fraction
        self.noise = noise
        self.initial_action = initial_action
        self.leg = -1

    def _on_training_start(self) -> None:
        if not self.num_timesteps:
            start_at(self.model, self.initial_action)
        self.total = self.locals["total_timesteps"]
        self.final_weights = self.training_env.get_attr("weights")[0]
        self.final_noise = self.training_env.get_attr("noise")[0]

    def _on_rollout_start(self) -> None:
        leg = min(self.legs * self.num_timesteps // self.total, self.legs - 1)
        if leg == self.leg:
            return
        self.leg, progress = leg, leg / self.legs
        final = self.final_weights.target_radius
        radius = narrowing_radius(progress, self.initial_target_radius, self.anneal_fraction, final)
        weights = replace(self.final_weights, target_radius=radius)
        noise = self.final_noise * float(np.interp(progress, self.noise, (0.0, 1.0)))
        # SB3's set_attr would stop at the outermost wrapper
        self.training_env.env_method("set_wrapper_attr", "weights", weights)
        self.training_env.env_method("set_wrapper_attr", "noise", noise)

    def _on_step(self) -> bool:
        return True


def hyperparameters(algorithm: str, env_id: str) -> dict[str, Any]:
    """Return the settings of an algorithm on a task in the form of rl_zoo3."""
    s = settings(algorithm, env_id)
    curriculum = {
        "legs": s.legs,
        "initial_target_radius": s.initial_target_radius,
        "anneal_fraction": s.anneal_fraction,
        "noise": s.noise,
        "initial_action": s.initial_action,
    }
    rate = s.model["learning_rate"]
    table = {
        "n_timesteps": s.steps,
        "n_envs": s.num_envs,
        "policy": s.policy,
        "normalize": True,
        "env_kwargs": s.environment,
        "env_wrapper": [{"gymnasium.wrappers.RescaleAction": {"min_action": -1, "max_action": 1}}],
        "callback": [{"benchmarks.zoo.Curriculum": curriculum}],
        **s.model,
        "learning_rate": f"lin_{rate}" if s.decay else rate,
    }
    if s.smoothing:
        table["vec_env_wrapper"] = [{"arm_env.sb3.Smoothed": {"time_constant": s.smoothing}}]
    return table


def written(algorithm: str) -> str:
    """Return the text of the file of an algorithm."""
    table = {env_id: hyperparameters(algorithm, env_id) for env_id in ENV_IDS}
    head = HEAD.format(name=NAMES[algorithm], algorithm=algorithm)
    return head + "\n" + yaml.safe_dump(table, sort_keys=False, width=88, default_flow_style=None)


def main() -> None:
    """Write the files of all algorithms."""
    FOLDER.mkdir(exist_ok=True)
    for algorithm, name in NAMES.items():
        write_whole(FOLDER / f"{name}.yml", written(algorithm))
        print(FOLDER / f"{name}.yml")


if __name__ == "__main__":
    main()
