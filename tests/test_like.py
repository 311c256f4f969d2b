"""What `like` builds gives the numbers of the tool it is named after."""

import pickle

import librosa
import numpy as np
import pytest
import torch
from torchaudio import transforms
from torchaudio.compliance import kaldi

from audionet.features import LogMel, Stream
from audionet.features.compat.like import TOOLS, like
from audionet.features.compat.whisper import WhisperLogMel
from tests.sounds import assert_close, noise, sound

FITTING = {"torchaudio": {"n_mels": 40}}  # without which torchaudio's own have empty bands
pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(params=["noise", "impulse", "silence", "recording"])
def waveform(request):
    """(time,) float64, 8,000 samples: the sound, and silence after it."""
    clip = sound(request.param)
    return torch.nn.functional.pad(clip, (0, 8000 - len(clip)))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"sample_rate": 16_000, "n_mels": 64}, {"sr": 16_000, "n_mels": 64}),
        ({"n_fft": 1024, "hop_length": 256, "f_min": 50.0}, {"n_fft": 1024, "hop_length": 256, "fmin": 50.0}),
        ({"n_fft": 1025, "mel_scale": "htk", "norm": None}, {"n_fft": 1025, "htk": True, "norm": None}),
    ],
)
def test_librosa(waveform, ours, theirs):
    mel = librosa.feature.melspectrogram(y=waveform.numpy(), **theirs)
    assert_close(like("librosa", **ours)(waveform), librosa.power_to_db(mel))
    floorless = like("librosa", top_db=None, **ours)(waveform)
    assert_close(floorless, librosa.power_to_db(mel, top_db=None))


@pytest.mark.parametrize(
    "options",
    [
        {"n_mels": 40},
        {"n_fft": 1024},
        {"n_fft": 512, "win_length": 480, "n_mels": 64},
        {"sample_rate": 44_100, "n_fft": 2048, "hop_length": 441, "f_max": 20_000.0, "power": 1.0},
        {"n_fft": 1024, "mel_scale": "slaney", "norm": "slaney", "center": False},
    ],
    ids=str,
)
def test_torchaudio(waveform, options):
    assert_close(like("torchaudio", **options)(waveform), transforms.MelSpectrogram(**options)(waveform))


def test_torchaudios_empty_bands_are_refused():
    with pytest.raises(
        ValueError, match=r"n_mels: .*got 128 .*\[0, 3, 6, 13\] are empty with n_fft = 400; raise n_fft to"
    ):
        like("torchaudio")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"n_mels": 80, "use_energy": True}, {"num_mel_bins": 80, "use_energy": True, "energy_floor": 0.0}),
        ({"sample_rate": 8000, "snip_edges": False}, {"sample_frequency": 8000.0, "snip_edges": False}),
    ],
)
def test_kaldi(waveform, ours, theirs):
    assert_close(like("kaldi", **ours)(waveform), kaldi.fbank(32768 * waveform[None], **theirs).T)


def whisper(waveform, n_mels):
    """log_mel_spectrogram of Whisper's audio.py: (n_mels, time // 160)."""
    spectrum = librosa.stft(waveform, n_fft=400, hop_length=160, window="hann", center=True, pad_mode="reflect")
    filters = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=n_mels, dtype=np.float64)
    x = np.log10(np.maximum(filters @ np.abs(spectrum[:, :-1]) ** 2, 1e-10))
    return (np.maximum(x, x.max() - 8.0) + 4.0) / 4.0


@pytest.mark.parametrize("n_mels", [80, 128])
def test_whisper(waveform, n_mels):
    for time in (8000, 7999, 7841, 7840, 401):
        clip = waveform[:time]
        assert_close(like("whisper", n_mels=n_mels)(clip), whisper(clip.numpy(), n_mels))


def test_whisper_hears_each_clip_of_a_batch_by_itself():
    clips = noise(2, 4000) * torch.tensor([[1.0], [1e-4]])
    expected = np.stack([whisper(clip.numpy(), 80) for clip in clips])
    assert_close(like("whisper")(clips), expected)


def test_whisper_on_a_stream_needs_its_floor_off():
    with pytest.raises(ValueError, match=r"expected no setting that needs the whole clip, got top_db = 80.0"):
        Stream(like("whisper"))
    clip = noise(4001)
    front_end = like("whisper", top_db=None)
    for sizes in ([11] * 363 + [8], [160] * 25 + [1], [7, 193, 0, 1, 3800], [4001]):
        for kind in (torch.Tensor.numpy, torch.Tensor.clone):
            stream = Stream(front_end)
            frames = [stream.push(kind(part)) for part in clip.split(sizes)] + [stream.finish()]
            assert_close(torch.cat([torch.as_tensor(part) for part in frames], -1), front_end(clip), 1e-6)
    assert_close(front_end(clip), whisper(clip.numpy(), 80))  # noise stays above the floor


def yamnet(waveform):
    """waveform_to_log_mel_spectrogram_patches of YAMNet's features.py, before the patches: (64, frame)."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 400)[::160]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    magnitude = np.abs(np.fft.rfft(frames * hann, 512))
    # tf.signal.linear_to_mel_weight_matrix
    bins = 1127.0 * np.log(1.0 + np.linspace(0, 8000, 257) / 700.0)
    lowest, highest = 1127.0 * np.log(1.0 + np.array([125.0, 7500.0]) / 700.0)
    edges = np.linspace(lowest, highest, 66)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[1:, None] - lower) / (centre - lower)
    falling = (upper - bins[1:, None]) / (upper - centre)
    weights = np.pad(np.maximum(0, np.minimum(rising, falling)), [(1, 0), (0, 0)])
    return np.log(magnitude @ weights + 0.001).T


def test_yamnet(waveform):
    for time in (8000, 7921, 400):
        clip = waveform[:time]
        assert_close(like("yamnet")(clip), yamnet(clip.numpy()))
    assert like("yamnet")(torch.zeros(15_600)).shape == (64, 96)  # the patch that YAMNet looks at


def test_bcresnet(waveform):
    mel = transforms.MelSpectrogram(16_000, n_fft=512, win_length=480, hop_length=160, n_mels=40)
    assert_close(like("bcresnet")(waveform), (mel(waveform) + 1e-6).log())
    assert isinstance(like("bcresnet", subtract_mean="clip"), LogMel)


@pytest.mark.parametrize("name", TOOLS)
def test_each_tool(name):
    front_end = like(name.upper(), **FITTING.get(name, {}))
    rate = front_end.sample_rate
    assert rate == (22_050 if name == "librosa" else 16_000)
    clips = noise(2, 3, 4000)
    result = front_end(clips)
    assert result.ndim == 4 and result.shape[:2] == (2, 3)
    assert_close(result[1, 2], front_end(clips[1, 2]), 1e-12)
    assert torch.equal(pickle.loads(pickle.dumps(front_end))(clips), result)
    torch._dynamo.reset()  # all front-ends share one __call__, whose compilations torch counts
    compiled = torch.compile(front_end, backend="eager", fullgraph=True)
    assert_close(compiled(clips), result, 1e-12)
    silence = torch.zeros(4000, requires_grad=True)
    front_end(silence).square().sum().backward()
    assert silence.grad is not None and silence.grad.isfinite().all()


@pytest.mark.parametrize("name", ["yamnet", "kaldi", "bcresnet"])
def test_a_stream_equals_the_whole_clip(name):
    front_end = like(name)
    clip = noise(4000)
    for size in (13, 160, 1111):
        stream = Stream(front_end)
        frames = [stream.push(part) for part in clip.split(size)] + [stream.finish()]
        assert_close(torch.cat(frames, -1), front_end(clip), 1e-6)


def test_gradients():
    clip = torch.randn(40, generator=torch.Generator().manual_seed(5), requires_grad=True)
    sizes = {"n_fft": 16, "hop_length": 5, "n_mels": 3}
    assert torch.autograd.gradcheck(like("whisper", **sizes), clip)
    assert torch.autograd.gradcheck(like("yamnet", **sizes, win_length=12), clip)


@pytest.mark.parametrize("name", ["whisper", "yamnet", "bcresnet"])
def test_a_sample_rate_that_the_tool_does_not_accept_is_refused(name):
    assert like(name, sample_rate=16_000).sample_rate == 16_000
    message = (
        rf"sample_rate: expected 16000 Hz, the only one that {name} accepts, got 8000 Hz; resample with .*load_audio"
    )
    with pytest.raises(ValueError, match=message):
        like(name, sample_rate=8000)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: like("essentia"), r"like: expected one of librosa, torchaudio, kaldi, whisper, .*, got 'essentia'"),
        (lambda: like("librosa", n_mel=40), r"like librosa: .*'n_mel'"),
        (lambda: like("whisper", window="hann"), r"like whisper: .*'window'"),
        (lambda: like("yamnet", f_max=9000.0), r"half the sample rate, got \(125.0, 9000.0\)"),
        (lambda: like("yamnet", n_mels=200), r"n_mels: .*got 200 .*\[.*\] are empty.*raise n_fft to"),
        (lambda: WhisperLogMel(hop_length=201), r"hop_length: expected at most 200, half of n_fft = 400, got 201"),
        (lambda: like("whisper")(torch.zeros(200)), r"at least 201 samples .*\(200,\)"),
        (lambda: like("yamnet")(torch.zeros(399)), r"at least 400 samples .*\(399,\)"),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()
