"""WaveNet autoencoder: a clip becomes a short sequence of codes, from which a WaveNet makes the clip again."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.models.wavenet.distributions import N_CODES
from audionet.models.wavenet.network import WaveNet


class EncoderLayer(nn.Module):
    """ReLU, a dilated convolution that sees both directions, ReLU, a 1 × 1 convolution, beside the identity."""

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
        return x + self.body(x)


class WaveNetAutoencoder(nn.Module):
    """The temporal encoder and WaveNet decoder of NSynth (Engel et al., 2017, arXiv 1704.01279, section 2.1).

    The decoder's local conditioning is the code. It is a plain `WaveNet`, so that whatever generates from a WaveNet
    decodes: give it ``frames = encode(waveform)``.

    Args:
        encoder_layers: Dilated layers of the encoder, in all cycles together.
        encoder_cycles: Times that the dilations 1, 2, 4 ... are gone through; divides encoder_layers.
        encoder_channels: Width of the encoder.
        bottleneck_channels: Numbers in one frame of the code.
        upsample: Factors whose product is the hop: the samples that one frame of the code stands for.
        **decoder: The other arguments of `WaveNet`, but for local_bands, which is the bottleneck.

    Shape:
        samples (batch, time) -> (batch, time, n_outputs), as `WaveNet`'s; given the code, output t depends on the
        samples before t alone.

    Raises:
        ValueError: A size does not fit.
    """

    def __init__(
        self,
        *,
        encoder_layers: int = 30,
        encoder_cycles: int = 3,
        encoder_channels: int = 128,
        bottleneck_channels: int = 16,
        upsample: Sequence[int] = (8, 8, 8),
        **decoder: Any,
    ) -> None:
        super().__init__()
        sizes = {
            "encoder_layers": encoder_layers,
            "encoder_cycles": encoder_cycles,
            "encoder_channels": encoder_channels,
            "bottleneck_channels": bottleneck_channels,
        }
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if encoder_layers % encoder_cycles:
            raise ValueError(
                f"encoder_layers must be a multiple of encoder_cycles, got {encoder_layers} and {encoder_cycles}"
            )
        dilations = [2 ** (layer % (encoder_layers // encoder_cycles)) for layer in range(encoder_layers)]
        self.encoder = nn.Sequential(
            nn.Conv1d(1, encoder_channels, 3, padding=1),
            *(EncoderLayer(encoder_channels, dilation) for dilation in dilations),
            nn.Conv1d(encoder_channels, bottleneck_channels, 1),
        )
        self.decoder = WaveNet(local_bands=bottleneck_channels, upsample=upsample, **decoder)
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
        if samples.ndim != 2 or samples.shape[1] == 0:
            raise ValueError(f"expected clips (batch, time) of at least 1 sample, got {tuple(samples.shape)}")
        # Codes are mu-law companded values; silence is 0 in either form.
        values = (samples - N_CODES // 2) / (N_CODES // 2) if self.distribution.is_discrete else samples
        values = F.pad(values, (0, -samples.shape[1] % self.hop_length))
        return F.avg_pool1d(self.encoder(values[:, None]), self.hop_length)

    def forward(
        self,
        samples: Tensor,
        conditions: Mapping[str, Tensor] | None = None,
        frames: Tensor | None = None,
        start: Tensor | None = None,
        length: Tensor | None = None,
    ) -> Tensor:
        """Predict every sample from those before it and from the code of the whole clip.

        Args:
            samples: (batch, time), codes or values.
            conditions: Positions (batch,) in each category's values.
            frames: None. The argument is there because `WaveNet` has it.
            start: As for `WaveNet`.
            length: As for `WaveNet`.

        Returns:
            (batch, time, n_outputs), the parameters of the distribution of each sample.

        Raises:
            ValueError: Frames are given, or the samples or conditions do not fit.
        """
        if frames is not None:
            raise ValueError(
                "frames: the autoencoder makes them of the samples, expected None; to decode a code call decoder"
            )
        return self.decoder(samples, conditions, self._encode_samples(samples), start, length)

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
        if not ((weight >= 0) & (weight <= 1)).all():
            raise ValueError(f"weight: expected 0 (the first) to 1 (the second), got {weight.tolist()}")
        if first.ndim != 3 or second.ndim != 3 or first.shape[1] != second.shape[1]:
            raise ValueError(
                "expected two codes (batch, bottleneck_channels, frame) of one encoder, "
                f"got {tuple(first.shape)} and {tuple(second.shape)}"
            )
        if weight.ndim > 1 or len({len(first), len(second), weight.numel()} - {1}) > 1:
            raise ValueError(
                f"expected codes and weights of one batch, or of 1, got {len(first)} and {len(second)} codes and "
                f"weights {tuple(weight.shape)}"
            )
        n_frames = min(first.shape[2], second.shape[2])
        return torch.lerp(first[..., :n_frames], second[..., :n_frames], weight.view(-1, 1, 1))
