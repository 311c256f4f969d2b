import dataclasses
import hashlib

import pytest

from audionet.datasets import splits
from audionet.datasets.clip import SPLITS, Clip, Listing
from audionet.datasets.splits import FieldSplit, HashSplit, ListSplit, SpeakerSplit, StratifiedSplit

TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")


def _clips(*paths, split=""):
    return [Clip(path, path.split("/")[0], path.split("/")[-1].split("_nohash_")[0], split) for path in paths]


def _found(*paths, **fields):
    clips = _clips(*paths)
    return Listing(clips, [{key: values[n] for key, values in fields.items()} for n in range(len(clips))])


# Hash rule


@pytest.mark.parametrize(
    ("name", "split"),
    [  # the first of the lists in Speech Commands v0.01 and v0.02, and two that are in neither
        ("right/a69b9b3e_nohash_0.wav", "validation"),
        ("right/439c84f4_nohash_1.wav", "validation"),
        ("cat/8b775397_nohash_0.wav", "validation"),
        ("cat/2643992f_nohash_1.wav", "validation"),
        ("right/bb05582b_nohash_3.wav", "test"),
        ("right/97f4c236_nohash_2.wav", "test"),
        ("cat/2aa787cf_nohash_0.wav", "test"),
        ("cat/ffa76c4a_nohash_0.wav", "test"),
        ("bed/0a7c2a8d_nohash_0.wav", "train"),
        ("bed/0b56bcfe_nohash_0.wav", "train"),
    ],
)
def test_hash_rule_agrees_with_the_published_lists(name, split):
    assert splits.which_set(name) == split


def test_hash_rule_is_the_published_formula():
    for number in range(2000):
        speaker = f"{number:08x}"
        digest = hashlib.sha1(speaker.encode()).digest()
        # The remainder by 2 ** 27 is the last 27 bits.
        percentage = (int.from_bytes(digest[-4:], "big") & 0x7FFFFFF) * 100 / 134217727
        expected = "validation" if percentage < 10 else "test" if percentage < 20 else "train"
        assert splits.which_set(f"some/where/{speaker}_nohash_3.wav") == expected


def test_a_speaker_never_crosses_splits():
    speakers = [f"{number:08x}" for number in range(300)]
    paths = [f"{word}/{speaker}_nohash_{n}.wav" for speaker in speakers for word in TEN for n in range(3)]
    clips = HashSplit().assign(_found(*paths))
    places = {speaker: {clip.split for clip in clips if clip.speaker == speaker} for speaker in speakers}
    assert all(len(place) == 1 for place in places.values())
    shares = {split: sum(clip.split == split for clip in clips) / len(clips) for split in SPLITS}
    assert shares["train"] == pytest.approx(0.8, abs=0.06)
    assert shares["test"] == pytest.approx(0.1, abs=0.05)


def test_hash_percentages_are_the_cards():
    found = _found(*(f"a/{n}.wav" for n in range(400)))
    assert {clip.split for clip in HashSplit(validation=0, test=0).assign(found)} == {"train"}
    half = HashSplit(validation=0, test=50).assign(found)
    assert sum(clip.split == "test" for clip in half) == pytest.approx(200, abs=40)
    # Percentages of the test only move clips between test and train.
    ten = HashSplit(validation=10, test=10).assign(found)
    more = HashSplit(validation=10, test=30).assign(found)
    assert [c for c in ten if c.split == "validation"] == [c for c in more if c.split == "validation"]


# Stratified


def _nameless(*paths):
    return Listing([Clip(path, path.split("/")[0]) for path in paths])


@pytest.mark.parametrize("name", ["{}.wav", "Recording ({}).wav", "take/{}/mic.wav"])
@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (10, (8, 1, 1)), (15, (11, 2, 2)), (40, (32, 4, 4))],
)
def test_each_class_is_split_in_proportion_whatever_its_names(name, n, expected):
    found = _nameless(*(f"{word}/{name.format(number)}" for word in TEN for number in range(1, n + 1)))
    clips = StratifiedSplit().assign(found)
    for word in TEN:
        chosen = [clip.split for clip in clips if clip.label == word]
        assert tuple(chosen.count(split) for split in SPLITS) == expected
    # Equal names, which may be one speaker's, are in one split.
    split_of: dict[str, str] = {}
    assert all(split_of.setdefault(clip.path.partition("/")[2], clip.split) == clip.split for clip in clips)
    assert StratifiedSplit().assign(_nameless(*(clip.path for clip in reversed(clips)))) == clips[::-1]


def test_a_new_clip_moves_at_most_one_other_for_each_split():
    before = StratifiedSplit().assign(_nameless(*(f"a/{n}.wav" for n in range(30))))
    for number in range(30, 60):
        clips = StratifiedSplit().assign(_nameless(*(f"a/{n}.wav" for n in range(30)), f"a/{number}.wav"))
        moved = [(old.split, new.split) for old, new in zip(before, clips, strict=False) if old != new]
        assert len(moved) <= 2 and all("train" in pair for pair in moved)


def test_shares_are_the_card_s():
    found = _nameless(*(f"a/{n}.wav" for n in range(20)))

    def counts(**shares):
        chosen = [clip.split for clip in StratifiedSplit(**shares).assign(found)]
        return tuple(chosen.count(split) for split in SPLITS)

    assert counts(validation=0, test=25) == (15, 0, 5)
    assert counts(validation=0, test=0) == (20, 0, 0)
    assert counts(validation=50, test=50) == (1, 9, 10)  # a class without training clips would be refused
    with pytest.raises(ValueError, match="validation and test: expected percentages of at most 100 together"):
        StratifiedSplit(validation=60, test=60)


def test_known_speakers_are_split_as_a_whole():
    speakers = [f"{number:08x}" for number in range(20)]
    paths = [f"{word}/{speaker}_nohash_{n}.wav" for speaker in speakers for word in TEN for n in range(2)]
    clips = StratifiedSplit().assign(_found(*paths))
    places = {speaker: {clip.split for clip in clips if clip.speaker == speaker} for speaker in speakers}
    assert all(len(place) == 1 for place in places.values())
    assert [sum({split} == place for place in places.values()) for split in SPLITS] == [16, 2, 2]


def test_few_speakers_or_one_for_each_class_are_no_reason_not_to_test():
    few = [f"{word}/{speaker}_nohash_{n}.wav" for word in TEN for speaker in ("ann", "bob") for n in range(5)]
    apart = [f"{word}/{word}_speaker_nohash_{n}.wav" for word in TEN for n in range(10)]
    for paths in (few, apart):
        clips = StratifiedSplit().assign(_found(*paths))
        assert {(clip.label, clip.split) for clip in clips} == {(word, split) for word in TEN for split in SPLITS}


def test_a_class_that_few_speakers_said_is_tested_all_the_same():
    speakers = [f"{number:08x}" for number in range(20)]
    paths = [f"{word}/{speaker}_nohash_0.wav" for speaker in speakers for word in TEN]
    paths += [f"rare/{speaker}_nohash_0.wav" for speaker in speakers[:3]]
    paths += [f"single/{speakers[5]}_nohash_{n}.wav" for n in range(9)]  # by one speaker, who has to be trained on
    clips = StratifiedSplit().assign(_found(*paths))
    places = {speaker: {clip.split for clip in clips if clip.speaker == speaker} for speaker in speakers}
    assert all(len(place) == 1 for place in places.values())
    found = {(clip.label, clip.split) for clip in clips}
    assert {("rare", split) for split in SPLITS} < found
    assert [split for label, split in found if label == "single"] == ["train"]
    assert 2 <= sum(place == {"test"} for place in places.values()) <= 3
    assert {clip.split for clip in StratifiedSplit(validation=0, test=0).assign(_found(*paths))} == {"train"}


def test_of_two_speakers_each_is_tested():
    takes = {"ann": 5, "bob": 5}
    paths = [f"{word}/{name}_nohash_{n}.wav" for word in TEN for name, count in takes.items() for n in range(count)]
    clips = StratifiedSplit().assign(_found(*paths))
    for split in ("test", "validation"):
        assert [sum(c.split == split and c.speaker == name for c in clips) for name in takes] == [5, 5]
    assert all(sum(c.split == "test" and c.label == word for c in clips) == 1 for word in TEN)


def test_clips_by_nobody_are_split_beside_whole_speakers():
    named = [f"{word}/{speaker}_nohash_0.wav" for word in TEN for speaker in ("ann", "bob", "cid", "dan")]
    listing = _found(*named, *(f"{word}/{n}.wav" for word in TEN for n in range(10)))
    clips = [dataclasses.replace(c, speaker="" if "_nohash_" not in c.path else c.speaker) for c in listing.clips]
    clips = StratifiedSplit().assign(dataclasses.replace(listing, clips=clips))
    assert all(len({c.split for c in clips if c.speaker == name}) == 1 for name in ("ann", "bob", "cid", "dan"))
    nobody = [c for c in clips if not c.speaker]
    assert all(sum(c.split == "test" and c.label == word for c in nobody) == 1 for word in TEN)


def test_a_large_class_is_split_at_once():
    paths = [f"a/{n}.wav" for n in range(30_000)]
    chosen = [clip.split for clip in StratifiedSplit().assign(_nameless(*paths))]
    assert [chosen.count(split) for split in SPLITS] == [24_000, 3_000, 3_000]


# Lists


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "validation_list.txt").write_text("yes/a.wav\n\n")
    (tmp_path / "testing_list.txt").write_text("no/b.wav\nyes/c.wav\n")
    return tmp_path


def test_lists(lists):
    found = _found("no/b.wav", "yes/a.wav", "yes/c.wav", "yes/d.wav")
    found = dataclasses.replace(found, folder=lists)
    assert [c.split for c in ListSplit().assign(found)] == ["test", "validation", "test", "train"]
    found = _found("v2/no/b.wav", "v2/yes/a.wav", "v2/yes/c.wav")
    found = dataclasses.replace(found, folder=lists, prefix="v2/")
    assert [c.split for c in ListSplit().assign(found)] == ["test", "validation", "test"]
    assert [c.split for c in ListSplit(validation=None).assign(found)] == ["test", "train", "test"]


def test_lists_that_do_not_fit(lists):
    def assign(*paths, **arguments):
        return ListSplit(**arguments).assign(dataclasses.replace(_found(*paths), folder=lists))

    with pytest.raises(ValueError, match=r"testing_list.txt: expected paths of the corpus, got yes/c.wav"):
        assign("no/b.wav", "yes/a.wav")
    (lists / "validation_list.txt").write_text("no/b.wav\n")
    with pytest.raises(ValueError, match=r"testing_list.txt: .* another split does not have, got no/b.wav"):
        assign("no/b.wav", "yes/c.wav")
    with pytest.raises(ValueError, match=r"other.txt: expected the list of the test clips, .*, got no such file"):
        assign("no/b.wav", test="other.txt")


# Fields, speakers


def test_field_with_a_split_for_all_others():
    found = _found("a.wav", "b.wav", "c.wav", index=["0", "5", "12"])
    rule = FieldSplit(field="index", names={"0": "test", "1": "test", "12": "validation"}, others="train")
    assert [c.split for c in rule.assign(found)] == ["test", "train", "validation"]
    with pytest.raises(ValueError, match=r"field: expected one that the layout gives \(index\), got 'take'"):
        FieldSplit(field="take", others="train").assign(found)


def test_field_that_names_the_split():
    found = _found("a.wav", "b.wav", "c.wav", subset=["train", "dev", "test"])
    rule = FieldSplit(field="subset", names={"dev": "validation"})
    assert [c.split for c in rule.assign(found)] == ["train", "validation", "test"]
    with pytest.raises(ValueError, match=r"subset: expected one of train, validation, test, unless .*, got b.wav"):
        FieldSplit(field="subset").assign(found)


def test_leave_one_speaker_out():
    found = _found("x/ann_nohash_0.wav", "x/bob_nohash_0.wav", "x/cid_nohash_0.wav", "y/bob_nohash_0.wav")
    clips = SpeakerSplit(test="bob").assign(found)
    assert [c.split for c in clips] == ["train", "test", "train", "test"]
    clips = SpeakerSplit(test="bob", validation="ann").assign(found)
    assert [c.split for c in clips] == ["validation", "test", "train", "test"]
    clips = SpeakerSplit(test="ann", validation="ann").assign(found)
    assert [c.split for c in clips] == ["test", "train", "train", "train"]
    for wrong in (None, "dan"):
        with pytest.raises(ValueError, match=f"test_speaker: .* ann, bob, cid, got {wrong!r}"):
            SpeakerSplit(test=wrong).assign(found)
    with pytest.raises(ValueError, match="validation: expected one of the speakers ann, bob, cid, got 'eve'"):
        SpeakerSplit(test="ann", validation="eve").assign(found)
