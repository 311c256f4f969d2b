"""What a test figure says and what it does not: how many clips, by whom, and how sure it is."""

import os
from collections.abc import Mapping

from audionet.bundle import load
from audionet.metrics import wilson_interval

Training = Mapping[str, object]
"""How a model was made, as `audionet.training.training_record` returns it and a bundle keeps it."""

INTERVALS = (
    "Intervals are Wilson's, of 95%, and count clips as independent of each other: with few speakers, they are wider."
)


def summary(training: Training) -> str:
    """Return the test figure of a training in one sentence.

    Example:
        >>> summary({"accuracy": 0.875, "test_clips": 80, "test_speakers": 6, "test_is_synthetic": False})
        'test accuracy 87.5% (95% interval 78.5% to 93.1%) on 80 clips of 6 speakers'
    """
    figure = training.get("accuracy")
    if isinstance(figure, float):
        kind = "cross-validated" if training.get("cross_validation") else "test"
        shown = f"{kind} accuracy {figure:.1%} ({interval(round(figure * _count(training)), _count(training))})"
    elif "bits_per_sample" in training:
        shown = f"{training['bits_per_sample']:.3f} bits per sample"
    else:
        return "not tested: each word has one recording, speaker or sound alone; record some more"
    return f"{shown} on {tested_on(training)}"


def interval(n_right: float, n_clips: float) -> str:
    """Return the interval of an accuracy in words.

    Example:
        >>> interval(70, 80)
        '95% interval 78.5% to 93.1%'
    """
    low, high = wilson_interval(n_right, n_clips)
    return f"95% interval {low:.1%} to {high:.1%}"


def between(n: float, of: float) -> str:
    """Return the interval of a share in a few characters, for a table.

    Example:
        >>> between(8, 10)
        '49–94%'
        >>> between(2527, 2738)
        '91.2–93.2%'
    """
    low, high = wilson_interval(n, of)
    digits = 0 if of < 500 else 1
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}%"


def tested_on(training: Training) -> str:
    """Return what a model was tested on, in words.

    Example:
        >>> tested_on({"test_clips": 600, "test_speakers": 12, "test_is_synthetic": True})
        '600 clips of 12 synthetic voices: a smoke test'
    """
    voices = "synthetic voices" if training.get("test_is_synthetic") else "speakers"
    n_voices = training.get("test_speakers")
    by = f" of {n_voices} {voices if n_voices != 1 else voices.removesuffix('s')}" if n_voices else ""
    return f"{_count(training):,} clips{by}{': a smoke test' if training.get('test_is_synthetic') else ''}"


def on_people(training: Training) -> str | None:
    """Return what a model reaches on people, in words, as its training recorded it; None where nobody measured that.

    The record is ``people``: {"accuracy", "clips", "what"}, and ``speakers`` where they are known.

    Example:
        >>> on_people({"people": {"accuracy": 0.92, "clips": 2738, "what": "half of an archive"}})
        '92.0% (95% interval 90.9% to 93.0%) of 2,738 recordings of people: half of an archive'
    """
    people = training.get("people")
    if not isinstance(people, Mapping):
        return None
    n_clips = people["clips"]
    sure = interval(round(people["accuracy"] * n_clips), n_clips)
    by = f" by {people['speakers']:,} people" if people.get("speakers") else " of people"
    return f"{people['accuracy']:.1%} ({sure}) of {n_clips:,} recordings{by}: {people['what']}"


def knowing(training: Training, threshold: float) -> list[str]:
    """Return what a recogniser knows of itself, as its training recorded it on the test clips, a sentence each.

    Example:
        >>> print(*knowing({"calibration_error": 0.012, "others_accepted": 0.03, "words_rejected": 0.02}, 0.8))
        Its probabilities are off by 1.2 points in the mean. At the threshold 0.8, 3.0% of the clips that hold none of
        its words are answered with a word, and 2.0% of its words with none.
    """
    sentences = []
    if isinstance(error := training.get("calibration_error"), float):
        sentences.append(f"Its probabilities are off by {100 * error:.1f} points in the mean.")
    accepted, rejected = training.get("others_accepted"), training.get("words_rejected")
    if isinstance(accepted, float) and isinstance(rejected, float):
        sentences.append(
            f"At the threshold {threshold:g}, {accepted:.1%} of the clips that hold none of its words are answered "
            f"with a word, and {rejected:.1%} of its words with none."
        )
    return sentences


def figures(path: str | os.PathLike[str]) -> list[str]:
    """Return what is known of how good a bundle is, as its training recorded it, a sentence each.

    Example:
        >>> figures("digits")[0][:13]
        'test accuracy'
    """
    loaded = load(path)
    people = on_people(loaded.training)
    lines = [summary(loaded.training), *knowing(loaded.training, loaded.threshold)]
    return lines if people is None else [*lines, f"on people: {people}"]


def cautions(training: Training) -> list[str]:
    """Return what the figure does not say, a sentence each."""
    if training.get("test_is_synthetic"):
        return ["All test clips are synthetic: this is a smoke test, which shows that training works and no more."]
    if not training.get("test_speakers"):
        return [
            "The corpus does not say who speaks: if the same people are in training and test, strangers are recognised "
            "less well than this."
        ]
    return ["Clips of one speaker are alike: the fewer speakers are tested on, the less this says of others."]


def _count(training: Training) -> int:
    n_clips = training["test_clips"]
    assert isinstance(n_clips, int)
    return n_clips
