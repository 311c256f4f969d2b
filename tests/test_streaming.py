"""A stream gives the frames of the whole clip, however it is cut, each as soon as it can be known."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audionet import features
from audionet.features import LogMel, MelSpectrogram, Spectrogram, Stream, Waveform
from tests.sounds import assert_close, noise

SIZES: list[dict[str, Any]] = [
    {},
    {"pad_mode": "constant"},
    {"center": False},
    {"hop_length": 700, "pad_mode": "constant"},  # samples between the frames that none sees
    {"hop_length": 700},
    {"n_fft": 501, "win_length": 401, "hop_length": 77},
    {"frame_length": 480, "center": False},
]
FRONT_ENDS: list[features.FrontEnd] = [LogMel(**sizes) for sizes in SIZES]
FRONT_ENDS += [LogMel(scale="db"), LogMel(power=1.0), MelSpectrogram(), Spectrogram(power=None), Waveform()]
for name in ("MFCC", "LFCC"):
    FRONT_ENDS += [features.create(name, top_db=None), features.create(name, top_db=None, deltas=2, center=False)]


def streamed(front_end: Any, waveform: Any, sizes: list[int]) -> Any:
    """Push the waveform in chunks of these sizes, and the rest in one."""
    stream, start, frames = Stream(front_end), 0, []
    for size in [*sizes, waveform.shape[-1]]:
        frames.append(stream.push(waveform[..., start : start + size]))
        start += size
    frames.append(stream.finish())
    assert stream.state is None
    return np.concatenate(frames, -1) if isinstance(waveform, np.ndarray) else torch.cat(frames, -1)


def assert_equal(actual: Any, expected: Any) -> None:
    assert type(actual) is type(expected) and actual.shape == expected.shape and actual.dtype == expected.dtype
    assert abs(expected).max() > 0
    assert_close(actual, expected, 1e-6)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
@pytest.mark.parametrize("size", [1, 160, 4999])
def test_chunks_of_one_size(front_end, size):
    waveform = noise(2, 3, 2000)
    assert_equal(streamed(front_end, waveform, [size] * (2000 // size)), front_end(waveform))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 900), max_size=12),
    time=st.integers(600, 3000),
    index=st.integers(0, len(FRONT_ENDS) - 1),
    as_array=st.booleans(),
)
def test_chunks_of_any_sizes(sizes, time, index, as_array):
    front_end = FRONT_ENDS[index]
    waveform: Any = noise(time)
    if as_array:
        if isinstance(front_end, Spectrogram):
            return  # complex arrays are tested as tensors
        waveform = waveform.numpy()
    assert_equal(streamed(front_end, waveform, sizes), front_end(waveform))


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_a_frame_comes_with_the_sample_that_the_latency_names(front_end):
    stream, waveform, n_given = Stream(front_end), noise(2500), 0
    lookbehind = front_end.framing.left if front_end.framing.pad_mode == "reflect" else 0
    for sample in range(2000):
        n_given += stream.push(waveform[sample : sample + 1]).shape[-1]
        # Frame t waits for sample t * hop + latency, and for those that are mirrored before the first.
        n_due = (sample - stream.latency) // front_end.framing.hop_length + 1
        assert n_given == (max(n_due, 0) if sample >= lookbehind else 0), sample


@pytest.mark.parametrize("options", [{}, {"offset": 1e-12}, {"scale": "db", "offset": 1e-10}], ids=str)
def test_an_array_beside_a_loud_tone(options):
    """Where most bands hold only the rounding of the tone's, the stream has to round as the whole clip does."""
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16_000)).astype(np.float32)
    front_end = LogMel(**options)
    for size in (7, 160, 1111, 8000):
        cuts = [size] * (len(tone) // size) + [len(tone) % size]
        assert_close(streamed(front_end, tone, cuts), front_end(tone), 1e-6)


def test_float64_and_arrays_of_any_float_type():
    waveform = noise(4000)
    for front_end in (LogMel(), LogMel(scale="db", pad_mode="constant"), LogMel(power=1.0), MelSpectrogram()):
        exact = copy.deepcopy(front_end).double()
        assert_equal(streamed(exact, waveform.double(), [160] * 25), exact(waveform.double()))
        for dtype in (np.float32, np.float64):
            array = waveform.numpy().astype(dtype)
            assert_equal(streamed(front_end, array, [160] * 25), front_end(array))
            assert_equal(streamed(exact, array, [160] * 25), exact(array))
        batch = noise(2, 4000).numpy()
        assert_equal(streamed(front_end, batch, [160] * 25), front_end(batch))


def test_a_stream_can_be_used_again_and_copied():
    stream, waveform = Stream(LogMel()), noise(3000)
    for _ in range(2):
        first = stream.push(waveform[:1000])
        other = copy.deepcopy(stream)
        for one in (stream, other):
            frames = torch.cat([first, one.push(waveform[1000:]), one.finish()], -1)
            assert_equal(frames, LogMel()(waveform))


def test_new_weights_are_followed():
    front_end, waveform = LogMel(), noise(2000)
    stream = Stream(front_end)
    stream.push(waveform.numpy())
    before = stream.finish()
    front_end.double()
    front_end.bands.filters.mul_(2)
    stream.push(waveform.numpy())
    assert stream.finish().dtype == np.float64
    assert_equal(streamed(front_end, waveform.numpy(), [100] * 20), front_end(waveform.numpy()))
    assert before.dtype == np.float32


def test_gradients_flow_through_a_stream():
    front_end = LogMel()
    once, cut = noise(1000).requires_grad_(), noise(1000).requires_grad_()
    front_end(once).square().sum().backward()
    streamed(front_end, cut, [160] * 6).square().sum().backward()
    assert once.grad is not None and cut.grad is not None
    torch.testing.assert_close(once.grad, cut.grad)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            lambda: Stream(features.MFCC()),
            r"expected no setting that needs the whole clip, got top_db = 80.0.*switch it off",
        ),
        (lambda: Stream(LogMel(subtract_mean="band")), r"needs the whole clip, got subtract_mean = 'band'"),
        (
            lambda: Stream(features.create("MFCC", deltas=1)),
            r"expected no setting that needs the whole clip, got top_db = 80.0",
        ),
        (lambda: Stream(LogMel()).finish(), r"stream: expected a chunk before its end, got none"),
        (lambda: streamed(LogMel(), noise(200), []), r"at least 257 samples .*\(200,\)"),
        (lambda: streamed(LogMel(center=False), noise(300), [5]), r"at least 512 samples"),
        (lambda: streamed(LogMel(), noise(200).numpy(), [3]), r"at least 257 samples"),
        (lambda: Stream(LogMel()).push(torch.zeros(10, dtype=torch.int16)), r"got torch.int16; divide 16-bit integers"),
        (lambda: Stream(LogMel()).push(np.zeros(10, np.int16)), r"got int16; divide 16-bit integers"),
        (lambda: Stream(MelSpectrogram()).push(np.zeros(10, np.int16)), r"got int16; divide 16-bit integers"),
        (lambda: Stream(LogMel()).push(torch.full((9,), torch.nan)), r"expected finite samples, got nan at \(0,\)"),
        (lambda: Stream(LogMel()).push(np.array([0, np.inf])), r"expected finite samples, got inf at \(1,\)"),
    ],
)
def test_what_cannot_be_streamed_is_refused(run, message):
    with pytest.raises(ValueError, match=message):
        run()


def test_chunks_must_be_alike():
    for first, second, message in (
        (noise(2, 300), noise(300), r"chunk: expected \(2,\) x time, as before, got shape \(300,\)"),
        (noise(300), noise(300).numpy(), r"chunk: expected a tensor, as before, got a ndarray"),
        (noise(300).numpy(), noise(300), r"expected float samples .*, got Tensor"),
        (noise(300).numpy(), noise(2, 300).numpy(), r"chunk: expected \(\) x time, as before, got shape \(2, 300\)"),
    ):
        stream = Stream(LogMel())
        stream.push(first)
        with pytest.raises(ValueError, match=message):
            stream.push(second)
        frames = torch.cat([torch.as_tensor(part) for part in (stream.push(first), stream.finish())], -1)
        assert frames.shape[-1] > 0  # nothing is lost


def test_what_fails_leaves_no_sound_behind():
    front_end, waveform = LogMel(), noise(4000)
    stream = Stream(front_end)
    stream.push(waveform[:100])
    with pytest.raises(ValueError, match="at least 257 samples"):
        stream.finish()
    with pytest.raises(ValueError, match="expected torch.float32, .*got torch.float64"):
        stream.push(waveform.double())
    frames = [stream.push(chunk) for chunk in waveform.split(333)]
    with pytest.raises(ValueError, match="torch.Size|shape"):
        stream.push(noise(2, 100))
    assert_close(torch.cat([*frames, stream.finish()], -1), front_end(waveform), 1e-6)
