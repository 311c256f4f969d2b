"""Front-ends whose numbers are those of another tool, by the tool's name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from audionet.features.compat.kaldi import KaldiFbank, straight_mel_matrix
from audionet.features.frontend import Axis, FrontEnd, State, format_settings
from audionet.features.spectral import Filterbank, Logarithm, LogMel, MelSpectrogram, Spectrogram


class WhisperLogMel(FrontEnd):
    """The log-mel spectrogram of Whisper (arXiv 2212.04356; log_mel_spectrogram in its audio.py).

    log10(max(mel, 1e-10)) x is floored at max(x) - 8 and becomes (x + 4) / 4; the last frame is left out. Whisper fits
    its clips to 30 s before that, with `audionet.audio.fit`, and takes the maximum over a whole batch; this one takes
    it over each clip, as Whisper hears one at a time.

    Args:
        sample_rate: In hertz; Whisper's is 16,000.
        n_mels: Number of bands: 80, or 128 for large-v3.
        n_fft: Size of the FFT and of the window in samples.
        hop_length: Step between frames in samples, at most half of ``n_fft``.
        top_db: The floor below each clip's maximum, in decibels: 10 for each unit of log10. None for none, which a
            stream needs; the numbers are then Whisper's only where they are above its floor.

    Shape:
        (..., time) -> (..., n_mels, time // hop_length)

    Raises:
        ValueError: If ``hop_length`` does not fit; as `LogMel`.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 80,
        n_fft: int = 400,
        hop_length: int = 160,
        top_db: float | None = 80.0,
    ) -> None:
        super().__init__()
        if hop_length > n_fft // 2:
            raise ValueError(f"hop_length = {hop_length}: expected at most {n_fft // 2}, half of n_fft = {n_fft}")
        self.decibels = LogMel(
            sample_rate=sample_rate,
            n_mels=n_mels,
            mel_scale="slaney",
            norm="slaney",
            n_fft=n_fft,
            win_length=None,
            hop_length=hop_length,
            scale="db",
            offset=1e-10,
            top_db=top_db,
        )
        # A hop less behind the clip is the last frame less, and all the others the same.
        framing = self.decibels.framing
        self.framing = replace(framing, right=framing.right - hop_length)
        self.sample_rate, self.n_bands = sample_rate, n_mels

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to decibels (..., frame, n_mels)."""
        return self.decibels.block(frames)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Floor decibels and scale them."""
        x, state = self.decibels.across(x, state, is_last=is_last)
        return (x / 10 + 4) / 4, state

    @property
    def needs_clip(self) -> str | None:
        """The setting that looks at the whole clip."""
        return self.decibels.needs_clip

    @property
    def axis(self) -> Axis:
        """The mel bands."""
        return replace(self.decibels.axis, quantity="(log10 power + 4) / 4")

    def extra_repr(self) -> str:
        """Say the sample rate."""
        return format_settings(sample_rate=self.sample_rate)


class YamnetLogMel(Logarithm):
    """The log-mel spectrogram of YAMNet (features.py in tensorflow/models, research/audioset/yamnet).

    ln(mel + 0.001) of magnitudes, whose bands are straight over mel (tf.signal.linear_to_mel_weight_matrix), without
    padding: YAMNet pads its clips before, and cuts what comes out into patches of 96 frames.

    Args:
        sample_rate: In hertz; YAMNet's is 16,000.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz.
        n_fft: FFT size in samples.
        win_length: Samples of a frame.
        hop_length: Step between frames in samples.
        offset: What keeps the logarithm finite.

    Shape:
        (..., time) -> (..., n_mels, 1 + (time - win_length) // hop_length)

    Raises:
        ValueError: If the band edges do not fit the sample rate, a band would be empty or the sizes do not fit.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 64,
        f_min: float = 125.0,
        f_max: float = 7500.0,
        n_fft: int = 512,
        win_length: int = 400,
        hop_length: int = 160,
        offset: float = 0.001,
    ) -> None:
        spectrogram = Spectrogram(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=win_length,
            power=1.0,
            center=False,
            pad_mode="constant",
        )
        filters = straight_mel_matrix(sample_rate=sample_rate, n_fft=n_fft, n_mels=n_mels, f_min=f_min, f_max=f_max)
        super().__init__(Filterbank(filters, spectrogram), offset=offset)


def _torchaudio(
    *, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, n_mels: int = 128, **mel: Any
) -> MelSpectrogram:
    """Build torchaudio's mel spectrogram, whose hop follows from its window, and that from its FFT."""
    win_length = n_fft if win_length is None else win_length
    hop_length = win_length // 2 if hop_length is None else hop_length
    return MelSpectrogram(n_fft=n_fft, win_length=win_length, hop_length=hop_length, n_mels=n_mels, **mel)


@dataclass(frozen=True)
class Preset:
    """How a tool's front-end is built.

    Attributes:
        build: The front-end.
        arguments: What differs from its own defaults.
        sample_rate: The only one in hertz that the tool hears; None if it hears any.
    """

    build: Callable[..., FrontEnd]
    arguments: dict[str, Any] = field(default_factory=dict)
    sample_rate: int | None = None


_LIBROSA = {
    "sample_rate": 22_050,
    "n_mels": 128,
    "mel_scale": "slaney",
    "norm": "slaney",
    "n_fft": 2048,
    "win_length": None,
    "hop_length": 512,
    "pad_mode": "constant",
    "scale": "db",
    "offset": 1e-10,
    "top_db": 80.0,
}
PRESETS = {
    "librosa": Preset(LogMel, _LIBROSA),
    "torchaudio": Preset(_torchaudio),
    "kaldi": Preset(KaldiFbank),
    "whisper": Preset(WhisperLogMel, sample_rate=16_000),
    "bcresnet": Preset(LogMel, sample_rate=16_000),
    "yamnet": Preset(YamnetLogMel, sample_rate=16_000),
}


def like(name: str, **changes: Any) -> FrontEnd:
    """Build the front-end of a tool, so that the numbers are the tool's.

    | name | is |
    | --- | --- |
    | "librosa" | librosa.power_to_db(librosa.feature.melspectrogram(y=waveform)), top_db per clip: 22,050 Hz |
    | "torchaudio" | torchaudio.transforms.MelSpectrogram() |
    | "kaldi" | compute-fbank-feats --dither=0: `KaldiFbank` |
    | "whisper" | `WhisperLogMel`, 16,000 Hz only |
    | "bcresnet" | `LogMel`, 16,000 Hz only |
    | "yamnet" | `YamnetLogMel`, 16,000 Hz only |

    torchaudio's own 128 bands over 400 samples leave some empty, of which it warns and which are an error here: give
    the ``n_mels`` or ``n_fft`` that you use. An odd ``n_fft`` or sample rate, for which it misplaces the FFT's bins, is
    the one case in which its numbers are not met.

    Args:
        name: The tool.
        **changes: Arguments of its front-end that are to be other than the tool's.

    Raises:
        ValueError: The name is unknown, the tool does not hear this sample rate, or an argument does not fit.

    Example:
        >>> like("whisper", n_mels=128)(torch.randn(480_000)).shape
        torch.Size([128, 3000])
    """
    if name.lower() not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    preset = PRESETS[name.lower()]
    given = changes.get("sample_rate", preset.sample_rate)
    if preset.sample_rate is not None and given != preset.sample_rate:
        raise ValueError(
            f"sample_rate = {given} Hz: expected {preset.sample_rate} Hz, the only one that {name} hears; "
            f"resample with audionet.load_audio(path, sample_rate={preset.sample_rate}) or audionet.audio.resample"
        )
    try:
        return preset.build(**{**preset.arguments, **changes})
    except TypeError as error:
        raise ValueError(f"preset {name}: {error}") from error
