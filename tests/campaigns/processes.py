"""Processes that a case starts: forked, so that they find everything imported."""

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from tests.campaigns.harness import Crash, Hang

_FORK = multiprocessing.get_context("fork")
_LONGEST = 600.0  # seconds that a process may take on a busy machine


class Child:
    """A process that does some work.

    Args:
        work: What it does.
        most_bytes: Bytes that a file may have which it writes; None for no limit.
    """

    def __init__(self, work: Callable[[], object], most_bytes: int | None = None) -> None:
        self.connection, other = _FORK.Pipe()
        self.process = _FORK.Process(target=_do, args=(other, work, most_bytes))
        self.process.start()
        other.close()

    def kill(self) -> None:
        """Kill it as `kill -9` does, and wait for its end."""
        self.process.kill()
        self.process.join()

    def wait(self) -> Exception | None:
        """Wait for its end; return the exception that ended it.

        Raises:
            Hang: It does not end.
            Crash: It ended without an answer.
        """
        if not self.connection.poll(_LONGEST):
            self.kill()
            raise Hang(f"a process runs for over {_LONGEST:.0f} s")
        try:
            error: Exception | None = self.connection.recv()
        except EOFError:
            self.process.join()
            raise Crash(f"a process ended with {self.process.exitcode}") from None
        self.process.join()
        return error


def seconds_of(work: Callable[[], object]) -> float:
    """Return the time that some work takes in a process of its own."""
    start = time.monotonic()
    if error := Child(work).wait():
        raise error
    return time.monotonic() - start


def _do(connection: Connection, work: Callable[[], object], most_bytes: int | None) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
        work()
        answer: BaseException | None = None
    except OSError as error:  # whose arguments lack the file
        answer = OSError(error.errno, error.strerror, error.filename) if error.errno else error
    except (Exception, SystemExit) as error:
        answer = error
    try:
        connection.send(answer)
    except Exception:  # an exception that cannot be pickled
        connection.send(RuntimeError(f"{type(answer).__name__}: {answer}"))
