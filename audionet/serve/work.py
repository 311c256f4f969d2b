"""Work in threads, a few at a time: what waits is counted, and what is too much is refused at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Busy(Exception):
    """More is asked for than may wait."""


class Work:
    """A pool of threads with a limit on what waits for one.

    Args:
        at_once: Number of threads.
        waiting: Calls that may wait for a thread.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="network")
        self._places = at_once + waiting

    async def run(self, function: Callable[[], Result]) -> Result:
        """Call a function in a thread and return what it returns.

        A thread that works for a caller who has gone keeps its place until it is done.

        Raises:
            Busy: All places are taken.
        """
        if self._places == 0:
            raise Busy("the server works on as many requests as it can; try again later")
        self._places -= 1
        loop, call = asyncio.get_running_loop(), self._pool.submit(function)
        call.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(call)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self) -> None:
        self._places += 1
