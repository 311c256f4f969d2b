"""What a test figure says and what it does not: how many clips, by whom, and how sure it is."""

from collections.abc import Mapping

from audionet.metrics import wilson_interval

Training = Mapping[str, object]
"""How a model was made, as `audionet.training.training_record` returns it and a bundle keeps it."""


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
