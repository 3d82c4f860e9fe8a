"""Searches of settings: ranges, trials, and the study that the baselines take settings from."""

import json
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks import baselines, search
from benchmarks.baselines import ALGORITHMS, settings
from benchmarks.search import Args, form, present, space_of, study, trial

ray = pytest.importorskip("ray")


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_baseline_has_ranges_of_settings_that_it_takes(algorithm):
    space = space_of(algorithm)
    first = present(algorithm, "ReachArm-v0")
    assert set(space) == set(first)
    before = settings(algorithm, "ReachArm-v0", tuned=False)
    assert first["model.learning_rate"] == before.model["learning_rate"]
    for _ in range(5):
        drawn = {name: domain.sample() for name, domain in space.items()}
        changed = settings(algorithm, "ReachArm-v0", drawn, tuned=False)
        assert changed.model["gamma"] == drawn["model.gamma"]
        model = changed.model
        if "n_steps" in model:  # a batch is a part of a rollout
            assert model["batch_size"] <= model["n_steps"] * changed.num_envs


def test_a_trial_reports_each_leg_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    from ray import tune

    reports = []

    def report(measures):
        reports.append(measures)
        if len(reports) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(search, "LEGS", 3)
    monkeypatch.setattr(tune, "report", report)
    context = SimpleNamespace(get_trial_dir=lambda: str(tmp_path))
    monkeypatch.setattr(tune, "get_context", lambda: context)
    small = {
        "num_envs": 4, "environment.max_episode_steps": 10, "model.n_steps": 8,
        "model.batch_size": 16, "model.n_epochs": 1,
    }  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        trial(small, "ppo", "ReachArm-v0", 0, 0.3)
    trial(small, "ppo", "ReachArm-v0", 0, 0.3)
    assert [r["leg"] for r in reports] == [1, 2, 3]
    assert all(r["mean_value"] > 0 for r in reports)


def result(value, legs=search.LEGS, **chosen):
    pandas = pytest.importorskip("pandas")
    rows = [
        {"leg": leg, "steps": 100 * leg, "core_seconds": 2.0 * leg, "mean_value": value, "other": 1}
        for leg in range(1, legs + 1)
    ]
    return SimpleNamespace(config=chosen, error=None, metrics_dataframe=pandas.DataFrame(rows))


def test_the_best_settings_are_those_of_a_trial_that_came_to_its_end(tmp_path, monkeypatch):
    gamma = "model.gamma"
    results = [
        result(0.5, **{gamma: 0.9}),
        result(0.4, **{gamma: 0.95}),
        result(0.1, legs=3, **{gamma: 0.98}),  # stopped; its value is that of an easier leg
        SimpleNamespace(config={gamma: 0.8}, error=OSError("a\nb"), metrics_dataframe=None),
    ]
    args = Args("ppo", "reach", trials=4)
    found = study(args, [form(r) for r in results])
    assert found["best"] == {gamma: 0.95} and found["trials"][3]["error"] == "b"
    assert found["core_seconds_of_all"] == pytest.approx(2.0 * (10 + 10 + 3))
    assert found["command"].startswith("python -m benchmarks.search ppo reach --trials 4")
    monkeypatch.setattr(baselines, "STUDIES", tmp_path)
    assert settings("ppo", "ReachArm-v0") == settings("ppo", "ReachArm-v0", tuned=False)
    found["best"] = {gamma: 0.5}
    (tmp_path / "ppo-ReachArm-v0.json").write_text(json.dumps(found))
    assert settings("ppo", "ReachArm-v0").model["gamma"] == 0.5
    assert settings("ppo", "ReachArm-v0", {gamma: 0.7}).model["gamma"] == 0.7
    assert settings("ppo", "CircleArm-v0").model["gamma"] != 0.5
    with pytest.raises(ValueError, match="no trial"):
        study(replace(args, trials=1), [form(results[2])])


def test_an_interrupted_search_writes_no_study(tmp_path, monkeypatch):
    from ray import tune

    class Tuner:
        def __init__(self, *_, run_config, **__):
            names.append(run_config.name)

        def fit(self):
            return SimpleNamespace(num_terminated=1, num_errors=0)

    names = []
    Tuner.can_restore = staticmethod(lambda path: False)
    monkeypatch.setattr(tune, "Tuner", Tuner)
    monkeypatch.setattr("benchmarks.sweep.cluster.cluster", lambda *_: nullcontext())
    for seed in (0, 7):
        args = Args("ppo", "reach", trials=3, seed=seed, work=tmp_path, output=tmp_path / "studies")
        with pytest.raises(KeyboardInterrupt):
            search.search(args)
    assert len(set(names)) == 2  # another seed is another search
    assert not list(tmp_path.rglob("*.json"))


def test_trials_are_in_the_order_in_which_they_began():
    names = ["trial_1a_10_model=2", "trial_9b_2_model=1", "trial_00_1_model=3"]
    found = sorted(
        (SimpleNamespace(path=f"/runs/x_7_y/{name}") for name in names), key=search.order
    )
    assert [result.path.rsplit("/", 1)[1] for result in found] == names[::-1]
