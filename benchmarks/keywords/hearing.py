"""What a system makes of the recordings, kept so that it is heard once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from audionet import load_recognizer
from audionet.audio import read_mono, to_int16
from audionet.console import progress
from audionet.decoding import EventSettings
from audionet.evaluate import Track, Tracks, hear
from audionet.files import whole_file
from benchmarks.keywords.peers import PEERS
from benchmarks.keywords.sounds import RATE, Sound

REFRACTORY = 1.0
"""Seconds in which no system is counted twice."""


def by_peer(name: str, sounds: Sequence[Sound]) -> Tracks:
    """Let a peer hear all recordings, each from the beginning."""
    peer = PEERS[name]()
    levels = (peer.threshold,) * len(peer.keywords)
    settings = EventSettings(keywords=(*peer.keywords,), thresholds=levels, smoothing=1, refractory=REFRACTORY)
    tracks = []
    with progress(name, len(sounds)) as advance:
        for sound in sounds:
            heard = peer.hear(to_int16(read_mono(sound.path, RATE)))
            tracks.append(Track(sound.path, sound.seconds, heard.times, heard.scores.astype(np.float32)))
            advance(1)
    return Tracks(settings, tuple(tracks))


def by_our_bundle(path: Path, sounds: Sequence[Sound], title: str) -> Tracks:
    """Let the detector of a recogniser of ours hear them, with its own settings but for `REFRACTORY`."""
    recognizer = load_recognizer(path)
    heard = hear(recognizer, [sound.path for sound in sounds], title)
    levels = tuple(recognizer.thresholds[keyword] for keyword in heard.settings.keywords)
    settings = replace(heard.settings, thresholds=levels, refractory=REFRACTORY)
    pairs = zip(heard.tracks, sounds, strict=True)
    return Tracks(settings, tuple(track._replace(seconds=sound.seconds) for track, sound in pairs))


def kept(path: Path, make: Callable[[], Tracks]) -> Tracks:
    """Return what is in a file, which is made where it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        with whole_file(path) as stream:
            np.savez_compressed(
                stream,
                settings=np.array(json.dumps(asdict(made.settings))),
                paths=np.array([str(track.path) for track in made.tracks]),
                seconds=np.array([track.seconds for track in made.tracks]),
                lengths=np.array([len(track.times) for track in made.tracks]),
                times=np.concatenate([track.times for track in made.tracks]),
                scores=np.concatenate([track.scores for track in made.tracks]),
            )
    with np.load(path) as arrays:
        settings: dict[str, Any] = json.loads(str(arrays["settings"]))
        settings |= {name: tuple(settings[name]) for name in ("keywords", "thresholds")}
        ends = np.cumsum(arrays["lengths"])[:-1]
        times, scores = np.split(arrays["times"], ends), np.split(arrays["scores"], ends)
        rows = zip(arrays["paths"].tolist(), arrays["seconds"].tolist(), times, scores, strict=True)
        return Tracks(EventSettings(**settings), tuple(Track(Path(path), *rest) for path, *rest in rows))
