"""Sound of any length in blocks: raw samples, WAV through a pipe, and what is wrong with them."""

import io
import os
import struct
import threading
from typing import Any

import numpy as np
import pytest

from audionet import audio
from audionet.audio import Raw, Resampler, resample, streamed
from audionet.audio.stream import FORMATS

RATE = 8000
SAMPLES = np.round(np.random.default_rng(0).uniform(-0.9, 0.9, (2, 3001)) * 128) / 128  # which 8 bits hold


class Pipe:
    """A binary file that cannot seek and gives a few bytes at a time."""

    def __init__(self, content: bytes, n_bytes: int = 1000) -> None:
        self.file, self.n_bytes = io.BytesIO(content), n_bytes

    def read(self, n_bytes: int = -1) -> bytes:
        return self.file.read(self.n_bytes if n_bytes < 0 else min(n_bytes, self.n_bytes))

    def seekable(self) -> bool:
        return False


def encoded(waveform: np.ndarray, sample_format: str) -> bytes:
    scaled = waveform.T.ravel()
    integers = {"u8": ("u1", 128), "s16le": ("<i2", 2**15), "s24le": ("<i4", 2**23), "s32le": ("<i4", 2**31)}
    if sample_format in integers:
        dtype, scale = integers[sample_format]
        values = (scaled * scale + (128 if sample_format == "u8" else 0)).astype(dtype)
        return values.view("u1").reshape(-1, 4)[:, :3].tobytes() if sample_format == "s24le" else values.tobytes()
    return scaled.astype({"f32le": "<f4", "f64le": "<f8"}[sample_format]).tobytes()


def wav(content: bytes, size: int | None = None, *, codec: int = 1, n_bits: int = 16, before: bytes = b"") -> bytes:
    """A WAV of two channels whose header says a size."""
    form = struct.pack("<HHIIHH", codec, 2, RATE, RATE * 2 * n_bits // 8, 2 * n_bits // 8, n_bits)
    size = len(content) if size is None else size
    riff = min(len(content) + 36, 2**32 - 1) if size == len(content) else size
    head = b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return head + before + b"data" + struct.pack("<I", size) + content


def read(source: Any, raw: Raw | None = None) -> tuple[int, np.ndarray]:
    with streamed(source, raw) as sound:
        return sound.rate, np.concatenate([*sound.blocks], axis=1)


@pytest.mark.parametrize("n_bytes", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("sample_format", FORMATS)
def test_raw_samples(sample_format, n_bytes):
    source = Pipe(encoded(SAMPLES[:, :301], sample_format), n_bytes)
    rate, waveform = read(source, Raw(RATE, sample_format, 2))
    assert rate == RATE and waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, SAMPLES[:, :301].astype(np.float32))


def test_raw_samples_of_a_file_and_of_bytes(tmp_path):
    (tmp_path / "a.pcm").write_bytes(content := encoded(SAMPLES[:1], "s16le"))
    for source in (tmp_path / "a.pcm", content):
        np.testing.assert_array_equal(read(source, Raw(RATE))[1], SAMPLES[:1].astype(np.float32))


@pytest.mark.parametrize("size", [None, 0, 2**32 - 1, 2**31 - 1, 2**31 - 4096 + 36, 2**32 - 36])
def test_wav_through_a_pipe_whatever_size_its_header_says(size):
    content = encoded(SAMPLES, "s16le")
    for n_bytes in (5, 4096):
        rate, waveform = read(Pipe(wav(content, size), n_bytes))
        assert rate == RATE
        np.testing.assert_array_equal(waveform, SAMPLES.astype(np.float32))


@pytest.mark.parametrize(("sample_format", "codec", "n_bits"), [("f32le", 3, 32), ("s24le", 1, 24), ("u8", 1, 8)])
def test_wav_of_other_samples_with_chunks_before_and_behind_them(sample_format, codec, n_bits):
    content = encoded(SAMPLES, sample_format)
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    whole = wav(content, codec=codec, n_bits=n_bits, before=odd) + b"LIST\4\0\0\0what"
    np.testing.assert_array_equal(read(Pipe(whole))[1], SAMPLES.astype(np.float32))


def test_another_kind_of_file_through_a_pipe_is_read_whole():
    flac = audio.encode_audio(SAMPLES.astype(np.float32), RATE, ".flac")
    rate, waveform = read(Pipe(flac))
    assert rate == RATE
    np.testing.assert_allclose(waveform, SAMPLES, atol=1e-4)  # 16 bits


def test_a_file_is_read_as_load_audio_reads_it(tmp_path):
    audio.save_audio(tmp_path / "a.wav", SAMPLES.astype(np.float32), RATE)
    np.testing.assert_array_equal(read(tmp_path / "a.wav")[1], audio.load_audio(tmp_path / "a.wav")[0].numpy())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_block_comes_before_the_pipe_ends(tmp_path):
    """Samples that were written are there, although the writer goes on."""
    os.mkfifo(tmp_path / "pipe")
    go_on = threading.Event()

    def write() -> None:
        with open(tmp_path / "pipe", "wb", buffering=0) as file:
            file.write(wav(b"", 2**32 - 1) + encoded(SAMPLES[:, :1000], "s16le"))
            go_on.wait(60)
            file.write(encoded(SAMPLES[:, 1000:], "s16le"))

    writer = threading.Thread(target=write)
    writer.start()
    with streamed(tmp_path / "pipe") as sound:
        blocks = [next(sound.blocks)]
        go_on.set()
        blocks += sound.blocks
    writer.join()
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), SAMPLES.astype(np.float32))


@pytest.mark.parametrize(
    ("source", "raw", "message"),
    [
        (Pipe(b""), None, "is empty"),
        (Pipe(b""), Raw(RATE), "has no samples"),
        (Pipe(wav(b"", 0)), None, "has no samples"),
        (Pipe(wav(bytes(10), 100)), None, "cut off: its header promises 100 bytes of samples, 10 came"),
        (Pipe(wav(b"")[:20]), None, "cut off before its samples"),
        (Pipe(wav(b"")[:12] + b"data\0\0\0\0"), None, "no format before"),
        (Pipe(wav(b"")[:12] + b"JUNK\xff\xff\xff\x7f"), None, "promises 2147483647 bytes"),
        (Pipe(wav(bytes(8), codec=2, n_bits=4)), None, "codec 2 with 4 bits"),
        (Pipe(np.array([0.1, np.nan], "<f4").tobytes()), Raw(RATE, "f32le"), "expected finite samples, got 1 of 2"),
        (Pipe(encoded(SAMPLES, "s16le")), Raw(RATE, "f64le"), "expected f"),
        (Pipe(b"no sound at all"), None, "is no WAV"),
        (Pipe(bytes(8)), Raw(RATE, "s16"), "sample_format: expected one of .* got 's16'; did you mean 's16le'"),
        (Pipe(bytes(8)), Raw(0), "sample_rate: expected a whole number of Hz"),
        (Pipe(bytes(8)), Raw(RATE, n_channels=0), "n_channels: expected a whole number from 1"),
        ("no/such/file", Raw(RATE), "no/such/file: cannot be read"),
        ("no/such/file.wav", None, "no/such/file.wav: cannot be read"),
    ],
)
def test_what_is_wrong(source, raw, message):
    with pytest.raises(ValueError, match=message):
        read(source, raw)


@pytest.mark.parametrize("from_rate", [8000, 44_100, 48_000])
@pytest.mark.parametrize("size", [1, 160, 5000])
def test_a_resampled_stream_is_the_whole_resampled(from_rate, size):
    """It is the same filter in the same order of operations: not a bit differs."""
    waveform = np.random.default_rng(0).uniform(-1, 1, (2, 6000)).astype(np.float32)
    resampler = Resampler(from_rate, 16_000, 2)
    pieces = [resampler.push(waveform[:, start : start + size]) for start in range(0, 6000, size)]
    joined = np.concatenate([*pieces, resampler.finish()], axis=1)
    np.testing.assert_array_equal(joined, resample(waveform, from_rate, 16_000))
