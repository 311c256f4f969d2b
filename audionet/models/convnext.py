"""ConvNeXt: a residual network that borrows from vision transformers what can be borrowed without attention.

A large kernel for each channel by itself, then two layers over the channels at each place; layer instead of batch
normalisation, and few activations. Source: Liu et al., 2022, arXiv 2201.03545.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_one_of, check_positive
from audionet.models.convnet import Convnet
from audionet.models.layers import PaddingMode, activation_layer, conv_layer, global_pool, scaled

FORMS = {  # blocks of each stage, and channels of the first, by the size; those of each next stage are twice as many
    "atto": ((2, 2, 6, 2), 40),  # the four smallest: Woo et al., 2023, arXiv 2301.00808, table 11
    "femto": ((2, 2, 6, 2), 48),
    "pico": ((2, 2, 6, 2), 64),
    "nano": ((2, 2, 8, 2), 80),
    "tiny": ((3, 3, 9, 3), 96),
    "small": ((3, 3, 27, 3), 96),
    "base": ((3, 3, 27, 3), 128),
}
KERNEL = 7
EXPANSION = 4  # channels between the two layers of a block, by those of the block
EPSILON = 1e-6  # of the layer normalisation


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels, at each place by itself."""

    def __init__(self, n_channels: int) -> None:
        super().__init__(n_channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channel, band, frame)."""
        return super().forward(x.movedim(1, 3)).movedim(3, 1)


class ConvNeXtBlock(nn.Module):
    """y = x + scale * F(x): figure 4 of the paper.

    Args:
        n_channels: Channels that come in and go out.
        layer_scale: Initial factor on F, which each channel learns.
        drop: Probability that F is left out for a clip in training (Huang et al., 2016, arXiv 1603.09382).
        padding_mode: Of the convolution.
        activation: A name of `activation_layer`.

    Example:
        >>> ConvNeXtBlock(8)(torch.ones(1, 8, 20, 50)).shape
        torch.Size([1, 8, 20, 50])
    """

    def __init__(
        self,
        n_channels: int,
        *,
        layer_scale: float = 1e-6,
        drop: float = 0.0,
        padding_mode: PaddingMode = "zeros",
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((n_channels,), layer_scale))
        self.drop = drop
        self.depthwise = conv_layer(
            n_channels,
            n_channels,
            KERNEL,
            groups=n_channels,
            padding_mode=padding_mode,
            norm="none",
            activation="none",
        )
        self.body = nn.Sequential(
            nn.LayerNorm(n_channels, eps=EPSILON),
            nn.Linear(n_channels, EXPANSION * n_channels),
            activation_layer(activation),
            nn.Linear(EXPANSION * n_channels, n_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_channels, band, frame) to maps of the same shape."""
        added: Tensor = (self.scale * self.body(self.depthwise(x).movedim(1, 3))).movedim(3, 1)
        if self.training and self.drop:
            added = added * F.dropout(
                x.new_ones(len(x), 1, 1, 1), self.drop
            )  # of the others more, for as much on average
        return x + added


class ConvNeXt(Convnet):
    """ConvNeXt: four stages of blocks, between which patches of 2 × 2 become one place.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        size: "atto", "femto", "pico" or "nano", which are of the second paper; "tiny", "small" or "base" of the first.
        width: Factor on all channel counts.
        patch: Bands and frames of the patches that the stem makes one place of. The paper has 4 for pictures of
            224 × 224, which makes 1 × 3 places of 40 bands and 101 frames at the end; 2 makes 2 × 6.
        layer_scale: Initial factor on what a block adds.
        stochastic_depth: Probability that the last block is left out for a clip in training; it grows from 0 at the
            first block. The paper has 0.1 for tiny, 0.4 for small and 0.5 for base.
        padding_mode: What convolutions see beyond the edges: "zeros", "reflect", "replicate" or "circular".
        activation: Name of the non-linear function, such as "gelu".
        n_bands: Bands of the spectrogram, at least 8 times ``patch``.
        in_channels: Planes of the input.
        dropout: Probability that a number of the embedding is dropped before the classifier; None for no such layer.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: There is no such ``size`` or choice, or a number does not fit; from ``forward``, the spectrogram
            has another number of bands, or too few bands or frames.

    Example:
        >>> network = ConvNeXt(n_classes=12, size="atto", width=0.5)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 160]), torch.Size([3, 12]))
        >>> network.maps(spectrogram).shape
        torch.Size([3, 160, 2, 6])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        size: str = "atto",
        width: float = 1.0,
        patch: int = 2,
        layer_scale: float = 1e-6,
        stochastic_depth: float = 0.1,
        padding_mode: PaddingMode = "zeros",
        activation: str = "gelu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = None,
    ) -> None:
        check_one_of(FORMS, "size", size)
        check_positive(width=width)
        check_at_least(1, whole=True, patch=patch, in_channels=in_channels)
        check_at_least(0, 0.99, stochastic_depth=stochastic_depth)
        depths, n_channels = FORMS[size]
        widths = [scaled(n_channels * 2**stage, width) for stage in range(len(depths))]
        drops = torch.linspace(0, stochastic_depth, sum(depths), device="cpu").tolist()
        block = partial(ConvNeXtBlock, layer_scale=layer_scale, padding_mode=padding_mode, activation=activation)
        stem = (nn.Conv2d(in_channels, widths[0], patch, stride=patch), ChannelNorm(widths[0]))
        stages: dict[str, nn.Module] = {"stem": nn.Sequential(*stem)}
        for stage, (depth, n_out) in enumerate(zip(depths, widths, strict=True)):
            layers: list[nn.Module] = []
            if stage > 0:
                n_in = widths[stage - 1]
                layers += [ChannelNorm(n_in), nn.Conv2d(n_in, n_out, 2, stride=2)]
            layers += [block(n_out, drop=drops.pop(0)) for _ in range(depth)]
            stages[f"stage{stage + 1}"] = nn.Sequential(*layers)
        super().__init__(
            stages,
            pool=nn.Sequential(*global_pool(), nn.LayerNorm(widths[-1], eps=EPSILON)),
            n_embedding=widths[-1],
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
