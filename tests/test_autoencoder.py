"""The autoencoder codes both directions and decodes causally."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import models
from audionet.models import WaveNet, WaveNetAutoencoder

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


def noise(*shape: int) -> Tensor:
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(1)) / 4).clamp(-1, 1)


def reach(output: Tensor, waveform: Tensor) -> list[int]:
    """Return the times of a (1, time) waveform that a number depends on."""
    (gradient,) = torch.autograd.grad(output, waveform, retain_graph=True, allow_unused=True)
    return [] if gradient is None else gradient[0].nonzero()[:, 0].tolist()


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
        (((2, 3, 5), (2, 4, 5)), 0.5, r"of one encoder, got \[\(2, 3, 5\), \(2, 4, 5\)\]"),
        (((3, 5), (3, 5)), 0.5, r"expected two codes .*\(3, 5\)"),
        (((2, 3, 5), (3, 3, 5)), 0.5, r"of one batch, or of 1, got \[\(2, 3, 5\), \(3, 3, 5\), \(\)\]"),
        (((2, 3, 5), (2, 3, 5)), torch.full((3,), 0.5), r"of one batch, or of 1, got .*\(3,\)\]"),
        (((2, 3, 5), (2, 3, 5)), torch.full((2, 1), 0.5), r"of one batch, or of 1, got .*\(2, 1\)\]"),
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
