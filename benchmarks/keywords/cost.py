"""What a system costs: the share of a core, live, and the size of what it needs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audionet import bundle, export, load_detector
from audionet.audio import read_mono, to_int16
from audionet.parallel import one_thread
from benchmarks.keywords.peers import PEERS
from benchmarks.keywords.sounds import RATE

SECONDS = 30.0
"""Of talk that each system hears."""
_CHUNK = RATE // 50  # 20 ms
_REPEATS = 3


class Cost(NamedTuple):
    """What a system costs.

    Attributes:
        share: Seconds of a core for a second of sound.
        size: Bytes of its models.
        n_keywords: Words that this is for.
    """

    share: float
    size: int
    n_keywords: int


def of_peer(name: str, talk: Path) -> Cost:
    """Measure a peer, which gets the sound 80 ms at a time."""
    peer, samples = PEERS[name](), to_int16(_sound(talk))
    share = _share(lambda: peer.hear(samples)) / peer.n_passes
    return Cost(share, peer.size, len(peer.keywords))


def of_bundle(path: Path, talk: Path, folder: Path) -> Cost:
    """Measure the detector of a bundle of ours as `audionet export` writes it, with 20 ms at a time."""
    (written,) = export.write_formats(bundle.load(path, "recognition"), folder, name="words")
    detector, sound = load_detector(written.path), _sound(talk)

    def hear() -> None:
        detector.reset()
        for start in range(0, len(sound), _CHUNK):
            detector.push(sound[start : start + _CHUNK], RATE)

    return Cost(_share(hear), written.path.stat().st_size, len(detector.keywords))


def _sound(talk: Path) -> np.ndarray:
    return read_mono(talk, RATE)[: round(SECONDS * RATE)]


def _share(hear: Callable[[], object]) -> float:
    """Return the least processor time of some repeats, in seconds for a second of sound."""
    took = []
    with one_thread():
        for _ in range(_REPEATS):
            start = time.process_time()
            hear()
            took.append(time.process_time() - start)
    return min(took) / SECONDS
