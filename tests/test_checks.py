import pytest

from audionet.checks import check_one_of, listed, nearest


def test_listed():
    assert listed([]) == ""
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(range(5), 2) == "0, 1 and 3 more"
    assert listed("abc", 2, separator="\n") == "a\nb\nand 1 more"


def test_advice_for_a_name_that_is_not_known():
    assert nearest("sevn", ["six", "seven"]) == "did you mean 'seven'?"
    assert nearest("yes", ["six", "seven"]) == "choose one of them"
    assert nearest(7, {"six": 6}, "say it") == "say it"


def test_one_of_some_names():
    check_one_of({"six": 6}, "label", "six")
    with pytest.raises(ValueError, match=r"^label: expected one of six, seven, got 'sixx'; did you mean 'six'\?$"):
        check_one_of(("six", "seven"), "label", "sixx")
