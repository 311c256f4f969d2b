"""One process at a time in a folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audionet import console
from audionet.locks import Busy, only_one

HOLD = """
import sys, time
from audionet.locks import only_one
with only_one(sys.argv[1], "resting"):
    print("in", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that works in the folder until it is told a line."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command, pipe = [sys.executable, "-c", HOLD, tmp_path], subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
    assert process.stdout and process.stdout.readline() == "in\n"
    yield process
    process.kill()
    process.communicate()


def test_who_works_is_named(holder, tmp_path):
    with (
        pytest.raises(Busy, match=f"process {holder.pid} on .* is resting here; wait"),
        only_one(tmp_path, "counting", wait=False),
    ):
        raise AssertionError("two at once")


def test_the_next_one_waits_and_says_so(holder, tmp_path, monkeypatch):
    # The moment at which this process begins to wait is the moment at which it has said so.
    said = []

    def note(text):
        said.append(text)
        holder.stdin.write("\n")
        holder.stdin.flush()

    monkeypatch.setattr(console, "note", note)
    with only_one(tmp_path, "counting"):
        assert holder.wait() == 0
    (text,) = said
    assert text.startswith(f"{tmp_path}: process {holder.pid} on ")
    assert text.endswith(" is resting here; waiting until it is done")


def test_a_killed_process_holds_no_lock(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with only_one(tmp_path, "counting", wait=False):
        pass
    assert not (tmp_path / ".lock.worker").exists()


def test_an_exception_frees_the_folder(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), only_one(tmp_path, "counting", wait=False):
            1 / 0  # noqa: B018
