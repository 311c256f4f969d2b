"""WaveNet autoencoder: a clip becomes a short sequence of codes, from which a WaveNet makes the clip again."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_that
from audionet.models.wavenet.distributions import N_CODES
from audionet.models.wavenet.layers import cycled_dilations
from audionet.models.wavenet.network import WaveNet
from audionet.registry import NamedArguments


class EncoderLayer(nn.Module):
    """ReLU, a dilated convolution that sees both directions, ReLU and a 1 × 1 convolution, beside the identity."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
            nn.Conv1d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, time) to the same shape."""
        y: Tensor = x + self.body(x)
        return y


class WaveNetAutoencoder(NamedArguments, nn.Module):
    """The temporal encoder and WaveNet decoder of NSynth (Engel et al., 2017, arXiv 1704.01279, section 2.1).

    The code is the decoder's local conditioning. The decoder is a plain `WaveNet`: whatever generates from a WaveNet
    decodes, given ``frames = encode(waveform)``.

    Args:
        encoder_layers: Dilated layers of the encoder, in all cycles together.
        encoder_cycles: Number of times that the dilations 1, 2, 4 ... are gone through; divides encoder_layers.
        encoder_channels: Width of the encoder.
        bottleneck_channels: Numbers in one frame of the code.
        upsample: Factors whose product is the hop, the samples of one frame of the code.
        n_layers: Dilated layers of the decoder, in all cycles together.
        n_cycles: Number of dilation cycles of the decoder; divides n_layers.
        kernel_size: Taps of each dilated convolution.
        residual_channels: Width of the residual stream.
        gate_channels: Width of filter and gate together.
        skip_channels: Width of the skip sum.
        output_channels: Width of the layer before the outputs.
        output: Distribution of the next sample: "softmax", "logistic_mixture" or "gaussian".
        n_mixtures: Components of a "logistic_mixture".
        categories: Values of each named category.
        category_channels: Width of the categories' embeddings.
        n_places: Number of places in the clip that are told apart.
        place_length: Samples of one place.
        local_channels: Width of the upsampled code.

    Shape:
        samples (batch, time) -> (batch, time, n_outputs), as `WaveNet`'s; given the code, output t depends on the
        samples before t alone.

    Raises:
        ValueError: A size does not fit.

    Example:
        >>> network = WaveNetAutoencoder(encoder_layers=4, encoder_cycles=1, n_layers=4, n_cycles=1, upsample=(8, 8))
        >>> network.encode(waveform[:, :640]).shape
        torch.Size([1, 16, 10])
        >>> network(network.distribution.from_waveform(waveform[:, :640])).shape
        torch.Size([1, 640, 256])
    """

    def __init__(
        self,
        *,
        encoder_layers: int = 30,
        encoder_cycles: int = 3,
        encoder_channels: int = 128,
        bottleneck_channels: int = 16,
        upsample: Sequence[int] = (8, 8, 8),
        n_layers: int = 30,
        n_cycles: int = 3,
        kernel_size: int = 2,
        residual_channels: int = 64,
        gate_channels: int = 128,
        skip_channels: int = 256,
        output_channels: int = 256,
        output: str = "softmax",
        n_mixtures: int = 10,
        categories: Mapping[str, Sequence[str]] | None = None,
        category_channels: int = 32,
        n_places: int = 0,
        place_length: int = 80,
        local_channels: int = 64,
    ) -> None:
        super().__init__()
        check_at_least(1, encoder_channels=encoder_channels, bottleneck_channels=bottleneck_channels)
        dilations = cycled_dilations(encoder_layers, encoder_cycles, prefix="encoder_")
        self.encoder = nn.Sequential(
            nn.Conv1d(1, encoder_channels, 3, padding=1),
            *(EncoderLayer(encoder_channels, dilation) for dilation in dilations),
            nn.Conv1d(encoder_channels, bottleneck_channels, 1),
        )
        self.decoder = WaveNet(
            n_layers=n_layers,
            n_cycles=n_cycles,
            kernel_size=kernel_size,
            residual_channels=residual_channels,
            gate_channels=gate_channels,
            skip_channels=skip_channels,
            output_channels=output_channels,
            output=output,
            n_mixtures=n_mixtures,
            categories=categories,
            category_channels=category_channels,
            n_places=n_places,
            place_length=place_length,
            local_bands=bottleneck_channels,
            local_channels=local_channels,
            upsample=upsample,
        )
        # What a `SampleModel` says of itself is the decoder's.
        self.hop_length, self.distribution = self.decoder.hop_length, self.decoder.distribution
        self.categories, self.receptive_field = self.decoder.categories, self.decoder.receptive_field
        self.step_length, self.n_places = self.decoder.step_length, self.decoder.n_places

    def encode(self, waveform: Tensor) -> Tensor:
        """Turn clips into codes, one frame a hop; a last, shorter hop is filled with silence.

        Args:
            waveform: (batch, time), in [-1, 1].

        Returns:
            (batch, bottleneck_channels, frame), the ``frames`` that the decoder takes.

        Raises:
            ValueError: The waveform is not (batch, time), or empty.
        """
        return self._encode_samples(self.distribution.from_waveform(waveform))

    def _encode_samples(self, samples: Tensor) -> Tensor:
        shape = tuple(samples.shape)
        check_that(len(shape) == 2 and shape[1], "waveform", "clips (batch, time) of at least 1 sample", shape)
        # Codes are mu-law companded values; silence is 0 in either form.
        values = (samples - N_CODES // 2) / (N_CODES // 2) if self.distribution.is_discrete else samples
        values = F.pad(values, (0, -samples.shape[1] % self.hop_length))
        return F.avg_pool1d(self.encoder(values[:, None]), self.hop_length)

    def forward(
        self,
        samples: Tensor,
        conditions: Mapping[str, Tensor] | None = None,
        frames: None = None,
        start: Tensor | None = None,
        length: Tensor | None = None,
    ) -> Tensor:
        """Predict every sample from those before it and from the code of the whole clip.

        Arguments and result are those of `WaveNet.forward`, but the frames are made here, of the samples.

        Raises:
            ValueError: Frames are given, or the samples or conditions do not fit.
        """
        if frames is not None:
            raise ValueError("frames: expected None, because the samples are encoded, got a code; call decoder")
        outputs: Tensor = self.decoder(samples, conditions, self._encode_samples(samples), start, length)
        return outputs

    @staticmethod
    def interpolate(first: Tensor, second: Tensor, weight: float | Tensor) -> Tensor:
        """Mix two codes linearly: (1 - weight) * first + weight * second.

        The result is as long as the shorter of the two. A batch of 1, or a single weight, goes with any batch: nine
        steps from one clip to another are ``interpolate(first, second, torch.linspace(0, 1, 9))``.

        Args:
            first: (batch, bottleneck_channels, frame).
            second: The same, of any number of frames.
            weight: Share of the second, 0 to 1; one number, or (batch,).

        Returns:
            (batch, bottleneck_channels, frame).

        Raises:
            ValueError: The codes' channels or the batches differ, or the weight is out of range.
        """
        weight = torch.as_tensor(weight, dtype=first.dtype, device=first.device)
        is_share = ((weight >= 0) & (weight <= 1)).all()
        check_that(is_share, "weight", "0 (the first) to 1 (the second)", weight.tolist())
        shapes = [tuple(tensor.shape) for tensor in (first, second, weight)]
        is_code = first.ndim == second.ndim == 3 and first.shape[1] == second.shape[1]
        check_that(is_code, "first, second", "two codes (batch, bottleneck_channels, frame) of one encoder", shapes[:2])
        is_batch = weight.ndim <= 1 and len({len(first), len(second), weight.numel()} - {1}) <= 1
        check_that(is_batch, "first, second, weight", "shapes of one batch, or of 1", shapes)
        n_frames = min(first.shape[2], second.shape[2])
        return torch.lerp(first[..., :n_frames], second[..., :n_frames], weight.view(-1, 1, 1))
