"""What `like` builds gives the numbers of the tool it is named after."""

import pickle
from typing import Any

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


@pytest.mark.filterwarnings("ignore:At least one mel filterbank", "ignore:n_mels")
@pytest.mark.parametrize(
    ("kind", "ours", "transform", "theirs"),
    [
        (None, {}, transforms.MelSpectrogram, {}),
        (None, {"n_fft": 401}, transforms.MelSpectrogram, {"n_fft": 401}),
        (None, {"sample_rate": 11_025}, transforms.MelSpectrogram, {"sample_rate": 11_025}),
        ("Spectrogram", {}, transforms.Spectrogram, {}),
        ("mfcc", {}, transforms.MFCC, {}),
        ("MFCC", {"n_mfcc": 13, "n_mels": 40}, transforms.MFCC, {"n_mfcc": 13, "melkwargs": {"n_mels": 40}}),
        ("LFCC", {}, transforms.LFCC, {}),
    ],
)
def test_torchaudios_defaults(waveform, kind, ours, transform, theirs):
    assert_close(like("torchaudio", kind, **ours)(waveform), transform(**theirs)(waveform))


def test_empty_bands_are_computed_as_the_tool_does_with_a_warning():
    with pytest.warns(UserWarning, match=r"n_mels: 4 of 128 bands .* n_fft = 400 and are always empty: 0, 3, 6, 13"):
        front_end = like("torchaudio")
    assert front_end(noise(4000))[[0, 3, 6, 13]].abs().max() == 0
    assert front_end.axis.frequencies is not None and front_end.axis.frequencies.diff().min() > 0
    with pytest.warns(UserWarning, match=r"1 of 128 bands .* n_fft = 512 and are always empty: 3"):
        front_end = like("kaldi", n_mels=128)
    clip = noise(4000)
    assert_close(front_end(clip), kaldi.fbank(32768 * clip[None], num_mel_bins=128).T)
    assert front_end.axis.frequencies is not None and front_end.axis.frequencies.isfinite().all()
    with pytest.raises(ValueError, match=r"n_mels: .*of which 0, 3, 6, 13 are empty with n_fft = 400; raise n_fft to"):
        like("torchaudio", allow_empty_bands=False)


@pytest.mark.parametrize(("ours", "theirs"), [({}, {}), ({"n_mfcc": 13, "lifter": 22.0}, {"n_mfcc": 13, "lifter": 22})])
def test_librosas_mfcc(waveform, ours, theirs):
    assert_close(like("librosa", "MFCC", **ours)(waveform), librosa.feature.mfcc(y=waveform.numpy(), **theirs))
    mel = like("librosa", "MelSpectrogram")(waveform)
    assert_close(mel, librosa.feature.melspectrogram(y=waveform.numpy()))


def test_kaldis_mfcc(waveform):
    expected = kaldi.mfcc(32768 * waveform[None], use_energy=True, energy_floor=0.0).T
    assert_close(like("kaldi", "mfcc")(waveform), expected)


@pytest.mark.filterwarnings("ignore:n_mels")
@pytest.mark.parametrize(
    ("tool", "gain", "window", "mean", "std"),
    [
        ("ast", 1, "hanning", -4.2677393, 4.5689974),  # ASTFeatureExtractor
        ("audiomae", 1, "hanning", -4.2677393, 4.5689974),
        ("beats", 32768, "povey", 15.41663, 6.55582),  # BEATs.preprocess
    ],
)
def test_kaldis_bands_standardised(waveform, tool, gain, window, mean, std):
    fbank = kaldi.fbank(gain * waveform[None], num_mel_bins=128, window_type=window)
    assert_close(like(tool)(waveform), ((fbank - mean) / (2 * std)).T)


def test_vggish(waveform):
    assert_close(like("vggish")(waveform), np.log(np.exp(yamnet(waveform.numpy())) - 0.001 + 0.01))


def test_openwakeword(waveform):
    """Its melspectrogram.onnx of 16-bit samples, and what the tool does behind it: x / 10 + 2."""
    frames = np.lib.stride_tricks.sliding_window_view(32768 * waveform.numpy(), 512)[::160]
    window = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400), 56)
    filters = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=32, fmin=60, fmax=3800, dtype=np.float64)
    decibels = 10 * np.log10(np.maximum(filters @ np.abs(np.fft.rfft(frames * window)).T ** 2, 1e-10))
    assert_close(like("openwakeword")(waveform), np.maximum(decibels, decibels.max() - 80) / 10 + 2)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({}, {}), ({"mel_scale": "htk", "norm": None}, {"htk": True, "norm": None})],  # of fused models
    ids=["CLAP", "fused"],
)
def test_clap(waveform, ours, theirs):
    mel = librosa.feature.melspectrogram(
        y=waveform.numpy(), sr=48_000, n_fft=1024, hop_length=480, n_mels=64, fmin=50, fmax=14_000, pad_mode="reflect",
        **theirs,
    )  # fmt: skip
    assert_close(like("clap", **ours)(waveform), librosa.power_to_db(mel, top_db=None))


def nemo(waveform, *, n_mels, win_length, normalize):
    """FilterbankFeatures of NeMo's features.py, in evaluation, without its padding: (n_mels, time // 160)."""
    emphasised = torch.cat([waveform[:1], waveform[1:] - 0.97 * waveform[:-1]])
    window = torch.hann_window(win_length, periodic=False)
    spectrum = torch.stft(
        emphasised, 512, 160, win_length, window, center=True, pad_mode="constant", return_complex=True
    )
    filters = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=n_mels, fmin=0, fmax=8000, dtype=np.float64)
    x = np.log(filters @ spectrum.abs().square().numpy() + 2**-24)[:, : len(waveform) // 160]
    return (x - x.mean(1, keepdims=True)) / (x.std(1, ddof=1, keepdims=True) + 1e-5) if normalize else x


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("n_mels", "win_length"), [(64, 320), (80, 400)])
def test_nemo(waveform, n_mels, win_length, normalize):
    arguments = {"n_mels": n_mels, "win_length": win_length, "normalize": normalize}
    for time in (8000, 7999, 7841, 401):
        expected = nemo(waveform[:time], **arguments)
        # Silence is one logarithm, whose rounding is divided by 1e-5.
        expected = np.where(np.abs(expected) < 1e-9, 0.0, expected)
        assert_close(like("nemo", **arguments)(waveform[:time]), expected)


def test_waveforms(waveform):
    clips = torch.stack([waveform, 0.5 * waveform.flip(0) + 0.1])
    expected = (clips - clips.mean(-1, keepdim=True)) / (clips.var(-1, keepdim=True, correction=0) + 1e-7).sqrt()
    assert_close(like("wav2vec2")(clips)[:, 0], expected)
    assert torch.equal(like("encodec")(clips)[:, 0], clips)
    with pytest.raises(ValueError, match="needs the whole clip, got normalize = True"):
        Stream(like("wav2vec2"))


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


@pytest.mark.filterwarnings("ignore:n_mels")
@pytest.mark.parametrize("name", TOOLS)
def test_each_tool(name):
    front_end = like(name.upper())
    rate = front_end.sample_rate
    assert rate == {"librosa": 22_050, "clap": 48_000, "encodec": 24_000}.get(name, 16_000)
    clips = noise(2, 3, 4000)
    result = front_end(clips)
    assert result.ndim == 4 and result.shape[:2] == (2, 3)
    assert_close(result[1, 2], front_end(clips[1, 2]), 1e-12)
    assert torch.equal(pickle.loads(pickle.dumps(front_end))(clips), result)
    if (
        name == "micro_frontend"
    ):  # whole numbers have no gradient, and their six hundred operations take a compiler long
        return
    torch._dynamo.reset()  # all front-ends share one __call__, whose compilations torch counts
    compiled = torch.compile(front_end, backend="eager", fullgraph=True)
    assert_close(compiled(clips), result, 1e-12)
    silence = torch.zeros(4000, requires_grad=True)
    front_end(silence).square().sum().backward()
    assert silence.grad is not None and silence.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:n_mels")
@pytest.mark.parametrize("name", ["yamnet", "kaldi", "bcresnet", "beats", "encodec"])
def test_a_stream_equals_the_whole_clip(name):
    front_end = like(name)
    clip = noise(4000)
    for size in (13, 160, 1111):
        stream = Stream(front_end)
        frames = [stream.push(part) for part in clip.split(size)] + [stream.finish()]
        assert_close(torch.cat(frames, -1), front_end(clip), 1e-6)


def test_gradients():
    clip = torch.randn(40, generator=torch.Generator().manual_seed(5), requires_grad=True)
    sizes: dict[str, Any] = {"n_fft": 16, "hop_length": 5, "n_mels": 3}
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
        (
            lambda: like("essentia"),
            r"like: expected one of librosa, torchaudio, kaldi, nemo, whisper, .*, got 'essentia'",
        ),
        (lambda: like("librosa", n_mel=40), r"like librosa: .*'n_mel'"),
        (lambda: like("whisper", window="hann"), r"like whisper: .*'window'"),
        (lambda: like("yamnet", f_max=9000.0), r"half the sample rate, got \(125.0, 9000.0\)"),
        (
            lambda: like("yamnet", n_mels=200, allow_empty_bands=False),
            r"n_mels: .*got 200 .* and \d+ more are empty.*raise n_fft to .*allow_empty_bands=True",
        ),
        (
            lambda: like("librosa", "CQT"),
            r"like librosa: kind: expected one of logmel, melspectrogram, mfcc, got 'cqt'",
        ),
        (lambda: like("nemo", hop_length=300), r"hop_length: expected at most 256, half of n_fft = 512, got 300"),
        (lambda: like("clap", sample_rate=16_000), r"sample_rate: expected 48000 Hz, the only one that clap accepts"),
        (lambda: WhisperLogMel(hop_length=201), r"hop_length: expected at most 200, half of n_fft = 400, got 201"),
        (lambda: like("whisper")(torch.zeros(200)), r"at least 201 samples .*\(200,\)"),
        (lambda: like("yamnet")(torch.zeros(399)), r"at least 400 samples .*\(399,\)"),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()
