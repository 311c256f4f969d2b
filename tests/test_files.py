import os
import shutil
from collections import namedtuple

import pytest

from audionet.files import audio_among, audio_files, check_free_space, whole_file


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
    check_free_space(tmp_path, 10**9, "the store")
    with pytest.raises(OSError, match="the store needs 3.00 GB more and the disk has 2.00 GB free; free some space"):
        check_free_space(tmp_path, 3 * 10**9, "the store")


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
        ValueError, match=r"b: expected audio files \(\.aif .*\), got none in this folder; name another"
    ):
        audio_among([tmp_path / "a", tmp_path / "b"])
