"""The jobs of a sweep, from tables of settings.

A table holds a value or a list of values for each setting. Every combination of the values is a
job. A setting whose value is itself a list is given as a list of lists.
"""

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from arm_env.arguments import choice, shown
from arm_env.tasks.registry import TASKS
from benchmarks.changes import differing, flat
from benchmarks.named import named_function
from benchmarks.places import RECORD, RESULT

OWN = ("method", "task", "seed", "name")
"""Keys of a table that are no settings of the training."""
LONGEST_NAME = 150  # in bytes, as file systems count


@dataclass(frozen=True)
class Job:
    """One training run of a sweep.

    Attributes:
        method: Network (rnn, gru, mlp), algorithm (ppo, sac ...) or function as module:function.
        task: Name of the task.
        seed: Seed of the run.
        settings: Settings that differ from the defaults of the method, by their dotted names.
        title: Name of the method in tables, if it is another than ``method``.
    """

    method: str
    task: str = "reach"
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""

    @property
    def environment(self) -> str:
        """Id of the environment of the task."""
        return TASKS[self.task].env_id

    @property
    def controller(self) -> str:
        """Name of the method in tables."""
        return self.title or self.method

    @property
    def name(self) -> str:
        """Name of the folder of the run; two jobs of one name are the same job."""
        parts = [self.controller, self.environment, str(self.seed)]
        if not self.title:
            parts += [f"{key}={_plain(value)}" for key, value in sorted(self.settings.items())]
        name = re.sub(r"[^\w.,=+-]+", "_", "-".join(parts))
        if len(name.encode()) <= LONGEST_NAME:
            return name
        beginning = name.encode()[:LONGEST_NAME].decode(errors="ignore")
        return f"{beginning}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    def check(self) -> None:
        """Raise ValueError if the training would refuse the job."""
        try:
            self.all_settings()
        except (TypeError, ValueError) as error:
            raise ValueError(f"the job {self.name}: {error}") from None

    def all_settings(self) -> dict[str, Any]:
        """Return all settings of the training as JSON values, as its record holds them.

        A function has those that it is given. Raises ValueError if there is no such training.
        """
        if ":" in self.method:
            named_function(self.method)
            return dict(self.settings)
        from benchmarks import train_network  # these take seconds to import

        if self.method in train_network.VARIANTS:
            config = train_network.configured(self.method, self.task, self.seed, self.settings)
            return config.form()
        from benchmarks.baselines import ALGORITHMS, settings

        known = (*train_network.VARIANTS, *ALGORITHMS)
        if self.method not in known:
            raise ValueError(f"method must be one of {', '.join(known)}, or module:function")
        found = asdict(settings(self.method, self.environment, self.settings))
        return json.loads(json.dumps(found))

    def differences(self, folder: Path) -> list[str]:
        """Return the names of settings that a finished run in a folder has otherwise.

        A setting that came or went with another version of this package does not count.
        """
        record = folder / RECORD
        row = result_in(folder) if (folder / RESULT).exists() else {}
        if row.get("method", self.method) != self.method:
            return ["method"]
        if record.exists():
            then = json.loads(record.read_text("utf-8"))["settings"]
        else:
            then = json.loads(row.get("settings", "{}"))
        now = self.all_settings()
        others = differing(now, then)
        if ":" in self.method:  # whose settings are those that were given
            return others
        return [name for name in others if name in flat(now) and name in flat(then)]


def result_in(folder: Path) -> dict[str, Any]:
    """Return the result of a job that is done. Raises ValueError if the file is damaged."""
    try:
        return json.loads((folder / RESULT).read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{folder / RESULT} is damaged ({error}): remove it, and the job is finished again"
        ) from None


def read_jobs(path: Path) -> list[Job]:
    """Return the jobs of a TOML file, whose tables are called ``[[jobs]]``.

    Raises ValueError if it holds anything else, or the same job twice.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is no file of a sweep: {error}") from None
    given = tables.pop("jobs", None)
    is_list = isinstance(given, list) and given and all(isinstance(t, dict) for t in given)
    if tables or not is_list:
        raise ValueError(
            f"{path} must hold tables called [[jobs]] and nothing else, not "
            f"{shown(sorted(tables) or given)}"
        )
    return distinct(job for table in given for job in jobs_of(table))


def distinct(jobs: Iterator[Job]) -> list[Job]:
    """Return jobs as a list. Raises ValueError if one comes twice, or if there is none."""
    found: dict[str, Job] = {}
    for job in jobs:
        if job.name in found:
            raise ValueError(f"the job {job.name} comes twice: change a setting, the seed or name")
        found[job.name] = job
    if not found:
        raise ValueError("the sweep has no jobs")
    return list(found.values())


def jobs_of(table: Mapping[str, Any]) -> Iterator[Job]:
    """Yield a job for every combination of the values in a table. Raises ValueError if one is bad.

    ``neurons`` is short for ``network.neurons``.
    """
    given = flat(table)
    if "neurons" in given:
        given["network.neurons"] = given.pop("neurons")
    if "method" not in given:
        raise ValueError(f"jobs need a method, such as 'rnn' or 'ppo': {shown(dict(table))}")
    values = [value if isinstance(value, list) else [value] for value in given.values()]
    for combination in itertools.product(*values):
        chosen = dict(zip(given, combination, strict=True))
        own = {key: chosen.pop(key) for key in OWN if key in chosen}
        choice("task", own.setdefault("task", "reach"), TASKS)
        seed = own.setdefault("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ValueError(f"seed must be a whole number from 0, not {shown(seed)}")
        job = Job(str(own["method"]), own["task"], seed, chosen, str(own.get("name", "")))
        job.check()
        yield job


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
