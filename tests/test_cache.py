"""What is kept between runs: listed with its size, and removed without anything else."""

import os
from pathlib import Path

import numpy as np
import pytest

from audionet import resources
from audionet.cli import main as cli
from audionet.datasets import background_noise, cards, corpus, download, unpack
from audionet.datasets.cache import kept_in
from audionet.datasets.synthesis.voices.espeak_library import link_data
from audionet.locks import Busy, only_one
from tests.hostile_archives import pack


@pytest.fixture(autouse=True)
def short_noise(monkeypatch):
    monkeypatch.setattr(background_noise, "NOISE_SECONDS", 2.0)


def build(root: Path, seconds: float = 0.5) -> corpus.Corpus:
    return corpus.open_corpus(None, root=root, sample_rate=8000, clip_seconds=seconds, workers=1, progress=False)


@pytest.fixture
def cache(tone_folder, tmp_path):
    """A cache of two stores, a corpus, a download that has begun, voices, and things of the user."""
    cache = tmp_path / "cache"
    build(tone_folder)
    build(tone_folder, 0.25)
    card = cards.read_card("fsdd")
    (file,) = card.files
    (cache / "fsdd").mkdir()
    (cache / "fsdd" / file.name).write_bytes(pack({f"{file.member}/0_theo_0.wav": b"x"}, "zip"))
    (archive,) = (cache / "fsdd").iterdir()
    unpack.unpack(file, archive, cache / "fsdd" / file.folder, checksum="0" * 64, progress=False)
    (cache / "ljspeech").mkdir()
    (cache / "ljspeech" / "LJSpeech-1.1.tar.bz2.part").write_bytes(bytes(1000))
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "en").write_text("voice")
    link_data(tmp_path / "voices", cache)
    (cache / "numba" / "wavenet_1a2b").mkdir(parents=True)
    (cache / "numba" / "wavenet_1a2b" / "compiled.run-12.py311.nbi").write_bytes(bytes(500))
    for mine in (
        "notes.txt",
        "numba/source/setup.py",
        "photos/a.jpg",
        "stores/mine/thesis.txt",
        "stores/notes.txt",
        "nsynth/nsynth-test/my.wav",
    ):
        (cache / mine).parent.mkdir(parents=True, exist_ok=True)
        (cache / mine).write_text("mine")
    return cache


def call(capsys, *arguments):
    code = cli.main(["data", "cache", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_kept_is_listed_with_its_size(cache, capsys):
    kept = {one.name.partition("-")[0]: one for one in kept_in(cache)}
    assert list(kept) == ["espeak", "fsdd", "ljspeech", "numba", "stores/tones"]
    assert kept["ljspeech"].size == 1000
    samples = sum(path.stat().st_size for path in (cache / "stores").rglob("*.i16"))
    assert samples == 2 * 120 * (4000 + 2000) + 2 * 2 * 8000 * 2 and samples < kept["stores/tones"].size < 1.1 * samples
    code, out, err = call(capsys)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and err == "" and [line[0] for line in lines[1:-1]] == [one.name for one in kept_in(cache)]
    assert out.splitlines()[-1].endswith(f"MB kept in {cache} (AUDIONET_CACHE names another folder)")
    assert call(capsys, "fsdd")[1].count("\n") == 3


def test_only_what_is_audionets_is_removed(cache, capsys):
    code, out, _ = call(capsys, "--clear")
    assert code == 0 and out.count("removed ") == 5 and " MB freed in " in out
    assert files_in(cache) == {
        "notes.txt",
        "numba/source/setup.py",
        "photos/a.jpg",
        "stores/mine/thesis.txt",
        "stores/notes.txt",
        "nsynth/nsynth-test/my.wav",
        "fsdd/v1.0.10.zip",  # put there by the user
    }
    assert (cache.parent / "voices" / "en").exists() and not kept_in(cache)
    assert call(capsys, "--clear") == (0, f"0.0 MB freed in {cache} (AUDIONET_CACHE names another folder)\n", "")


def test_a_part_is_removed_by_its_name(cache, tone_folder, capsys):
    before = files_in(cache)
    assert call(capsys, "--clear", "ljspeech")[0] == 0
    assert before - files_in(cache) == {"ljspeech/LJSpeech-1.1.tar.bz2.part"} and not (cache / "ljspeech").exists()
    assert call(capsys, "stores", "--clear")[0] == 0
    assert [one.name for one in kept_in(cache)] == ["espeak-ng", "fsdd", "numba"]
    assert len(build(tone_folder).store) == 120


@pytest.mark.parametrize("name", ["store", "../x", "notes.txt", "stores/mine", "/"])
def test_an_unknown_name_removes_nothing(cache, capsys, name):
    before = files_in(cache)
    code, out, err = call(capsys, "--clear", name)
    assert (code, out) == (1, "") and "name: expected one of espeak-ng, numba, onnxruntime-web, stores, fsdd, " in err
    assert files_in(cache) == before


def test_what_a_process_works_on_stays(cache, capsys):
    (store,) = (one for one in kept_in(cache) if one.name.startswith("stores"))
    before = files_in(store.folder)
    with only_one(store.folder, "building a clip store"):
        code, _, err = call(capsys, "--clear", "stores")
    assert code == 1 and f"process {os.getpid()} on " in err and "is building a clip store here; wait" in err
    assert files_in(store.folder) == before
    assert issubclass(Busy, ValueError)
    with only_one(cache / "fsdd", "downloading a corpus"):
        code, out, err = call(capsys, "--clear")
    assert code == 1 and "fsdd: process" in err and "removed" in out
    assert [one.name for one in kept_in(cache)] == ["fsdd"], "all else is removed"


def test_a_cache_that_is_a_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "file"))
    code, out, err = call(capsys)
    assert (code, out) == (1, "") and "AUDIONET_CACHE: expected a folder, got" in err


def test_an_open_store_stays_readable(cache, tone_folder, capsys):
    opened = build(tone_folder)
    before = np.array(opened.store.waveforms)
    assert call(capsys, "--clear")[0] == 0
    np.testing.assert_array_equal(opened.store.waveforms, before)


def test_a_cache_that_cannot_be_written_is_named_with_the_variable(tone_folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=rf"^{tmp_path}/file/stores/.*; choose another folder .* AUDIONET_CACHE$"):
        build(tone_folder)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/file/fsdd: .* choose another folder .* AUDIONET_CACHE$"):
        download.get(cards.read_card("fsdd"))


def test_corpora_of_one_name_in_two_places_keep_their_stores(tone_folder, tmp_path):
    build(tone_folder)
    (tmp_path / "other").mkdir()
    (tone_folder).rename(tmp_path / "other" / "tones")
    (tmp_path / "other" / "tones" / "low" / "00.wav").unlink()
    build(tmp_path / "other" / "tones")
    assert len(kept_in(resources.cache_dir())) == 2
