"""What a recogniser makes of words that it never learnt and of noise, and what it refuses of its own words."""

from argparse import Namespace
from pathlib import Path

import numpy as np

from audionet.audio import fit
from audionet.labels import SILENCE, UNKNOWN
from benchmarks.people.commands import half
from benchmarks.people.hearing import Heard
from benchmarks.people.recordings import Recordings, find
from benchmarks.people.results import Book
from benchmarks.people.scores import Count, count

WORDS, NOISE, REJECTED = "unlearnt words answered with a word", "noise answered with a word", "own words not answered"
_SECONDS = 1.0  # from one window of noise to the next


def spoken(data: Path, which: str) -> dict[str, Recordings]:
    """Return real words by where they come from; each is labelled with what is really said."""
    commands = half(data, which)
    said = [
        path.name.split("_")[0] if label == UNKNOWN else label
        for path, label in zip(commands.paths, commands.labels, strict=True)
    ]
    commands = Recordings(commands.paths, np.array(said), commands.speakers)
    arabic = find("arabic", data)
    arabic = Recordings(arabic.paths, np.char.add("arabic ", arabic.labels), arabic.speakers)
    return {
        "Speech Commands": commands.take(commands.labels != SILENCE),
        "English digits": find("fsdd", data),
        "Arabic digits": arabic,
        "wake words": find("wake words", data),
    }


def noises(data: Path, which: str, heard: Heard) -> np.ndarray:
    """Return clips without a word (clip, time): background, silences, notes, digital silence and white noise."""
    rate, length = heard.sample_rate, heard.clip_length
    commands = half(data, which)
    clips = [heard.windows(waveform, _SECONDS) for waveform in find("background", data).waveforms(rate)]
    clips.append(heard.clips(commands.take(commands.labels == SILENCE)))
    clips.append(np.stack([fit(waveform, length, rate) for waveform in find("notes", data).waveforms(rate)]))
    white = np.random.default_rng(0).standard_normal((20, length)).astype(np.float32)
    clips += [np.zeros((1, length), np.float32), white * np.geomspace(1e-4, 0.3, 20, dtype=np.float32)[:, None]]
    return np.concatenate(clips)


def run(options: Namespace, book: Book) -> None:
    """Measure a recogniser at its threshold: unlearnt words and noise that it answers, own words that it does not."""
    heard = Heard(options.model)
    what = {"row": "rejections", "subject": f"{heard.subject} {options.half}", "more": {"model": str(options.model)}}
    if book.has(row="rejections", subject=what["subject"], line=NOISE):
        return
    own, strange = Count(0, 0), Count(0, 0)
    for name, recordings in spoken(options.data, options.half).items():
        known = np.isin(recordings.labels, heard.labels)
        answers = heard.answers(heard.clips(recordings))
        if known.any():
            refused = count(answers[known] == "")
            own = Count(own.right + refused.right, own.of + refused.of)
            book.add(refused, **what, line=f"{REJECTED}, {name}")
            book.add(count(answers[known] == recordings.labels[known]), **what, line=f"own words right, {name}")
        if not known.all():
            false = count(answers[~known] != "")
            strange = Count(strange.right + false.right, strange.of + false.of)
            book.add(false, **what, line=f"{WORDS}, {name}")
    if own.of:
        book.add(own, **what, line=REJECTED)
    book.add(strange, **what, line=WORDS)
    book.add(count(heard.answers(noises(options.data, options.half, heard)) != ""), **what, line=NOISE)
