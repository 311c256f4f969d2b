"""TC-ResNet: temporal convolutions with the bands as channels (Choi et al., 2019, arXiv 1904.03814)."""

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_one_of, check_spectrogram
from audionet.models.contract import linear_head
from audionet.registry import NamedArguments

BLOCK_CHANNELS = {8: (24, 32, 48), 14: (24, 24, 32, 32, 48, 48)}  # of each block, by the depth
STEM_CHANNELS = 16
BLOCK_KERNEL = 9


class TCResBlock(nn.Module):
    """Two convolutions of width 9 over time beside a shortcut.

    A block that widens halves the frames, and its shortcut is a strided pointwise convolution (figure 2b of the paper).
    The shortcut of another is the identity (figure 2a).
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        pad, stride = BLOCK_KERNEL // 2, 2 if n_in != n_out else 1
        self.body = nn.Sequential(
            nn.Conv1d(n_in, n_out, BLOCK_KERNEL, stride=stride, padding=pad, bias=False),
            nn.BatchNorm1d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv1d(n_out, n_out, BLOCK_KERNEL, padding=pad, bias=False),
            nn.BatchNorm1d(n_out),
        )
        widen = (nn.Conv1d(n_in, n_out, 1, stride=2, bias=False), nn.BatchNorm1d(n_out), nn.ReLU(inplace=True))
        self.shortcut = nn.Sequential(*widen) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, frame) to (batch, n_out, frame / 2), or to as many frames where n_out is n_in."""
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


class TCResNet(NamedArguments, nn.Module):
    """TC-ResNet8 or 14: small, and many times faster to train on a CPU than a network that slides over frequency too.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channel counts; the paper's are 1 and 1.5.
        depth: Number of convolutions on the longest way, 8 or 14: three residual blocks, or six.
        n_bands: Mel bands or cepstral coefficients, which are the channels of the first convolution.
        dropout: Probability that a channel of the embedding is dropped before the classifier.

    Shape:
        (batch, 1, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: ``n_bands`` or ``width`` is too small, or there is no such ``depth``; from ``forward``, the
            spectrogram has another number of bands.

    Example:
        >>> network = TCResNet(n_classes=12)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 48]), torch.Size([3, 12]))
    """

    def __init__(
        self, *, n_classes: int, width: float = 1.0, depth: int = 8, n_bands: int = 40, dropout: float = 0.5
    ) -> None:
        super().__init__()
        check_at_least(1, n_bands=n_bands)
        check_at_least(1 / STEM_CHANNELS, width=width)
        check_one_of(BLOCK_CHANNELS, "depth", depth)
        self.n_bands, self.n_classes = n_bands, n_classes
        widths = [int(channels * width) for channels in (STEM_CHANNELS, *BLOCK_CHANNELS[depth])]
        self.stem = nn.Conv1d(n_bands, widths[0], 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*(TCResBlock(n_in, n_out) for n_in, n_out in pairwise(widths)))
        self.head = linear_head(widths[-1], n_classes, dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data."""
        return {"stem": self.stem} | {f"block{number}": block for number, block in enumerate(self.blocks, 1)}

    def frames(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to frames (batch, 48 * width, frame / 8)."""
        check_spectrogram(spectrogram, self.n_bands)
        frames: Tensor = self.blocks(self.stem(spectrogram.squeeze(1)))
        return frames

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to embeddings (batch, 48 * width)."""
        return self.frames(spectrogram).mean(-1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits
