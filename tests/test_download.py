import errno
import hashlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from audionet.datasets import DownloadError, cards, download, get, index, transfer, unpack, verify
from audionet.datasets.layouts import FolderLayout
from audionet.datasets.splits import ListSplit
from audionet.datasets.unpack import MANIFEST

SPEECH_COMMANDS = {
    "./_background_noise_/white_noise.wav": b"noise",
    "./validation_list.txt": b"yes/00000002_nohash_0.wav\n",
    "./testing_list.txt": b"no/00000003_nohash_0.wav\n",
    "./yes/00000001_nohash_0.wav": os.urandom(3000),
    "./yes/00000002_nohash_0.wav": os.urandom(3000),
    "./no/00000003_nohash_0.wav": os.urandom(3000),
    "./LICENSE": b"CC BY 4.0",
}
DIGITS = {f"fsdd-1.0/recordings/{digit}_theo_{take}.wav": os.urandom(50) for digit in range(3) for take in range(6)}
DIGITS |= {"fsdd-1.0/README.md": b"read me", "fsdd-1.0/metadata.py": b"print()"}


def tar(members: dict[str, bytes], *extra: tarfile.TarInfo, mode: Literal["w:gz", "w:bz2"] = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as package:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            package.addfile(info, io.BytesIO(content))
        for info in extra:
            package.addfile(info)
    return buffer.getvalue()


def member(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


class Server(ThreadingHTTPServer):
    """Serves `files`; `sent` has the path, the headers and the bytes of every answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.sent: list[tuple[str, dict[str, str], int]] = []
        self.ranges = True
        self.announces_length = True
        self.breaks: list[int] = []  # bytes after which the next connections break
        self.stalls_at: int | None = None  # bytes after which an answer goes on no more
        self.statuses: list[int] = []  # error codes of the next answers
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        body, headers = self.server.files.get(self.path[1:]), dict(self.headers)
        if self.server.statuses or body is None:
            self.server.sent.append((self.path, headers, 0))
            return self.send_error(self.server.statuses.pop(0) if self.server.statuses else 404)
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        start = int(re.findall(r"bytes=(\d+)-", headers.get("Range", "bytes=0-"))[0])
        if not self.server.ranges or headers.get("If-Range", etag) != etag:
            start = 0
        if start >= len(body):
            self.server.sent.append((self.path, headers, 0))
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return None
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.server.announces_length:
            self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", etag)
        self.end_headers()
        end = start + self.server.breaks.pop(0) if self.server.breaks else len(body)
        # Noted first: the client may be done, and the test look, before this thread runs again.
        self.server.sent.append((self.path, headers, len(body[start:end])))
        if self.server.stalls_at:
            self.wfile.write(body[start : self.server.stalls_at])
            while self.server.stalls_at:
                time.sleep(0.01)
            return None
        self.wfile.write(body[start:end])
        return None

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transfer, "BACKOFF", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def card_of(server, name: str, content: bytes, **changes) -> cards.Card:
    """Serve an archive and describe it as a card does."""
    server.files[name] = content
    values: dict[str, Any] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "folder": "corpus",
    } | changes
    text: dict[str, Any] = dict.fromkeys(("title", "description", "homepage", "license", "citation"), "")
    return cards.Card(
        name="made_up",
        sample_rate=16000,
        layout=FolderLayout(folder="corpus", ignore=("_background_noise_",)),
        files=(cards.File(url=f"{server.url}/{name}", **values),),
        split="official",
        splits={"official": ListSplit()},
        **text,
    )


def files_in(folder) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def left_in(folder) -> list[str]:
    """List what lies in a folder, but for the lock."""
    return [name for name in os.listdir(folder) if name != ".lock"]


def unpacked(folder) -> dict[str, bytes]:
    return {name: content for name, content in files_in(folder).items() if name != MANIFEST}


EXPECTED = {name.removeprefix("./"): content for name, content in SPEECH_COMMANDS.items()}


# Getting


def test_a_tar_gz_is_fetched_verified_unpacked_and_indexed(server, tmp_path, capfd):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    assert get(card, tmp_path) == tmp_path
    assert unpacked(tmp_path / "corpus") == EXPECTED
    assert left_in(tmp_path) == ["corpus"]
    assert [(c.path, c.split) for c in index(card, tmp_path)] == [
        ("corpus/no/00000003_nohash_0.wav", "test"),
        ("corpus/yes/00000001_nohash_0.wav", "train"),
        ("corpus/yes/00000002_nohash_0.wav", "validation"),
    ]
    assert capfd.readouterr() == ("", "")  # no bars where there is no terminal


def test_a_second_get_does_nothing(server, tmp_path):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    get(card, tmp_path)
    before = (tmp_path / "corpus").stat().st_mtime_ns
    get(card, tmp_path)
    assert len(server.sent) == 1 and (tmp_path / "corpus").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["digits.tar.gz", "digits.tar.bz2", "digits.zip"])
def test_only_the_wanted_folder_of_an_archive_is_unpacked(server, tmp_path, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("fsdd-1.0/", b"")
        for path, content in DIGITS.items():
            package.writestr(path, content)
    content = buffer.getvalue()
    if not name.endswith("zip"):
        content = tar(DIGITS, member("fsdd-1.0", tarfile.DIRTYPE), mode="w:bz2" if name.endswith("bz2") else "w:gz")
    card = card_of(server, name, content, folder="recordings", member="fsdd-1.0/recordings")
    get(card, tmp_path)
    expected = {path.split("/")[-1]: content for path, content in DIGITS.items() if path.endswith(".wav")}
    assert unpacked(tmp_path / "recordings") == expected
    assert verify(card, tmp_path)[0].startswith(f"{tmp_path}/recordings: 18 files match")
    wrong = card_of(server, name, content, member="fsdd-2.0")
    with pytest.raises(DownloadError, match="got no files in fsdd-2.0"):
        get(wrong, tmp_path)


def test_a_newer_archive_replaces_the_older(server, tmp_path):
    get(card_of(server, "a.tar.gz", tar(SPEECH_COMMANDS)), tmp_path)
    newer = card_of(server, "a.tar.gz", tar({"yes/new.wav": b"new"}))
    with pytest.raises(DownloadError, match="as the card says, got"):
        verify(newer, tmp_path)
    get(newer, tmp_path)
    assert unpacked(tmp_path / "corpus") == {"yes/new.wav": b"new"}


def test_a_folder_of_the_user_is_left_alone(server, tmp_path):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "mine.wav").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"was not unpacked by audionet.*--data.root"):
        get(card, tmp_path)
    assert not server.sent and files_in(tmp_path) == {"corpus/mine.wav": b"mine"}


def test_a_card_without_files_needs_nothing(tmp_path):
    assert get(cards.read_card("words"), tmp_path / "none") == tmp_path / "none"
    assert verify(cards.read_card("words"), tmp_path) == [] and not list(tmp_path.iterdir())


# Resuming


def test_a_broken_connection_is_resumed(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content)
    server.breaks = [4000, 1000]
    get(card, tmp_path)
    assert [headers.get("Range") for _, headers, _ in server.sent] == [None, "bytes=4000-", "bytes=5000-"]
    assert [size for _, _, size in server.sent] == [4000, 1000, len(content) - 5000]
    assert server.sent[1][1]["If-Range"] == f'"{hashlib.md5(content).hexdigest()}"'
    assert unpacked(tmp_path / "corpus") == EXPECTED


def test_a_download_given_up_is_resumed_by_the_next(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content)
    server.breaks = [4000, 0, 0, 0]
    with pytest.raises(DownloadError, match="the connection broke after 0 of .*, 4 times in a row: check"):
        get(card, tmp_path)
    assert (tmp_path / "sc.tar.gz.part").read_bytes() == content[:4000]
    server.sent.clear()
    get(card, tmp_path)
    assert [(h["Range"], size) for _, h, size in server.sent] == [("bytes=4000-", len(content) - 4000)]
    assert unpacked(tmp_path / "corpus") == EXPECTED


def test_a_server_without_ranges_sends_it_all_again(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content)
    server.ranges, server.breaks = False, [4000]
    get(card, tmp_path)
    assert [size for _, _, size in server.sent] == [4000, len(content)]
    assert unpacked(tmp_path / "corpus") == EXPECTED


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, tmp_path):
    old, new = tar({"yes/old.wav": os.urandom(5000)}), tar(SPEECH_COMMANDS)
    server.breaks = [2000, 0, 0, 0]
    with pytest.raises(DownloadError):
        get(card_of(server, "sc.tar.gz", old), tmp_path)
    get(card_of(server, "sc.tar.gz", new), tmp_path)
    assert server.sent[-1][1]["Range"] == "bytes=2000-" and server.sent[-1][2] == len(new)
    assert unpacked(tmp_path / "corpus") == EXPECTED


@pytest.mark.parametrize("size_known", [True, False])
def test_a_part_that_is_complete_is_verified_and_used(server, tmp_path, size_known):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content, **({} if size_known else {"size": None}))
    (tmp_path / "sc.tar.gz.part").write_bytes(content)
    get(card, tmp_path)
    assert sum(size for _, _, size in server.sent) == 0
    assert unpacked(tmp_path / "corpus") == EXPECTED


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    (tmp_path / "sc.tar.gz.part").write_bytes(bytes(100_000))
    get(card, tmp_path)
    assert unpacked(tmp_path / "corpus") == EXPECTED


def test_a_busy_server_is_asked_again(server, tmp_path):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    server.statuses = [503, 429]
    get(card, tmp_path)
    assert len(server.sent) == 3 and unpacked(tmp_path / "corpus") == EXPECTED


def test_a_server_that_does_not_say_how_long_the_file_is(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content, size=None)
    server.announces_length = False
    get(card, tmp_path)
    assert unpacked(tmp_path / "corpus") == EXPECTED


# Failing


def test_a_wrong_checksum(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content, sha256="0" * 64)
    got = hashlib.sha256(content).hexdigest()
    with pytest.raises(DownloadError, match=f"sha256 {'0' * 64}, got {len(content)} bytes with sha256 {got}"):
        get(card, tmp_path)
    assert not left_in(tmp_path)


def test_a_wrong_size(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    with pytest.raises(DownloadError, match=f"expected 5 bytes .* got {len(content)} bytes"):
        get(card_of(server, "sc.tar.gz", content, size=5), tmp_path)
    assert not left_in(tmp_path)


def test_not_found(server, tmp_path):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    server.files.clear()
    with pytest.raises(DownloadError, match=r"/sc.tar.gz: the server answers 404 Not Found: the file has moved"):
        get(card, tmp_path)
    assert len(server.sent) == 1


def test_no_network(tmp_path, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    card = card_of(server, "sc.tar.gz", b"x")
    with pytest.raises(DownloadError, match="Connection refused, 4 times in a row: check the network"):
        get(card, tmp_path)


def test_no_room(server, tmp_path, monkeypatch):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(DownloadError, match=r"needs 0.00 GB more and the disk has 0.00 GB free; .*AUDIONET_CACHE"):
        get(card, tmp_path)
    assert not (tmp_path / "corpus").exists()


def test_a_truncated_archive(server, tmp_path):
    content = tar(SPEECH_COMMANDS)[:5000]
    with pytest.raises(DownloadError, match=r"sc.tar.gz: expected an archive that is whole .*nothing was unpacked"):
        get(card_of(server, "sc.tar.gz", content), tmp_path)
    assert not left_in(tmp_path)


@pytest.mark.parametrize("name", ["page.tar.gz", "page.zip"])
def test_not_an_archive(server, tmp_path, name):
    with pytest.raises(DownloadError, match="expected an archive that is whole"):
        get(card_of(server, name, b"<html>Please log in</html>", sha256=None, size=None), tmp_path)
    assert not left_in(tmp_path)


GOOD = {"yes/a.wav": b"a"}


def zipped(name: str, mode: int = 0o100644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("yes/a.wav", b"a")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        package.writestr(info, b"/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("archive", "content", "named"),
    [
        ("a.tar.gz", tar(GOOD | {"../escaped.wav": b"x"}), "../escaped.wav"),
        ("a.tar.gz", tar(GOOD | {"yes/../../escaped.wav": b"x"}), "yes/../../escaped.wav"),
        ("a.tar.gz", tar(GOOD | {"ABSOLUTE/escaped.wav": b"x"}), "ABSOLUTE/escaped.wav"),
        ("a.tar.gz", tar(GOOD | {"C:\\escaped.wav": b"x"}), "C:\\\\escaped.wav"),
        ("a.tar.gz", tar(GOOD | {"..\\escaped.wav": b"x"}), "..\\\\escaped.wav"),
        ("a.tar.gz", tar(GOOD | {"yes/a\nb.wav": b"x"}), "yes/a\\nb.wav"),
        ("a.tar.gz", tar(GOOD, member("yes/link.wav", tarfile.SYMTYPE, "/etc/passwd")), "yes/link.wav"),
        ("a.tar.gz", tar(GOOD, member("yes/inside.wav", tarfile.SYMTYPE, "a.wav")), "yes/inside.wav"),
        ("a.tar.gz", tar(GOOD, member("yes/hard.wav", tarfile.LNKTYPE, "yes/a.wav")), "yes/hard.wav"),
        ("a.tar.gz", tar(GOOD, member("yes/device", tarfile.CHRTYPE)), "yes/device"),
        ("a.tar.gz", tar(GOOD, member("yes/disk", tarfile.BLKTYPE)), "yes/disk"),
        ("a.tar.gz", tar(GOOD, member("yes/pipe", tarfile.FIFOTYPE)), "yes/pipe"),
        ("a.zip", zipped("../escaped.wav"), "../escaped.wav"),
        ("a.zip", zipped("ABSOLUTE/escaped.wav"), "ABSOLUTE/escaped.wav"),
        ("a.zip", zipped("yes/link.wav", 0o120777), "yes/link.wav"),
        ("a.zip", zipped("yes/pipe", 0o010644), "yes/pipe"),
    ],
)
def test_a_hostile_archive_is_refused_and_writes_nothing(server, tmp_path, archive, content, named):
    root = tmp_path / "a" / "root"
    if "ABSOLUTE" in named:
        named = named.replace("ABSOLUTE", str(tmp_path / "absolute"))
        content = tar(GOOD | {named: b"x"}) if archive.endswith("gz") else zipped(named)
    with pytest.raises(DownloadError, match=f"whole and harmless, got the .*{re.escape(repr(named)[:1] + named)}"):
        get(card_of(server, archive, content), root)
    assert not left_in(root) and left_in(tmp_path) == ["a"] and left_in(tmp_path / "a") == ["root"]


# Killed half-way


def test_a_kill_while_unpacking_leaves_no_half_corpus(server, tmp_path, monkeypatch):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    extract, extracted = tarfile.TarFile.extractfile, []

    def killed(package, member):
        extracted.append(member)
        if len(extracted) == 4:
            raise KeyboardInterrupt
        return extract(package, member)

    monkeypatch.setattr(tarfile.TarFile, "extractfile", killed)
    # A kill that cannot be caught leaves what was written so far.
    monkeypatch.setattr(shutil, "rmtree", lambda path, ignore_errors=False: None)
    with pytest.raises(KeyboardInterrupt):
        get(card, tmp_path)
    assert not (tmp_path / "corpus").exists() and (tmp_path / ".corpus.unpacking").is_dir()
    (tmp_path / ".corpus.unpacking" / "stale.wav").touch()
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    get(card, tmp_path)
    assert unpacked(tmp_path / "corpus") == EXPECTED and len(server.sent) == 1
    assert left_in(tmp_path) == ["corpus"]


# Verifying


def test_verify_finds_changed_and_missing_files(server, tmp_path):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    with pytest.raises(DownloadError, match="is missing or was not unpacked by audionet"):
        verify(card, tmp_path)
    get(card, tmp_path)
    checksum = card.files[0].sha256
    assert verify(card, tmp_path) == [
        f"{tmp_path}/corpus: 7 files match; archive sc.tar.gz has sha256 {checksum} (as the card says)"
    ]
    (tmp_path / "corpus/yes/00000001_nohash_0.wav").write_bytes(b"changed")
    (tmp_path / "corpus/LICENSE").unlink()
    with pytest.raises(DownloadError, match="2 of 7 files are missing or changed: LICENSE, yes/00000001"):
        verify(card, tmp_path)


def test_the_list_of_checksums_is_one_for_sha256sum(server, tmp_path):
    if not shutil.which("sha256sum"):
        pytest.skip("there is no sha256sum on this system")
    get(card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS)), tmp_path)
    command = ["sha256sum", "--check", "--quiet", MANIFEST]
    assert subprocess.run(command, cwd=tmp_path / "corpus").returncode == 0
    (tmp_path / "corpus" / "LICENSE").write_bytes(b"none")
    assert subprocess.run(command, cwd=tmp_path / "corpus", capture_output=True).returncode == 1


def test_an_archive_without_a_published_checksum_is_called_unverified(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content, sha256=None)
    get(card, tmp_path)
    line = verify(card, tmp_path)[0]
    assert hashlib.sha256(content).hexdigest() in line and line.endswith("(unverified: the card gives none)")


# Company


def test_those_that_come_second_wait_and_find_it_done(server, tmp_path, capfd):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS), sha256=None)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: get(card, tmp_path), range(4))) == [tmp_path] * 4
    assert len(server.sent) == 1 and unpacked(tmp_path / "corpus") == EXPECTED
    assert set(capfd.readouterr().err.splitlines()) <= {
        f"note: {tmp_path}: {who} here; waiting until it is done"
        for who in (
            "another process is working",
            f"process {os.getpid()} on {socket.gethostname()} is downloading a corpus",
        )
    }


GET = """
import sys
from audionet.datasets import get, read_card
get(read_card(sys.argv[1]))
"""


def test_a_get_that_is_killed_blocks_nobody(server, tmp_path):
    content, part = tar(SPEECH_COMMANDS), tmp_path / "sc.tar.gz.part"
    card = card_of(server, "sc.tar.gz", content)
    server.stalls_at = 9000
    (tmp_path / "card.yaml").write_text(
        "{name: a, title: a, description: a, homepage: a, license: a, citation: a, sample_rate: 8000, "
        "layout: {kind: folders}, split: a, splits: {a: {kind: hash}}, files: [{sha256: null, folder: corpus, "
        f"url: '{card.files[0].url}'}}]}}"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(download.__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", GET, tmp_path], env=environment)
    while not part.exists() or part.stat().st_size == 0:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.stalls_at, arrived = None, part.stat().st_size
    server.sent.clear()
    (tmp_path / ".0123456789abcdef.partial").touch()  # of a record that was being written
    get(card, tmp_path)
    assert [size for _, _, size in server.sent] == [len(content) - arrived] and unpacked(
        tmp_path / "corpus"
    ) == EXPECTED
    assert sorted(left_in(tmp_path)) == ["card.yaml", "corpus"]


def test_a_complete_corpus_is_found_in_a_folder_that_cannot_be_written(server, tmp_path, monkeypatch):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    get(card, tmp_path)
    monkeypatch.setattr(download, "only_one", None)  # no lock is asked for
    assert get(card, tmp_path) == tmp_path


# What the user has put there


def test_an_archive_of_the_user_is_taken_and_stays(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    card = card_of(server, "sc.tar.gz", content)
    (tmp_path / "sc.tar.gz").write_bytes(content)
    get(card, tmp_path)
    assert not server.sent and unpacked(tmp_path / "corpus") == EXPECTED
    assert (tmp_path / "sc.tar.gz").read_bytes() == content


def test_a_file_of_the_user_with_the_name_of_the_archive_stays(server, tmp_path):
    card = card_of(server, "card.yaml", tar(SPEECH_COMMANDS))
    (tmp_path / "card.yaml").write_text("name: mine")
    with pytest.raises(DownloadError, match=rf"{tmp_path}/card\.yaml: expected .*; move it away and run this again"):
        get(card, tmp_path)
    assert (tmp_path / "card.yaml").read_text() == "name: mine" and left_in(tmp_path) == ["card.yaml"]


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"mine  a.wav\n", b"# junk\n"])
def test_a_folder_with_a_list_of_another_kind_is_left_alone(server, tmp_path, content):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / MANIFEST).write_bytes(content)
    with pytest.raises(DownloadError, match=r"was not unpacked by audionet, or its \.sha256sums is damaged"):
        get(card, tmp_path)
    with pytest.raises(
        DownloadError, match=r"is missing or was not unpacked by audionet, or its \.sha256sums is damage"
    ):
        verify(card, tmp_path)
    assert files_in(tmp_path / "corpus") == {MANIFEST: content}


def test_a_list_of_checksums_in_the_archive_makes_room_for_ours(server, tmp_path):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS | {".sha256sums": b"junk"}))
    get(card, tmp_path)
    assert verify(card, tmp_path)[0].startswith(f"{tmp_path}/corpus: 7 files match")


# A damaged archive, and a folder that cannot be written


def test_a_damaged_archive_without_a_checksum_is_refused_and_fetched_anew(server, tmp_path):
    content = tar(SPEECH_COMMANDS)
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    with pytest.raises(DownloadError, match=r"whole and harmless, got .*; nothing was unpacked. The file was deleted"):
        get(card_of(server, "sc.tar.gz", bytes(damaged), sha256=None), tmp_path)
    assert not left_in(tmp_path)
    get(card_of(server, "sc.tar.gz", content, sha256=None), tmp_path)
    assert unpacked(tmp_path / "corpus") == EXPECTED


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(server, tmp_path, monkeypatch, number):
    card = card_of(server, "sc.tar.gz", tar(SPEECH_COMMANDS))

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(unpack, "_digest", fail)
    with pytest.raises(DownloadError, match=rf"^{tmp_path}: .* with --root or the variable AUDIONET_CACHE$"):
        get(card, tmp_path)
    assert (tmp_path / "sc.tar.gz.part").exists() and not (tmp_path / "corpus").exists()
