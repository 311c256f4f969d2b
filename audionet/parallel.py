"""Worker processes: a function applied to many tasks. Or one thread, where more would only wait."""

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from threading import RLock
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_ONE_AT_A_TIME = RLock()  # since torch's number of threads is one for all
_IDLE_SECONDS = 10  # a worker without work ends after this time, even if its parent was killed


class WorkerCrash(ValueError):
    """A worker process ended without an answer."""


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: over clips of seconds, more would wait for each other most of the time."""
    import torch

    with _ONE_AT_A_TIME:
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)


def _deaf(function: Callable[[Task], Result], task: Task) -> Result:
    """Apply a function in a worker, which Ctrl-C does not reach: the parent ends it, and has the word."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return function(task)


def _import_from(folders: tuple[str, ...]) -> None:
    """Let a worker import from the folders that its parent imports from."""
    sys.path[:] = folders


def map_unordered(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int | None = None
) -> Generator[Result, None, None]:
    """Apply a function to tasks in worker processes with one thread each, and yield results as they are ready.

    Tasks are taken one at a time, as workers become free. Close the generator to stop early. An exception in a worker
    is raised here.

    Args:
        function: Function of one task. cloudpickle sends it to the workers.
        tasks: Arguments of the function, one a call.
        workers: Number of processes; None for one a core; 1 for this process alone.

    Raises:
        WorkerCrash: A worker was killed, by a crash in a decoder or by the system for want of memory.
    """
    workers = workers or usable_cores()
    if workers == 1:  # without joblib, which takes a while to import
        yield from map(function, tasks)
        return
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed, parallel_config

    # Workers that wait from before know modules of other folders; where the folders have changed, new ones start.
    folders = tuple(os.path.abspath(folder) for folder in sys.path)
    known = {"initializer": _import_from, "initargs": (folders,)}
    with parallel_config("loky", inner_max_num_threads=1, idle_worker_timeout=_IDLE_SECONDS, **known):
        parallel = Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
        try:
            with closing(parallel(delayed(_deaf)(function, task) for task in tasks)) as results:
                yield from results
        except BrokenProcessPool as error:
            raise WorkerCrash(
                f"a worker crashed: a file that crashes its decoder, or too little memory for {workers} workers"
            ) from error
