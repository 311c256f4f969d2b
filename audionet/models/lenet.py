"""LeNet-5: filters that are learned and shared over the picture, and maps that become smaller (LeCun et al., 1998).

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proceedings of the IEEE
86(11), figure 2 and table I. The paper's picture is 32 x 32.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_one_of, check_positive
from audionet.models.convnet import Convnet, embedding_pool
from audionet.models.layers import activation_layer, conv_layer, pool_layer, scaled

CHANNELS = (6, 16)  # of C1 and C3
KERNEL = 5
WIDTHS = (120, 84)  # of C5, which sees all of S4, and F6
CONNECTIONS = (  # table I: the maps of S2 that each map of C3 sees
    (0, 1, 2),
    (1, 2, 3),
    (2, 3, 4),
    (3, 4, 5),
    (0, 4, 5),
    (0, 1, 5),
    (0, 1, 2, 3),
    (1, 2, 3, 4),
    (2, 3, 4, 5),
    (0, 3, 4, 5),
    (0, 1, 4, 5),
    (0, 1, 2, 5),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)


def connection_table(n_out: int, n_in: int) -> Tensor:
    """Return which maps each map of C3 sees, (n_out, n_in) bool: table I at the paper's 16 x 6.

    At another size a map stands for those of the paper that lie at its share of the table.

    Example:
        >>> connection_table(16, 6).sum()
        tensor(60)
    """
    table = torch.zeros(len(CONNECTIONS), CHANNELS[0], device="cpu")
    for row, columns in zip(table, CONNECTIONS, strict=True):
        row[list(columns)] = 1
    return F.adaptive_max_pool2d(table[None], (n_out, n_in))[0] > 0


class TableConv2d(nn.Module):
    """A convolution whose outputs see some of the inputs each, by a table (n_out, n_in) bool.

    It holds one kernel for each connection, and none for the others.
    """

    def __init__(self, table: Tensor, kernel_size: int) -> None:
        super().__init__()
        self.size = (*table.shape, kernel_size, kernel_size)
        self.places: list[int] = table.flatten().nonzero().flatten().tolist()  # of the connections, in the table
        self.weight = nn.Parameter(torch.empty(len(self.places), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(len(table)))
        n_inputs: list[int] = table.sum(1).tolist()  # of each output
        for n_in, weight, bias in zip(n_inputs, self.weight.split(n_inputs), self.bias, strict=True):
            bound = (n_in * kernel_size**2) ** -0.5  # torch's of a convolution with so many inputs
            nn.init.uniform_(weight, -bound, bound)
            nn.init.uniform_(bias, -bound, bound)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, n_in, band, frame) to (batch, n_out, band - kernel_size + 1, frame - kernel_size + 1)."""
        n_out, n_in, *kernel = self.size
        places = torch.tensor(self.places, device=self.weight.device)
        weight = self.weight.new_zeros(n_out * n_in, *kernel).index_copy(0, places, self.weight)
        return F.conv2d(maps, weight.view(self.size), self.bias)


class Subsampling(nn.Module):
    """The mean of each 2 x 2 neighbourhood times a learned coefficient, and a learned bias, one of each a map."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, n_channels, band, frame) to (batch, n_channels, band / 2, frame / 2)."""
        return F.avg_pool2d(maps, 2) * self.coefficient[:, None, None] + self.bias[:, None, None]


def subsampling_layer(pooling: str, n_channels: int, activation: str) -> nn.Module:
    """Return a layer that halves the maps: the paper's "subsampling" or one of `pool_layer`."""
    if pooling == "subsampling":
        return nn.Sequential(Subsampling(n_channels), activation_layer(activation))
    return pool_layer(pooling, 2, 2, n_channels=n_channels, activation=activation)


class LeNet(Convnet):
    """LeNet-5: two convolutions, each with a subsampling, and two fully connected layers.

    The paper's squashing function is 1.7159 tanh(2/3 x), whose two factors the weights can take up; its outputs are
    distances to fixed pictures of the digits, and ours a linear classifier.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channels.
        connections: "table": each map of C3 sees the maps of S2 that the paper's table says, 3 to 6 of 6, so that they
            learn different things; "full": all of them.
        pooling: "subsampling": the paper's, the mean times a learned coefficient, a learned bias, and the activation;
            "average", "max" or "convolution".
        activation: A name of `audionet.models.layers.activation_layer`.
        norm: After each convolution, a name of `audionet.models.layers.norm_layer`; the paper knows none.
        head: "fully_connected", or "global" for the mean over all bands and frames.
        n_bands: Bands of the spectrogram, at least 16.
        n_frames: Frames that the fully connected layers are laid out for.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that an output of a fully connected layer is dropped; the paper knows none.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A choice is unknown, or too little of the spectrogram is left for a layer; from ``forward``, the
            spectrogram has another number of bands, or too few frames.

    Example:
        >>> network = LeNet(n_classes=12)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.maps(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 16, 7, 22]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        connections: str = "table",
        pooling: str = "subsampling",
        activation: str = "tanh",
        norm: str = "none",
        head: str = "fully_connected",
        n_bands: int = 40,
        n_frames: int = 101,
        in_channels: int = 1,
        dropout: float = 0.0,
    ) -> None:
        check_positive(width=width)
        check_at_least(0, 1, dropout=dropout)
        check_one_of(("table", "full"), "connections", connections)
        first, second = (scaled(channels, width) for channels in CHANNELS)
        c3 = conv_layer(first, second, KERNEL, padding=0, norm=norm, activation=activation)
        if connections == "table":
            c3[0] = TableConv2d(connection_table(second, first), KERNEL)
        stages = {
            "c1": conv_layer(in_channels, first, KERNEL, padding=0, norm=norm, activation=activation),
            "s2": subsampling_layer(pooling, first, activation),
            "c3": c3,
            "s4": subsampling_layer(pooling, second, activation),
        }
        pool, n_embedding = embedding_pool(
            stages,
            head,
            [scaled(channels, width) for channels in WIDTHS],
            in_channels=in_channels,
            n_bands=n_bands,
            n_frames=n_frames,
            activation=activation,
            dropout=dropout,
        )
        super().__init__(
            stages,
            pool=pool,
            n_embedding=n_embedding,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout or None,
        )
