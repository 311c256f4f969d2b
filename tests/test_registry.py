import importlib.metadata
from importlib.metadata import EntryPoint, EntryPoints

import pytest

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
