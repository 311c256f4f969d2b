"""Servers that are broken, slow or hostile: the file comes whole, or one sentence does after a few tries."""

import gzip
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audionet.datasets import DownloadError, transfer
from audionet.datasets.cards import File
from audionet.datasets.transfer import fetch

BODY = os.urandom(300_000)

Answer = Callable[[int, int, socket.socket], object]
"""What a server does with the number of the request, its first byte, and the connection."""


class Server:
    """Answers one request after the other; `requests` has their texts."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.requests: list[str] = []
        self.answer: Answer = lambda number, first, connection: None

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536).decode())
                first = re.search(r"Range: bytes=(\d+)-", self.requests[-1])
                try:
                    self.answer(len(self.requests), int(first[1]) if first else 0, connection)
                except OSError:  # the client has had enough
                    continue


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(transfer, "BACKOFF", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()
    thread.join()


def reply(connection: socket.socket, status: str, body: bytes = b"", **headers: object) -> None:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def part_of(body: bytes, first: int, connection: socket.socket, end: int | None = None, **headers: object) -> None:
    """Answer as a good server does, up to the byte `end`."""
    status = "206 Partial Content" if first else "200 OK"
    if first:
        headers["Content_Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
    reply(connection, status, body[first:end], Content_Length=len(body) - first, **headers)


def run(server: Server, folder: Path, size: int | None = len(BODY), name: str = "a.zip") -> bytes:
    part = folder / f"{name}.part"
    fetch(File(f"{server.url}/{name}", None, "corpus", size), part, lambda amount: None)
    return part.read_bytes()


def test_a_good_server(server, tmp_path):
    server.answer = lambda number, first, connection: part_of(BODY, first, connection, ETag='"1"')
    assert run(server, tmp_path) == BODY
    assert run(server, tmp_path) == BODY and len(server.requests) == 1
    for size in (len(BODY), None):
        server.requests.clear()
        (tmp_path / "a.zip.part").write_bytes(BODY[:1000])
        (tmp_path / "a.zip.part.origin").unlink()
        assert run(server, tmp_path, size) == BODY and len(server.requests) == 1


@pytest.mark.parametrize("length", ["abc", "-5", "", "1" * 5000, "1e5"])
def test_a_length_that_is_none(server, tmp_path, length):
    server.answer = lambda number, first, connection: reply(connection, "200 OK", BODY, Content_Length=length)
    assert run(server, tmp_path) == run(server, tmp_path, None, "b.zip") == BODY


def test_a_length_that_no_file_has(server, tmp_path):
    server.answer = lambda number, first, connection: reply(connection, "200 OK", BODY, Content_Length=10**400)
    assert run(server, tmp_path) == BODY


# ---- what can never work ----------------------------------------------------------------------------------------


def endless(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "200 OK")
    while True:
        connection.sendall(bytes(10_000))


def longer(number: int, first: int, connection: socket.socket) -> None:
    part_of(BODY + b"x", first, connection)


def shorter(number: int, first: int, connection: socket.socket) -> None:
    part_of(BODY[:-1], first, connection)


def nowhere(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "302 Found", Location="http://[nowhere/a.zip")


@pytest.mark.parametrize("answer", [endless, longer, shorter, nowhere])
def test_what_can_never_work_is_asked_once_and_leaves_nothing(server, tmp_path, answer):
    server.answer = answer
    with pytest.raises(DownloadError, match=r"/a\.zip: .*; see the homepage"):
        run(server, tmp_path)
    assert len(server.requests) == 1 and not os.listdir(tmp_path)


def test_a_body_without_end_or_length_stops_before_the_disk_is_full(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=5_000_000))
    server.answer = endless
    with pytest.raises(OSError, match=r"the disk has 0\.01 GB free; .* or the variable AUDIONET_CACHE"):
        run(server, tmp_path, None)
    assert (tmp_path / "a.zip.part").stat().st_size < 5_000_000


@pytest.mark.parametrize(
    "location", ["{url}/a.zip", "file:///etc/passwd", "data:text/plain,x", "ftp://127.0.0.1:1/a.zip"]
)
def test_a_redirection_in_a_circle_or_elsewhere(server, tmp_path, location):
    place = location.format(url=server.url)
    server.answer = lambda number, first, connection: reply(connection, "302 Found", Location=place)
    with pytest.raises(DownloadError, match=r"/a\.zip: "):
        run(server, tmp_path)
    assert len(server.requests) <= 11 and not (tmp_path / "a.zip.part").exists()


# ---- a bounded number of tries -----------------------------------------------------------------------------------


def from_the_start(number: int, first: int, connection: socket.socket) -> None:
    """Break at half of it each time, and begin anew each time."""
    range_ = f"bytes 0-{len(BODY) - 1}/{len(BODY)}"
    reply(connection, "206 Partial Content", BODY[:150_000], Content_Length=len(BODY), Content_Range=range_)


def without_ranges(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "200 OK", BODY[: 150_000 - number], Content_Length=len(BODY))


def another_range(number: int, first: int, connection: socket.socket) -> None:
    range_ = f"bytes 7-{len(BODY) - 1}/{len(BODY)}"
    reply(connection, "206 Partial Content", BODY[7:], Content_Length=len(BODY) - 7, Content_Range=range_)


def no_range(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "206 Partial Content", BODY[first:], Content_Length=len(BODY) - first)


def unsatisfiable(number: int, first: int, connection: socket.socket) -> None:
    if first:
        reply(connection, "416 Range Not Satisfiable", Content_Length=0)
    else:
        part_of(BODY, 0, connection, end=100_000)


def crumbs(number: int, first: int, connection: socket.socket) -> None:
    part_of(BODY, first, connection, end=first + 1)


def bad_chunks(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "200 OK", b"zz\r\n" + BODY, Transfer_Encoding="chunked")


def nonsense(number: int, first: int, connection: socket.socket) -> None:
    connection.sendall((b"\0\1\2" if number % 2 == 0 else b"what?") + b"\r\n\r\n")


def many_headers(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "200 OK", BODY, **{f"X{n}": n for n in range(200)})


def silent(number: int, first: int, connection: socket.socket) -> None:
    """Close the connection without a word."""


def busy(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "503 Service Unavailable", Content_Length=0)


def dripping(number: int, first: int, connection: socket.socket) -> None:
    reply(connection, "200 OK", Content_Length=len(BODY))
    while True:
        connection.sendall(b"x")
        time.sleep(0.002)


@pytest.mark.parametrize(
    "answer",
    [
        from_the_start,
        without_ranges,
        another_range,
        no_range,
        unsatisfiable,
        crumbs,
        bad_chunks,
        nonsense,
        many_headers,
        silent,
        busy,
        dripping,
    ],
)
def test_a_server_that_does_not_get_further_is_given_up(server, tmp_path, answer, monkeypatch):
    monkeypatch.setattr(transfer, "SLOWEST", 10**6)
    monkeypatch.setattr(transfer, "PATIENCE", 0.02)
    server.answer = answer
    with pytest.raises(DownloadError, match=r"/a\.zip: \w.*, 4 times in a row: check the network"):
        run(server, tmp_path)
    assert len(server.requests) <= 9


# ---- what comes right in the end ---------------------------------------------------------------------------------


def test_a_server_that_gives_little_at_a_time(server, tmp_path):
    def answer(number, first, connection):
        body = BODY[first : first + 70_000]
        range_ = f"bytes {first}-{first + len(body) - 1}/{len(BODY)}"
        reply(connection, "206 Partial Content", body, Content_Length=len(body), Content_Range=range_)

    server.answer = answer
    assert run(server, tmp_path) == run(server, tmp_path, None, "b.zip") == BODY


def test_a_file_that_changes_under_a_server_that_does_not_care(server, tmp_path):
    # If-Range asks for the whole of another version; this server sends the rest of it all the same.
    other = os.urandom(len(BODY))

    def answer(number, first, connection):
        if number == 1:
            part_of(other, first, connection, end=100_000, ETag='"old"')
        else:
            part_of(BODY, first, connection, ETag='"new"')

    server.answer = answer
    assert run(server, tmp_path) == BODY and len(server.requests) == 3


def test_a_part_of_another_address_is_dropped(server, tmp_path):
    bodies = {"train": BODY, "test": os.urandom(200_000)}

    def answer(number, first, connection):
        part_of(bodies[server.requests[-1].split("/")[1]], first, connection, end=100_000 if number < 5 else None)

    server.answer = answer
    part = tmp_path / "audio.zip.part"
    with pytest.raises(DownloadError):
        fetch(File(f"{server.url}/train/audio.zip", None, "a"), part, lambda amount: None)
    assert part.read_bytes() == BODY[:100_000]
    fetch(File(f"{server.url}/test/audio.zip", None, "b"), part, lambda amount: None)
    assert part.read_bytes() == bodies["test"]


def test_a_damaged_record_is_not_trusted(server, tmp_path):
    server.answer = lambda number, first, connection: part_of(BODY, first, connection)
    for damaged in (b"", b"\0\0", b"[]", b'{"url": 5}', b'{"version": 5}'):
        (tmp_path / "a.zip.part").write_bytes(b"junk")
        (tmp_path / "a.zip.part.origin").write_bytes(damaged)
        assert run(server, tmp_path) == BODY


def test_what_is_compressed_once_more_comes_as_it_is(server, tmp_path):
    body = gzip.compress(BODY)
    server.answer = lambda number, first, connection: reply(connection, "200 OK", body, Content_Encoding="gzip")
    assert run(server, tmp_path, None) == body
