"""Arguments as users write them: what is clear is taken, the rest is refused by name."""

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
import torch

from arm_env.arguments import choice, count, flag, number, numbers
from arm_env.checked import Checked, filled, group, within


@dataclass(frozen=True)
class Spring(Checked):
    stiffness: float = within(2.0, 0, 10, above=True)
    ends: tuple[float, float] = within((0.0, 1.0), -1, 1)
    coils: int = within(3, 1, 100)
    damping: float | None = within(None, 0)
    turns: int | None = within(None, 1, whole=True)
    travel: tuple[float, float] | None = within(None, 0, 5, ascending=True, shape=(2,))
    risk: float = within(1.0, 0, infinite=True)
    fixed: bool = True


@pytest.mark.parametrize(
    "value",
    [0.25, np.float64(0.25), np.float32(0.25), np.float16(0.25), np.array(0.25),
     torch.tensor(0.25), "0.25", "25e-2", Decimal("0.25")],
)  # fmt: skip
def test_a_number_is_taken_in_every_form_and_becomes_a_float(value):
    result = number("noise", value, 0, 1)
    assert type(result) is float and result == 0.25
    assert type(Spring(stiffness=value).stiffness) is float


@pytest.mark.parametrize(
    "value",
    [None, True, np.True_, "", "much", b"0.5x", [0.5], np.array([0.5]), torch.tensor([0.5]), {},
     object(), Spring, math.nan, math.inf, -math.inf, "nan", "inf", 1.5, -0.5, 10**400, 1j,
     torch.tensor(0.5, device="meta")],
)  # fmt: skip
def test_what_is_no_number_in_range_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^noise must be a number from 0 to 1, not "):
        number("noise", value, 0, 1)


def test_infinity_is_taken_where_it_has_a_meaning_only():
    assert Spring(risk=math.inf).risk == math.inf == Spring(risk="inf").risk
    for value in (-math.inf, math.nan, -1):
        with pytest.raises(ValueError, match=r"^risk must be a number of 0 or above"):
            Spring(risk=value)
    with pytest.raises(
        ValueError, match=r"^stiffness must be a number above 0 and up to 10, not inf"
    ):
        Spring(stiffness=math.inf)


@pytest.mark.parametrize(
    "value", [4, 4.0, np.int8(4), np.float32(4), np.array(4), torch.tensor(4), "4"]
)
def test_a_whole_number_is_taken_in_every_form_and_becomes_an_int(value):
    assert type(count("neurons", value, 1)) is int and count("neurons", value, 1) == 4
    assert type(Spring(coils=value, turns=value).turns) is int


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        4.5,
        "4.5",
        "four",
        True,
        None,
        [4],
        math.inf,
        math.nan,
        101,
        10**400,
        -(10**400),
        np.timedelta64(5, "s"),
        b"4",
    ],
)
def test_what_is_no_whole_number_in_range_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^coils must be a whole number from 1 to 100, not "):
        Spring(coils=value)


def test_a_large_whole_number_keeps_its_digits():
    assert count("seed", 2**63 + 1) == 2**63 + 1 == count("seed", np.uint64(2**63 + 1))


def test_tuples_have_the_default_s_shape():
    for ends in ([0, 1], np.array([0, 1]), torch.tensor([0.0, 1.0]), (np.float32(0), 1)):
        assert Spring(ends=ends).ends == (0.0, 1.0) and type(Spring(ends=ends).ends[1]) is float
    for ends in (
        0,
        (0, 1, 0),
        (0, 2),
        (0, math.nan),
        "ab",
        "01",
        None,
        [[0, 1]],
        (True, False),
        [0, None],
        {},
        (0, 10**400),
    ):
        with pytest.raises(
            ValueError, match=r"^ends must be finite numbers from -1 to 1, shape \(2,\), not "
        ):
            Spring(ends=ends)
    assert numbers("grid", [[1, 2]], (1, 2)) == ((1.0, 2.0),)


def test_an_optional_tuple_has_the_shape_that_is_declared():
    assert Spring().travel is None and Spring(travel=None).travel is None
    for travel in ([1, 2], np.array([1, 2]), torch.tensor([1.0, 2.0])):
        assert Spring(travel=travel).travel == (1.0, 2.0)
    for travel in (1, (1, 2, 3), (1, 6), (1, None), "12"):
        with pytest.raises(
            ValueError, match=r"^travel must be finite numbers from 0 to 5, shape \(2,\), not "
        ):
            Spring(travel=travel)
    with pytest.raises(ValueError, match=r"^travel must go from low to high, not \(2, 1\)"):
        Spring(travel=(2, 1))


def test_none_only_where_it_is_the_default():
    assert Spring(damping=None, turns=None).damping is None
    assert Spring(damping="1").damping == 1
    with pytest.raises(ValueError, match="stiffness"):
        Spring(stiffness=None)
    with pytest.raises(ValueError, match="turns must be a whole number"):
        Spring(turns=1.5)


def test_flags_and_choices():
    assert Spring(fixed=np.False_).fixed is False
    for value in (0, 1, "yes", None):
        with pytest.raises(ValueError, match=r"^fixed must be True or False"):
            Spring(fixed=value)
    assert flag("fixed", True) is True
    assert choice("task", "a", ["a", "b"]) == "a"
    for value in ("c", None, ["a"]):
        with pytest.raises(ValueError, match=r"^unknown task .*: choose one of a, b"):
            choice("task", value, ["a", "b"])


def test_a_group_is_itself_or_a_mapping_of_what_differs():
    default = Spring(coils=5)
    given = Spring(coils=7)
    assert group("spring", None, Spring, default) is default
    assert group("spring", given, Spring, default) is given
    assert group("spring", {"stiffness": "3"}, Spring, default) == Spring(stiffness=3, coils=5)
    for value in (Spring, "stiff", 3, [("coils", 5)]):
        with pytest.raises(
            ValueError, match=r"^spring must be a Spring, a mapping of its fields such as"
        ):
            group("spring", value, Spring, default)
    with pytest.raises(
        ValueError, match=r"^spring has no field 'stifness': there are stiffness, ends, coils"
    ):
        group("spring", {"stifness": 3}, Spring, default)
    with pytest.raises(ValueError, match=r"^spring: stiffness must be a number above 0"):
        filled("spring", {"stiffness": -1}, default)


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(ValueError) as caught:
        number("noise", "x" * 10000)
    assert len(str(caught.value)) < 200
