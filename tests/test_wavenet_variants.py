"""The autoencoder codes both directions and decodes causally; the classifier learns its two tasks in one pass."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import audionet
from audionet import bundle, features, models
from audionet.datasets import open_corpus
from audionet.features import Waveform
from audionet.models import WaveNet, WaveNetAutoencoder, WaveNetClassifier
from audionet.training import ClipData, Recognition, fit_and_test

STACK: dict[str, Any] = {
    "n_layers": 6,
    "n_cycles": 2,
    "residual_channels": 8,
    "gate_channels": 12,
    "skip_channels": 10,
    "output_channels": 9,
}
ENCODER: dict[str, Any] = {"encoder_layers": 4, "encoder_cycles": 2, "encoder_channels": 7, "bottleneck_channels": 3}
HOP = 6


def autoencoder(**changes: Any) -> WaveNetAutoencoder:
    torch.manual_seed(0)
    return WaveNetAutoencoder(**ENCODER | STACK | {"upsample": (2, 3), "local_channels": 5} | changes)


def classifier(**changes: Any) -> WaveNetClassifier:
    torch.manual_seed(0)
    return WaveNetClassifier(**STACK | {"n_classes": 4, "frame_length": 20, "frame_channels": 11} | changes)


def noise(*shape: int) -> Tensor:
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(1)) / 4).clamp(-1, 1)


def reach(output: Tensor, waveform: Tensor) -> list[int]:
    """Return the times of a (1, time) waveform that a number depends on."""
    (gradient,) = torch.autograd.grad(output, waveform, retain_graph=True, allow_unused=True)
    return [] if gradient is None else gradient[0].nonzero()[:, 0].tolist()


# ---- autoencoder --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["softmax", "logistic_mixture", "gaussian"])
@pytest.mark.parametrize(("time", "n_frames"), [(1, 1), (5 * HOP, 5), (5 * HOP + 1, 6)])
def test_forward_decodes_what_encode_gives(output, time, n_frames):
    model = autoencoder(output=output, categories={"pitch": ["low", "high"]})
    waveform, conditions = noise(2, time), {"pitch": torch.tensor([0, 1])}
    samples = model.distribution.from_waveform(waveform)
    code = model.encode(waveform)
    assert code.shape == (2, 3, n_frames)
    outputs = model(samples, conditions)
    assert outputs.shape == (2, time, model.distribution.n_outputs)
    assert torch.equal(outputs, model.decoder(samples, conditions, code))
    assert not torch.equal(outputs, model.decoder(samples, conditions, code + 1))


def test_the_paper_is_the_default():
    model = WaveNetAutoencoder()
    convs = [module for module in model.encoder.modules() if isinstance(module, nn.Conv1d)]
    dilated = [conv for conv in convs if conv.kernel_size == (3,)][1:]
    assert [conv.dilation[0] for conv in dilated] == 3 * [2**layer for layer in range(10)]
    assert {conv.out_channels for conv in convs[:-1]} == {128} and convs[-1].out_channels == 16
    assert model.hop_length == 512 and type(model.decoder) is WaveNet
    assert model.receptive_field == 3 * 1023 + 1


def test_the_code_sees_both_directions_and_the_decoder_the_past_alone():
    model = autoencoder(output="gaussian")
    waveform = noise(1, 8 * HOP).requires_grad_()
    code = model.encode(waveform)
    around = 1 + 2 * (1 + 2)  # the first convolution, then dilations 1 and 2 twice
    for frame in range(8):
        first, last = frame * HOP - around, (frame + 1) * HOP - 1 + around
        assert reach(code[0, :, frame].sum(), waveform) == list(range(max(first, 0), min(last + 1, 8 * HOP)))

    outputs = model.decoder(waveform, None, code.detach())
    for time in range(8 * HOP):
        seen = reach(outputs[0, time].square().sum(), waveform)
        assert seen == list(range(max(time - model.receptive_field, 0), time))
    assert max(reach(model(waveform)[0, 3].square().sum(), waveform)) > 3  # through the code


def test_gradients_reach_every_weight_of_the_autoencoder():
    model = autoencoder(categories={"label": ["a", "b"]})
    samples = model.distribution.from_waveform(noise(2, 5 * HOP - 2))
    outputs = model(samples, {"label": torch.tensor([0, 1])})
    model.distribution.bits(outputs, samples).mean().backward()
    silent = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not silent


@pytest.mark.parametrize("output", ["softmax", "gaussian"])
def test_the_encoder_reads_companded_values_and_fills_with_silence(output):
    model = autoencoder(output=output)
    read = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    waveform = noise(2, 2 * HOP - 1)
    code = model.encode(waveform)
    assert torch.equal(read[0][:, 0, -1], torch.zeros(2))
    companded = waveform.sign() * torch.log1p(255 * waveform.abs()) / torch.log(torch.tensor(256.0))
    expected, step = (companded, 1.5 / 128) if output == "softmax" else (waveform, 0.0)
    torch.testing.assert_close(read[0][:, 0, :-1], expected, rtol=0, atol=step)
    assert torch.equal(code, model.encode(F.pad(waveform, (0, 1))))


def test_the_code_tells_the_decoder_what_the_clip_is():
    model = autoencoder(encoder_layers=6, encoder_channels=16, upsample=(4, 4))
    time = torch.arange(256)
    clips = torch.stack([0.5 * torch.sin(2 * torch.pi * time / period) for period in (7, 11, 19, 40)])
    samples = model.distribution.from_waveform(clips)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    losses = []
    for _ in range(300):  # the codes begin alike: it takes some steps to tell them apart
        loss = model.distribution.bits(model(samples), samples).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        code = model.encode(clips)
        own = model.distribution.bits(model.decoder(samples, None, code), samples).mean()
        other = model.distribution.bits(model.decoder(samples, None, code.roll(1, 0)), samples).mean()
    assert own < 0.2 * losses[0]
    assert other > 1.5 * own


def test_interpolation():
    first, second = noise(2, 3, 5), -noise(2, 3, 9)
    mix = WaveNetAutoencoder.interpolate
    assert torch.equal(mix(first, second, 0.0), first)
    assert torch.equal(mix(first, second, 1.0), second[..., :5])
    torch.testing.assert_close(mix(first, second, 0.25), 0.75 * first + 0.25 * second[..., :5])
    each = mix(first, second, torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(each, torch.stack([first[0], (first[1] + second[1, :, :5]) / 2]))
    way = mix(first[:1], second[:1], torch.linspace(0, 1, 4))
    assert way.shape == (4, 3, 5)
    torch.testing.assert_close(way.diff(dim=0), (second[:1, :, :5] - first[:1]).expand(3, -1, -1) / 3)


@pytest.mark.parametrize(
    ("shapes", "weight", "message"),
    [
        (((2, 3, 5), (2, 3, 5)), 1.5, r"weight: expected 0 \(the first\) to 1 .*1\.5"),
        (((2, 3, 5), (2, 3, 5)), float("nan"), "weight: expected 0 .*nan"),
        (((2, 3, 5), (2, 4, 5)), 0.5, r"of one encoder, got \(2, 3, 5\) and \(2, 4, 5\)"),
        (((3, 5), (3, 5)), 0.5, r"expected two codes .*\(3, 5\)"),
        (((2, 3, 5), (3, 3, 5)), 0.5, "of one batch, or of 1, got 2 and 3"),
        (((2, 3, 5), (2, 3, 5)), torch.full((3,), 0.5), r"got 2 and 2 codes and weights \(3,\)"),
        (((2, 3, 5), (2, 3, 5)), torch.full((2, 1), 0.5), r"weights \(2, 1\)"),
    ],
)
def test_interpolation_refuses_what_does_not_mix(shapes, weight, message):
    with pytest.raises(ValueError, match=message):
        WaveNetAutoencoder.interpolate(torch.zeros(shapes[0]), torch.zeros(shapes[1]), weight)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_channels": 0}, "encoder_channels: expected at least 1, got 0"),
        ({"encoder_layers": 5}, "encoder_layers: expected a multiple of encoder_cycles = 2, got 5"),
        ({"upsample": ()}, "local_bands, upsample: expected both"),
        ({"n_layers": 5}, "n_layers: expected a multiple"),
    ],
)
def test_the_autoencoder_refuses_sizes_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        autoencoder(**changes)


def test_the_autoencoder_refuses_frames_and_empty_clips():
    model = autoencoder()
    samples = torch.zeros(1, HOP, dtype=torch.int64)
    with pytest.raises(ValueError, match="frames: expected None, .*call decoder"):
        model(samples, None, model.encode(noise(1, HOP)))
    for shape in ((1, 0), (6,), (1, 1, 6)):
        with pytest.raises(ValueError, match=r"expected clips \(batch, time\) of at least 1 sample"):
            model.encode(torch.zeros(shape))
    with pytest.raises(
        ValueError, match="network wavenet_autoencoder: WaveNetAutoencoder has no argument 'local_bands'"
    ):
        models.create("wavenet_autoencoder", local_bands=80)


# ---- the waveform front-end ---------------------------------------------------------------------------------------


def test_the_waveform_front_end_hands_on_what_it_gets():
    waveform = noise(2, 1, 50)
    front_end = features.create("Waveform", sample_rate=8000)
    assert torch.equal(front_end(waveform), waveform[:, :, None])
    assert Waveform()(waveform[0, 0]).shape == (1, 50)
    with pytest.raises(ValueError, match="torch.int16: front-ends take float"):
        front_end(torch.zeros(50, dtype=torch.int16))
    with pytest.raises(ValueError, match="at least 1 samples"):
        front_end(torch.zeros(2, 0))


# ---- classifier ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["softmax", "logistic_mixture"])
def test_the_second_loss_is_the_wavenets_own(output):
    model = classifier(output=output, next_sample_weight=0.3, dropout=0.0)
    waveform = noise(3, 70)
    logits, second = model.train().logits_and_loss(waveform[:, None, None])
    assert logits.shape == (3, 4) and torch.equal(logits, model(waveform[:, None, None]))
    samples = model.stack.distribution.from_waveform(waveform)
    bits = model.stack.distribution.bits(model.stack(samples), samples)
    torch.testing.assert_close(second, 0.3 * bits.mean())


def test_one_pass_through_the_stack_gives_both_losses():
    model = classifier(next_sample_weight=0.5)
    passes = []
    for layer in model.stack.layers:
        layer.register_forward_hook(lambda module, *_: passes.append(module))
    logits, second = model.logits_and_loss(noise(3, 70)[:, None, None])
    assert passes == list(model.stack.layers)
    F.cross_entropy(logits, torch.tensor([0, 1, 2])).add(second).backward()
    silent = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not silent


def test_the_classifier_predicts_a_sample_from_those_before_it():
    model = classifier(output="gaussian")
    predicted = []
    model.stack.output.register_forward_hook(lambda *arguments: predicted.append(arguments[-1]))
    waveform = noise(1, 70).requires_grad_()
    logits, _ = model.eval().logits_and_loss(waveform[:, None, None])
    for time in range(70):
        seen = reach(predicted[0][0, time].square().sum(), waveform)
        assert seen == list(range(max(time - model.stack.receptive_field, 0), time))
    assert reach(logits.square().sum(), waveform) == list(range(69))  # nothing is predicted behind the last sample


def test_frames_are_means_and_the_last_may_be_shorter():
    model = classifier(frame_layers=1, frame_kernel=1).eval()
    pooled: list[Tensor] = []
    model.frames.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    waveform = noise(2, 70)
    model(waveform[:, None, None])
    summed: list[Tensor] = []
    model.stack.skip.register_forward_hook(lambda *arguments: summed.append(arguments[-1]))
    model.stack(model.stack.distribution.from_waveform(waveform))
    means = [part.mean(1) for part in F.relu(summed[0]).split(20, dim=1)]
    assert pooled[0].shape == (2, 10, 4)
    torch.testing.assert_close(pooled[0], torch.stack(means, -1))


def test_the_convolutions_over_frames_see_both_directions():
    frames = classifier().eval().frames
    x = torch.randn(1, 10, 41, requires_grad=True, generator=torch.Generator().manual_seed(3))
    seen = []
    for block in range(3):
        (gradient,) = torch.autograd.grad(frames[: 3 * block + 3](x)[0, :, 20].sum(), x)
        times = gradient[0].abs().sum(0).nonzero()[:, 0]
        seen.append((int(times[0]), int(times[-1])))
    assert seen == [(16, 24), (12, 28), (8, 32)]


def test_a_batch_equals_one_by_one():
    model = classifier().eval()
    waveform = noise(4, 70)[:, None, None]
    with torch.inference_mode():
        logits = model(waveform)
        assert (logits[0] - logits[1]).abs().max() > 1e-4
        for clip, expected in zip(waveform, logits, strict=True):
            torch.testing.assert_close(model(clip[None])[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_length": 0}, "frame_length: expected at least 1, got 0"),
        ({"frame_kernel": 4}, "frame_kernel: expected an odd number, got 4"),
        ({"next_sample_weight": -1.0}, "next_sample_weight: expected at least 0, got -1"),
        ({"n_bands": 40}, "n_bands: expected 1, a waveform's, got 40; use the front-end Waveform"),
        ({"n_layers": 5}, "n_layers: expected a multiple"),
    ],
)
def test_the_classifier_refuses_what_does_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        classifier(**changes)


def test_the_classifier_has_no_conditioning():
    for name in ("categories", "local_bands"):
        with pytest.raises(ValueError, match=f"WaveNetClassifier has no argument '{name}'"):
            models.create("wavenet_classifier", n_classes=3, **{name: None})


def test_the_classifier_refuses_a_spectrogram():
    with pytest.raises(ValueError, match=r"got \(2, 1, 40, 101\); use the front-end Waveform"):
        classifier()(torch.zeros(2, 1, 40, 101))


# ---- the classifier in the recognition task -----------------------------------------------------------------------


ARGUMENTS = STACK | {"n_classes": 3, "frame_length": 40, "frame_channels": 11}


def recognition(model: nn.Module, **changes: Any) -> Recognition:
    return Recognition(front_end=Waveform(sample_rate=8000), model=model, n_classes=3, **changes)


def test_the_task_adds_the_second_loss_to_its_own(monkeypatch):
    model = classifier(n_classes=3, dropout=0.0, next_sample_weight=0.3)
    task = recognition(model, label_smoothing=0.1)
    logged: dict[str, float] = {}
    monkeypatch.setattr(task, "log", lambda name, value, **_: logged.update({name: value.item()}))
    waveform, label = noise(5, 70), torch.tensor([0, 1, 2, 1, 0])
    loss = task.training_step({"waveform": waveform, "label": label}, 0).item()
    logits, second = model.logits_and_loss(waveform[:, None, None])
    first = F.cross_entropy(logits, label, label_smoothing=0.1)
    assert loss == pytest.approx((first + second).item())
    assert logged == pytest.approx({"train_loss": first.item(), "train_second_loss": second.item()})


def test_it_learns_both_tasks_and_becomes_a_bundle(tone_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    corpus = open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.05)
    data = ClipData(corpus, batch_size=16)
    task = recognition(
        models.create("wavenet_classifier", **ARGUMENTS),
        mixup_alpha=0.3,
        mixup_p=0.3,
        label_smoothing=0.05,
        learning_rate=0.2,
        warmup_epochs=1,
    )
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}
    run = tmp_path / "run"
    fit_and_test(task, data, output=run, monitor=None, trainer=quiet | {"max_epochs": 15})
    with (run / "metrics.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["train_loss"]]
    for name in ("train_loss", "train_second_loss"):
        losses = [float(row[name]) for row in rows]
        assert sum(losses[-5:]) < 0.9 * sum(losses[:5]), name
    assert float(task.confusion.trace() / task.confusion.sum()) >= 0.9

    bundle.save(
        run / "model.safetensors",
        bundle.Bundle(
            task="recognition",
            model=bundle.Part("wavenet_classifier", ARGUMENTS, task.model),
            front_end=bundle.Part("Waveform", {"sample_rate": 8000}, task.front_end),
            sample_rate=8000,
            clip_length=400,
            labels=corpus.labels,
        ),
    )
    recognizer = audionet.load(run / "model.safetensors")
    assert recognizer.recognize_file(tone_folder / "low" / "03.wav")[0].label == "low"
