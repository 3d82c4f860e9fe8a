"""``python -m benchmarks.sweep``: train many runs, and collect their measures in one table."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from tqdm import tqdm

from arm_env.checked import Checked, within
from benchmarks.changes import assignments
from benchmarks.runs import command_line
from benchmarks.sweep.jobs import Job, distinct, jobs_of, read_jobs, result_in
from benchmarks.sweep.table import is_done, is_stored, store, write_table
from benchmarks.sweep.worker import run_here
from rnn_controller.options import value
from rnn_controller.outputs import output_folder
from rnn_controller.watching import remark


@dataclass(frozen=True)
class Args(Checked):
    """Train a run for every combination of settings, several at a time, and measure them.

    The runs and the table sweep.csv are written to the folder --output. A sweep that was stopped
    goes on with the same command: what is done is kept.

    Examples:
      python -m benchmarks.sweep benchmarks/comparison.toml --dry
      python -m benchmarks.sweep --over "method='ppo'" --over "seed=[0, 1, 2]"
    """

    file: Annotated[
        tyro.conf.Positional[Path | None], value("FILE", default="none; the jobs are --over")
    ] = None
    """TOML file with tables called [[jobs]]."""
    over: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Values of a setting, such as "seed=[0, 1, 2]". This option may be repeated; every combination
    is a job.
    """
    workers: int = within(2, 1, 4096)
    """Number of jobs at the same time on this machine."""
    address: Annotated[str | None, value("ADDRESS", default="none; this machine")] = None
    """Address of a Ray cluster to join, such as auto or 10.0.0.1:6379. Its machines must share the
    folder --output and this installation.
    """
    tries: int = within(2, 1, 100)
    """How often a job is tried before it counts as failed."""
    movements: int = within(1000, 1, 1_000_000)
    """Number of movements that each trained controller is measured on."""
    output: Path = Path("runs/sweep")
    """Folder of the runs and the table."""
    store: Annotated[Path | None, value("FOLDER", default="none")] = None
    """Folder that finished runs are also copied to, without the files that only training needs. A
    run that is there already is not repeated.
    """
    dry: bool = False
    """Print the jobs that are left, and train nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.file is None) == (not self.over):
            raise ValueError(
                "give either a file with [[jobs]], or the values of settings as --over"
            )
        if self.store and self.store.resolve() == self.output.resolve():
            raise ValueError("--store must be another folder than --output")

    def stored(self, job: Job) -> bool:
        """Return whether the run of a job is stored already."""
        return self.store is not None and is_stored(self.store / job.name)

    def jobs(self) -> list[Job]:
        """Return the jobs of the sweep. Raises ValueError if one is not allowed."""
        if self.file is not None:
            return read_jobs(self.file)
        return distinct(jobs_of(assignments(self.over)))


def main(args: Args) -> None:
    """Do the jobs that are left. Raises ValueError if one has failed, after all others are done."""
    jobs = args.jobs()
    left = [job for job in jobs if not done_in(job, args)]
    if args.dry:
        print("\n".join(job.name for job in left) or "every job is done")
        return
    # whole paths, since a job may change the working directory
    folder = output_folder(args.output).resolve()
    args = replace(args, output=folder, store=args.store and args.store.resolve())
    check_store(jobs, args)
    failed = train(jobs, left, folder, args) if left else {}
    keep(jobs, folder, args)
    table = write_table(jobs, folder, args.store)
    print(f"{table}: {len(jobs) - len(failed)} of {len(jobs)} jobs are done")
    if failed:
        lines = "\n".join(f"  {name}: {error}" for name, error in failed.items())
        raise ValueError(
            f"{len(failed)} jobs failed; error.txt in their folders says more, unless a job was "
            f"killed:\n{lines}"
        )


def check_store(jobs: list[Job], args: Args) -> None:
    """Raise ValueError or OSError if a run could not be stored when it is finished."""
    if args.store is None:
        return
    output_folder(args.store)
    for job in jobs:
        place = args.store / job.name
        if place.exists() and not is_stored(place):
            raise ValueError(f"{place} holds no run, and would be in the way of one: move it")


def done_in(job: Job, args: Args) -> list[Path]:
    """Return the folders that hold the finished run of a job; say what it has otherwise."""
    found = [args.output / job.name] if is_done(args.output / job.name) else []
    if args.store and args.stored(job):
        found.append(args.store / job.name)
    for folder in found:
        others = job.differences(folder)
        row = result_in(folder) if is_done(folder) else {}
        if row.get("number_of_movements", args.movements) != args.movements:
            others.append("number of movements")
        if others:
            remark(
                f"note: {folder} is done, but with another {', '.join(others)}; "
                "it is done again if you remove it"
            )
    return found


def train(jobs: list[Job], left: list[Job], folder: Path, args: Args) -> dict[str, str]:
    """Do the jobs that are left, and return the errors of those that failed."""
    failed = 0
    with tqdm(total=len(jobs), initial=len(jobs) - len(left), desc="jobs") as bar:

        def report(job: Job, error: str | None) -> Any:
            nonlocal failed
            failed += error is not None
            write_table(jobs, folder, args.store)
            keep(jobs, folder, args)
            bar.set_postfix_str(f"{failed} failed, last {job.name}")
            bar.update()

        given = (folder, args.movements, args.tries, report)
        if len(left) == 1 and args.address is None:
            return run_here(left[0], *given)
        try:
            from benchmarks.sweep.cluster import cluster, run
        except ImportError as error:
            raise ValueError(
                "a sweep needs Ray: pip install -c constraints.txt -e '.[sweep]'"
            ) from error
        with cluster(args.address, args.workers):
            return run(left, *given)


def keep(jobs: list[Job], folder: Path, args: Args) -> None:
    """Copy the finished runs that are not stored yet, if they are to be stored."""
    for job in jobs:
        if args.store and is_done(folder / job.name) and not args.stored(job):
            store(folder / job.name, args.store / job.name)


if __name__ == "__main__":
    command_line(main, Args)
