"""Sound that ffmpeg decodes: m4a, webm, wma and the like."""

import io
from fractions import Fraction

import numpy as np
import pytest

from audionet import files
from audionet.audio import AudioError, AudioWarning, can_read, decode, ffmpeg, read_mono

av = pytest.importorskip("av")


def tone(n_samples: int, rate: int, n_channels: int = 1) -> np.ndarray:
    """A chirp below 1.5 kHz at half scale, at half of that again in a second channel."""
    time = np.arange(n_samples) / rate
    chirp = 0.5 * np.sin(2 * np.pi * (300 + 500 * time) * time)
    return np.stack([chirp, chirp / 2][:n_channels]).astype(np.float32)


def encode(waveform: np.ndarray, rate: int, container: str, codec: str, picture: bool = False) -> bytes:
    """Encode (channel, time) with ffmpeg, behind a film of one black picture if asked."""
    content, layout = io.BytesIO(), "mono" if len(waveform) == 1 else "stereo"
    with av.open(content, "w", format=container) as output:
        film = output.add_stream("mpeg4", rate=1) if picture else None
        track = output.add_stream(codec, rate=rate, layout=layout)
        if codec in ("aac", "wmav2"):
            track.codec_context.bit_rate = 128_000
        track.codec_context.open()
        if film:
            film.width = film.height = 32
            black = av.VideoFrame(32, 32, "yuv420p")
            output.mux([*film.encode(black), *film.encode(None)])
        frame = av.AudioFrame.from_ndarray(waveform, format="fltp", layout=layout)
        frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        form, size = track.codec_context.format, track.codec_context.frame_size
        resampler = av.AudioResampler(format=form, layout=layout, rate=rate, frame_size=size or None)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            output.mux(track.encode(part))
    return content.getvalue()


LOSSY = 0.2
M4A = encode(tone(16_000, 16_000), 16_000, "ipod", "aac")


# Lossless codecs of 16 bits are half a step off; ffmpeg rounds 24 bits down. Of lossy ones the tolerance is that of the
# root of the mean square, as a part of the sound's: 20% hears a wrong sign, scale, rate, channel or a shift of a
# millisecond. MPEG-4 gives the length in milliseconds.
@pytest.mark.parametrize(
    ("container", "codec", "rate", "tolerance"),
    [
        ("ipod", "aac", 16_000, LOSSY),
        ("mp4", "aac", 44_100, LOSSY),
        ("3gp", "aac", 32_000, LOSSY),
        ("mp4", "libmp3lame", 16_000, LOSSY),
        ("webm", "libopus", 48_000, LOSSY),
        ("matroska", "libopus", 48_000, LOSSY),
        ("matroska", "flac", 16_000, 2**-16),
        ("mov", "pcm_s16le", 16_000, 2**-16),
        ("mov", "pcm_s24le", 16_000, 2**-23),
        ("ipod", "alac", 22_050, 2**-16),
        ("caf", "pcm_s16be", 8000, 2**-16),
        ("avi", "pcm_s16le", 16_000, 2**-16),
        ("matroska", "pcm_f32le", 16_000, 0),
    ],
)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_round_trip(container, codec, rate, tolerance, n_channels, capfd):
    original = tone(rate + 123, rate, n_channels)
    waveform, got_rate = decode(encode(original, rate, container, codec))
    assert got_rate == rate and waveform.dtype == np.float32 and len(waveform) == n_channels
    n_samples, is_lossy = original.shape[1], tolerance == LOSSY
    assert abs(waveform.shape[1] - n_samples) <= (rate // 1000 if is_lossy else 0)
    n_both = min(n_samples, waveform.shape[1])
    error = waveform[:, :n_both] - original[:, :n_both]
    relative = np.sqrt(np.square(error).sum(1) / np.square(original).sum(1))
    assert (relative.max() if is_lossy else np.abs(error).max()) <= tolerance
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("adts", "aac", 16_000), ("amr", "libopencore_amrnb", 8000), ("asf", "wmav2", 16_000), ("wv", "wavpack", 16_000)],
)
def test_kinds_that_do_not_count_their_samples(container, codec, rate):
    """The encoder's delay is in them, up to two frames."""
    original = tone(rate, rate)[0]
    waveform, got_rate = decode(encode(original[None], rate, container, codec))
    assert got_rate == rate and rate <= waveform.shape[1] + 512 <= rate + 2048
    lags = range(-1100, 1100)
    middle = slice(rate // 4, rate // 2)
    matches = [np.corrcoef(waveform[0, middle], np.roll(original, lag)[middle])[0, 1] for lag in lags]
    assert max(matches) > 0.95


def test_a_film_gives_its_sound(tmp_path):
    original = tone(16_000, 16_000)
    for container in ("mp4", "matroska"):
        waveform, _ = decode(encode(original, 16_000, container, "aac", picture=True))
        assert abs(waveform.shape[1] - 16_000) <= 2048
    silent = io.BytesIO()
    with av.open(silent, "w", format="mp4") as output:
        film = output.add_stream("mpeg4", rate=1)
        film.width = film.height = 32
        output.mux([*film.encode(av.VideoFrame(32, 32, "yuv420p")), *film.encode(None)])
    with pytest.raises(AudioError, match="<bytes>: is a file of kind MPEG-4 .* without a sound track; name another"):
        decode(silent.getvalue())


def test_every_source_and_name_gives_the_same(tmp_path):
    path = tmp_path / "a.wav"  # the content decides
    path.write_bytes(M4A)
    expected = decode(M4A)[0]
    with open(path, "rb") as file:
        for source in (path, file, io.BytesIO(M4A)):
            np.testing.assert_array_equal(decode(source)[0], expected)
    assert read_mono(path, 8000, 4000).shape == (4000,)


def test_long_files_are_read_in_blocks(monkeypatch):
    monkeypatch.setattr(ffmpeg, "_BLOCK", 10_000)
    original = tone(50_000, 16_000, 2)
    for container, codec in (("ipod", "alac"), ("mov", "pcm_s16le")):
        waveform = decode(encode(original, 16_000, container, codec))[0]
        np.testing.assert_allclose(waveform, original, rtol=0, atol=2**-16)


def test_too_long_is_refused_from_the_header():
    with pytest.raises(AudioError, match="lasts 1 s, over the limit of 0.5 s"):
        decode(M4A, max_seconds=0.5)
    with pytest.raises(AudioError, match="over the limit of 0.5 s"):
        decode(encode(tone(16_000, 16_000), 16_000, "adts", "aac"), max_seconds=0.5)


def test_without_pyav_the_way_to_read_it_is_said(monkeypatch, tmp_path):
    assert can_read("a.M4A") and can_read(tmp_path / "a.wav") and not can_read("a.txt")
    monkeypatch.setattr(ffmpeg, "find_spec", lambda name: None)
    with pytest.raises(AudioError, match=r'needs PyAV; pip install "audionet\[formats\]", or .* ffmpeg -i IN OUT.wav'):
        decode(M4A)
    assert not can_read("a.M4A") and can_read("a.opus")
    assert decode("tests/data/seven.wav")[1] == 16_000


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("ipod", "aac", 16_000),
        ("adts", "aac", 16_000),
        ("webm", "libopus", 48_000),
        ("amr", "libopencore_amrnb", 8000),
        ("caf", "alac", 16_000),
        ("asf", "wmav2", 16_000),
        ("avi", "pcm_s16le", 16_000),
        ("wv", "wavpack", 16_000),
    ],
)
def test_damage_never_shows_a_library(container, codec, rate, capfd):
    """A file that is cut off gives an error, or all but the last three frames where it does not say how long it is."""
    whole = encode(tone(rate, rate), rate, container, codec)
    n_samples = decode(whole)[0].shape[1]
    random = np.random.default_rng(0)
    for _ in range(25):
        cut, changed = whole[: random.integers(1, len(whole) * 3 // 4)], bytearray(whole)
        if container in ("adts", "amr"):
            cut = cut[:-1] if decoded_length(cut) else cut  # frames one after the other end anywhere
        assert decoded_length(cut) <= (n_samples * 3 // 4 if container in ("adts", "amr") else 0)
        for place in random.integers(len(whole), size=3):
            changed[place] ^= random.integers(1, 256)
        decoded_length(bytes(changed))
    assert capfd.readouterr() == ("", "")


def decoded_length(content: bytes) -> int:
    """Return the number of samples that come out; 0 for an AudioError."""
    try:
        return len(decode(content)[0][0])
    except AudioError as error:
        assert "; " in str(error) and "\n" not in str(error)
        return 0


def test_lenient_reads_what_is_whole():
    whole = encode(tone(16_000, 16_000), 16_000, "adts", "aac")
    expected = decode(whole)[0]
    with pytest.warns(AudioWarning, match="is damaged or cut off: a part of it cannot be decoded"):
        waveform = decode(whole[: len(whole) // 2], lenient=True)[0]
    n_samples = waveform.shape[1] - 1024  # the last frame overlaps the missing one
    assert 6000 < n_samples < 11_000
    np.testing.assert_array_equal(waveform[:, :n_samples], expected[:, :n_samples])


def test_other_bytes_are_not_given_to_ffmpeg():
    """It would follow a playlist to other files."""
    for content in (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", b"ffconcat version 1.0\nfile a.wav\n"):
        assert ffmpeg.kind_of(content[:12]) is None
        with pytest.raises(AudioError, match="is no "):
            decode(content)
    assert files.FFMPEG_EXTENSIONS < files.AUDIO_EXTENSIONS
