"""Notes, errors, progress bars and tables on a terminal."""

import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

COMMAND = "AUDIONET_COMMAND"
"""Variable of the environment that names the command of `audionet` which has started a recipe."""

_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space, or choose another folder"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "get the permission for it, or choose another folder"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file is where a folder should be: move it, or choose another"),
    errno.EISDIR: "a folder is where a file should be: move it, or choose another name",
    errno.ENOENT: "check its spelling",
}


@contextmanager
def progress(
    title: str, total: int | None, *, done: int = 0, in_bytes: bool = False, show: bool = True
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error, if that is a terminal.

    Args:
        title: Text before the bar.
        total: Number of items or bytes; None if it is unknown: the bar then only shows that work goes on.
        done: Number of them that are done already.
        in_bytes: Count in bytes instead of items.
        show: False for no bar.

    Yields:
        A function that advances the bar by a number of items or bytes.
    """
    if not (show and sys.stderr.isatty()):  # without rich, which takes a while to import
        yield lambda amount: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    count = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda amount: bar.advance(task, amount)


def note(text: str) -> None:
    """Print what a user would otherwise wonder about on standard error, in one line; of several processes, one does."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        shown = text.encode(errors="backslashreplace").decode()
        print("note:", " ".join(shown.split()), file=sys.stderr)


def same_command() -> str:
    """Return how a run goes on: by the same command, which a command of `audionet` needs no flag for."""
    return "the same command" if COMMAND in os.environ else "the same command with --resume true"


@contextmanager
def plain_warnings(front: str = "") -> Iterator[None]:
    """Print each warning on standard error in one line that begins with a text, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(
            f"{front}warning:", " ".join(str(message).split()), file=sys.stderr
        )
        yield


def sentence(error: BaseException | str) -> str:
    """Return what an error says, in one line; of one of the disk also what to do.

    Example:
        >>> sentence(OSError(errno.ENOSPC, "No space left on device", "out/x.wav"))
        'out/x.wav: no space left on device; free some space, or choose another folder'
    """
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        advice = _ADVICE.get(error.errno or 0, "check the path and the disk")
        text = f"{os.fsdecode(error.filename)}: {error.strerror[:1].lower()}{error.strerror[1:]}; {advice}"
    return " ".join(text.split())


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows as aligned columns, in plain text for eyes and for other programs."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
