"""Several controllers on the same movements, side by side."""

import sys

import numpy as np
import pytest

import arm_env
from arm_env import Comparison, JointPD, Still, compare, evaluate

CONTROLLERS = {"joint PD": JointPD(), "still": Still(), "half": lambda o: np.full((len(o), 6), 0.5)}


@pytest.fixture(scope="module")
def comparison():
    return compare(CONTROLLERS, movements=5, seed=3, noise=0.1)


def test_the_measures_are_those_of_evaluate(comparison):
    for name, controller in CONTROLLERS.items():
        alone = evaluate(controller, movements=5, seed=3, noise=0.1)
        np.testing.assert_equal(comparison.measures[name].as_dict(), alone.as_dict())
    assert comparison.as_dict()["still"]["number_of_movements"] == 5


def test_it_prints_a_column_for_each_controller(comparison):
    header, *rows = str(comparison).splitlines()
    assert header.split() == ["joint", "PD", "still", "half"]
    ends = [header.rindex(name) + len(name) for name in CONTROLLERS]
    for row, name in zip(rows, comparison.as_dict()["still"], strict=True):
        assert row.startswith(name) and len(row) == len(header)
        assert all(row[end - 1] != " " and row[end : end + 1] in (" ", "") for end in ends)


def test_it_becomes_a_table_with_a_row_for_each_controller(comparison):
    table = comparison.to_dataframe()
    assert list(table.index) == list(CONTROLLERS) and table.index.name == "controller"
    assert table.loc["still", "noise"] == 0.1
    assert table["mean_value"].idxmax() in ("still", "half")


def test_environments_of_other_tasks_and_arguments_are_taken():
    found = compare({"a": Still()}, "CircleArm-v0", movements=2, perturbation={"curl": 10})
    assert isinstance(found, Comparison)
    assert found.measures["a"].fraction_converged == 0


@pytest.mark.parametrize("controllers", [{}, [JointPD()], JointPD(), None])
def test_anything_but_names_and_controllers_is_refused(controllers):
    with pytest.raises(ValueError, match="mapping of names to controllers"):
        compare(controllers)


def test_a_value_that_is_no_controller_is_refused_by_its_name_before_any_movement(monkeypatch):
    monkeypatch.setattr(arm_env.comparison, "evaluate", None)
    with pytest.raises(ValueError, match="second: a controller is an object with predict"):
        compare({"first": Still(), "second": 3})


def test_pandas_that_is_missing_is_named_with_its_extra(comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"'rnn-motor-control\[data\]'"):
        comparison.to_dataframe()


def test_names_that_are_shown_alike_are_refused():
    with pytest.raises(ValueError, match="names of controllers must differ"):
        compare({1: JointPD(), "1": Still()}, movements=2)
