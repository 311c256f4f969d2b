"""Sample rate and clips that follow from the recordings, and long recordings that are cut."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from audionet import save_audio
from audionet.audio import read_mono
from audionet.datasets import Clip, Corpus, open_corpus, read_card
from audionet.datasets.layouts import FolderLayout
from audionet.datasets.natural import HIGHEST_RATE, LONGEST, cut, follow
from audionet.datasets.rendering import render
from audionet.datasets.splits import HashSplit, StratifiedSplit


def sounds(folder: Path, lengths: dict[str, float], sample_rate: int = 8000) -> Path:
    """Write noise of so many seconds into files."""
    generator = np.random.default_rng(0)
    for name, seconds in lengths.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        stereo = generator.uniform(-0.5, 0.5, (2, round(seconds * sample_rate)))
        save_audio(folder / name, stereo.astype(np.float32), sample_rate)
    return folder


def as_they_are(folder: Path) -> Corpus:
    return open_corpus(root=folder, sample_rate=None, clip_seconds=None, words_only=True, workers=1)


def test_clips_are_as_long_as_the_longest_recording_and_this_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths = {f"{drum}/{number}.wav": 0.1 + 0.05 * number for drum in ("kick", "hat") for number in range(4)}
    corpus = as_they_are(sounds(tmp_path / "drums", lengths))
    assert (corpus.sample_rate, corpus.clip_length) == (8000, 2000)
    assert sorted(corpus.store.lengths) == sorted(2 * [800, 1200, 1600, 2000])
    said = "note: drums: recordings of 0.1 to 0.25 s at 8000 Hz; clips of up to 0.25 s at 8000 Hz\n"
    assert capsys.readouterr().err.startswith(said)


def test_a_high_rate_is_brought_down_and_what_is_asked_for_is_taken(tmp_path: Path) -> None:
    folder = sounds(tmp_path / "drums", {f"a/{number}.wav": 0.1 for number in range(3)}, 44_100)
    assert as_they_are(folder).sample_rate == HIGHEST_RATE
    asked = open_corpus(root=folder, sample_rate=44_100, clip_seconds=None, workers=1)
    assert (asked.sample_rate, asked.clip_length) == (44_100, 4410)
    asked = open_corpus(root=folder, sample_rate=None, clip_seconds=0.5, workers=1)
    assert (asked.sample_rate, asked.clip_length) == (HIGHEST_RATE, round(0.5 * HIGHEST_RATE))


def test_the_pieces_of_a_long_recording_are_all_of_it_in_every_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sounds(tmp_path / "drums", {"long.wav": 5 * LONGEST + 1})
    corpus = as_they_are(folder)
    assert corpus.labels == ("drums",)
    assert corpus.clip_length == LONGEST * 8000
    assert Counter(corpus.store.splits) == {"train": 4, "validation": 1, "test": 1}
    assert "trained and tested on" in capsys.readouterr().err
    whole = read_mono(folder / "long.wav", 8000)
    place = {path: row for row, path in enumerate(corpus.store.paths)}
    rows = [place[f"long.wav [{number} of 6]"] for number in range(1, 7)]
    parts = [render(corpus.store.paths[row], layout=FolderLayout(), root=folder, sample_rate=8000) for row in rows]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert [len(part) for part in parts] == corpus.store.lengths[rows].tolist()


def test_pieces_are_in_the_split_of_their_recording_where_there_are_enough_or_something_tells_it() -> None:
    splits = {"x": "train", "y": "validation", "z": "test"}
    many = [Clip(f"a/{name}.wav", "a", split=split) for name, split in splits.items()]
    made = cut(many, {"a/x.wav": 3, "a/z.wav": 2}, StratifiedSplit())
    assert Counter(clip.split for clip in made) == {"train": 3, "validation": 1, "test": 2}
    assert len({clip.path for clip in made}) == 6
    one = [Clip("a/x.wav", "a", split="train")]
    assert {clip.split for clip in cut(one, {"a/x.wav": 9}, HashSplit())} == {"train"}
    assert {clip.split for clip in cut(one, {"a/x.wav": 9}, StratifiedSplit())} == {"train", "validation", "test"}
    assert cut(one, {"a/x.wav": 1}, StratifiedSplit()) == one


def test_a_flat_folder_is_one_class_of_its_name(tmp_path: Path) -> None:
    corpus = as_they_are(sounds(tmp_path / "my drums", {f"{number}.wav": 0.1 for number in range(5)}))
    assert corpus.labels == ("my drums",)
    assert Counter(corpus.store.splits) == {"train": 3, "validation": 1, "test": 1}
    with pytest.raises(ValueError, match="files in a folder for each class, got loose.wav"):
        as_they_are(sounds(tmp_path / "mixed", {"a/1.wav": 0.1, "loose.wav": 0.1}))


def test_synthetic_words_keep_the_card_s_rate() -> None:
    assert follow(read_card("words"), Path(), [], None, None, None) == ([], 16_000, 1.0)
