"""Which recordings a network holds to be alike: embeddings, a picture of them, the nearest, and the most confused."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audionet.audio import AudioError
from audionet.checks import check_at_least, check_one_of, check_rows, check_that
from audionet.console import progress
from audionet.datasets.clip import Clip
from audionet.evaluate import recordings_in
from audionet.inference import Embedder
from audionet.randomness import check_seed, random_generator

_PERPLEXITY = 30.0  # of t-SNE: about how many neighbours of a clip count
_FEWEST = {"pca": 2, "tsne": 5}  # clips that can be laid out


@dataclass(frozen=True, eq=False)
class Embedded:
    """The embeddings of a folder of recordings.

    Attributes:
        folder: The folder.
        clips: The recordings that could be read, with the labels of their folders and, where names tell, the speakers.
        embeddings: (clip, channels) float32.
        n_found: Recordings that the folder holds.
        errors: What is wrong with those that could not be read.
    """

    folder: Path
    clips: tuple[Clip, ...]
    embeddings: np.ndarray
    n_found: int
    errors: tuple[AudioError, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The label of each clip."""
        return [clip.label for clip in self.clips]


class Neighbors(NamedTuple):
    """The nearest references of each clip, the nearest first.

    Attributes:
        rows: (clip, k) int64, rows of the references.
        similarity: (clip, k) float32, the cosine of the angle between the embeddings, from -1 to 1.
    """

    rows: np.ndarray
    similarity: np.ndarray


class ConfusedPair(NamedTuple):
    """Two classes that are taken for each other.

    Attributes:
        first: Position of one class.
        second: Position of the other.
        n_errors: Clips of one that were taken for the other.
        mean: Probability that a clip of one is given for the other, the mean over both ways.
        clips: Row of the clip of the first that is most like the second, and the other way round.
    """

    first: int
    second: int
    n_errors: int
    mean: float
    clips: tuple[int, int]


def embed_folder(
    embedder: Embedder,
    folder: str | os.PathLike[str],
    *,
    most: int | None = None,
    seed: int = 0,
    batch_size: int = 32,
) -> Embedded:
    """Embed the recordings of a folder that has a folder of them for each label.

    The folder is read as `audionet.evaluate.evaluate_folder` does.

    Args:
        embedder: The embedder; that of a recogniser's bundle makes what its classifier sees.
        folder: The folder.
        most: Recordings that are embedded, drawn at random where there are more; None for all.
        seed: Number that decides which.
        batch_size: Number of recordings that go through the network at once.

    Raises:
        ValueError: There is no such folder, or it holds no recordings that can be read.

    Example:
        >>> Path("words", "seven").mkdir(parents=True)
        >>> audionet.save_audio("words/seven/1.wav", waveform, sample_rate)
        >>> embedder = Embedder(audionet.bundle.load("digits", task="recognition"))
        >>> found = embed_folder(embedder, "words")
        >>> found.labels, found.embeddings.shape
        (['seven'], (1, 128))
    """
    folder, clips = Path(folder), recordings_in(folder)
    n_found = len(clips)
    if most is not None and n_found > most:
        check_at_least(1, whole=True, most=most)
        drawn = random_generator(seed, "clips to look at").choice(n_found, most, replace=False)
        clips = [clips[row] for row in sorted(drawn.tolist())]
    made: list[np.ndarray | AudioError] = []
    with progress("recordings", len(clips)) as advance:
        for each in embedder.embed_files([folder / clip.path for clip in clips], batch_size=batch_size):
            made.append(each)
            advance(1)
    errors = tuple(each for each in made if isinstance(each, AudioError))
    heard = [(clip, each) for clip, each in zip(clips, made, strict=True) if not isinstance(each, AudioError)]
    check_that(heard, folder, "a file that can be read", f"{len(errors)} others", str(errors[0]) if errors else "")
    return Embedded(folder, tuple(clip for clip, _ in heard), np.stack([each for _, each in heard]), n_found, errors)


def project(embeddings: np.ndarray, method: str = "tsne", *, seed: int = 0) -> np.ndarray:
    """Lay out embeddings on a plane so that it can be seen which are near each other.

    "pca" shows the two directions in which they differ most; distances along these are true. "tsne" keeps neighbours
    together (van der Maaten and Hinton, 2008); how far apart groups lie says little. It is computed by openTSNE where
    that is installed (extra `insight`), and by scikit-learn otherwise.

    Args:
        embeddings: (clip, channels).
        method: A key of `PROJECTIONS`: "pca" or "tsne".
        seed: Number that decides what is drawn.

    Returns:
        (clip, 2) float64.

    Raises:
        ValueError: There is no such method, there are too few embeddings for it, or some are not finite.

    Example:
        >>> clips = np.array([[0.0, 0.0, 1.0], [3.0, 0.0, 1.0], [-3.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
        >>> np.abs(project(clips, "pca")).round(2).tolist()
        [[0.0, 0.25], [3.0, 0.25], [3.0, 0.25], [0.0, 0.75]]
    """
    check_one_of(PROJECTIONS, "method", method)
    check_seed(seed)
    points = _checked(embeddings, "embeddings")
    least = _FEWEST[method]
    check_that(len(points) >= least, "embeddings", f"at least {least} for {method}", len(points), "add recordings")
    return PROJECTIONS[method](points, seed)


def _principal(points: np.ndarray, _: int) -> np.ndarray:
    """Return the coordinates along the two directions of largest variance, (clip, 2)."""
    centered = points - points.mean(0)
    left, sizes, right = np.linalg.svd(centered, full_matrices=False)
    places = (left * sizes)[:, :2] * np.sign(right[:2, :].sum(1) + 1e-12)  # a sign that a library does not choose
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def _neighborly(points: np.ndarray, seed: int) -> np.ndarray:
    """Return the coordinates of t-SNE, (clip, 2)."""
    perplexity = min(_PERPLEXITY, (len(points) - 1) / 3)
    if not np.ptp(points, axis=0).any():  # all alike: no layout is better than one place
        return np.zeros((len(points), 2))
    state = int(random_generator(seed, "t-SNE").integers(2**31))
    if find_spec("openTSNE"):
        from openTSNE import TSNE as Fast

        fast = Fast(
            perplexity=perplexity,
            neighbors="exact",
            negative_gradient_method="bh",
            n_jobs=1,  # 3,000 clips take 15 s; on a busy machine, several threads would wait for each other
            random_state=state,
        )
        return np.asarray(fast.fit(points))
    from sklearn.manifold import TSNE

    return np.asarray(TSNE(perplexity=perplexity, random_state=state).fit_transform(points), np.float64)


PROJECTIONS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"pca": _principal, "tsne": _neighborly}
"""The ways to lay out embeddings on a plane."""


def nearest(embeddings: np.ndarray, references: np.ndarray, k: int = 5) -> Neighbors:
    """Find the references whose embeddings point most in the direction of each clip's.

    Args:
        embeddings: (clip, channels).
        references: (reference, channels), such as those of the training clips.
        k: References to find for each clip; fewer where there are fewer.

    Raises:
        ValueError: The channels differ, there is none of one or the other, some are not finite, or k is below 1.

    Example:
        >>> nearest(np.array([[1.0, 0.1]]), np.array([[0.0, 1.0], [2.0, 0.0]]), k=2).rows.tolist()
        [[1, 0]]
    """
    check_at_least(1, whole=True, k=k)
    clips, others = _checked(embeddings, "embeddings"), _checked(references, "references")
    expected = f"(reference, {clips.shape[1]})"
    check_that(clips.shape[1] == others.shape[1], "references", expected, others.shape, "embed both by one network")
    cosine = _unit(clips) @ _unit(others).T
    rows = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return Neighbors(rows, np.take_along_axis(cosine, rows, 1).astype(np.float32))


def most_confused(probabilities: np.ndarray, true: np.ndarray, *, most: int = 5) -> list[ConfusedPair]:
    """Find the pairs of classes that a recogniser takes for each other most, with a clip of each to hear.

    Pairs are ranked by the errors between them, and then by the probability that each is given for the other, so that a
    recogniser without errors has its most alike words, too.

    Args:
        probabilities: (clip, class), as a recogniser gives them.
        true: (clip,) int, the true class of each clip; -1 for a clip that is none of them.
        most: Pairs to find.

    Returns:
        The pairs of which there are clips of both classes, the most confused first.

    Raises:
        ValueError: The shapes do not fit each other, or a probability is not finite.

    Example:
        >>> given = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0], [0.0, 0.1, 0.9]])
        >>> most_confused(given, np.array([0, 0, 1, 2]), most=1)
        [ConfusedPair(first=0, second=1, n_errors=1, mean=0.375, clips=(1, 2))]
    """
    check_at_least(1, whole=True, most=most)
    given = _checked(probabilities, "probabilities")
    check_that(true.shape == (len(given),), "true", f"({len(given)},), one a clip", true.shape)
    answers = given.argmax(1)
    pairs = []
    for first, second in combinations(np.unique(true[true >= 0]).tolist(), 2):
        of_first, of_second = np.flatnonzero(true == first), np.flatnonzero(true == second)
        wrong = (answers[of_first] == second).sum() + (answers[of_second] == first).sum()
        there, back = given[of_first, second], given[of_second, first]
        clips = (int(of_first[there.argmax()]), int(of_second[back.argmax()]))
        mean = round(float(there.mean() + back.mean()) / 2, 6)
        pairs.append(ConfusedPair(first, second, int(wrong), mean, clips))
    return sorted(pairs, key=lambda pair: (-pair.n_errors, -pair.mean))[:most]


def _checked(rows: np.ndarray, name: str) -> np.ndarray:
    """Return finite rows of numbers, (row, column) float64."""
    fits = rows.ndim == 2 and 0 not in rows.shape
    check_that(fits, name, "rows of numbers, (row, column)", rows.shape)
    from torch import from_numpy

    check_rows(from_numpy(np.isfinite(rows).all(1)), name, "finite numbers", "see whether the network's weights are")
    return np.asarray(rows, np.float64)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Return rows of length 1; a row of zeros, which has no direction, stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
