import io
import os
import pickle
import re
import resource
import subprocess
import sys
import tracemalloc
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from audionet.audio import (
    FULL_SCALE,
    AudioError,
    check_scale,
    check_target,
    decode,
    decoding,
    fit,
    load_audio,
    read_mono,
    read_pieces,
    reading,
    resample,
    resampling,
    save_audio,
    to_clip,
    to_float,
    to_int16,
    to_mono,
)

RATE = 16_000
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def tone(n_samples: int = RATE, n_channels: int = 1, rate: int = RATE) -> np.ndarray:
    """A chirp below 2 kHz at half scale, another one a channel."""
    time = np.arange(n_samples) / rate
    rows = [0.5 * np.sin(2 * np.pi * (300 + 100 * channel + 500 * time) * time) for channel in range(n_channels)]
    return np.stack(rows).astype(np.float32)


def encode(container: str, subtype: str | None = None, waveform: np.ndarray | None = None, rate: int = RATE) -> bytes:
    content = io.BytesIO()
    samples = (tone() if waveform is None else waveform).T
    soundfile.write(content, samples, rate, format=container, subtype=subtype)
    return content.getvalue()


def patched(content: bytes, position: int, new: bytes) -> bytes:
    return content[:position] + new + content[position + len(new) :]


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def reason(source: Any, **arguments: Any) -> str:
    """The message that decode refuses the source with: one line that names the file."""
    with pytest.raises(AudioError) as caught:
        decode(source, **arguments)
    message = str(caught.value)
    if isinstance(source, bytes):
        name = "<bytes>"
    else:
        path = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
        name = str(path) if isinstance(path, (str, os.PathLike)) else "<file object>"
    assert message.startswith(f"{name}: ") and message.count(name + ": ") == 1
    assert "\n" not in message and "Traceback" not in message and "0x7" not in message
    assert "; " in message, "says what to do"
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    return message


def test_an_error_comes_from_another_process_as_it_is():
    with pytest.raises(AudioError) as caught:
        decode(b"no sound at all, but words")
    error = caught.value
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error)) and str(again).startswith("<bytes>: is no WAV")
    assert vars(again) == vars(error)


WAV = encode("WAV")  # 16 bit: 44 bytes of header
FLAC = encode("FLAC")
OGG = encode("OGG")
MP3 = encode("MP3")


# ---- what is read ------------------------------------------------------------------------------------------


# Rounding to b bits is off by half a step, 2^-b; float32 holds 24 bits.
@pytest.mark.parametrize(
    ("extension", "subtype", "tolerance"),
    [
        ("wav", None, 2**-16),
        ("wav", "PCM_U8", 2**-8),
        ("wav", "PCM_16", 2**-16),
        ("wav", "PCM_24", 2**-24),
        ("wav", "PCM_32", 2**-32),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("flac", None, 2**-16),
        ("flac", "PCM_S8", 2**-8),
        ("flac", "PCM_24", 2**-24),
    ],
)
@pytest.mark.parametrize(("n_channels", "rate"), [(1, 8000), (2, 44_100), (7, 12_345)])
def test_lossless_round_trip(tmp_path, extension, subtype, tolerance, n_channels, rate):
    waveform = tone(4000, n_channels, rate)
    path = tmp_path / f"a.{extension}"
    save_audio(path, waveform, rate, subtype=subtype)
    decoded, decoded_rate = decode(path)
    assert decoded_rate == rate and decoded.dtype == np.float32 and decoded.shape == waveform.shape
    assert decoded.flags.c_contiguous and decoded.flags.writeable
    np.testing.assert_allclose(decoded, waveform, rtol=0, atol=tolerance * (1 + 1e-6))


@pytest.mark.parametrize(("extension", "subtype"), [("ogg", None), ("ogg", "VORBIS"), ("ogg", "OPUS"), ("mp3", None)])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_lossy_round_trip(tmp_path, extension, subtype, n_channels):
    waveform = tone(2 * RATE, n_channels)
    path = tmp_path / f"a.{extension}"
    save_audio(path, waveform, RATE, subtype=subtype)
    decoded, rate = decode(path)
    assert rate == RATE and decoded.shape == waveform.shape
    # The coders' noise is 20 dB under the sound; a shift by one sample would be louder at these frequencies.
    inner = slice(2000, -2000)
    error = np.square(decoded - waveform)[:, inner].mean() / np.square(waveform[:, inner]).mean()
    assert error < 0.01


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24"])
def test_integers_survive_a_load_and_save(tmp_path, subtype):
    bits = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24}[subtype]
    generator = np.random.default_rng(0)
    integers = generator.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (1, 5000))
    integers[0, :2] = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    soundfile.write(tmp_path / "a.wav", (integers.T << (32 - bits)).astype(np.int32), RATE, subtype=subtype)
    waveform, rate = decode(tmp_path / "a.wav")
    np.testing.assert_array_equal(waveform * 2.0 ** (bits - 1), integers)
    save_audio(tmp_path / "b.wav", waveform, rate, subtype=subtype)
    np.testing.assert_array_equal(decode(tmp_path / "b.wav")[0], waveform)


def test_every_source_gives_the_same(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(WAV)
    expected = decode(path)[0]

    class OnlyReads:
        def read(self) -> bytes:
            return WAV

    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as writer:
        writer.write(WAV[:20_000])  # less than the 64 KiB that a pipe holds
    with os.fdopen(read_end, "rb") as pipe:
        assert "is cut off" in reason(pipe)

    at_its_end = io.BytesIO(WAV)
    at_its_end.seek(0, os.SEEK_END)
    with open(path, "rb") as file, open(path, "rb", buffering=0) as unbuffered:
        sources: list[Any] = [str(path), WAV, bytearray(WAV), memoryview(WAV), io.BytesIO(WAV), file, unbuffered]
        for source in [*sources, at_its_end, OnlyReads()]:
            waveform, rate = decode(source)
            assert rate == RATE
            np.testing.assert_array_equal(waveform, expected)
        assert not file.closed
    np.testing.assert_array_equal(load_audio(path)[0].numpy(), expected)


@pytest.mark.parametrize("content", [WAV, FLAC, OGG, MP3], ids=["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.raw", "a.sd2", "a.txt", "a"])
def test_the_content_decides_not_the_extension(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    np.testing.assert_array_equal(decode(path)[0], decode(content)[0])


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFF - 36])
def test_wav_written_to_a_pipe(size):
    streamed = patched(patched(WAV, 40, u32(size)), 4, u32((size + 36) % 2**32 if size else 0))
    np.testing.assert_array_equal(decode(streamed)[0], decode(WAV)[0])
    assert "lasts 1 s" in reason(streamed, max_seconds=0.5)


def test_wav_with_other_chunks():
    extra = b"LIST" + u32(5) + b"abcde\0"
    content = WAV[:36] + extra + WAV[36:] + extra
    np.testing.assert_array_equal(decode(content)[0], decode(WAV)[0])
    bigendian = io.BytesIO()
    soundfile.write(bigendian, tone().T, RATE, format="WAV", endian="BIG")
    np.testing.assert_array_equal(decode(bigendian.getvalue())[0], decode(WAV)[0])
    assert "is cut off" in reason(bigendian.getvalue()[:-2])


def test_wav_of_the_standard_library():
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    waveform, rate = decode(content)
    assert rate == 8000
    np.testing.assert_array_equal(waveform, [[0, 0.5, -1]])


def test_flac_from_a_pipe_has_no_length():
    streamed = patched(FLAC, 21, bytes([FLAC[21] & 0xF0]) + bytes(4))
    np.testing.assert_array_equal(decode(streamed)[0], decode(FLAC)[0])
    assert "lasts" in reason(streamed, max_seconds=0.5)


ID3 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)


@pytest.mark.parametrize("content", [WAV, FLAC, MP3], ids=["wav", "flac", "mp3"])
def test_tags_are_skipped(content, capfd):
    expected = decode(content)[0]
    np.testing.assert_array_equal(decode(ID3 + content)[0], expected)
    np.testing.assert_array_equal(decode(ID3 + ID3 + content)[0], expected)
    if content is MP3:
        for tail in (b"TAG".ljust(128, b"x"), b"APETAGEX" + bytes(30), bytes(1000)):
            np.testing.assert_array_equal(decode(content + tail)[0], expected)
    assert capfd.readouterr().err == ""


def test_mp3_without_its_length(capfd):
    """Libsndfile guesses from the first frame's bit rate, and stops halfway through this file."""
    noise = np.random.default_rng(0).standard_normal((1, 3 * RATE)).astype(np.float32) * 0.1
    noise[:, :RATE] = 0
    content = encode("MP3", waveform=noise)
    assert b"Xing" in content
    expected = decode(content)[0]
    bare = content.replace(b"Xing", bytes(4), 1)
    waveform = decode(bare)[0]
    # Without the frame of information nobody knows the encoder's delay: 1105 samples of LAME's, and a frame.
    shift = int(np.argmax(np.correlate(waveform[0, : 2 * RATE], expected[0, RATE : RATE + 9000], "valid"))) - RATE
    assert 0 < shift < 3000
    np.testing.assert_allclose(waveform[0, RATE + shift :][: 2 * RATE - 1000], expected[0, RATE:-1000], atol=1e-3)
    assert decode(content + content)[0].shape[1] >= 6 * RATE
    assert "lasts" in reason(bare, max_seconds=2)
    assert capfd.readouterr().err == ""


def test_float_files_are_not_clipped():
    waveform = 3 * tone()
    np.testing.assert_array_equal(decode(encode("WAV", "FLOAT", waveform))[0], waveform)


@pytest.mark.parametrize(("extension", "tolerance"), [("wav", 0), ("flac", 0), ("ogg", 1e-6), ("mp3", 1e-6)])
def test_long_files_are_read_in_blocks(tmp_path, extension, tolerance):
    """Blocks hold 4 million samples, and these 4.3 million are two."""
    waveform, path = np.tile(tone(430_000), 10), tmp_path / f"long.{extension}"
    save_audio(path, waveform, RATE)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0].T
    decoded = decode(path)[0]
    assert decoded.shape == waveform.shape
    np.testing.assert_allclose(decoded, expected, rtol=0, atol=tolerance)


# ---- what is refused ---------------------------------------------------------------------------------------


def test_missing_folder_and_forbidden(tmp_path, monkeypatch):
    assert "cannot be read (No such file or directory); see that it" in reason(tmp_path / "none.wav")
    assert "cannot be read (Is a directory)" in reason(tmp_path)
    assert "cannot be read (embedded null byte)" in reason("a\0b.wav")
    (tmp_path / "a.wav").write_bytes(WAV)
    assert "cannot be read" in reason(tmp_path / "a.wav" / "b.wav")

    def forbidden(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    assert "cannot be read (Permission denied)" in reason(str(tmp_path / "a.wav"))


def test_sources_that_are_none(tmp_path):
    (tmp_path / "a.wav").write_bytes(WAV)
    closed = io.BytesIO(WAV)
    closed.close()
    for source in (None, 3, tone(), ["a.wav"]):
        with pytest.raises(AudioError, match=f"<file object>: expected a path.*got {type(source).__name__}"):
            decode(source)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="cannot be read .*closed file"):
        decode(closed)
    with open(tmp_path / "a.wav", encoding="latin-1") as text:
        assert "mode 'rb'" in reason(text)

    class Text:
        can_seek = False

        def read(self, *_: int) -> str:
            return "RIFF"

        def seekable(self) -> bool:
            return self.can_seek

        def seek(self, *_: int) -> int:
            return 4

    assert "its read() gives str" in reason(Text())
    Text.can_seek = True
    assert "its read() gives str" in reason(Text())
    with open(tmp_path / "a.wav", "ab") as write_only:
        assert "cannot be read" in reason(write_only)
    assert "max_seconds: expected above 0, got 0" in reason(WAV, max_seconds=0)
    assert "max_seconds: expected above 0, got nan" in reason(WAV, max_seconds=float("nan"))


@pytest.mark.parametrize(
    "content",
    [
        np.random.default_rng(0).bytes(10_000),
        b"This is no sound.\n" * 100,
        b"<!DOCTYPE html><html>404</html>",
        b"\xff\xfb\x00\x00" + bytes(1000),
        b"FORM\0\0\0\0AIFF" + bytes(100),
        b"RIFF\0\0\0\0RMID" + bytes(100),
        ID3,
        ID3 + b"junk that no player knows",
    ],
    ids=["random", "text", "html", "almost mp3", "aiff", "midi", "tag only", "tag and junk"],
)
def test_not_a_sound_file(tmp_path, content, capfd):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    message = reason(path)
    assert re.search(
        "is no WAV, FLAC, OGG, MP3, AIFF, AU, W64 or CAF file|is cut off (inside its header|before its samples)",
        message,
    )
    assert "ffmpeg" in message
    assert capfd.readouterr().err == ""


def test_empty(tmp_path):
    (tmp_path / "a.flac").touch()
    assert "is empty (0 bytes)" in reason(tmp_path / "a.flac")
    assert "is empty" in reason(b"")
    assert "is empty" in reason(io.BytesIO())


@pytest.mark.parametrize(
    "content",
    [WAV, encode("WAV", "FLOAT"), encode("WAVEX", "PCM_24"), FLAC, OGG, encode("OGG", "OPUS"), MP3, ID3 + MP3],
    ids=["wav", "float", "wavex", "flac", "vorbis", "opus", "mp3", "tagged mp3"],
)
def test_truncated_anywhere(content, capfd):
    lengths = [*range(1, 120), *range(120, len(content), len(content) // 40), len(content) - 8, len(content) - 1]
    for length in lengths:
        assert re.search("cut off|is no WAV", reason(content[:length])), length
    assert capfd.readouterr().err == ""


def test_truncated_tag_tells_the_size_of_the_file():
    assert "is cut off inside its header (50 bytes)" in reason((ID3 + MP3)[:50])


def test_mp3_frame_too_small_for_its_information():
    frame = b"\xff\xf3\x16\x00".ljust(21, b"\0")  # MPEG-2, 8 kbit/s at 24 kHz, stereo, padded: 25 bytes
    assert "damaged" in reason(frame + b"Xing")


def test_truncated_mp3_without_its_length():
    bare = MP3.replace(b"Xing", bytes(4), 1)
    assert decode(bare)[0].shape[1] > RATE
    assert "is damaged or cut off at byte" in reason(bare[: len(bare) // 2 + 7])


@pytest.mark.parametrize("content", [FLAC, OGG, MP3], ids=["flac", "ogg", "mp3"])
def test_damaged_in_the_middle(content, capfd):
    junk = np.random.default_rng(0).bytes(600)
    assert "damaged" in reason(patched(content, len(content) // 2, junk))
    assert capfd.readouterr().err == ""


def test_ogg_checksum_and_padding():
    for position in (len(OGG) // 2, len(OGG) - 10):
        flipped = patched(OGG, position, bytes([OGG[position] ^ 1]))
        assert "is damaged in the page" in reason(flipped)
    np.testing.assert_array_equal(decode(OGG + bytes(100))[0], decode(OGG)[0])


def test_mp3_header_that_promises_more():
    tag = MP3.index(b"Xing")
    promised = int.from_bytes(MP3[tag + 8 : tag + 12])
    many = patched(MP3, tag + 8, (promised + 9).to_bytes(4))
    assert f"{promised} of its {promised + 9} frames" in reason(many)
    huge = patched(MP3, tag + 8, b"\x7f\xff\xff\xff")
    assert "lasts" in reason(huge) and "is cut off" in reason(huge, max_seconds=None)


def test_header_that_promises_more_allocates_little():
    huge = patched(FLAC, 21, bytes([FLAC[21] | 0x0F]))  # 2^36 samples: 256 GiB
    assert "lasts" in reason(huge)
    assert re.search("damaged|cut off", reason(huge, max_seconds=None))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_nan_and_inf(value, subtype):
    waveform = tone(1000, 2)
    waveform[1, 7] = value
    assert "got 1 of 2000 that are NaN or Inf" in reason(encode("WAV", subtype, waveform))
    assert "got 2000 of 2000 that are NaN or Inf" in reason(encode("WAV", subtype, np.full((2, 1000), value)))


def test_unscaled_integers_stored_as_float():
    message = reason(encode("WAV", "FLOAT", 20_000 * tone()))
    assert "expected float samples in [-1, 1], got a peak of 10000; divide" in message and "32768" in message


@pytest.mark.parametrize(
    "content",
    [
        encode("WAV", waveform=tone(0)),
        encode("WAV", waveform=tone(0)) + b"LIST" + u32(4) + b"abcd",
        encode("OGG", waveform=tone(0)),
        FLAC[:18] + FLAC[18:21] + bytes([FLAC[21] & 0xF0]) + FLAC[22:42].replace(FLAC[22:26], bytes(4)),
    ],
    ids=["wav", "wav with a list", "ogg", "flac"],
)
def test_zero_length(content):
    if content.startswith(b"fLaC"):
        content = patched(content, 4, b"\x80")  # its only metadata block
    elif content.startswith(b"RIFF"):
        content = patched(content, 4, u32(len(content) - 8))
    assert "no samples" in reason(content)


@pytest.mark.parametrize(
    "content",
    [
        patched(WAV, 24, u32(0)),
        patched(WAV, 24, u32(1)),
        patched(WAV, 24, u32(0xFFFFFFFF)),
        patched(FLAC, 18, bytes([0, 0, FLAC[20] & 0x0F])),
    ],
    ids=["wav", "wav 1 Hz", "wav 4 GHz", "flac"],
)
def test_impossible_rate(content):
    message = reason(content)
    assert "gives a sample rate of" in message and "fetch it again" in message


def test_no_channels():
    assert "damaged" in reason(patched(WAV, 22, b"\0\0"))


def test_too_long_is_refused_before_reading(tmp_path):
    """A 3-hour file: sparse, so that it costs nothing to make; reading it would count."""
    n_bytes = 3 * 3600 * RATE * 2
    path = tmp_path / "long.wav"
    with open(path, "wb") as file:
        file.write(patched(patched(WAV[:44], 40, u32(n_bytes)), 4, u32(n_bytes + 36)))
        file.truncate(44 + n_bytes)
    message = reason(path)
    assert "lasts 10800 s, over the limit of 600 s" in message and "max_seconds=" in message and "None" in message

    class Counting(io.FileIO):
        n_read = 0

        def readinto(self, buffer: Any) -> int:
            self.n_read += len(buffer)
            return super().readinto(buffer) or 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(-1 if size is None else size) or b""
            self.n_read += len(data)
            return data

    with Counting(path) as counting:
        assert "lasts 10800 s" in reason(counting)
        assert counting.n_read < 100_000
    for compressed in (FLAC, OGG, MP3):
        assert "lasts 1 s, over the limit of 0.9 s" in reason(compressed, max_seconds=0.9)
        assert decode(compressed, max_seconds=1.1)[0].shape == (1, RATE)
    with pytest.raises(AudioError, match=r"long\.wav: lasts"):
        read_mono(path, RATE, RATE)


def test_many_channels_at_a_high_rate_take_little_memory():
    """Blocks of 16 MB, their copies by channels, and what is made of them; the sound has 134 MB."""
    content = encode("FLAC", waveform=np.zeros((8, 2**22), np.float32), rate=655_350)
    tracemalloc.start()
    assert read_mono(content, RATE).shape == (round(2**22 * RATE / 655_350),)
    assert load_audio(content, RATE, mono=True)[0].shape == (1, round(2**22 * RATE / 655_350))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_samples_of_all_channels_count(monkeypatch):
    monkeypatch.setattr(reading, "MAX_SAMPLES", 100_000)
    content = encode("WAV", waveform=tone(20_000, 6))
    assert "holds more than 100,000 samples in its 6 channels; mix it to mono" in reason(content)
    assert decode(content, max_seconds=None)[0].shape == (6, 20_000)
    assert load_audio(content, mono=True)[0].shape == (1, 20_000)
    assert read_mono(content, 64_000).shape == (80_000,)


def test_pieces_are_those_of_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_BLOCK", 5000)
    monkeypatch.setattr(resampling, "_BLOCK", 1700)
    for rate in (8000, 16_000, 22_050, 44_100):
        whole = resample(to_mono(decode(WAV)[0]), RATE, rate)[0]
        pieces = list(read_pieces(WAV, rate, 3000))
        assert len(pieces) > 2 and min(map(len, pieces[:-1])) >= 3000
        np.testing.assert_array_equal(np.concatenate(pieces), whole)
        np.testing.assert_array_equal(read_mono(WAV, rate), whole)
    with pytest.raises(AudioError, match="<bytes>: is "):
        list(read_pieces(WAV[:20_000], RATE, 3000))


def test_a_lack_of_memory_is_the_file_s(monkeypatch):
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "ascontiguousarray", full)
    assert "needs more memory than is free; cut it" in reason(WAV)


def test_the_limit_can_be_lifted():
    content = encode("WAV", "PCM_U8", np.zeros((1, 700 * 1000), np.float32), rate=1000)
    assert "over the limit of 600 s" in reason(content)
    assert decode(content, max_seconds=None)[0].shape == (1, 700_000)
    assert decode(content, max_seconds=700)[0].shape == (1, 700_000)


def test_twenty_channels(tmp_path):
    path = tmp_path / "array.wav"
    save_audio(path, tone(1000, 20), RATE)
    assert decode(path)[0].shape == (20, 1000)
    calls: list[Callable[[], Any]] = [lambda: load_audio(path, mono=True), lambda: read_mono(path, RATE, RATE)]
    for call in calls:
        with pytest.raises(AudioError) as caught:
            call()
        message = str(caught.value)
        assert (
            message.startswith(f"{path}: waveform: expected at most 8 channels to mix to mono, got 20; pick")
            and "load_audio(path)[0][:1]" in message
        )


@given(st.sampled_from([WAV, FLAC, OGG]), st.data())
def test_damage_never_shows_a_library(content, data):
    """Flipped bytes give either sound or an AudioError, whatever they hit (MP3: mpg123 may write to stderr)."""
    damaged = bytearray(content)
    for _ in range(3):
        position = data.draw(st.integers(0, min(len(content), 400) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    try:
        waveform, rate = decode(bytes(damaged))
    except AudioError as error:
        assert str(error).startswith("<bytes>: ")
    else:
        assert waveform.size and np.isfinite(waveform).all() and rate >= 100


# ---- mono, resample, fit -----------------------------------------------------------------------------------


def test_to_mono():
    waveform = tone(100, 8)
    np.testing.assert_allclose(to_mono(waveform), waveform.mean(axis=0)[None], atol=1e-7)
    assert to_mono(waveform).dtype == np.float32
    assert to_mono(waveform[:1]).base is waveform
    with pytest.raises(AudioError, match="at most 8 channels to mix to mono, got 9; pick"):
        to_mono(tone(100, 9))
    with pytest.raises(AudioError, match=r"expected \(channel, time\), got shape \(100,\)"):
        to_mono(waveform[0])


@pytest.mark.parametrize(("from_rate", "to_rate"), [(8000, 16_000), (44_100, 16_000), (16_000, 22_050)])
def test_resample_is_torchaudio_s(from_rate, to_rate):
    from torchaudio.functional import resample as reference

    waveform = tone(from_rate, 2, from_rate)
    expected = reference(torch.from_numpy(waveform), from_rate, to_rate, lowpass_filter_width=64).numpy()
    resampled = resample(waveform, from_rate, to_rate)
    assert resampled.shape == (2, to_rate) and resampled.dtype == np.float32
    # Two filters of different length and slope: under 2.3 kHz, far below both cut-offs, both are flat. What is
    # left is torchaudio's passband ripple, about 1e-4 of the amplitude. The edges meet zeros in either.
    inner = slice(1000, -1000)
    np.testing.assert_allclose(resampled[:, inner], expected[:, inner], rtol=0, atol=5e-4)


def test_resample_removes_what_the_new_rate_cannot_hold():
    time = np.arange(48_000) / 48_000
    high = np.sin(2 * np.pi * 12_000 * time)
    assert np.abs(resample(high, 48_000, 16_000)[1000:-1000]).max() < 1e-5  # soxr HQ: 20 bits
    low = np.sin(2 * np.pi * 1000 * time)
    exact = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(resample(low, 48_000, 16_000)[1000:-1000], exact[1000:-1000], atol=1e-5)


def test_resample_shapes():
    waveform = np.random.default_rng(0).standard_normal((2, 3, 1000))
    resampled = resample(waveform, 8000, 12_000)
    assert resampled.shape == (2, 3, 1500) and resampled.dtype == np.float64 and resampled.flags.c_contiguous
    np.testing.assert_allclose(resampled[1, 2], resample(waveform[1, 2], 8000, 12_000), atol=1e-12)
    assert resample(waveform, 8000, 8000) is waveform
    with pytest.raises(AudioError, match="enough samples for one at 8000 Hz, got 1 at 48000 Hz"):
        resample(np.zeros(1), 48_000, 8000)


@pytest.mark.parametrize(
    "call",
    [
        to_mono,
        lambda waveform: resample(waveform, 8000, 16_000),
        lambda waveform: fit(waveform, 10, 8000),
        lambda waveform: to_clip(waveform, 8000, 16_000, 10),
    ],
    ids=["to_mono", "resample", "fit", "to_clip"],
)
def test_waveforms_that_are_refused(call):
    with pytest.raises(AudioError, match=r"got int16; scale them: \(waveform.astype\(np.float32\)\) / 32768"):
        call(np.zeros((1, 10), np.int16))
    with pytest.raises(AudioError, match=r"got uint8; scale them: .* - 128\) / 128"):
        call(np.zeros((1, 10), np.uint8))
    with pytest.raises(AudioError, match=r"got int64; scale them: .* 32768 for 16 bits"):
        call([[0, 1, 2]])
    with pytest.raises(AudioError, match=r"rows of one length, got others; .* one by one"):
        call(np.array([np.zeros(3), np.zeros(4)], object))
    with pytest.raises(AudioError, match=r"expected float samples in \[-1, 1\], got <U1"):
        call(["a"])
    with pytest.raises(AudioError, match="got complex128"):
        call(np.zeros((1, 10), complex))
    with pytest.raises(AudioError, match=r"expected at least one sample, got shape \(1, 0\)"):
        call(np.zeros((1, 0), np.float32))
    with pytest.raises(AudioError, match=r"got Tensor; a tensor gives one by \.numpy\(\)"):
        call(torch.zeros(1, 10))


@pytest.mark.parametrize(
    "form",
    [
        lambda waveform: waveform.tolist(),
        tuple,
        lambda waveform: waveform.astype(object),
        lambda waveform: waveform.astype(">f4"),
        lambda waveform: waveform.astype(">f8"),
        lambda waveform: waveform.astype(np.longdouble),
    ],
    ids=["list", "tuple", "object", "big-endian", "big-endian double", "long double"],
)
def test_other_forms_of_a_waveform_are_taken(tmp_path, form):
    """Lists, objects and foreign byte orders mean what the array means."""
    waveform = tone(800, 2, 8000)
    other = form(waveform)
    np.testing.assert_allclose(to_mono(other), to_mono(waveform), atol=1e-6)
    np.testing.assert_allclose(resample(other, 8000, 6000), resample(waveform, 8000, 6000), atol=1e-6)
    np.testing.assert_allclose(fit(other, 900, 8000), fit(waveform, 900, 8000), atol=1e-6)
    save_audio(tmp_path / "a.wav", other, 8000)
    save_audio(tmp_path / "b.wav", waveform, 8000)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_halves_become_floats():
    half = tone(800, 1, 8000).astype(np.float16)
    assert resample(half, 8000, 16_000).dtype == to_mono(half).dtype == np.float32


@pytest.mark.parametrize("rate", [16e3, np.int64(16_000), np.float32(16_000)])
def test_whole_rates_of_any_type_are_taken(tmp_path, rate):
    save_audio(tmp_path / "a.wav", tone(800, 1, 8000), rate)
    assert decode(tmp_path / "a.wav")[1] == 16_000
    got = load_audio(tmp_path / "a.wav", rate)[1]
    assert got == 16_000 and type(got) is int


@pytest.mark.parametrize("rate", ["16k", "16000", True, 16_000.5, 0, 10**30, float("nan"), [16_000]])
def test_rates_that_a_file_cannot_be_brought_to_are_refused(tmp_path, rate):
    save_audio(tmp_path / "a.wav", tone(800, 1, 8000), 8000)
    for call in (load_audio, read_mono, lambda path, rate: list(read_pieces(path, rate, 100))):
        with pytest.raises(AudioError, match="sample_rate: expected a whole number of Hz, 100 to 1000000, got"):
            call(tmp_path / "a.wav", rate)


def test_rates_and_lengths_that_are_refused():
    with pytest.raises(AudioError, match="to_rate: expected above 0 Hz, got '16k'"):
        resample(tone(10), 8000, "16k")  # type: ignore[arg-type]
    for rates in ((10**30, 8000), (8000, 10**30)):
        with pytest.raises(AudioError, match="to_rate: expected at most 10000 times from_rate"):
            resample(tone(10), *rates)
    with pytest.raises(AudioError, match="length: expected a whole number .* got '10'"):
        fit(tone(10), "10", 8000)  # type: ignore[arg-type]
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(AudioError, match="from_rate: expected above 0 Hz, got"):
            resample(tone(10), rate, 8000)
        with pytest.raises(AudioError, match="to_rate: expected above 0 Hz, got"):
            resample(tone(10), 8000, rate)
    with pytest.raises(AudioError, match="length: expected a whole number of at least 1 sample, got 0"):
        fit(tone(10), 0, 8000)


# ---- load, clip, save --------------------------------------------------------------------------------------


def test_load_audio(tmp_path):
    path = tmp_path / "a.wav"
    save_audio(path, tone(8000, 2, 8000), 8000, subtype="FLOAT")
    waveform, rate = load_audio(path)
    assert rate == 8000 and waveform.shape == (2, 8000) and waveform.dtype == torch.float32
    waveform, rate = load_audio(path, RATE, mono=True)
    assert rate == RATE and waveform.shape == (1, RATE)
    expected = resample(to_mono(tone(8000, 2, 8000)), 8000, RATE)
    np.testing.assert_array_equal(waveform.numpy(), expected)
    with pytest.raises(AudioError, match=r"sample_rate: expected a whole number of Hz, 100 to 1000000, got 0"):
        load_audio(path, 0)
    with pytest.raises(AudioError, match="lasts 1 s"):
        load_audio(path, max_seconds=0.5)


def test_read_mono(tmp_path):
    path = tmp_path / "a.flac"
    save_audio(path, tone(4000, 2, 8000), 8000)
    clip = read_mono(path, RATE, RATE)
    assert clip.shape == (RATE,) and clip.dtype == np.float32
    middle = resample(to_mono(decode(path)[0]), 8000, RATE)[0]
    np.testing.assert_array_equal(clip, np.concatenate([np.zeros(4000), middle, np.zeros(4000)]))
    assert read_mono(path, RATE, 1000).shape == (1000,)
    np.testing.assert_array_equal(read_mono(path, RATE), middle)
    np.testing.assert_array_equal(to_clip(*decode(path), RATE, RATE), clip)
    for read in (lambda: read_mono(path, RATE, max_seconds=0.4), lambda: read_mono(path, RATE, 10, max_seconds=0.4)):
        with pytest.raises(AudioError, match=r"a\.flac: lasts 0 s, over the limit of 0\.4 s"):
            read()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_save_takes_tensors(tmp_path, dtype):
    waveform = torch.tensor([[0.5, -0.25, 1.0, -1.0]], dtype=dtype, requires_grad=True)
    save_audio(tmp_path / "a.wav", waveform, RATE)
    save_audio(tmp_path / "b.wav", waveform.detach()[0], RATE)
    expected = [[0.5, -0.25, 32767 / 32768, -1.0]]
    for name in ("a.wav", "b.wav"):
        np.testing.assert_array_equal(decode(tmp_path / name)[0], np.array(expected, np.float32))


def test_save_refuses(tmp_path):
    def refused(waveform: Any, rate: Any = RATE, name: str = "a.wav", **arguments: Any) -> str:
        with pytest.raises(AudioError) as caught:
            save_audio(tmp_path / name, waveform, rate, **arguments)
        assert str(caught.value).startswith(f"{tmp_path / name}: ") and "; " in str(caught.value)
        return str(caught.value)

    bad = tone(10)
    bad[0, 3] = np.nan
    assert "got 1 of 10 that are NaN or Inf" in refused(bad)
    message = refused(3 * tone())
    assert (
        "expected samples in [-1, 1] for PCM_16, got a peak of 1.5; scale it" in message
        and "subtype='FLOAT'" in message
    )
    assert "[-1, 1] for VORBIS" in refused(3 * tone(), name="a.ogg")
    assert "scale them" in refused(np.zeros(10, np.int16)) and "scale them" in refused(torch.zeros(10).long())
    for name in ("a.aiff", "a"):
        assert "extension: expected one of .wav, .flac, .ogg, .mp3" in refused(tone(), name=name)
    assert "subtype: expected one of PCM_16, " in refused(tone(), subtype="VORBIS")
    for rate in (0, -1, 16_000.5, 2_000_000):
        assert "sample_rate: expected a whole number of Hz" in refused(tone(), rate)
    assert "got shape (16000, 2)" in refused(tone(n_channels=2).T)
    assert "got shape (1, 1, 16000)" in refused(tone()[None])
    assert "expected at least one sample" in refused(tone(0))
    assert "expected a numpy array, got str" in refused("a.wav")
    assert "MP3 cannot hold 1 channels" in refused(tone(), 96_000, "a.mp3")
    assert "FLAC cannot hold 9 channels" in refused(tone(n_channels=9), name="a.flac")
    assert "sample_rate: expected at most 192000 Hz in OGG" in refused(tone(), 400_000, "a.ogg")
    assert list(tmp_path.iterdir()) == []


def test_save_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.wav"
    save_audio(path, tone(), RATE)
    before = path.read_bytes()

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (1000, limits[1])
    )  # the system stops each file there, as a full disk does
    try:
        with pytest.raises(AudioError, match=r"a\.wav: cannot be written \(File too large\).*32044 bytes"):
            save_audio(path, -tone(), RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    save_audio(path, -tone(), RATE)
    np.testing.assert_array_equal(decode(path)[0], -decode(before)[0])
    with pytest.raises(AudioError, match=r"cannot be written \(No such file or directory\); see that its folder"):
        save_audio(tmp_path / "none" / "a.wav", tone(), RATE)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(AudioError, match=r"cannot be written \(Is a directory\)"):
        save_audio(tmp_path / "folder.wav", tone(), RATE)
    assert {file.name for file in tmp_path.iterdir()} == {"a.wav", "folder.wav"}


def test_long_ogg_does_not_crash(tmp_path):
    waveform = np.zeros((1, 60 * 48_000), np.float32)
    save_audio(tmp_path / "a.ogg", waveform, 48_000)
    assert decode(tmp_path / "a.ogg")[0].shape == waveform.shape


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import audionet.audio; dir(audionet.audio)", []),
        ("from audionet.audio import fit, to_mono", ["numpy"]),
        ("from audionet.audio import read_mono, load_audio; read_mono(seven, 16_000, 16_000)", ["numpy", "soundfile"]),
        ("from audionet.audio import read_mono; read_mono(seven, 8000, 8000)", ["numpy", "soundfile", "soxr"]),
    ],
)
def test_what_is_not_needed_is_not_loaded(code, loaded):
    heavy = "numpy soundfile soxr torch librosa matplotlib rich"
    check = (
        f"import sys; seven = 'tests/data/seven.wav'; {code}; print(*sorted({{*'{heavy}'.split()}} & {{*sys.modules}}))"
    )
    root = Path(__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout.split() == loaded and found.stderr == ""


def test_check_target_leaves_nothing_and_refuses_what_cannot_be_written(tmp_path):
    check_target(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"none/a\.wav: cannot be written \(No such file or directory\); see that"):
        check_target(tmp_path / "none" / "a.wav")
    with pytest.raises(AudioError, match=r"a\.doc: extension: expected one of \.wav, .*, got '\.doc'; choose"):
        check_target(tmp_path / "a.doc")
    with pytest.raises(AudioError, match=r"x\.wav: cannot be written \(File name too long\); see that"):
        check_target(tmp_path / f"{'x' * 300}.wav")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(AudioError, match=r"folder\.wav: cannot be written \(Is a directory\); see that"):
        check_target(tmp_path / "folder.wav")


def test_sixteen_bits_survive_the_round_trip():
    integers = np.arange(-FULL_SCALE, FULL_SCALE).astype(np.int16)
    floats = to_float(integers)
    assert floats.dtype == np.float32 and floats.min() == -1 and floats.max() < 1
    np.testing.assert_array_equal(to_int16(floats), integers)
    assert to_int16(np.array([1.5, -1.5], np.float32)).tolist() == [32767, -32768]


def test_samples_that_no_recording_has_are_refused():
    check_scale(np.array([[8.0, -8.0]], np.float32))
    for value, words in ((-8.1, r"got a peak of 8\.1; divide integers"), (np.nan, "1 of 2 that are NaN or Inf")):
        with pytest.raises(AudioError, match=words):
            check_scale(np.array([0.0, value], np.float32))


def test_real_recordings(tmp_path):
    folder = REAL / "fsdd" / "recordings"
    if not folder.is_dir():
        pytest.skip("no recordings beside the checkout (shared/data)")
    for path in sorted(folder.glob("*.wav"))[::150]:
        waveform, rate = decode(path)
        assert rate == 8000 and waveform.shape[0] == 1
        assert 0.01 < np.abs(waveform).max() <= 1
        with wave.open(str(path)) as file:
            integers = np.frombuffer(file.readframes(-1), "<i2")
        np.testing.assert_array_equal(waveform[0], integers.astype(np.float32) / 32768)
        save_audio(tmp_path / "a.flac", waveform, rate)
        np.testing.assert_array_equal(decode(tmp_path / "a.flac")[0], waveform)
        clip = read_mono(path, RATE, RATE)
        assert clip.shape == (RATE,) and np.isfinite(clip).all() and np.abs(clip).max() > 0.01
