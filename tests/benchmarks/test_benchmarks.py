"""The comparison: statistics, settings, runs that resume to the same end, rows and table."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tyro
from scipy import stats

import arm_env
from arm_env.checked import with_present_names
from arm_env.tasks.measures import ShownMeasure
from arm_env.tasks.registry import ENVIRONMENTS
from benchmarks import compare, report, robustness, sizes, throughput, train_network
from benchmarks.baselines import ALGORITHMS, Settings, load_baseline, settings
from benchmarks.changes import assignments, merged
from benchmarks.entries import entries, microseconds_per_action, your_own
from benchmarks.places import RESULTS, STORED
from benchmarks.runs import read_run, stored_runs
from benchmarks.statistics import improvement, improvement_interval, interquartile_mean, interval
from benchmarks.sweep.jobs import read_jobs
from benchmarks.train_baseline import Args, begun, open_run
from rnn_controller.checkpoint import TRAINED
from rnn_controller.networks.modules import ModuleConfig
from rnn_controller.networks.recurrent import NetworkConfig
from rnn_controller.training.config import stored_config
from rnn_controller.training.trainer import DEFAULTS, RECIPES, Stage, Trainer


def write_record(folder, name, seed=0):
    record = {"algorithm": name, "environment": "ReachArm-v0", "seed": seed, "parameters": 9}
    curve = [{"steps": 1, "seconds": 60.0}]
    (folder / "run.json").write_text(json.dumps({**record, "curve": curve}))


# Statistics.


def test_interquartile_mean_is_that_of_the_middle_half():
    assert interquartile_mean([100, 1, 2, 3, 4, -50, 5, 6]) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert interquartile_mean([1.0, 2.0, 6.0]) == pytest.approx(3.0)  # too few to leave any out


def test_interval_of_one_stratum_is_the_bootstrap_of_scipy():
    scores = np.random.default_rng(1).normal(size=12)
    ours = interval([scores], np.random.default_rng(2), resamples=20_000)
    theirs = stats.bootstrap(
        (scores,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_resampling_stays_within_strata():
    # Two strata of constant scores: whatever is drawn, half of it is 0 and half 1.
    assert interval([[0.0] * 4, [1.0] * 4], np.random.default_rng(0)) == (0.5, 0.5)
    low, high = interval([[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]], np.random.default_rng(0))
    assert low < 0.2 and high > 0.8
    with pytest.raises(ValueError, match="one score"):
        interval([[1.0], []], np.random.default_rng(0))


def test_probability_of_improvement_counts_pairs():
    assert improvement([3.0, 1.0], [2.0, 1.0]) == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    u = stats.mannwhitneyu([0.9, 0.5, 0.7], [0.6, 0.8]).statistic
    assert improvement([0.9, 0.5, 0.7], [0.6, 0.8]) == pytest.approx(u / 6)
    low, high = improvement_interval([0.9, 0.5, 0.7], [0.6, 0.8], np.random.default_rng(0))
    assert low < u / 6 < high
    assert improvement_interval([2.0, 3.0], [1.0], np.random.default_rng(0)) == (1.0, 1.0)
    with pytest.raises(ValueError, match="one score"):
        improvement([], [1.0])


# Settings.


def test_settings_can_be_changed_by_assignments():
    changed = settings("ppo", "ReachArm-v0", {"model.policy_kwargs.net_arch": [8], "num_envs": 3})
    before = settings("ppo", "ReachArm-v0")
    assert changed.num_envs == 3 and changed.model["policy_kwargs"]["net_arch"] == [8]
    assert changed.model["gamma"] == before.model["gamma"]
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize("change", ["num_envs", "gamma=0.9", "x.y=1", "num_envs=eight"])
def test_changes_of_nothing_are_refused(change):
    with pytest.raises(ValueError, match=r"assignment|none of the settings"):
        settings("ppo", "ReachArm-v0", assignments((change,)))


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", ["crossq", "ppo", "recurrent-ppo", "sac", "tqc"])
def test_every_baseline_has_settings_that_end_on_the_task_s_own_target_and_noise(algorithm, env_id):
    s = settings(algorithm, env_id)
    assert s.weights(env_id, 0.0).target_radius == pytest.approx(s.initial_target_radius)
    assert s.weights(env_id, 1 - 1 / s.legs).target_radius == pytest.approx(0.04)
    # off-policy methods end under less noise than the task has, and reach more targets so
    loudest = s.loudness(1 - 1 / s.legs)
    assert loudest == (1.0 if "ppo" in algorithm else pytest.approx(7 / 24))


# Training.

COMPARISON = Path("benchmarks/comparison.toml")
NO_TIMES = {"seconds": 0, "core_seconds": 0}
TINY = {
    "ppo": ("num_envs=4", "model.n_steps=8", "model.batch_size=16", "model.n_epochs=1"),
    "recurrent-ppo": ("num_envs=4", "model.n_steps=8", "model.batch_size=16", "model.n_epochs=1"),
    "sac": (
        "num_envs=4",
        "model.learning_starts=16",
        "model.batch_size=8",
        "model.buffer_size=200",
    ),
    "tqc": (
        "num_envs=4",
        "model.learning_starts=16",
        "model.batch_size=8",
        "model.buffer_size=200",
    ),
    "crossq": (
        "num_envs=4",
        "model.learning_starts=16",
        "model.batch_size=8",
        "model.buffer_size=200",
    ),
}


@pytest.fixture(autouse=True)
def few_movements(monkeypatch):
    for module in ("benchmarks.runs", "benchmarks.train_baseline"):
        monkeypatch.setattr(f"{module}.CURVE_MOVEMENTS", 4)


def arguments(algorithm, output, **others):
    small = ("legs=3", "environment.max_episode_steps=10", *TINY[algorithm])
    return Args(algorithm, "ReachArm-v0", seed=3, steps=96, change=small, output=output, **others)


@pytest.mark.parametrize("algorithm", sorted(TINY))
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(algorithm, tmp_path, monkeypatch):
    open_run(arguments(algorithm, tmp_path / "whole")).go()
    broken = open_run(arguments(algorithm, tmp_path / "broken"))
    evaluate = broken.evaluate
    calls = []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*given)

    monkeypatch.setattr(broken, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        broken.go()
    open_run(arguments(algorithm, tmp_path / "broken", resume=True)).go()
    observations = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    actions = [
        load_baseline(tmp_path / name).predict(observations, deterministic=True)[0]
        for name in ("whole", "broken")
    ]
    np.testing.assert_array_equal(*actions)
    curves = [read_run(tmp_path / name).curve for name in ("whole", "broken")]
    assert len(curves[0]) == len(curves[1]) == 3
    assert [p["mean_value"] for p in curves[0]] == [p["mean_value"] for p in curves[1]]
    assert actions[0].min() >= 0 and actions[0].max() <= 1


def test_runs_are_neither_overwritten_nor_mixed_up(tmp_path):
    with pytest.raises(ValueError, match="leave out --resume"):
        open_run(arguments("ppo", tmp_path / "run", resume=True))
    open_run(arguments("ppo", tmp_path / "run")).go()
    with pytest.raises(ValueError, match="--resume goes on"):
        open_run(arguments("ppo", tmp_path / "run"))
    with pytest.raises(ValueError, match="another algorithm and settings"):
        open_run(arguments("sac", tmp_path / "run", resume=True))


@pytest.mark.parametrize("network", ["rnn", "gru", "mlp"])
def test_a_network_s_resumed_run_has_the_same_learning_curve(network, tmp_path, monkeypatch):
    monkeypatch.setitem(
        RECIPES,
        "default",
        (Stage("soap", 4, 3, learning_rate=0.01, first=(0.1, 0.1), second=(0.2, 0.2)),),
    )
    small = {kind: {"network": ModuleConfig(kind, 3)} for kind in ("gru", "mlp")}
    monkeypatch.setattr(train_network, "VARIANTS", {"rnn": {}, **small})
    whole, broken = (
        train_network.Args(network, "reach", points=2, output=tmp_path / name)
        for name in ("a", "b")
    )
    train_network.main(whole)
    curve = train_network.open_run(broken)
    curve.trainer._iterate(curve.trainer.stages[0])
    curve.trainer._iterate(curve.trainer.stages[0])
    curve.trainer._iterate(curve.trainer.stages[0])
    curve.trainer.save()
    with pytest.raises(ValueError, match="--resume goes on"):
        train_network.main(broken)
    with pytest.raises(ValueError, match="another configuration"):
        train_network.main(replace(broken, seed=1, resume=True))
    train_network.main(replace(broken, resume=True))
    ours = read_run(tmp_path / "a")
    theirs = read_run(tmp_path / "b")
    assert [p["iteration"] for p in ours.curve] == [2, 4] and ours.steps > 0
    for p, q in zip(ours.curve, theirs.curve, strict=True):
        assert p | NO_TIMES == q | NO_TIMES
    o = np.random.default_rng(0).normal(size=(2, 20))
    np.testing.assert_array_equal(
        ours.controller().predict(o)[0], theirs.controller().predict(o)[0]
    )


@pytest.mark.parametrize("task", ["reach", "circle"])
@pytest.mark.parametrize("network", ["rnn", "gru", "mlp"])
def test_networks_are_trained_on_the_same_movements_and_cost(network, task):
    args = train_network.Args(network, task, seed=7, neurons=5)
    default = DEFAULTS[task]
    given = args.config
    for name in ("task", "cost", "settling", "noise", "beta", "recipe"):
        assert getattr(given, name) == getattr(default, name)
    assert given.seed == 7 and given.network.neurons == 5 and args.name == f"{network}-5"


# Comparison.


def pushing(env_id):
    class Push:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.full((len(observation), 6), 0.1, dtype=np.float32), state

    return Push() if env_id == "ReachArm-v0" else None


def test_your_own_controller_is_an_entry_where_it_wants_to_be():
    (mine,) = your_own("tests.benchmarks.test_benchmarks:pushing")
    assert mine.environment == "ReachArm-v0"
    assert microseconds_per_action(mine.make(), mine.environment, 20) > 0
    for name in ("tests.benchmarks.test_benchmarks:nothing", "no_such_module:f", "just_a_name"):
        with pytest.raises(ValueError, match="module:function"):
            list(your_own(name))


def test_unknown_controllers_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"called pop.*still"):
        compare.chosen(compare.Args(controllers=("pop",), runs=tmp_path))
    names = {c.name for c in entries(tmp_path)}
    assert {"still", "random", "joint-pd"} <= names


def test_rows_survive_the_file(tmp_path):
    rows = [
        {
            "controller": "a",
            "environment": "ReachArm-v0",
            "seed": 1,
            "mean_value": 0.5,
            "optimality_ratio": 1e-7,
        },
        {
            "controller": "a",
            "environment": "CircleArm-v0",
            "seed": 0,
            "median_speed_error": None,
            "train_steps": 3,
        },
    ]
    path = compare.write_rows(tmp_path / "t.csv", rows)
    back = compare.read_rows(path)
    assert back[1]["mean_value"] == 0.5 and back[1]["optimality_ratio"] == 1e-7
    assert back[0]["train_steps"] == 3 and back[0]["mean_value"] is None
    with path.open() as file:
        assert next(csv.reader(file))[:3] == ["controller", "environment", "seed"]


def test_a_row_is_what_evaluate_says(tmp_path, monkeypatch):
    optimum = SimpleNamespace(value=np.array([0.1, 0.29, 0.01]), jumps=np.array([0.3, 0.05, 0.049]))
    ratios = np.array([1.0, 3.0, 40.0])
    monkeypatch.setattr(compare, "stored_optimum", lambda env_id: optimum)
    monkeypatch.setattr(compare, "optimality_ratios", lambda controller, env_id, optimum: ratios)
    still = next(
        c for c in entries(tmp_path) if c.name == "still" and c.environment == "CircleArm-v0"
    )
    row = compare.row(still, movements=5, noise=0.1)
    measures = arm_env.evaluate(
        arm_env.Still(), "CircleArm-v0", movements=5, seed=compare.SEED, noise=0.1
    )
    assert row["mean_value"] == measures.mean_value and row["noise"] == 0.1
    assert row["optimality_ratio"] == 2.0  # without the short jump
    assert row["optimality_ratio_of_means"] == pytest.approx((0.1 + 0.87 + 0.4) / 0.4)
    assert row["seed"] == 0 and row["movements_seed"] == compare.SEED


def test_all_are_measured_over_the_movements_of_the_slow_too(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "FEW", 3)
    monkeypatch.setattr(compare, "stored_optimum", lambda env_id: None)
    quick = next(c for c in entries(tmp_path) if c.name == "joint-pd")
    row, slow = (compare.row(replace(quick, movements=m), 6, 0.2) for m in (None, 3))
    few = arm_env.evaluate(arm_env.JointPD(), movements=3, seed=compare.SEED).mean_value
    assert row["number_of_movements"] == 6 and slow["number_of_movements"] == 3
    assert row["mean_value_of_50"] == slow["mean_value_of_50"] == slow["mean_value"] == few
    assert row["mean_value"] != few
    assert "optimality_ratio" not in row  # nobody has looked for an optimum


def test_the_best_of_an_environment_is_one():
    def row(name, env_id, value):
        return {"controller": name, "environment": env_id, "seed": 0, "mean_value_of_50": value}

    rows = [row("a", "ReachArm-v0", 0.4), row("b", "ReachArm-v0", 0.5), row("a", "CircleArm-v0", 2)]
    ratios = [r["value_over_best"] for r in report.with_value_over_best(rows)]
    assert ratios == pytest.approx([1, 1.25, 1])
    again = report.with_value_over_best(report.with_value_over_best(rows)[1:])
    assert again[0]["value_over_best"] == 1


def test_the_report_names_everybody(tmp_path):
    rows = [
        {
            "controller": name,
            "environment": env_id,
            "seed": seed,
            report.SUCCESS[env_id]: value,
            "mean_value": 1 - value,
            "optimality_ratio_of_means": 2.0,
            "train_steps": 10,
            "train_seconds": 60.0,
            "parameters": 5,
            "microseconds_per_action": 3.0,
        }
        for env_id in report.SUCCESS
        for name, value in (("good", 0.9), ("bad", 0.1))
        for seed in range(3)
    ]
    rows.append({**rows[-1], "controller": "round"})  # on circles alone
    run = tmp_path / "runs" / "good-ReachArm-v0-0"
    run.mkdir(parents=True)
    curve = [{"steps": s, "seconds": float(s), "mean_value": 1 / s} for s in (1, 2)]
    record = {
        "algorithm": "good",
        "environment": "ReachArm-v0",
        "seed": 0,
        "parameters": 1,
        "curve": curve,
    }
    (run / "run.json").write_text(json.dumps(record))
    table, picture = report.write_report(rows, tmp_path / "runs", tmp_path)
    text = table.read_text()
    assert text.index("| good | 3 | 90.0 %") < text.index("| bad | 3 | 10.0 %")
    assert "| good | 90.0 % [90.0, 90.0] |" in text
    assert text.count("| round | 1 |") == 1
    assert "toward target" in text and "leaves out jumps shorter than 5 cm" in text
    assert picture.stat().st_size > 10_000


def test_the_documentation_shows_the_stored_comparison():
    rows = compare.read_rows(RESULTS / "comparison.csv")
    page = Path(__file__).parents[2] / "docs" / "results.md"
    assert rows, "there are no measured rows: python -m benchmarks.compare"
    for env_id in report.measured(rows):
        assert report.overview(rows, env_id) in page.read_text()
    assert report.efforts(rows) in page.read_text()


@pytest.mark.parametrize(
    ("controller", "name"),
    [
        ("rnn", "recurrent network"),
        ("joint-pd", "proportional-derivative (PD) control"),
        ("ppo", "PPO"),
    ],
)
def test_the_readme_shows_numbers_of_the_stored_comparison(controller, name):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (line,) = (line for line in readme.splitlines() if line.startswith(f"| {name}"))
    rows = compare.read_rows(RESULTS / "comparison.csv")
    shown = []
    for env_id in ("ReachArm-v0", "CircleArm-v0"):
        mine = report.by_controller(rows, env_id).get(controller, [])
        for measure, _, show in report.OWN[env_id][:2]:
            shown.append(report.cell(report.scores(mine, measure), show).partition(" [")[0])
    assert [cell.strip() for cell in line.split("|")[2:-1]] == shown


def test_a_task_without_rows_is_left_out(monkeypatch):
    rows = compare.read_rows(RESULTS / "comparison.csv")
    before = report.efforts(rows), report.overall(rows)
    monkeypatch.setitem(report.OWN, "OtherArm-v0", report.OWN["ReachArm-v0"])
    assert (report.efforts(rows), report.overall(rows)) == before
    rows = [row for row in rows if row["environment"] == "ReachArm-v0"]
    assert "training, reach" in report.efforts(rows) and "circle" not in report.efforts(rows)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_measure_that_is_shown_is_measured(env_id):
    found = arm_env.evaluate(arm_env.Still(), env_id, movements=2, seed=1).as_dict()
    shown = [name for name, _, _ in report.OWN[env_id]]
    assert len(shown) >= 2 and set(shown) <= set(found) and report.SUCCESS[env_id] in found


def test_a_measure_is_shown_in_its_unit():
    assert ShownMeasure("x", "X").show(1.236) == "1.24"
    assert ShownMeasure("x", "X", "cm", 100, 1).show(0.0123) == "1.2 cm"


# Sizes.


def test_networks_of_several_sizes_are_measured_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "NETWORKS", ("rnn", "rnn-2"))
    args = sizes.Args(movements=2, commands=1, starts=1, runs=tmp_path / "runs", output=tmp_path)
    with pytest.raises(ValueError, match=r"rnn-ReachArm-v0-0, rnn-2-ReachArm-v0-0; python -m"):
        sizes.main(args)
    for name, neurons in (("rnn", 3), ("rnn-2", 2)):
        folder = args.runs / f"{name}-ReachArm-v0-0"
        config = replace(DEFAULTS["reach"], network=NetworkConfig(neurons=neurons))
        Trainer(config, folder).save()
        write_record(folder, name)
    measured = []
    row = sizes.row

    def counted(run, args):
        measured.append(run.algorithm)
        return row(run, args)

    monkeypatch.setattr(sizes, "row", counted)
    sizes.main(args)
    sizes.main(args)
    assert measured == ["rnn", "rnn-2"]
    sizes.main(replace(args, again=True))
    assert measured == ["rnn", "rnn-2"] * 2
    rows = {r["neurons"]: r for r in compare.read_rows(tmp_path / "sizes.csv")}
    controller = read_run(args.runs / "rnn-2-ReachArm-v0-0").controller()
    noisy = arm_env.evaluate(controller, movements=2, seed=compare.SEED)
    quiet = arm_env.evaluate(controller, movements=2, seed=compare.SEED, noise=0.0)
    assert set(rows) == {2, 3} and rows[2]["train_seconds"] == 60
    assert rows[2]["mean_value"] == noisy.mean_value
    assert rows[2]["noise_free_endpoint_error_m"] == quiet.median_endpoint_error_m
    text = (tmp_path / "sizes.md").read_text()
    assert text.index("| 2 | 0.0 %") < text.index("| 3 | 0.0 %")
    assert (tmp_path / "sizes.png").stat().st_size > 10_000


# Robustness.


def test_targets_jump_twice():
    targets = np.arange(12.0).reshape(3, 2, 2)
    schedule = robustness.DoubleStep(targets)
    shown = [schedule.commands(None, np.full(2, segment), None, None, None) for segment in range(9)]
    np.testing.assert_array_equal(shown, targets[[0, 0, 0, 0, 0, 1, 2, 2, 2]])
    measures = robustness.double_step(arm_env.Still(), "ReachArm-v0", 3)
    assert measures["number_of_movements"] == 3 and measures["fraction_within_target"] == 0


def test_conditions_are_measured_as_evaluate_does(monkeypatch, tmp_path):
    chosen = [
        c for c in robustness.CONDITIONS if (c.kind, c.amount) in (("noise", 0.2), ("curl", 15.0))
    ]
    monkeypatch.setattr(robustness, "CONDITIONS", chosen)
    rows = list(robustness.rows_of("pd", arm_env.JointPD(), "ReachArm-v0", 5))
    assert [row["condition"] for row in rows] == ["noise", "curl", "second jump"]
    perturbation = arm_env.Perturbation(curl=15.0)
    expected = arm_env.evaluate(
        arm_env.JointPD(), movements=5, seed=robustness.SEED, perturbation=perturbation
    )
    assert rows[1]["mean_value"] == expected.mean_value != rows[0]["mean_value"]
    table, picture = robustness.write_report(tmp_path / "robustness.csv", rows)
    assert "| curl [N s/m] | 15 |" in table.read_text() and picture.stat().st_size > 10_000


def test_the_first_run_of_each_kind_is_tested(tmp_path):
    for name, seed in (("rnn", 1), ("rnn", 0), ("rnn-6", 0)):
        folder = tmp_path / f"{name}-ReachArm-v0-{seed}"
        folder.mkdir()
        write_record(folder, name, seed)
    found = robustness.chosen(robustness.Args(runs=tmp_path))
    assert {(c.name, c.environment, c.seed) for c in found} == {
        ("joint-pd", "ReachArm-v0", 0), ("rnn", "ReachArm-v0", 0),
    }  # fmt: skip
    (other,) = robustness.chosen(robustness.Args(controllers=("rnn-6",), runs=tmp_path))
    assert other.name == "rnn-6"
    with pytest.raises(ValueError, match="called pop"):
        robustness.chosen(robustness.Args(controllers=("pop",), runs=tmp_path))


# All of it again.


def test_stored_runs_are_those_of_the_settings_as_they_are():
    found = {run.folder.name: run for run in stored_runs()}
    jobs = {job.name: job for job in read_jobs(COMPARISON)}
    assert found and not set(found) - set(jobs), "stored, but not in the sweep"
    for name, run in found.items():
        job = jobs[name]
        record = json.loads((run.folder / "run.json").read_text())
        if job.method in train_network.VARIANTS:
            config = train_network.configured(job.method, job.task, job.seed, job.settings)
            # of older runs settings may be missing
            assert stored_config(record["settings"]) == config
        else:
            now = asdict(settings(job.method, job.environment, job.settings))
            stored = with_present_names(Settings, record["settings"])
            assert stored == json.loads(json.dumps(now))
        assert run.algorithm == job.controller
        assert record["seed"] == job.seed


@pytest.mark.parametrize(
    ("shipped", "run"),
    [
        ("reach", "rnn-ReachArm-v0-1"),
        ("reach-paper", "rnn-12-ReachArm-v0-0"),
        ("circle", "rnn-CircleArm-v0-0"),
        ("circle-paper", "rnn-36-CircleArm-v0-0"),
    ],
)
def test_what_ships_is_a_stored_run(shipped, run):
    stored = STORED / run / "checkpoint.safetensors"
    assert (TRAINED / f"{shipped}.safetensors").read_bytes() == stored.read_bytes()


def test_native_environments_are_compared_with_dummies():
    figures = throughput.measure(throughput.Args(arms=2, rounds=1, steps=1, batch=128))
    assert figures["native_over_dummy"] == pytest.approx(
        figures["native_steps_per_s"] / figures["dummy_steps_per_s"]
    )


def test_changes_add_up_on_the_command_line():
    given = tyro.cli(Args, args=["--change", "num_envs=3", "--change", "model.gamma=0.5"])
    assert given.change == ("num_envs=3", "model.gamma=0.5")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_untrained_policy_has_the_initial_action(algorithm, tmp_path):
    s = settings(algorithm, "ReachArm-v0", {"num_envs": 2})
    model = begun(algorithm, "ReachArm-v0", 0, s, tmp_path).prepare()
    shape = (50, *model.observation_space.shape)
    observations = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    actions, _ = model.predict(observations, deterministic=True)
    np.testing.assert_allclose(actions, s.initial_action, atol=0.1)


def test_a_run_with_other_settings_is_not_resumed_and_says_which(tmp_path):
    job = Args(output=tmp_path / "a", change=("legs=2",))
    run = open_run(job)
    (run.folder / "leg-1").mkdir(parents=True)
    (run.folder / "leg-1" / "record.json").write_text(json.dumps(run.record))
    assert open_run(replace(job, resume=True)).record == run.record
    with pytest.raises(ValueError, match=r"has another legs; take another folder"):
        open_run(replace(job, change=("legs=3",), resume=True))
    small = {"iterations": 1, "batch_size": 2, "network.neurons": 3}
    train_network.finish("rnn", "reach", 0, small, tmp_path / "b")
    with pytest.raises(ValueError, match=r"\(iterations 1 there, 2 here\): remove"):
        train_network.finish("rnn", "reach", 0, {**small, "iterations": 2}, tmp_path / "b")
