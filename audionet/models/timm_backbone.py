"""Any network for pictures of the library timm (Wightman, 2019) as a recogniser of spectrograms."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from audionet.checks import check_at_least, check_no_misfits, check_spectrogram, nearest
from audionet.models.contract import linear_head
from audionet.registry import NamedArguments

PRETRAINED = "pretrained"
TRIAL_FRAMES = 101  # of the spectrogram that a new network is tried on


class TimmBackbone(NamedArguments, nn.Module):
    """A network of timm up to its pooling, and a linear classifier.

    It needs the extra ``timm``. Convolutional networks take spectrograms of any length; one that takes only pictures of
    its own size, as most vision transformers do, is refused.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        backbone: Name of the network in ``timm.list_models()``, such as "resnet18" or "efficientnet_b0".
        weights: Where training starts: "" for random weights; "pretrained" for those that timm offers, which it
            downloads once; or the path of a state of that network, .safetensors or .pth. A bundle holds its own
            weights and does not ask for these again.
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input. The first convolution of a state for three colours is summed to one plane.
        dropout: Probability that a number of the embedding is dropped before the classifier; None for no such layer.

    Attributes:
        starting_arguments: Names of the arguments that say only where training starts.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: timm is not installed, or does not know the backbone, or has no weights for it; the weights are not
            there, or not of this network; it does not take spectrograms of that size.

    Example:
        >>> network = TimmBackbone(n_classes=12, backbone="test_resnet")  # it is small, for tests
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 96]), torch.Size([3, 12]))
    """

    starting_arguments: ClassVar[frozenset[str]] = frozenset({"weights"})

    def __init__(
        self,
        *,
        n_classes: int,
        backbone: str = "resnet18",
        weights: str = "",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        check_at_least(1, whole=True, n_bands=n_bands, in_channels=in_channels)
        self.n_bands, self.n_classes, self.in_channels = n_bands, n_classes, in_channels
        self.backbone = make_backbone(backbone, in_channels, is_pretrained=weights == PRETRAINED)
        if weights and weights != PRETRAINED:
            load_state(self.backbone, backbone, Path(weights), in_channels)
        self.head = linear_head(embedding_size(self.backbone, backbone, in_channels, n_bands), n_classes, dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of the backbone that timm names as its features, in the order of the data."""
        parts = dict(self.backbone.named_modules())
        named = [str(info.get("module")) for info in getattr(self.backbone, "feature_info", None) or ()]
        found = {name: parts[name] for name in named if name in parts}
        return found or dict(self.backbone.named_children())

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to embeddings (batch, n_embedding)."""
        check_spectrogram(spectrogram, self.n_bands, self.in_channels)
        embedding: Tensor = self.backbone(spectrogram)
        return embedding

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits


def make_backbone(name: str, in_channels: int, *, is_pretrained: bool = False) -> nn.Module:
    """Return a network of timm up to its pooling: (batch, in_channels, band, frame) -> (batch, n_embedding).

    Args:
        name: Its name in ``timm.list_models()``; a name of its weights may follow after a dot.
        in_channels: Planes of the input.
        is_pretrained: Whether it has the weights that timm offers.

    Raises:
        ValueError: timm is not installed, does not know the name, or has no such weights.

    Example:
        >>> make_backbone("test_resnet", 1)(torch.zeros(2, 1, 40, 101)).shape
        torch.Size([2, 96])
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            f"backbone: expected the library timm for {name!r}, got {error}; pip install 'audionet[timm]'"
        ) from error
    if not timm.is_model(name):
        advice = nearest(name, timm.list_models(), "choose one of them")
        raise ValueError(f"backbone: expected a name of timm.list_models(), got {name!r}; {advice}")
    try:
        backbone: nn.Module = timm.create_model(name, pretrained=is_pretrained, in_chans=in_channels, num_classes=0)
    except Exception as error:  # of whatever kind: it depends on the network, and on the connection
        if not is_pretrained:
            raise ValueError(f"backbone: expected a network that timm can make, got {name!r}: {error}") from error
        advice = "connect this machine to the network once, or give the path of a file with the weights"
        raise ValueError(f"weights: expected those that timm offers for {name!r}, got {error}; {advice}") from error
    return backbone


def load_state(backbone: nn.Module, name: str, path: Path, in_channels: int) -> None:
    """Give a network of timm the weights of a file, without those of the classifier that it does not have.

    Args:
        backbone: What `make_backbone` returns.
        name: Its name in timm.
        path: File of the weights, .safetensors or what ``torch.save`` wrote of a state.
        in_channels: Planes of the input; a first convolution of another number is adapted.

    Raises:
        ValueError: There is no such file, or it holds no state, or that of another network.
    """
    from timm.models import adapt_input_conv

    state = read_state(path)
    cfg = getattr(backbone, "pretrained_cfg", {})
    classifiers, first_convs = (_names(cfg.get(field)) for field in ("classifier", "first_conv"))
    state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in classifiers}
    own = backbone.state_dict()
    for key in (f"{conv}.weight" for conv in first_convs):
        if key in state and state[key].shape[1:2] == (3,) and in_channels != 3:
            state[key] = adapt_input_conv(in_channels, state[key])
    misfits = sorted(
        own.keys() ^ state.keys() | {key for key in own.keys() & state.keys() if own[key].shape != state[key].shape}
    )
    check_no_misfits(misfits, path, f"the state of timm's {name}", "give the weights of that backbone")
    backbone.load_state_dict(state)


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name; nothing in it is executed.

    Args:
        path: A .safetensors file, or what ``torch.save`` wrote of a state, alone or under "state_dict" or "model".

    Raises:
        ValueError: There is no such file, or it holds no tensors by name.
    """
    if not path.is_file():
        expected = f'"{PRETRAINED}" or the path of a .safetensors or .pth file'
        raise ValueError(f"weights: expected {expected}, got {str(path)!r}, where no file is; check the path")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of whatever kind: the file may be anything
        raise ValueError(f"{path}: expected the weights of a network, got {error}; save its state anew") from error
    for field in ("state_dict", "model"):
        state = state[field] if isinstance(state, dict) and isinstance(state.get(field), dict) else state
    if not (isinstance(state, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())):
        raise ValueError(f"{path}: expected tensors by name, got something else; save the network's state_dict()")
    return state


def embedding_size(backbone: nn.Module, name: str, in_channels: int, n_bands: int) -> int:
    """Return how many numbers a network of timm gives for a spectrogram, found by trying.

    Args:
        backbone: What `make_backbone` returns.
        name: Its name in timm.
        in_channels: Planes of the input.
        n_bands: Bands of the spectrogram.

    Raises:
        ValueError: It does not take such a spectrogram, or gives something other than one vector for it.

    Example:
        >>> embedding_size(make_backbone("test_resnet", 1), "test_resnet", 1, 40)
        96
    """
    was_training = backbone.training
    size = f"a spectrogram of {n_bands} bands and {TRIAL_FRAMES} frames"
    try:
        with torch.no_grad():
            embedding = backbone.eval()(torch.zeros(1, in_channels, n_bands, TRIAL_FRAMES))
    except Exception as error:  # of whatever kind: it depends on the network
        advice = "choose a convolutional one, or more bands"
        raise ValueError(f"backbone: expected one that takes {size}, got {name!r}: {error}; {advice}") from error
    finally:
        backbone.train(was_training)
    if not isinstance(embedding, Tensor) or embedding.ndim != 2:
        raise ValueError(f"backbone: expected one that gives a vector for {size}, got {name!r}; choose another")
    return embedding.shape[1]


def _names(value: object) -> tuple[str, ...]:
    """Return the names of modules of a field of timm's description of a network."""
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, (tuple, list)) else ()
