"""A process of its own for an engine that may crash: what it is asked and what it answers goes through pipes."""

import contextlib
import os
import subprocess
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import IO

from audionet.datasets.synthesis.voices.engine import SpeechError

SECONDS = 60.0
"""An utterance takes a fraction of a second. A process that takes longer than this hangs, and is ended."""

_MOST_CRASHES = 3


class Helper:
    """A process that answers requests one after another; it is started when it is first asked.

    One that ends is started anew for the next request. After three requests in a row that it did not survive it is
    given up, so that an engine that always crashes does not take an hour to do so.

    Args:
        name: Name of the engine, for messages.
        command: Program and arguments.
        answers: The stream that the answers come from, "stdout" or "stderr"; the other one is discarded.
    """

    def __init__(self, name: str, command: Sequence[str], *, answers: str = "stdout") -> None:
        self._name, self._command, self._answers = name, list(command), answers
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[[subprocess.Popen[bytes], int], Helper] | None = None
        self._owner, self._crashes = 0, 0
        self._lock = threading.Lock()

    def ask(self, request: bytes, read: Callable[[IO[bytes]], bytes]) -> bytes:
        """Send a request and return the answer.

        Args:
            request: What is written to the process's standard input.
            read: Reads the answer from the process; it raises EOFError where that has ended.

        Raises:
            SpeechError: The process crashed or hung, or has done so too often.
        """
        with self._lock:
            if self._crashes >= _MOST_CRASHES:
                raise SpeechError(f"{self._name} has crashed {self._crashes} times in a row and is not asked any more")
            # A process that has answered before is given a second chance: that may be why it ends.
            chances = 2 if self._process is not None else 1
            for chance in range(1, chances + 1):
                try:
                    answer = self._try(request, read)
                except EOFError as error:
                    if chance == chances:
                        self._crashes += 1
                        raise SpeechError(f"{self._name} crashed ({error})") from None
            self._crashes = 0
            return answer

    def _try(self, request: bytes, read: Callable[[IO[bytes]], bytes]) -> bytes:
        """Send a request and return the answer; raise EOFError, which says how the process ended, if it did."""
        process = self._running()
        stream = getattr(process, self._answers)
        assert process.stdin is not None and stream is not None
        timer = threading.Timer(SECONDS, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            return read(stream)
        except (EOFError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
            self.close()
            code = process.returncode
            raise EOFError(f"signal {-code}" if code is not None and code < 0 else f"exit status {code}") from None
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process."""
        self._process = None
        if self._finalizer is not None:
            self._finalizer()

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the process; a fork of this one starts its own."""
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.close()
            out, error = (
                subprocess.PIPE if name == self._answers else subprocess.DEVNULL for name in ("stdout", "stderr")
            )
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=out, stderr=error)
            self._owner = os.getpid()
            self._finalizer = weakref.finalize(self, _end, self._process, self._owner)
        return self._process


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a process, unless this one is a fork of that which started it."""
    if owner != os.getpid():
        return
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was not sent yet
                stream.close()
