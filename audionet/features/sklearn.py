"""Front-ends for scikit-learn: waveforms in, one row of numbers a clip out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audionet.checks import check_one_of, check_that
from audionet.features.frontend import FrontEnd, check_array
from audionet.features.registry import create

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"FeatureTransformer needs scikit-learn, which is missing ({error}); pip install 'audionet[sklearn]'"
    ) from error

_BATCH_BYTES = 1 << 23  # size of a batch of clips of one length
_POOLINGS: dict[str, tuple[str, ...]] = {"mean_std": ("mean", "std"), "mean": ("mean",), "none": ()}


class FeatureTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Features of clips, pooled over time, as a scikit-learn transformer.

    The clips are waveforms in [-1, 1], as floats: a list of arrays (time,) of any lengths, or one array (clip, time),
    whose length scikit-learn wants to be that of ``fit``.

    Args:
        front_end: Name of a front-end, see `audionet.features.create`, or a front-end, such as
            ``features.like("whisper")``.
        sample_rate: Sample rate of the clips in hertz; None for the front-end's own.
        pooling: The row that frames become: "mean_std", each band's mean over time, then each band's standard
            deviation; "mean", the means alone; "none", all frames, band by band, which needs clips of one length.
        arguments: Arguments of a front-end that is given by its name.

    Attributes:
        front_end_: The front-end.
        n_bands_: Number of bands.
        n_frames_: Number of frames of the first clip.

    Raises:
        ValueError: From ``fit`` and ``transform``: an argument does not fit; the clips are integers, not finite or too
            short; or, with pooling="none", they are not as long as those of ``fit``.

    Example:
        >>> clips = [np.random.randn(16_000), np.random.randn(12_000)]
        >>> FeatureTransformer("MFCC", arguments={"n_mfcc": 13}).fit_transform(clips).shape
        (2, 26)
    """

    def __init__(
        self,
        front_end: str | FrontEnd = "LogMel",
        *,
        sample_rate: int | None = None,
        pooling: str = "mean_std",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.front_end = front_end
        self.sample_rate = sample_rate
        self.pooling = pooling
        self.arguments = arguments

    def fit(self, X: object, y: object = None) -> "FeatureTransformer":
        """Build the front-end and count the bands and frames of the first clip; nothing is learned."""
        check_one_of(_POOLINGS, "pooling", self.pooling)
        clips = self._clips(X, reset=True)
        self.front_end_ = self._build()
        self.n_bands_, self.n_frames_ = self._features([clips[0]])[0].shape
        return self

    def transform(self, X: object) -> np.ndarray:
        """Return the features, (clip, n_features), float32."""
        check_is_fitted(self)
        features = self._features(self._clips(X, reset=False))
        if self.pooling == "none":
            expected = f"{self.n_frames_} frames, as in fit, because of pooling = 'none'"
            advice = "fit its length with audionet.audio.fit, or choose 'mean_std'"
            for number, x in enumerate(features):
                check_that(x.shape[1] == self.n_frames_, f"clip {number}", expected, x.shape[1], advice)
            return np.stack([x.ravel() for x in features])
        return np.stack([np.concatenate([getattr(x, name)(1) for name in _POOLINGS[self.pooling]]) for x in features])

    def __sklearn_tags__(self) -> object:
        """Return scikit-learn's tags: the output is float32 for any input."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the columns, such as "logmel0_mean", or for pooling="none", "logmel0_frame0"."""
        check_is_fitted(self)
        name = self.front_end if isinstance(self.front_end, str) else type(self.front_end).__name__
        bands = [f"{name.lower()}{band}" for band in range(self.n_bands_)]
        if self.pooling == "none":
            names = [f"{band}_frame{frame}" for band in bands for frame in range(self.n_frames_)]
        else:
            names = [f"{band}_{pooled}" for pooled in _POOLINGS[self.pooling] for band in bands]
        return np.array(names, dtype=object)

    def _build(self) -> FrontEnd:
        """Return the front-end.

        Raises:
            ValueError: Its arguments do not fit.
        """
        if isinstance(self.front_end, str):
            given = {} if self.sample_rate is None else {"sample_rate": self.sample_rate}
            return create(self.front_end, **given, **(self.arguments or {}))
        kind, rate = type(self.front_end).__name__, self.front_end.sample_rate
        check_that(not self.arguments, "arguments", f"none beside a front-end ({kind})", self.arguments)
        advice = "resample the clips with audionet.audio.resample"
        check_that(
            self.sample_rate in (None, rate), "sample_rate", f"the front-end's {rate} Hz", self.sample_rate, advice
        )
        return self.front_end

    def _clips(self, X: object, *, reset: bool) -> Sequence[np.ndarray]:
        """Return the waveforms, each (time,)."""
        listed = list(X) if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1 else X
        if isinstance(listed, list | tuple) and _are_clips(listed):
            clips = []
            for number, clip in enumerate(listed):
                try:
                    clips.append(check_array(clip).numpy())
                except ValueError as error:
                    raise ValueError(f"clip {number}: {error}") from None
                shape = clips[-1].shape
                if len(shape) != 1:
                    raise ValueError(f"clip {number}: expected (time,), got shape {shape}; mix its channels first")
            return clips
        table: np.ndarray = validate_data(self, X, dtype=None, reset=reset)
        check_array(table)
        return list(table)

    def _features(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return each clip's features (band, frame); clips of one length go through the front-end together."""
        alike: dict[int, list[int]] = {}
        for number, clip in enumerate(clips):
            alike.setdefault(len(clip), []).append(number)
        features: dict[int, np.ndarray] = {}
        for length, numbers in alike.items():
            step = max(_BATCH_BYTES // (4 * max(length, 1)), 1)
            for start in range(0, len(numbers), step):
                batch = numbers[start : start + step]
                features.update(zip(batch, self.front_end_(np.stack([clips[number] for number in batch])), strict=True))
        return [features[number] for number in range(len(clips))]


def _are_clips(rows: Sequence[object]) -> bool:
    """Tell whether rows are clips of their own: arrays, or of several lengths. Else they are a table of numbers."""
    sized = [row for row in rows if isinstance(row, list | tuple | np.ndarray)]
    return any(isinstance(row, np.ndarray) for row in sized) or len({len(row) for row in sized}) > 1
