"""Evaluation: figures of recordings that networks are run over, and of real ones."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import audionet
from audionet import bundle, evaluate, features, metrics, models
from audionet.inference import Recognizer
from audionet.models.wavenet.network import WaveNet

RECORDINGS = Path(__file__).parents[2] / "shared/data/fsdd/recordings"
DIGITS = "zero one two three four five six seven eight nine".split()


@pytest.fixture
def recognizer(write_bundle):
    return audionet.load_recognizer(write_bundle())


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sound(*shape, seed=0):
    return (0.1 * normal(*shape, seed=seed)).float()


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
        ({"waveforms": torch.zeros(120)}, r"\(clip, time\), got \(torch.float32, \(120,\)"),
        ({"waveforms": torch.zeros(0, 120)}, r"got \(torch.float32, \(0, 120\)"),
        ({"waveforms": torch.zeros(5, 120, dtype=torch.int16)}, "float samples.*int16"),
        ({"waveforms": torch.full((5, 120), torch.nan)}, "finite samples, got others in rows 0, 1, 2 and 2 more"),
        ({"lengths": [1, 2]}, "lengths: expected 5, one a clip, got 2"),
        ({"lengths": [1, 2, 3, 4, 121]}, "expected 1 to 120 samples, got 121"),
        ({"lengths": [0, 2, 3, 4, 5]}, "expected 1 to 120 samples, got 0"),
        ({"conditions": {"label": torch.zeros(4, dtype=torch.int64)}}, "label: expected 5, one a clip, got 4"),
        ({"conditions": None}, r"expected \['label'\], got \[\]"),
        ({"frames": torch.zeros(6, 3, 15)}, "frames: expected 5, one a clip, got 6"),
        ({"frames": None}, r"frames: expected \(batch, 3 bands, frame\) .*got None"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(change, words):
    waveforms, conditions, frames = recordings()
    given = {"waveforms": waveforms, "conditions": conditions, "frames": frames} | change
    with pytest.raises(ValueError, match=words):
        evaluate.bits_per_sample(make_wavenet(), **given)


# ---- what the recogniser sees ------------------------------------------------------------------------------


class WithoutEmbedding(nn.Module):
    """A network that keeps no contract but the one of a bundle."""

    def forward(self, x):
        return x[:, 0, :10].mean(-1)


def with_network(recognizer, model, front_end="LogMel", **arguments):
    made = features.create(front_end, sample_rate=8000, **arguments)
    parts = {"model": bundle.Part("other", {}, model.eval()), "front_end": bundle.Part(front_end, {}, made.eval())}
    return Recognizer(dataclasses.replace(recognizer.bundle, **parts))


SMALL_STACK = {"n_layers": 4, "n_cycles": 2, "residual_channels": 6, "gate_channels": 8, "skip_channels": 10}
LAST_LAYERS: dict[str, tuple[dict[str, Any], Any, int]] = {
    "bcresnet": ({"n_bands": 40}, lambda model: model.head, 32),
    "tcresnet": ({"n_bands": 40}, lambda model: model.head[-1], 48),
    "wavenet_classifier": (
        SMALL_STACK | {"frame_length": 80, "frame_channels": 12, "output_channels": 10},
        lambda model: model.head[-1],
        12,
    ),
}


@pytest.mark.parametrize("name", LAST_LAYERS)
def test_embeddings_are_what_the_last_layer_turns_into_logits(recognizer, name):
    arguments, find_last, channels = LAST_LAYERS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = models.create(name, n_classes=10, **arguments)
    front_end = {"front_end": "Waveform"} if name == "wavenet_classifier" else {"n_mels": 40}
    recognizer = with_network(recognizer, model, **front_end)
    waveforms = [0.1 * normal(n_samples, seed=n_samples) for n_samples in (8000, 5000, 9000, 7999, 100)]

    embeddings, probabilities = evaluate.embeddings_and_probabilities(recognizer, waveforms, 8000, batch_size=2)

    last = find_last(model)
    with torch.inference_mode():
        logits = embeddings.float() @ last.weight.flatten(1).mT + last.bias
    assert embeddings.shape == (5, channels) and probabilities.shape == (5, 10)
    assert embeddings.dtype == probabilities.dtype == torch.float64
    torch.testing.assert_close(logits.softmax(-1).double(), probabilities, atol=1e-6, rtol=0)
    for waveform, row in zip(waveforms, probabilities, strict=True):
        expected = dict(recognizer.recognize(waveform, 8000))
        # Convolutions of another batch size add in another order.
        assert row.tolist() == pytest.approx([expected[label] for label in recognizer.labels], abs=1e-5)
    assert len(torch.unique(probabilities, dim=0)) == 5


def test_waveforms_of_another_rate_are_resampled(recognizer):
    waveform = 0.1 * normal(2, 16_000)
    ours, _ = evaluate.embeddings_and_probabilities(recognizer, [waveform], 16_000)
    clip = recognizer.to_clip(waveform, 16_000)
    assert clip.shape == (8000,)
    torch.testing.assert_close(ours, evaluate.embeddings_and_probabilities(recognizer, [clip], 8000)[0])


def test_silent_clips_count_too(recognizer):
    embeddings, probabilities = evaluate.embeddings_and_probabilities(recognizer, torch.zeros(3, 8000), 8000)
    assert embeddings.isfinite().all() and len(probabilities) == 3
    assert metrics.inception_score(probabilities) == pytest.approx(1)


def test_waveforms_without_embeddings_are_refused(recognizer):
    with pytest.raises(ValueError, match=r"waveforms: expected at least one, got \[\]"):
        evaluate.embeddings_and_probabilities(recognizer, [], 8000)
    diverged = [torch.zeros(8000), torch.full((8000,), torch.nan)]
    with pytest.raises(ValueError, match="clip 1: waveform: .*NaN"):
        evaluate.embeddings_and_probabilities(recognizer, diverged, 8000)
    with pytest.raises(ValueError, match="expected a network with embed and head, got 'other'; give it both"):
        other = with_network(recognizer, WithoutEmbedding())
        evaluate.embeddings_and_probabilities(other, torch.zeros(1, 8000), 8000)


def test_a_label_that_the_recogniser_does_not_know_is_refused(recognizer):
    clip = torch.zeros(1, 8000)
    with pytest.raises(ValueError, match=r"those of the recogniser, zero.*got eleven"):
        evaluate.summarize(recognizer, clip, clip, 8000, labels=["eleven"])


# ---- all together ------------------------------------------------------------------------------------------


def test_summary_is_every_figure(recognizer):
    generated, training = sound(60, 4000), sound(80, 8000, seed=1)
    labels = [DIGITS[index % 10] for index in range(60)]

    summary = evaluate.summarize(recognizer, generated, training, 8000, labels=labels)

    embeddings, probabilities = evaluate.embeddings_and_probabilities(recognizer, generated, 8000)
    true_embeddings, true_probabilities = evaluate.embeddings_and_probabilities(recognizer, training, 8000)
    assert summary == {
        "frechet_distance": metrics.frechet_distance(embeddings, true_embeddings),
        "inception_score": metrics.inception_score(probabilities),
        "modified_inception_score": metrics.modified_inception_score(probabilities),
        "am_score": metrics.am_score(true_probabilities.mean(0), probabilities),
        "class_accuracy": metrics.class_accuracy(probabilities, [index % 10 for index in range(60)]),
    }
    del summary["class_accuracy"]
    assert evaluate.summarize(recognizer, generated, training, 8000) == summary


@pytest.mark.skipif("digits" not in bundle.shipped("recognition"), reason="this checkout has no digits bundle")
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of FSDD are not here")
def test_real_digits_beat_noise():
    recognizer = audionet.load_recognizer("digits")

    def load(*numbers):
        paths = sorted(path for number in numbers for path in RECORDINGS.glob(f"*_{number}.wav"))
        return [audionet.load_audio(path)[0] for path in paths], [DIGITS[int(path.name[0])] for path in paths]

    (test, labels), (training, _) = load(0, 1, 2), load(10, 20, 30, 40)
    assert (len(test), len(training)) == (180, 240)
    real = evaluate.summarize(recognizer, test, training, 8000, labels=labels)
    noise = evaluate.summarize(recognizer, sound(180, 4000), training, 8000, labels=labels)

    assert real["class_accuracy"] > 0.95 and noise["class_accuracy"] < 0.3
    assert 10 * real["frechet_distance"] < noise["frechet_distance"]
    assert real["inception_score"] > 8 and noise["inception_score"] < 3
    assert real["modified_inception_score"] > 100 * noise["modified_inception_score"]
    assert real["am_score"] < 0.3 < 1 < noise["am_score"]
