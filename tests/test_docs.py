"""The documentation: links lead somewhere, code runs, commands exist and print what the pages say.

`make docs` builds the site; mkdocs.yml makes it strict, and docs/hooks.py lets it load nothing from the network.
"""

import doctest
import importlib
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from torch import nn

from audionet import augment
from audionet.cli.main import COMMANDS, main
from audionet.datasets import list_cards, read_card
from audionet.features import FEATURES
from audionet.models import MODELS
from audionet.registry import Registry

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG"))])
# Pages that the build of the documentation runs, and that tests/test_course.py reads.
COURSE = sorted((DOCS / "course").glob("*.md"))
# Pages whose code a test runs; README.md's runs in tests/test_readme.py.
RUN = [
    page
    for page in PAGES
    if page.name != "README.md" and page not in COURSE and "```python\n" in page.read_text(encoding="utf-8")
]
NOT_RUN = re.compile(r' title="not run by the tests: [^"]+"')


def load(path: Path) -> ModuleType:
    """Import a file that is no module of a package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks = load(DOCS / "hooks.py")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def parts(page: Path) -> Iterator[tuple[str, str, str]]:
    """Language, options and code of each fenced block."""
    for match in hooks.PART.finditer(page.read_text(encoding="utf-8")):
        if match["language"]:
            yield match["language"], match["options"], match["code"]


def anchors(page: Path) -> set[str]:
    text = hooks.PART.sub(lambda match: match[0] if match["heading"] else "", page.read_text(encoding="utf-8"))
    return {hooks.slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


# ---- links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = hooks.PART.sub(lambda match: match[0] if match["heading"] else "", page.read_text(encoding="utf-8"))
    links = re.findall(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", text))
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if target.name in hooks.ROOT_PAGES.values() and not target.exists():
            target = ROOT / {made: source for source, made in hooks.ROOT_PAGES.items()}[target.name]
        if target.parent == DOCS / "reference":  # made when the site is built
            assert target.stem in {page for page, _, _ in hooks.REFERENCE}, f"{name_of(page)}: {link}"
            continue
        assert target.exists(), f"{name_of(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{name_of(page)}: {link}: no such heading"


def test_every_page_is_in_the_navigation() -> None:
    entries = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    named = set(re.findall(r"[\w/.-]+\.md", str(entries)))
    written = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert named == written | {*hooks.ROOT_PAGES.values()} | {f"reference/{page}.md" for page, _, _ in hooks.REFERENCE}


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ('<a href="https://arxiv.org/abs/1">paper</a> <link rel="canonical" href="https://a.b/c">', []),
        ('<link rel="stylesheet" href="https://fonts.googleapis.com/css">', ["https://fonts.googleapis.com/css"]),
        ('<script defer src="//unpkg.com/x"></script>', ["//unpkg.com/x"]),
        ("<img alt='' src=http://a.b/c.png>", ["http://a.b/c.png"]),
        ("@font-face { src: url('https://a.b/c.woff2') }", ["https://a.b/c.woff2"]),
        ('@import "https://a.b/c.css";', ["https://a.b/c.css"]),
        ('<img src="heard/speed.png"> url(data:image/svg+xml;http://www.w3.org)', []),
    ],
)
def test_what_a_browser_would_load_from_the_network_is_noticed(text: str, addresses: list[str]) -> None:
    assert hooks.loaded_from_afar(text) == addresses


def test_links_of_the_pages_at_the_root_are_pointed_to_the_site() -> None:
    text = "[a](docs/cards.md#splits) [b](CHANGELOG.md) [c](tests/test_docs.py) [d](#here) [e](https://a.b)"
    assert hooks.for_the_site(text) == "[a](cards.md#splits) [b](changelog.md) c [d](#here) [e](https://a.b)"


# ---- code ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("registries_as_they_were")
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_code_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Block after block, as a reader would, in a folder with seven.wav and stop.wav."""
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path))
    names: dict[str, object] = {"__name__": "page"}
    with hooks.folder_of_a_page() as folder:
        monkeypatch.syspath_prepend(folder)
        for language, options, code in parts(page):
            if language == "python" and not options:
                exec(compile(code, name_of(page), "exec"), names)


def test_blocks_that_are_not_run_say_why_and_are_few() -> None:
    marked = [options for page in PAGES for language, options, _ in parts(page) if language == "python" and options]
    assert all(NOT_RUN.fullmatch(options) for options in marked), marked
    assert len(marked) <= 4


# ---- commands ------------------------------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[tuple[list[str], str]]:
    """Arguments and shown output of the commands in a page's console blocks."""
    for language, _, code in parts(page):
        if language == "console":
            for block in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
                command, _, output = block.replace("\\\n", " ").partition("\n")
                yield shlex.split(command, comments=True), output


def flags_of(arguments: list[str]) -> set[str]:
    return {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}


def check_flags(arguments: list[str], help_text: str) -> None:
    """Each flag, or what it is part of (--model.name of --model), is in the help."""
    known = set(re.findall(r"(--[\w.-]+)", help_text))
    for flag in flags_of(arguments):
        words = flag.split(".")
        assert any(".".join(words[:n]) in known for n in range(1, len(words) + 1)), f"{shlex.join(arguments)}: {flag}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, _ in commands(page):
        if arguments[0] == "audionet":
            words = " ".join(arguments[1:])
            name = next((name for name in COMMANDS if f"{words} ".startswith(f"{name} ")), None)
            assert name, f"{name_of(page)}: no command {shlex.join(arguments)}"
            with pytest.raises(SystemExit):
                main([*name.split(), "--help"])
            check_flags(arguments, capsys.readouterr().out)


def test_make_targets_extras_and_files_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for page in PAGES:
        for arguments, _ in commands(page):
            line = f"{name_of(page)}: {shlex.join(arguments)}"
            if arguments[0] == "make":
                assert {*arguments[1:]} <= targets, line
            if "pip" in arguments:
                assert {*re.findall(r"[\w-]+", " ".join(re.findall(r"\[(.*?)\]", line.partition(":")[2])))} <= set(
                    extras
                ), line


def trainings(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Recipe and arguments of each command that trains; a copy is of the recipe that the page copied last."""
    copied = "recognition"
    for arguments, _ in commands(page):
        if arguments[:2] == ["audionet", "copy"]:
            copied = arguments[2]
        for number, argument in enumerate(arguments):
            if argument.endswith("train.py"):
                recipe = Path(argument).parent.name
                yield recipe if (ROOT / "recipes" / recipe).is_dir() else copied, arguments[number + 1 :]


@pytest.mark.parametrize("recipe", ["recognition", "wavenet", "embedding", "words"])
def test_flags_and_presets_of_the_recipes_exist(recipe: str) -> None:
    script = ROOT / "recipes" / recipe / "train.py"
    parser_help = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True).stdout
    checked = [arguments for page in PAGES for trained, arguments in trainings(page) if trained == recipe]
    assert checked
    for arguments in checked:
        check_flags(arguments, parser_help)
        for preset in re.findall(r"presets/(\w+)\.yaml", " ".join(arguments)):
            assert (script.parent / "presets" / f"{preset}.yaml").exists(), preset


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "README.md"], ids=name_of)
def test_commands_print_what_the_page_shows(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands of audionet whose output a page shows, one after the other in one folder; ... stands for anything."""
    same = doctest.OutputChecker().check_output
    with hooks.folder_of_a_page():
        for arguments, output in commands(page):
            if arguments[0] == "audionet" and output.strip():
                main(arguments[1:])
                printed = capsys.readouterr().out
                alike = same(output, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
                assert alike, f"{shlex.join(arguments)} printed\n{printed}"


def test_lines_that_a_page_changes_in_a_recipe_are_there() -> None:
    recipe = (ROOT / "recipes" / "recognition" / "train.py").read_text(encoding="utf-8")
    shown = [code for language, _, code in parts(DOCS / "training.md") if language == "diff"]
    assert shown
    for line in "".join(shown).splitlines():
        if line[0] in "- ":
            assert f"\n{line[1:].removesuffix('...').rstrip()}" in recipe, line


# ---- what pages must name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "registry"), [("features.md", FEATURES), ("models.md", MODELS)])
def test_the_pages_on_front_ends_and_on_networks_name_all(page: str, registry: "Registry[nn.Module]") -> None:
    text = hooks.with_others((DOCS / page).read_text(encoding="utf-8"), registry)
    rows = re.findall(r"^\| (`\w+`.*?) \|", text, re.MULTILINE)
    assert set(registry) <= set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_a_page_gets_a_row_for_what_it_does_not_name() -> None:
    class Nothing(nn.Module):
        """A network that does nothing."""

    registry: Registry[nn.Module] = Registry("network", {}, group="audionet.nothing")
    registry.add("nothing", Nothing)
    text = f"| name | what |\n| --- | --- |\n| `a` | one |\n{hooks.OTHERS}\n\nText"
    assert "| `a` | one |\n| `nothing` | A network that does nothing. |\n\nText" in hooks.with_others(text, registry)
    assert hooks.with_others(text + "`nothing`", registry).count("nothing") == 1


def test_the_page_on_augmentations_names_all() -> None:
    text = (DOCS / "augment.md").read_text(encoding="utf-8")
    presets = re.findall(r"^Preset: `(\w+): ", text, re.MULTILINE)
    assert set(presets) == {*augment.AUGMENTATIONS, "spec_augment"}
    made = {cls.__name__ for cls in augment.AUGMENTATIONS.values()}
    assert all(re.search(rf"\b{name}\b", text) and inspect.getdoc(getattr(augment, name)) for name in made)


def test_the_page_on_cards_names_every_layout_and_rule_and_its_cards_are_cards(tmp_path: Path) -> None:
    shown = [code for language, _, code in parts(DOCS / "cards.md") if language == "yaml"]
    cards = []
    for code in shown:
        (tmp_path / "card.yaml").write_text(code, encoding="utf-8")
        cards.append(read_card(tmp_path))
    kinds = {kind.kind for card in cards for kind in (card.layout, *card.splits.values())}
    known = {kind.kind for card in list_cards() for kind in (card.layout, *card.splits.values())} | {"table", "lists"}
    text = (DOCS / "cards.md").read_text(encoding="utf-8")
    assert kinds == known and all(f"`{kind}`" in text for kind in known)


def test_contributing_gives_the_import_order_and_the_reference_has_all_rooms() -> None:
    order = load(ROOT / "tests" / "test_import_order.py")
    section = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Who may import whom")[1].split("\n## ")[0]
    )
    listed = [re.findall(r"`(\w+)`", line) for line in section.splitlines() if re.match(r"\d\. ", line)]
    assert listed[0] + listed[1] == list(order.ORDER) and listed[2] == list(order.USE)
    there = {
        path.stem for path in (ROOT / "audionet").iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"
    }
    without_a_page = {"__init__", "__main__", "cli", "doctor", "bundle_format", "bundle_tasks"}
    inner = {room for room in hooks.ROOMS if "." in room}
    assert there - without_a_page == {*hooks.ROOMS, *hooks.SHARED} - inner
    assert all((ROOT / "audionet" / room.replace(".", "/") / "__init__.py").exists() for room in inner)


def test_the_first_page_names_every_command_and_every_room() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    assert all(f"`audionet {name}" in text for name in COMMANDS)
    assert hooks.NAMES in text
    for room in hooks.ROOMS:
        assert f"`{room}`" in text and all(inspect.getdoc(value) for _, value in hooks.public_names(room)), room


def test_the_changelog_names_what_there_is_now() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    moved = re.findall(r"^\| (.+) \| (.+) \|$", text.split("### Before")[0], re.MULTILINE)
    new = {name for _, now in moved for name in re.findall(r"`(audionet(?:\.\w+)+)", now)}
    assert len(new) > 20
    for name in new:
        value = importlib.import_module("audionet")
        for part in name.split(".")[1:]:
            try:
                value = getattr(value, part)
            except AttributeError:
                value = importlib.import_module(f"{value.__name__}.{part}")
