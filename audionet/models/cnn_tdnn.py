"""CNN-TDNN: 2D convolutions, then residual 1D convolutions over time, after Thienpondt et al. (2021, arXiv 2104.02370).

The 2D convolutions at the beginning slide over frequency, too, so that formants which lie higher in another voice are
the same formants. All that follows has the bands as channels, which computes fast on a CPU.
"""

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn

from audionet.checks import check_at_least, check_spectrogram, check_that
from audionet.models.contract import linear_head
from audionet.models.layers import PaddingMode, activation_layer, check_padding
from audionet.registry import NamedArguments

STEM_CHANNELS = (16, 32)
BLOCK_KERNEL = 5
PADDING = BLOCK_KERNEL // 2
STRIDE = 4  # of the last block's frames


class ResidualBlock(nn.Module):
    """Two convolutions over time beside a shortcut, which is a pointwise convolution where the shape changes."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        kernel_size: int,
        stride: int = 1,
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        conv = partial(
            nn.Conv1d, kernel_size=kernel_size, padding=kernel_size // 2, padding_mode=padding_mode, bias=False
        )
        self.body = nn.Sequential(
            conv(n_in, n_out, stride=stride),
            nn.BatchNorm1d(n_out),
            activation_layer(activation, inplace=True),
            conv(n_out, n_out),
            nn.BatchNorm1d(n_out),
        )
        same = n_in == n_out and stride == 1
        pointwise = (nn.Conv1d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm1d(n_out))
        self.shortcut = nn.Identity() if same else nn.Sequential(*pointwise)
        self.activation = activation_layer(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, frame) to (batch, n_out, frame / stride)."""
        y: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return y


class AttentivePooling(nn.Module):
    """The mean over the frames, in which each channel weighs each frame by an attention of its own.

    It is that of attentive statistics pooling (Okabe et al., 2018, arXiv 1803.10963) with one layer and without the
    deviation. Silence around a word weighs little, so that clips of any length fit.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.attention = nn.Conv1d(n_channels, n_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_channels, frame) to (batch, n_channels)."""
        attention: Tensor = self.attention(x)
        return (x * attention.softmax(-1)).sum(-1)


class CNNTDNN(NamedArguments, nn.Module):
    """CNN-TDNN: two 2D convolutions, three residual blocks over time, and attentive pooling.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        n_bands: Mel bands, a multiple of 4.
        n_channels: Channels of the residual blocks.
        n_embedding: Channels of the last block, which are those of the embedding.
        padding_mode: What convolutions see beyond the edges: "zeros", "reflect", "replicate" or "circular".
        activation: Name of the non-linear function, such as "relu".
        dropout: Probability that a channel of the embedding is dropped before the classifier.

    Shape:
        (batch, 1, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: An argument is too small, ``n_bands`` is no multiple of 4, or there is no such choice; from
            ``forward``, the spectrogram has another number of bands, or too few frames to be reflected.

    Example:
        >>> network = CNNTDNN(n_classes=12)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 128]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        n_bands: int = 40,
        n_channels: int = 96,
        n_embedding: int = 128,
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_at_least(1, whole=True, n_bands=n_bands, n_channels=n_channels, n_embedding=n_embedding)
        check_that(n_bands % 4 == 0, "n_bands", "a multiple of 4, which the strides divide", n_bands)
        check_padding(padding_mode, PADDING, STRIDE)
        self.n_bands, self.n_classes, self.padding_mode = n_bands, n_classes, padding_mode
        first, second = STEM_CHANNELS
        activate = partial(activation_layer, activation, inplace=True)
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False, padding_mode=padding_mode),
            nn.BatchNorm2d(first),
            activate(),
            nn.Conv2d(first, second, 3, stride=(2, 1), padding=1, bias=False, padding_mode=padding_mode),
            nn.BatchNorm2d(second),
            activate(),
        )
        self.narrow = nn.Sequential(
            nn.Conv1d(second * (n_bands // 4), n_channels, 1, bias=False),
            nn.BatchNorm1d(n_channels),
            activate(),
        )
        block = partial(ResidualBlock, padding_mode=padding_mode, activation=activation)
        self.blocks = nn.Sequential(
            block(n_channels, n_channels, kernel_size=BLOCK_KERNEL),
            block(n_channels, n_channels, kernel_size=BLOCK_KERNEL, stride=2),
            block(n_channels, n_embedding, kernel_size=3),
        )
        self.pooling = AttentivePooling(n_embedding)
        self.head = linear_head(n_embedding, n_classes, dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data."""
        blocks = {f"block{number}": block for number, block in enumerate(self.blocks, 1)}
        return {"stem": self.stem, "narrow": self.narrow} | blocks | {"pooling": self.pooling}

    def frames(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to frames (batch, n_embedding, frame / 4)."""
        check_spectrogram(spectrogram, self.n_bands)
        check_padding(self.padding_mode, PADDING, STRIDE, spectrogram.shape[-1])
        # (batch, channel, band / 4, frame / 2) -> (batch, channel * band / 4, frame / 2)
        maps: Tensor = self.stem(spectrogram).flatten(1, 2)
        frames: Tensor = self.blocks(self.narrow(maps))
        return frames

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to embeddings (batch, n_embedding)."""
        embedding: Tensor = self.pooling(self.frames(spectrogram))
        return embedding

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits
