"""The classes of a corpus: unknown words as TensorFlow draws them, silences without files and what they contain."""

import random

import numpy as np
import pytest

from audionet.datasets.classes import ClassSelection, PooledClass, check_background, select, silence_samples
from audionet.datasets.clip import SPLITS, Clip
from audionet.datasets.splits import which_set

TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
TWELVE = ClassSelection(TEN, PooledClass("_unknown_"), PooledClass("_silence_"))


def _clips(*paths, split=""):
    return [Clip(path, path.split("/")[0], path.split("/")[-1].split("_nohash_")[0], split) for path in paths]


def _names_of(counts: dict[str, int], labels: tuple[str, ...], seed: int) -> list[Clip]:
    """Make up clips, as many in each split as wanted, by drawing speakers until their hash fits."""
    generator = random.Random(seed)
    left = dict(counts)
    clips = []
    while any(left.values()):
        name = f"{generator.getrandbits(32):08x}_nohash_0.wav"
        split = which_set(name)
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
    clips = select(version_2, TWELVE)
    totals = {split: sum(clip.split == split for clip in clips) for split in SPLITS}
    assert totals == {"train": 36_923, "validation": 4_445, "test": 4_890}
    for label in ("_unknown_", "_silence_"):
        chosen = [clip.split for clip in clips if clip.label == label]
        counts = {split: chosen.count(split) for split in SPLITS}
        assert counts == {"train": 3_077, "validation": 371, "test": 408}


def test_unknowns_never_cross_splits(version_2):
    before = {clip.path: clip for clip in version_2}
    unknown = [clip for clip in select(version_2, TWELVE) if clip.label == "_unknown_"]
    assert {clip.split for clip in unknown} == set(SPLITS)
    assert all(before[clip.path].split == clip.split == which_set(clip.path) for clip in unknown)
    assert {before[clip.path].label for clip in unknown} == {"bed", "cat", "tree"}
    speakers = {split: {c.speaker for c in unknown if c.split == split} for split in SPLITS}
    assert not speakers["train"] & speakers["test"] and not speakers["train"] & speakers["validation"]


def test_the_unknowns_are_those_that_tensorflow_draws(version_2):
    # input_data.py: the global generator, and the sets in the order validation, testing, training.
    random.seed(59185)
    expected = set()
    for split, count in (("validation", 371), ("test", 408), ("train", 3_077)):
        paths = sorted(c.path for c in version_2 if c.split == split and c.label not in TEN)
        random.shuffle(paths)
        expected |= set(paths[:count])
    assert {c.path for c in select(version_2, TWELVE) if c.label == "_unknown_"} == expected


def test_selection_does_not_depend_on_the_order_of_the_files(version_2):
    shuffled = random.Random(3).sample(version_2, len(version_2))
    assert select(shuffled, TWELVE) == select(version_2, TWELVE)


def test_silence_has_names_and_no_speaker():
    clips = _clips(*(f"yes/{n}.wav" for n in range(11)), split="test")
    silence = select(clips, ClassSelection(("yes",), silence=PooledClass("_silence_", 10)))[:2]
    assert silence == [
        Clip(f"_silence_/test/{n}", "_silence_", "", "test", silence=True) for n in range(2)
    ]  # ceil(1.1)


def test_keeping_some_classes_drops_the_others():
    clips = _clips("a/1.wav", "b/1.wav", "c/1.wav", split="train")
    assert [c.label for c in select(clips, ClassSelection(("c", "a")))] == ["a", "c"]
    assert select(clips[::-1], ClassSelection()) == clips
    with pytest.raises(ValueError, match=r"labels.keep: expected classes that the corpus has \(a, b, c\), got d, e"):
        select(clips, ClassSelection(("a", "e", "d")))


def test_silences_are_zeros_in_training_and_scaled_excerpts_elsewhere():
    background = np.arange(1000, 3000, dtype=np.int16)

    def samples(split, number, background=background):
        clip = Clip(f"_silence_/{split}/{number}", "_silence_", "", split, silence=True)
        return silence_samples(clip, background, 6).tolist()

    assert samples("train", 3) == [0] * 6
    # Stores, and so the tests of published networks, depend on these draws.
    assert samples("test", 3) == [173, 173, 173, 173, 173, 173]
    assert samples("validation", 3) == [1058, 1059, 1060, 1061, 1061, 1062]
    assert samples("test", 7, background[:4]) == [845, 846, 847, 847, 845, 846]


def test_silences_need_noise():
    silence = Clip("_silence_/train/0", "_silence_", "", "train", silence=True)
    check_background([Clip("a.wav", "a")], np.zeros(0, np.int16))
    check_background([silence], np.ones(1, np.int16))
    with pytest.raises(ValueError, match="background: expected recordings of noise for the class _silence_, got none;"):
        check_background([Clip("a.wav", "a"), silence], np.zeros(0, np.int16))
