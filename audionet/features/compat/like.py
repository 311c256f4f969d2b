"""Front-ends with the numbers of other tools, by the tool's name."""

from collections.abc import Callable
from functools import partial
from typing import Any

from audionet.checks import check_one_of
from audionet.features.compat.kaldi import KaldiFbank
from audionet.features.compat.whisper import WhisperLogMel
from audionet.features.compat.yamnet import YamnetLogMel
from audionet.features.frontend import FrontEnd
from audionet.features.spectral import LogMel, MelSpectrogram


def _torchaudio(
    *, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, n_mels: int = 128, **mel: Any
) -> MelSpectrogram:
    """Build torchaudio's mel spectrogram, whose window defaults to the FFT's size and whose hop to half the window."""
    win_length = n_fft if win_length is None else win_length
    hop_length = win_length // 2 if hop_length is None else hop_length
    return MelSpectrogram(n_fft=n_fft, win_length=win_length, hop_length=hop_length, n_mels=n_mels, **mel)


TOOLS: dict[str, Callable[..., FrontEnd]] = {
    "librosa": partial(
        LogMel,
        sample_rate=22_050,
        n_mels=128,
        mel_scale="slaney",
        norm="slaney",
        n_fft=2048,
        win_length=None,
        hop_length=512,
        pad_mode="constant",
        scale="db",
        offset=1e-10,
        top_db=80.0,
    ),
    "torchaudio": _torchaudio,
    "kaldi": KaldiFbank,
    "whisper": WhisperLogMel,
    "bcresnet": LogMel,
    "yamnet": YamnetLogMel,
}
_ONLY_AT_16_KHZ = ("whisper", "bcresnet", "yamnet")


def like(tool: str, **arguments: object) -> FrontEnd:
    """Build the front-end of a tool, with the same numbers as the tool's.

    | tool | front-end |
    | --- | --- |
    | "librosa" | librosa.power_to_db(librosa.feature.melspectrogram(y=waveform)), top_db per clip: 22,050 Hz |
    | "torchaudio" | torchaudio.transforms.MelSpectrogram() |
    | "kaldi" | compute-fbank-feats --dither=0: `KaldiFbank` |
    | "whisper" | `WhisperLogMel`, 16,000 Hz only |
    | "bcresnet" | `LogMel`, 16,000 Hz only |
    | "yamnet" | `YamnetLogMel`, 16,000 Hz only |

    torchaudio's default of 128 bands over 400 samples leaves some bands empty, which is an error here: choose another
    ``n_mels`` or ``n_fft``. For an odd ``n_fft`` or sample rate, torchaudio misplaces the bins of the FFT, and the
    numbers differ.

    Args:
        tool: Name of the tool, in upper or lower case.
        **arguments: Arguments of its front-end, in place of the tool's.

    Raises:
        ValueError: The tool is unknown, it does not accept the sample rate, or an argument does not fit.

    Example:
        >>> like("whisper", n_mels=128)(torch.randn(480_000)).shape
        torch.Size([128, 3000])
    """
    name = tool.lower()
    check_one_of(TOOLS, "like", name)
    sample_rate = arguments.get("sample_rate", 16_000)
    if name in _ONLY_AT_16_KHZ and sample_rate != 16_000:
        raise ValueError(
            f"sample_rate: expected 16000 Hz, the only one that {tool} accepts, got {sample_rate} Hz; "
            "resample with audionet.load_audio(path, sample_rate=16000) or audionet.audio.resample"
        )
    try:
        return TOOLS[name](**arguments)
    except TypeError as error:
        raise ValueError(f"like {tool}: {error}") from error
