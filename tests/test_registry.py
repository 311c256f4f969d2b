import importlib.metadata
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from audionet.features import FEATURES
from audionet.registry import NamedArguments, Registry


class Thing(NamedArguments):
    def __init__(self, *, size: int = 1, colour: str = "red") -> None:
        self.size, self.colour = size, colour


class Anything(NamedArguments):
    def __init__(self, **settings: int) -> None:
        self.settings = settings


@pytest.fixture
def things():
    return Registry("thing", {"Ordered": "collections:OrderedDict"}, group="audionet.test_things")


def test_names_are_imported_when_asked_for(things):
    assert list(things) == ["Ordered"] and len(things) == 1 and "ordered" in things and "x" not in things
    assert things["ORDERED"].__name__ == "OrderedDict"


def test_a_class_of_ones_own(things):
    things.add("thing", Thing)
    things.add("thing", Thing)  # a module that is imported again
    assert things.create("Thing", size=3).size == 3 and list(things) == ["Ordered", "thing"]
    with pytest.raises(ValueError, match="thing 'ordered': the name is taken"):
        things.add("ordered", Thing)
    with pytest.raises(ValueError, match="thing 'thing': the name is taken"):
        things.add("thing", Anything)


def test_an_installed_package_offers_one(things, monkeypatch):
    entry = EntryPoint("offered", f"{__name__}:Thing", "audionet.test_things")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **select: EntryPoints([entry]).select(**select))
    assert things["offered"] is Thing


def test_an_unknown_name(things):
    with pytest.raises(ValueError, match=r"thing: expected one of Ordered, got 'orderd'; did you mean 'Ordered'\?"):
        things["orderd"]
    with pytest.raises(ValueError, match="--import"):
        things["my_net"]


def test_a_misspelled_argument(things):
    things.add("thing", Thing)
    with pytest.raises(TypeError, match=r"Thing has no argument 'color'; did you mean 'colour'\?"):
        Thing(color="blue")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Thing has no argument 'xyz'; it takes size, colour"):
        Thing(xyz=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="thing thing: Thing has no argument 'color'"):
        things.create("thing", color="blue")
    assert Anything(whatever=1).settings == {"whatever": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_mels": "40"}, "n_mels: expected a whole number, got '40'"),
        ({"n_mels": 40.5}, "n_mels: expected a whole number, got 40.5"),
        ({"n_mels": True}, "n_mels: expected a whole number, got True"),
        ({"n_mels": None}, "n_mels: expected a whole number, got None"),
        ({"sample_rate": "16k"}, "sample_rate: expected a whole number, got '16k'"),
        ({"f_max": "all"}, "f_max: expected a number, got 'all'"),
        ({"f_min": [0.0]}, r"f_min: expected a number, got \[0.0\]"),
    ],
)
def test_what_is_no_number_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        FEATURES.create("LogMel", **arguments)


def test_numbers_of_any_type_are_taken():
    front_end = FEATURES.create("LogMel", n_mels=np.int64(20), sample_rate=16_000.0, f_max=None, f_min=20)
    assert front_end.n_bands == 20
