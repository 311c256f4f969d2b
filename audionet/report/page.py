"""The page of a report: one HTML file, which fits a phone and a dark screen as well."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from types import MappingProxyType

from audionet.files import whole_file

_LONGEST, _KEPT = 80, 30  # characters of a label


def shown(label: str) -> str:
    """Return a label as HTML; of a very long one the middle is left out.

    Example:
        >>> shown("on & off")
        'on &amp; off'
    """
    return escape(label if len(label) <= _LONGEST else f"{label[:_KEPT]} … {label[-_KEPT:]}")


def section(heading: str, content: str, *, wide: bool = False) -> str:
    """Return a card with a heading and HTML content; a wide one has the full width of the page."""
    return f'<section class="card{" wide" if wide else ""}"><h2>{escape(heading)}</h2>{content}</section>'


def fact_list(facts: Mapping[str, str]) -> str:
    """Return an HTML list of names and values, one a line."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in facts.items())}</dl>"


def image(png: bytes, description: str) -> str:
    """Return a picture that is stored in the page, with a description for those who cannot see it."""
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{b64encode(png).decode()}">'


def scrolled(picture: str) -> str:
    """Return a picture that a phone scrolls over, so that its text stays readable."""
    return f'<div class="scrolled">{picture}</div>'


def page_text(
    *,
    title: str,
    figure: str,
    meaning: str,
    sections: Sequence[str],
    kind: str = "",
    beside: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
    below: str = "",
    style: str = "",
    script: str = "",
) -> str:
    """Return the HTML of a page.

    Args:
        title: Heading of the page.
        figure: The result, such as "87.5%", the largest text of the page.
        meaning: Meaning of the figure, written below it.
        sections: Cards that `section` returns; they stand side by side.
        kind: What the figure is not to be taken without, such as "synthetic", written at its side.
        beside: Other figures with their meanings, as large as the first.
        notes: What the figure does not say, a sentence each, written below its meaning.
        below: HTML below the cards, over the full width.
        style: Further style sheet.
        script: JavaScript, the only one that the page may run; empty for none.
    """
    template = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
    tag = f"<em>{escape(kind)}</em> " if kind else ""
    figures = f"<p><strong>{escape(figure)}</strong> {tag}{escape(meaning)}</p>" + "".join(
        f"<p><strong>{escape(other)}</strong> {escape(text)}</p>" for other, text in beside
    )
    texts = {"title": escape(title), "figure": escape(figure), "kind": escape(kind), "figures": figures}
    cautions = "".join(f"<p>{escape(note)}</p>" for note in notes)
    if script:
        digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
        texts |= {"policy": f"; script-src 'sha256-{digest}'", "script": f"<script>{script}</script>"}
    parts = {"notes": cautions, "sections": "\n".join(sections), "below": below, "style": style}
    return template.substitute({"policy": "", "script": ""} | texts | parts)


def write_page(path: str | os.PathLike[str], page: str, pictures: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    """Write a page and the pictures beside it into a folder, which is made where it is missing.

    Each file appears complete or not at all, the page last.

    Args:
        path: Path of the page.
        page: The HTML, as `page_text` returns it.
        pictures: Name and content of each picture.

    Returns:
        The path of the page.

    Raises:
        OSError: A file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, content in {**pictures, path.name: page.encode(errors="backslashreplace")}.items():
        with whole_file(path.with_name(name)) as file:
            file.write(content)
    return path
