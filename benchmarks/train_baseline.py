"""Train a baseline: ``python -m benchmarks.train_baseline --algo ppo --env ReachArm-v0 --seed 0``.

A run is divided into legs. Each begins with the files that the last one saved, with new episodes,
and with its own random numbers. A run that was stopped and resumed therefore ends as an
uninterrupted one does.
"""

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.vec_env import VecNormalize
from tqdm import tqdm

from arm_env.sb3 import Smoothed, Trained, as_sb3_vec_env
from benchmarks.baselines import ALGORITHMS, Settings, keep, normalisation_of, settings
from benchmarks.runs import (
    CURVE_MOVEMENTS,
    CURVE_SEED,
    NOISE,
    EnvironmentId,
    command_line,
    curve_point,
)
from rnn_controller.options import value

MODEL, NORMALISATION, BUFFER, RECORD = "model.zip", "normalisation.pkl", "buffer.pkl", "record.json"


@dataclass(frozen=True)
class Args:
    """Train an algorithm of stable-baselines3, with the settings in benchmarks/settings.toml.

    The policy and the learning curve are written to the folder --output.

    Examples:
      python -m benchmarks.train_baseline --algo ppo --env ReachArm-v0
      python -m benchmarks.train_baseline --steps 200000 --output runs/short-ppo
    """

    algo: Literal["ppo", "recurrent-ppo", "sac", "tqc"] = "ppo"
    """Algorithm to train."""
    env: EnvironmentId = "ReachArm-v0"
    """Environment id."""
    seed: int = 0
    """Seed of the weights, the movements, the noise and the exploration."""
    steps: Annotated[int | None, value(default="that of the settings")] = None
    """Number of environment steps."""
    change: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Change of one setting, such as model.gamma=0.95. This option may be repeated."""
    output: Annotated[Path | None, value("FOLDER", default="runs/ALGO-ENV-SEED")] = None
    """Folder of the run."""
    resume: bool = False
    """Continue the run in that folder."""
    tensorboard: bool = False
    """Log for TensorBoard into that folder."""


class Progress(BaseCallback):
    """A progress bar of the steps that are done."""

    def __init__(self, bar: Any):
        super().__init__()
        self.bar = bar

    def _on_rollout_start(self) -> None:
        self.bar.update(self.num_timesteps - self.bar.n)

    def _on_step(self) -> bool:
        return True


@dataclass
class Run:
    """A run in its folder, with the progress so far."""

    args: Args
    settings: Settings
    folder: Path
    record: dict[str, Any]

    @property
    def steps(self) -> int:
        """Number of environment steps that are done."""
        return self.record["curve"][-1]["steps"] if self.record["curve"] else 0

    @property
    def last(self) -> Path:
        """Folder that the last leg was saved in."""
        return self.folder / f"leg-{len(self.record['curve'])}"

    def go(self) -> None:
        """Train the legs that are left."""
        legs = np.linspace(0, self.settings.steps, self.settings.legs + 1).astype(int).tolist()
        title = f"{self.args.algo} {self.args.env}"
        with tqdm(total=legs[-1], initial=self.steps, desc=title, unit_scale=True) as bar:
            for end in legs[len(self.record["curve"]) + 1 :]:
                begun = time.monotonic()
                model = self.prepare()
                model.learn(end - model.num_timesteps, Progress(bar), reset_num_timesteps=False)
                measures = self.evaluate(model, time.monotonic() - begun)
                bar.update(model.num_timesteps - bar.n)
                bar.set_postfix_str(f"V {measures['mean_value']:.3f}")
                self.save(model)

    def prepare(self) -> BaseAlgorithm:
        """Return the model at the beginning of the next leg."""
        s = self.settings
        number = len(self.record["curve"])
        progress = number / s.legs
        seed = int(np.random.SeedSequence((self.args.seed, number)).generate_state(1)[0])
        noise = NOISE * s.loudness(progress)
        arguments = {**s.environment, "weights": s.weights(self.args.env, progress), "noise": noise}
        arms = Smoothed(as_sb3_vec_env(self.args.env, s.num_envs, **arguments), s.smoothing)
        rate = s.model["learning_rate"] * (1 - progress if s.decay else 1)
        algorithm = ALGORITHMS[self.args.algo]
        if number == 0:
            log = str(self.folder / "tensorboard") if self.args.tensorboard else None
            arguments = {**s.model, "learning_rate": rate, "tensorboard_log": log}
            return algorithm(
                s.policy,
                VecNormalize(arms, gamma=s.model["gamma"]),
                seed=seed,
                device="cpu",
                **arguments,
            )
        environments = VecNormalize.load(str(self.last / NORMALISATION), arms)
        model = algorithm.load(
            self.last / MODEL,
            environments,
            device="cpu",
            custom_objects={"seed": seed, "learning_rate": rate},
        )
        if hasattr(model, "load_replay_buffer"):
            model.load_replay_buffer(self.last / BUFFER)
        return model

    def evaluate(self, model: BaseAlgorithm, seconds: float) -> dict[str, Any]:
        """Add a point to the learning curve, and one to SB3's own evaluations.npz."""
        episodes = Smoothed(as_sb3_vec_env(self.args.env, CURVE_MOVEMENTS), self.settings.smoothing)
        episodes.seed(CURVE_SEED)
        callback = EvalCallback(
            VecNormalize(episodes, training=False, norm_reward=False),
            n_eval_episodes=CURVE_MOVEMENTS, eval_freq=1, log_path=str(self.folder), verbose=0,
        )  # fmt: skip
        if self.record["curve"]:
            with np.load(self.folder / "evaluations.npz") as past:
                before = slice(len(self.record["curve"]))
                callback.evaluations_timesteps = past["timesteps"][before].tolist()
                callback.evaluations_results = past["results"][before].tolist()
                callback.evaluations_length = past["ep_lengths"][before].tolist()
        callback.init_callback(model)
        callback.on_step()
        controller = Trained(model, normalisation_of(model), smoothing=self.settings.smoothing)
        seconds += self.record["curve"][-1]["seconds"] if self.record["curve"] else 0
        point = curve_point(controller, self.args.env, model.num_timesteps, seconds)
        self.record = {**self.record, "curve": [*self.record["curve"], point]}
        return point

    def save(self, model: BaseAlgorithm) -> None:
        """Write the controller, and a folder with all that the next leg needs."""
        partial = self.folder / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        model.save(partial / MODEL)
        normalisation_of(model).save(str(partial / NORMALISATION))
        if hasattr(model, "save_replay_buffer") and self.steps < self.settings.steps:
            model.save_replay_buffer(partial / BUFFER)
        (partial / RECORD).write_text(json.dumps(self.record))
        shutil.rmtree(self.last, ignore_errors=True)
        partial.rename(self.last)
        for old in self.folder.glob("leg-*"):
            if old != self.last:
                shutil.rmtree(old)
        keep(model, self.folder, self.record)


def open_run(args: Args) -> Run:
    """Return a new run, or the one in the folder.

    Raises SystemExit if that has other settings.
    """
    changes = args.change if args.steps is None else (*args.change, f"steps={args.steps}")
    s = settings(args.algo, args.env, changes)
    folder = args.output or Path("runs") / f"{args.algo}-{args.env}-{args.seed}"
    record = {
        "algorithm": args.algo,
        "environment": args.env,
        "seed": args.seed,
        "settings": asdict(s),
    }
    saved = sorted(folder.glob("leg-*"), key=lambda path: int(path.name.split("-")[1]))
    if not args.resume:
        if saved:
            raise SystemExit(
                f"there is a run in {folder}: --resume goes on with it, "
                "--output chooses another folder"
            )
        return Run(args, s, folder, {**record, "curve": []})
    if not saved:
        raise SystemExit(f"there is no run in {folder} to resume: leave out --resume to begin one")
    stored = json.loads((saved[-1] / RECORD).read_text())
    other = [key for key in record if stored[key] != record[key]]
    if other:
        raise SystemExit(
            f"the run in {folder} has another {' and '.join(other)}: {stored[other[0]]}"
        )
    return Run(args, s, folder, stored)


def main(args: Args) -> None:
    """Train on one thread; small networks are not faster on more."""
    torch.set_num_threads(1)
    run = open_run(args)
    run.go()
    print(f"the run is in {run.folder}")


if __name__ == "__main__":
    command_line(main, Args)
