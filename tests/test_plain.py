"""A plain folder of recordings, however a user lays it out: classes, wrappers, folders for the splits."""

from collections import Counter
from pathlib import Path

import pytest

from audionet.audio import ffmpeg
from audionet.datasets import background, index, plain_card
from audionet.datasets.plain import Arrangement, arrangement


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["yes/1.wav", "no/1.wav"], Arrangement()),
        (["yes/anna/1.wav", "no/ben/deep/1.wav", "no/2.wav"], Arrangement()),  # speakers' folders
        (["yes/1.wav"], Arrangement()),
        (["words/yes/1.wav", "words/no/1.wav"], Arrangement("words")),
        (["a/b/yes/1.wav", "a/b/no/1.wav"], Arrangement("a/b")),
        (["a/yes/1.wav", "a/no/1.wav", "_background_noise_/x.wav"], Arrangement("a")),
        (["a/yes/1.wav", "a/no/1.wav", "empty/"], Arrangement()),  # is a class folder, and will be refused
        (["train/1.wav", "bus/1.wav", "car/1.wav"], Arrangement()),  # vehicles
        (["train/1.wav", "test/1.wav", "exam/1.wav"], Arrangement()),  # words about school
        (["train/anna/1.wav", "bus/anna/1.wav"], Arrangement()),
        (["train/yes/1.wav", "train/no/1.wav"], Arrangement("train")),
        (
            ["train/yes/1.wav", "validation/yes/1.wav", "test/yes/1.wav"],
            Arrangement(".", 1, {"train": "train", "validation": "validation", "test": "test"}),
        ),
        (
            ["Training/yes/anna/1.wav", "dev/yes/1.wav", "Test_set/yes/1.wav"],
            Arrangement(".", 1, {"Training": "train", "dev": "validation", "Test_set": "test"}),
        ),
        (
            ["train-clean-100/yes/1.wav", "dev-clean/yes/1.wav", "my_test/yes/1.wav"],
            Arrangement(".", 1, {"train-clean-100": "train", "dev-clean": "validation", "my_test": "test"}),
        ),
        (["train/yes/1.wav", "testing/yes/1.wav"], Arrangement(".", 1, {"train": "train", "testing": "test"})),
        (["train/yes/1.wav", "val/yes/1.wav"], Arrangement(".", 1, {"train": "train", "val": "test"})),
        (
            ["a/train/yes/1.wav", "a/train/no/1.wav", "a/eval/yes/1.wav", "a/test/no/1.wav"],
            Arrangement("a", 1, {"train": "train", "eval": "validation", "test": "test"}),
        ),
        (
            ["train/audio/yes/1.wav", "train/audio/no/1.wav", "test/clips/yes/1.wav"],
            Arrangement(".", 2, {"train": "train", "test": "test"}),
        ),
    ],
)
def test_where_the_class_folders_lie(paths: list[str], expected: Arrangement) -> None:
    assert arrangement(paths) == expected


@pytest.mark.parametrize(
    ("paths", "got"),
    [
        (["train/1.wav", "test/1.wav"], "sound files directly in train, test"),
        (["train/yes/1.wav", "test/1.wav"], "sound files directly in test"),
        (["train/yes/1.wav", "test/yes/1.wav", "extra/yes/1.wav"], "also extra"),
        (["train/yes/1.wav", "test/yes/1.wav", "stray.wav"], "also sound files"),
        (["train/yes/1.wav", "test/yes/1.wav", "valid/", "valid/yes/"], "none in valid"),
    ],
)
def test_folders_for_the_splits_with_more_in_or_beside_them_are_refused(paths: list[str], got: str) -> None:
    with pytest.raises(ValueError, match=f"root: expected class folders in the folders of the splits, .*, got {got}; "):
        arrangement(paths)


def test_folders_for_the_splits_are_taken_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, *(f"{split}/{word}/1.wav" for split in ("train", "valid", "test") for word in ("yes", "no")))
    make(tmp_path, "train/_background_noise_/street.wav", "train/yes/anna/2.wav")
    card = plain_card(tmp_path)
    clips = index(card, tmp_path)
    assert [(clip.path, clip.label, clip.split) for clip in clips] == [
        ("test/no/1.wav", "no", "test"),
        ("test/yes/1.wav", "yes", "test"),
        ("train/no/1.wav", "no", "train"),
        ("train/yes/1.wav", "yes", "train"),
        ("train/yes/anna/2.wav", "yes", "train"),
        ("valid/no/1.wav", "no", "validation"),
        ("valid/yes/1.wav", "yes", "validation"),
    ]
    taken = "test as test, train as train, valid as validation"
    assert said(capsys) == [
        f"note: {tmp_path}: its folders are taken as the splits: {taken}",
        f"note: {tmp_path}: the folders in the class folders, anna, are not told apart",
    ]
    assert background(card, tmp_path) == [tmp_path / "train/_background_noise_/street.wav"]
    (tmp_path / "testing_list.txt").write_text("train/yes/1.wav\n")
    with pytest.raises(ValueError, match="root: expected either folders for the splits or lists .* got 'both'; remove"):
        plain_card(tmp_path)


def test_a_wrapper_is_looked_through_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare, wrapped = tmp_path / "bare", tmp_path / "wrapped"
    paths = [f"{word}/{number}.wav" for word in ("yes", "no") for number in range(10)]
    (
        make(bare, *paths),
        make(wrapped, *(f"my_words/{path}" for path in paths), "README.txt", "__MACOSX/my_words/._x.wav"),
    )
    clips = index(plain_card(wrapped), wrapped)
    assert [clip.path for clip in clips] == [f"my_words/{clip.path}" for clip in index(plain_card(bare), bare)]
    assert [clip.split for clip in clips] == [clip.split for clip in index(plain_card(bare), bare)]
    assert said(capsys) == [f"note: {wrapped}: the class folders are taken from the folder my_words in it"]


def test_lists_beside_or_in_the_wrapper(tmp_path: Path) -> None:
    make(tmp_path, "audio/yes/1.wav", "audio/yes/2.wav", "audio/no/1.wav")
    for place in (tmp_path, tmp_path / "audio"):
        (place / "testing_list.txt").write_text("yes/2.wav\n")
        clips = index(plain_card(tmp_path), tmp_path)
        assert [clip.path for clip in clips if clip.split == "test"] == ["audio/yes/2.wav"]
        (place / "testing_list.txt").unlink()
    (tmp_path / "testing_list.txt").write_text("audio/yes/2.wav\n")  # where the folder was listed
    assert [clip.path for clip in index(plain_card(tmp_path), tmp_path) if clip.split == "test"] == ["audio/yes/2.wav"]


# ---- classes that would vanish ------------------------------------------------------------------------------------


def test_folders_of_speakers_that_hold_the_words_are_the_classes_and_this_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, *(f"all/{who}/{word}/1.wav" for who in ("anna", "ben") for word in ("yes", "no", "_silence_", "go")))
    assert {clip.label for clip in index(plain_card(tmp_path), tmp_path)} == {"anna", "ben"}
    assert said(capsys)[1:] == [
        f"note: {tmp_path}: the folders in the class folders, _silence_, go, no and 1 more, are not told apart"
    ]


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make two good class folders, on a machine that cannot read m4a."""
    monkeypatch.setattr(ffmpeg, "is_here", lambda: False)
    return make(tmp_path / "words", "a/1.WAV", "a/2.wav", "b/1.Flac", "b/2.wav")


def test_a_class_folder_without_a_recording_is_named(words: Path) -> None:
    elsewhere = make(words.parent / "elsewhere", "x.wav")
    make(words, "m4a_only/1.m4a", "m4a_only/2.m4a", "text/notes.txt", "hidden/._1.wav")
    (words / "empty").mkdir()
    (words / "broken").symlink_to("nowhere")
    (words / "first").symlink_to(elsewhere)
    (words / "twice").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="recordings that can be read in every class folder, got none in ") as caught:
        index(plain_card(words), words)
    for part in (
        "broken (1 (a link to nothing): broken)",
        "empty (nothing)",
        "hidden (1 (hidden): hidden/._1.wav)",
        "m4a_only (2 (readable only after pip install 'audionet[formats]', or saved as WAV or FLAC): m4a_only/1.m4a",
        "text (1 (no sound file by its extension): text/notes.txt)",
        "twice (1 (a link to what is there already): twice)",
        "; add some, or move it elsewhere",
    ):
        assert part in str(caught.value)
    assert "first" not in str(caught.value)


def test_a_folder_of_unreadable_files_alone_says_how_to_read_them(tmp_path: Path, words: Path) -> None:
    make(tmp_path / "phone", "a/1.m4a", "b/1.m4a")
    with pytest.raises(
        ValueError, match=r"expected audio files laid out by folders, .*pip install 'audionet\[formats\]'"
    ):
        index(plain_card(tmp_path / "phone"), tmp_path / "phone")


def test_files_that_are_left_out_are_named(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(
        words,
        "a/3.m4a",
        "b/3.raw",
        "b/.4.wav",
        ".Trash/5.wav",
        "LICENSE",
        "_background_noise_/README.md",
        "_background_noise_/x.wav",
    )
    card = plain_card(words)
    assert len(index(card, words)) == 4
    (line,) = said(capsys)
    assert line.startswith(f"note: {words}: left out 2 (hidden): .Trash, b/.4.wav; 1 (readable only after pip install")
    assert line.endswith(": a/3.m4a; 1 (no sound file by its extension): b/3.raw")
    make(words, "_background_noise_/y.m4a")
    assert [path.name for path in background(card, words)] == ["x.wav"]
    assert "_background_noise_: left out 1 (no sound file by its extension): README.md; 1 (readable" in said(capsys)[0]


def test_links_in_a_corpus_never_multiply_its_clips(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (words / "a" / "loop").symlink_to(words / "a")
    (words / "a" / "up").symlink_to(words)
    (words / "b" / "sibling").symlink_to(words / "a")
    for word in ("c", "d"):
        make(words.parent, f"pool/{word}/1.wav")
    for split in ("train", "test"):
        make(words.parent / "linked", f"{split}/c/1.wav")
        (words.parent / "linked" / split / "d").symlink_to(words.parent / "pool/d")
    clips = index(plain_card(words.parent / "linked"))
    assert Counter((clip.label, clip.split) for clip in clips) == {
        ("c", "train"): 1,
        ("c", "test"): 1,
        ("d", "test"): 1,
    }
    assert "left out 1 (a link to what is there already): train/d" in said(capsys)[1]
    clips = index(plain_card(words), words)
    assert Counter(clip.label for clip in clips) == {"a": 2, "b": 2}
    assert "a/loop" in said(capsys)[0]
