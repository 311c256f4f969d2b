"""WaveNet classifier: recognition from the raw waveform, helped by also predicting the next sample."""

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_spectrogram, check_that
from audionet.models.contract import linear_head
from audionet.models.wavenet.network import WaveNet
from audionet.registry import NamedArguments


class WaveNetClassifier(NamedArguments, nn.Module):
    """The network of WaveNet's recognition experiment (van den Oord et al., 2016, section 3.4), for whole clips.

    The summed skip connections of a WaveNet are averaged over frames of 10 ms. A few convolutions follow that see both
    directions, then the mean over all frames. The WaveNet's own output, the next sample, gives the second loss. The
    paper found that a network trained with both generalises better.

    The paper does not mention normalisation or dropout; this network has those of our other recognisers.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        n_bands: 1, because a waveform has a single row.
        frame_length: Samples of one frame: 160 are 10 ms at 16 kHz.
        frame_channels: Width of the convolutions over frames.
        frame_layers: Number of convolutions over frames.
        frame_kernel: Taps of the convolutions over frames, an odd number.
        dropout: Probability that a channel of the embedding is dropped before the classifier.
        next_sample_weight: Factor on the second loss, in bits per sample, beside the first.
        n_layers: Dilated layers of the WaveNet, in all cycles together.
        n_cycles: Number of dilation cycles; divides n_layers.
        kernel_size: Taps of each dilated convolution.
        residual_channels: Width of the residual stream.
        gate_channels: Width of filter and gate together.
        skip_channels: Width of the skip sum.
        output_channels: Width of the layer before the next sample's distribution.
        output: Distribution of the next sample: "softmax", "logistic_mixture" or "gaussian".
        n_mixtures: Components of a "logistic_mixture".

    Shape:
        The front-end `Waveform`'s (batch, 1, 1, time) -> (batch, n_classes)

    Raises:
        ValueError: A size does not fit; from ``forward``, the input is not a waveform.

    Example:
        >>> network = WaveNetClassifier(n_classes=12, n_layers=8, n_cycles=1)
        >>> network(waveform[:, None, None]).shape
        torch.Size([1, 12])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        n_bands: int = 1,
        frame_length: int = 160,
        frame_channels: int = 128,
        frame_layers: int = 3,
        frame_kernel: int = 9,
        dropout: float = 0.5,
        next_sample_weight: float = 1.0,
        n_layers: int = 30,
        n_cycles: int = 3,
        kernel_size: int = 2,
        residual_channels: int = 64,
        gate_channels: int = 128,
        skip_channels: int = 256,
        output_channels: int = 256,
        output: str = "softmax",
        n_mixtures: int = 10,
    ) -> None:
        super().__init__()
        check_at_least(1, frame_length=frame_length, frame_channels=frame_channels, frame_layers=frame_layers)
        check_at_least(0, next_sample_weight=next_sample_weight)
        if n_bands != 1:
            raise ValueError(f"n_bands: expected 1, a waveform's, got {n_bands}; use the front-end Waveform")
        check_that(frame_kernel > 0 and frame_kernel % 2, "frame_kernel", "an odd number", frame_kernel)
        self.n_bands, self.n_classes = n_bands, n_classes
        self.frame_length, self.next_sample_weight = frame_length, next_sample_weight
        self.stack = WaveNet(
            n_layers=n_layers,
            n_cycles=n_cycles,
            kernel_size=kernel_size,
            residual_channels=residual_channels,
            gate_channels=gate_channels,
            skip_channels=skip_channels,
            output_channels=output_channels,
            output=output,
            n_mixtures=n_mixtures,
        )
        blocks: list[nn.Module] = []
        for n_in, n_out in pairwise([skip_channels] + [frame_channels] * frame_layers):
            conv = nn.Conv1d(n_in, n_out, frame_kernel, padding=frame_kernel // 2, bias=False)
            blocks += [conv, nn.BatchNorm1d(n_out), nn.ReLU(inplace=True)]
        self.convolutions = nn.Sequential(*blocks)
        self.head = linear_head(frame_channels, n_classes, dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data."""
        return {"stack": self.stack.skip, "convolutions": self.convolutions}

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map waveforms (batch, 1, 1, time) to embeddings (batch, frame_channels)."""
        return self._heard(spectrogram)[-1]

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map waveforms (batch, 1, 1, time) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits

    def logits_and_loss(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (batch, n_classes) and the weighted mean bits of each next sample, from one pass."""
        samples, skips, embedding = self._heard(spectrogram)
        outputs = self.stack.output(F.relu(self.stack.hidden(skips)))
        bits = self.stack.distribution.bits(outputs, samples)
        return self.head(embedding), self.next_sample_weight * bits.mean()

    def _heard(self, spectrogram: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the samples, the rectified sum (batch, time, S) of the skip connections, and the embeddings."""
        check_spectrogram(spectrogram, self.n_bands)
        samples = self.stack.distribution.from_waveform(spectrogram[:, 0, 0])
        batch, time = samples.shape
        skips = F.relu(self.stack.skip(self.stack.units(samples, self.stack.bias(batch=batch, time=time))))
        # The last frame may be shorter; its mean is over what there is.
        frames = self.convolutions(F.avg_pool1d(skips.mT, self.frame_length, ceil_mode=True))
        return samples, skips, frames.mean(-1)
