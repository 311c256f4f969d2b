"""Auxiliary classifiers on the way through a deep network, whose gradients reach its early layers in training.

Source: Szegedy et al., 2014, arXiv 1409.4842, section 5.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from audionet.checks import check_spectrogram, check_that
from audionet.models.convnet import Convnet


class AuxiliaryConvnet(Convnet):
    """A `Convnet` that may have further classifiers, which ``forward`` leaves out.

    Attributes:
        auxiliary: The classifiers, by the stage and the layer in it whose maps they see, such as "inception4_1".
    """

    auxiliary: nn.ModuleDict

    def set_auxiliary(self, classifiers: Mapping[str, nn.Module]) -> None:
        """Set the auxiliary classifiers.

        Raises:
            ValueError: The network itself has no classifier.
        """
        fits = self.n_classes or not classifiers
        check_that(fits, "auxiliary", "False for a network without classes", True, "give n_classes")
        self.auxiliary = nn.ModuleDict(classifiers)

    def auxiliary_logits(self, spectrogram: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits (batch, n_classes), and those of each auxiliary classifier, from one pass."""
        check_spectrogram(spectrogram, self.n_bands, self.in_channels)
        maps, others = spectrogram, []
        for name, stage in self.body.named_children():
            for number, layer in enumerate(stage.children()):
                maps = layer(maps)
                if (place := f"{name}_{number}") in self.auxiliary:
                    others.append(self.auxiliary[place](maps))
        return self.head(self.pool(maps)), others
