import importlib
import os
import signal

import pytest

from audionet.parallel import WorkerCrash, map_unordered, usable_cores


def double(number):
    return 2 * number, os.getpid()


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number):
    raise ValueError(f"task {number}")


def test_every_task_is_done_once_in_other_processes():
    results = list(map_unordered(double, range(20), workers=2))
    assert sorted(result for result, _ in results) == list(range(0, 40, 2))
    assert os.getpid() not in {process for _, process in results}


def test_one_worker_is_this_process():
    assert list(map_unordered(double, [3], workers=1)) == [(6, os.getpid())]


def test_an_exception_comes_back():
    with pytest.raises(ValueError, match="task 1"):
        list(map_unordered(fail, [1], workers=2))


def test_a_killed_worker_is_named_as_such():
    with pytest.raises(WorkerCrash, match="a worker crashed"):
        list(map_unordered(die, [1, 2], workers=2))


def interrupt(number):
    os.kill(os.getpid(), signal.SIGINT)
    return number


def test_ctrl_c_is_for_the_parent_alone():
    assert sorted(map_unordered(interrupt, [1, 2], workers=2)) == [1, 2]


def test_usable_cores():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_workers_find_a_module_that_came_after_they_had_started(tmp_path, monkeypatch):
    assert sorted(map_unordered(abs, [-1, 2], workers=2)) == [1, 2]
    (tmp_path / "came_later.py").write_text("def double(task):\n    return 2 * task\n")
    monkeypatch.syspath_prepend(tmp_path)
    double = importlib.import_module("came_later").double
    assert sorted(map_unordered(double, [1, 2, 3], workers=2)) == [2, 4, 6]
