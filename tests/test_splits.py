import hashlib
import random

import pytest

from audionet.datasets import splits
from audionet.datasets.cards import Column, Field, Hash, Labels, Lists, Pool, Speaker
from audionet.datasets.clip import Clip

TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
TWELVE = Labels(TEN, Pool("_unknown_"), Pool("_silence_"))


def _clips(*paths, split=""):
    return [Clip(path, path.split("/")[0], path.split("/")[-1].split("_nohash_")[0], split) for path in paths]


def _found(*paths, **fields):
    return [(clip, {key: values[n] for key, values in fields.items()}) for n, clip in enumerate(_clips(*paths))]


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
    clips = splits.assign([(clip, {}) for clip in _clips(*paths)], Hash())
    places = {speaker: {clip.split for clip in clips if clip.speaker == speaker} for speaker in speakers}
    assert all(len(place) == 1 for place in places.values())
    shares = {split: sum(clip.split == split for clip in clips) / len(clips) for split in splits.SPLITS}
    assert shares["train"] == pytest.approx(0.8, abs=0.06)
    assert shares["test"] == pytest.approx(0.1, abs=0.05)


def test_hash_percentages_are_the_cards():
    found = _found(*(f"a/{n}.wav" for n in range(400)))
    assert {clip.split for clip in splits.assign(found, Hash(validation=0, test=0))} == {"train"}
    half = splits.assign(found, Hash(validation=0, test=50))
    assert sum(clip.split == "test" for clip in half) == pytest.approx(200, abs=40)
    # Percentages of the test only move clips between test and train.
    ten = splits.assign(found, Hash(validation=10, test=10))
    more = splits.assign(found, Hash(validation=10, test=30))
    assert [c for c in ten if c.split == "validation"] == [c for c in more if c.split == "validation"]


# Lists


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "validation_list.txt").write_text("yes/a.wav\n\n")
    (tmp_path / "testing_list.txt").write_text("no/b.wav\nyes/c.wav\n")
    return tmp_path


def test_lists(lists):
    found = _found("no/b.wav", "yes/a.wav", "yes/c.wav", "yes/d.wav")
    assert [c.split for c in splits.assign(found, Lists(), lists)] == ["test", "validation", "test", "train"]
    found = _found("v2/no/b.wav", "v2/yes/a.wav", "v2/yes/c.wav")
    assert [c.split for c in splits.assign(found, Lists(), lists, "v2/")] == ["test", "validation", "test"]
    no_validation = splits.assign(found, Lists(validation=None), lists, "v2/")
    assert [c.split for c in no_validation] == ["test", "train", "test"]


def test_lists_that_do_not_fit(lists):
    with pytest.raises(ValueError, match=r"testing_list.txt: 1 of its 2 paths are not in the corpus: yes/c.wav"):
        splits.assign(_found("no/b.wav", "yes/a.wav"), Lists(), lists)
    (lists / "validation_list.txt").write_text("no/b.wav\n")
    with pytest.raises(ValueError, match=r"testing_list.txt: also listed for validation: no/b.wav"):
        splits.assign(_found("no/b.wav", "yes/c.wav"), Lists(), lists)
    with pytest.raises(ValueError, match=r"other.txt: no such file, expected the list of the test clips"):
        splits.assign(_found("no/b.wav"), Lists(test="other.txt"), lists)


# Fields, columns, speakers


def test_field():
    found = _found("a.wav", "b.wav", "c.wav", index=["0", "5", "12"])
    rule = Field("index", test=(0, 1), validation=("12",))
    assert [c.split for c in splits.assign(found, rule)] == ["test", "train", "validation"]
    with pytest.raises(ValueError, match="no field 'take': the layout gives index"):
        splits.assign(found, Field("take", test=(0,)))


def test_column():
    found = _found("a.wav", "b.wav", "c.wav", subset=["train", "dev", "test"])
    rule = Column("subset", names={"dev": "validation"})
    assert [c.split for c in splits.assign(found, rule)] == ["train", "validation", "test"]
    with pytest.raises(ValueError, match=r"subset: expected train, .*\(none\); not so for b.wav"):
        splits.assign(found, Column("subset"))


def test_leave_one_speaker_out():
    found = _found("x/ann_nohash_0.wav", "x/bob_nohash_0.wav", "x/cid_nohash_0.wav", "y/bob_nohash_0.wav")
    clips = splits.assign(found, Speaker(), test_speaker="bob")
    assert [c.split for c in clips] == ["train", "test", "train", "test"]
    clips = splits.assign(found, Speaker(validation="ann"), test_speaker="bob")
    assert [c.split for c in clips] == ["validation", "test", "train", "test"]
    clips = splits.assign(found, Speaker(validation="ann"), test_speaker="ann")
    assert [c.split for c in clips] == ["test", "train", "train", "train"]
    for wrong in (None, "dan"):
        with pytest.raises(ValueError, match=f"test_speaker: .* ann, bob, cid; got {wrong!r}"):
            splits.assign(found, Speaker(), test_speaker=wrong)
    with pytest.raises(ValueError, match="validation: expected one of the speakers ann, bob, cid; got 'eve'"):
        splits.assign(found, Speaker(validation="eve"), test_speaker="ann")
    with pytest.raises(ValueError, match="test_speaker='bob' needs a split that leaves one speaker out.*by hash"):
        splits.assign(found, Hash(), test_speaker="bob")


# Selection of classes


def _names_of(counts: dict[str, int], labels: tuple[str, ...], seed: int) -> list[Clip]:
    """Make up clips, as many in each split as wanted, by drawing speakers until their hash fits."""
    generator = random.Random(seed)
    left = dict(counts)
    clips = []
    while any(left.values()):
        name = f"{generator.getrandbits(32):08x}_nohash_0.wav"
        split = splits.which_set(name)
        if left[split]:
            left[split] -= 1
            label = labels[left[split] % len(labels)]
            clips.append(Clip(f"{label}/{name}", label, name[:8], split))
    return clips


@pytest.fixture(scope="module")
def version_2():
    """Made-up clips with the true number of command clips of Speech Commands v0.02 in each split."""
    commands = _names_of({"train": 30_769, "validation": 3_703, "test": 4_074}, TEN, 0)
    others = _names_of({"train": 5_000, "validation": 600, "test": 700}, ("bed", "cat", "tree"), 1)
    return commands + others


def test_version_2_gets_the_published_totals(version_2):
    clips = splits.select(version_2, TWELVE)
    totals = {split: sum(clip.split == split for clip in clips) for split in splits.SPLITS}
    assert totals == {"train": 36_923, "validation": 4_445, "test": 4_890}
    for label in ("_unknown_", "_silence_"):
        chosen = [clip.split for clip in clips if clip.label == label]
        counts = {split: chosen.count(split) for split in splits.SPLITS}
        assert counts == {"train": 3_077, "validation": 371, "test": 408}


def test_unknowns_never_cross_splits(version_2):
    before = {clip.path: clip for clip in version_2}
    unknown = [clip for clip in splits.select(version_2, TWELVE) if clip.label == "_unknown_"]
    assert {clip.split for clip in unknown} == set(splits.SPLITS)
    assert all(before[clip.path].split == clip.split == splits.which_set(clip.path) for clip in unknown)
    assert {before[clip.path].label for clip in unknown} == {"bed", "cat", "tree"}
    speakers = {split: {c.speaker for c in unknown if c.split == split} for split in splits.SPLITS}
    assert not speakers["train"] & speakers["test"] and not speakers["train"] & speakers["validation"]


def test_the_unknowns_are_those_that_tensorflow_draws(version_2):
    # input_data.py: the global generator, and the sets in the order validation, testing, training.
    random.seed(59185)
    expected = set()
    for split, count in (("validation", 371), ("test", 408), ("train", 3_077)):
        paths = sorted(c.path for c in version_2 if c.split == split and c.label not in TEN)
        random.shuffle(paths)
        expected |= set(paths[:count])
    assert {c.path for c in splits.select(version_2, TWELVE) if c.label == "_unknown_"} == expected


def test_selection_does_not_depend_on_the_order_of_the_files(version_2):
    shuffled = random.Random(3).sample(version_2, len(version_2))
    assert splits.select(shuffled, TWELVE) == splits.select(version_2, TWELVE)


def test_silence_has_names_and_no_speaker():
    clips = _clips(*(f"yes/{n}.wav" for n in range(11)), split="test")
    silence = splits.select(clips, Labels(("yes",), silence=Pool("_silence_", 10)))[:2]
    assert silence == [Clip(f"_silence_/test/{n}", "_silence_", "", "test") for n in range(2)]  # ceil(1.1)


def test_keeping_some_classes_drops_the_others():
    clips = _clips("a/1.wav", "b/1.wav", "c/1.wav", split="train")
    assert [c.label for c in splits.select(clips, Labels(("c", "a")))] == ["a", "c"]
    assert splits.select(clips[::-1], Labels()) == clips
    with pytest.raises(ValueError, match="no clips with the label d, e: there are a, b, c"):
        splits.select(clips, Labels(("a", "e", "d")))
