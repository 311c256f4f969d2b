"""Is a sound file whole? What is refused, and what `lenient` reads of it."""

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
import soundfile

from audionet.audio import AudioError, AudioWarning, decode
from audionet.audio.containers.flac_frames import frames_from

RATE = 16_000


def sound(n_samples: int = 40_000, n_channels: int = 1, seed: int = 0) -> np.ndarray:
    """A chirp in noise, (time, channel): no two frames of it are alike."""
    time = np.arange(n_samples)[:, None]
    noise = np.random.default_rng(seed).standard_normal((n_samples, n_channels))
    return 0.3 * np.sin(time / 20 * (1 + time / n_samples)) + 0.01 * noise


def encode(container: str, subtype: str | None = None, waveform: np.ndarray | None = None, **arguments: Any) -> bytes:
    content = io.BytesIO()
    samples = sound() if waveform is None else waveform
    soundfile.write(content, samples, arguments.pop("rate", RATE), format=container, subtype=subtype, **arguments)
    return content.getvalue()


def patched(content: bytes, position: int, new: bytes) -> bytes:
    return content[:position] + new + content[position + len(new) :]


def lenient(content: bytes) -> tuple[np.ndarray, str]:
    """The waveform (channel, time) that is read of a damaged file, and what the warning says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        waveform = decode(content, lenient=True)[0]
    (warning,) = caught
    assert warning.category is AudioWarning and warning.filename == __file__
    message = str(warning.message)
    assert message.startswith("<bytes>: ") and message.endswith("; what is whole was read") and "\n" not in message
    return waveform, message


def check_fault(content: bytes, words: str, n_samples: int | None = None) -> np.ndarray:
    """The file is refused with the words and the way out; `lenient` reads so many samples of it, and says the same."""
    with pytest.raises(AudioError) as caught:
        decode(content)
    assert words in str(caught.value) and str(caught.value).endswith("read what is whole: lenient=True, --lenient")
    waveform, message = lenient(content)
    assert words in message
    assert n_samples is None or waveform.shape[1] == n_samples
    return waveform


def check_good(content: bytes, expected: np.ndarray, lossless: bool = True) -> None:
    """The file is read, strictly and leniently, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for is_lenient in (False, True):
            waveform, rate = decode(content, lenient=is_lenient)
            assert rate == RATE
            np.testing.assert_allclose(waveform, expected, rtol=0, atol=0 if lossless else 1e-6)


# ---- Ogg ---------------------------------------------------------------------------------------------------

MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def signed(page: bytes) -> bytes:
    page = page[:22] + bytes(4) + page[26:]
    crc = ~zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) & 0xFFFFFFFF
    return patched(page, 22, crc.to_bytes(4).translate(MIRRORED))


def pages_of(content: bytes) -> list[bytes]:
    pages = []
    while content:
        n_segments = content[26]
        size = 27 + n_segments + sum(content[27 : 27 + n_segments])
        pages.append(content[:size])
        content = content[size:]
    return pages


def page(body: bytes, flags: int, number: int, serial: int = 99) -> bytes:
    return signed(b"OggS\0" + struct.pack("<BqIIIBB", flags, 0, serial, number, 0, 1, len(body)) + body)


def delayed(content: bytes, n_samples: int) -> bytes:
    """The same stream, as if it had begun so much earlier."""
    pages = []
    for one in pages_of(content):
        granule = int.from_bytes(one[6:14], "little")
        pages.append(signed(patched(one, 6, (granule + n_samples).to_bytes(8, "little"))) if granule else one)
    return b"".join(pages)


def ogg_flac(waveform: np.ndarray | None = None) -> bytes:
    """A FLAC file in an Ogg file: its metadata, then a frame a page."""
    flac = encode("FLAC", waveform=waveform)
    frames = list(frames_from(io.BytesIO(flac), 42))
    starts = [frame.start for frame in frames]
    bodies = [flac[start:end] for start, end in zip(starts, [*starts[1:], len(flac)], strict=True)]
    pages = [page(b"\x7fFLAC\x01\x00\x00\x01" + flac[:42], 2, 0, 5), page(flac[42 : starts[0]], 0, 1, 5)]
    granule = 0
    for number, (body, frame) in enumerate(zip(bodies, frames, strict=True), 2):
        granule += frame.n_samples
        sizes = bytes([255] * (len(body) // 255) + [len(body) % 255])
        flags = 4 if number == len(bodies) + 1 else 0
        head = b"OggS\0" + struct.pack("<BqIIIB", flags, granule, 5, number, 0, len(sizes))
        pages.append(signed(head + sizes + body))
    return b"".join(pages)


LONG = sound(160_000)
OGGS = {"vorbis": encode("OGG", None, LONG), "opus": encode("OGG", "OPUS", LONG), "flac": ogg_flac(LONG)}


@pytest.mark.parametrize("codec", OGGS)
@pytest.mark.parametrize("seconds", [0, 61, 3600, 3e8])
def test_ogg_that_begins_late(codec, seconds):
    """Web radio and WebRTC count from when the broadcast began."""
    expected = decode(OGGS[codec])[0]
    assert expected.shape == (1, len(LONG))
    rate = 48_000 if codec == "opus" else RATE
    check_good(delayed(OGGS[codec], round(seconds * rate)), expected, lossless=codec == "flac")
    with pytest.raises(AudioError, match="over the limit of 9 s"):
        decode(delayed(OGGS[codec], round(seconds * rate)), max_seconds=9)


def test_late_opus_of_one_page():
    """libsndfile refuses it: it cannot tell where its only page begins."""
    content = encode("OGG", "OPUS", sound(4000))
    n_samples = decode(delayed(content, 3600 * 48_000))[0].shape[1]
    assert 4000 <= n_samples < 4000 + 320  # the last packet may be filled up


def test_broadcast_that_is_joined():
    """Pages of the beginning are missing, but not by damage: their numbers and times are those of the broadcast."""
    for codec, content in OGGS.items():
        pages = pages_of(delayed(content, 3600 * 48_000))
        jumped = [signed(patched(one, 18, (5000 + n).to_bytes(4, "little"))) for n, one in enumerate(pages[2:])]
        n_samples = decode(b"".join(pages[:2] + jumped))[0].shape[1]
        assert n_samples == len(LONG), codec


def test_chained_ogg():
    """Streams of any codec follow one another; libsndfile would read the first."""
    expected = [decode(content)[0] for content in OGGS.values()]
    check_good(b"".join(OGGS.values()), np.concatenate(expected, axis=1), lossless=False)
    check_good(OGGS["vorbis"] * 2, np.concatenate([expected[0]] * 2, axis=1), lossless=False)
    stereo = encode("OGG", None, sound(n_channels=2))
    waveform = check_fault(OGGS["vorbis"] + stereo, "changes from 16000 Hz and 1 channels to 16000 Hz and 2")
    np.testing.assert_array_equal(waveform, expected[0])


@pytest.mark.parametrize("codec", OGGS)
def test_ogg_beside_other_streams(codec):
    """Skeleton begins with a rate of 0, a film with anything."""
    pages = pages_of(OGGS[codec])
    skeleton = [page(b"fishead\0" + bytes(56), 2, 0), page(b"fisbone\0" + bytes(44), 0, 1), page(b"", 4, 2)]
    film = [page(b"\x80theora" + bytes(35), 2, 0, serial=7), page(b"frame", 4, 1, serial=7)]
    mixed = [skeleton[0], film[0], pages[0], skeleton[1], *pages[1:3], film[1], skeleton[2], *pages[3:]]
    check_good(b"".join(mixed), decode(OGGS[codec])[0], lossless=codec == "flac")


def test_two_sounds_at_the_same_time():
    first, second = (pages_of(OGGS[codec]) for codec in ("vorbis", "opus"))
    both = b"".join([first[0], second[0], *first[1:], *second[1:]])
    waveform = check_fault(both, "holds several sounds at the same time, expected one")
    np.testing.assert_array_equal(waveform, decode(OGGS["vorbis"])[0])


@pytest.mark.parametrize("codec", OGGS)
def test_ogg_pages_missing_twice_or_exchanged(codec):
    pages = pages_of(OGGS[codec])
    last = len(pages) - 1
    for n in (2, last - 1):  # pages of sound
        waveform = check_fault(b"".join(pages[:n] + pages[n + 1 :]), f"is damaged: pages are missing, from {n} to {n}")
        assert 0 < waveform.shape[1] < len(LONG)
    check_fault(b"".join(pages[:last]), "is cut off: its end-of-stream mark is missing")
    for n in (0, 1, 2, last - 1, last):
        twice = b"".join(pages[: n + 1] + pages[n:])
        waveform = check_fault(twice, f"is damaged: its page {n} comes twice or too late", len(LONG))
        np.testing.assert_array_equal(waveform, decode(OGGS[codec])[0])
    exchanged = [*pages[: last - 1], pages[last], pages[last - 1]]
    check_fault(b"".join(exchanged), "is damaged: pages are missing")
    for n in (0, 1):  # without these, nothing can be decoded
        for is_lenient in (False, True):
            with pytest.raises(AudioError, match="damaged|cut off"):
                decode(b"".join(pages[:n] + pages[n + 1 :]), lenient=is_lenient)


@pytest.mark.parametrize("codec", OGGS)
def test_ogg_page_damaged_or_behind_junk(codec):
    content, pages = OGGS[codec], pages_of(OGGS[codec])
    start = len(b"".join(pages[:-2]))
    flipped = patched(content, start + 100, bytes([content[start + 100] ^ 1]))
    assert check_fault(flipped, f"is damaged in the page at byte {start} of").shape[1] < len(LONG)
    junk = content[:start] + b"OggS junk" + content[start:]
    waveform = check_fault(junk, f"is damaged in the page at byte {start} of", len(LONG))
    np.testing.assert_array_equal(waveform, decode(content)[0])
    assert check_fault(content[:-1], "cut off").shape[1] < len(LONG)
    unmarked = patched(content, len(content) - len(pages[-1]), signed(patched(pages[-1], 5, b"\0")))
    check_fault(unmarked, "end-of-stream mark is missing")
    back = signed(patched(pages[-1], 6, (48).to_bytes(8, "little")))
    check_fault(patched(content, len(content) - len(back), back), "goes back in time")


# ---- FLAC --------------------------------------------------------------------------------------------------


def flac_parts(content: bytes) -> tuple[bytes, list[bytes]]:
    """The metadata and the frames of a FLAC file."""
    starts = [frame.start for frame in frames_from(io.BytesIO(content), 42)]
    return content[: starts[0]], [content[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


FLAC = encode("FLAC")
META, FRAMES = flac_parts(FLAC)
SILENT_MD5 = patched(META, 26, bytes(16))  # not set
FROM_A_PIPE = patched(SILENT_MD5, 21, bytes([META[21] & 0xF0]) + bytes(4))  # nor the number of samples


@pytest.mark.parametrize("meta", [META, SILENT_MD5, FROM_A_PIPE], ids=["whole", "no MD5", "from a pipe"])
def test_flac_frames_missing_twice_or_exchanged(meta):
    """libFLAC plays silence in the place of a missing frame, and each one that comes twice."""
    expected = decode(FLAC)[0]
    assert len(FRAMES) == 10
    check_good(meta + b"".join(FRAMES), expected)
    due = "" if meta is META else "is due"  # where there is an MD5, it tells
    for n in (0, 1, 5):
        waveform = check_fault(meta + b"".join(FRAMES[:n] + FRAMES[n + 1 :]), due, 40_000 - 4096)
        np.testing.assert_array_equal(waveform, np.delete(expected, slice(4096 * n, 4096 * (n + 1)), axis=1))
    for n in (0, 3):
        twice = check_fault(meta + b"".join(FRAMES[: n + 1] + FRAMES[n:]), due)
        np.testing.assert_array_equal(twice, expected)
    exchanged = check_fault(meta + b"".join([*FRAMES[:3], FRAMES[4], FRAMES[3], *FRAMES[5:]]), due)
    np.testing.assert_array_equal(exchanged, expected)
    if meta is not FROM_A_PIPE:  # where nobody knows how many there were
        check_fault(meta + b"".join(FRAMES[:-1]), "is damaged or cut off: 36864 of", 36_864)


@pytest.mark.parametrize("meta", [META, FROM_A_PIPE], ids=["whole", "from a pipe"])
def test_flac_frame_damaged_or_cut_off(meta):
    content = meta + b"".join(FRAMES)
    place = content.index(FRAMES[3]) + 200
    assert check_fault(patched(content, place, bytes([content[place] ^ 8])), "damaged").shape[1] == 40_000 - 4096
    assert check_fault(content[:-1], "cut off").shape[1] == 36_864


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_flac_checksum(subtype, n_channels):
    content = encode("FLAC", subtype, sound(5000, n_channels))
    check_good(content, soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0].T)
    wrong = patched(content, 26, bytes([content[26] ^ 1]))
    waveform = check_fault(wrong, "its samples have another checksum (MD5) than its header says")
    np.testing.assert_array_equal(waveform, decode(content)[0])


def test_two_flac_files_in_one():
    np.testing.assert_array_equal(check_fault(FLAC * 2, "followed by another FLAC file, at byte"), decode(FLAC)[0])


def test_flac_header_against_frames():
    rate = patched(META, 18, (44_100 << 4 | META[20] & 15).to_bytes(3))
    check_fault(
        rate + b"".join(FRAMES), "its header tells of 44100 Hz, 1 channels and 16 bits, its frames do not", 40_000
    )
    stereo = encode("FLAC", None, sound(n_channels=2))
    channels = patched(stereo, 20, bytes([stereo[20] & 0xF1]))
    with pytest.raises(AudioError, match="tells of 16000 Hz, 1 channels and 16 bits, its frames do not"):
        decode(channels)


def test_flac_of_an_odd_number_of_bits():
    """libsndfile reads 8, 16 and 24; others take PyAV."""
    av = pytest.importorskip("av")
    content = io.BytesIO()
    with av.open(content, "w", format="flac") as file:
        stream = file.add_stream("flac", rate=RATE, layout="mono", options={"bits_per_raw_sample": "20"})
        stream.codec_context.format = "s32"
        integers = np.rint(sound(8000).T * 2**31).astype(np.int32) >> 8 << 8
        frame = av.AudioFrame.from_ndarray(integers, format="s32", layout="mono")
        frame.rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    np.testing.assert_allclose(decode(content.getvalue())[0], sound(8000).T, rtol=0, atol=2**-19)


# ---- MP3 ---------------------------------------------------------------------------------------------------

MP3 = encode("MP3")
ID3 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)


def test_mp3_behind_zeros_or_junk(capfd):
    expected = decode(MP3)[0]
    for junk in (bytes(500), b"junk!" * 30, b"\xff\xfb\x90\x00" * 3):
        waveform = check_fault(ID3 + junk + MP3, f"has {len(junk)} bytes before its first frame that are no sound")
        np.testing.assert_array_equal(waveform, expected)
    np.testing.assert_array_equal(lenient(bytes(500) + MP3)[0], expected)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "between", [b"", ID3, b"TAG".ljust(128, b"x"), b"APETAGEX".ljust(32, b"\0")], ids=["none", "ID3", "TAG", "APE"]
)
def test_joined_mp3s(between, capfd):
    """The tags and the frame of information between them are no sound; the encoder's delay of the second stays."""
    first, waveform = decode(MP3)[0], decode(MP3 + between + MP3)[0]
    assert 2 * 40_000 <= waveform.shape[1] <= 2 * 40_000 + 3000
    np.testing.assert_array_equal(waveform[:, :39_000], first[:, :39_000])
    second = waveform[:, waveform.shape[1] - 40_000 :]
    np.testing.assert_allclose(second[:, 2000:-2000], first[:, 2000:-2000], rtol=0, atol=1e-3)
    assert capfd.readouterr().err == ""


def test_mp3_damaged_or_cut_off(capfd):
    expected = decode(MP3)[0]
    cut = check_fault(MP3[:-5], "is damaged or cut off at byte")
    assert 38_000 < cut.shape[1] < 40_000
    half = check_fault(MP3[: len(MP3) // 2], "is damaged or cut off at byte")
    assert 15_000 < half.shape[1] < 20_000
    np.testing.assert_allclose(half[:, :15_000], expected[:, :15_000], rtol=0, atol=1e-6)
    for junk in (bytes(300), np.random.default_rng(0).bytes(300)):
        check_fault(MP3 + junk + MP3, "is damaged or cut off at byte")
    waveform = check_fault(MP3 + b"junk" * 10, f"at byte {len(MP3)} of {len(MP3) + 40}")
    np.testing.assert_array_equal(waveform, expected)
    waveform = check_fault(MP3 + encode("MP3", rate=44_100), f"at byte {len(MP3)}")
    np.testing.assert_array_equal(waveform, expected)
    assert capfd.readouterr().err == ""


# ---- WAV, RF64, W64, AIFF, AU, CAF ------------------------------------------------------------------------------

INTEGERS = np.rint(sound(8000) * 32_767) / 32_768
EXPECTED = INTEGERS.T.astype(np.float32)
KINDS = "WAV WAVEX RF64 W64 AIFF AU CAF".split()
CHUNKED = {kind: encode(kind, "PCM_16", INTEGERS) for kind in KINDS}
WAV = CHUNKED["WAV"]


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_containers_and_codecs(kind, n_channels):
    waveform = sound(8000, n_channels)
    for subtype in soundfile.available_subtypes(kind):
        if subtype in ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"):
            tolerance = 2**-5 if subtype.endswith("LAW") else 2**-7 if subtype.endswith("8") else 2**-15
            decoded, rate = decode(encode(kind, subtype, waveform))
            assert rate == RATE
            np.testing.assert_allclose(decoded, waveform.T, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    "content",
    [
        encode("AU", None, INTEGERS, endian="LITTLE"),
        encode("AIFF", None, INTEGERS, endian="LITTLE"),
        encode("WAV", None, INTEGERS, endian="BIG"),
        b"BW64" + CHUNKED["RF64"][4:],
    ],
    ids=["au", "aifc", "rifx", "bw64"],
)
def test_other_byte_orders_and_names(content):
    check_good(content, EXPECTED)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off(kind):
    content = CHUNKED[kind]
    waveform = check_fault(
        content[:-1], "is cut off: its header promises 16000 bytes of samples, 15999 are there", 7999
    )
    np.testing.assert_array_equal(waveform, EXPECTED[:, :-1])
    waveform = check_fault(content[: len(content) - 8000], "8000 are there", 4000)
    np.testing.assert_array_equal(waveform, EXPECTED[:, :4000])


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_the_header_says(kind):
    content = CHUNKED[kind]
    for behind in (b"\x01\x02\xff\xfe" * 30, content):
        waveform = check_fault(content + behind, "second sound" if behind is content and kind != "AU" else "at its end")
        np.testing.assert_array_equal(waveform, EXPECTED)
    for behind in (bytes(64), b"TAG".ljust(128, b"x")):
        check_good(content + behind, EXPECTED)


@pytest.mark.parametrize("kind", ["WAV", "W64"])
@pytest.mark.parametrize("codec", ["IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("cut", [100, 700])
def test_of_packed_samples_a_block_that_is_cut_is_left_out(kind, codec, cut):
    content = encode(kind, codec, INTEGERS)
    whole = decode(content)[0]
    with pytest.warns(AudioWarning, match="is cut off"):
        left = decode(content[:-cut], lenient=True)[0]
    assert 6000 < left.shape[1] < whole.shape[1]
    np.testing.assert_array_equal(left, whole[:, : left.shape[1]])


def test_a_tag_behind_packed_samples_of_au_is_no_sound():
    content = encode("AU", "G721_32", INTEGERS)
    np.testing.assert_array_equal(decode(content + b"TAG".ljust(128))[0], decode(content)[0])


def test_wav_with_two_data_chunks_or_a_wrong_size():
    for n in (100, 101):
        waveform = check_fault(WAV + b"data" + u32(n) + b"x" * n, "second sound behind the first (its chunk 'data'")
        np.testing.assert_array_equal(waveform, EXPECTED)
    waveform = check_fault(patched(WAV, 40, u32(100)), "is damaged: the 15900 bytes at its end are no samples", 50)
    np.testing.assert_array_equal(waveform, EXPECTED[:, :50])
    silent = encode("WAV", None, np.zeros((8000, 1)))
    check_fault(patched(silent, 40, u32(100)), "is damaged: the 15900 bytes at its end", 50)
    au = patched(CHUNKED["AU"], 8, (100).to_bytes(4))
    check_fault(au, "is damaged: the 15900 bytes at its end", 50)
    aiff = CHUNKED["AIFF"]
    n_samples = patched(aiff, aiff.index(b"COMM") + 10, (50).to_bytes(4))
    check_fault(n_samples, "its header promises 50 samples, and its sound chunk has 16000 bytes", 8000)


def test_wav_whose_numbers_disagree():
    """A rate of 100 Hz would be 160 times the sound, two channels half of it."""
    check_fault(patched(WAV, 24, u32(100)), "its header tells of 100 Hz, 1 channels and 16 bits", 8000)
    check_fault(patched(WAV, 22, b"\2\0"), "its header tells of 16000 Hz, 2 channels and 16 bits")
    check_good(patched(WAV, 28, u32(0)), EXPECTED)  # some programs leave the bytes a second out


def test_odd_chunks():
    """Behind an odd number of bytes stands one more, which some programs forget."""
    odd = patched(encode("WAV", "PCM_U8", INTEGERS), 40, u32(7999))
    expected = decode(encode("WAV", "PCM_U8", INTEGERS))[0][:, :-1]
    for content in (
        odd[:-1],
        odd[:-1] + b"\0",
        odd[:-1] + b"\0LIST" + u32(4) + b"abcd",
        odd[:-1] + b"LIST" + u32(4) + b"abcd",
    ):
        check_good(content, expected)


def test_unknown_sizes():
    """What is written to a pipe cannot know how long it becomes."""
    rf64, au, caf, aiff = (CHUNKED[kind] for kind in ("RF64", "AU", "CAF", "AIFF"))
    check_good(patched(rf64, 20, b"\xff" * 16), EXPECTED)
    check_good(patched(rf64, 20, bytes(16)), EXPECTED)
    size = b"\xff" * 4  # of the samples; but that of the file is known
    check_good(patched(WAV, 40, size), EXPECTED)
    check_fault(patched(WAV, 40, size)[:-1000], "promises 16000 bytes of samples, 15000 are there", 7500)
    check_good(patched(au, 8, b"\xff" * 4), EXPECTED)
    check_good(patched(caf, caf.index(b"data") + 4, b"\xff" * 8), EXPECTED)
    stream = patched(patched(aiff, 4, bytes(4)), aiff.index(b"COMM") + 10, bytes(4))
    check_good(patched(stream, aiff.index(b"SSND") + 4, bytes(4)), EXPECTED)


def test_headers_that_claim_nonsense():
    aiff = CHUNKED["AIFF"]
    for content in (
        patched(CHUNKED["AU"], 16, (99).to_bytes(4)),
        patched(CHUNKED["W64"], 68, u32(2_000_000)),
        patched(CHUNKED["RF64"], 60, u32(1)),
        patched(aiff, aiff.index(b"COMM") + 16, b"\x7f\xff"),
        patched(CHUNKED["CAF"], 20, struct.pack(">d", np.nan)),
    ):
        with pytest.raises(AudioError, match="gives a sample rate of .* Hz, expected 100 to 1000000"):
            decode(content)
    with pytest.raises(AudioError, match="more than 10000 chunks"):
        decode(WAV[:12] + (b"junk" + u32(0)) * 20_000)


# ---- damage anywhere ---------------------------------------------------------------------------------------

WHOLE = {"mp3": MP3, "flac": FLAC, **OGGS, **CHUNKED, "ogg flac": OGGS["flac"]}


@pytest.mark.parametrize("kind", WHOLE)
def test_mutations(kind, capfd):
    """Whatever is flipped, cut, doubled, exchanged or put in: sound or an AudioError, and no samples out of nothing."""
    generator = np.random.default_rng(len(kind))
    for _ in range(30):
        damaged = mutated(WHOLE[kind], generator)
        for is_lenient in (False, True):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", AudioWarning)
                    waveform = decode(damaged, lenient=is_lenient)[0]
            except AudioError as error:
                assert str(error).startswith("<bytes>: ") and "\n" not in str(error)
            else:
                assert waveform.size and np.isfinite(waveform).all()


def mutated(content: bytes, generator: np.random.Generator) -> bytes:
    """Damage a file in one to three places, half of them in its first 200 bytes."""
    for _ in range(generator.integers(1, 4)):
        limit = min(len(content), 200) if generator.random() < 0.5 else len(content)
        at, end = sorted(generator.integers(0, limit, 2).tolist())
        match generator.integers(6):
            case 0:
                content = patched(content, at, bytes([content[at] ^ 1 << int(generator.integers(8))]))
            case 1:
                content = content[: max(end, 1)]
            case 2:
                content = content[:at] + content[end:] or b"x"
            case 3:
                content = content[:end] + content[at:]
            case 4:
                content = content[:at] + generator.bytes(int(generator.integers(1, 9))) + content[at:]
            case 5:
                content = patched(content, at, generator.choice([bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff"]))
    return content
