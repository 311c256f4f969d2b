"""Archives that are damaged or meant to harm."""

import gzip
import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from audionet.datasets import archives
from audionet.datasets.archives import ArchiveError
from tests.hostile_archives import KINDS, make_files, mutate, pack, try_to_unpack

FILES = {"yes/a.wav": os.urandom(5000), "no/b.wav": bytes(4000), "LICENSE": b"CC0"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_is_whole(tmp_path, kind):
    files = make_files(np.random.default_rng(0))
    assert try_to_unpack(pack(files, kind), tmp_path / "x") == files


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_archive_is_whole_or_refused(tmp_path, kind):
    outcomes = []
    for seed in range(20):
        generator = np.random.default_rng([seed, KINDS.index(kind)])
        files = make_files(generator)
        outcomes.append(try_to_unpack(mutate(pack(files, kind), generator), tmp_path / str(seed)))
        # A tar file that is not compressed has no checksum of its contents.
        assert isinstance(outcomes[-1], ArchiveError) or outcomes[-1] == files or kind == "tar"
    assert any(isinstance(outcome, ArchiveError) for outcome in outcomes)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7])
def test_one_bit(tmp_path, kind, part):
    content = bytearray(pack(FILES, kind))
    content[int(part * len(content))] ^= 1
    assert isinstance(try_to_unpack(bytes(content), tmp_path / "x"), ArchiveError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 4, 8, 100, 2000])
def test_a_cut_end(tmp_path, kind, cut):
    content = pack(FILES, kind)
    if kind == "tar":
        content = content.rstrip(b"\0")  # of which some more or less are no matter
    assert isinstance(try_to_unpack(content[:-cut], tmp_path / "x"), ArchiveError)


def test_a_zip_file_whose_names_have_backslashes(tmp_path):
    content = pack({"yes/": b"", **FILES}, "zip").replace(b"yes/", b"yes\\").replace(b"no/", b"no\\")
    assert try_to_unpack(content, tmp_path / "x") == FILES
    evil = pack({"up/x": b"1"}, "zip").replace(b"up/x", b"..\\x")
    assert isinstance(try_to_unpack(evil, tmp_path / "y"), ArchiveError)


def test_a_tar_file_without_its_end(tmp_path):
    tape = pack(FILES, "tar")
    end = len(tape.rstrip(b"\0")) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE + tarfile.BLOCKSIZE
    assert try_to_unpack(tape[: end + tarfile.BLOCKSIZE], tmp_path / "x") == FILES
    for number, content in enumerate((tape[:end], tape[:end] + b"junk" + bytes(508), tape + b"junk")):
        assert isinstance(try_to_unpack(content, tmp_path / f"plain{number}"), ArchiveError)
        assert isinstance(try_to_unpack(gzip.compress(content), tmp_path / f"gz{number}"), ArchiveError)


def test_the_extension_does_not_matter(tmp_path):
    assert try_to_unpack(pack(FILES, "zip"), tmp_path / "x") == FILES  # its name is just "archive"
    page = try_to_unpack(b"<html>Please log in</html>", tmp_path / "y")
    assert isinstance(page, ArchiveError) and "a tar file that is cut off or damaged" in str(page)


def test_zstd_is_read_or_its_lack_is_said(tmp_path):
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        with pytest.raises(OSError, match=r"zstd needs Python 3\.14; unpack it by hand"):
            try_to_unpack(b"\x28\xb5\x2f\xfd" + bytes(100), tmp_path / "x")
        return
    content = zstd.compress(pack(FILES, "tar"), options={zstd.CompressionParameter.checksum_flag: 1})
    assert try_to_unpack(content, tmp_path / "x") == FILES
    assert isinstance(try_to_unpack(content[:-3], tmp_path / "y"), ArchiveError)


# ---- too much ----------------------------------------------------------------------------------------------------


def sparse(size: int) -> bytes:
    """Make a tar file of a file that is one hole."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tape:
        info = tarfile.TarInfo("hole.wav")
        info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.numblocks": "1", "GNU.sparse.size": str(size)}
        tape.addfile(info)
    return buffer.getvalue()


def lying_zip() -> bytes:
    """Make a zip file of 5 MB of zeros that claims a kilobyte of them."""
    content = bytearray(pack({"a.wav": bytes(5_000_000)}, "zip"))
    for at in (content.index(b"PK\x01\x02") + 24, 22):
        content[at : at + 4] = struct.pack("<I", 1000)
    return bytes(content)


def with_a_long_note() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tape:
        info = tarfile.TarInfo("a.wav")
        info.pax_headers = {"comment": "x" * 2_000_000}
        tape.addfile(info)
    return gzip.compress(buffer.getvalue())


@pytest.mark.parametrize(
    "content",
    [
        pack({"a.wav": bytes(5_000_000)}, "zip"),
        pack({f"{n}.wav": bytes(900_000) for n in range(3)}, "zip"),
        pack({"a.wav": bytes(5_000_000)}, "tar.gz"),
        pack({f"{n}.wav": bytes(500_000) for n in range(10)}, "tar.xz"),
        gzip.compress(pack(FILES, "tar") + bytes(5_000_000)),
        sparse(10**13),
        lying_zip(),
        with_a_long_note(),
    ],
    ids=["zip", "zip of many", "gz", "xz of many", "end without end", "sparse", "lying zip", "long note"],
)
def test_an_archive_unpacks_to_so_much_and_no_more(tmp_path, monkeypatch, content):
    monkeypatch.setattr(archives, "LEAST_LIMIT", 1_000_000)
    written = []
    monkeypatch.setattr(os, "replace", lambda *_: written.append("all"))
    assert isinstance(try_to_unpack(content, tmp_path / "x"), ArchiveError) and not written


def test_silence_may_compress_well(tmp_path):
    files = {"silence.wav": bytes(5_000_000)}
    assert try_to_unpack(pack(files, "tar.gz"), tmp_path / "x") == files


# ---- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    "name",
    [
        "../a.wav",
        "/etc/a.wav",
        "x/../../a.wav",
        "C:\\a.wav",
        "a\nb.wav",
        "a" * 300,
        "é" * 140,
        "a/" * 100 + "b",
        "yes/a.wav/b",
    ],
)
def test_a_name_that_cannot_be_unpacked(tmp_path, kind, name):
    refused = try_to_unpack(pack(FILES | {name: b"x"}, kind), tmp_path / "x")
    assert isinstance(refused, ArchiveError) and "the name" in str(refused)


def test_a_file_in_the_place_of_a_folder(tmp_path):
    refused = try_to_unpack(pack(FILES | {"yes": b"x"}, "tar.gz"), tmp_path / "x")
    assert isinstance(refused, ArchiveError) and "the name 'yes', which cannot be a file here" in str(refused)


def test_a_zip_file_whose_name_is_cut_at_a_nul(tmp_path):
    content = pack({"a.wavXexe": b"x"}, "zip").replace(b"a.wavXexe", b"a.wav\0exe")
    assert isinstance(try_to_unpack(content, tmp_path / "x"), ArchiveError)


def test_a_newer_version_in_the_same_archive_wins(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tape:
        for content in (b"the older one", b"newer"):
            info = tarfile.TarInfo("a.wav")
            info.size = len(content)
            tape.addfile(info, io.BytesIO(content))
    assert try_to_unpack(buffer.getvalue(), tmp_path / "x") == {"a.wav": b"newer"}


def test_names_that_the_disk_takes_for_the_same(tmp_path, monkeypatch):
    # As on disks that fold case: a file "A.wav" is there as soon as "a.wav" is.
    real = open
    monkeypatch.setattr("builtins.open", lambda path, *arguments: real(str(path).lower(), *arguments))
    refused = try_to_unpack(pack({"a.wav": b"1", "A.wav": b"2"}, "tar"), tmp_path / "x")
    assert isinstance(refused, ArchiveError) and "'A.wav', which cannot be a file here" in str(refused)


def test_a_list_of_checksums_in_the_archive_is_left_out(tmp_path):
    files = FILES | {".sha256sums": b"junk", ".SHA256SUMS/x": b"junk"}
    assert try_to_unpack(pack(files, "zip"), tmp_path / "x") == FILES


def test_an_encrypted_zip_file(tmp_path):
    content = bytearray(pack({"a.wav": b"secret"}, "zip"))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    refused = try_to_unpack(bytes(content), tmp_path / "x")
    assert isinstance(refused, ArchiveError) and "encrypted" in str(refused)
    assert zipfile.ZipFile(io.BytesIO(content)).infolist()[0].flag_bits & 1
