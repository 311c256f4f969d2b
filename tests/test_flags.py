"""A preset and the flags that change it; arguments that are read from source code."""

import inspect
import re
import warnings
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentError

from audionet.console import COMMAND, same_command
from audionet.features import FEATURES
from audionet.flags import (
    RecipeParser,
    add_arguments,
    add_augmentations,
    add_part,
    add_run_arguments,
    parse,
    run_script,
)
from audionet.models import MODELS
from audionet.registry import Registry
from audionet.signatures import arguments_of

NAMED: dict[str, Registry[Any]] = {"features": FEATURES, "model": MODELS}

PRESET = """\
features: {name: LogMel, n_mels: 40, n_fft: 256}
model: {name: bcresnet, tau: 2}
steps: 3
"""


def parsed(folder: Path, *flags: str, preset: bool = True) -> dict[str, Any]:
    parser = RecipeParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--features", type=dict[str, Any] | None, default={"name": "MFCC"})
    parser.add_argument("--model", type=dict[str, Any], default={"name": "tcresnet"})
    parser.add_argument("--steps", type=int, default=1)
    (folder / "preset.yaml").write_text(PRESET)
    arguments = [*(["--config", str(folder / "preset.yaml")] if preset else []), *flags]
    config = parse(parser, arguments, named=NAMED).as_dict()
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


def test_a_recipe_may_have_a_preset_of_its_own_which_gives_way_to_one_that_is_named(tmp_path: Path) -> None:
    parser = RecipeParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--steps", type=int, default=1)
    own, named = tmp_path / "own.yaml", tmp_path / "named.yaml"
    own.write_text("steps: 2\n")
    named.write_text("steps: 3\n")
    values = [parse(parser, flags, named={}, preset=own).steps for flags in ([], ["--steps=5"], [f"--config={named}"])]
    assert values == [2, 5, 3]


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
                 tensor: nowhere.Tensor = None, untyped=1, skipped: Thing = len("ab")) -> None:
        """Make it.

        Args:
            kind: Its kind.
        """
'''


@pytest.fixture
def source(tmp_path, monkeypatch):
    (tmp_path / "of_source.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def parser_of(target: str, **arguments: Any) -> RecipeParser:
    parser = RecipeParser(exit_on_error=False)
    add_arguments(parser, target, "it", **arguments)
    return parser


@pytest.mark.usefixtures("source")
def test_arguments_are_read_from_a_source_that_cannot_be_imported():
    parser = parser_of("of_source:make")
    assert parser.parse_args([]).it.as_dict() == {"steps": 3, "names": ("a", "b"), "thing": None}
    given = parser.parse_args(["--it.names", "[c]", "--it.thing", "{any: value}"]).it
    assert given.names == ["c"] and dict(given.thing) == {"any": "value"}
    assert "How many, 100% of them." in parser.format_help()
    with pytest.raises(ArgumentError, match="it.steps: expected a whole number, got many"):
        parser.parse_args(["--it.steps", "many"])
    with pytest.raises(
        ArgumentError, match="--it.stepz: expected a flag of this recipe, got an unknown one; did you mean '--it.steps'"
    ):
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


@pytest.mark.usefixtures("source")
def test_a_default_that_is_no_literal_is_shown_as_code():
    assert "default: len('ab')" in parser_of("of_source:Made", skip={"size"}).format_help()


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


# ---- what is refused before anything is imported --------------------------------------------------------------------


def recipe_parser() -> RecipeParser:
    parser = RecipeParser(prog="train.py")
    add_run_arguments(parser, output="out")
    parser.add_argument("--features", type=dict[str, Any] | None, default={"name": "LogMel"})
    parser.add_argument("--model", type=dict[str, Any], default={"name": "tcresnet"})
    parser.add_argument("--data.conditions", type=Sequence[str], default=("label",))
    add_augmentations(parser, ("speed", "gain", "noise", "of_their_own"))
    add_part(parser, "spec_augment", "audionet.augment:SpecAugment", help="masks")
    add_arguments(parser, "audionet.datasets.corpus:open_corpus", "data", skip={"words_only", "progress"})
    add_arguments(parser, "audionet.training.data:ClipData", "data", skip={"corpus", "seed"})
    made_here = {"front_end", "model", "n_classes", "augment", "spec_augment", "seed"}
    add_arguments(parser, "audionet.training.recognition:Recognition", "task", skip=made_here)
    return parser


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--data.batch_size=0", "data.batch_size: expected a whole number of at least 1, got 0"),
        ("--data.batch-size=0", "data.batch_size: expected a whole number of at least 1, got 0"),
        ("--data.clip_seconds=-1", "data.clip_seconds: expected a number from 0.05 to 3600, got -1.0"),
        ("--data.clip_seconds=0.01", "data.clip_seconds: expected a number from 0.05 to 3600, got 0.01"),
        ("--data.clip_seconds=1000000", "data.clip_seconds: expected a number from 0.05 to 3600, got 1000000.0"),
        ("--data.clip_seconds=.nan", "data.clip_seconds: expected a number from 0.05 to 3600, got nan"),
        ("--data.sample_rate=3", "data.sample_rate: expected a whole number from 1000 to 768000, got 3"),
        ("--data.sample_rate=10000000", "data.sample_rate: expected a whole number from 1000 to 768000, got 10000000"),
        ("--task.learning_rate=0", "task.learning_rate: expected more than 0, got 0.0"),
        ("--task.learning_rate=.nan", "task.learning_rate: expected more than 0, got nan"),
        ("--task.learning_rate=.inf", "task.learning_rate: expected more than 0, got inf"),
        ("--task.weight_decay=-1", "task.weight_decay: expected at least 0, got -1.0"),
        ("--task.mixup_p=1.5", "task.mixup_p: expected a number from 0 to 1, got 1.5"),
        ("--augment.speed.amount=2", "augment.speed.amount: expected a number from 0 to 1, got 2"),
        ("--augment.gain.max_d=2", "augmentation gain: --augment.gain.max_d is none of its arguments; .* 'max_db'"),
        ("--spec_augment.fill=one", "spec_augment.fill: expected one of zero, mean, got 'one'"),
        ("--model.n_band=0", "network tcresnet: --model.n_band is none of its arguments; did you mean 'n_bands'"),
        ("--model.n_bands=0", "model.n_bands: expected at least 1, got 0"),
        ("--features.n_mel=0", "front-end LogMel: --features.n_mel is none of its arguments; did you mean 'n_mels'"),
        ('--features={"n_mels": 3}', "features: expected a name among its values"),
        ("--seed=-1", r"seed: expected a whole number from 0 to 2\*\*63 - 1, got -1"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_its_flag(flag: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(recipe_parser(), [flag], named=NAMED)


@pytest.mark.parametrize(
    "flag",
    [
        "--features.deltas=1",
        "--augment.gain.p=0.5",
        "--augment.of_their_own.x=3",
        "--features=null",
        "--model.name=own",
    ],
)
def test_what_may_fit_is_left_to_the_parts_themselves(flag: str) -> None:
    assert parse(recipe_parser(), [flag], named=NAMED).task.momentum == 0.9


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--task.learning_rat", "0.3"],
            "--task.learning_rat: expected a flag of .*; did you mean '--task.learning_rate'?",
        ),
        (["--see", "3"], "--see: expected a flag of this recipe, got an unknown one; did you mean '--seed'?"),
        (["--data.batch_size", "many"], "data.batch_size: expected a whole number, got many"),
        (["--ema_decay", "x"], "ema_decay: expected a number or null, got x"),
        (["--task.learning_rate"], "--task.learning_rate: expected one argument"),
        (
            ["--config", "wrong.yaml"],
            "wrong.yaml: --data.batch: expected a flag of .*; did you mean '--data.batch_size'?",
        ),
        (["--root", "x"], "--root: expected a flag of .*; did you mean '--data.root'?"),
        (["--epochs", "3"], "--epochs: .*; did you mean '--trainer.max_epochs' or '--trainer.min_epochs'?"),
        (["--task.epochs", "3"], "--task.epochs: .*; did you mean '--trainer.max_epochs' or '--trainer.min_epochs'?"),
        (["--data.labels", "a"], "--data.labels: expected a flag of .*; train.py --help lists them"),
        (
            ["--trainer", "x"],
            "--trainer: .*; its values are flags of their own, --trainer.accelerator, .* and [0-9]+ more",
        ),
        (["--features", "MFCC"], "features: expected {name: value} or null, got MFCC; give --features.name MFCC"),
        (["--data.conditions", "label"], r"data.conditions: expected a list, such as \[a, b\], got label"),
        (["--spec_augment", "3"], "spec_augment: expected {name: value} or null, got 3"),
        (["qqqq"], "qqqq: expected a flag of this recipe, got an unknown one; train.py --help lists them"),
    ],
)
def test_a_wrong_flag_gets_one_line(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text("data: {batch: 3}\n")
    with pytest.raises(SystemExit) as caught:
        parse(recipe_parser(), flags, named=NAMED)
    told = capsys.readouterr().err
    assert caught.value.code == 2 and re.fullmatch(f"error: {message}\n".replace("?", r"\?"), told), told


@pytest.mark.parametrize(
    ("preset", "content", "message"),
    [
        ("smok.yaml", None, "config: expected a preset, .*, got 'smok.yaml'; did you mean 'smoke.yaml'?"),
        ("nothing/near", None, "config: expected a preset, .*, got 'nothing/near'; see the folder presets"),
        (".", None, "config: expected a preset, which is a YAML file, got '.'"),
        ("a.yaml", b"a: [1, 2\nb: }", "a.yaml: expected a YAML file, got while parsing a flow sequence in .*, line 1,"),
        ("a.yaml", b"\x80\xff", "a.yaml: expected a YAML file, got 'utf-8' codec"),
        ("a.yaml", b"", "a.yaml: expected keys and values, got None"),
        ("a.yaml", b"- a\n- b", r"a.yaml: expected keys and values, got \['a', 'b'\]"),
    ],
)
def test_what_is_no_preset_is_refused_by_its_name(
    preset: str, content: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("smoke.yaml").touch()
    if content is not None:
        Path(preset).write_bytes(content)
    for arguments in (["--config", preset], [f"--config={preset}"]):
        with pytest.raises(ValueError, match=f"^{message}"):
            parse(recipe_parser(), arguments, named=NAMED)


def test_a_warning_of_a_recipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run_script(lambda: warnings.warn("two\n  lines", stacklevel=1))
    assert capsys.readouterr().err == "warning: two lines\n"


def test_a_home_folder_is_meant_behind_an_equals_sign_and_in_a_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.yaml").write_text("output: ~/runs\n")
    config = parse(recipe_parser(), ["--data.root=~/words", f"--config={tmp_path}/a.yaml"], named=NAMED)
    assert (config.data.root, config.output) == (f"{tmp_path}/words", f"{tmp_path}/runs")


def test_the_help_lists_the_arguments_of_the_chosen_parts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(recipe_parser(), ["--help", "--features.name=leaf", "--model.name", "WaveNet_Classifier"], named=NAMED)
    told = capsys.readouterr().out
    assert caught.value.code == 0
    for words in ("--features.n_filters", "--model.frame_length", "--augment.noise.max_snr_db", "--spec_augment.p"):
        assert words in told
    assert "LogMel, MFCC" in " ".join(told.split()) and "--features.n_mels" not in told
    assert "--features.sample_rate" not in told and "--model.n_classes" not in told


@pytest.mark.parametrize("name", [*FEATURES, *MODELS])
def test_the_source_of_every_part_is_known(name: str) -> None:
    registry: Any = FEATURES if name in FEATURES else MODELS
    parameters = inspect.signature(registry[name]).parameters
    home = registry.home(name)
    assert home is not None
    assert [argument.name for argument in arguments_of(home)] == list(parameters)
    assert all(argument.help for argument in arguments_of(home))


def test_a_command_that_starts_a_recipe_needs_no_flag_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert same_command() == "the same command with --resume true"
    monkeypatch.setenv(COMMAND, "train-words")
    assert same_command() == "the same command"


def test_a_recipe_ends_by_a_sentence() -> None:
    def fail(error: BaseException) -> None:
        raise error

    for error, message in ((ValueError("x: wrong"), "error: x: wrong"), (KeyboardInterrupt(), "interrupted; the same")):
        with pytest.raises(SystemExit, match=message):
            run_script(partial(fail, error))
