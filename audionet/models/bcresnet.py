"""BC-ResNet: broadcasted residual learning for keyword spotting (Kim et al., 2021, arXiv 2106.04140)."""

from collections.abc import Mapping
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_spectrogram, check_that
from audionet.models.contract import linear_head
from audionet.models.layers import PaddingMode, activation_layer, check_padding
from audionet.registry import NamedArguments

N_SUB_BANDS = 5
STAGE_BLOCKS = (2, 2, 4, 4)
STAGE_WIDTHS = (1, 1.5, 2, 2.5)  # in units of 8 * tau channels
PADDING = 2 ** (len(STAGE_BLOCKS) - 1)  # of the last stage, whose dilation it is


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of (channel, ...): statistics over everything but the channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (channel, ...)."""
        return super().forward(x.reshape(1, self.num_features, -1)).view_as(x)


class SubSpectralNorm(nn.Module):
    """Batch normalisation with its own statistics and affine map in each sub-band (arXiv 2103.13620, eq. 2)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(n_channels * N_SUB_BANDS)  # a sub-band of a channel counts as a channel of its own

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (channel, frequency, batch, frame); the frequencies divide into the sub-bands."""
        normed: Tensor = self.norm(x)
        return normed


class PointwiseConv(nn.Conv2d):
    """A 1 × 1 convolution of (channel, ...): one matrix product for the whole batch."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_in, ...) to (n_out, ...)."""
        return (self.weight.flatten(1) @ x.flatten(1)).view(-1, *x.shape[1:])


class FrequencyConv(nn.Conv2d):
    """A depthwise 3 × 1 convolution of (channel, frequency, batch, frame), as one banded matrix for each channel.

    The matrices are the convolution's response to the unit vectors, whatever it sees beyond the edges. With few rows
    and thousands of columns, their product is faster than a depthwise convolution, forward and backward.

    Attributes:
        is_plain: Whether it convolves all the same, for counting what a network costs and sees.
    """

    is_plain = False

    def __init__(self, channels: int, stride: int, padding_mode: PaddingMode = "zeros") -> None:
        super().__init__(
            channels,
            channels,
            (3, 1),
            stride=(stride, 1),
            padding=(1, 0),
            groups=channels,
            bias=False,
            padding_mode=padding_mode,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (channel, frequency, batch, frame) to (channel, frequency / stride, batch, frame)."""
        if self.is_plain:
            return super().forward(x.movedim(2, 0)).movedim(0, 2)
        channel, frequency, batch, frame = x.shape
        units = torch.eye(frequency, dtype=x.dtype, device=x.device)
        units = units.view(frequency, 1, frequency, 1).expand(-1, channel, -1, -1)
        matrices = super().forward(units)[..., 0].permute(1, 2, 0)  # (channel, frequency out, frequency in)
        return (matrices @ x.flatten(2)).view(channel, -1, batch, frame)


class TimeConv(nn.Conv2d):
    """A depthwise 1 × 3 convolution of (channel, batch, frame), as of one picture of height `batch`."""

    def __init__(self, channels: int, dilation: int, padding_mode: PaddingMode = "zeros") -> None:
        super().__init__(
            channels,
            channels,
            (1, 3),
            padding=(0, dilation),
            dilation=(1, dilation),
            groups=channels,
            bias=False,
            padding_mode=padding_mode,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (channel, batch, frame) to the same shape."""
        return super().forward(x[None])[0]  # torch.onnx would pad other axes of a picture without a batch


class BCResBlock(nn.Module):
    """y = x + f2(x) + broadcast(f1(mean over frequency of f2(x))), eq. 1 of the paper.

    f2 convolves over frequency, f1 over time on a single row. A block that changes the width (``n_in != n_out``)
    starts with a pointwise convolution and has no identity path.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        stride: int,
        dilation: int,
        dropout: float,
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.is_transition = n_in != n_out
        activate = partial(activation_layer, activation, inplace=True)
        widen = [PointwiseConv(n_in, n_out), ChannelNorm(n_out), activate()] if self.is_transition else []
        self.f2 = nn.Sequential(*widen, FrequencyConv(n_out, stride, padding_mode), SubSpectralNorm(n_out))
        self.f1 = nn.Sequential(
            TimeConv(n_out, dilation, padding_mode),
            ChannelNorm(n_out),
            nn.SiLU(inplace=True),
            PointwiseConv(n_out, n_out),
        )
        self.dropout = dropout
        self.activation = activate()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_in, frequency, batch, frame) to (n_out, frequency / stride, batch, frame)."""
        y = self.f2(x)
        broadcast = self.f1(y.mean(1))  # (n_out, batch, frame)
        broadcast = F.dropout2d(broadcast.unsqueeze(2), self.dropout, self.training)  # drops (channel, clip) pairs
        y = y + broadcast.movedim(2, 1)
        activated: Tensor = self.activation(y if self.is_transition else y + x)
        return activated


class BCResNet(NamedArguments, nn.Module):
    """BC-ResNet-τ: logits from a log-mel spectrogram.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        tau: Width factor; the paper's are 1, 1.5, 2, 3, 6 and 8.
        padding_mode: What convolutions see beyond the edges: "zeros", "reflect", "replicate" or "circular".
        activation: Name of the non-linear function, such as "relu"; that of the temporal branches is "silu".
        n_bands: Bands of the spectrogram. Their half, quarter and eighth must divide into the five sub-bands, as those
            of 40 and 80 do.
        dropout: Probability that the temporal branch loses a channel.

    Shape:
        (batch, 1, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: ``n_bands`` cannot be split into the sub-bands, ``tau`` is too small, or there is no such choice;
            from ``forward``, the spectrogram has another number of bands, or too few frames to be reflected.

    Example:
        >>> network = BCResNet(n_classes=12, tau=2)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 64]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        tau: float = 1,
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        n_bands: int = 40,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        expected = f"a multiple of 40, such as 40 or 80, whose eighth divides into {N_SUB_BANDS} sub-bands"
        check_that(n_bands >= 40 and n_bands % 40 == 0, "n_bands", expected, n_bands)
        check_at_least(0.25, tau=tau)  # every stage needs a channel of its own
        check_padding(padding_mode, PADDING, stride=1)
        self.n_bands, self.n_classes, self.padding_mode = n_bands, n_classes, padding_mode
        unit = 8 * tau
        n_in, n_embedding = int(2 * unit), int(4 * unit)
        self.stem = nn.Conv2d(1, n_in, 5, stride=(2, 1), padding=2, bias=False, padding_mode=padding_mode)
        self.stem_norm = ChannelNorm(n_in)
        activate = partial(activation_layer, activation, inplace=True)
        self.stem_activation = activate()
        block_of = partial(BCResBlock, dropout=dropout, padding_mode=padding_mode, activation=activation)
        blocks: list[nn.Module] = []
        for stage, (n_blocks, width) in enumerate(zip(STAGE_BLOCKS, STAGE_WIDTHS, strict=True)):
            for block in range(n_blocks):
                n_out, stride = int(width * unit), 2 if block == 0 and stage in (1, 2) else 1
                blocks.append(block_of(n_in, n_out, stride=stride, dilation=2**stage))
                n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.tail = nn.Sequential(
            nn.Conv2d(n_in, n_in, 5, padding=(0, 2), groups=n_in, bias=False, padding_mode=padding_mode),
            nn.Conv2d(n_in, n_embedding, 1, bias=False),
            nn.BatchNorm2d(n_embedding),
            activate(),
        )
        self.head = linear_head(n_embedding, n_classes)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data; of a stage, its last block."""
        ends = {f"stage{number}": end - 1 for number, end in enumerate(accumulate(STAGE_BLOCKS), 1)}
        return {"stem": self.stem_norm} | {name: self.blocks[end] for name, end in ends.items()} | {"tail": self.tail}

    def frames(self, spectrogram: Tensor) -> Tensor:
        """Map log-mels (batch, 1, n_bands, frame) to frames (batch, 32 * tau, frame)."""
        check_spectrogram(spectrogram, self.n_bands)  # other sub-bands would cut through clips, without an error
        check_padding(self.padding_mode, PADDING, 1, spectrogram.shape[-1])
        # Within the blocks the layout is (channel, frequency, batch, frame): every norm then runs over contiguous rows
        # and every convolution but the temporal one is a matrix product. docs/benchmarks.md compares the speed.
        x = self.stem_activation(self.stem_norm(self.stem(spectrogram).permute(1, 2, 0, 3)))
        x = self.blocks(x)
        maps: Tensor = self.tail(x.permute(2, 0, 1, 3))
        return maps.mean(2)

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map log-mels (batch, 1, n_bands, frame) to embeddings (batch, 32 * tau)."""
        return self.frames(spectrogram).mean(-1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map log-mels (batch, 1, n_bands, frame) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits
