"""WaveNet classifier: recognition from the raw waveform, helped by also predicting the next sample."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from audionet.models.wavenet.network import WaveNet


class WaveNetClassifier(nn.Module):
    """The network of WaveNet's recognition experiment (van den Oord et al., 2016, section 3.4), for whole clips.

    The summed skip connections of a WaveNet are averaged over frames of 10 ms; a few convolutions that see both
    directions follow, then the mean over all frames. The WaveNet's own output, the next sample, is the second loss: the
    paper found that a network trained with both generalises better.

    The batch normalisation and the dropout, of which the paper says nothing, are those of our other recognisers.

    Args:
        n_classes: Number of classes, silence and unknown among them.
        frame_length: Samples of one frame: 160 are 10 ms at 16 kHz.
        frame_channels: Width of the convolutions over frames.
        frame_layers: How many there are.
        frame_kernel: Their taps, an odd number.
        dropout: Probability that a pooled feature is dropped before the classifier.
        next_sample_weight: Share of the second loss, in bits per sample, beside the first.
        **stack: The arguments of `WaveNet`, without conditioning.

    Shape:
        The front-end `Waveform`'s (batch, 1, 1, time) -> (batch, n_classes) logits; in training mode a pair,
        the logits and the weighted second loss, because one pass through the stack gives both.

    Raises:
        ValueError: A size does not fit; from ``forward``, if the input is not a waveform.
    """

    def __init__(
        self,
        n_classes: int,
        *,
        frame_length: int = 160,
        frame_channels: int = 128,
        frame_layers: int = 3,
        frame_kernel: int = 9,
        dropout: float = 0.5,
        next_sample_weight: float = 1.0,
        **stack: Any,
    ) -> None:
        super().__init__()
        sizes = {"frame_length": frame_length, "frame_channels": frame_channels, "frame_layers": frame_layers}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if frame_kernel < 1 or frame_kernel % 2 == 0:
            raise ValueError(f"frame_kernel must be odd, got {frame_kernel}")
        if next_sample_weight < 0:
            raise ValueError(f"next_sample_weight must be at least 0, got {next_sample_weight}")
        if conditioning := {"categories", "n_places", "local_bands"} & stack.keys():
            raise ValueError(
                f"{', '.join(sorted(conditioning))}: the classifier hears the waveform alone; leave it out"
            )
        self.frame_length, self.next_sample_weight = frame_length, next_sample_weight
        self.stack = WaveNet(**stack)
        blocks: list[nn.Module] = []
        n_in = self.stack.skip.out_features
        for _ in range(frame_layers):
            conv = nn.Conv1d(n_in, frame_channels, frame_kernel, padding=frame_kernel // 2, bias=False)
            blocks += [conv, nn.BatchNorm1d(frame_channels), nn.ReLU(inplace=True)]
            n_in = frame_channels
        self.frames = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(frame_channels, n_classes))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map (batch, 1, 1, time) to logits (batch, n_classes), and in training to (logits, second loss)."""
        if x.ndim != 4 or x.shape[1:3] != (1, 1):
            raise ValueError(
                f"expected a waveform (batch, 1, 1, time), got {tuple(x.shape)}: "
                "this network needs the front-end Waveform (--features.name Waveform)"
            )
        samples = self.stack.distribution.from_waveform(x[:, 0, 0])
        activations = F.relu(self.stack.skip(self.stack.units(samples)))  # (batch, time, S)
        # The last frame may be shorter; its mean is over what there is.
        pooled = F.avg_pool1d(activations.mT, self.frame_length, ceil_mode=True)  # (batch, S, frame)
        logits = self.head(self.frames(pooled).mean(-1))
        if not self.training:
            return logits
        outputs = self.stack.output(F.relu(self.stack.hidden(activations)))
        return logits, self.next_sample_weight * self.stack.distribution.bits(outputs, samples).mean()
