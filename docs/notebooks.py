"""The pages of the course are notebooks: their cells are run, and what they print and show is put below them.

A page is Markdown as jupytext reads it. Its blocks of Python are run one after the other, as IPython runs cells: what
is printed and the value of the last line are shown, a figure as a picture, a sound as a player. A cell that fails makes
the build fail. Beside each page lies the same as a notebook, without outputs, for a reader to run and to change.
"""

import contextlib
import html
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

COURSE = Path(__file__).resolve().parent / "course"
CELL = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HIDDEN = re.compile(r"^<details markdown>\n<summary>(.*?)</summary>\n|^</details>\n", re.MULTILINE)
RUN_YOURSELF = "*Run it yourself: [this page as a notebook]({name}.ipynb), with [course.py](course.py) beside it.*"


def is_notebook(page: str) -> bool:
    """Return whether a page, by its path below docs, is run."""
    return re.fullmatch(r"course/\d.*\.md", page) is not None


def run(text: str, title: str, add: Callable[[str, bytes], None] = lambda name, content: None) -> str:
    """Run the cells of a page, and return the page with what they show.

    Args:
        text: The page.
        title: Its name, which the names of its pictures and its errors begin with.
        add: Takes the name and the content of each picture.

    Raises:
        RuntimeError: A cell fails.
    """
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display
    from matplotlib.figure import Figure

    from audionet.plots.style import png

    outputs: list[str] = []  # of a cell, in their order
    printed = io.StringIO()
    n_pictures = 0

    def end_of_print() -> None:
        if printed.getvalue():
            outputs.append(f"<pre>{html.escape(printed.getvalue())}</pre>")
        printed.seek(0), printed.truncate()

    class Publisher(DisplayPublisher):
        def publish(self, data: dict[str, str], *arguments: object, **options: object) -> None:
            end_of_print()
            outputs.append(as_html(data))

    def picture(figure: Figure) -> str:
        nonlocal n_pictures
        n_pictures += 1
        add(name := f"{title}-{n_pictures}.png", png(figure))
        return f'<img src="{name}" alt="{html.escape(description(figure))}">'

    shell = InteractiveShell.instance(history_length=0, colors="nocolor")
    shell.history_manager.enabled = False
    shell.reset(new_session=False)
    shell.display_pub = Publisher(parent=shell)
    shell.display_trap.hook = lambda value: value is None or display(value)  # a last line is shown like the others
    shell.display_formatter.formatters["text/html"].for_type(Figure, picture)

    def shown(cell: re.Match[str]) -> str:
        with contextlib.redirect_stdout(printed):
            result = shell.run_cell(cell[1])
        if not result.success:
            line = text[: cell.start()].count("\n") + 2
            raise RuntimeError(f"{title}: the cell at line {line} fails:\n{printed.getvalue()}") from (
                result.error_in_exec or result.error_before_exec
            )
        end_of_print()
        below = f'{cell[0]}\n\n<div class="shown">\n{"".join(outputs)}\n</div>' if outputs else cell[0]
        outputs.clear()
        return below

    sys.path.insert(0, str(COURSE))
    try:
        return CELL.sub(shown, text)
    finally:
        sys.path.remove(str(COURSE))


def as_html(data: dict[str, str]) -> str:
    """Return the HTML of what IPython shows of a value."""
    return data["text/html"] if "text/html" in data else f"<pre>{html.escape(data['text/plain'])}</pre>"


def description(figure: Any) -> str:
    """Return a text for those who do not see a figure: its titles, or the labels of its axes."""
    titles = [figure.get_suptitle(), *(axes.get_title(loc="left") for axes in figure.axes)]
    labels = [f"{axes.get_ylabel()} over {axes.get_xlabel()}" for axes in figure.axes if axes.get_xlabel()]
    return "; ".join(filter(None, titles)) or "; ".join(labels) or "picture"


def as_notebook(text: str) -> str:
    """Return a page as the JSON of a notebook without outputs; what the page hides is open in it."""
    import jupytext
    from nbformat.v4 import new_code_cell

    shown = HIDDEN.sub(lambda match: f"**{match[1]}**\n" if match[1] else "", text)
    notebook = jupytext.reads(re.sub(r"\]\((\w[\w-]*)\.md", r"](\1.ipynb", shown), fmt="md")
    notebook.cells.insert(0, new_code_cell("%matplotlib inline"))
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the same at every build
    written: str = jupytext.writes(notebook, fmt="ipynb")
    return written


def pages() -> Iterator[Path]:
    """Yield the files of the pages, in their order."""
    yield from sorted(path for path in COURSE.glob("*.md") if is_notebook(f"course/{path.name}"))


# ---- what MkDocs calls ---------------------------------------------------------------------------------------------


def on_files(files: Any, config: Any) -> Any:
    """Add the notebooks, which the pages link."""
    from mkdocs.structure.files import File

    for path in pages():
        notebook = as_notebook(path.read_text(encoding="utf-8"))
        files.append(File.generated(config, f"course/{path.stem}.ipynb", content=notebook))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Run the cells of a page of the course, and link its notebook below its title."""
    from mkdocs.exceptions import PluginError
    from mkdocs.structure.files import File

    name = page.file.src_uri
    if not is_notebook(name):
        return markdown
    stem = Path(name).stem

    def add(picture: str, content: bytes) -> None:
        files.append(File.generated(config, f"course/{picture}", content=content))

    try:
        title, _, rest = run(markdown, stem, add).partition("\n")
    except RuntimeError as error:
        raise PluginError(str(error)) from error
    return "\n".join([title, "", RUN_YOURSELF.format(name=stem), rest])
