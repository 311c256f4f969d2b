"""The same clips through twelve made-up devices: what a recogniser makes of microphones that nobody trained it on.

python -m benchmarks.devices ../shared/data/speech_commands_test_half --model commands [--count 500] [--seed 0]
python -m benchmarks.devices FOLDER --output DIR

Nothing here is shared with `audionet.augment`: SciPy filters, which have a phase, ffmpeg's codecs (PyAV) and the rooms
of pyroomacoustics, so that what is measured is not what was trained. A device is the same for all clips; only its noise
is drawn, from the seed and the number of the clip.
"""

import argparse
import io
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from importlib import import_module
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal

from audionet.audio import find_sounds, read_mono, save_audio

Clips = Any  # (clip, time) float64; SciPy has no types
Draws = list[np.random.Generator]  # one a clip


def through_devices(waveforms: np.ndarray, sample_rate: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Play clips to every device, and return what each of them hands on.

    Args:
        waveforms: (clip, time) float32 in [-1, 1].
        sample_rate: Sample rate in hertz, at least 8000.
        seed: Seed of the noise.

    Returns:
        (clip, time) float32 in [-1, 1] by the name of the device.

    Raises:
        ValueError: The waveforms are not (clip, time), or the sample rate is too low.
        ModuleNotFoundError: PyAV or pyroomacoustics is missing.
    """
    if waveforms.ndim != 2 or not np.isfinite(waveforms).all():
        raise ValueError(f"waveforms: expected finite samples (clip, time), got {waveforms.shape}")
    if sample_rate < 8000:
        raise ValueError(f"sample_rate: expected at least 8000, got {sample_rate}")
    heard = {}
    for number, (name, device) in enumerate(DEVICES.items()):
        draws = [np.random.default_rng([seed, number, clip]) for clip in range(len(waveforms))]
        result = device(waveforms.astype(np.float64), sample_rate, draws)
        heard[name] = np.clip(result, -1, 1).astype(np.float32)
    return heard


# ---- devices ---------------------------------------------------------------------------------------------------------


def telephone(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A telephone line: 300 to 3400 Hz, its noise, the mu-law of 8 bits at 8 kHz."""
    line = resampled(filtered(peaked(clips, -6), rate, [300, 3400]), rate, 8000)
    return resampled(coded(line + noise(line.shape, draws, -55), 8000, "wav", "pcm_mulaw"), 8000, rate, clips.shape[1])


def mobile(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A mobile telephone: a low cut, and AMR at 5.9 kbit/s."""
    voice = resampled(filtered(peaked(clips, -6), rate, [150, 3700]), rate, 8000)
    return resampled(coded(voice, 8000, "amr", "libopencore_amrnb", 5900), 8000, rate, clips.shape[1])


def conference(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A program for conferences: it takes away what it holds for noise, brings all to one level, and sends Opus."""
    times_and_bins = {"fs": rate, "nperseg": 2 * (rate // 100), "noverlap": rate // 100}
    _, _, spectrum = signal.stft(clips, **times_and_bins)
    power = np.abs(spectrum) ** 2
    floor = 4 * np.quantile(power, 0.2, axis=-1, keepdims=True)
    gain = np.sqrt(np.clip(1 - floor / np.maximum(power, 1e-20), 0.01, 1))
    _, cleaned = signal.istft(spectrum * gain, **times_and_bins)
    voice = resampled(peaked(cleaned[:, : clips.shape[1]], -3), rate, 16_000)
    return resampled(coded(voice, 16_000, "ogg", "libopus", 12_000), 16_000, rate, clips.shape[1])


def headset(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A wireless headset: 8 kHz, ADPCM of four bits, and a gate that leaves zeros."""
    voice = gated(resampled(filtered(peaked(clips, -6), rate, [200, 3800]), rate, 8000), 8000, -25, -32)
    return resampled(coded(voice, 8000, "wav", "adpcm_ima_wav"), 8000, rate, clips.shape[1])


def web_player(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A clip from the web: MP3 at 16 kbit/s."""
    sound = resampled(peaked(clips, -1), rate, 16_000)
    return resampled(coded(sound, 16_000, "mp3", "libmp3lame", 16_000), 16_000, rate, clips.shape[1])


def laptop(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A laptop on a desk, 0.7 m away: a small room, a lid that rings, a fan."""
    heard = in_room(clips, rate, (3.5, 2.8, 2.5), (1.0, 1.2, 1.3), (1.6, 1.5, 1.1), 0.35)
    heard = peaked(resonant(heard, rate, {900: 5, 2600: 8}), -12)
    return heard + noise(heard.shape, draws, -38, slope=1)


def across_the_room(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A loudspeaker that listens, four metres away in a living room."""
    heard = in_room(clips, rate, (6.5, 5.0, 2.7), (1.0, 1.5, 1.6), (4.8, 3.2, 0.9), 0.55)
    return peaked(heard, -20) + noise(heard.shape, draws, -52, slope=1)


def close_gated(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A microphone at the mouth, bass and all: a gate with a hard edge, zeros around the word, full scale."""
    bass = signal.butter(1, 250, fs=rate, output="sos")
    return peaked(gated(clips + 1.5 * signal.sosfilt(bass, clips), rate, -30, -38), 0)


def cheap_microphone(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A microphone for a few coins: thin, ringing, humming, of 10 bits, with a direct current."""
    heard = peaked(resonant(filtered(clips, rate, 250, order=2), rate, {1300: 6, 3300: 12}), -10)
    seconds = np.arange(clips.shape[1]) / rate
    hum = sum(share * np.sin(2 * np.pi * 50 * k * seconds + k) for k, share in ((1, 1), (2, 0.5), (3, 0.7), (5, 0.3)))
    return np.round((heard + 0.004 * hum + noise(heard.shape, draws, -50) + 0.01) * 512) / 512


def overdriven(clips: Clips, rate: int, draws: Draws) -> Clips:
    """An input that was set far too high: the upper 20 dB are cut off."""
    return 0.7 * np.clip(peaked(clips, 20), -1, 1)


def very_quiet(clips: Clips, rate: int, draws: Draws) -> Clips:
    """An input that was set far too low: a peak of -48 dB in whole numbers of 16 bits."""
    return np.round(peaked(clips, -48) * 32768) / 32768


def dictaphone(clips: Clips, rate: int, draws: Draws) -> Clips:
    """A recorder of its time: 11 kHz, a tape's bend and hiss, 8 bits."""
    tape = resampled(filtered(peaked(clips, 3), rate, 100), rate, 11_025)
    tape = tape / np.sqrt(1 + tape**2) + noise(tape.shape, draws, -42)
    return resampled(np.round(tape * 128) / 128, 11_025, rate, clips.shape[1])


DEVICES: dict[str, Callable[[Clips, int, Draws], Clips]] = {
    device.__name__: device
    for device in (telephone, mobile, conference, headset, web_player, laptop, across_the_room)
    + (close_gated, cheap_microphone, overdriven, very_quiet, dictaphone)
}


# ---- what they are made of -------------------------------------------------------------------------------------------


def peaked(clips: Clips, db: float) -> Clips:
    """Bring each clip's peak to a level, by at most 30 dB upwards: nobody turns up a silence without end."""
    peak = np.abs(clips).max(-1, keepdims=True)
    return clips * np.minimum(10 ** (db / 20) / np.maximum(peak, 1e-9), 10**1.5)


def filtered(clips: Clips, rate: int, hertz: Any, order: int = 4) -> Clips:
    """Filter with a Chebyshev high-pass above one frequency, or band-pass between two."""
    kind = "bandpass" if np.ndim(hertz) else "highpass"
    sections = signal.cheby1(order, 1, np.minimum(hertz, 0.49 * rate), kind, fs=rate, output="sos")
    return signal.sosfilt(sections, clips)


def resonant(clips: Clips, rate: int, peaks: dict[int, float]) -> Clips:
    """Let frequencies ring, {hertz: decibels}."""
    heard = clips
    for hertz, db in peaks.items():
        heard = heard + (10 ** (db / 20) - 1) * signal.lfilter(*signal.iirpeak(hertz, 4, fs=rate), heard)
    return heard


def resampled(clips: Clips, rate: int, new_rate: int, time: int | None = None) -> Clips:
    """Resample, and cut or pad to a length."""
    common = gcd(rate, new_rate)
    result = signal.resample_poly(clips, new_rate // common, rate // common, axis=-1)
    return result if time is None else np.pad(result[:, :time], ((0, 0), (0, max(0, time - result.shape[1]))))


def noise(shape: tuple[int, ...], draws: Draws, db: float, slope: float = 0.0) -> Clips:
    """Noise at a level, whose power falls with this power of the frequency."""
    white = np.stack([draw.standard_normal(shape[1]) for draw in draws]) if draws else np.zeros(shape)
    weight = np.maximum(np.arange(shape[1] // 2 + 1), shape[1] // 400 + 1.0) ** (-slope / 2)
    coloured = np.fft.irfft(np.fft.rfft(white) * weight / np.sqrt(np.mean(weight**2)), shape[1])
    return 10 ** (db / 20) * coloured


def gated(clips: Clips, rate: int, open_db: float, close_db: float, hold: float = 0.06) -> Clips:
    """Set to zero what is quiet: open at one level below the loudest 10 ms, close at a lower one, after a hold."""
    length = rate // 100
    padded = np.pad(clips, ((0, 0), (0, -clips.shape[1] % length)))
    level = np.sqrt(np.mean(padded.reshape(len(clips), -1, length) ** 2, -1))
    level = 20 * np.log10(np.maximum(level / np.maximum(level.max(-1, keepdims=True), 1e-9), 1e-9))
    is_open, waited = np.zeros(len(clips), bool), np.zeros(len(clips), int)
    gain = np.empty_like(level)
    for frame in range(level.shape[1]):
        waited = np.where(level[:, frame] < close_db, waited + 1, 0)
        is_open = (is_open & (waited <= round(100 * hold))) | (level[:, frame] > open_db)
        gain[:, frame] = is_open
    return clips * np.repeat(gain, length, 1)[:, : clips.shape[1]]


def in_room(clips: Clips, rate: int, size: Any, mouth: Any, microphone: Any, rt60: float) -> Clips:
    """Let clips sound in a room; the direct sound stays where it is."""
    response = room_response(rate, size, mouth, microphone, rt60)
    return signal.fftconvolve(clips, response[None], axes=-1)[:, : clips.shape[1]]


@lru_cache
def room_response(rate: int, size: Any, mouth: Any, microphone: Any, rt60: float) -> Any:
    """Return the response of a room from the direct sound on."""
    import pyroomacoustics as room

    absorption, _ = room.inverse_sabine(rt60, size)
    box = room.ShoeBox(size, fs=rate, materials=room.Material(absorption), max_order=30, air_absorption=True)
    box.add_source(mouth)
    box.add_microphone(microphone)
    box.compute_rir()
    distance = np.linalg.norm(np.subtract(mouth, microphone))
    return box.rir[0][0][round(distance / box.c * rate) + 32 :]  # each begins 40 samples late


def coded(clips: Clips, rate: int, container: str, codec: str, bit_rate: int | None = None) -> Clips:
    """Encode each clip by itself and decode it again; the codec's delay is taken away."""
    return np.stack([_through_codec(clip, rate, container, codec, bit_rate) for clip in clips]) if len(clips) else clips


def _through_codec(clip: np.ndarray, rate: int, container: str, codec: str, bit_rate: int | None) -> Any:
    av: Any = import_module("av")
    content, pause = io.BytesIO(), rate // 10  # the last frame may be lost
    with av.open(content, "w", format=container) as output:
        track = output.add_stream(codec, rate=rate, layout="mono")
        if bit_rate:
            track.bit_rate = bit_rate
        context = track.codec_context
        context.open()
        samples = np.pad(np.clip(clip, -1, 1 - 2**-15), (0, pause)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(context.format, "mono", rate, frame_size=context.frame_size or None)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            output.mux(track.encode(part))
    with av.open(io.BytesIO(content.getvalue())) as received:
        resampler = av.AudioResampler("fltp", "mono", rate)
        frames = [part for each in received.decode(audio=0) for part in resampler.resample(each)]
        frames += resampler.resample(None)
    heard = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float64)
    heard = np.pad(heard, (0, max(0, len(clip) + pause - len(heard))))
    likeness = signal.correlate(heard[: len(clip) + pause], clip, "full")[len(clip) - 1 : len(clip) - 1 + pause]
    delay = int(likeness.argmax()) if likeness.max() > 0 else 0
    return np.pad(heard, (0, delay))[delay : delay + len(clip)]


# ---- the command -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Write the clips of a folder as each device hands them on, or test a recogniser on them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.devices", description=__doc__)
    parser.add_argument("folder", type=Path, help="class folders of recordings")
    parser.add_argument("--model", help="recogniser to test")
    parser.add_argument("--output", type=Path, help="folder that gets a folder for each device")
    parser.add_argument("--count", type=int, help="clips, drawn from the seed; all by default")
    parser.add_argument("--sample_rate", type=int, default=16_000)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a clip")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = find_sounds(options.folder).files
    if options.count and options.count < len(paths):
        paths = sorted(np.random.default_rng(options.seed).choice(paths, options.count, replace=False).tolist())
    length = round(options.seconds * options.sample_rate)
    clips = np.stack([read_mono(options.folder / path, options.sample_rate, length) for path in paths])
    heard = {"clean": clips} | through_devices(clips, options.sample_rate, options.seed)
    for name, waveforms in heard.items() if options.output else ():
        for path, waveform in zip(paths, waveforms, strict=True):
            target = (options.output / name / path).with_suffix(".wav")
            target.parent.mkdir(parents=True, exist_ok=True)
            save_audio(target, waveform, options.sample_rate)
    if options.model:
        print(accuracies(options.model, heard, [Path(path).parent.name for path in paths], options.sample_rate))


def accuracies(model: str, heard: dict[str, np.ndarray], words: list[str], sample_rate: int) -> str:
    """Return a table of a recogniser's accuracy on each device, the worst one last."""
    from audionet import load_recognizer

    recognizer = load_recognizer(model)
    right: dict[str, float] = {}
    for name, clips in heard.items():
        answers = [recognizer.recognize(clip, sample_rate, top_k=1)[0].label for clip in clips]
        right[name] = float(np.mean([answer == word for answer, word in zip(answers, words, strict=True)]))
    order = ["clean", *sorted(DEVICES, key=lambda name: -right[name])]
    lines = [f"| {name} | {right[name]:.1%} | {100 * (right[name] - right['clean']):+.1f} |" for name in order]
    return "\n".join([f"| device, {len(words)} clips | accuracy | points |", "| --- | --- | --- |", *lines])


if __name__ == "__main__":
    main()
