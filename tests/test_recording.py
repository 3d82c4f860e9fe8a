"""Recordings become tables, datasets and files, with names and units, and come back."""

import sys
from dataclasses import dataclass, fields, replace

import gymnasium as gym
import numpy as np
import pytest

import arm_env
from arm_env import Body, JointPD, Labels, Recording, record
from arm_env.dynamics.body import ARM
from arm_env.tasks.measures import Recording as EarlierRecording
from arm_env.tasks.reach import Reach
from arm_env.tasks.variables import command_variable
from rnn_controller import load

ARRAYS = [field.name for field in fields(Recording)][:8]


def made(env_id="ReachArm-v0", controller=None, episodes=3, steps=5, senses=True, **arguments):
    envs = gym.make_vec(env_id, num_envs=episodes, max_episode_steps=-1, **arguments)
    return record(controller or load("reach"), envs, steps, seed=4, senses=senses)


@pytest.fixture(scope="module")
def recording():
    return made()


@dataclass(frozen=True)
class Tilted(Reach):
    """A task whose commands have names that are no identifiers, and an unknown unit."""

    name, env_id = "tilted", "TiltedArm-v0"
    command_names = ("target_x", "tilt/° of it")


def without_arrays(controller_state):
    """A controller that returns this as its state."""

    class Own:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.zeros((len(observation), 6)), controller_state(len(observation))

    return Own()


# --- tables ---------------------------------------------------------------------------------------


def test_a_table_has_a_row_for_each_episode_and_time(recording):
    table = recording.to_dataframe()
    assert list(table.columns[:4]) == ["episode", "time_s", "hand_x_m", "hand_y_m"]
    assert table["episode"].tolist() == np.repeat([0, 1, 2], 6).tolist()
    assert table["time_s"].tolist() == 3 * [0.0, 0.01, 0.02, 0.03, 0.04, 0.05]
    row = table[(table["episode"] == 2) & (table["time_s"] == 0.03)].iloc[0]
    assert row["joint_velocity_elbow_rad_s"] == recording.states[3, 2, 3]
    assert row["activation_BE"] == recording.states[3, 2, 9]
    assert row["hand_speed_m_s"] == recording.speed[3, 2]
    assert row["command_target_y_m"] == recording.commands[3, 2, 1]
    assert row["action_SE"] == recording.actions[3, 2, 1]
    assert row["muscle_velocity_SF_L0_s"] == recording.senses[3, 2, 6]
    assert row["neural_state_35"] == recording.neural_states[3, 2, 35]


def test_what_belongs_to_a_period_is_missing_at_the_last_instant(recording):
    table = recording.to_dataframe()
    missing = table.isna()
    of_periods = ["command_target_x_m", "command_target_y_m", "reward"]
    of_periods += [f"action_{muscle}" for muscle in arm_env.MUSCLES]
    assert set(table.columns[missing.any()]) == set(of_periods)
    assert table[missing.any(axis=1)]["time_s"].tolist() == 3 * [0.05]


def test_every_column_has_a_unit_and_a_name_that_r_and_matlab_take(recording):
    table = recording.to_dataframe()
    units = table.attrs["units"]
    assert list(units) == list(table.columns) and all(units.values())
    assert all(name.isidentifier() for name in units)
    assert units["hand_velocity_x_m_s"] == "m/s" and units["muscle_tension_BF_F0"] == "F0"
    assert units["action_SF"] == "1" and table.attrs["env_id"] == "ReachArm-v0"


def test_a_dataset_has_named_dimensions_and_units(recording):
    data = recording.to_xarray()
    assert dict(data.sizes) == {
        **{"time": 6, "episode": 3, "axis": 2, "muscle": 6, "joint": 2, "neuron": 36}
    }
    assert data["joint_angle"].dims == ("time", "episode", "joint")
    assert all(data[name].attrs["units"] and data[name].attrs["long_name"] for name in data)
    found = data["muscle_length"].sel(muscle="BF", time=0.02, episode=1)
    assert found == recording.senses[2, 1, 4]
    assert data.attrs["control_period"] == 0.01 and data.attrs["seed"] == 4


def test_senses_are_the_observations_without_noise():
    seen = []

    def still(observation):
        seen.append(observation[:, :18])
        return np.full((len(observation), 6), 0.2)

    for perturbation in ({}, {"strength": 0.5, "curl": 20}):
        seen.clear()
        found = made(controller=still, noise=0.0, perturbation=perturbation)
        np.testing.assert_allclose(found.senses[:-1], seen, rtol=1e-6, atol=1e-6)


# --- neural states --------------------------------------------------------------------------------


def test_the_state_that_a_controller_returns_stands_at_the_end_of_the_period():
    state = np.zeros((2, 3))

    class Counter:
        def predict(self, observation, memory=None, episode_start=None, deterministic=False):
            state[:] += 1  # into the same array
            return np.zeros((2, 6)), state

    found = made(controller=Counter(), episodes=2, steps=3).neural_states
    assert found.shape == (4, 2, 3) and np.isnan(found[0]).all()
    assert (found[1:] == np.array([1, 2, 3])[:, None, None]).all()


def test_a_network_s_first_state_is_the_one_at_rest(recording):
    assert (recording.neural_states[0] == 0).all() and recording.neural_states[1].any()
    assert made(controller=JointPD()).neural_states.shape == (6, 3, 4)


@pytest.mark.parametrize(
    "state",
    [
        lambda b: None,
        lambda b: [0.0] * b,
        lambda b: (np.zeros((b, 2)), np.zeros((b, 2))),
        lambda b: np.zeros(b),
        lambda b: np.zeros((b, 0)),
        lambda b: np.zeros((b + 1, 2)),
        lambda b: np.zeros((1, b, 2)),
        lambda b: np.full((b, 1), "x"),
        lambda b, sizes=[1]: np.zeros((b, sizes.append(1) or len(sizes))),
    ],
    ids=["None", "list", "tuple", "(B,)", "(B,0)", "(B+1,2)", "(1,B,2)", "text", "growing"],
)
def test_other_states_are_not_kept(state):
    assert made(controller=without_arrays(state)).neural_states is None


def test_evaluation_keeps_no_neural_states(monkeypatch):
    kept = []
    monkeypatch.setattr(Reach, "measures", lambda self, recording, *_, **__: kept.append(recording))
    arm_env.evaluate(load("reach"), movements=2)
    assert kept[0].neural_states is None and kept[0].senses is None


# --- files ----------------------------------------------------------------------------------------


def same_bits(one, other):
    for name in ARRAYS:
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.dtype == b.dtype and a.shape == b.shape, name
            assert a.tobytes() == b.tobytes(), name
    assert one.labels == other.labels and one.control_period == other.control_period
    assert dict(one.source) == dict(other.source)


def by_hand():
    rng = np.random.default_rng(0)
    shapes = (5, 2, 10), (4, 2, 3), (4, 2, 6), (4, 2), (5, 2, 2), (5, 2, 2)
    return Recording(*(rng.normal(size=shape) for shape in shapes))


def of_another_body():
    joints, muscles = ("hip", "knee", "ankle"), ("a", "b")
    labels = Labels(joints, muscles, ("target_x", "tilt/° of it"), ("m", ""), ("m", "m/s", "N"))
    rng = np.random.default_rng(0)
    shapes = (3, 1, 8), (2, 1, 2), (2, 1, 2), (2, 1), (3, 1, 2), (3, 1, 2)
    return Recording(*(rng.normal(size=shape) for shape in shapes), labels=labels)


KINDS = {
    "reach": made,
    "circle": lambda: made("CircleArm-v0", load("circle"), noise=0.0),
    "follow": lambda: made("FollowArm-v0", load("follow"), perturbation={"delay": 0.02}),
    "a function": lambda: made(controller=lambda o: np.zeros((len(o), 6)), senses=False),
    "one": lambda: made(episodes=1, steps=1),
    "no step": lambda: made(steps=0),
    "another period": lambda: made(controller=lambda o: np.zeros((3, 6)), control_period=0.005),
    "by hand": by_hand,
    "another body": of_another_body,
}


@pytest.mark.parametrize("suffix", [".npz", ".nc"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_recording_back_to_the_bit(kind, suffix, tmp_path):
    written = KINDS[kind]()
    path = tmp_path / "new folder" / f"x{suffix}"
    assert written.save(path) == path and [*path.parent.iterdir()] == [path]
    same_bits(written, Recording.load(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_csv_file_is_the_table(kind, tmp_path):
    import pandas

    written = KINDS[kind]()
    read = pandas.read_csv(written.save(tmp_path / "x.csv"))
    table = written.to_dataframe()
    assert list(read.columns) == list(table.columns)
    np.testing.assert_allclose(read, table, rtol=1e-8)


def test_names_of_another_body_and_of_odd_commands_are_those_of_the_columns():
    table = of_another_body().to_dataframe()
    for name in ("joint_angle_ankle_rad", "action_b", "command_target_x_m", "command_tilt_of_it"):
        assert name in table
    assert command_variable("tilt/° of it") in of_another_body().to_xarray()
    assert Tilted().labels == Labels(ARM.joints, ARM.muscles, Tilted.command_names, ("m", ""))


def test_a_body_names_the_units_of_its_senses():
    body = replace(ARM, sensory_units=("m", "m/s", "N"))
    assert isinstance(body, Body)
    task = type("Own", (Reach,), {"body": body})()
    found = replace(made(), labels=task.labels).to_dataframe().attrs["units"]
    assert found["muscle_tension_SF_N"] == "N"


def test_earlier_code_that_makes_a_recording_works():
    assert EarlierRecording is Recording
    assert by_hand().labels.muscles == arm_env.MUSCLES and by_hand().control_period == 0.01
    assert list(by_hand().to_dataframe().filter(like="command_")) == [
        "command_0",
        "command_1",
        "command_2",
    ]


@pytest.mark.parametrize("name", ["x", "x.mat", "x.h5", "x.npz.gz", ""])
def test_another_suffix_is_refused(recording, name, tmp_path):
    with pytest.raises(ValueError, match=r"\.npz, \.nc or \.csv"):
        recording.save(tmp_path / name)
    with pytest.raises(ValueError, match=r"read from \.npz or \.nc"):
        Recording.load(tmp_path / name)
    assert not [*tmp_path.iterdir()]


def test_places_that_cannot_be_written_or_read_are_refused(recording, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.nc").mkdir()
    for path in (tmp_path / "file" / "x.npz", tmp_path / "folder.nc"):
        with pytest.raises(OSError, match="can't be written"):
            recording.save(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Recording.load(tmp_path / "none.nc")
    with pytest.raises(ValueError, match="pandas"):
        Recording.load(tmp_path / "x.csv")


@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_another_file_is_no_recording(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    for write in (lambda: path.write_bytes(b"text"), lambda: other_file(path), path.touch):
        path.unlink(missing_ok=True)
        write()
        with pytest.raises(ValueError, match="is no"):
            Recording.load(path)


def other_file(path):
    import xarray

    if path.suffix == ".npz":
        np.savez(path, states=np.zeros(3))
    else:
        xarray.Dataset({"a": ("t", [1.0])}).to_netcdf(path, engine="h5netcdf")


def test_arrays_of_other_lengths_are_no_recording(recording):
    for name in ("states", "commands", "hand", "senses", "neural_states"):
        for wrong in (getattr(recording, name)[1:], getattr(recording, name).tolist()):
            with pytest.raises(ValueError, match=f"{name} of a recording must be an array"):
                replace(recording, **{name: wrong})


def test_a_recording_ends_with_the_episode():
    envs = gym.make_vec("ReachArm-v0", num_envs=2, max_episode_steps=5)
    assert len(record(JointPD(), envs, 5, seed=0).actions) == 5
    with pytest.raises(ValueError, match=r"steps must be up to 5 here.*max_episode_steps=-1"):
        record(JointPD(), envs, 6, seed=0)
    # the state after the last step is that of the next episode
    envs = gym.make_vec("ReachArm-v0", num_envs=2, max_episode_steps=5, autoreset_mode="SameStep")
    with pytest.raises(ValueError, match="steps must be up to 4 here"):
        record(JointPD(), envs, 5, seed=0)


def test_seeds_and_environments_are_checked():
    envs = gym.make_vec("ReachArm-v0", num_envs=1)
    first, second = (record(JointPD(), envs, 3, seed=seed) for seed in (4, np.int64(4)))
    assert (first.states == second.states).all() and second.source["seed"] == 4
    for seed in (-1, "x", 0.5):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            record(JointPD(), envs, 3, seed=seed)
    with pytest.raises(ValueError, match=r"from gymnasium\.make_vec, not 'ReachArm-v0'"):
        record(JointPD(), "ReachArm-v0", 3, seed=0)


@pytest.mark.parametrize(
    ("name", "env_id"),
    [("circle", "FollowArm-v0"), ("follow", "CircleArm-v0"), ("reach", "FollowArm-v0")],
)
def test_a_controller_of_other_commands_is_refused(name, env_id):
    """Circles and moving targets have four numbers each, so the observations have one size."""
    with pytest.raises(ValueError, match=f"made for the commands of {name} .*not for those of"):
        arm_env.evaluate(load(name), env_id, movements=2)


def test_a_package_that_is_missing_is_named_with_its_extra(recording, monkeypatch, tmp_path):
    calls = {
        "pandas": [recording.to_dataframe],
        "xarray": [recording.to_xarray, lambda: recording.save(tmp_path / "x.nc")],
        "h5netcdf": [lambda: recording.save(tmp_path / "x.nc")],
    }
    for package, uses in calls.items():
        for use in uses:
            with monkeypatch.context() as patch:
                patch.setitem(sys.modules, package, None)
                with pytest.raises(ImportError, match=rf"{package}.*'rnn-motor-control\[data\]'"):
                    use()
    assert not [*tmp_path.iterdir()]


def test_a_failed_write_leaves_the_earlier_file(recording, tmp_path):
    path = recording.save(tmp_path / "x.csv")
    before = path.read_bytes()

    def stopped(parts):
        yield from ()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recording.save(path, progress=stopped)
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]
