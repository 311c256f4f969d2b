"""SincNet, LEAF and the free filterbank equal their papers' equations, stream exactly, learn, and refuse bad input."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from audionet.features import LogMel, Stream
from audionet.features.learned.conv_filterbank import ConvFilterbank
from audionet.features.learned.leaf import LEAF
from audionet.features.learned.sincnet import SincNet, sinc_filters
from audionet.features.learned.time_domain import filter_and_pool, gabor_filters, gabor_from_mel, squared_modulus
from audionet.features.mel import mel_matrix
from tests.sounds import assert_close, noise, sound

KINDS: list[type[Any]] = [LEAF, SincNet, ConvFilterbank]
WIDTH = np.sqrt(2 * np.log(2)) / np.pi  # the limits of LEAF's filters are 4 and kernel_size times this
TINY: dict[str, Any] = {
    "sample_rate": 1000,
    "n_filters": 3,
    "f_min": 50.0,
    "kernel_size": 21,
    "win_length": 15,
    "hop_length": 7,
}


@pytest.fixture(params=["noise", "impulse", "sine", "silence", "shorter", "recording"])
def waveform(request):
    """(time,) float32."""
    return sound(request.param).float()


def disturb(front_end):
    """Move all parameters a little from where they begin, each filter differently."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in front_end.parameters():
            parameter *= 1 + 0.1 * torch.rand(parameter.shape, generator=generator, dtype=parameter.dtype)
    return front_end


def numbers(front_end):
    return {name: parameter.detach().double().numpy() for name, parameter in front_end.named_parameters()}


def pooled_by_loops(waveform, filters, pooling, hop_length, rectify):
    """The frames (frame, filter) of a padded waveform, one number at a time; filters are complex (filter, kernel)."""
    kernel_size, window = filters.shape[1], pooling.shape[1]
    n_frames = (len(waveform) - kernel_size - window + 1) // hop_length + 1
    result = np.zeros((n_frames, len(filters)))
    for frame in range(n_frames):
        for index in range(len(filters)):
            for n in range(window):
                start = frame * hop_length + n
                filtered = sum(waveform[start + k] * filters[index, k] for k in range(kernel_size))
                result[frame, index] += pooling[index, n] * rectify(filtered)
    return result


def test_leaf_equals_its_equations():
    front_end = disturb(LEAF(**TINY).double())
    waveform, p = noise(120).double(), numbers(front_end)
    with torch.no_grad():
        p["smoothing"][:] = front_end.smoothing[:] = torch.tensor([0.04, 0.3, 0.9])
    p["width"], p["gain"] = p["width"].clip(4 * WIDTH, 21 * WIDTH), p["gain"].clip(0, 1)
    t = np.arange(-10, 11)
    # Eq. 1: Gabor filters.
    filters = np.stack(
        [
            np.exp(2j * np.pi * center * t) / (np.sqrt(2 * np.pi) * width) * np.exp(-(t**2) / (2 * width**2))
            for center, width in zip(p["center_frequency"], p["width"], strict=True)
        ]
    )
    # Eq. 3: Gaussian low-pass, whose width is given in half windows.
    t = np.arange(-7, 8)
    widths = 7 * p["pooling_width"]
    pooling = np.stack([np.exp(-(t**2) / (2 * w**2)) / (np.sqrt(2 * np.pi) * w) for w in widths])
    padded = np.pad(waveform.numpy(), 17)
    energy = pooled_by_loops(padded, filters, pooling, 7, lambda x: abs(x) ** 2)
    # Eq. 5: sPCEN, whose average starts from the first frame.
    level, expected = energy[0], []
    for frame in energy:
        level = (1 - p["smoothing"]) * level + p["smoothing"] * frame
        x = frame / (1e-12 + level) ** p["gain"] + p["bias"]
        expected.append(x ** p["power"] - p["bias"] ** p["power"])
    assert_close(front_end(waveform), np.stack(expected).T, 1e-9)


def test_leaf_begins_at_the_papers_values():
    front_end = LEAF()
    values = {name: parameter.unique().tolist() for name, parameter in front_end.named_parameters()}
    expected = {"pooling_width": 0.4, "gain": 0.96, "bias": 2.0, "power": 0.5, "smoothing": 0.04}
    assert {name: values[name] for name in expected} == {
        name: [pytest.approx(value)] for name, value in expected.items()
    }
    assert (front_end.kernel_size, front_end.win_length, front_end.framing.hop_length) == (401, 401, 160)
    assert (front_end.framing.span, front_end.framing.left, front_end.framing.latency) == (801, 400, 400)
    edges = 700 * np.expm1(np.linspace(np.log1p(60 / 700), np.log1p(7800 / 700), 42))
    frequencies = front_end.axis.frequencies
    assert frequencies is not None
    np.testing.assert_allclose(frequencies, edges[1:-1], rtol=1e-5)


def test_sincnet_equals_its_equations():
    front_end = disturb(SincNet(**TINY).double())
    waveform, p = noise(120).double(), numbers(front_end)
    f1 = np.abs(p["low"])
    f2 = np.minimum(f1 + 5 / 1000 + np.abs(p["width"]), 0.5)
    n = np.arange(-10, 11)
    with np.errstate(invalid="ignore"):

        def sinc(x):
            return np.where(x == 0, 1, np.sin(x) / x)

        filters = np.stack(
            [2 * b * sinc(2 * np.pi * b * n) - 2 * a * sinc(2 * np.pi * a * n) for a, b in zip(f1, f2, strict=True)]
        )
    filters = filters * (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(21) / 20))
    amplitude = pooled_by_loops(np.pad(waveform.numpy(), 17), filters, np.full((3, 15), 1 / 15), 7, abs)
    # The window is float32 in the package.
    assert_close(front_end(waveform), np.log(amplitude + 1e-4).T, 1e-6)


def test_sincnet_begins_with_one_band_above_the_other_on_the_mel_scale():
    front_end = SincNet()
    low, high = (cutoff.detach().double() * 16_000 for cutoff in front_end.cutoffs)
    assert_close(low[1:], high[:-1], 1e-6)
    mels = 1127 * torch.log1p(torch.cat([low, high[-1:]]) / 700)
    assert_close(mels.diff(), mels.diff().mean().expand(80), 1e-4)
    assert [float(low[0]), float(high[-1])] == pytest.approx([30, 8000])
    # What is inside a band passes, and what is far from it does not.
    filters = sinc_filters(torch.tensor([0.1]), torch.tensor([0.2]), front_end.window)
    response = torch.fft.rfft(filters, 1000).abs()[0]
    assert (response[115:186] - 1).abs().max() < 0.01
    assert max(response[:85].max(), response[216:].max()) < 0.01


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_free_filterbank_equals_its_equations(sign):
    front_end = disturb(ConvFilterbank(**TINY).double())
    with torch.no_grad():
        front_end.pooling *= sign  # what is pooled may come out negative
    waveform, p = noise(120).double(), numbers(front_end)
    filters = p["filters"][0] + 1j * p["filters"][1]
    energy = pooled_by_loops(np.pad(waveform.numpy(), 17), filters, p["pooling"], 7, lambda x: abs(x) ** 2)
    assert_close(front_end(waveform), np.log(np.abs(energy) + 1e-7).T, 1e-9)


def test_gabor_filters_begin_at_the_mel_triangles():
    sizes: dict[str, Any] = {"sample_rate": 16_000, "f_min": 60.0, "f_max": 7800.0}
    triangles = mel_matrix(**sizes, n_fft=16_000, n_mels=40, mel_scale="htk", norm=None)  # a bin for each hertz
    filters = gabor_filters(*gabor_from_mel(40, **sizes), 1201)
    power = torch.fft.fft(torch.complex(*filters), 16_000).abs()[:, :8001].T ** 2
    peaks = power.argmax(0)
    assert (peaks - triangles.argmax(0)).abs().max() <= 1
    assert (power.amax(0) - 1).abs().max() < 1e-3
    # At a quarter of the height, which is half of a root's, both are equally wide.
    assert ((power > 0.25).sum(0) - (triangles > 0.25).sum(0)).abs().max() <= 2
    assert (power * triangles).sum() / (power.norm() * triangles.norm()) > 0.98


def test_the_free_filterbank_begins_close_to_a_log_mel():
    waveform = sound("recording").float()
    front_end = ConvFilterbank(sample_rate=8000, n_filters=24)
    mel = LogMel(sample_rate=8000, n_mels=24, n_fft=400, win_length=400, hop_length=80, f_min=60.0, f_max=3900.0)
    a, b = front_end(waveform), mel(waveform)[:, : 1 + (len(waveform) - 1) // 80]
    assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] > 0.97
    t = torch.arange(16_000)
    frequencies = ConvFilterbank().axis.frequencies
    assert frequencies is not None
    sine = 0.6 * torch.sin(2 * torch.pi * frequencies[20] / 16_000 * t)
    assert ConvFilterbank()(sine)[20, 50].exp().item() == pytest.approx(0.6**2 / 4, rel=0.01)


@pytest.mark.parametrize("n_samples", [801, 960, 961, 5000, 20_001])
@pytest.mark.parametrize(("kernel_size", "window", "hop_length"), [(401, 401, 160), (25, 401, 100), (401, 3, 1000)])
def test_filtering_in_pieces_leaves_nothing_out(n_samples, kernel_size, window, hop_length):
    waveform = noise(3, n_samples).double()
    filters, pooling = noise(2, 4, kernel_size, seed=1).double(), noise(4, window, seed=2).double()
    x = F.conv1d(waveform[:, None], filters.flatten(0, 1)[:, None]).unflatten(1, (2, 4))
    expected = F.conv1d(squared_modulus(x), pooling[:, None], stride=hop_length, groups=4).mT
    actual = filter_and_pool(waveform, filters, pooling, hop_length=hop_length, rectify=squared_modulus)
    assert_close(actual, expected, 1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("size", [80, 333])
def test_a_stream_equals_the_clip(kind, waveform, center, size):
    front_end = disturb(kind(sample_rate=8000, center=center, pad_mode="constant"))
    if len(waveform) < front_end.framing.shortest:
        with pytest.raises(ValueError, match="at least"):
            front_end(waveform)
        return
    stream = Stream(front_end)
    assert stream.latency == front_end.framing.span - 1 - front_end.framing.left
    with torch.no_grad():
        frames = torch.cat([*(stream.push(chunk) for chunk in waveform.split(size)), stream.finish()], -1)
        assert_close(frames, front_end(waveform), 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_with_gradients_it_is_the_same(kind, waveform):
    front_end = disturb(kind(sample_rate=8000))
    with torch.no_grad():
        exact = front_end(waveform)
    # Looser than 1e-5: with gradients the filters run in float32, which shows in a band 80 dB below another.
    assert_close(front_end(waveform), exact, 5e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_lie_where_they_should(kind):
    front_end = kind()
    for time in (1, 160, 161, 16_000):
        assert front_end(torch.zeros(2, time)).shape == (2, len(front_end.axis.frequencies), 1 + (time - 1) // 160)
    waveform = noise(4000).double().requires_grad_()
    framing = front_end.framing
    front_end.double().frames(framing.pad(waveform))[10].sum().backward()
    assert waveform.grad is not None
    seen = (waveform.grad.abs() > 1e-13 * waveform.grad.abs().max()).nonzero()  # less is rounding in the FFT
    assert (int(seen.min()), int(seen.max())) == (1600 - framing.left, 1600 - framing.left + framing.span - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_follow_the_sample_rate(kind):
    for sample_rate in (8000, 22_050, 48_000):
        front_end = kind(sample_rate=sample_rate)
        seconds = (250 if kind is SincNet else 400) / 16_000 + 400 / 16_000
        assert front_end.framing.span / sample_rate == pytest.approx(seconds, abs=2 / sample_rate)
        assert front_end.framing.hop_length == sample_rate // 100
        assert front_end.axis.frequencies.max() < sample_rate / 2


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    small = TINY | {"kernel_size": 9, "win_length": 5, "n_filters": 2, "f_max": 400.0}
    front_end = disturb(kind(**small).double())
    names = [name for name, _ in front_end.named_parameters()]

    def run(waveform, *values):
        return torch.func.functional_call(front_end, dict(zip(names, values, strict=True)), waveform)

    # Within the limits, of which LEAF's leave so short a kernel little room: beyond them gradients are not the slope.
    values = [p.detach().clone().requires_grad_() for p in front_end.parameters()]
    if kind is LEAF:
        with torch.no_grad():
            values[names.index("width")][:] = torch.tensor([2.0, 3.0])
            values[names.index("pooling_width")][:] = torch.tensor([0.42, 0.45])
            values[names.index("gain")][:] = torch.tensor([0.9, 0.96])
    waveform = noise(2, 33, seed=5).double().requires_grad_()
    assert torch.autograd.gradcheck(run, (waveform, *values))


@pytest.mark.parametrize("kind", KINDS)
def test_everything_learns(kind):
    front_end = kind(sample_rate=8000, n_filters=8)
    before = front_end(noise(4000)).detach()
    optimizer = torch.optim.Adam(front_end.parameters(), lr=1e-3)
    target = disturb(kind(sample_rate=8000, n_filters=8))(noise(4000)).detach()
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = (front_end(noise(4000)) - target).square().mean()
        loss.backward()
        for name, parameter in front_end.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.flatten(1 if parameter.ndim > 1 else 0).abs().sum(-1).min() > 0, name
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not torch.allclose(front_end(noise(4000)), before, atol=1e-4)


def test_parameters_are_held_to_their_limits():
    leaf = LEAF(**TINY).double()
    far = {"center_frequency": 9.0, "width": 99.0, "pooling_width": 9.0, "gain": 9.0, "power": 9.0, "smoothing": 9.0}
    limits = {"center_frequency": 0.5, "width": 21 * WIDTH, "pooling_width": 0.5, "gain": 1, "power": 1}
    limits |= {"smoothing": 1}
    near = {name: -value for name, value in far.items()} | {"bias": -1.0}
    least = {"center_frequency": 0, "width": 4 * WIDTH, "pooling_width": 2 / 15, "gain": 0, "power": 1e-4}
    least |= {"smoothing": 1e-4, "bias": 1e-4}
    results = []
    for values in (far, limits, near, least):
        with torch.no_grad():
            for name, value in values.items():
                leaf.get_parameter(name).fill_(value)
            results.append(leaf(noise(200).double()))
    assert_close(results[0], results[1])
    assert_close(results[2], results[3])

    sinc = SincNet(**TINY, min_bandwidth=20.0)
    with torch.no_grad():
        sinc.low[:] = torch.tensor([-0.1, 3.0, 0.2])
        sinc.width[:] = torch.tensor([-0.05, 1.0, 0.0])
    low, high = sinc.cutoffs
    assert_close(low, torch.tensor([0.1, 0.48, 0.2]))
    assert_close(high, torch.tensor([0.17, 0.5, 0.22]))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (LEAF, "center_frequency", 0.51),
        (LEAF, "width", 3 * WIDTH),
        (LEAF, "pooling_width", 0.51),
        (LEAF, "gain", 1.01),
        (LEAF, "bias", -0.01),
        (LEAF, "power", 1.01),
        (LEAF, "smoothing", 1.01),
        (SincNet, "low", 0.52),
        (SincNet, "width", 0.52),
    ],
)
def test_what_is_beyond_a_limit_still_learns(kind, name, value):
    front_end = kind(**TINY)
    with torch.no_grad():
        front_end.get_parameter(name).fill_(value)
    front_end(noise(200)).square().sum().backward()
    grad = front_end.get_parameter(name).grad
    assert grad is not None and grad.all()


@pytest.mark.parametrize("kind", KINDS)
def test_exported_it_is_the_same_at_any_length(kind):
    front_end = disturb(kind(sample_rate=8000))
    lengths = (torch.export.Dim("batch"), torch.export.Dim("time", min=300))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            front_end,
            (noise(2, 4000),),
            dynamic_shapes=(dict(enumerate(lengths)),),
            prefer_deferred_runtime_asserts_over_guards=True,
        ).module()
    for shape in ((2, 4000), (1, 300), (1, 10_240), (1, 10_241), (3, 30_000)):
        assert_close(program(noise(*shape)), front_end(noise(*shape)))


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused_with_its_reason(kind):
    for arguments, message in (
        ({"n_filters": 0}, r"n_filters: expected at least 1, got 0"),
        ({"kernel_size": 400}, r"kernel_size: expected an odd number of samples, .* got 400"),
        ({"kernel_size": 1}, r"kernel_size: expected an odd number of samples, at least 3, got 1"),
        ({"win_length": 400}, r"win_length: expected an odd number of samples, .* got 400"),
        ({"hop_length": 0}, r"hop_length: expected a whole number .*got 0"),
        ({"f_max": 8001.0}, r"half the sample rate, got \(.*, 8001.0\)"),
        ({"f_min": -1.0}, r"got \(-1.0, "),
        ({"sample_rate": 8000, "f_min": 4000.0}, r"got \(4000.0, "),
        ({"pad_mode": "wrap"}, r"pad_mode: .*got 'wrap'"),
    ):
        with pytest.raises(ValueError, match=message):
            kind(**arguments)
    with pytest.raises(ValueError, match=r"expected torch.float32, .*got torch.float64; convert it"):
        kind()(torch.zeros(16_000, dtype=torch.float64))


def test_bands_closer_than_the_least_bandwidth_are_refused():
    with pytest.raises(
        ValueError, match=r"min_bandwidth: expected above 0 and below 22.\d+ Hz, .*n_filters = 80 .*, got 50.0"
    ):
        SincNet(min_bandwidth=50.0)
    with pytest.raises(ValueError, match=r"min_bandwidth: .* got 0.0"):
        SincNet(min_bandwidth=0.0)


def test_they_read_well():
    assert "n_filters=40, kernel_size=401, win_length=401, hop_length=160" in repr(LEAF())
    assert "n_filters=80, kernel_size=251" in repr(SincNet()) and "min_bandwidth=5.0" in repr(SincNet())
    assert "n_filters=40, kernel_size=401" in repr(ConvFilterbank())
