"""TC-ResNet: temporal convolutions with the bands as channels (Choi et al., 2019, arXiv 1904.03814)."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from audionet.checks import check_at_least, check_one_of, check_spectrogram, check_that
from audionet.models.contract import linear_head
from audionet.models.layers import PaddingMode, activation_layer, check_padding
from audionet.registry import NamedArguments

BLOCK_CHANNELS = {8: (24, 32, 48), 14: (24, 24, 32, 32, 48, 48)}  # of each block, by the depth
STEM_CHANNELS = 16
BLOCK_KERNEL = 9
PADDING = BLOCK_KERNEL // 2
STRIDE = 8  # of the last block's frames


class TCResBlock(nn.Module):
    """Two convolutions of width 9 over time beside a shortcut.

    A block that widens halves the frames, and its shortcut is a strided pointwise convolution (figure 2b of the paper).
    The shortcut of another is the identity (figure 2a).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        causal: bool = False,
    ) -> None:
        super().__init__()
        stride = 2 if n_in != n_out else 1
        conv = partial(_padded_conv, kernel_size=BLOCK_KERNEL, padding_mode=padding_mode, causal=causal)
        activate = partial(activation_layer, activation, inplace=True)
        self.body = nn.Sequential(
            *conv(n_in, n_out, stride=stride),
            nn.BatchNorm1d(n_out),
            activate(),
            *conv(n_out, n_out),
            nn.BatchNorm1d(n_out),
        )
        widen = (nn.Conv1d(n_in, n_out, 1, stride=2, bias=False), nn.BatchNorm1d(n_out), activate())
        self.shortcut = nn.Sequential(*widen) if n_in != n_out else nn.Identity()
        self.activation = activate()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, frame) to (batch, n_out, frame / 2), or to as many frames where n_out is n_in."""
        y: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return y


def _padded_conv(
    n_in: int, n_out: int, *, kernel_size: int, stride: int = 1, padding_mode: PaddingMode, causal: bool
) -> list[nn.Module]:
    """Return a convolution that keeps the number of frames at stride 1, behind its padding if that is on one side."""
    padding = 0 if causal else kernel_size // 2
    conv = nn.Conv1d(n_in, n_out, kernel_size, stride=stride, padding=padding, padding_mode=padding_mode, bias=False)
    return [nn.ConstantPad1d((kernel_size - 1, 0), 0.0), conv] if causal else [conv]


class TCResNet(NamedArguments, nn.Module):
    """TC-ResNet8 or 14: small, and many times faster to train on a CPU than a network that slides over frequency too.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channel counts; the paper's are 1 and 1.5.
        depth: Number of convolutions on the longest way, 8 or 14: three residual blocks, or six.
        padding_mode: What convolutions see beyond the ends: "zeros", "reflect", "replicate" or "circular".
        causal: Whether a frame sees none that come after it. Zeros are then before the clip alone. In a stream, a frame
            of a network that is not causal waits for 85 of the spectrogram.
        activation: Name of the non-linear function, such as "relu".
        n_bands: Mel bands or cepstral coefficients, which are the channels of the first convolution.
        dropout: Probability that a channel of the embedding is dropped before the classifier.

    Shape:
        (batch, 1, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: ``n_bands`` or ``width`` is too small, there is no such ``depth`` or choice, or the network is
            ``causal`` and padded with something else than zeros; from ``forward``, the spectrogram has another number
            of bands, or too few frames to be reflected.

    Example:
        >>> network = TCResNet(n_classes=12)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 48]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        depth: int = 8,
        padding_mode: PaddingMode = "zeros",
        causal: bool = False,
        activation: str = "relu",
        n_bands: int = 40,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_at_least(1, n_bands=n_bands)
        check_at_least(1 / STEM_CHANNELS, width=width)
        check_one_of(BLOCK_CHANNELS, "depth", depth)
        check_padding(padding_mode, PADDING, STRIDE)
        check_that(not causal or padding_mode == "zeros", "padding_mode", "'zeros' for a causal network", padding_mode)
        self.n_bands, self.n_classes, self.padding_mode = n_bands, n_classes, padding_mode
        widths = [int(channels * width) for channels in (STEM_CHANNELS, *BLOCK_CHANNELS[depth])]
        stem = _padded_conv(n_bands, widths[0], kernel_size=3, padding_mode=padding_mode, causal=causal)
        self.stem = nn.Sequential(*stem) if causal else stem[0]
        block = partial(TCResBlock, padding_mode=padding_mode, activation=activation, causal=causal)
        self.blocks = nn.Sequential(*(block(n_in, n_out) for n_in, n_out in pairwise(widths)))
        self.head = linear_head(widths[-1], n_classes, dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data."""
        return {"stem": self.stem} | {f"block{number}": block for number, block in enumerate(self.blocks, 1)}

    def frames(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to frames (batch, 48 * width, frame / 8)."""
        check_spectrogram(spectrogram, self.n_bands)
        check_padding(self.padding_mode, PADDING, STRIDE, spectrogram.shape[-1])
        frames: Tensor = self.blocks(self.stem(spectrogram.squeeze(1)))
        return frames

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to embeddings (batch, 48 * width)."""
        return self.frames(spectrogram).mean(-1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits
