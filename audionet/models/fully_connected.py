"""A plain network without convolutions, where the story begins: it knows every place of the spectrogram by itself.

Without hidden layers it is logistic regression: the weights of a class are one template, a picture of the size of the
spectrogram, and the logit is how well the two agree. With one it is the multilayer perceptron (Rumelhart, Hinton and
Williams, 1986, Nature 323). Neither knows a word again that comes a little later.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from audionet.checks import check_at_least, check_spectrogram
from audionet.models.contract import linear_head
from audionet.models.layers import activation_layer
from audionet.registry import NamedArguments


class FullyConnected(NamedArguments, nn.Module):
    """Fully connected layers over the whole spectrogram; without hidden ones, the linear model.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        hidden: Outputs of each hidden layer; () for the linear model, whose ``head.weight`` is one template for each
            class: (n_classes, in_channels * n_bands * n_frames).
        activation: After each hidden layer, a name of `audionet.models.layers.activation_layer`.
        n_bands: Bands of the spectrogram.
        n_frames: Frames that the layers are laid out for; a spectrogram of another length is averaged to it, a shorter
            one by repeating frames.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that a number of the embedding is dropped before the classifier.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A size is below 1, or there is no such ``activation``; from ``forward``, the spectrogram has another
            number of bands.

    Example:
        >>> network = FullyConnected(n_classes=12)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 128]), torch.Size([3, 12]))
        >>> FullyConnected(n_classes=12, hidden=()).head.weight.view(12, 40, 101).shape
        torch.Size([12, 40, 101])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        hidden: Sequence[int] = (128,),
        activation: str = "relu",
        n_bands: int = 40,
        n_frames: int = 101,
        in_channels: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, whole=True, n_bands=n_bands, n_frames=n_frames, in_channels=in_channels)
        check_at_least(0, 1, dropout=dropout)
        self.n_bands, self.n_frames, self.in_channels, self.n_classes = n_bands, n_frames, in_channels, n_classes
        self.input = nn.Sequential(nn.AdaptiveAvgPool2d((n_bands, n_frames)), nn.Flatten())
        self.hidden = nn.Sequential()
        n_in = in_channels * n_bands * n_frames
        for n_out in hidden:
            check_at_least(1, whole=True, hidden=n_out)
            self.hidden.append(nn.Sequential(nn.Linear(n_in, n_out), activation_layer(activation)))
            n_in = n_out
        self.head = linear_head(n_in, n_classes, dropout or None)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data."""
        return {"input": self.input} | {f"hidden{number}": layer for number, layer in enumerate(self.hidden, 1)}

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to embeddings (batch, channels)."""
        check_spectrogram(spectrogram, self.n_bands, self.in_channels)
        embedding: Tensor = self.hidden(self.input(spectrogram))
        return embedding

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits
