"""The baselines of stable-baselines3: their settings, and the files of a trained one."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from sb3_contrib import TQC, CrossQ, RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.crossq.policies import Actor as CrossQActor
from sb3_contrib.tqc.policies import Actor as TQCActor
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3.sac.policies import Actor as SACActor

from arm_env.arguments import count, flag, number, numbers, shown
from arm_env.checked import with_present_names
from arm_env.dynamics.parameters import CostWeights
from arm_env.files import write_whole
from arm_env.sb3 import Smoothed, Trained, as_sb3_vec_env
from arm_env.tasks.registry import task_of_environment
from benchmarks.changes import merged, nested
from benchmarks.optimality import PERIOD
from benchmarks.places import RECORD, STUDIES
from rnn_controller.training.trainer import narrowing_radius

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    "crossq": CrossQ,
    "ppo": PPO,
    "recurrent-ppo": RecurrentPPO,
    "sac": SAC,
    "tqc": TQC,
}
ACTORS: dict[str, type[BasePolicy]] = {
    "crossq": CrossQActor,
    "ppo": ActorCriticPolicy,
    "recurrent-ppo": RecurrentActorCriticPolicy,
    "sac": SACActor,
    "tqc": TQCActor,
}
SETTINGS = Path(__file__).with_name("settings.toml")


@dataclass(frozen=True)
class Settings:
    """The settings of one algorithm on one task, from its table in ``settings.toml``."""

    earlier_names = MappingProxyType(
        {"widest_target": "initial_target_radius", "narrowing": "anneal_fraction"}
    )

    steps: int
    """Number of environment steps, unless ``core_seconds`` is given."""
    num_envs: int
    """Number of arms in the vector environment."""
    policy: str
    """SB3's name of the kind of policy."""
    decay: bool
    """Whether the learning rate falls to zero, by equal steps between legs."""
    legs: int
    """Stretches of training; after each the run is evaluated and saved."""
    initial_target_radius: float
    """Radius d0 of the distance term in the first leg [m]; it narrows to that of the task."""
    anneal_fraction: float
    """Share of the legs over which it does."""
    noise: tuple[float, float]
    """Shares of the legs after which the noise begins to grow, and is the environments' own; above
    1 for a noise that never grows so far."""
    smoothing: float | list[float]
    """Time constants [s] of the means of past observations that the policy sees; 0 for none."""
    environment: dict[str, Any]
    """Arguments of the environments that it trains in."""
    model: dict[str, Any]
    """Arguments of the algorithm."""
    core_seconds: float
    """Processor time after which the training ends [s]; 0 for none. All legs take equal shares."""
    initial_action: float
    """Mean action of the untrained policy, between −1, no excitation, and 1, the greatest."""

    def __post_init__(self) -> None:
        found: dict[str, Any] = {
            name: count(name, getattr(self, name), 1) for name in ("steps", "num_envs", "legs")
        }
        found["initial_target_radius"] = number(
            "initial_target_radius", self.initial_target_radius, 0, above=True
        )
        found["anneal_fraction"] = number("anneal_fraction", self.anneal_fraction, 0, 1)
        found["core_seconds"] = number("core_seconds", self.core_seconds, 0)
        found["initial_action"] = number("initial_action", self.initial_action, -1, 1)
        for name, value in found.items():
            object.__setattr__(self, name, value)
        flag("decay", self.decay)
        numbers("noise", self.noise, (2,))
        for name in ("model", "environment"):
            if not isinstance(value := getattr(self, name), dict):
                raise ValueError(f"{name} is a table of arguments, not {shown(value)}")

    def weights(self, env_id: str, progress: float) -> CostWeights:
        """Return the weights of the cost at ``progress`` from 0 to 1."""
        exact = task_of_environment(env_id).weights
        radius = narrowing_radius(
            progress, self.initial_target_radius, self.anneal_fraction, exact.target_radius
        )
        return replace(exact, target_radius=radius)

    def loudness(self, progress: float) -> float:
        """Return the noise at ``progress`` from 0 to 1, as a share of the final noise."""
        return float(np.interp(progress, self.noise, (0.0, 1.0)))


def settings(
    algorithm: str,
    env_id: str,
    changes: Mapping[str, Any] | None = None,
    *,
    tuned: bool = True,
) -> Settings:
    """Return the stored settings with changes by dotted names: {"model.gamma": 0.95}.

    If they are ``tuned``, the best settings of a stored study replace those of ``settings.toml``.
    Raises ValueError if there is no setting or argument of a name.
    """
    table = tomllib.loads(SETTINGS.read_text("utf-8"))[algorithm] | {"core_seconds": 0.0}
    task = task_of_environment(env_id)
    # an episode of training lasts as long as one of the registered environment, in longer steps
    length = round(task.max_episode_steps * PERIOD / table["environment"]["control_period"])
    table["environment"]["max_episode_steps"] = length
    best = best_of_study(algorithm, env_id) if tuned else {}
    new = with_present_names(Settings, nested({**best, **(changes or {})}))
    unknown = sorted(set(new) - set(table))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: none of the settings, {', '.join(table)}")
    found = Settings(**merged(table, new))
    arguments = [name for name in signature(ALGORITHMS[algorithm]).parameters if name != "env"]
    if wrong := sorted(set(found.model) - set(arguments)):
        names = ", ".join(f"model.{name}" for name in wrong)
        raise ValueError(f"{names}: none of the arguments of {algorithm}, {', '.join(arguments)}")
    return found


def best_of_study(algorithm: str, env_id: str) -> dict[str, Any]:
    """Return the settings that ``benchmarks.search`` found best; none if nothing was searched."""
    path = STUDIES / f"{algorithm}-{env_id}.json"
    return json.loads(path.read_text("utf-8"))["best"] if path.exists() else {}


def acting_parameters(policy: BasePolicy) -> int:
    """Return the number of parameters of the policy, without those of a critic."""
    return sum(
        p.numel()
        for name, p in policy.named_parameters()
        if "value" not in name and "critic" not in name
    )


def start_at(model: BaseAlgorithm, action: float) -> None:
    """Let an untrained policy have a mean action, of −1 to 1, in every observation."""
    actor = getattr(model, "actor", None)
    # the mean of SAC and its kin goes through tanh
    layer: Any = model.policy.action_net if actor is None else actor.mu
    with torch.no_grad():
        layer.weight.mul_(0.01)
        layer.bias.fill_(action if actor is None else math.atanh(action))


def normalisation_of(model: BaseAlgorithm) -> VecNormalize:
    """Return the running statistics of observations and rewards."""
    normalisation = model.get_vec_normalize_env()
    assert normalisation is not None
    return normalisation


def keep(model: BaseAlgorithm, folder: Path, record: dict[str, Any]) -> None:
    """Write the policy, its normalisation, and the record of its training."""
    policy = getattr(model, "actor", None) or model.policy
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "partial.file"
    for save, name in (
        (policy.save, "policy.pt"),
        (normalisation_of(model).save, "normalisation.pkl"),
    ):
        save(str(partial))
        partial.replace(folder / name)
    write_whole(
        folder / RECORD,
        json.dumps({**record, "parameters": acting_parameters(policy)}, indent=1) + "\n",
    )


def load_baseline(folder: Path) -> Trained:
    """Return a trained baseline as a controller of the environments."""
    record = json.loads((folder / RECORD).read_text())
    saved = torch.load(folder / "policy.pt", weights_only=False)
    # whose save, in sb3-contrib 2.9, forgets the size of the LSTM
    if record["algorithm"] == "recurrent-ppo":
        saved["data"].update(record["settings"]["model"].get("policy_kwargs", {}))
    policy = ACTORS[record["algorithm"]](**saved["data"])
    policy.load_state_dict(saved["state_dict"])
    policy.set_training_mode(False)
    smoothing = record["settings"].get("smoothing", 0.0)
    environments = Smoothed(as_sb3_vec_env(record["environment"], 1), smoothing)
    normalisation = VecNormalize.load(str(folder / "normalisation.pkl"), environments)
    return Trained(policy, normalisation, smoothing=smoothing)
