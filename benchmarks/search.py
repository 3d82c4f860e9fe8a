"""Search the settings of a baseline: ``python -m benchmarks.search ppo reach``.

Optuna proposes settings, and Ray Tune runs the trials. After each leg of its training a trial is
measured on the task as it is. Asynchronous successive halving (ASHA) stops trials that are worse
than others at the same leg. The study is stored with its best settings, which
``benchmarks.baselines.settings`` takes from there.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro

import arm_env
from arm_env.checked import Checked, within
from arm_env.files import write_whole
from arm_env.tasks.registry import TASKS
from benchmarks import train_baseline
from benchmarks.baselines import settings
from benchmarks.places import STUDIES
from benchmarks.runs import TaskName, command_line
from rnn_controller.options import value
from rnn_controller.outputs import output_folder

SPACES = Path(__file__).with_name("search.toml")
LEGS = 10  # of a trial, after each of which it may be stopped
METRIC = "mean_value"


@dataclass(frozen=True)
class Args(Checked):
    """Search the settings of an algorithm of stable-baselines3 on a task, and store the study.

    Trials are written to the folder --work. A search that was stopped goes on with the same
    command.

    Examples:
      python -m benchmarks.search ppo reach
      python -m benchmarks.search sac circle --trials 6 --core-seconds 60 --output runs/studies
    """

    algo: tyro.conf.Positional[Literal["crossq", "ppo", "recurrent-ppo", "sac", "tqc"]]
    """Algorithm whose settings are searched."""
    task: tyro.conf.Positional[TaskName]
    """Task that it is trained for."""
    trials: int = within(12, 1, 10_000)
    """Number of trials."""
    core_seconds: float = within(120.0, 1, 1e6)
    """Processor time of a trial that is not stopped [s]."""
    seed: int = within(0, 0, 2**31)
    """Seed of the proposals and of the trials."""
    workers: int = within(2, 1, 4096)
    """Number of trials at the same time on this machine."""
    address: Annotated[str | None, value("ADDRESS", default="none; this machine")] = None
    """Address of a Ray cluster to join, as for benchmarks.sweep."""
    work: Path = Path("runs/search")
    """Folder of the trials."""
    output: Path = STUDIES
    """Folder that the study is written to, as ALGO-ENV.json."""

    @property
    def environment(self) -> str:
        """Id of the environment of the task."""
        return TASKS[self.task].env_id

    @property
    def name(self) -> str:
        """Name of the study."""
        return f"{self.algo}-{self.environment}"

    @property
    def command(self) -> str:
        """The command that repeats the study."""
        return (
            f"python -m benchmarks.search {self.algo} {self.task} --trials {self.trials} "
            f"--core-seconds {self.core_seconds:g} --seed {self.seed}"
        )


def space_of(algorithm: str) -> dict[str, Any]:
    """Return what each setting is drawn from, by dotted names, as domains of Ray Tune."""
    from ray import tune

    def domain(given: Any) -> Any:
        if isinstance(given, list):
            return tune.choice(given)
        draw = tune.loguniform if given.get("log") else tune.uniform
        return draw(given["low"], given["high"])

    table = tomllib.loads(SPACES.read_text("utf-8"))[algorithm]
    return {name: domain(given) for name, given in table.items()}


def present(algorithm: str, environment: str) -> dict[str, Any]:
    """Return the settings of ``settings.toml`` that are searched; the first trial has them.

    A setting that is none there has the default of stable-baselines3, and the lowest value in the
    range stands for it.
    """
    table = tomllib.loads(SPACES.read_text("utf-8"))[algorithm]
    stored = settings(algorithm, environment, tuned=False)
    found: dict[str, Any] = {}
    for name, given in table.items():
        inner: Any = vars(stored)
        for key in name.split("."):
            inner = inner.get(key) if isinstance(inner, dict) else None
        lowest = given[0] if isinstance(given, list) else given["low"]
        found[name] = lowest if inner is None else inner
    return found


def trial(
    chosen: dict[str, Any], algorithm: str, environment: str, seed: int, budget: float
) -> None:
    """Train with the chosen settings, and report the measures after each leg."""
    from ray import tune

    torch.set_num_threads(1)
    folder = Path(tune.get_context().get_trial_dir())
    changes = {**chosen, "core_seconds": budget, "legs": LEGS}
    run = train_baseline.begun(
        algorithm, environment, seed, settings(algorithm, environment, changes, tuned=False), folder
    )
    for measures in run.legs():
        tune.report({"leg": run.number, **measures})


def search(args: Args) -> Path:
    """Run the trials that are left, and write the study."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    from benchmarks.sweep.cluster import cluster

    output = output_folder(args.output)
    name = f"{args.name}-{args.trials}-{args.core_seconds:g}-{args.seed}"
    work = (output_folder(args.work) / name).resolve()
    trainable = tune.with_resources(
        tune.with_parameters(
            trial,
            algorithm=args.algo,
            environment=args.environment,
            seed=args.seed,
            budget=args.core_seconds,
        ),
        {"cpu": 1},
    )
    with cluster(args.address, args.workers):
        if tune.Tuner.can_restore(str(work)):
            tuner = tune.Tuner.restore(str(work), trainable, resume_errored=True)
        else:
            tuner = tune.Tuner(
                trainable,
                param_space=space_of(args.algo),
                tune_config=tune.TuneConfig(
                    metric=METRIC,
                    mode="min",
                    num_samples=args.trials,
                    max_concurrent_trials=args.workers,
                    search_alg=OptunaSearch(
                        seed=args.seed, points_to_evaluate=[present(args.algo, args.environment)]
                    ),
                    scheduler=ASHAScheduler(time_attr="leg", max_t=LEGS, grace_period=3),
                ),
                run_config=tune.RunConfig(name=work.name, storage_path=str(work.parent), verbose=1),
            )
        results = tuner.fit()
    if results.num_terminated + results.num_errors < args.trials:
        raise KeyboardInterrupt  # which Ray Tune has taken for itself
    found = [results[i] for i in range(len(results))]
    trials = [form(result) for result in sorted(found, key=order)]
    return write_whole(
        output / f"{args.name}.json", json.dumps(study(args, trials), indent=1) + "\n"
    )


def order(result: Any) -> int:
    """Return the place of a trial among those of its search, from the name of its folder."""
    found = re.search(r"_(\d+)_", Path(result.path).name)
    return int(found.group(1)) if found else 0


def form(result: Any) -> dict[str, Any]:
    """Return a trial of Ray Tune as JSON values: its settings, and its curve over the legs."""
    frame = result.metrics_dataframe
    shown = ["leg", "steps", "core_seconds", METRIC]
    curve = "[]" if frame is None else frame[shown].to_json(orient="records")
    return {
        "settings": result.config,
        "error": None if result.error is None else str(result.error).splitlines()[-1],
        "curve": json.loads(curve),
    }


def study(args: Args, trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the study as JSON values. Raises ValueError if no trial came to its end."""
    whole = [t for t in trials if t["curve"] and t["curve"][-1]["leg"] == LEGS]
    if not whole:
        raise ValueError(f"no trial of {args.name} came to its end: {args.work} has their logs")
    best = min(whole, key=lambda t: t["curve"][-1][METRIC])
    spent = float(np.sum([t["curve"][-1]["core_seconds"] for t in trials if t["curve"]]))
    return {
        "algorithm": args.algo,
        "environment": args.environment,
        "seed": args.seed,
        "command": args.command,
        "version": arm_env.__version__,
        "core_seconds_of_a_trial": args.core_seconds,
        "core_seconds_of_all": round(spent, 1),
        "best": best["settings"],
        "trials": trials,
    }


def main(args: Args) -> None:
    """Search, and say what was found. Raises ValueError without Ray Tune and Optuna."""
    try:
        path = search(args)
    except ImportError as error:
        raise ValueError(
            f"a search needs Ray Tune and Optuna ({error}): "
            "pip install -c constraints.txt -e '.[sweep]'"
        ) from error
    found = json.loads(path.read_text("utf-8"))
    print(f"{path}: {len(found['trials'])} trials; the best has {json.dumps(found['best'])}")


if __name__ == "__main__":
    command_line(main, Args)
