"""Kaldi's features equal torchaudio's, and Kaldi's definitions written out in NumPy, offline and on a stream."""

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi

from audionet.features import Stream
from audionet.features.compat.kaldi import KaldiFbank, KaldiMFCC, kaldi_framing, kaldi_window
from audionet.features.mel import straight_mel_matrix
from tests.sounds import assert_close, noise, sound

EPSILON = 2.0**-23
pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(params=["noise", "impulse", "silence", "recording"])
def waveform(request):
    """(time,) float64."""
    return sound(request.param)


FBANKS = [
    ({}, {}),
    ({"n_mels": 40, "f_min": 60.0, "f_max": 7600.0}, {"num_mel_bins": 40, "low_freq": 60.0, "high_freq": 7600.0}),
    ({"win_length": 320, "hop_length": 96}, {"frame_length": 20.0, "frame_shift": 6.0}),
    ({"win_length": 313, "hop_length": 125}, {"frame_length": 313 / 16, "frame_shift": 125 / 16}),
    ({"sample_rate": 8000, "n_mels": 15}, {"sample_frequency": 8000.0, "num_mel_bins": 15}),
    ({"sample_rate": 11_025, "n_mels": 15}, {"sample_frequency": 11_025.0, "num_mel_bins": 15}),
    ({"window": "hamming", "preemphasis": 0.0}, {"window_type": "hamming", "preemphasis_coefficient": 0.0}),
    ({"window": "hanning", "remove_dc": False}, {"window_type": "hanning", "remove_dc_offset": False}),
    ({"window": "rectangular", "preemphasis": 0.9}, {"window_type": "rectangular", "preemphasis_coefficient": 0.9}),
    ({"window": "blackman", "round_to_power_of_two": False},) * 2,
    ({"use_energy": True},) * 2,
    ({"use_energy": True, "energy_floor": 1.0, "raw_energy": False},) * 2,
    ({"use_log": False}, {"use_log_fbank": False}),
    ({"use_log": False, "use_power": False}, {"use_log_fbank": False, "use_power": False}),
]


def theirs_of(options):
    """The options as torchaudio calls them, with Kaldi's energy floor."""
    options = {"energy_floor": 0.0, **options}
    return {{"window": "window_type"}.get(name, name): value for name, value in options.items()}


@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize(("ours", "theirs"), FBANKS, ids=lambda options: "-".join(options))
def test_fbank_equals_torchaudio(waveform, ours, theirs, snip_edges):
    expected = kaldi.fbank(32768 * waveform[None], snip_edges=snip_edges, **theirs_of(theirs)).T
    assert_close(KaldiFbank(**ours, snip_edges=snip_edges)(waveform), expected)


@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize("use_energy", [True, False])
@pytest.mark.parametrize(("n_mfcc", "n_mels", "lifter"), [(13, 23, 22.0), (20, 40, 0.0), (30, 30, 10.0)])
def test_mfcc_equals_torchaudio(waveform, n_mfcc, n_mels, lifter, use_energy, snip_edges):
    shared = {"use_energy": use_energy, "snip_edges": snip_edges}
    theirs = {"num_ceps": n_mfcc, "num_mel_bins": n_mels, "cepstral_lifter": lifter, "energy_floor": 0.0}
    expected = kaldi.mfcc(32768 * waveform[None], **theirs, **shared).T
    assert_close(KaldiMFCC(n_mfcc=n_mfcc, n_mels=n_mels, lifter=lifter, **shared)(waveform), expected)


def kaldi_mel(hertz):
    return 1127.0 * np.log(1.0 + hertz / 700.0)


def kaldi_fbank(samples, *, snip_edges, sample_rate=16_000, n_mels=23, f_min=20.0, window=400, shift=160):
    """compute-fbank-feats --dither=0 as its sources define it, one number after the other: (frame, n_mels)."""
    samples = 32768.0 * np.asarray(samples)
    n_samples = len(samples)
    n_frames = 1 + (n_samples - window) // shift if snip_edges else (n_samples + shift // 2) // shift
    n_fft = 512
    edges = np.linspace(kaldi_mel(f_min), kaldi_mel(sample_rate / 2), n_mels + 2)
    povey = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))) ** 0.85
    result = np.empty((n_frames, n_mels))
    for t in range(n_frames):
        begin = t * shift if snip_edges else t * shift + shift // 2 - window // 2
        frame = np.empty(window)
        for n in range(window):
            place = begin + n
            while not 0 <= place < n_samples:
                place = -place - 1 if place < 0 else 2 * n_samples - 1 - place
            frame[n] = samples[place]
        frame -= frame.mean()
        before = np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.rfft((frame - 0.97 * before) * povey, n_fft)) ** 2
        for band in range(n_mels):
            left, centre, right = edges[band : band + 3]
            energy = 0.0
            for k in range(n_fft // 2):
                mel = kaldi_mel(k * sample_rate / n_fft)
                if left < mel < right:
                    weight = (mel - left) / (centre - left) if mel <= centre else (right - mel) / (right - centre)
                    energy += weight * power[k]
            result[t, band] = np.log(max(energy, EPSILON))
    return result


@pytest.mark.parametrize("snip_edges", [True, False])
def test_fbank_equals_kaldis_definition(waveform, snip_edges):
    clip = waveform[:1300]
    assert_close(KaldiFbank(snip_edges=snip_edges)(clip), kaldi_fbank(clip, snip_edges=snip_edges).T, 1e-9)


def test_mfcc_equals_kaldis_definition(waveform):
    clip = waveform[:1300]
    bands = kaldi_fbank(clip, snip_edges=True)
    expected = np.empty((len(bands), 13))
    for t, frame in enumerate(bands):
        for n in range(13):
            scale = np.sqrt((1 if n == 0 else 2) / 23)
            cosines = np.cos(np.pi / 23 * (np.arange(23) + 0.5) * n)
            expected[t, n] = scale * (frame @ cosines) * (1 + 11 * np.sin(np.pi * n / 22))
        samples = 32768 * clip.numpy()[160 * t : 160 * t + 400]
        expected[t, 0] = np.log(max(((samples - samples.mean()) ** 2).sum(), EPSILON))
    assert_close(KaldiMFCC()(clip), expected.T, 1e-9)


@pytest.mark.parametrize("hop_length", [100, 125, 160, 399, 400])
@pytest.mark.parametrize("win_length", [400, 401])
def test_number_of_frames(win_length, hop_length):
    sizes = {"win_length": win_length, "hop_length": hop_length, "n_mels": 4}
    for time in (win_length, win_length + 1, 777, 2000, 2001):
        samples = torch.ones(time)
        assert KaldiFbank(**sizes)(samples).shape == (4, 1 + (time - win_length) // hop_length)
        assert KaldiFbank(**sizes, snip_edges=False)(samples).shape == (4, (time + hop_length // 2) // hop_length)


def test_a_clip_shorter_than_a_window():
    with pytest.raises(ValueError, match=r"at least 400 samples .*\(399,\)"):
        KaldiFbank()(torch.zeros(399))
    clip = noise(200)
    assert_close(KaldiFbank(snip_edges=False)(clip), kaldi_fbank(clip, snip_edges=False).T)
    with pytest.raises(ValueError, match=r"at least 200 samples .*\(199,\)"):
        KaldiFbank(snip_edges=False)(clip[:199])


FRONT_ENDS = {
    "fbank": lambda **options: KaldiFbank(n_mels=40, **options),
    "energy": lambda **options: KaldiFbank(use_energy=True, window="hamming", raw_energy=False, **options),
    "mfcc": KaldiMFCC,
}
EDGES = [
    {},
    {"snip_edges": False},
    {"snip_edges": False, "win_length": 401, "hop_length": 125},
    {"snip_edges": False, "win_length": 300, "hop_length": 299},
]


@pytest.mark.parametrize("build", FRONT_ENDS.values(), ids=FRONT_ENDS)
@pytest.mark.parametrize("options", EDGES, ids=str)
def test_a_stream_equals_the_whole_clip(build, options):
    front_end = build(**options)
    for time in (1999, 1040):
        clip = noise(2, time)
        whole = front_end(clip)
        for chunks in ([9] * 100, [160] * 20, [7, 0, 500, 1, 3000], [3000], [0, 119, 1, 79, 1, 199]):
            parts = []
            begin = 0
            for n in chunks:
                parts.append(clip[..., begin : begin + n])
                begin += n
            stream = Stream(front_end)
            frames = [stream.push(part) for part in (*parts, clip[..., begin:])] + [stream.finish()]
            assert_close(torch.cat(frames, -1), whole, 1e-6)


def test_a_frame_of_a_stream_comes_as_soon_as_its_samples_have():
    clip = noise(2000)
    for snip_edges, latency in ((True, 399), (False, 279)):
        stream = Stream(KaldiFbank(snip_edges=snip_edges))
        assert stream.latency == latency
        given = [stream.push(sample).shape[-1] for sample in clip.split(1)]
        assert [n for n, count in enumerate(given) if count] == list(range(latency, 2000, 160))


def test_a_stream_refuses_the_clip_that_is_too_short_as_the_whole():
    stream = Stream(KaldiFbank(snip_edges=False))
    stream.push(torch.zeros(150))
    with pytest.raises(ValueError, match=r"at least 200 samples"):
        stream.finish()


def test_a_batch_with_energy_equals_one_by_one():
    front_end = KaldiFbank(use_energy=True, window="hamming", raw_energy=False)
    batch = noise(2, 3, 1500) * torch.tensor([[[1.0]], [[1e-3]]])
    result = front_end(batch)
    for index in np.ndindex(2, 3):
        assert_close(result[index], front_end(batch[index]), 1e-12)


@pytest.mark.parametrize("options", [{}, {"snip_edges": False, "window": "hamming"}], ids=str)
def test_gradients(options):
    tiny = {"win_length": 16, "hop_length": 5, "n_mels": 3, "f_min": 300.0, **options}
    clips = noise(2, 33).requires_grad_()
    for front_end in (
        KaldiFbank(**tiny, use_energy=True, raw_energy=False),
        KaldiFbank(**tiny, use_power=False),
        KaldiMFCC(**tiny, n_mfcc=2),
    ):
        assert torch.autograd.gradcheck(front_end, clips)


@pytest.mark.parametrize("options", [{"use_energy": True, "raw_energy": False}, {"use_power": False}], ids=str)
def test_digital_silence_is_finite_and_so_is_its_gradient(options):
    silence = torch.zeros(1000, requires_grad=True)
    result = KaldiFbank(**options)(silence)
    result.square().sum().backward()
    assert result.isfinite().all()
    assert silence.grad is not None and silence.grad.isfinite().all()


def test_it_says_what_it_is_and_has_nothing_to_learn():
    front_end = KaldiMFCC(snip_edges=False)
    for part in ("n_mfcc=13", "lifter=22.0", "n_mels=23", "win_length=400", "window='povey'", "snip_edges=False"):
        assert part in repr(front_end)
    assert front_end.state_dict() == {}


def test_a_picture_shows_the_bands_where_they_are():
    frequencies = KaldiFbank(n_mels=40).axis.frequencies
    assert frequencies is not None and frequencies.shape == (40,)
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(4000) / 16_000)
    loudest = int(KaldiFbank(n_mels=40)(tone).mean(-1).argmax())
    assert abs(float(frequencies[loudest]) - 1000) < 100
    assert KaldiFbank(use_energy=True).axis.frequencies is None
    assert KaldiMFCC().axis.band == "coefficient"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: KaldiFbank(window="hann"), r"window: expected one of povey, hamming, .* got 'hann'"),
        (lambda: KaldiFbank(win_length=1), r"win_length: expected at least 2, got 1"),
        (
            lambda: KaldiFbank(win_length=399, round_to_power_of_two=False),
            r"win_length: expected an even number without round_to_power_of_two, got 399",
        ),
        (lambda: KaldiFbank(hop_length=0), r"hop_length: expected a whole number .*got 0"),
        (
            lambda: KaldiFbank(hop_length=500, snip_edges=False),
            r"hop_length: expected at most .* 400 without snip_edges, got 500",
        ),
        (lambda: KaldiFbank(preemphasis=1.5), r"preemphasis: expected a number from 0 to 1, got 1.5"),
        (lambda: KaldiFbank(energy_floor=-1.0), r"energy_floor: expected at least 0, got -1.0"),
        (lambda: KaldiFbank(n_mels=0), r"n_mels: expected at least 1 band, got 0"),
        (
            lambda: KaldiFbank(n_mels=128),
            r"n_mels: .*got 128 from 20 .*of which 3 are empty with n_fft = 512; raise n_fft to 517",
        ),
        (lambda: KaldiFbank(f_max=8001.0), r"f_max <= 8000 Hz, .*got \(20.0, 8001.0\)"),
        (lambda: KaldiMFCC(n_mfcc=24), r"n_mfcc: expected 1 to n_mels = 23, got 24"),
        (lambda: KaldiMFCC(lifter=-1.0), r"lifter: expected at least 0, got -1.0"),
        (
            lambda: KaldiFbank()(torch.zeros(800, dtype=torch.float32)),
            r"expected torch.float64, .*got torch.float32; c",
        ),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_the_parts_alone():
    assert kaldi_framing(400, 160, snip_edges=False).left == 120
    assert kaldi_window("povey", 400)[0] == 0
    filters = straight_mel_matrix(sample_rate=16_000, n_fft=512, n_mels=23, f_min=20.0, f_max=8000.0)
    expected, _ = kaldi.get_mel_banks(23, 512, 16_000.0, 20.0, 8000.0, 100.0, -500.0, 1.0)
    assert_close(filters[:-1], expected.T)
    assert filters[-1].abs().max() < 1e-12
