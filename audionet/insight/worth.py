"""Whether a map of what decided shows something: what the places that it names are worth to the recogniser.

With the most relevant fifth of the spectrogram alone, accuracy should fall less, and without it more, than with a
fifth at random (the tests of insertion and deletion of Petsiuk et al., 2018, arXiv 1806.07421, at one point).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audionet.checks import check_at_least, check_one_of
from audionet.console import progress
from audionet.inference import Recognizer
from audionet.insight.attribution import METHODS
from audionet.insight.logit import filled
from audionet.insight.looking import evaluating
from audionet.insight.places import most_relevant, random_patches
from audionet.insight.recordings import heard_clips

GRANULARITIES = {"places": (1, 1), "patches": (4, 5), "frames": (1 << 16, 5)}
"""Bands and frames of what is chosen at random: single places, as a gradient does; patches; stretches of frames."""

COARSENESS = {
    "saliency": "places",
    "gradient_input": "places",
    "smooth_grad": "places",
    "grad_cam": "frames",
    "occlusion": "patches",
    "integrated_gradients": "places",
}
"""Which of `GRANULARITIES` is as coarse as the map of each method."""


@dataclass(frozen=True, eq=False)
class Worth:
    """What the most relevant places of the spectrograms are worth, by each method, and as many at random.

    Attributes:
        share: Share of the places that are kept, or removed.
        right: Whether the answer to the whole clip is right, (clip,) bool.
        kept: Whether it is with those places alone, (clip,) bool of each method.
        removed: Whether it is without them, (clip,) bool of each method.
        random_kept: The same of places at random, (draw, clip) bool of each of `GRANULARITIES`.
        random_removed: The same without them.
    """

    share: float
    right: np.ndarray
    kept: Mapping[str, np.ndarray]
    removed: Mapping[str, np.ndarray]
    random_kept: Mapping[str, np.ndarray]
    random_removed: Mapping[str, np.ndarray]

    @property
    def shows(self) -> dict[str, bool]:
        """Whether each method keeps more and removes more than a random choice as coarse does on the mean."""
        return {
            method: bool(
                right.mean() > self.random_kept[COARSENESS[method]].mean()
                and self.removed[method].mean() < self.random_removed[COARSENESS[method]].mean()
            )
            for method, right in self.kept.items()
        }

    def of_right(self) -> "Worth":
        """Return the same of those clips alone whose whole is answered right, so that all of it was understood."""
        chosen = [
            {name: right[..., self.right] for name, right in each.items()}
            for each in (self.kept, self.removed, self.random_kept, self.random_removed)
        ]
        return Worth(self.share, self.right[self.right], *chosen)


def measure_worth(
    recognizer: Recognizer,
    folder: str | os.PathLike[str],
    *,
    methods: Sequence[str] = tuple(METHODS),
    share: float = 0.2,
    n_draws: int = 5,
    most: int | None = None,
    seed: int = 0,
) -> Worth:
    """Compare what the most relevant places decide with what places at random do, over a folder of recordings.

    A map is that of the recogniser's own answer, which may be wrong. The other places are set to the clip's mean in
    each band.

    Args:
        recognizer: The recogniser.
        folder: Folder with a folder of recordings for each label.
        methods: Names of `METHODS`.
        share: Share of the places that are kept, or removed, 0 to 1.
        n_draws: Random choices for each clip and granularity.
        most: Recordings that are tested, drawn at random where there are more; None for all.
        seed: Number that decides all draws.

    Raises:
        ValueError: A method is unknown, a number is out of its range, or the folder holds no recordings that fit.

    Example:
        >>> os.makedirs("words/seven")
        >>> audionet.save_audio("words/seven/1.wav", waveform, sample_rate)
        >>> found = measure_worth(audionet.load_recognizer("digits"), "words", methods=["occlusion"], n_draws=2)
        >>> found.kept["occlusion"], found.removed["occlusion"], found.random_kept["patches"].shape
        (array([ True]), array([False]), (2, 1))
    """
    for method in methods:
        check_one_of(METHODS, "methods", method)
    check_at_least(0, 1, share=share)
    check_at_least(1, whole=True, n_draws=n_draws)
    heard = heard_clips(recognizer, folder, most=most, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    columns: dict[tuple[str, str], list[np.ndarray]] = {}
    with progress("recordings", len(heard.clips)) as advance:
        for clips, truth in zip(heard.clips.split(32), heard.label_indices.split(32), strict=True):
            truth = truth.to(recognizer.device)
            spectrogram = recognizer.front_end(clips[:, None].to(recognizer.device))
            answer = _answer(recognizer, spectrogram)
            columns.setdefault(("whole", ""), []).append((answer == truth).cpu().numpy())
            for kind, name, shown in _shown(recognizer, spectrogram, answer, methods, share, n_draws, generator):
                right = torch.stack([_answer(recognizer, each) == truth for each in shown])
                columns.setdefault((kind, name), []).append(right.cpu().numpy())
            advance(len(clips))
    whole = np.concatenate(columns.pop(("whole", "")))
    found = {key: np.concatenate(parts, 1) for key, parts in columns.items()}
    kept, removed = ({name: found[kind, name][0] for name in methods} for kind in ("kept", "removed"))
    at_random = [{name: found[kind, name] for name in GRANULARITIES} for kind in ("kept", "removed")]
    return Worth(share, whole, kept, removed, *at_random)


def _shown(
    recognizer: Recognizer,
    spectrogram: Tensor,
    answer: Tensor,
    methods: Sequence[str],
    share: float,
    n_draws: int,
    generator: torch.Generator,
) -> Iterator[tuple[str, str, list[Tensor]]]:
    """Yield what is shown to the network: "kept" or "removed", what chose the places, and a batch for each draw."""
    nothing = filled(spectrogram, None)
    places = {
        method: [most_relevant(METHODS[method](recognizer.network, spectrogram, answer), share)] for method in methods
    }
    for name, patch in GRANULARITIES.items():
        size = (min(patch[0], spectrogram.shape[2]), patch[1])
        places[name] = [random_patches(spectrogram[:, 0], share, size, generator) for _ in range(n_draws)]
    for name, choices in places.items():
        yield "kept", name, [torch.where(chosen[:, None], spectrogram, nothing) for chosen in choices]
        yield "removed", name, [torch.where(chosen[:, None], nothing, spectrogram) for chosen in choices]


def _answer(recognizer: Recognizer, spectrogram: Tensor) -> Tensor:
    """Return the most probable label of each clip, (batch,)."""
    with evaluating(recognizer.network), torch.no_grad():
        answer: Tensor = recognizer.network(spectrogram).argmax(1)
    return answer
