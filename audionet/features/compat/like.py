"""Front-ends with the numbers of other tools, by the tool's name."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torchaudio.functional import melscale_fbanks

from audionet.checks import check_one_of
from audionet.features.cepstral import MFCC
from audionet.features.compat.kaldi import KaldiFbank, KaldiMFCC
from audionet.features.compat.micro import MicroFrontend
from audionet.features.compat.nemo import NemoLogMel
from audionet.features.compat.rescaled import Rescaled
from audionet.features.compat.whisper import WhisperLogMel
from audionet.features.compat.yamnet import YamnetLogMel
from audionet.features.frontend import FrontEnd
from audionet.features.linear import LFCC
from audionet.features.spectral import LogMel, MelSpectrogram, Spectrogram
from audionet.features.waveform import Waveform

Build = Callable[..., FrontEnd]


def _sized(build: Build) -> Build:
    """Give a front-end the sizes of torchaudio's spectrogram: by default, the hop is half of the window."""

    def sized(
        *, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, **others: Any
    ) -> FrontEnd:
        win_length = n_fft if win_length is None else win_length
        hop_length = win_length // 2 if hop_length is None else hop_length
        return build(n_fft=n_fft, win_length=win_length, hop_length=hop_length, **others)

    return sized


def _torchaudio_mel(*, n_mels: int = 128, norm: str | None = None, **arguments: Any) -> MelSpectrogram:
    """Build torchaudio's mel spectrogram."""
    mel = MelSpectrogram(n_mels=n_mels, norm=norm, **arguments)
    rate = mel.sample_rate
    if mel.spectrogram.n_fft % 2 or rate % 2:  # for which torchaudio misplaces the bins
        f_max = min(mel.f_max, float(rate // 2))
        bins = mel.spectrogram.n_bands
        mel.filters = melscale_fbanks(bins, mel.f_min, f_max, n_mels, rate, norm=norm, mel_scale=mel.mel_scale)
    return mel


_EMPTY_TOO: dict[str, Any] = {"allow_empty_bands": True}  # as the tools do
_LIBROSA: dict[str, Any] = {
    **{"sample_rate": 22_050, "n_fft": 2048, "win_length": None, "hop_length": 512, "pad_mode": "constant"},
    **{"n_mels": 128, "mel_scale": "slaney", "norm": "slaney", **_EMPTY_TOO},
}
_DECIBELS: dict[str, Any] = {"scale": "db", "offset": 1e-10, "top_db": 80.0}
_SLANEY: dict[str, Any] = {"mel_scale": "slaney", "norm": "slaney", **_EMPTY_TOO}


def _standardized(build: Build, *, gain: float = 1.0, mean: float, std: float) -> Build:
    """Build a front-end between a gain and a standardisation."""
    return lambda **arguments: Rescaled(build(**arguments), gain=gain, mean=mean, std=std)


# AST and AudioMAE give Kaldi samples in [-1, 1]; the means and deviations are AudioSet's.
_ast = _standardized(
    partial(KaldiFbank, n_mels=128, window="hanning", **_EMPTY_TOO), gain=1 / 32_768, mean=-4.2677393, std=2 * 4.5689974
)
_open_wake_word = partial(LogMel, n_mels=32, f_min=60.0, f_max=3800.0, win_length=400, center=False)

TOOLS: dict[str, dict[str, Build]] = {
    "librosa": {
        "LogMel": partial(LogMel, **_LIBROSA, **_DECIBELS),
        "MelSpectrogram": partial(MelSpectrogram, **_LIBROSA),
        "MFCC": partial(MFCC, n_mfcc=20, **_LIBROSA, **_DECIBELS),
    },
    "torchaudio": {
        "MelSpectrogram": _sized(partial(_torchaudio_mel, **_EMPTY_TOO)),
        "Spectrogram": _sized(Spectrogram),
        "MFCC": _sized(partial(MFCC, n_mels=128, **_EMPTY_TOO)),
        "LFCC": _sized(partial(LFCC, **_EMPTY_TOO)),
    },
    "kaldi": {"Fbank": partial(KaldiFbank, **_EMPTY_TOO), "MFCC": partial(KaldiMFCC, **_EMPTY_TOO)},
    "nemo": {"LogMel": partial(NemoLogMel, **_EMPTY_TOO)},
    "whisper": {"LogMel": partial(WhisperLogMel, **_EMPTY_TOO)},
    "bcresnet": {"LogMel": partial(LogMel, **_EMPTY_TOO)},
    "openwakeword": {
        "LogMel": _standardized(partial(_open_wake_word, **_SLANEY, **_DECIBELS), gain=32_768, mean=-20.0, std=10.0)
    },
    "micro_frontend": {"MicroFrontend": MicroFrontend},
    "yamnet": {"LogMel": partial(YamnetLogMel, **_EMPTY_TOO)},
    "vggish": {"LogMel": partial(YamnetLogMel, offset=0.01, **_EMPTY_TOO)},
    "ast": {"Fbank": _ast},
    "audiomae": {"Fbank": _ast},
    "beats": {"Fbank": _standardized(partial(KaldiFbank, n_mels=128, **_EMPTY_TOO), mean=15.41663, std=2 * 6.55582)},
    "clap": {
        "LogMel": partial(
            LogMel,
            **{"sample_rate": 48_000, "n_mels": 64, "f_min": 50.0, "f_max": 14_000.0, **_SLANEY},
            **{"n_fft": 1024, "win_length": None, "hop_length": 480, **_DECIBELS, "top_db": None},
        )
    },
    "wav2vec2": {"Waveform": partial(Waveform, normalize=True)},
    "encodec": {"Waveform": partial(Waveform, sample_rate=24_000)},
}
"""What each tool computes, by the name of the front-end; the first is what it is known for."""

_SAMPLE_RATES = {
    **dict.fromkeys(("whisper", "bcresnet", "openwakeword", "yamnet", "vggish", "micro_frontend"), 16_000),
    **dict.fromkeys(("ast", "audiomae", "beats", "wav2vec2"), 16_000),
    **{"clap": 48_000, "encodec": 24_000},
}


def like(tool: str, kind: str | None = None, **arguments: object) -> FrontEnd:
    """Build the front-end of a tool, with the same numbers as the tool's.

    Bands without an FFT bin are computed as the tool does, and a warning names them. What a tool does to clips before
    that, such as filling them up to a length, is not done.

    | tool | front-end | sample rate |
    | --- | --- | --- |
    | "librosa" | power_to_db(melspectrogram(y)); "MelSpectrogram"; "MFCC" | 22,050 Hz |
    | "torchaudio" | transforms.MelSpectrogram(); "Spectrogram"; "MFCC"; "LFCC" | 16,000 Hz |
    | "kaldi" | compute-fbank-feats --dither=0: `KaldiFbank`; "MFCC" | 16,000 Hz |
    | "nemo" | NVIDIA NeMo, without dither: `NemoLogMel` | 16,000 Hz |
    | "whisper" | `WhisperLogMel` | 16,000 Hz only |
    | "bcresnet" | `LogMel` | 16,000 Hz only |
    | "openwakeword" | openWakeWord and Google's speech embedding; top_db over the clip | 16,000 Hz only |
    | "micro_frontend" | TensorFlow Lite's for microcontrollers, as in ESPHome: `MicroFrontend` | 16,000 Hz only |
    | "yamnet", "vggish" | `YamnetLogMel` | 16,000 Hz only |
    | "ast", "audiomae" | `KaldiFbank`, standardised for AudioSet | 16,000 Hz only |
    | "beats" | `KaldiFbank` of 16-bit integers, standardised | 16,000 Hz only |
    | "clap" | LAION's CLAP; its fused models: ``mel_scale="htk", norm=None`` | 48,000 Hz only |
    | "wav2vec2" | the waveform with a mean of 0 and a variance of 1, as for HuBERT | 16,000 Hz only |
    | "encodec" | the waveform | 24,000 Hz only |

    Args:
        tool: Name of the tool, in upper or lower case.
        kind: Which of its front-ends, as named in the table, in upper or lower case; None for the first.
        **arguments: Arguments of its front-end, in place of the tool's.

    Raises:
        ValueError: The tool or the kind is unknown, it does not accept the sample rate, or an argument does not fit.

    Example:
        >>> like("whisper", n_mels=128)(torch.randn(480_000)).shape
        torch.Size([128, 3000])
        >>> like("librosa", "MFCC", n_mfcc=13)(torch.randn(22_050)).shape
        torch.Size([13, 44])
    """
    name = tool.lower()
    check_one_of(TOOLS, "like", name)
    kinds: Mapping[str, Build] = {known.lower(): build for known, build in TOOLS[name].items()}
    wanted = next(iter(kinds)) if kind is None else kind.lower()
    check_one_of(kinds, f"like {tool}: kind", wanted)
    only = _SAMPLE_RATES.get(name)
    if only and (sample_rate := arguments.get("sample_rate", only)) != only:
        raise ValueError(
            f"sample_rate: expected {only} Hz, the only one that {tool} accepts, got {sample_rate} Hz; "
            f"resample with audionet.load_audio(path, sample_rate={only}) or audionet.audio.resample"
        )
    try:
        return kinds[wanted](**arguments)
    except TypeError as error:
        raise ValueError(f"like {tool}: {error}") from error
