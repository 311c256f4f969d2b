"""What every front-end that has a name does, whichever it is."""

import copy
import inspect
import pickle
from functools import cache
from math import nan
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from audionet.features import FEATURES, FrontEnd, Stream, create
from tests.sounds import assert_close, noise, sound

NAMES = list(FEATURES)
CHANGES: dict[str, dict[str, Any]] = {
    "MFCC+deltas": {"deltas": 2},
    "Spectrogram+complex": {"power": None},
    "LogMel+small offset": {"offset": 1e-9, "n_fft": 400, "win_length": 400},
    "PCEN+trainable": {"trainable": True},
}
CASES = [*NAMES, *CHANGES]
# The code of these runs inside another case, where it is compiled and exported.
WITHIN = {
    "Spectrogram": "LogMel",
    "MelSpectrogram": "LogMel",
    "LinearFilterbank": "MFCC",
    "LFCC": "MFCC",
    "VQT": "CQT",
    "KaldiFbank": "KaldiMFCC",
    "WhisperLogMel": "MFCC",
    "YamnetLogMel": "LogMel",
    "NemoLogMel": "LogMel",
    "ConvFilterbank": "LEAF",
}
CLIP_FREE: dict[str, dict[str, Any]] = {"NemoLogMel": {"normalize": False, "preemphasis": 0.0}}
MECHANISMS = [case for case in CASES if case not in WITHIN]
# Each way from a long clip to its frames whose numbers could depend on how long it is.
LONG = {"LogMel", "MFCC+deltas", "PCEN", "PCEN+trainable", "CQT", "Gammatone", "ZeroCrossingRate"}
WITH_OFFSET = {"LogMel", "SpectralFlatness", "SincNet", "ConvFilterbank", "YamnetLogMel"}
OFFSETS = (0.0, -1.0, 1e-38, nan)
RAGGED = {"SpectralRolloff", "ZeroCrossingRate", "MicroFrontend"}  # steps: a rounding error may move a whole one
# A logarithm 80 dB under the loudest band has four digits left in float32, whoever computes it, and beside a tone none.
LOGARITHMS = {"LogMel", "LogMel+small offset", "MFCC", "MFCC+deltas", "LFCC", "KaldiFbank", "KaldiMFCC"}
LOGARITHMS |= {"WhisperLogMel", "YamnetLogMel", "NemoLogMel", "SincNet", "ConvFilterbank"}


def build(case: str, **changes: Any) -> FrontEnd:
    torch.manual_seed(0)
    return create(case.split("+")[0], **CHANGES.get(case, {}), **changes)


def streamable(case: str) -> FrontEnd:
    """The same without what looks at the whole clip."""
    front_end = build(case)
    if front_end.needs_clip is None:
        return front_end
    return build(case, **CLIP_FREE.get(case, {"top_db": None}))


def magnitude(x: Tensor) -> Tensor:
    return torch.view_as_real(x) if x.is_complex() else x


def assert_same(case: str, actual: Tensor, expected: Tensor, tolerance: float) -> None:
    """Close; where there are steps, all but one in fifty are. What is silent stays silent."""
    if case in RAGGED:
        assert actual.shape == expected.shape
        assert ((actual - expected).abs() > tolerance * expected.abs().max()).double().mean() < 0.02
    else:
        assert_close(actual, expected, tolerance)


@pytest.mark.parametrize("name", ["noise", "silence", "impulse", "sine", "recording"])
@pytest.mark.parametrize("case", CASES)
def test_float32_is_float64_rounded_and_finite(case, name):
    if name == "sine" and case in LOGARITHMS:
        pytest.skip("beside a tone, a logarithm has no digits left")
    waveform, front_end = sound(name), build(case)
    result, exact = front_end(waveform.float()), copy.deepcopy(front_end).double()(waveform)
    assert result.dtype in (torch.float32, torch.complex64) and exact.dtype in (torch.float64, torch.complex128)
    assert magnitude(result).isfinite().all() and magnitude(exact).isfinite().all()
    assert result.ndim == 2
    assert_same(case, result, exact, 1e-3 if case in LOGARITHMS else 1e-5)


@pytest.mark.parametrize("gradients", [True, False], ids=["gradients", "no gradients"])
@pytest.mark.parametrize("case", CASES)
def test_any_leading_shape_and_each_clip_as_if_alone(case, gradients):
    """With gradients and without, which some front-ends compute in another way."""
    front_end = build(case)
    levels = torch.tensor([1.0, 1e-3, 0.0, 0.3, 10.0, 1e-2]).view(2, 3, 1, 1)
    batch = levels * noise(2, 3, 1, 5000)
    with torch.set_grad_enabled(gradients):
        before, together = batch.clone(), front_end(batch)
        assert torch.equal(batch, before) and together.shape[:3] == (2, 3, 1)
        for index in np.ndindex(2, 3):
            assert_same(case, together[index][0], front_end(batch[index][0]), 1e-5)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [160, 777])
def test_a_stream_equals_the_whole_clip(case, size):
    front_end, waveform = streamable(case), noise(2, 6000)
    stream = Stream(front_end)
    with torch.no_grad():
        streamed = torch.cat([stream.push(chunk) for chunk in waveform.split(size, -1)] + [stream.finish()], -1)
        assert_same(case, streamed, front_end(waveform), 1e-6)


@pytest.mark.parametrize("case", CASES)
def test_gradients_reach_the_waveform_and_the_parameters_and_are_finite_on_silence(case):
    if case in RAGGED:
        pytest.skip("counts have no gradient")
    front_end = build(case)
    for waveform in (noise(4000), torch.zeros(4000)):
        front_end.zero_grad()
        waveform.requires_grad_()
        magnitude(front_end(waveform)).square().sum().backward()
        assert waveform.grad is not None and waveform.grad.isfinite().all()
        for name, parameter in front_end.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if waveform.any():
            assert waveform.grad.any()
            assert all(parameter.grad.any() for parameter in front_end.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("case", CASES)
def test_pickle_bundle_weights_repr_and_numpy(case):
    front_end, waveform = build(case), noise(4000)
    with torch.no_grad():
        for parameter in front_end.parameters():
            parameter.mul_(1.05)
    expected = front_end(waveform).detach()
    assert torch.equal(pickle.loads(pickle.dumps(front_end))(waveform), expected)
    other = build(case)
    other.load_state_dict(front_end.state_dict())
    assert torch.equal(other(waveform), expected)
    assert len(str(front_end).splitlines()) <= 14 and "=" in str(front_end) or case == "Waveform"
    assert front_end.sample_rate == 16_000
    made = front_end(waveform.numpy().astype(np.float64))
    assert isinstance(made, np.ndarray)
    assert_same(case, torch.from_numpy(made), expected, 1e-6)


@pytest.mark.parametrize(
    "case",
    [case for case in MECHANISMS if case != "Spectrogram+complex"],  # ONNX has no such numbers
)
def test_onnx_of_any_length_and_batch(case):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
    from audionet.export.tracing import front_end_graph
    from audionet.onnx_session import open_session

    front_end, pairs = build(case).eval(), []
    for shape in ((2, 8000), (1, 16_000), (3, 9999)):
        waveform = noise(*shape, seed=1)
        waveform[0, :4000] = 0  # exporters drop what is added if it is below 1e-8, and silence would become infinite
        with torch.no_grad():
            pairs.append((waveform.numpy(), front_end(waveform).unsqueeze(1).numpy()))
    model, any_length = front_end_graph(front_end, pairs)
    assert any_length
    session = open_session(model.SerializeToString())
    for clips, expected in pairs:
        (made,) = session.run(None, {"waveform": clips})
        scale = max(1.0, float(np.abs(expected).max()) / 100)  # what is in hertz has larger numbers
        assert made.shape == expected.shape
        error = np.abs(made - expected)
        if case in RAGGED:
            assert (error > 1e-4 * scale).mean() < 0.02
        else:
            assert error.max() <= 1e-4 * scale, error.max()


@pytest.mark.parametrize("case", [case for case in MECHANISMS if case != "MicroFrontend"])  # as ONNX, and slower
def test_compiled(case):
    torch.compiler.reset()
    front_end, waveform = build(case), noise(2, 4000)
    with torch.no_grad():
        compiled = torch.compile(front_end, backend="aot_eager", fullgraph=True)(waveform)
        assert_same(case, compiled, front_end(waveform), 1e-5)


@pytest.mark.parametrize("case", CASES)
def test_bad_samples_are_refused(case):
    front_end = build(case)
    shortest = front_end.framing.shortest
    for waveform, message in (
        (torch.zeros(16_000, dtype=torch.int16), "got torch.int16; divide 16-bit integers by 32768"),
        (np.zeros(16_000, np.int16), "got int16; divide 16-bit integers by 32768"),
        (torch.zeros(0, 16_000), r"at least one clip, got shape \(0, 16000\)"),
        (torch.zeros(2, 0), r"expected at least .*got shape \(2, 0\)"),
        (torch.zeros(shortest - 1), rf"expected at least {shortest} samples .*got shape \({shortest - 1},\)"),
        (torch.full((16_000,), torch.nan), r"expected finite samples, got nan at \(0,\)"),
        (torch.full((2, 16_000), -torch.inf), r"expected finite samples, got -inf at \(0, 0\)"),
    ):
        with pytest.raises(ValueError, match=message):
            front_end(waveform)
    assert front_end(torch.zeros(shortest)).shape[-1] >= 1


@pytest.mark.parametrize("case", CASES)
def test_autocasting_changes_nothing(case):
    front_end, waveform = build(case), noise(4000)
    expected = front_end(waveform)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(front_end(waveform), expected)


@pytest.mark.parametrize("case", ["LogMel", "Gammatone", "LEAF", "KaldiFbank"])
def test_half_precision_is_refused(case):
    with pytest.raises(ValueError, match=r"float16; .*waveform.to\(torch.float32\)"):
        build(case)(noise(4000).half())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("LogMel", {"f_max": 8.0}, r"empty with n_fft = 512; raise n_fft to \d{5},"),
        ("LogMel", {"n_mels": 1000}, r"are empty.*raise n_fft to \d+,"),
        ("KaldiFbank", {"f_max": 21.0}, r"are empty.*raise n_fft to \d+,"),
        ("LogMel", {"f_max": 1e-3}, r"are empty.*raise n_fft to \d+,"),
        *((name, {"offset": value}, "offset: expected 1e-30") for name in sorted(WITH_OFFSET) for value in OFFSETS),
        ("Spectrogram", {"power": nan}, "power: expected 2.*got nan"),
        ("LogMel", {"top_db": nan}, "top_db: expected 0 dB or more, .*got nan"),
        ("MFCC", {"lifter": nan}, "lifter: expected 0.*got nan"),
        ("KaldiMFCC", {"lifter": nan}, "lifter: expected at least 0, got nan"),
        ("Chroma", {"tuning": nan}, "tuning: expected .*got nan"),
        ("CQT", {"f_min": nan}, "f_min: expected more than 0.*got nan"),
        ("Gammatone", {"bandwidth": nan}, "bandwidth: expected more than 0, got nan"),
        ("LogMel", {"sample_rate": "16k"}, "sample_rate: expected a whole number, got '16k'"),
        ("KaldiFbank", {"f_min": True}, "f_min: expected a number, got True"),
        ("LogMel", {"n_mels": 400}, r"of which \d+, \d+, \d+, \d+, \d+ and \d+ more are empty"),
        ("LogMel", {"hop_length": 160.5}, "hop_length: expected a whole number, got 160.5"),
        (
            "ZeroCrossingRate",
            {"frame_length": 512.5},
            "frame_length: expected a whole number, got 512.5",
        ),
        ("LEAF", {"kernel_size": 401.0}, "kernel_size: expected an odd number.*got 401.0"),
        (
            "KaldiFbank",
            {"win_length": 400.0},
            "frame length: expected a whole number of samples, at least 1, got 400.0",
        ),
        ("MFCC", {"deltas": 1.5}, "order: expected a whole number, got 1.5"),
    ],
)
def test_bad_options_are_refused_at_once(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        create(name, **arguments)


@pytest.mark.parametrize("case", CASES)
def test_ten_minutes(case):
    """The last second of a long clip comes out as it does of its last half minute alone.

    Ten minutes for each way to the frames; the others share these or, like LEAF, cut clips into pieces of one size.
    """
    front_end = streamable(case)
    hop_length = front_end.framing.hop_length
    seconds, alone = (600, 30) if case in LONG else (40, 10)
    waveform = noise(seconds * 16_000 // hop_length * hop_length)
    with torch.no_grad():
        whole = front_end(waveform)
        last = front_end(waveform[-(alone * 16_000 // hop_length) * hop_length :])
    n_frames = 16_000 // hop_length
    assert abs(whole.shape[-1] - len(waveform) // hop_length) <= front_end.framing.span // hop_length + 1
    assert_same(case, whole[:, -n_frames:], last[:, -n_frames:], 1e-4)


made_once = cache(lambda name, deltas: create(name, deltas=deltas))


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    time=st.integers(1, 3000),
    leading=st.lists(st.integers(1, 3), max_size=2),
    deltas=st.integers(0, 2),
)
def test_frames_are_as_many_as_the_framing_says(name, time, leading, deltas):
    front_end = made_once(name, deltas)
    framing = front_end.framing
    if time < framing.shortest:
        with pytest.raises(ValueError, match="at least"):
            front_end(torch.zeros(*leading, time))
        return
    n_frames = (framing.left + time + framing.right - framing.span) // framing.hop_length + 1
    with torch.no_grad():
        made = front_end(noise(*leading, time))
    assert made.shape == (*leading, front_end.n_bands, n_frames)
    assert made.is_complex() == front_end.is_complex


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelled_argument_is_refused_by_the_name_of_the_class_that_was_called(name):
    kind = FEATURES[name]
    with pytest.raises(
        TypeError, match=rf"^{kind.__name__} has no argument 'sample_rates'; did you mean 'sample_rate'"
    ):
        kind(sample_rates=8000)
    assert not any(each.kind is each.VAR_KEYWORD for each in inspect.signature(kind).parameters.values())
