"""The course: what makes its pages notebooks, and what its pages promise. The build of the documentation runs them."""

import ast
import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "tests" / "data"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebooks = load(ROOT / "docs" / "notebooks.py")
course = load(ROOT / "docs" / "course" / "course.py")
PAGES = [*notebooks.pages()]
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in PAGES}

# ---- pages are run ---------------------------------------------------------------------------------------------------

PAGE = """# A page

```python
a = 2
print("<b>", a)
```

<details markdown>
<summary>Solution</summary>

```python
a + 40
```

</details>
"""

PICTURE = """```python
from audionet.plots.style import make_figure
figure, axes = make_figure(2, 1, title="what is seen")
figure
```

```python
from IPython.display import Audio, display
for name in ("one", "two"):
    print(name)
    display(Audio([0.0, 0.5, 0.0], rate=8000))
print("end")
```
"""


def test_what_a_cell_prints_and_its_last_value_stand_below_it() -> None:
    made = notebooks.run(PAGE, "page")
    assert '```\n\n<div class="shown">\n<pre>&lt;b&gt; 2\n</pre>\n</div>\n\n<details' in made
    assert '```\n\n<div class="shown">\n<pre>42</pre>\n</div>\n\n</details>' in made
    assert re.sub(r'\n\n<div class="shown">.*?</div>', "", made, flags=re.DOTALL) == PAGE


def test_pictures_become_files_that_are_described_and_sounds_play() -> None:
    added: dict[str, bytes] = {}
    made = notebooks.run(PICTURE, "page", added.__setitem__)
    assert '<img src="page-1.png" alt="what is seen">' in made
    assert [*added] == ["page-1.png"] and added["page-1.png"].startswith(b"\x89PNG")
    shown = re.findall(r"<pre>(\w+)\n</pre>|<(audio)", made)
    assert [text or tag for text, tag in shown] == ["one", "audio", "two", "audio", "end"]
    assert made.count("data:audio/wav;base64") == 2


def test_a_cell_that_fails_stops_the_build_and_pages_share_no_names() -> None:
    notebooks.run("```python\nleft_over = 1\n```\n", "first")
    with pytest.raises(RuntimeError, match=r"second: the cell at line 4 fails:[\s\S]*left_over"):
        notebooks.run("# Text\n\n```python\nleft_over\n```\n", "second")
    with pytest.raises(RuntimeError, match=r"third: the cell at line 2 fails"):
        notebooks.run("```python\nif\n```\n", "third")


def test_a_page_is_a_notebook_with_the_same_cells() -> None:
    written = notebooks.as_notebook(PAGE + "\nNext: [more](2-more.md#a), [others](../index.md).\n")
    notebook = nbformat.reads(written, as_version=4)
    nbformat.validate(notebook)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert cells == ["%matplotlib inline", 'a = 2\nprint("<b>", a)', "a + 40"]
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "**Solution**" in text and "details" not in text
    assert "[more](2-more.ipynb#a)" in text
    assert json.loads(written)["cells"][0]["id"] == "cell-0"  # the same at every build


# ---- what each page has ----------------------------------------------------------------------------------------------


def test_there_are_seven_pages_and_each_leads_to_the_next() -> None:
    assert [stem[0] for stem in TEXTS] == [*"1234567"]
    for text, after in zip(TEXTS.values(), [*TEXTS][1:], strict=False):
        assert re.search(rf"^Next: \[.+\]\({after}\.md\)\.$", text, re.MULTILINE), after


@pytest.mark.parametrize("stem", TEXTS)
def test_each_page_has_sound_a_picture_and_an_exercise_with_a_hidden_solution_that_runs(stem: str) -> None:
    text = TEXTS[stem]
    assert text.count("\n## Exercise\n") == 1
    exercise = text.split("\n## Exercise\n")[1]
    solution = re.search(r"<details markdown>\n<summary>Solution</summary>\n(.*?)\n</details>", exercise, re.DOTALL)
    assert solution and notebooks.CELL.search(solution[1])
    code = "\n".join(notebooks.CELL.findall(text))
    assert "Audio(" in code and "pyplot" not in code and "set_num_threads(1)" in code
    ast.parse(code)


@pytest.mark.parametrize("stem", TEXTS)
def test_no_figure_is_typed_into_the_text(stem: str) -> None:
    prose = re.sub(r"`[^`\n]+`", "", notebooks.CELL.sub("", TEXTS[stem]))
    exercise = prose.split("\n## Exercise\n")[1]
    question = exercise.split("<details")[0]
    assert not re.findall(r"\d ?%", prose.replace(question, "")), "print it in a cell: another machine may find another"


# ---- what the pages share --------------------------------------------------------------------------------------------


def test_the_readers_recordings_are_those_of_the_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(course.RECORDINGS, raising=False)
    assert course.recordings() is None
    for folder, name in {"stop": "stop", "seven": "seven", "go": "stop"}.items():
        (tmp_path / "mine" / folder).mkdir(parents=True)
        shutil.copy(RECORDINGS / f"{name}.wav", tmp_path / "mine" / folder / "1.wav")
    monkeypatch.setenv(course.RECORDINGS, str(tmp_path / "mine"))
    waveforms, labels = course.recordings()
    assert waveforms.shape == (2, 8000) and {course.WORDS[label] for label in labels} == {"stop", "go"}
    assert torch.equal(waveforms[0], waveforms[1]) and 0 < waveforms.abs().max() <= 1  # one file, in both folders
    assert course.spectrograms(waveforms).shape == (2, 1, 40, 101)


@pytest.mark.parametrize("folders", [(), ("seven",)])
def test_a_folder_without_the_words_is_refused(
    folders: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
    monkeypatch.setenv(course.RECORDINGS, str(tmp_path))
    with pytest.raises(ValueError, match=r"AUDIONET_RECORDINGS: expected a folder of folders named yes, no, .* got"):
        course.recordings()


def test_a_word_is_moved_and_silence_enters() -> None:
    waveforms = torch.arange(1.0, 16_001).view(2, 8000)
    later, earlier = course.shifted(waveforms, 0.25), course.shifted(waveforms, -0.25)
    assert torch.equal(later[:, 2000:], waveforms[:, :6000]) and not later[:, :2000].any()
    assert torch.equal(earlier[:, :6000], waveforms[:, 2000:]) and not earlier[:, 6000:].any()


def test_training_learns_and_is_the_same_again() -> None:
    inputs = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    labels = (inputs[:, 0] > 0).long()

    def learn() -> tuple[list[float], float]:
        torch.manual_seed(0)
        network = nn.Linear(3, 2)
        return course.train(network, inputs, labels, epochs=40, rate=0.1), course.accuracy(network, inputs, labels)

    losses, right = learn()
    assert len(losses) == 80 and losses[-1] < 0.2 < losses[0] and right > 0.95
    assert learn() == (losses, right)
