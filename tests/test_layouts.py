import dataclasses
from pathlib import Path
from typing import Any

import pytest

from audionet.datasets import ClassSelection, Clip, background, cards, index, plain_card
from audionet.datasets.layouts import FolderLayout, PatternLayout, TableLayout
from audionet.datasets.splits import FieldSplit, HashSplit

FSDD = Path(__file__).resolve().parents[2] / "shared" / "data" / "fsdd"


def _make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def _card(layout, rule=None, **values) -> cards.Card:
    values = {"split": "only", "splits": {"only": rule or HashSplit()}} | values
    text: dict[str, Any] = dict.fromkeys(("title", "description", "homepage", "license", "citation"), "")
    return cards.Card(name="made_up", sample_rate=16000, layout=layout, **text, **values)


# Folders


def test_a_folder_of_class_folders_needs_no_card(tmp_path):
    _make(tmp_path, "yes/a_nohash_0.wav", "yes/deep/b_nohash_1.FLAC", "no/a_nohash_2.ogg")
    _make(tmp_path, "_background_noise_/pink.wav", "yes/notes.txt", "yes/._a_nohash_0.wav", ".git/x/y.wav", "README.md")
    card = plain_card(tmp_path)
    clips = index(card, tmp_path)
    assert [(c.path, c.label, c.speaker) for c in clips] == [
        ("no/a_nohash_2.ogg", "no", "a"),
        ("yes/a_nohash_0.wav", "yes", "a"),
        ("yes/deep/b_nohash_1.FLAC", "yes", "b"),
    ]
    assert clips[0].split == clips[1].split  # one speaker
    assert index(card) == clips  # its root is the folder itself
    assert card.labels.names(clip.label for clip in clips) == ("no", "yes")
    assert background(card, tmp_path) == [tmp_path / "_background_noise_" / "pink.wav"]


def test_a_folder_with_lists_is_split_by_them(tmp_path):
    _make(tmp_path, "yes/a.wav", "yes/b.wav", "no/c.wav")
    (tmp_path / "testing_list.txt").write_text("yes/b.wav\n")
    clips = index(plain_card(tmp_path), tmp_path)
    assert [c.split for c in clips] == ["train", "train", "test"]
    (tmp_path / "validation_list.txt").write_text("no/c.wav\n")
    clips = index(plain_card(tmp_path), tmp_path)
    assert [c.split for c in clips] == ["validation", "train", "test"]
    assert index(plain_card(tmp_path), tmp_path, split="hash") != clips


def test_linked_class_folders_are_followed(tmp_path):
    elsewhere = _make(tmp_path / "elsewhere", "a.wav")
    root = _make(tmp_path / "corpus", "no/a.wav")
    (root / "yes").symlink_to(elsewhere)
    assert [c.path for c in index(plain_card(root), root)] == ["no/a.wav", "yes/a.wav"]


def test_glob_ignore_labels_and_folder(tmp_path):
    _make(tmp_path, "in/1/a.wav", "in/1/b.mp3", "in/2/c.wav", "in/3/d.wav", "out/4/e.wav")
    layout = FolderLayout(folder="in", glob="*.wav", ignore=("3",), labels={"1": "one"})
    assert [(c.path, c.label) for c in index(_card(layout), tmp_path)] == [("in/1/a.wav", "one"), ("in/2/c.wav", "2")]


def test_what_is_wrong_with_a_folder_is_said(tmp_path):
    card = dataclasses.replace(_card(FolderLayout(folder="in")), files=(cards.File("http://x/a.zip", None, "in"),))
    with pytest.raises(ValueError, match=rf"corpus made_up: root: .* {tmp_path}/in, got none; .*data get.*--data.root"):
        index(card, tmp_path)
    _make(tmp_path, "in/yes/readme.txt")
    with pytest.raises(ValueError, match=rf"{tmp_path}/in: expected audio files laid out by folders, got .."):
        index(card, tmp_path)
    _make(tmp_path, "in/yes/a.wav", "in/stray.wav")
    with pytest.raises(ValueError, match=r"a folder for each class, got stray.wav; make a folder of each"):
        index(card, tmp_path)
    (tmp_path / "in/stray.wav").unlink()
    kept = dataclasses.replace(card, labels=ClassSelection(("yes", "no")))
    with pytest.raises(ValueError, match=r"expected classes that the corpus has \(yes\), got no"):
        index(kept, tmp_path)
    with pytest.raises(ValueError, match="split: expected one of only, got 'official'"):
        index(card, tmp_path, split="official")


# Pattern


def test_pattern(tmp_path):
    _make(tmp_path, "a/0_ann_3.wav", "b/1_bob_12.wav")
    layout = PatternLayout(pattern=r"(?P<label>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)\.wav", labels={"0": "zero"})
    clips = index(_card(layout, FieldSplit(field="take", names={"12": "test"}, others="train")), tmp_path)
    assert clips == [Clip("a/0_ann_3.wav", "zero", "ann", "train"), Clip("b/1_bob_12.wav", "1", "bob", "test")]


def test_the_folder_below_a_pattern_s_can_say_the_split(tmp_path):
    _make(tmp_path, "in/first/deep/0.wav", "in/second/1.wav", "in/2.wav")
    layout = PatternLayout(pattern=r"(?P<label>\d)\.wav", folder="in")
    clips = index(
        _card(layout, FieldSplit(field="folder", names={"first": "test", "": "validation", "second": "train"})),
        tmp_path,
    )
    assert [(c.label, c.split) for c in clips] == [("2", "validation"), ("0", "test"), ("1", "train")]
    named = PatternLayout(pattern=r"(?P<label>\d)\.wav", folder="in/second")
    with pytest.raises(ValueError, match=r"field: expected one that the layout gives \(folder, label\), got 'take'"):
        index(_card(named, FieldSplit(field="take")), tmp_path)


def test_files_that_do_not_match_are_listed(tmp_path):
    _make(tmp_path, "0_ann_3.wav", *(f"{n}.wav" for n in range(7)))
    card = _card(PatternLayout(pattern=r"(?P<label>\d)_.*"))
    with pytest.raises(ValueError, match=r"expected names that match .*, got 0.wav, 1.wav, .* and 2 more"):
        index(card, tmp_path)


# Table


TABLE = "file,word,who,part,note\na/1.wav,ja,ann,train,x\na/2.wav,nein,bob,dev,\na/3.wav,ja,cid,test,y\n"


@pytest.mark.parametrize(("name", "separator"), [("clips.csv", ","), ("clips.tsv", "\t")])
def test_table(tmp_path, name, separator):
    _make(tmp_path, "wav/a/1.wav", "wav/a/2.wav", "wav/a/3.wav", "wav/a/unlisted.wav")
    (tmp_path / name).write_text("\ufeff" + TABLE.replace(",", separator), encoding="utf-8")
    layout = TableLayout(table=name, path="file", label="word", speaker="who", folder="wav", labels={"ja": "yes"})
    card = _card(layout, FieldSplit(field="part", names={"dev": "validation"}))
    assert index(card, tmp_path) == [
        Clip("wav/a/1.wav", "yes", "ann", "train"),
        Clip("wav/a/2.wav", "nein", "bob", "validation"),
        Clip("wav/a/3.wav", "yes", "cid", "test"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "clips.csv: expected the table of the clips, got no such file"),
        (TABLE.replace("word", "Wort"), "expected the columns word, got .'file', 'Wort', 'who', 'part', 'note'."),
        (TABLE + "a/4.wav,ja\n", "line 5: expected 5 values, with file and word not empty"),
        (TABLE + "a/3.wav,,ann,train,x\n", "line 5: expected 5 values, with file and word not empty"),
        (TABLE + "a/4.wav,ja,ann,train,x\n", "expected files that are in .*, got a/4.wav"),
        (TABLE + "../secret.wav,ja,ann,train,x\n", r"expected paths inside .*, got \.\./secret.wav"),
        (TABLE + "a/3.wav,ja,ann,train,x\n", "expected one row for each file of .*, got a/3.wav"),
        (TABLE.split("\n")[0], "expected audio files laid out by table"),
    ],
)
def test_a_wrong_table(tmp_path, text, message):
    _make(tmp_path, "a/1.wav", "a/2.wav", "a/3.wav", "secret.wav")
    if text is not None:
        (tmp_path / "clips.csv").write_text(text)
    card = _card(TableLayout(table="clips.csv", path="file", label="word"), FieldSplit(field="part"))
    with pytest.raises(ValueError, match=message):
        index(card, tmp_path)


# The shipped cards


@pytest.fixture
def speech_commands(tmp_path):
    """Both archives of v0.02, with the real layout and few files."""
    card = cards.read_card("speech_commands_v2")
    hashes = [f"{number:08x}" for number in range(40)]
    for word in card.labels.keep:
        _make(tmp_path, *(f"speech_commands_v0.02/{word}/{name}_nohash_0.wav" for name in hashes))
    _make(tmp_path, "speech_commands_v0.02/_background_noise_/white_noise.wav", "speech_commands_v0.02/LICENSE")
    test = tmp_path / "speech_commands_test_set_v0.02"
    _make(test, "_silence_/27.wav", "_unknown_/bird_48a8a69d_nohash_0.wav.wav", "LICENSE")
    _make(test, *(f"{word}/0c40e715_nohash_0.wav" for word in cards.read_card("speech_commands_v2_12").labels.keep))
    lists = {name: (tmp_path / "speech_commands_v0.02" / f"{name}_list.txt") for name in ("validation", "testing")}
    lists["validation"].write_text("bed/00000000_nohash_0.wav\n")
    lists["testing"].write_text("bed/00000001_nohash_0.wav\nyes/00000001_nohash_0.wav\n")
    return tmp_path


def test_speech_commands_35(speech_commands):
    card = cards.read_card("speech_commands_v2")
    clips = index(card, speech_commands)
    assert len(clips) == 35 * 40
    assert [(c.path, c.speaker) for c in clips if c.split == "validation"] == [
        ("speech_commands_v0.02/bed/00000000_nohash_0.wav", "00000000")
    ]
    assert sum(c.split == "test" for c in clips) == 2
    assert background(card, speech_commands)[0].name == "white_noise.wav"


def test_speech_commands_12_tests_on_the_official_archive(speech_commands):
    card = cards.read_card("speech_commands_v2_12")
    clips = index(card, speech_commands)
    test = [c for c in clips if c.split == "test"]
    assert len(test) == 12 and {c.label for c in test} == set(card.labels.names())
    assert all(c.path.startswith("speech_commands_test_set_v0.02/") for c in test)
    assert next(c for c in test if c.label == "_unknown_").speaker == "48a8a69d"
    rest = [c for c in clips if c.split != "test"]
    # As TensorFlow's own split, but for the test.
    own = index(card, speech_commands, split="tensorflow")
    assert rest == [c for c in own if c.split != "test"]
    assert {c.split for c in own} == {"train", "validation", "test"}
    assert {c.path.split("/")[0] for c in rest if c.label == "_silence_"} == {"_silence_"}


def test_sc09_is_the_digits_with_the_official_lists(tmp_path):
    card = cards.read_card("sc09")
    root = tmp_path / "speech_commands_v0.01"
    for word in cards.read_card("speech_commands_v1").labels.keep:
        _make(root, *(f"{word}/0000000{number}_nohash_0.wav" for number in range(3)))
    _make(root, "_background_noise_/white_noise.wav")
    (root / "validation_list.txt").write_text("bed/00000000_nohash_0.wav\nnine/00000000_nohash_0.wav\n")
    (root / "testing_list.txt").write_text("bed/00000001_nohash_0.wav\nnine/00000001_nohash_0.wav\n")
    clips = index(card, tmp_path)
    assert len(clips) == 10 * 3 and {c.label for c in clips} == set(card.labels.keep)
    assert [c.split for c in clips if c.label == "nine"] == ["validation", "test", "train"]
    assert {c.split for c in clips if c.label != "nine"} == {"train"}


def test_ljspeech_is_split_by_document(tmp_path):
    names = [f"LJ{document:03d}-{number:04d}.wav" for document in (1, 2, 3, 4, 50) for number in (1, 2)]
    _make(tmp_path, *(f"LJSpeech-1.1/wavs/{name}" for name in names), "LJSpeech-1.1/metadata.csv")
    clips = index(cards.read_card("ljspeech"), tmp_path)
    assert [c.path.rsplit("/", 1)[1] for c in clips] == names
    assert [c.split for c in clips] == ["test"] * 4 + ["validation"] * 2 + ["train"] * 4
    assert {(c.label, c.speaker) for c in clips} == {("speech", "LJ")}


def test_nsynth_is_split_by_archive(tmp_path):
    card = cards.read_card("nsynth")
    for number, file in enumerate(card.files):
        names = [f"{family}_electronic_{number:03d}-060-100.wav" for family in card.labels.keep]
        _make(tmp_path / file.folder, *(f"audio/{name}" for name in names), "examples.json")
    clips = index(card, tmp_path)
    assert len(clips) == 3 * 11 and {c.label for c in clips} == set(card.labels.keep)
    assert Clip("nsynth-valid/audio/synth_lead_electronic_001-060-100.wav", "synth_lead", "", "validation") in clips
    places = {(c.path.split("/")[0], c.split) for c in clips}
    assert places == {("nsynth-train", "train"), ("nsynth-valid", "validation"), ("nsynth-test", "test")}


def test_an_incomplete_test_archive_is_noticed(speech_commands):
    card = cards.read_card("speech_commands_v2_12")
    (speech_commands / "speech_commands_test_set_v0.02/_silence_/27.wav").unlink()
    with pytest.raises(
        ValueError,
        match="speech_commands_test_set_v0.02: expected the classes of the other splits, got a difference in _silence_",
    ):
        index(card, speech_commands)
    _make(
        speech_commands, "speech_commands_test_set_v0.02/_silence_/27.wav", "speech_commands_test_set_v0.02/bed/1.wav"
    )
    with pytest.raises(
        ValueError,
        match="speech_commands_test_set_v0.02: expected the classes of the other splits, got a difference in bed",
    ):
        index(card, speech_commands)


def test_fsdd():
    if not FSDD.is_dir():
        pytest.skip(f"the recordings are not at {FSDD}")
    card = cards.read_card("fsdd")
    clips = index(card, FSDD)
    assert [sum(c.split == split for c in clips) for split in ("train", "validation", "test")] == [2700, 0, 300]
    assert {c.path.rsplit("_", 1)[1] for c in clips if c.split == "test"} == {f"{n}.wav" for n in range(5)}
    assert Clip("recordings/7_theo_49.wav", "seven", "theo", "train") in clips
    out = index(card, FSDD, split="leave_one_speaker_out", test_speaker="theo")
    assert {c.speaker for c in out if c.split == "test"} == {"theo"} and sum(c.split == "test" for c in out) == 500
    with pytest.raises(ValueError, match="test_speaker: expected none, unless the split is of kind speaker, got"):
        index(card, FSDD, test_speaker="theo")
    with pytest.raises(ValueError, match="george, jackson, lucas, nicolas, theo, yweweler, got None"):
        index(card, FSDD, split="leave_one_speaker_out")


def test_words():
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed (extra synth)")
    card = cards.read_card("words")
    clips = index(card)
    assert len(clips) == 6000 and {clip.label for clip in clips} == set(card.labels.names())
    counts = {label: sum(c.label == label for c in clips) for label in card.labels.names()}
    assert set(counts.values()) == {500}
    speakers = {split: {c.speaker for c in clips if c.split == split and c.speaker} for split in ("train", "test")}
    assert speakers["train"] and not speakers["train"] & speakers["test"]
    with pytest.raises(
        ValueError, match="split: expected none, since synthetic voices are split already, got 'official'"
    ):
        index(card, split="official")
