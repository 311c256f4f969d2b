import errno
import os
import shutil
import socket
import tempfile
import unicodedata
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audionet.files import check_free_space, find_files, naming, safe_names, whole_file


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new.bin"
    with whole_file(path, sync=True) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("raised", "number", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC, "No space left on device"),
        (OSError("9 requested and 0 written"), errno.EIO, "9 requested and 0 written"),  # as NumPy has it
    ],
)
def test_an_error_of_the_disk_names_the_file(tmp_path, raised, number, reason):
    path = tmp_path / "new.bin"
    with pytest.raises(OSError, match="new.bin") as caught, whole_file(path):
        raise raised
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == (number, reason, str(path))
    with pytest.raises(FileNotFoundError) as missing, whole_file(tmp_path / "nowhere/new.bin"):
        pass
    assert missing.value.filename == str(tmp_path / "nowhere/new.bin")
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_name_gets_one(tmp_path):
    with pytest.raises(OSError, match="new.bin") as caught, naming(tmp_path / "new.bin"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "new.bin"))
    for named in (FileNotFoundError(errno.ENOENT, "No such file", "other"), OSError(f"{tmp_path}: full")):
        with pytest.raises(OSError, match="other|full") as caught, naming(tmp_path):
            raise named
        assert caught.value is named


def test_what_was_left_long_ago_is_removed_and_what_somebody_writes_stays(tmp_path):
    old, new = tmp_path / f".{'0a' * 8}.partial", tmp_path / f".{'1b' * 8}.partial"
    mine = [tmp_path / ".mine.partial", tmp_path / "0a.partial"]
    for path in (old, new, *mine):
        path.touch()
    for path in (old, *mine):
        os.utime(path, (1e9, 1e9))
    with whole_file(tmp_path / "a.bin"):
        pass
    assert {*tmp_path.iterdir()} == {new, *mine, tmp_path / "a.bin"}


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "old.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"half of the n")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_name_as_long_as_names_can_be(tmp_path):
    with whole_file(tmp_path / ("n" * 255)) as file:
        file.write(b"x")
    assert len(os.listdir(tmp_path)) == 1


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "missing" / "a.bin"):
        pass


def test_free_space(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**10, 0, 2 * 10**9))
    check_free_space(tmp_path, 10**9, "the store", "with --here")
    with pytest.raises(
        OSError, match="the store needs 3.00 GB more and the disk has 2.00 GB free; free .* folder with --here"
    ):
        check_free_space(tmp_path, 3 * 10**9, "the store", "with --here")


def make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def test_files_are_found_at_any_depth_but_not_hidden_ones(tmp_path):
    make(tmp_path, "b/two.WAV", "a/one.flac", "a/notes.txt", "c/d/three.mp3", ".DS_Store", ".git/config")
    make(tmp_path, "a/._one.flac", ".Trash/files/old.wav", "__MACOSX/a/._one.flac")
    (tmp_path / ".everything").symlink_to(tmp_path)  # perhaps the whole disk, which is not to be searched
    found = find_files(tmp_path)
    assert found.files == ["a/notes.txt", "a/one.flac", "b/two.WAV", "c/d/three.mp3"]
    assert found.folders == ["a", "b", "c", "c/d"] and found.broken == []
    assert found.left_out == dict.fromkeys(
        [".Trash", "__MACOSX", "a/._one.flac"], "hidden"
    )  # what holds no sound is no loss


def test_links_are_followed_once_and_never_upwards(tmp_path):
    make(tmp_path, "real/x.wav", "pool/z/deep/y.wav", "corpus/class/a.wav", "corpus/z/b.wav", "outside.wav")
    corpus = tmp_path / "corpus"
    for link, target in {
        "linked": tmp_path / "real",
        "again": tmp_path / "real",
        "class/up": corpus,
        "class/self": corpus / "class",
        "class/above": tmp_path,
        "class/sibling": corpus / "z",  # is listed as itself
        "pool": tmp_path / "pool" / "z",
        "whole_pool": tmp_path / "pool",  # holds a folder that is there already
        "nowhere": tmp_path / "missing",
        "circle": corpus / "circle",
        "class/a_again.wav": corpus / "class/a.wav",
        "class/b.wav": tmp_path / "outside.wav",
        "class/c.wav": tmp_path / "outside.wav",
    }.items():
        (corpus / link).symlink_to(target)
    found = find_files(corpus)
    assert found.files == [
        "again/x.wav",
        "class/a.wav",
        "class/b.wav",  # two names of a file that lies elsewhere
        "class/c.wav",
        "pool/deep/y.wav",
        "z/b.wav",
    ]
    assert found.broken == ["circle", "nowhere"]
    assert found.left_out == {
        "class/up": "a link to a folder above",
        "class/self": "a link to a folder above",
        "class/above": "a link to a folder above",
        **dict.fromkeys(
            ["linked", "class/sibling", "whole_pool/z", "class/a_again.wav"],
            "a link to what is there already",
        ),
    }


def test_a_linked_pool_leads_neither_back_nor_upwards(tmp_path):
    make(tmp_path, "pool/yes/a.wav", "home/corpus/no/b.wav", "home/letter.txt", "pool/other/c.wav")
    corpus = tmp_path / "home/corpus"
    (corpus / "yes").symlink_to(tmp_path / "pool/yes")
    (tmp_path / "pool/yes/up").symlink_to(tmp_path / "pool")
    (tmp_path / "pool/yes/home").symlink_to(tmp_path / "home")
    found = find_files(corpus)
    assert found.files == ["no/b.wav", "yes/a.wav"] and set(found.left_out) == {"yes/up", "yes/home"}


def test_only_regular_files_are_found(tmp_path, monkeypatch):
    make(tmp_path, "a/one.wav")
    os.mkfifo(tmp_path / "a/pipe.wav")
    (tmp_path / "a/null.wav").symlink_to("/dev/null")
    (tmp_path / "a/linked_pipe.wav").symlink_to("pipe.wav")
    with socket.socket(socket.AF_UNIX) as opened:
        monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
        opened.bind("a/socket.wav")
    found = find_files(tmp_path)
    assert found.files == ["a/one.wav"]
    names = ["linked_pipe.wav", "null.wav", "pipe.wav", "socket.wav"]
    assert found.left_out == {f"a/{name}": "no regular file" for name in names}


def test_a_hard_link_is_a_file_of_its_own(tmp_path):
    make(tmp_path, "a.wav")
    os.link(tmp_path / "a.wav", tmp_path / "b.wav")
    assert find_files(tmp_path).files == ["a.wav", "b.wav"]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        find_files(tmp_path / "nowhere")


# Labels that some system has no file for, or that two systems disagree about.
ODD_LABELS = (
    *("yes", "Yes", "YES", "yes-2", "_alpha", "alpha", "on/off", "N/A", "../../x", "/etc/passwd", "..", ".", "", " "),
    *("a.", "a ", "a", ".hidden", "-rf", "~", "a:b", "a\\b", "a|b", "what?", "nul", "COM1.txt", "x\ny", "x\0y"),
    *("ž" * 300, "ž" * 300 + "ą", "žąsis", "z\u030ca\u0328sis", "straße", "STRASSE", "مرحبا", "\u202egnp", "\udcff"),
    *("👩‍💻", "喂" * 90),
)


def test_every_label_gets_a_file_of_its_own(tmp_path):
    names = safe_names(ODD_LABELS, ".flac")
    assert list(names) == list(ODD_LABELS)
    for label, name in names.items():
        (tmp_path / name).write_text(label, encoding="utf-8", errors="surrogatepass")
    written = {path.name: path.read_text(encoding="utf-8", errors="surrogatepass") for path in tmp_path.iterdir()}
    assert len(written) == len(ODD_LABELS) and set(written.values()) == {*ODD_LABELS}
    for name in names.values():
        assert name.endswith(".flac") and not name.startswith((".", "-", "~", " "))
        assert name.replace("\u200d", "").isprintable()
        assert len(name.encode()) <= 143, "an encrypted folder takes no longer one"
        assert name.split(".")[0].rstrip().upper() not in {"CON", "NUL", "COM1"}
    assert safe_names(ODD_LABELS, ".flac") == names


def test_letters_of_all_scripts_stay(tmp_path):
    for label in ("žąsis", "مرحبا", "喂", "👩‍💻", "two words", "_silence_", "v1.5", "it's"):
        assert safe_names([label]) == {label: label}
    assert safe_names(["z\u030c"]) == {"z\u030c": "ž"}  # composed


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=130), unique=True, max_size=8))
def test_any_labels_get_names_that_no_disk_confuses(labels):
    names = list(safe_names(labels, ".wav").values())
    folded = {unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold()) for name in names}
    assert len(folded) == len(labels)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            (Path(folder) / name).touch(exist_ok=False)
        assert sorted(os.listdir(folder)) == sorted(names)
