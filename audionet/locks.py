"""One process at a time in a folder: the next one waits, or is told who works there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from audionet import console

_SOMEBODY = "another process is working"


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
        busy = f"{folder}: {_said_in(worker)} here"
        if not wait:
            raise Busy(f"{busy}; wait until it is done") from None
        console.note(f"{busy}; waiting until it is done")
        lock.acquire(poll_interval=0.2)
    try:
        with suppress(OSError):  # a full disk; the lock holds without it
            worker.write_text(f"process {os.getpid()} on {socket.gethostname()} is {work}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            worker.unlink()
        lock.release()


def _said_in(worker: Path) -> str:
    """Return who holds the lock and does what; the file may be missing in the moment between the two."""
    with suppress(OSError, ValueError):
        return worker.read_text(encoding="utf-8") or _SOMEBODY
    return _SOMEBODY
