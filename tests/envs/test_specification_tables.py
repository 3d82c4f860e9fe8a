"""The docstrings of the environments say what the environments are: sections, tables, numbers."""

import inspect
import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator

from arm_env.envs.base import ArmEnv
from arm_env.envs.settings import Settings
from arm_env.tasks.registry import TASKS

SECTIONS = [
    "Description",
    "Action Space",
    "Observation Space",
    "Rewards",
    "Starting State",
    "Episode End",
    "Arguments",
    "Info",
    "Version History",
    "References",
]
UNITS = {
    **{"length": "L0", "velocity": "L0/s", "tension": "F0", "target": "m", "centre": "m"},
    **{"radius": "m", "speed": "m/s"},
}
EVERY = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def sections(task):
    """The text of each section of the environment's docstring, by its title."""
    cls = load_env_creator(gym.spec(task.env_id).entry_point)
    parts = re.split(r"^## (.*)\n", inspect.getdoc(cls), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table(text, number=0):
    """The rows of one of a section's tables, each a dict by the titles of its columns."""
    tables = [found[0] for found in re.finditer(r"(^\|.*\n)+", text, re.MULTILINE)]
    lines = tables[number].splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


@EVERY
def test_the_sections_are_those_of_gymnasium(task):
    assert list(sections(task)) == SECTIONS


@EVERY
def test_the_table_of_actions_is_the_action_space(task):
    text = sections(task)["Action Space"]
    space = gym.make(task.env_id).action_space
    rows = table(text)
    assert [int(row["index"]) for row in rows] == list(range(*space.shape))
    assert [row["muscle"].split(",")[0] for row in rows] == list(task.body.muscles)
    np.testing.assert_array_equal([float(row["low"]) for row in rows], space.low)
    np.testing.assert_array_equal([float(row["high"]) for row in rows], space.high)
    assert f"{space.shape}, {space.dtype}" in text


@EVERY
def test_the_table_of_observations_is_the_observation_space(task):
    text = sections(task)["Observation Space"]
    env = gym.make(task.env_id).unwrapped
    space = env.observation_space
    rows = table(text)
    assert [int(row["index"]) for row in rows] == list(range(*space.shape))
    assert tuple(row["name"] for row in rows) == env.observation_names
    close = {"rtol": 1e-3, "atol": 1e-4}  # four digits
    np.testing.assert_allclose([float(row["low"]) for row in rows], space.low, **close)
    np.testing.assert_allclose([float(row["high"]) for row in rows], space.high, **close)
    assert f"{space.shape}, {space.dtype}" in text


@EVERY
def test_every_signal_has_its_unit(task):
    for row in table(sections(task)["Observation Space"]):
        kind = row["name"].split("_")[0]
        of_target = row["name"] in ("velocity_x", "velocity_y")
        assert row["unit"] == ("m/s" if of_target else UNITS[kind]), row


@EVERY
def test_the_table_of_arguments_is_the_constructor_s(task):
    rows = {row["name"]: row["default"] for row in table(sections(task)["Arguments"])}
    shared = inspect.signature(Settings.of).parameters
    expected = {"render_mode", "muscle_info", *shared.keys() - {"task"}, *task.argument_names}
    assert rows.keys() == expected
    for name in ("noise", "control_period", "schedule", "perturbation"):
        assert rows[name] == str(shared[name].default)
    assert rows["muscle_info"] == str(inspect.signature(ArmEnv).parameters["muscle_info"].default)
    cls = load_env_creator(gym.spec(task.env_id).entry_point)
    own = inspect.signature(cls).parameters
    for name in ("render_mode", *task.argument_names):
        if own[name].default is not None:
            assert rows[name] == str(own[name].default)


@EVERY
def test_the_numbers_of_cost_and_end_are_the_task_s(task):
    weights = task.weights
    numbers = re.search(
        r"α = ([\d.]+), γ = ([\d.]+), d0 = ([\d.]+) m and\s+v0 = ([\d.]+) m/s",
        sections(task)["Rewards"],
    )
    assert [float(number) for number in numbers.groups()] == [
        weights.alpha,
        weights.gamma,
        weights.target_radius,
        weights.reference_speed,
    ]
    end = sections(task)["Episode End"]
    seconds = task.max_episode_steps * gym.make(task.env_id).unwrapped.control_period
    assert f"({task.max_episode_steps} by default: {seconds:g} s" in end
    assert end.startswith("Truncation") and "no termination" in end


def test_the_table_of_info_is_what_a_step_returns():
    env = gym.make("ReachArm-v0")
    env.reset(seed=1)
    info = env.step(env.action_space.high)[4]
    rows = {row["key"]: row["shape"] for row in table(sections(TASKS["reach"])["Info"])}
    assert rows == {key: str(np.shape(value)) for key, value in info.items()}


def test_the_second_table_of_info_is_what_muscle_info_adds():
    env = gym.make("ReachArm-v0", muscle_info=True)
    _, info = env.reset(seed=1)
    text = sections(TASKS["reach"])["Info"]
    rows = {row["key"]: row["shape"] for number in (0, 1) for row in table(text, number)}
    assert rows == {key: str(np.shape(value)) for key, value in info.items()}


@EVERY
def test_an_episode_s_return_is_minus_its_value(task):
    """As the section on rewards says: V = Σ c Δt."""
    env = gym.make(task.env_id)
    env.reset(seed=1)
    total = value = 0.0
    for _ in range(5):
        _, reward, _, _, info = env.step(env.action_space.high)
        total += reward
        cost = info["cost_distance"] + info["cost_velocity"] + info["cost_effort"]
        value += cost * env.unwrapped.control_period
    assert total == pytest.approx(-value)
    assert "V = Σ c Δt" in sections(task)["Rewards"]
