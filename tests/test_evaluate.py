"""Figures of generated audio: closed forms, independent libraries, invariances, and real recordings."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from torch import nn

import audionet
from audionet import bundle, evaluate, features, models
from audionet.inference import Recognizer
from audionet.models.wavenet.network import WaveNet

RECORDINGS = Path(__file__).parents[2] / "shared/data/fsdd/recordings"
DIGITS = "zero one two three four five six seven eight nine".split()


@pytest.fixture
def recognizer(write_bundle):
    return audionet.load(write_bundle())


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_probabilities(n_clips=40, n_labels=5, seed=0):
    return (3 * normal(n_clips, n_labels, seed=seed)).softmax(-1)


# ---- bits per sample ---------------------------------------------------------------------------------------

SHAPE: dict[str, Any] = {
    "n_layers": 4,
    "n_cycles": 2,
    "residual_channels": 6,
    "gate_channels": 8,
    "skip_channels": 10,
    "output_channels": 10,
    "categories": {"label": ["a", "b", "c"]},
    "local_bands": 3,
    "upsample": [2, 4],
}


def make_wavenet(output="softmax", **changes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = WaveNet(output=output, **SHAPE | changes)
        nn.init.normal_(model.output.weight)  # so that what comes before it matters
    return model


def recordings(n_clips=5, time=120):
    frames = normal(n_clips, SHAPE["local_bands"], time // 8, seed=2).float()
    conditions = {"label": torch.arange(n_clips) % 3}
    return (0.3 * normal(n_clips, time, seed=1)).float().clamp(-1, 1), conditions, frames


@pytest.mark.parametrize("output", ["softmax", "logistic_mixture", "gaussian"])
def test_bits_are_the_mean_over_all_real_samples(output):
    model = make_wavenet(output)
    waveforms, conditions, frames = recordings()
    lengths = [120, 33, 1, 80, 47]
    bits = []
    with torch.inference_mode():
        for row, length in enumerate(lengths):
            samples = model.distribution.from_waveform(waveforms[row, None, :length])
            outputs = model(samples, {"label": conditions["label"][row, None]}, frames[row, None])
            bits += model.distribution.bits(outputs, samples)[0].tolist()
    assert len(bits) == sum(lengths)

    given = {"conditions": conditions, "frames": frames, "lengths": lengths}
    for batch_size in (1, 2, 8):
        measured = evaluate.bits_per_sample(model, waveforms, **given, batch_size=batch_size)
        assert measured == pytest.approx(np.mean(bits), rel=1e-5)
    padded = waveforms.clone()
    for row, length in enumerate(lengths):
        padded[row, length:] = 1
    assert evaluate.bits_per_sample(model, padded, **given) == pytest.approx(np.mean(bits), rel=1e-5)
    other = {**given, "conditions": {"label": 2 - conditions["label"]}}
    assert evaluate.bits_per_sample(model, waveforms, **other) != pytest.approx(np.mean(bits), rel=1e-4)


def test_knowing_nothing_of_256_codes_takes_8_bits():
    model = make_wavenet(categories=None, local_bands=0, upsample=())
    nn.init.zeros_(model.output.weight)
    nn.init.zeros_(model.output.bias)
    assert evaluate.bits_per_sample(model, recordings()[0]) == pytest.approx(8, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"waveforms": torch.zeros(120)}, r"\(clip, time\), got torch.float32 \(120,\)"),
        ({"waveforms": torch.zeros(0, 120)}, r"got torch.float32 \(0, 120\)"),
        ({"waveforms": torch.zeros(5, 120, dtype=torch.int16)}, "float samples.*int16"),
        ({"waveforms": torch.full((5, 120), torch.nan)}, "clips 0, 1, 2 and 2 more hold NaN"),
        ({"lengths": [1, 2]}, "lengths: 2 for 5 clips"),
        ({"lengths": [1, 2, 3, 4, 121]}, "expected 1 to 120 samples, got 121"),
        ({"lengths": [0, 2, 3, 4, 5]}, "expected 1 to 120 samples, got 0"),
        ({"conditions": {"label": torch.zeros(4, dtype=torch.int64)}}, "label: 4 for 5 clips"),
        ({"conditions": None}, r"expected \['label'\], got \[\]"),
        ({"frames": torch.zeros(6, 3, 15)}, "frames: 6 for 5 clips"),
        ({"frames": None}, "expected 3 bands, got none"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(change, words):
    waveforms, conditions, frames = recordings()
    given = {"waveforms": waveforms, "conditions": conditions, "frames": frames} | change
    with pytest.raises(ValueError, match=words):
        evaluate.bits_per_sample(make_wavenet(), **given)


# ---- what the recogniser sees ------------------------------------------------------------------------------


class FullyConvolutional(nn.Module):
    """Logits at each position, averaged: its last layer has an input a position."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Conv2d(1, 6, 3)
        self.last = nn.Conv2d(6, 10, 1)

    def forward(self, x):
        return self.last(self.hidden(x).relu()).mean((-2, -1))


class FrameByFrame(nn.Module):
    """Logits a frame by a linear layer, averaged; its last layer was made before the others."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(7, 10)
        self.hidden = nn.Linear(20, 7)

    def forward(self, x):
        return self.last(self.hidden(x[:, 0].mT).relu()).mean(1)


class WithoutLinearEnd(nn.Module):
    """What comes out last came from no layer with an output a label."""

    def forward(self, x):
        return x[:, 0, :10].mean(-1)


def with_network(recognizer, model, n_mels=20):
    front_end = features.create("LogMel", sample_rate=8000, n_mels=n_mels)
    parts = {"model": bundle.Part("other", {}, model.eval()), "front_end": bundle.Part("LogMel", {}, front_end.eval())}
    return Recognizer(dataclasses.replace(recognizer.bundle, **parts))


@pytest.mark.parametrize(
    ("network", "find_last", "n_features"),
    [
        (lambda: models.create("bcresnet", n_classes=10, n_bands=40), lambda model: model.head, 32),
        (lambda: models.create("tcresnet", n_classes=10, n_bands=40), lambda model: model.head[-1], 48),
        (FullyConvolutional, lambda model: model.last, 6),
        (FrameByFrame, lambda model: model.last, 7),
    ],
)
def test_features_are_what_the_last_layer_turns_into_logits(recognizer, network, find_last, n_features):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = network()
    recognizer = with_network(recognizer, model, 20 if network is FrameByFrame else 40)
    waveforms = [0.1 * normal(n_samples, seed=n_samples) for n_samples in (8000, 5000, 9000, 7999, 100)]

    seen, probabilities = evaluate.features_and_probabilities(recognizer, waveforms, 8000, batch_size=2)

    last = find_last(model)
    with torch.inference_mode():
        logits = seen.float() @ last.weight.flatten(1).mT + last.bias
    assert seen.shape == (5, n_features) and probabilities.shape == (5, 10)
    assert seen.dtype == probabilities.dtype == torch.float64
    torch.testing.assert_close(logits.softmax(-1).double(), probabilities, atol=1e-6, rtol=0)
    for waveform, row in zip(waveforms, probabilities, strict=True):
        expected = dict(recognizer.recognize(waveform, 8000))
        # Convolutions of another batch size add in another order.
        assert row.tolist() == pytest.approx([expected[label] for label in recognizer.labels], abs=1e-5)
    assert len(torch.unique(probabilities, dim=0)) == 5
    assert not any(module._forward_hooks for module in model.modules())


def test_waveforms_of_another_rate_are_resampled(recognizer):
    waveform = 0.1 * normal(2, 16_000)
    ours, _ = evaluate.features_and_probabilities(recognizer, [waveform], 16_000)
    clip = recognizer.to_clip(waveform, 16_000)
    assert clip.shape == (8000,)
    torch.testing.assert_close(ours, evaluate.features_and_probabilities(recognizer, [clip], 8000)[0])


def test_silent_clips_count_too(recognizer):
    seen, probabilities = evaluate.features_and_probabilities(recognizer, torch.zeros(3, 8000), 8000)
    assert seen.isfinite().all() and len(probabilities) == 3
    assert evaluate.inception_score(probabilities) == pytest.approx(1)


def test_waveforms_without_features_are_refused(recognizer):
    with pytest.raises(ValueError, match="got none"):
        evaluate.features_and_probabilities(recognizer, [], 8000)
    diverged = [torch.zeros(8000), torch.full((8000,), torch.nan)]
    with pytest.raises(ValueError, match="clip 1: waveform holds NaN"):
        evaluate.features_and_probabilities(recognizer, diverged, 8000)
    assert not any(module._forward_hooks for module in recognizer.bundle.model.module.modules())
    with pytest.raises(ValueError, match="last layer is not linear"):
        evaluate.features_and_probabilities(with_network(recognizer, WithoutLinearEnd()), torch.zeros(1, 8000), 8000)


# ---- Fréchet distance --------------------------------------------------------------------------------------


def with_moments(mean, covariance, n_clips=50, seed=0):
    """Features whose sample mean and covariance are these exactly."""
    covariance = torch.tensor(covariance, dtype=torch.float64)
    raw = normal(n_clips, len(covariance), seed=seed)
    raw = torch.linalg.qr(raw - raw.mean(0)).Q * math.sqrt(n_clips - 1)  # mean 0, covariance 1
    return raw @ torch.linalg.cholesky(covariance).mT + torch.tensor(mean, dtype=torch.float64)


def test_frechet_distance_of_known_gaussians():
    a = with_moments([1.0, -2.0], [[4.0, 0.0], [0.0, 9.0]])
    b = with_moments([3.0, 1.0], [[1.0, 0.0], [0.0, 25.0]], n_clips=80, seed=1)
    # Covariances that commute: |mean|² + the squared differences of the deviations.
    assert evaluate.frechet_distance(a, b) == pytest.approx((4 + 9) + (2 - 1) ** 2 + (3 - 5) ** 2, abs=1e-10)
    # In two dimensions tr (C_a C_b)^½ = √(tr C_a C_b + 2 √det C_a C_b).
    first, second = [[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 3.0]]
    product = np.array(first) @ np.array(second)
    expected = 3 + 4 - 2 * math.sqrt(np.trace(product) + 2 * math.sqrt(np.linalg.det(product)))
    c, d = with_moments([0.0, 0.0], first), with_moments([0.0, 0.0], second, seed=1)
    assert evaluate.frechet_distance(c, d) == pytest.approx(expected, abs=1e-10)


def test_frechet_distance_is_that_of_scipys_matrix_root():
    a = normal(300, 20) @ normal(20, 20, seed=1)
    b = normal(200, 20, seed=2) @ normal(20, 20, seed=3) + 0.5
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    means = a.mean(0) - b.mean(0)
    expected = float(means @ means) + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert evaluate.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert evaluate.frechet_distance(a.float(), b.float()) == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_does_not_depend_on_the_view():
    a, b = normal(60, 4), 2 * normal(50, 4, seed=1) + 1
    distance = evaluate.frechet_distance(a, b)
    rotation = torch.linalg.qr(normal(4, 4, seed=2)).Q
    assert evaluate.frechet_distance(b, a) == pytest.approx(distance)
    assert evaluate.frechet_distance(a.flip(0), b.flip(0)) == pytest.approx(distance)
    assert evaluate.frechet_distance(a @ rotation + 7, b @ rotation + 7) == pytest.approx(distance)
    assert evaluate.frechet_distance(3 * a, 3 * b) == pytest.approx(9 * distance)


def test_frechet_distance_of_equal_or_degenerate_features():
    a = normal(60, 4)
    a[:, 1] = 5  # a feature that never moves
    a[:, 3] = a[:, 0]
    assert evaluate.frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert evaluate.frechet_distance(a, a + 2) == pytest.approx(16)
    assert evaluate.frechet_distance(1e-8 * a, 1e-8 * a + 1e-4) == pytest.approx(4e-8, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (torch.zeros(4, 4), torch.zeros(9, 4), "4 clips are too few for the covariance of 4 features.*at least 5"),
        (torch.zeros(9, 4), torch.zeros(1, 4), "1 clips are too few"),
        (torch.zeros(9, 4), torch.zeros(9, 3), r"of one width; got \(9, 4\) and \(9, 3\)"),
        (torch.zeros(9), torch.zeros(9), r"got \(9,\)"),
        (torch.zeros(9, 4), torch.eye(9)[:, :4] / torch.eye(9)[:, :4], "NaN or Inf"),
    ],
)
def test_features_that_do_not_fit_are_refused(a, b, words):
    with pytest.raises(ValueError, match=words):
        evaluate.frechet_distance(a, b)


# ---- scores of probabilities -------------------------------------------------------------------------------


def test_scores_are_those_counted_by_scipy():
    probabilities, train = random_probabilities(), random_probabilities(seed=1).mean(0)
    p = probabilities.numpy()
    inception = np.exp(np.mean([scipy.stats.entropy(row, p.mean(0)) for row in p]))
    modified = np.exp(np.mean([scipy.stats.entropy(row, other) for row in p for other in p]))
    am = scipy.stats.entropy(train.numpy(), p.mean(0)) + np.mean([scipy.stats.entropy(row) for row in p])
    assert evaluate.inception_score(probabilities) == pytest.approx(inception, rel=1e-12)
    assert evaluate.modified_inception_score(probabilities) == pytest.approx(modified, rel=1e-12)
    assert evaluate.am_score(train, probabilities) == pytest.approx(am, rel=1e-12)


def test_scores_of_perfect_clips():
    perfect, even = torch.eye(10).repeat(3, 1), torch.full((10,), 0.1)
    assert evaluate.inception_score(perfect) == pytest.approx(10)
    assert evaluate.modified_inception_score(perfect) == math.inf
    assert evaluate.am_score(even, perfect) == pytest.approx(0, abs=1e-6)  # 0.1 in float32
    assert evaluate.class_accuracy(perfect, torch.arange(10).repeat(3)) == 1


def test_scores_of_clips_that_say_nothing():
    unclear, even = torch.full((7, 10), 0.1, dtype=torch.float64), torch.full((10,), 0.1, dtype=torch.float64)
    assert evaluate.inception_score(unclear) == pytest.approx(1)
    assert evaluate.modified_inception_score(unclear) == pytest.approx(1)
    assert evaluate.am_score(even, unclear) == pytest.approx(math.log(10))


def test_scores_of_clips_that_all_say_the_same():
    same = torch.eye(4)[:1].repeat(6, 1)  # three labels are impossible for all: they do not matter
    assert evaluate.inception_score(same) == pytest.approx(1)
    assert evaluate.modified_inception_score(same) == pytest.approx(1)
    assert evaluate.am_score(torch.tensor([1.0, 0, 0, 0]), same) == pytest.approx(0)
    assert evaluate.am_score(torch.full((4,), 0.25), same) == math.inf


def test_modified_inception_score_by_hand():
    p, q = 0.9, 0.2
    there = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    back = q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
    probabilities = torch.tensor([[p, 1 - p], [q, 1 - q]], dtype=torch.float64)
    assert evaluate.modified_inception_score(probabilities) == pytest.approx(math.exp((there + back) / 4), rel=1e-12)


def test_scores_do_not_depend_on_the_order():
    probabilities, train = random_probabilities(), random_probabilities(seed=1).mean(0)
    shuffled = probabilities.flip(0)
    for score in (evaluate.inception_score, evaluate.modified_inception_score):
        assert score(shuffled) == pytest.approx(score(probabilities))
        assert score(probabilities.flip(1)) == pytest.approx(score(probabilities))
        assert score(probabilities.repeat(2, 1)) == pytest.approx(score(probabilities))
    assert evaluate.am_score(train.flip(0), shuffled.flip(1)) == pytest.approx(evaluate.am_score(train, probabilities))


def test_class_accuracy():
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.5, 0.4], [0.0, 0.1, 0.9]])
    assert evaluate.class_accuracy(probabilities, [0, 1, 2, 2]) == 0.75
    assert evaluate.class_accuracy(probabilities, torch.tensor([1, 0, 0, 0])) == 0


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        (torch.tensor([[0.5, 0.5], [3.0, -2.0]]), "rows 1 are not.*softmax"),
        (torch.tensor([[0.5, 0.6]]), "rows 0 are not"),
        (torch.tensor([[0.5, torch.nan]]), "rows 0 are not"),
        (torch.tensor([0.5, 0.5]), r"expected \(clip, n_labels\), got \(2,\)"),
        (torch.zeros(0, 2), r"got \(0, 2\)"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities, words):
    for score in (
        evaluate.inception_score,
        evaluate.modified_inception_score,
        lambda p: evaluate.am_score(torch.tensor([0.5, 0.5]), p),
        lambda p: evaluate.class_accuracy(p, [0]),
    ):
        with pytest.raises(ValueError, match=words):
            score(probabilities)


def test_labels_that_do_not_fit_are_refused(recognizer):
    probabilities = random_probabilities(3, 5)
    for labels, words in (
        ([0, 1], "for 3 clips"),
        ([0, 1, 5], "positions 0 to 4"),
        (torch.tensor([0.0, 1.0, 2.0]), "positions"),
    ):
        with pytest.raises(ValueError, match=words):
            evaluate.class_accuracy(probabilities, labels)
    with pytest.raises(ValueError, match=r"expected \(5,\).*got \(4,\)"):
        evaluate.am_score(torch.full((4,), 0.25), probabilities)
    with pytest.raises(ValueError, match="rows 0 are not"):
        evaluate.am_score(torch.full((5,), 0.25), probabilities)
    clip = torch.zeros(1, 8000)
    with pytest.raises(ValueError, match=r"does not know eleven, only \['zero'"):
        evaluate.summarize(recognizer, clip, clip, 8000, labels=["eleven"])


# ---- spectrogram distance ----------------------------------------------------------------------------------


def sound(*shape, seed=0):
    return (0.1 * normal(*shape, seed=seed)).float()


def test_stft_distance_is_that_of_librosas_spectrograms():
    reference, generated = sound(2, 6000), sound(2, 6000, seed=1)
    expected = []
    for clip, true in zip(generated.numpy(), reference.numpy(), strict=True):
        distances = []
        for n_fft, window, hop in ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50)):
            x, y = (
                np.abs(librosa.stft(w, n_fft=n_fft, win_length=window, hop_length=hop, pad_mode="reflect"))
                for w in (clip, true)
            )
            floored = [np.maximum(magnitude, evaluate.MAGNITUDE_FLOOR) for magnitude in (x, y)]
            distances.append(np.linalg.norm(y - x) / np.linalg.norm(y) + np.abs(np.log(floored[0] / floored[1])).mean())
        expected.append(np.mean(distances))
    torch.testing.assert_close(
        evaluate.stft_distance(generated, reference), torch.tensor(expected).float(), atol=1e-5, rtol=0
    )


def test_stft_distance_in_closed_form():
    reference = sound(2, 3, 4000)
    assert evaluate.stft_distance(reference, reference).tolist() == [[0] * 3] * 2
    # Twice as loud: the difference is as large as the reference, each logarithm is ln 2 higher.
    torch.testing.assert_close(
        evaluate.stft_distance(2 * reference, reference), torch.full((2, 3), 1 + math.log(2)), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(evaluate.stft_distance(-reference, reference), torch.zeros(2, 3))  # magnitudes alone
    assert evaluate.stft_distance(reference[0, 0], reference[0, 0]).shape == ()


def test_stft_distance_grows_with_noise_and_has_a_gradient():
    reference = sound(4000)
    noise = sound(4000, seed=1)
    distances = [evaluate.stft_distance(reference + level * noise, reference) for level in (0.01, 0.1, 1)]
    assert distances == sorted(distances) and distances[0] > 0
    silent = torch.zeros(4000, requires_grad=True)
    evaluate.stft_distance(silent, reference).backward()
    assert silent.grad is not None and silent.grad.isfinite().all()
    generated = noise.clone().requires_grad_()
    evaluate.stft_distance(generated, reference).backward()
    assert generated.grad is not None and generated.grad.isfinite().all() and generated.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("generated", "reference", "words"),
    [
        (sound(2, 4000), sound(2, 4001), r"\(2, 4000\), reference \(2, 4001\).*cut both"),
        (sound(2, 4000), sound(2, 4000) * torch.tensor([[1.0], [0.0]]), "clips 1 are silent"),
        (torch.full((4000,), torch.nan), sound(4000), r"generated is nan at \(0,\)"),
        (sound(4000), torch.full((4000,), torch.inf), r"reference is inf at \(0,\): expected finite"),
        (sound(1024), sound(1024), "needs at least 1025 samples"),
        (torch.zeros(4000, dtype=torch.int16), torch.zeros(4000, dtype=torch.int16), "int16"),
    ],
)
def test_sounds_that_cannot_be_compared_are_refused(generated, reference, words):
    with pytest.raises(ValueError, match=words):
        evaluate.stft_distance(generated, reference)


# ---- all together ------------------------------------------------------------------------------------------


def test_summary_is_every_figure(recognizer):
    generated, training = sound(60, 4000), sound(80, 8000, seed=1)
    labels = [DIGITS[index % 10] for index in range(60)]

    summary = evaluate.summarize(recognizer, generated, training, 8000, labels=labels)

    seen, probabilities = evaluate.features_and_probabilities(recognizer, generated, 8000)
    true_features, true_probabilities = evaluate.features_and_probabilities(recognizer, training, 8000)
    assert summary == {
        "frechet_distance": evaluate.frechet_distance(seen, true_features),
        "inception_score": evaluate.inception_score(probabilities),
        "modified_inception_score": evaluate.modified_inception_score(probabilities),
        "am_score": evaluate.am_score(true_probabilities.mean(0), probabilities),
        "class_accuracy": evaluate.class_accuracy(probabilities, [index % 10 for index in range(60)]),
    }
    del summary["class_accuracy"]
    assert evaluate.summarize(recognizer, generated, training, 8000) == summary


@pytest.mark.skipif("digits" not in bundle.shipped("recognition"), reason="this checkout has no digits bundle")
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of FSDD are not here")
def test_real_digits_beat_noise():
    recognizer = audionet.load("digits")

    def load(*numbers):
        paths = sorted(path for number in numbers for path in RECORDINGS.glob(f"*_{number}.wav"))
        return [audionet.load_audio(path)[0] for path in paths], [DIGITS[int(path.name[0])] for path in paths]

    (test, labels), (training, _) = load(0, 1), load(10, 20, 30, 40)
    assert (len(test), len(training)) == (120, 240)
    real = evaluate.summarize(recognizer, test, training, 8000, labels=labels)
    noise = evaluate.summarize(recognizer, sound(120, 4000), training, 8000, labels=labels)

    assert real["class_accuracy"] > 0.95 and noise["class_accuracy"] < 0.3
    assert real["frechet_distance"] < 1 < 5 < noise["frechet_distance"]
    assert real["inception_score"] > 8 and noise["inception_score"] < 3
    assert real["modified_inception_score"] > 100 * noise["modified_inception_score"]
    assert real["am_score"] < 0.3 < 1 < noise["am_score"]
