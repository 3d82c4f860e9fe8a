"""Train a baseline: ``python -m benchmarks.train_baseline --algo ppo --env ReachArm-v0 --seed 0``.

A run is divided into legs. Each begins with the files that the last one saved, with new episodes,
and with its own random numbers. A run that was stopped and resumed therefore ends as an
uninterrupted one does.
"""

import json
import math
import shutil
import time
from collections.abc import Iterator
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
from benchmarks.baselines import ALGORITHMS, Settings, keep, normalisation_of, settings, start_at
from benchmarks.changes import assignments, differing
from benchmarks.runs import (
    CURVE_MOVEMENTS,
    CURVE_SEED,
    NOISE,
    EnvironmentId,
    Times,
    command_line,
    curve_point,
    times_of,
)
from rnn_controller.options import value
from rnn_controller.outputs import output_folder

MOST_STEPS = 10**12  # which no run reaches
MODEL, NORMALISATION, BUFFER, RECORD = "model.zip", "normalisation.pkl", "buffer.pkl", "record.json"


@dataclass(frozen=True)
class Args:
    """Train an algorithm of stable-baselines3, with the settings in benchmarks/settings.toml.

    The policy and the learning curve are written to the folder --output.

    Examples:
      python -m benchmarks.train_baseline --algo ppo --env ReachArm-v0
      python -m benchmarks.train_baseline --steps 200000 --output runs/short-ppo
    """

    algo: Literal["crossq", "ppo", "recurrent-ppo", "sac", "tqc"] = "ppo"
    """Algorithm to train."""
    env: EnvironmentId = "ReachArm-v0"
    """Environment id."""
    seed: int = 0
    """Seed of the weights, the movements, the noise and the exploration."""
    steps: Annotated[int | None, value(default="that of the settings")] = None
    """Number of environment steps."""
    core_seconds: Annotated[float | None, value(default="none; the number of steps ends it")] = None
    """Processor time after which the training ends [s]; it replaces the number of steps."""
    change: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Change of one setting, such as model.gamma=0.95. This option may be repeated."""
    output: Annotated[Path | None, value("FOLDER", default="runs/ALGO-ENV-SEED")] = None
    """Folder of the run."""
    resume: bool = False
    """Continue the run in that folder."""
    tensorboard: bool = False
    """Log for TensorBoard into that folder."""


class Leg(BaseCallback):
    """A progress bar, and the end of a leg whose processor time is used up.

    A leg ends between two rollouts, since nothing would be learnt from a part of one.
    """

    def __init__(self, bar: Any, end: float):
        super().__init__()
        self.bar = bar
        self.end = end  # [s] of this process's processor time
        self.over = False

    def _on_rollout_start(self) -> None:
        self.over = time.process_time() >= self.end
        self.bar.update(self.num_timesteps - self.bar.n)

    def _on_step(self) -> bool:
        return not self.over


@dataclass
class Run:
    """A run in its folder, with the progress so far."""

    args: Args
    settings: Settings
    folder: Path
    record: dict[str, Any]

    @property
    def number(self) -> int:
        """Number of legs that are done."""
        return len(self.record["curve"])

    @property
    def steps(self) -> int:
        """Number of environment steps that are done."""
        return self.record["curve"][-1]["steps"] if self.record["curve"] else 0

    @property
    def times(self) -> Times:
        """How long the run has been trained."""
        return times_of(self.record["curve"])

    @property
    def last(self) -> Path:
        """Folder that the last leg was saved in."""
        return self.folder / f"leg-{self.number}"

    def legs(self) -> Iterator[dict[str, Any]]:
        """Train the legs that are left; yield the measures after each, when it is saved."""
        s = self.settings
        title = f"{self.args.algo} {self.args.env}"
        total = None if s.core_seconds else s.steps
        with tqdm(total=total, initial=self.steps, desc=title, unit_scale=True) as bar:
            while self.number < s.legs:
                measures = self.leg(bar)
                bar.update(self.steps - bar.n)
                bar.set_postfix_str(
                    f"leg {self.number} of {s.legs}, value {measures['mean_value']:.3f}"
                )
                yield measures

    def go(self) -> None:
        """Train to the end."""
        for _ in self.legs():
            pass

    def leg(self, bar: Any) -> dict[str, Any]:
        """Train and save the next leg; return its measures."""
        s = self.settings
        share = (self.number + 1) / s.legs
        before = self.times
        begun, core = time.monotonic(), time.process_time()
        model = self.prepare()
        if s.core_seconds:
            until = MOST_STEPS
            end = core + share * s.core_seconds - before.core_seconds
        else:
            until = int(s.steps * share)
            end = math.inf
        model.learn(until - model.num_timesteps, Leg(bar, end), reset_num_timesteps=False)
        times = Times(
            before.seconds + time.monotonic() - begun,
            before.core_seconds + time.process_time() - core,
        )
        measures = self.evaluate(model, times)
        self.save(model)
        return measures

    def prepare(self) -> BaseAlgorithm:
        """Return the model at the beginning of the next leg."""
        s = self.settings
        progress = self.number / s.legs
        seed = int(np.random.SeedSequence((self.args.seed, self.number)).generate_state(1)[0])
        noise = NOISE * s.loudness(progress)
        arguments = {**s.environment, "weights": s.weights(self.args.env, progress), "noise": noise}
        arms = Smoothed(as_sb3_vec_env(self.args.env, s.num_envs, **arguments), s.smoothing)
        rate = s.model["learning_rate"] * (1 - progress if s.decay else 1)
        algorithm = ALGORITHMS[self.args.algo]
        if self.number == 0:
            log = str(self.folder / "tensorboard") if self.args.tensorboard else None
            arguments = {**s.model, "learning_rate": rate, "tensorboard_log": log}
            model = algorithm(
                s.policy,
                VecNormalize(arms, gamma=s.model["gamma"]),
                seed=seed,
                device="cpu",
                **arguments,
            )
            start_at(model, s.initial_action)
            return model
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

    def evaluate(self, model: BaseAlgorithm, times: Times) -> dict[str, Any]:
        """Add a point to the learning curve, and one to SB3's own evaluations.npz."""
        episodes = Smoothed(as_sb3_vec_env(self.args.env, CURVE_MOVEMENTS), self.settings.smoothing)
        episodes.seed(CURVE_SEED)
        callback = EvalCallback(
            VecNormalize(episodes, training=False, norm_reward=False),
            n_eval_episodes=CURVE_MOVEMENTS, eval_freq=1, log_path=str(self.folder), verbose=0,
        )  # fmt: skip
        if self.record["curve"]:
            with np.load(self.folder / "evaluations.npz") as past:
                before = slice(self.number)
                callback.evaluations_timesteps = past["timesteps"][before].tolist()
                callback.evaluations_results = past["results"][before].tolist()
                callback.evaluations_length = past["ep_lengths"][before].tolist()
        callback.init_callback(model)
        callback.on_step()
        controller = Trained(model, normalisation_of(model), smoothing=self.settings.smoothing)
        point = curve_point(controller, self.args.env, model.num_timesteps, times)
        self.record = {**self.record, "curve": [*self.record["curve"], point]}
        return point

    def save(self, model: BaseAlgorithm) -> None:
        """Write the controller, and a folder with all that the next leg needs."""
        partial = self.folder / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        model.save(partial / MODEL)
        normalisation_of(model).save(str(partial / NORMALISATION))
        if hasattr(model, "save_replay_buffer") and self.number < self.settings.legs:
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

    Raises ValueError if that has other settings.
    """
    changes = assignments(args.change)
    if args.steps is not None:
        changes["steps"] = args.steps
    if args.core_seconds is not None:
        changes["core_seconds"] = args.core_seconds
    return open_with(args, settings(args.algo, args.env, changes))


def open_with(args: Args, s: Settings) -> Run:
    """Return a new run with these settings, or the one in the folder.

    Raises ValueError if that has other settings.
    """
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
            raise ValueError(
                f"there is a run in {folder}: --resume goes on with it, "
                "--output chooses another folder"
            )
        return Run(args, s, output_folder(folder), {**record, "curve": []})
    if not saved:
        raise ValueError(f"there is no run in {folder} to resume: leave out --resume to begin one")
    stored = json.loads((saved[-1] / RECORD).read_text())
    other = [key for key in record if stored[key] != record[key]]
    if other == ["settings"]:
        other = differing(asdict(s), stored["settings"])
    if other:
        raise ValueError(
            f"the run in {folder} has another {' and '.join(other)}; take another folder"
        )
    return Run(args, s, folder, stored)


def begun(algorithm: str, env_id: str, seed: int, s: Settings, folder: Path) -> Run:
    """Return the run of a baseline in a folder; what was begun there goes on."""
    resume = any(folder.glob("leg-*"))
    args = Args(algorithm, env_id, seed, output=folder, resume=resume)  # type: ignore[arg-type]
    return open_with(args, s)


def main(args: Args) -> None:
    """Train on one thread; small networks are not faster on more."""
    torch.set_num_threads(1)
    run = open_run(args)
    run.go()
    print(f"the run is in {run.folder}")


if __name__ == "__main__":
    command_line(main, Args)
