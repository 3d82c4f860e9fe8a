"""The fair comparison: budgets, searches, probabilities and long runs in its table."""

import json

import pytest

from benchmarks import fair
from benchmarks.places import RESULTS, STORED
from benchmarks.sweep.jobs import read_jobs


def write_run(root, controller, seed, success, core_seconds):
    folder = root / f"{controller}-ReachArm-v0-{seed}"
    folder.mkdir(parents=True)
    common = {"environment": "ReachArm-v0", "seed": seed}
    curve = [
        {"steps": 10 * i, "seconds": i, "core_seconds": i * core_seconds / 2, "mean_value": 2 - i}
        for i in (1, 2)
    ]
    record = {**common, "algorithm": controller, "parameters": 9, "curve": curve}
    (folder / "run.json").write_text(json.dumps(record))
    row = {
        **common, "controller": controller, "fraction_within_target": success,
        "mean_value": 1 - success, "core_seconds": core_seconds, "train_steps": 2_500_000,
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(row))


def test_the_table_shows_budgets_searches_and_who_is_better(tmp_path):
    runs, studies = tmp_path / "fair", tmp_path / "studies"
    for seed, success in enumerate((0.99, 0.97, 0.98)):
        write_run(runs, "rnn", seed, success, 100.0 + 2 * seed)
    for seed, success in enumerate((0.9, 0.985)):
        write_run(runs, "ppo", seed, success, 104.0)
    write_run(runs, "ppo-long", 0, 0.95, 510.0)
    studies.mkdir()
    (studies / "ppo-ReachArm-v0.json").write_text(
        json.dumps({"trials": [0] * 12, "core_seconds_of_all": 200.0})
    )
    args = fair.Args(runs, studies, tmp_path)
    fair.main(args)
    text = (tmp_path / "fair.md").read_text()
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    assert "102 s (± 2 %)" in lines["rnn"] and lines["rnn"].endswith("– | – |")
    assert "12 trials, 200 s" in lines["ppo"] and "104 s (± 2 %)" in lines["ppo"]
    assert f"{100 * 4 / 6:.0f} % [" in lines["ppo"]
    assert "| 2.5 M | 5.0 × the budget" in lines["ppo-long"]
    assert text.index("ppo-long") > text.index("With more processor time")
    assert len((tmp_path / "fair.csv").read_text().splitlines()) == 7
    assert (tmp_path / "fair.png").stat().st_size > 10_000


def test_without_runs_it_says_how_to_make_them(tmp_path):
    with pytest.raises(ValueError, match=r"benchmarks\.sweep .* --store"):
        fair.main(fair.Args(tmp_path))


@pytest.mark.parametrize(("sweep", "stored"), [("fair", RESULTS / "fair"), ("comparison", STORED)])
def test_the_stored_runs_have_the_settings_of_their_sweeps(sweep, stored):
    jobs = read_jobs(RESULTS.parent / f"{sweep}.toml")
    assert [(job.name, *job.differences(stored / job.name)) for job in jobs] == [
        (job.name,) for job in jobs
    ]
