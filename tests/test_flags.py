"""A preset and the flags that change it; arguments that are read from source code."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentError, ArgumentParser

from audionet.flags import add_arguments, parse

PRESET = """\
features: {name: LogMel, n_mels: 40, n_fft: 256}
model: {name: bcresnet, tau: 2}
steps: 3
"""


def parsed(folder: Path, *flags: str, preset: bool = True) -> dict[str, Any]:
    parser = ArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--features", type=dict[str, Any] | None, default={"name": "MFCC"})
    parser.add_argument("--model", type=dict[str, Any], default={"name": "tcresnet"})
    parser.add_argument("--steps", type=int, default=1)
    (folder / "preset.yaml").write_text(PRESET)
    arguments = [*(["--config", str(folder / "preset.yaml")] if preset else []), *flags]
    config = parse(parser, arguments, named=("features", "model")).as_dict()
    return config


FROM_PRESET = {
    "features": {"name": "LogMel", "n_mels": 40, "n_fft": 256},
    "model": {"name": "bcresnet", "tau": 2},
    "steps": 3,
}


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        ([], {}),
        (["--steps", "5"], {"steps": 5}),
        (["--features.n_mels", "80"], {"features": {"name": "LogMel", "n_mels": 80, "n_fft": 256}}),
        (["--features.name", "LogMel"], {}),
        (["--features.name=leaf"], {"features": {"name": "leaf"}}),
        (["--features.name", "leaf", "--features.n_filters", "8"], {"features": {"name": "leaf", "n_filters": 8}}),
        (["--features.n_fft", "256", "--features.name", "MFCC"], {"features": {"name": "MFCC", "n_fft": 256}}),
        (["--features", '{"name": "leaf", "n_filters": 8}'], {"features": {"name": "leaf", "n_filters": 8}}),
        (["--features", "null"], {"features": None}),
        (["--model.name=tcresnet"], {"model": {"name": "tcresnet"}}),
    ],
)
def test_another_name_leaves_the_presets_arguments_behind(tmp_path, flags, changed):
    assert parsed(tmp_path, *flags) == FROM_PRESET | changed


def test_the_preset_may_stand_anywhere_in_any_form(tmp_path):
    (tmp_path / "preset.yaml").write_text(PRESET)
    form = f"--config={tmp_path / 'preset.yaml'}"
    assert parsed(tmp_path, form, "--model.name", "tcresnet", preset=False) == FROM_PRESET | {
        "model": {"name": "tcresnet"}
    }
    assert parsed(tmp_path, preset=False) == {"features": {"name": "MFCC"}, "model": {"name": "tcresnet"}, "steps": 1}
    assert parsed(tmp_path, "--features.name", "leaf", preset=False)["features"] == {"name": "leaf"}


# ---- arguments read from source code --------------------------------------------------------------------------------

MODULE = '''
from pathlib import Path
from nowhere import Thing


def make(*, steps: int = 3, names: Sequence[str] = ("a", "b"), thing: Thing | None = None) -> None:
    """Make it.

    Args:
        steps: How many, 100% of them.
    """


class Made:
    """What is made.

    Args:
        size: Its size.
    """

    def __init__(self, size: float, /, kind: Literal["x", "y"] = "x", *, pair: tuple[float, float] = (0.5, -1e-3),
                 tensor: nowhere.Tensor = None, untyped=1, skipped: int = len("ab")) -> None:
        """Make it.

        Args:
            kind: Its kind.
        """
'''


@pytest.fixture
def source(tmp_path, monkeypatch):
    (tmp_path / "of_source.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def parser_of(target: str, **arguments: Any) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    add_arguments(parser, target, "it", **arguments)
    return parser


@pytest.mark.usefixtures("source")
def test_arguments_are_read_from_a_source_that_cannot_be_imported():
    parser = parser_of("of_source:make")
    assert parser.parse_args([]).it.as_dict() == {"steps": 3, "names": ("a", "b"), "thing": None}
    given = parser.parse_args(["--it.names", "[c]", "--it.thing", "{any: value}"]).it
    assert given.names == ["c"] and dict(given.thing) == {"any": "value"}
    assert "How many, 100% of them." in parser.format_help()
    with pytest.raises(ArgumentError, match=r'"it.steps"'):
        parser.parse_args(["--it.steps", "many"])
    with pytest.raises(ArgumentError, match="--it.step"):
        parser.parse_args(["--it.stepz", "3"])


@pytest.mark.usefixtures("source")
def test_a_class_has_the_arguments_of_its_init():
    parser = parser_of("of_source:Made", skip={"skipped"})
    assert parser.parse_args(["--it.size", "2"]).it.as_dict() == {
        "size": 2.0,
        "kind": "x",
        "pair": (0.5, -0.001),
        "tensor": None,
        "untyped": 1,
    }
    assert "Its size." in parser.format_help() and "Its kind." in parser.format_help()
    for wrong in (["--it.kind", "z"], ["--it.pair", "[1]"], []):
        with pytest.raises(ArgumentError, match="it"):
            parser.parse_args(["--it.size", "2", *wrong] if wrong else [])


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("target", ["of_source:Nothing", "no_such_module:X", "audionet.flags:Arguments"])
def test_what_is_not_there_is_refused(target):
    with pytest.raises(ValueError, match=r"target: expected .* got "):
        parser_of(target)


def test_a_default_that_is_no_literal_is_refused(source):
    with pytest.raises(ValueError):
        parser_of("of_source:Made")


@pytest.mark.parametrize(
    "target",
    [
        "audionet.training.recognition:Recognition",
        "audionet.training.generation:Generation",
        "audionet.training.data:ClipData",
        "audionet.datasets.corpus:open_corpus",
        "lightning.pytorch.trainer.trainer:Trainer",
    ],
)
def test_the_source_says_what_the_imported_class_says(target):
    module, _, name = target.partition(":")
    parameters = inspect.signature(getattr(import_module(module), name)).parameters.values()
    needed = {parameter.name for parameter in parameters if parameter.default is parameter.empty}
    skipped = needed | {"logger"}
    expected = {parameter.name: parameter.default for parameter in parameters if parameter.name not in skipped}
    parser = parser_of(target, skip=skipped)
    assert parser.get_defaults().it.as_dict() == expected
