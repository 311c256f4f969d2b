import os
import shutil
import tempfile
import unicodedata
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audionet.files import audio_among, audio_files, check_free_space, safe_names, whole_file


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new.bin"
    with whole_file(path, modified_ns=10**18, sync=True) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content" and path.stat().st_mtime_ns == 10**18
    assert list(tmp_path.iterdir()) == [path]


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


def test_audio_files(tmp_path):
    for name in ("b/two.WAV", "a/one.flac", "a/notes.txt", ".hidden.wav", "._mac.wav", ".git/x.wav", "c/d/three.mp3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert audio_files(tmp_path) == ["a/one.flac", "b/two.WAV", "c/d/three.mp3"]
    assert audio_files(tmp_path, "a/*.txt") == ["a/notes.txt"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.wav").touch()
    (tmp_path / "corpus" / "class").mkdir(parents=True)
    (tmp_path / "corpus" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "corpus" / "again").symlink_to(tmp_path / "real")
    (tmp_path / "corpus" / "class" / "up").symlink_to(tmp_path / "corpus")
    (tmp_path / "corpus" / "class" / "self").symlink_to(tmp_path / "corpus" / "class")
    assert audio_files(tmp_path / "corpus") == ["again/x.wav", "linked/x.wav"]


def test_files_among_paths(tmp_path):
    for name in ("a/two.wav", "a/one.flac", "a/notes.txt", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    given = [tmp_path / "b/notes.txt", tmp_path / "a", tmp_path / "missing.wav"]
    found = [tmp_path / "b/notes.txt", tmp_path / "a/one.flac", tmp_path / "a/two.wav", tmp_path / "missing.wav"]
    assert audio_among(given) == found  # what is named is taken as it is: whoever reads it says what is wrong
    with pytest.raises(
        ValueError, match=r"b: expected audio files \(\.3g2 .*\), got none in this folder; name another"
    ):
        audio_among([tmp_path / "a", tmp_path / "b"])


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
