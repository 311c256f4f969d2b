"""The features of a few files: what each worker of `audionet features` does."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch

from audionet.audio import read_pieces
from audionet.bulk import sources
from audionet.bulk.outputs import Item, Output, is_there
from audionet.features.frontend import FrontEnd
from audionet.features.streaming import Stream
from audionet.files import NAME_ERRORS, whole_file
from audionet.parallel import one_thread

_PIECE = 1 << 22  # samples; a longer file goes through the front-end in pieces of so many
_HELD = 1 << 24  # samples of shorter files that are held at once
_TITLE = 80  # letters that a picture has room for
_LONGEST = 1 << 26  # samples of a file that a front-end takes whole, if it has to


class Failure(NamedTuple):
    """A file without features, and the reason."""

    source: str
    reason: str


def picture(output: Output, item: Item) -> str:
    """Return the path of the picture of a file's features."""
    return f"{output.folder}/{item.key}.png"


def compute(
    output: Output, front_end: FrontEnd, with_pictures: bool, lenient: bool, items: Sequence[Item]
) -> tuple[dict[Item, str], list[Failure], list[str]]:
    """Compute and write the features of files.

    Returns:
        The hashes of the files whose features are there, the failures, and what was left out.
    """
    failures: list[Failure] = []
    hashes: dict[Item, str] = {}
    # A worker has nobody to warn.
    with warnings.catch_warnings(record=lenient) as caught, torch.inference_mode(), one_thread():
        for features in _computed(front_end, items, lenient, hashes, failures):
            _write(output, front_end, with_pictures, features, failures)
    failed = {failure.source for failure in failures}
    made = {item: hashes[item] for item in items if item.source not in failed}
    return made, failures, [str(warning.message) for warning in caught or ()]


def _write(
    output: Output,
    front_end: FrontEnd,
    with_pictures: bool,
    features: Mapping[Item, np.ndarray],
    failures: list[Failure],
) -> None:
    """Write features, and their pictures; note a failure where the disk refuses the name of a file."""
    try:
        for item, x in features.items():
            if with_pictures:
                _draw(output, front_end, item, x)
            elif is_there(former := picture(output, item)):
                os.unlink(former)
        output.write(features)
    except OSError as error:
        if error.errno not in NAME_ERRORS:
            raise
        if len(features) == 1:
            failures += [Failure(item.source, _named(item, error)) for item in features]
            return
        for item, x in features.items():
            _write(output, front_end, with_pictures, {item: x}, failures)


def _computed(
    front_end: FrontEnd,
    items: Sequence[Item],
    lenient: bool,
    hashes: dict[Item, str],
    failures: list[Failure],
) -> Iterator[Mapping[Item, np.ndarray]]:
    """Yield the features (band, frame) of some files after the other; note the files' hashes, and the failures."""
    clips: dict[Item, np.ndarray] = {}
    for item in items:
        try:
            pieces = read_pieces(item.source, front_end.sample_rate, _PIECE, max_seconds=None, lenient=lenient)
            first, second = next(pieces), next(pieces, None)
            hashes[item] = sources.digest(item.source)
            if second is not None:
                yield {item: _in_pieces(front_end, chain([first, second], pieces))}
                continue
        except (ValueError, MemoryError, OSError) as error:
            failures.append(Failure(item.source, _named(item, error)))
            continue
        clips[item] = first
        if sum(map(len, clips.values())) > _HELD:
            yield from _of_clips(front_end, clips, failures)
            clips = {}
    yield from _of_clips(front_end, clips, failures)


def _of_clips(
    front_end: FrontEnd, clips: Mapping[Item, np.ndarray], failures: list[Failure]
) -> Iterator[Mapping[Item, np.ndarray]]:
    """Yield the features of clips; those of the same length go through the front-end together."""
    by_length: dict[int, list[Item]] = {}
    for item, clip in clips.items():
        by_length.setdefault(len(clip), []).append(item)
    features: dict[Item, np.ndarray] = {}
    for group in by_length.values():
        try:
            x = front_end(torch.from_numpy(np.stack([clips[item] for item in group]))).contiguous().numpy()
        except (ValueError, MemoryError) as error:  # about their length, which they share
            failures += [Failure(item.source, _named(item, error)) for item in group]
        else:
            features.update(zip(group, x, strict=True))
    if features:
        yield features


def _in_pieces(front_end: FrontEnd, pieces: Iterator[np.ndarray]) -> np.ndarray:
    """Return the features of a long file, of which only a piece is held."""
    if setting := front_end.needs_clip:
        return front_end(torch.from_numpy(np.concatenate(list(_short_enough(front_end, setting, pieces))))).numpy()
    stream = Stream(front_end)
    frames = stream.push(torch.from_numpy(next(pieces))).mT.numpy().copy()
    for x in chain((stream.push(torch.from_numpy(piece)) for piece in pieces), (stream.finish() for _ in range(1))):
        n_before = len(frames)
        frames.resize((n_before + x.shape[-1], len(x)), refcheck=False)  # in place; to join would take twice the memory
        frames[n_before:] = x.mT.numpy()
    return frames.T


def _short_enough(front_end: FrontEnd, setting: str, pieces: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the pieces of a file of which the front-end needs the whole."""
    n_samples = 0
    for piece in pieces:
        n_samples += len(piece)
        if n_samples > _LONGEST:
            seconds = _LONGEST / front_end.sample_rate
            raise ValueError(f"expected at most {seconds:.0f} s with {setting}, got more; cut it, or switch that off")
        yield piece


def _named(item: Item, error: Exception) -> str:
    """Return what an error says, with the name of the file before it."""
    reason = "needs more memory than is free; cut it" if isinstance(error, MemoryError) else str(error)
    return reason if reason.startswith(item.source) else f"{item.source}: {reason}"


def _draw(output: Output, front_end: FrontEnd, item: Item, x: np.ndarray) -> None:
    from audionet.plots.features import plot_features

    title = item.key if len(item.key) <= _TITLE else f"...{item.key[-_TITLE:]}"
    with whole_file(picture(output, item)) as file:
        plot_features(x, front_end, title=title).savefig(file, format="png", dpi=150)
