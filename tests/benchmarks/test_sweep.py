"""Sweeps: jobs from tables of settings, and jobs that are done once whatever is killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.runs import read_run
from benchmarks.sweep.__main__ import Args, main
from benchmarks.sweep.jobs import Job, jobs_of, read_jobs
from benchmarks.sweep.table import is_done, store, write_table
from benchmarks.sweep.worker import work

JOBS = "tests.benchmarks.sweep_jobs"
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")


# Jobs.


def test_every_combination_is_a_job():
    jobs = list(jobs_of({"method": ["rnn", "gru"], "seed": [0, 3], "beta": 1, "neurons": [4, 5]}))
    assert len(jobs) == 8
    assert {job.method for job in jobs} == {"rnn", "gru"}
    assert jobs[0] == Job("rnn", "reach", 0, {"beta": 1, "network.neurons": 4})
    assert jobs[0].name == "rnn-ReachArm-v0-0-beta=1-network.neurons=4"
    assert len({job.name for job in jobs}) == 8


def test_settings_may_be_nested_tables_and_lists():
    (job,) = jobs_of({"method": "ppo", "model": {"gamma": 0.9}, "noise": [[0.1, 0.2]]})
    assert job.settings == {"model.gamma": 0.9, "noise": [0.1, 0.2]}
    assert job.name == "ppo-ReachArm-v0-0-model.gamma=0.9-noise=0.1,0.2"


def test_long_names_stay_short_and_different():
    nets = [[8] * 80, [8] * 81]
    names = {job.name for job in jobs_of({"method": "ppo", "model.policy_kwargs.net_arch": nets})}
    assert len(names) == 2 and max(map(len, names)) < 200
    (job,) = jobs_of({"method": "rnn", "name": "ü" * 149})
    assert len(job.name.encode()) < 200


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"seed": 0}, "need a method"),
        ({"method": "pop"}, "one of rnn, gru, mlp, crossq, ppo"),
        ({"method": "rnn", "task": "fly"}, "unknown task 'fly'"),
        ({"method": "rnn", "seed": -1}, "whole number from 0"),
        ({"method": "rnn", "seed": True}, "whole number from 0"),
        ({"method": "rnn", "bta": 1}, "rnn-ReachArm-v0-0-bta=1"),
        ({"method": "rnn", "beta": "much"}, "beta"),
        ({"method": "ppo", "gamma": 0.9}, "none of the settings"),
        ({"method": "ppo", "model.gama": 0.9}, "model.gama: none of the arguments of ppo"),
        ({"method": "ppo", "model": 3}, "model is a table"),
        ({"method": "ppo", "steps": -100}, "steps must be a whole number of 1 or above"),
        ({"method": "ppo", "core_seconds": "long"}, "core_seconds must be a number"),
        ({"method": "ppo", "core_seconds": -5}, "core_seconds must be a number"),
        ({"method": "ppo", "decay": "no"}, "decay must be True or False"),
        ({"method": "ppo", "initial_action": 2}, "initial_action must be a number"),
        ({"method": "ppo", "noise": [0.1, 0.2]}, "noise"),
        ({"method": "tests:nothing"}, "no function tests:nothing"),
    ],
)
def test_bad_jobs_are_refused_before_any_work(table, message):
    with pytest.raises(ValueError, match=message):
        list(jobs_of(table))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "tables called"),
        ("method = 'rnn'", "tables called"),
        ("[[jobs]]\nmethod = ", "no file of a sweep"),
        ("[[jobs]]\nmethod = 'rnn'\nseed = [1, 1]", "comes twice"),
        ("jobs = [1, 2]", r"tables called \[\[jobs\]\] and nothing else, not \[1, 2\]"),
    ],
)
def test_bad_files_are_refused(text, message, tmp_path):
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_jobs(tmp_path / "sweep.toml")
    with pytest.raises(ValueError, match="no file of a sweep"):
        read_jobs(tmp_path / "none.toml")


def test_jobs_come_from_a_file_or_from_options():
    with pytest.raises(ValueError, match="either a file"):
        Args()
    with pytest.raises(ValueError, match="either a file"):
        Args(file=Path("sweep.toml"), over=("method='rnn'",))
    assert [job.seed for job in Args(over=("method='rnn'", "seed=[0, 1]")).jobs()] == [0, 1]
    with pytest.raises(ValueError, match="seed is given twice"):
        Args(over=("method='rnn'", "seed=0", "seed=1")).jobs()


# Work.


def test_a_job_of_a_network_is_trained_measured_and_stored(tmp_path, capsys):
    (job,) = jobs_of(
        {"method": "rnn", "name": "tiny", "iterations": 2, "batch_size": 2, "neurons": 3}
    )
    folder = tmp_path / job.name
    work(job, folder, movements=5)
    before = (folder / "result.json").read_text()
    work(job, folder, movements=5)  # it is done
    assert (folder / "result.json").read_text() == before and is_done(folder)
    with write_table([job], tmp_path).open(newline="") as file:
        (row,) = csv.DictReader(file)
    run = read_run(folder)
    assert run.algorithm == row["controller"] == "tiny" and row["attempts"] == "1"
    assert float(row["core_seconds"]) == pytest.approx(run.core_seconds, abs=0.1)
    assert row["number_of_movements"] == "5" and json.loads(row["settings"])["iterations"] == 2
    store(folder, tmp_path / "stored" / job.name)
    kept = {path.name for path in (tmp_path / "stored" / job.name).iterdir()}
    assert kept == {"checkpoint.safetensors", "result.json", "run.json"}
    args = Args(over=('method="rnn"', 'name="tiny"'), store=tmp_path / "stored", dry=True)
    capsys.readouterr()
    main(args)
    out, err = capsys.readouterr()
    assert out == "every job is done\n"
    others = "batch_size, iterations, network.neurons, number of movements"
    assert f"with another {others}; it is done again if you" in err


def test_a_budget_of_processor_time_ends_a_baseline(tmp_path):
    small = {
        "core_seconds": 3.0, "legs": 3, "num_envs": 4, "environment.max_episode_steps": 10,
        "model.n_steps": 8, "model.batch_size": 16, "model.n_epochs": 1,
    }  # fmt: skip
    (job,) = jobs_of({"method": "ppo", **small})
    work(job, tmp_path / job.name, movements=5)
    curve = read_run(tmp_path / job.name).curve
    assert len(curve) == 3 and curve[0]["steps"] < curve[1]["steps"] < curve[2]["steps"]
    # more than a twentieth only where a rollout lasts long
    assert 3.0 <= curve[2]["core_seconds"] < 3.6


def test_one_job_needs_no_ray_and_is_tried_again_and_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "benchmarks.sweep.cluster", None)  # importing it fails
    args = Args(over=(f"method='{JOBS}:odd_seeds_fail'", "seed=1"), output=tmp_path, tries=3)
    with pytest.raises(ValueError, match=r"1 jobs failed.*\n.*seed 1 is odd$"):
        main(args)
    assert (tmp_path / "begins.txt").read_text().split() == ["1", "1", "1"]
    assert len(list(tmp_path.glob("*/error.txt"))) == 1
    (tmp_path / "mended").touch()
    main(args)
    assert "1 of 1 jobs are done" in capsys.readouterr().out
    assert not list(tmp_path.glob("*/error.txt")) and (tmp_path / "sweep.csv").exists()
    with pytest.raises(ValueError, match="a sweep needs Ray"):
        main(Args(over=(args.over[0], "seed=[3, 5]"), output=tmp_path))


def one(function, folder, *more, **options):
    """Arguments of a sweep of one job with a function of ``sweep_jobs``."""
    return Args(over=(f"method='{JOBS}:{function}'", *more), output=folder, **options)


def test_a_job_may_leave_the_process_and_the_folder_and_return_numpy_s_numbers(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"1 jobs failed.*\n.*sys\.exit\('bad data'\)"):
        main(one("leaves", Path("left"), tries=2))
    (failed,) = Path("left").glob("*/error.txt")
    assert "bad data" in failed.read_text()
    main(one("wanders", Path("left"), store=Path("kept")))
    with (tmp_path / "left" / "sweep.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["mean_value"]) == 1.5
    kept = {path.name for path in tmp_path.glob("kept/*/*")}
    assert kept == {"result.json", "weights.bin"}
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    main(one("wanders", Path("other"), store=Path("kept")))  # it is stored
    assert len((tmp_path / "other" / "sweep.csv").read_text().splitlines()) == 2


def test_nothing_of_the_user_s_is_removed_by_storing(tmp_path):
    (job,) = one("wanders", tmp_path).jobs()
    with pytest.raises(ValueError, match="another folder than --output"):
        one("wanders", tmp_path, store=tmp_path)
    notes = tmp_path / "kept" / job.name / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    with pytest.raises(ValueError, match=r"holds no run.* move it"):
        main(one("wanders", tmp_path / "out", store=tmp_path / "kept"))
    assert notes.read_text() == "mine" and not (tmp_path / "out").exists()
    notes.with_name("result.json").write_text("{}")
    run = tmp_path / "run"
    run.mkdir()
    store(run, notes.parent)  # as if another sweep had stored it meanwhile
    assert notes.read_text() == "mine" and len(list((tmp_path / "kept").iterdir())) == 1
    with pytest.raises(OSError, match="is not a folder"):
        main(one("wanders", tmp_path / "out", store=notes))


def test_a_job_of_the_same_name_that_is_another_is_noticed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(one("wanders", tmp_path, "name='t'", "x=1"))
    capsys.readouterr()
    main(one("wanders", tmp_path, "name='t'", "x=2", dry=True))
    assert "is done, but with another x; " in capsys.readouterr().err
    main(one("nap", tmp_path, "name='t'", "x=1", dry=True))
    assert "is done, but with another method; " in capsys.readouterr().err
    (result,) = tmp_path.glob("*/result.json")
    result.write_text("")
    with pytest.raises(ValueError, match=r"result\.json is damaged .*remove it"):
        main(one("wanders", tmp_path, "name='t'", "x=1"))


def test_a_refused_option_is_said_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    for options, text in (
        (["--workers", "0"], "workers must be a whole number from 1"),
        (["--over", f"method='{JOBS}:nap'", "--output", str(tmp_path / "file")], "not a folder"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sweep", *options], capture_output=True, text=True
        )
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.startswith("error: ") and text in done.stderr


# Ray.


def sweep(folder, *options):
    command = [sys.executable, "-m", "benchmarks.sweep", "--output", str(folder), *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)
    return found


def descendants(pid):
    """Numbers of the processes below one, with their names."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        name, (_, parent, *_) = (
            text[text.index("(") + 1 : text.rindex(")")],
            text[text.rindex(")") + 1 :].split(),
        )
        found.append((int(stat.parent.name), int(parent), name))
    below, more = {pid}, True
    while more:
        more = {child for child, parent, _ in found if parent in below} - below
        below |= more
    return [(child, name) for child, _, name in found if child in below - {pid}]


@needs_ray
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to find the processes")
def test_each_job_is_done_once_though_worker_and_head_are_killed(tmp_path):
    options = ("--over", f"method='{JOBS}:nap'", "--over", "seconds=2.0")
    options += ("--over", "seed=[0, 1, 2, 3, 4, 5]", "--workers", "2")
    first = sweep(tmp_path, *options)
    pids = until(lambda: list(tmp_path.glob("*/pid")))
    os.kill(int(pids[0].read_text()), signal.SIGKILL)
    until(lambda: len(list(tmp_path.glob("*/result.json"))) >= 2)
    heads = [pid for pid, name in descendants(first.pid) if name.startswith(("gcs_", "raylet"))]
    assert len(heads) == 2
    for pid in (*heads, first.pid):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    first.stdout.close(), first.stderr.close()
    assert len(list(tmp_path.glob("*/result.json"))) < 6
    out, err = sweep(tmp_path, *options).communicate(timeout=120)
    assert "6 of 6 jobs are done" in out, out + err
    ends = (tmp_path / "ends.txt").read_text().split()
    assert sorted(ends) == ["0", "1", "2", "3", "4", "5"]
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == sorted(ends)
    assert max(int(row["attempts"]) for row in rows) == 2


@needs_ray
def test_what_fails_is_tried_again_reported_and_done_later(tmp_path, capsys):
    options = ("--over", f"method='{JOBS}:odd_seeds_fail'", "--over", "seed=[0, 1]")
    process = sweep(tmp_path, *options, "--tries", "2")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "seed 1 is odd" in err and "1 of 2 jobs" in out, out + err
    assert sorted((tmp_path / "begins.txt").read_text().split()) == ["0", "1", "1"]
    (failed,) = tmp_path.glob("*/error.txt")
    assert "RuntimeError" in failed.read_text()
    (tmp_path / "mended").touch()
    left = Args(over=options[1::2], output=tmp_path, dry=True)
    main(left)
    assert capsys.readouterr().out == f"{failed.parent.name}\n"
    (job,) = (job for job in left.jobs() if job.seed == 1)
    work(job, failed.parent, movements=1)
    assert not failed.exists() and is_done(failed.parent)
    main(left)
    assert capsys.readouterr().out == "every job is done\n"
