"""What the README shows is what happens."""

import doctest
import inspect
import re
import shlex
from pathlib import Path

import pytest

import audionet
from audionet.cli import main as cli

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_commands_print_what_the_readme_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)  # where what is generated may lie
    shown = [re.fullmatch(r"\$ audionet ((?:recognize|generate) \w+ .*)\n(.+)\n", each) for each in blocks("console")]
    checked = [match.groups() for match in shown if match]
    assert {command.split()[0] for command, _ in checked} == {"recognize", "generate"}
    for command, output in checked:
        assert cli.main(shlex.split(command)) == 0
        assert capsys.readouterr().out.strip() == output


def test_the_python_examples_run_and_return_what_their_comments_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    n_values = 0
    for block in blocks("python"):  # one after the other, as a reader would
        exec(compile(block, "README.md", "exec"), names)
        for expression, said in re.findall(r"^(\w.*?)  # (\[.*\])$", block, re.MULTILINE):
            value = re.sub(r"\d\.\d+(e-\d+)?", lambda match: f"{float(match[0]):.2f}", repr(eval(expression, names)))
            assert doctest.OutputChecker().check_output(said + "\n", value + "\n", doctest.ELLIPSIS), (
                f"{expression}: {value}"
            )
            n_values += 1
    assert n_values >= 3
    assert names["log_mel"].shape[1] == 40  # type: ignore[attr-defined]
    assert isinstance(names["recognizer"], audionet.inference.Recognizer)


def test_every_command_and_flag_in_a_sentence_exists() -> None:
    sentences = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    commands = re.findall(r"`audionet ([^`\n]+)`", sentences)
    assert len(commands) >= 4
    for words in map(shlex.split, commands):
        name = next(name for name in (" ".join(words[:2]), words[0]) if name in cli.COMMANDS)
        known = inspect.signature(cli.function_of(name)).parameters
        for word in words:
            assert not word.startswith("--") or word.removeprefix("--").replace("-", "_") in known, words
    generate = inspect.signature(audionet.inference.Generator.generate).parameters
    assert set(re.findall(r"`(\w+)=`", sentences)) <= set(generate)


def test_every_preset_is_in_the_table() -> None:
    for recipe, heading in (("recognition", "## Train on your words"), ("wavenet", "## Train a WaveNet")):
        presets = {path.stem for path in (ROOT / "recipes" / recipe / "presets").glob("*.yaml")}
        section = TEXT.split(heading)[1].split("\n## ")[0]
        assert presets == set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
