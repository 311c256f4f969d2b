"""Front-ends on one thread beside torchaudio, librosa and the bare FFTs; a stream; a folder of sounds."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import scipy.fft
import torch
from threadpoolctl import threadpool_limits
from torchaudio import transforms

from audionet.audio import save_audio
from audionet.bulk.features import extract, make_plan
from audionet.features import CQT, MFCC, PCEN, LogMel, Stream
from benchmarks.measure import Figure, interleaved, ratios

SAMPLE_RATE = 16_000
N_CLIPS = 256
SIZES = {"n_fft": 512, "win_length": 480, "hop_length": 160}
N_MELS = 40
N_FILES = 10_000
REPEATS = 9
N_WORKERS = 2


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure all."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad(), threadpool_limits(1):  # for librosa, too
        figures = [*clips(tiny=tiny), stream(tiny=tiny)]
    torch.set_num_threads(n_threads)
    facts = {
        "input": f"{N_CLIPS} one-second clips of noise at 16 kHz; window 480, FFT 512, hop 160, 40 mels; no gradients",
        "threads": "1; the folder: as many as processes",
        "peers": f"librosa {librosa.__version__}, scipy {scipy.__version__}; each takes the whole batch",
    }
    return facts, [*figures, *folder(tiny=tiny)]


def clips(*, tiny: bool = False) -> list[Figure]:
    """Time front-ends on a batch of clips, each in turn with its peers."""
    n_clips, repeats = (4, 2) if tiny else (N_CLIPS, REPEATS)
    waveform = 0.1 * torch.randn(n_clips, SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    array = waveform.numpy()
    frames = np.random.default_rng(0).standard_normal((n_clips * 101, 512)).astype(np.float32)
    melspectrogram = partial(
        librosa.feature.melspectrogram, sr=SAMPLE_RATE, **SIZES, n_mels=N_MELS, htk=True, norm=None
    )
    mel = transforms.MelSpectrogram(SAMPLE_RATE, **SIZES, n_mels=N_MELS)
    their_mfcc = transforms.MFCC(SAMPLE_RATE, 40, melkwargs={**SIZES, "n_mels": N_MELS})
    pcen = partial(librosa.pcen, sr=SAMPLE_RATE, hop_length=160)
    cqt = partial(librosa.cqt, sr=SAMPLE_RATE, hop_length=512, n_bins=84)
    work: dict[str, Callable[[], object]] = {
        "FFTs": lambda: scipy.fft.rfft(frames),
        "LogMel": partial(LogMel(), waveform),
        "torchaudio log-mel": lambda: (mel(waveform) + 1e-6).log(),
        "librosa log-mel": lambda: np.log(melspectrogram(y=array) + 1e-6),
        "MFCC": partial(MFCC(), waveform),
        "torchaudio MFCC": partial(their_mfcc, waveform),
        "CQT": partial(CQT(), waveform),
        "librosa CQT": lambda: np.abs(cqt(y=array)),
        "PCEN": partial(PCEN(), waveform),
        "librosa PCEN": lambda: pcen(melspectrogram(y=array) * 2**31),
    }
    seconds = interleaved(work, repeats)
    rates = {name: [n_clips / value for value in values] for name, values in seconds.items()}
    wanted = {"LogMel": 5400, "MFCC": 5000}
    figures = [Figure(name, "clips/s", values, at_least=wanted.get(name)) for name, values in rates.items()]
    return [
        *figures,
        Figure("LogMel over the FFTs alone", "times", ratios(seconds["LogMel"], seconds["FFTs"]), at_most=2.2),
        Figure("CQT against librosa", "times as fast", ratios(seconds["librosa CQT"], seconds["CQT"]), at_least=3),
        Figure("PCEN against librosa", "times as fast", ratios(seconds["librosa PCEN"], seconds["PCEN"]), at_least=3),
    ]


def stream(*, tiny: bool = False) -> Figure:
    """Time a log-mel of one stream that comes in chunks of 10 ms."""
    n_chunks, repeats = (20, 2) if tiny else (3000, REPEATS)
    samples = np.random.default_rng(0).standard_normal(n_chunks * 160).astype(np.float32)
    chunks = np.split(samples, n_chunks)

    def push() -> None:
        running = Stream(LogMel())
        for chunk in chunks:
            running.push(chunk)

    (seconds,) = interleaved({"stream": push}, repeats).values()
    return Figure(
        "streaming log-mel, chunks of 10 ms", "times real time", [n_chunks / 100 / s for s in seconds], at_least=500
    )


def folder(*, tiny: bool = False) -> list[Figure]:
    """Time the log-mels of one-second files, from WAV to .npy; files and processes are warm."""
    n_files, repeats = (100, 2) if tiny else (N_FILES, 5)
    with tempfile.TemporaryDirectory() as temporary:
        sounds = _make_sounds(Path(temporary) / "sounds", n_files)
        rates = {}
        for workers in (N_WORKERS, 1):
            values = []
            for repeat in range(repeats + 1):
                start = time.perf_counter()
                output = Path(temporary) / f"{workers}-{repeat}"
                plan = make_plan(sounds, output, base=Path(temporary) / "sounds", settings={})
                n_bad = sum(len(bad) for _, bad in extract(plan, LogMel(), workers=workers))
                values.append(n_files / (time.perf_counter() - start))
                if n_bad:
                    raise RuntimeError(f"{n_bad} of {n_files} files could not be read")
            rates[workers] = values[1:]  # the first starts the processes
    name = f"{n_files:,} one-second WAVs to log-mels on disk"
    return [
        Figure(f"{name}, {N_WORKERS} processes", "files/s", rates[N_WORKERS], at_least=4000),
        Figure(f"{name}, 1 process", "files/s", rates[1]),
    ]


def _make_sounds(place: Path, n_files: int) -> list[Path]:
    """Write noise, 100 files a folder."""
    generator = np.random.default_rng(0)
    sounds = [place / f"{number // 100:03}" / f"{number:05}.wav" for number in range(n_files)]
    for sound in sounds:
        sound.parent.mkdir(parents=True, exist_ok=True)
        save_audio(sound, generator.uniform(-0.5, 0.5, SAMPLE_RATE), SAMPLE_RATE)
    return sounds
