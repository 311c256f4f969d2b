"""BC-ResNet as the paper draws it (arXiv 2106.04140): (batch, channel, frequency, frame) and ordinary modules.

What the package's layout is measured against. Its parameters stand in the same order as `audionet.models.BCResNet`'s.
"""

import torch
from torch import Tensor, nn

from audionet.models.bcresnet import N_SUB_BANDS, STAGE_BLOCKS, STAGE_WIDTHS


class PlainSubSpectralNorm(nn.Module):
    """Batch normalisation with the sub-bands as further channels (arXiv 2103.13620)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(n_channels * N_SUB_BANDS)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channel, frequency, frame)."""
        batch, channel, frequency, frame = x.shape
        bands = x.view(batch, channel * N_SUB_BANDS, frequency // N_SUB_BANDS, frame)
        return self.norm(bands).view(batch, channel, frequency, frame)


class PlainBlock(nn.Module):
    """y = x + f2(x) + broadcast(f1(mean over frequency of f2(x))), eq. 1; without x where the width changes."""

    def __init__(self, n_in: int, n_out: int, *, stride: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.is_transition = n_in != n_out
        frequency: list[nn.Module] = []
        if self.is_transition:
            frequency = [nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]
        frequency += [
            nn.Conv2d(n_out, n_out, (3, 1), stride=(stride, 1), padding=(1, 0), groups=n_out, bias=False),
            PlainSubSpectralNorm(n_out),
        ]
        time = nn.Conv2d(n_out, n_out, (1, 3), padding=(0, dilation), dilation=(1, dilation), groups=n_out, bias=False)
        self.f2 = nn.Sequential(*frequency)
        self.f1 = nn.Sequential(
            time,
            nn.BatchNorm2d(n_out),
            nn.SiLU(inplace=True),
            nn.Conv2d(n_out, n_out, 1, bias=False),
            nn.Dropout2d(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, frequency, frame) to (batch, n_out, frequency / stride, frame)."""
        y = self.f2(x)
        y = y + self.f1(y.mean(2, keepdim=True))
        return torch.relu_(y if self.is_transition else y + x)


def plain_bcresnet(n_classes: int, *, tau: float = 1, dropout: float = 0.1) -> nn.Module:
    """Build the network, (batch, 1, n_bands, frame) -> (batch, n_classes)."""
    n_stem, n_head = int(16 * tau), int(32 * tau)
    layers: list[nn.Module] = [
        nn.Conv2d(1, n_stem, 5, stride=(2, 1), padding=2, bias=False),
        nn.BatchNorm2d(n_stem),
        nn.ReLU(inplace=True),
    ]
    n_in = n_stem
    for stage, (n_blocks, width) in enumerate(zip(STAGE_BLOCKS, STAGE_WIDTHS, strict=True)):
        n_out = int(8 * tau * width)
        for block in range(n_blocks):
            stride = 2 if block == 0 and stage in (1, 2) else 1
            layers.append(PlainBlock(n_in, n_out, stride=stride, dilation=2**stage, dropout=dropout))
            n_in = n_out
    return nn.Sequential(
        *layers,
        nn.Conv2d(n_in, n_in, 5, padding=(0, 2), groups=n_in, bias=False),
        nn.Conv2d(n_in, n_head, 1, bias=False),
        nn.BatchNorm2d(n_head),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(n_head, n_classes, 1),
        nn.Flatten(),
    )
