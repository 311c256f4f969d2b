import math

import numpy as np
import pytest

from audionet.checks import check_at_least, check_no_misfits, check_one_of, check_positive, check_that, listed, nearest


def test_listed():
    assert listed([]) == ""
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(range(5), 2) == "0, 1 and 3 more"
    assert listed("abc", 2, separator="\n") == "a\nb\nand 1 more"


def test_advice_for_a_name_that_is_not_known():
    assert nearest("sevn", ["six", "seven"]) == "did you mean 'seven'?"
    assert nearest("mfc", ["LogMel", "MFCC"]) == "did you mean 'MFCC'?"
    assert nearest("yes", ["six", "seven"]) == "choose one of them"
    assert nearest(7, {"six": 6}, "say it") == "say it"


def test_one_of_some_names():
    check_one_of({"six": 6}, "label", "six")
    with pytest.raises(ValueError, match=r"^label: expected one of six, seven, got 'sixx'; did you mean 'six'\?$"):
        check_one_of(("six", "seven"), "label", "sixx")


@pytest.mark.parametrize(
    ("bounds", "whole", "value", "expected"),
    [
        ((1,), False, 0.5, "at least 1"),
        ((0,), False, math.nan, "at least 0"),
        ((0,), False, math.inf, "at least 0"),
        ((0,), False, "3", "at least 0"),
        ((0,), False, None, "at least 0"),
        ((2,), True, 2.5, "a whole number of at least 2"),
        ((0, 1), False, 1.5, "a number from 0 to 1"),
        ((0, 99), True, 100, "a whole number from 0 to 99"),
    ],
)
def test_numbers_out_of_their_bounds(bounds, whole, value, expected):
    with pytest.raises(ValueError, match=f"^size: expected {expected}, got {value!r}$"):
        check_at_least(*bounds, whole=whole, other=bounds[0], size=value)


def test_numbers_within_their_bounds():
    check_at_least(1, 2, whole=True, a=1, b=2.0, c=np.int64(1), d=np.float32(2))


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "1", None])
def test_numbers_that_are_not_positive(value):
    with pytest.raises(ValueError, match=f"^size: expected more than 0, got {value!r}$"):
        check_positive(other=1e-30, size=value)


def test_values_and_collections():
    check_that([1], "names", "some", [1])
    with pytest.raises(ValueError, match=r"^names: expected some, got \[\]$"):
        check_that([], "names", "some", [])
    check_no_misfits([], "corpus", "recordings")
    with pytest.raises(ValueError, match="^corpus: expected recordings, got 0, 1, 2, 3, 4 and 2 more$"):
        check_no_misfits(range(7), "corpus", "recordings")


@pytest.mark.parametrize("value", [10**400, -(10**400), float("inf"), float("nan"), "1", None])
def test_what_no_float_can_be_is_refused(value):
    for check in (check_positive, lambda **named: check_at_least(0, **named)):
        with pytest.raises(ValueError, match="size: expected"):
            check(size=value)
