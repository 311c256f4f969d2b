"""What building the documentation adds to its pages, and the check that a reader's browser loads nothing from afar.

- The first page lists every public name with the first sentence of its docstring; the tables of front-ends and of
  networks get rows for those that they do not name.
- The pages on augmentations, features and looking inside are run: the waveform or spectrogram that a block of code
  leaves in `after` is heard and seen below it, and so are the pictures that it leaves in `figures`.
- CONTRIBUTING.md and CHANGELOG.md of the repository become pages.
- A built page that would load a font, a script, a picture or anything else from the network is an error.

tests/test_docs.py uses the parts that need no MkDocs.
"""

import contextlib
import html
import importlib
import inspect
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORDINGS = ROOT / "tests" / "data"
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
SIDE_BY_SIDE = (4.6, 2.6)  # inches of a picture
RUN = {"augment.md": SIDE_BY_SIDE, "features.md": SIDE_BY_SIDE, "insight.md": None}  # pictures keep their size at None
NAMES = "<!-- every public name -->"
OTHERS = "<!-- others -->"
ROOMS = [
    *"audio augment features models decoding datasets datasets.synthesis metrics training".split(),
    *"bundle adapt inference evaluate plots insight report bulk export serve".split(),
]
REGISTRIES = {"features.md": "audionet.features:FEATURES", "models.md": "audionet.models:MODELS"}
SHARED = (
    "checks labels resources files locks console parallel randomness registry signatures flags onnx_session".split()
)
REFERENCE = [*((room, f"audionet.{room}", [room]) for room in ROOMS), ("shared", "Shared by all rooms", SHARED)]
DOCSTRING_ALONE = "{members: false, show_root_heading: false, show_root_toc_entry: false}"

# A fenced block of code, or the heading of a section.
PART = re.compile(
    r"^```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<code>.*?)^```$|^## (?P<heading>[^\n]+)$", re.DOTALL | re.MULTILINE
)

# What makes a browser load something: attributes of tags other than <a>, and url() and @import of style sheets.
LOADED = re.compile(
    r"""<(?!a\b)[a-z]+\b[^>]*?\s(?:src|srcset|href|poster|data)=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|(?:url\(|@import\s)\s*["']?((?:https?:)?//[^"')\s]+)"""
)
# Links of the page's head that only name an address.
NAMED = re.compile(r'<link rel="(?:canonical|alternate|license)"[^>]*>')


@contextlib.contextmanager
def folder_of_a_page() -> Iterator[Path]:
    """Work in a temporary folder that holds the recordings the pages speak of: seven.wav and stop.wav."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for recording in RECORDINGS.glob("*.wav"):
            shutil.copy(recording, folder)
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and MkDocs make it."""
    words = re.sub(r"[^\w\s-]", "", re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
    return re.sub(r"[\s]+", "-", words.strip())


def loaded_from_afar(text: str) -> list[str]:
    """Return the addresses that a browser would load on its own for HTML or CSS."""
    return [page or style for page, style in LOADED.findall(NAMED.sub("", text))]


def for_the_site(text: str) -> str:
    """Point the links of a page at the repository's root to the site; what the site does not have becomes plain."""

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        path = target.partition("#")[0]
        if target.startswith(("http", "#")):
            return match[0]
        if path.startswith("docs/") and path.endswith(".md"):
            return f"[{words}]({target.removeprefix('docs/')})"
        return f"[{words}]({ROOT_PAGES[path]}{target.removeprefix(path)})" if path in ROOT_PAGES else words

    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", link, text)


def first_line(value: Any) -> str:
    """Return the first line of a docstring, for a cell of a table."""
    return (inspect.getdoc(value) or "").partition("\n")[0].replace("|", "\\|")


def public_names(module: str) -> Iterator[tuple[str, Any]]:
    """Yield the public classes and functions of a module of audionet, in alphabetical order."""
    found = importlib.import_module(f"audionet.{module}")
    for name in sorted(getattr(found, "__all__", vars(found)), key=str.lower):
        value = getattr(found, name)
        home = getattr(value, "__module__", "")
        is_public = home.startswith("audionet.") if hasattr(found, "__all__") else home == found.__name__
        if is_public and not name.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value)):
            yield name, value


def table_of_names() -> Iterator[str]:
    """Yield the lines of a table a room: each name, linked to the reference, and what it is in one line."""
    for room in ROOMS:
        yield f"\n### audionet.{room}\n\n| name | what it is |\n| --- | --- |"
        for name, value in public_names(room):
            yield f"| [`{name}`][{value.__module__}.{value.__qualname__}] | {first_line(value)} |"


def with_others(text: str, registry: Any) -> str:
    """Add to a page's table, at its mark, a row for each class of a registry that the page does not name."""
    named = set(re.findall(r"`(\w+)`", text))
    rows = [f"| `{name}` | {first_line(kind)} |" for name, kind in registry.items() if name not in named]
    return text.replace(f"{OTHERS}\n", "".join(f"{row}\n" for row in rows))


def reference_of(modules: list[str]) -> Iterator[str]:
    """Yield the lines of a page of the reference: for each module its docstring, then every public name."""
    level = 2 if len(modules) == 1 else 3
    for module in modules:
        if level == 3:
            yield f"## audionet.{module}\n"
        yield f"::: audionet.{module}\n    options: {DOCSTRING_ALONE}\n"
        for _, value in public_names(module):
            yield f"::: {value.__module__}.{value.__qualname__}\n    options: {{heading_level: {level}}}\n"


# ---- what MkDocs calls ---------------------------------------------------------------------------------------------


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie at the repository's root, and the reference."""
    from mkdocs.structure.files import File

    for source, page in ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=for_the_site(text)))
    for page, title, modules in REFERENCE:
        text = "\n".join([f"# {title}\n", *reference_of(modules)])
        files.append(File.generated(config, f"reference/{page}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Complete the lists of names; put sound and pictures below the code of the pages that are run."""
    name = page.file.src_uri
    if name == "index.md":
        return markdown.replace(NAMES, "\n".join(table_of_names()))
    if name in REGISTRIES:
        module, _, registry = REGISTRIES[name].partition(":")
        markdown = with_others(markdown, getattr(importlib.import_module(module), registry))
    if name not in RUN:
        return markdown
    from mkdocs.structure.files import File

    def add(name: str, content: bytes) -> None:
        files.append(File.generated(config, name, content=content))

    with folder_of_a_page():
        return PART.sub(_Heard(add, RUN[name]), markdown)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Keep source code out of the search, which finds the docstrings."""
    return re.sub(r'<details class="(mkdocstrings-source|quote)"', r"\g<0> data-search-exclude", html)


def on_page_context(context: Any, page: Any, config: Any, nav: Any) -> None:
    """Let the reference's tables of contents name classes and functions, and not the methods that all of them have."""
    if page.file.src_uri.startswith("reference/"):
        entries = [entry for title in page.toc for entry in title.children]
        if page.file.src_uri == "reference/shared.md":  # which has a heading for each module above the names
            entries = [entry for module in entries for entry in module.children]
        for entry in entries:
            entry.children = []


def on_post_build(config: Any) -> None:
    """Refuse a site that would load anything from the network."""
    from mkdocs.exceptions import PluginError

    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix in (".html", ".css"):
            if addresses := loaded_from_afar(path.read_text(encoding="utf-8")):
                raise PluginError(f"{path}: loads {', '.join(addresses)} from the network")


# ---- sound and pictures ----------------------------------------------------------------------------------------------


class _Heard:
    """Runs one block of a page after the other, and puts below each what it leaves in `after` or `figures`."""

    def __init__(self, add: Callable[[str, bytes], None], size: tuple[float, float] | None) -> None:
        self.add, self.size, self.names, self.title = add, size, dict[str, Any](), ""

    def __call__(self, part: re.Match[str]) -> str:
        self.title = part["heading"] or self.title
        if part["language"] != "python":
            return part[0]
        for name in ("after", "figures"):
            self.names.pop(name, None)
        exec(compile(part["code"], self.title, "exec"), self.names)
        shown = [self._picture(name, figure) for name, figure in self.names.get("figures", {}).items()]
        if "after" in self.names:
            # A spectrogram is compared with the one that it was made of.
            before = self.names["before" if self.names["after"].ndim == 2 else "spectrogram"]
            shown = [self._heard("before", before), self._heard("after", self.names["after"])]
        return f'{part[0]}\n\n<div class="heard">{"".join(shown)}</div>' if shown else part[0]

    def _heard(self, caption: str, sound: Any) -> str:
        """Show a waveform (1, time) as a picture and a player, a spectrogram (1, 1, band, frame) as a picture."""
        import audionet

        player = ""
        if sound.ndim == 2:
            audionet.save_audio("heard.wav", sound, self.names["sample_rate"])
            file = f"heard/{slug(self.title)}-{caption}.wav"
            self.add(file, Path("heard.wav").read_bytes())
            player = f'<audio controls preload="metadata" src="{file}"></audio>'
        return self._picture(caption, _figure(sound, self.names["sample_rate"]), player)

    def _picture(self, caption: str, figure: Any, player: str = "") -> str:
        if self.size:
            figure.set_size_inches(*self.size)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=130)
        file = f"heard/{slug(self.title)}-{slug(caption)}.png"
        self.add(file, stream.getvalue())
        picture = f'<img src="{file}" alt="{html.escape(f"{self.title}: {caption}")}">'
        return f"<figure><figcaption>{html.escape(caption)}</figcaption>{picture}{player}</figure>"


def _figure(sound: Any, sample_rate: int) -> Any:
    """Return the picture of a log-mel spectrogram in decibels, with the same colours for all."""
    from audionet.features import LogMel
    from audionet.plots import plot_features

    front_end = LogMel(sample_rate=sample_rate, n_mels=40, scale="db", offset=1e-10)
    figure = plot_features(front_end(sound)[0] if sound.ndim == 2 else sound[0, 0], front_end)
    figure.axes[0].collections[0].set_clim(-60, 20)
    return figure
