"""The WaveNet classifier learns its two tasks in one pass."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import audionet
from audionet import bundle, models
from audionet.datasets import open_corpus
from audionet.features import Waveform
from audionet.models import WaveNetClassifier
from audionet.training import ClipData, Recognition, fit_and_test

STACK: dict[str, Any] = {
    "n_layers": 6,
    "n_cycles": 2,
    "residual_channels": 8,
    "gate_channels": 12,
    "skip_channels": 10,
    "output_channels": 9,
}


def classifier(**changes: Any) -> WaveNetClassifier:
    torch.manual_seed(0)
    return WaveNetClassifier(**STACK | {"n_classes": 4, "frame_length": 20, "frame_channels": 11} | changes)


def noise(*shape: int) -> Tensor:
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(1)) / 4).clamp(-1, 1)


def reach(output: Tensor, waveform: Tensor) -> list[int]:
    """Return the times of a (1, time) waveform that a number depends on."""
    (gradient,) = torch.autograd.grad(output, waveform, retain_graph=True, allow_unused=True)
    return [] if gradient is None else gradient[0].nonzero()[:, 0].tolist()


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
    model.convolutions.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    waveform = noise(2, 70)
    model(waveform[:, None, None])
    summed: list[Tensor] = []
    model.stack.skip.register_forward_hook(lambda *arguments: summed.append(arguments[-1]))
    model.stack(model.stack.distribution.from_waveform(waveform))
    means = [part.mean(1) for part in F.relu(summed[0]).split(20, dim=1)]
    assert pooled[0].shape == (2, 10, 4)
    torch.testing.assert_close(pooled[0], torch.stack(means, -1))


def test_the_convolutions_over_frames_see_both_directions():
    frames = classifier().eval().convolutions
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
    recognizer = audionet.load_recognizer(run / "model.safetensors")
    assert recognizer.recognize_file(tone_folder / "low" / "03.wav")[0].label == "low"
