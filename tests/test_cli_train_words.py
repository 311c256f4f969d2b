"""`audionet train-words`: what it runs, what it leaves, and what it refuses before any work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audionet.cli import train_words as command
from audionet.cli.main import main
from audionet.cli.parsing import UsageError, run
from audionet.cli.train_words import train_words


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Keep what would be run, and let it leave a bundle, or fail for the word "bad"."""
    kept: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        kept.append(arguments)
        folder = Path(value_of(arguments, "output"))
        if "bad" in value_of(arguments, "data.words"):
            return 1
        (folder / "config.yaml").write_text("seed: 0")
        (folder / "model.safetensors").write_bytes(b"weights")
        return 0

    monkeypatch.setattr(command, "run_script", run)
    return kept


def value_of(arguments: list[str], name: str) -> str:
    (value,) = [each.partition("=")[2] for each in arguments if each.startswith(f"--{name}=")]
    return value


def test_words_become_flags_of_the_recipe_and_its_bundle_is_the_output(
    runs: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lights on", "no", "7", "Küche"]
    assert main(["train-words", *words, "--language", "de", "--output", "made/lights.safetensors", "--seed", "3"]) == 0
    (arguments,) = runs
    assert arguments[0].endswith("recipes/words/train.py") and Path(arguments[0]).is_file()
    assert Path(value_of(arguments, "config")).is_file()
    assert value_of(arguments, "output") == os.path.join("made", "lights") and value_of(arguments, "resume") == "false"
    assert value_of(arguments, "seed") == "3" and value_of(arguments, "data.language") == "de"
    assert not [each for each in arguments if "recordings" in each or "synthetic" in each or "engines" in each]
    assert Path("made/lights.safetensors").read_bytes() == b"weights"
    assert "audionet recognize made/lights.safetensors" in capsys.readouterr().out


def test_the_recipe_reads_the_words_as_they_are_typed(runs: list[list[str]]) -> None:
    words = ["lights on", "no", "7", "null", 'say "a"', "Küche"]
    given = ["--recordings", "mine", "--synthetic", "false", "--engines", "espeak,pico", "--output", "a.safetensors"]
    Path("mine").mkdir()
    assert main(["train-words", *words, *given]) == 0
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("train", runs[0][0])
    assert spec is not None and spec.loader is not None
    recipe = module_from_spec(spec)
    spec.loader.exec_module(recipe)
    config = recipe.make_parser().parse_args(runs[0][1:])
    assert config.data.words == words and config.data.recordings == "mine" and config.data.synthetic is False
    assert config.data.engines == ["espeak", "pico"] and config.resume is False


def test_several_folders_without_a_word_are_named(runs: list[list[str]]) -> None:
    given = ["--negatives", "room", "car", "--output", "a.safetensors", "--negatives", "tv"]
    assert main(["train-words", "stop", *given]) == 0
    assert value_of(runs[0], "data.negatives") == '["room", "car", "tv"]'
    with pytest.raises(UsageError, match="--negatives: expected at least one argument"):
        run(train_words, "audionet train-words", ["stop", "--output", "b.safetensors", "--negatives"])


CONFIG = """
seed: 0
data: {words: [stop], language: en, recordings: null, synthetic: null, engines: null, batch_size: 100}
"""


def test_a_run_that_was_interrupted_goes_on(runs: list[list[str]]) -> None:
    Path("a/checkpoints").mkdir(parents=True)
    Path("a/checkpoints/last.ckpt").touch()
    Path("a/config.yaml").write_text(CONFIG)
    assert main(["train-words", "stop", "--output", "a.safetensors"]) == 0
    assert value_of(runs[0], "resume") == "true"


def test_a_run_that_was_killed_before_its_values_were_written_begins_again(runs: list[list[str]]) -> None:
    Path("a").mkdir()
    for name in (".lock", ".lock.worker", ".written", ".0123456789abcdef.partial"):
        Path("a", name).touch()
    assert main(["train-words", "stop", "--output", "a.safetensors"]) == 0
    assert value_of(runs[0], "resume") == "false"


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_a_run_that_was_killed_at_its_end_ends_again(
    runs: list[list[str]], monkeypatch: pytest.MonkeyPatch, has_checkpoint: bool
) -> None:
    Path("a/checkpoints").mkdir(parents=True)
    Path("a/config.yaml").write_text(CONFIG)
    Path("a/model.safetensors").touch()
    if has_checkpoint:
        Path("a/checkpoints/last.ckpt").touch()
    found: list[str] = []
    run = command.run_script

    def look_and_run(arguments: list[str]) -> int:
        found.extend(os.listdir("a"))
        return run(arguments)

    monkeypatch.setattr(command, "run_script", look_and_run)
    assert main(["train-words", "stop", "--output", "a.safetensors"]) == 0
    assert ("model.safetensors" in found) is has_checkpoint  # without one a recipe takes it for what another run left
    assert Path("a.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("given", "config"),
    [
        *((given.split(), CONFIG) for given in ("go", "stop go", "stop --language de", "stop --seed 1")),
        *((given.split(), CONFIG) for given in ("stop --engines pico", "stop --synthetic true")),
        *((["stop"], config) for config in ("", "data: 3", "seed: 0", "a: [", "\x07")),
    ],
)
def test_the_run_of_another_command_is_left_alone(
    runs: list[list[str]], given: list[str], config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a").mkdir()
    Path("a/config.yaml").write_text(config)
    Path("a/model.safetensors").write_bytes(b"mine")
    assert main(["train-words", *given, "--output", "a.safetensors"]) == 1
    assert "output: expected a name whose folder a is free, or of a run of the same command" in capsys.readouterr().err
    assert not runs and Path("a/model.safetensors").read_bytes() == b"mine"


def test_what_fails_leaves_no_empty_folder_and_no_bundle(runs: list[list[str]]) -> None:
    assert main(["train-words", "bad", "--output", "a.safetensors"]) == 1
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--output", "a.safetensors"],
            "words: expected at least one word or phrase, got 'none'; such as \"lights on\"",
        ),
        (["stop", "--output", "a.onnx"], "output: expected a name that ends in .safetensors, got 'a.onnx'"),
        (["stop", "--output", "old.safetensors"], "output: expected a file that is not there yet, got 'old.safet"),
        (["stop", "--output", "kept.safetensors"], "output: expected a name whose folder kept is free, or of a run of"),
        (["stop", "--output", "file/a.safetensors"], "a file is where a folder should be"),
        (["stop", "--recordings", "kept", "--output", "kept/a.safetensors"], "output: expected a name whose folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(
    runs: list[list[str]], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("old.safetensors").write_bytes(b"old")
    Path("kept").mkdir()
    Path("kept/mine.wav").touch()
    Path("file").touch()
    before = sorted(os.listdir())
    assert main(["train-words", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err and not runs
    assert sorted(os.listdir()) == before and Path("old.safetensors").read_bytes() == b"old"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_said_before_the_work(
    runs: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("locked").mkdir(mode=0o500)
    assert main(["train-words", "stop", "--output", "locked/a.safetensors"]) == 1
    assert "locked" in capsys.readouterr().err and not runs


def test_an_option_that_is_true_or_false(runs: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train-words", "stop", "--synthetic", "perhaps", "--output", "a.safetensors"]) == 2
    assert "--synthetic: expected true or false, got 'perhaps'" in capsys.readouterr().err


def test_the_script_runs_with_this_audionet_and_its_exit_code_is_returned(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys, audionet\nopen('seen', 'w').write(audionet.__file__)\nsys.exit(7)")
    import audionet

    assert command.run_script([str(script)]) == 7
    assert (tmp_path / "seen").read_text() == audionet.__file__


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "code", "to_all"), [(signal.SIGINT, 130, True), (signal.SIGINT, 130, False), (signal.SIGTERM, 15, False)]
)
def test_what_stops_the_command_stops_the_script(
    tmp_path: Path, number: signal.Signals, code: int, to_all: bool
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, time\nopen('pid', 'w').write(str(os.getpid()))\nopen('ready', 'w').close()\ntime.sleep(60)"
    )
    run = (
        "from audionet.cli import train_words\ntrain_words.PATIENCE = 0.2\n"
        f"raise SystemExit(train_words.run_script([{str(script)!r}]))"
    )
    process = subprocess.Popen([sys.executable, "-c", run], start_new_session=True, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    if to_all:  # as a terminal does
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.endswith("audionet: interrupted; the same command goes on with what there is\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_script_that_is_killed_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert command.run_script([str(script)]) == 9
    assert "audionet: the training was killed by signal 9, as a system does" in capfd.readouterr().err
