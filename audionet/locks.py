"""One process at a time in a folder: the next one waits, or is told who works there."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Busy(ValueError):
    """A folder in which another process works."""


@contextmanager
def only_one(folder: str | os.PathLike[str], work: str, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes that call this from working in a folder meanwhile.

    The system's lock on the file `.lock` in it does so, which ends with its process, however that ends. The file
    stays.

    Args:
        folder: An existing folder.
        work: What the process does there, such as "downloading", for the message.
        wait: Wait for a process that works there, and say so on standard error; otherwise refuse.

    Raises:
        Busy: Another process works there, and ``wait`` is false.
        OSError: The folder cannot be written.

    Example:
        >>> with only_one(".", "writing features"):
        ...     Path("features.txt").touch()
    """
    from filelock import FileLock, Timeout  # here: it takes a while to import

    lock, worker = FileLock(Path(folder, ".lock")), Path(folder, ".lock.worker")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        busy = f"{folder}: {_name_in(worker)} is {work} here"
        if not wait:
            raise Busy(f"{busy}; wait until it is done") from None
        print(f"{busy}; waiting until it is done", file=sys.stderr)
        lock.acquire(poll_interval=0.2)
    try:
        worker.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            worker.unlink()
        lock.release()


def _name_in(worker: Path) -> str:
    """Return who holds the lock; the file may be missing in the moment between the two."""
    with suppress(OSError, ValueError):
        return worker.read_text(encoding="utf-8") or "another process"
    return "another process"
