"""The smallest convnet: templates that slide over time, so that a word is known again wherever it comes.

One convolution, a maximum over time and a linear classifier are what is left of a convnet when it has no depth. It
stands between the linear model, whose templates lie still, and LeNet-5 (LeCun et al., 1998).
"""

from torch import Tensor, nn

from audionet.checks import check_at_least, check_that
from audionet.models.convnet import Convnet
from audionet.models.layers import PaddingMode, conv_layer, scaled

N_FILTERS = 64


class MaximumOverTime(nn.Module):
    """The largest value of each channel and band over the frames: how well its filter fits where it fits best."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, channel, band, frame) to (batch, channel * band)."""
        return maps.amax(-1).flatten(1)


class OneLayer(Convnet):
    """One convolution, ReLU, the maximum over time, and a linear classifier.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on the number of filters, which is 64.
        filter_bands: Bands that a filter spans; None for all of them. Smaller patches slide over the bands, too, and
            the embedding tells how well each fits at each place among the bands.
        filter_frames: Frames that a filter spans, an odd number.
        padding_mode: What stands before the beginning and after the end: "zeros", "reflect", "replicate", "circular".
        activation: A name of `audionet.models.layers.activation_layer`.
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that a number of the embedding is dropped before the classifier.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A filter spans no band, or more than there are, or an even number of frames; from ``forward``, the
            spectrogram has another number of bands.

    Example:
        >>> network = OneLayer(n_classes=12)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 64]), torch.Size([3, 12]))
        >>> OneLayer(n_classes=12, filter_bands=9).embed(spectrogram).shape  # 64 filters at 32 places
        torch.Size([3, 2048])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        filter_bands: int | None = None,
        filter_frames: int = 25,
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float = 0.0,
    ) -> None:
        bands = n_bands if filter_bands is None else filter_bands
        check_at_least(1, whole=True, n_bands=n_bands, in_channels=in_channels)
        check_at_least(1, n_bands, whole=True, filter_bands=bands)
        check_that(filter_frames > 0 and filter_frames % 2, "filter_frames", "an odd number", filter_frames)
        check_at_least(0, 1, dropout=dropout)
        n_filters = scaled(N_FILTERS, width)
        conv = conv_layer(
            in_channels,
            n_filters,
            (bands, filter_frames),
            padding=(0, filter_frames // 2),
            padding_mode=padding_mode,
            norm="none",
            activation=activation,
        )
        super().__init__(
            {"conv1": conv},
            pool=MaximumOverTime(),
            n_embedding=n_filters * (n_bands - bands + 1),
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout or None,
        )
