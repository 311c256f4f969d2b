"""The page of a report: one HTML file, which fits a phone and a dark screen as well."""

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from audionet.files import whole_file


def frame(*, title: str, figure: str, meaning: str, sections: Sequence[str], below: str = "") -> str:
    """Return the HTML of a page.

    Args:
        title: Heading of the page.
        figure: The result, such as "87.5%", the largest text of the page.
        meaning: Meaning of the figure, written below it.
        sections: Cards that `section` returns; they stand side by side.
        below: HTML below the cards, over the full width.
    """
    return _PAGE.substitute(
        style=_STYLE,
        title=escape(title),
        figure=escape(figure),
        meaning=escape(meaning),
        sections="\n".join(sections),
        below=below,
    )


def section(heading: str, content: str, *, wide: bool = False) -> str:
    """Return a card with a heading and HTML content; a wide one has the full width of the page."""
    return f'<section class="card{" wide" if wide else ""}"><h2>{escape(heading)}</h2>{content}</section>'


def fact_list(facts: Mapping[str, str]) -> str:
    """Return an HTML list of names and values, one a line."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in facts.items())}</dl>"


def image(png: bytes, description: str) -> str:
    """Return a picture that is stored in the page, with a description for those who cannot see it."""
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{b64encode(png).decode()}">'


def write_page(folder: str | os.PathLike[str], page: str, pictures: Mapping[str, bytes]) -> Path:
    """Write pictures and report.html into a folder, which is created if it is missing.

    Each file appears complete or not at all, the page last.

    Args:
        folder: Folder of the files.
        page: Content of report.html.
        pictures: Name and content of each other file.

    Returns:
        The path of report.html.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**pictures, "report.html": page.encode()}.items():
        with whole_file(folder / name) as file:
            file.write(content)
    return folder / "report.html"


_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --ink: #1f2328; --soft: #59636e; --line: #e2e6ea;
  --bar: #0072b2; --right: #00674b; --wrong: #a33c00;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #0c0c0d; --card: #171717; --ink: #e8e8e8; --soft: #a2a8af; --line: #303236;
    --bar: #56b4e9; --right: #5ad1a4; --wrong: #ff9d6b; }
  img { filter: invert(.91) hue-rotate(180deg); } /* the pictures' white becomes the card's #171717 */
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: clamp(1rem, 4vw, 3rem); background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; font-weight: 600; margin: 0; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 0 0 1rem; }
h3 { font-size: 1rem; font-weight: 600; margin: 0 0 .75rem; display: flex; justify-content: space-between; gap: 1rem; }
h1, h3, dd, .bars th, .note, .file { overflow-wrap: anywhere; }
.headline { margin: 0 0 2rem; color: var(--soft); }
.headline strong { display: block; color: var(--ink); font-size: clamp(3rem, 12vw, 4.5rem); line-height: 1.15;
  font-weight: 650; letter-spacing: -.03em; }
.grid, .clips { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
.clips { grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
.grid, .clips { margin-bottom: 2.5rem; }
.wide { grid-column: 1 / -1; }
.wide img { min-width: 44rem; } /* the card scrolls on a phone */
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; min-width: 0;
  overflow-x: auto; break-inside: avoid; }
img { display: block; width: 100%; height: auto; }
audio { display: block; width: 100%; height: 2.5rem; margin: .75rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; margin: 0; }
dt, dd { margin: 0; padding: .45rem 0; border-top: 1px solid var(--line); }
dt { color: var(--soft); padding-right: 1.5rem; }
dt:first-of-type, dt:first-of-type + dd { border-top: 0; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; }
td, thead th:not(:first-child) { text-align: right; }
thead th { color: var(--soft); }
.scores :is(td, th) { padding: .3rem 0 .3rem clamp(.4rem, 2%, .75rem); border-bottom: 1px solid var(--line); }
.scores :is(td, th):first-child { padding-left: 0; }
@media (max-width: 30rem) { .scores { font-size: .875rem; } }
.bars th { width: 30%; padding-right: .75rem; }
.bars td:last-child { width: 4rem; }
.bars .truth th { font-weight: 650; }
.bar { display: block; height: .6rem; min-width: 1px; border-radius: .3rem; background: var(--bar); }
.right { color: var(--right); }
.wrong { color: var(--wrong); }
.note, .file { color: var(--soft); }
.note { margin: -.5rem 0 .75rem; }
.file { margin: .75rem 0 0; font-size: .85rem; }
"""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:">
<link rel="icon" href="data:,">
<title>$title: $figure</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="headline"><strong>$figure</strong> $meaning</p>
</header>
<main>
<div class="grid">
$sections
</div>
$below
</main>
</body>
</html>
""")
