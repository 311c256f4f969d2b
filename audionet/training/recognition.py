"""Recognition of one word a clip: augment, front-end and network in one Lightning module."""

from collections.abc import Sequence

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from audionet.augment import Augment, SpecAugment, mixup, to_float
from audionet.models import HasOwnLoss
from audionet.training.optimizers import Together
from audionet.training.schedule import with_warmup_cosine

Batch = dict[str, Tensor]


class Recognition(LightningModule):
    """Train a network to name the one word of each clip, with the recipe of BC-ResNet's released code by default.

    All randomness of a batch follows from (seed, its number, process): a resumed run equals an uninterrupted one.

    Args:
        features: Front-end, (batch, 1, time) -> (batch, 1, n_mels, frame).
        model: Network, (batch, 1, n_mels, frame) -> (batch, n_labels) logits.
            One that offers ``logits_and_loss`` learns from the sum of both losses.
        labels: Name of each output.
        augment: Chain of waveform augmentations; None for none.
        spec_augment: Masks on the spectrogram; None for none.
        mixup_alpha: Of mixup's Beta distribution; 0 for no mixup.
        mixup_p: Probability of mixup for a clip.
        learning_rate: Peak of the schedule.
        warmup_epochs: Epochs over which the rate rises from 0; a cosine then takes it back to 0.
        momentum: Of SGD.
        weight_decay: On all parameters of the network.
        features_learning_rate: Peak of the schedule for what a learned front-end learns, which Adam steps:
            frequencies, widths and rates, each of a scale of its own.
        label_smoothing: Probability mass spread over all classes.
        seed: Decides augmentation, masks, mixup and dropout.

    Batches:
        {"waveform": (batch, time) int16 or float, "label": (batch,) int64}
    """

    def __init__(
        self,
        *,
        features: nn.Module,
        model: nn.Module,
        labels: Sequence[str],
        augment: Augment | None = None,
        spec_augment: SpecAugment | None = None,
        mixup_alpha: float = 0.0,
        mixup_p: float = 0.5,
        learning_rate: float = 0.1,
        warmup_epochs: float = 5.0,
        momentum: float = 0.9,
        weight_decay: float = 1e-3,
        features_learning_rate: float = 1e-3,
        label_smoothing: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.features, self.model, self.labels = features, model, list(labels)
        self.augment, self.spec_augment = augment, spec_augment
        self.mixup_alpha, self.mixup_p = mixup_alpha, mixup_p
        self.learning_rate, self.warmup_epochs, self.momentum = learning_rate, warmup_epochs, momentum
        self.weight_decay, self.label_smoothing, self.seed = weight_decay, label_smoothing, seed
        self.features_learning_rate = features_learning_rate
        self.validation_accuracy = MulticlassAccuracy(len(self.labels), average="micro")
        self.test_confusion = MulticlassConfusionMatrix(len(self.labels))

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (batch, time), int16 or float, to logits (batch, n_labels)."""
        with self._full_precision():
            spectrogram = self.features(to_float(waveform)[:, None])
        return self.model(spectrogram).float()

    def _full_precision(self) -> torch.autocast:
        # For all that comes before the network: powers span more decades than 16 bits hold.
        return torch.autocast(self.device.type, enabled=False)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Derive the batch's random numbers from (seed, its number, process) alone."""
        number = self.trainer.fit_loop.total_batch_idx
        seeds = np.random.SeedSequence((self.seed, number, self.global_rank)).generate_state(2)
        self.generator = torch.Generator().manual_seed(int(seeds[0]))
        torch.manual_seed(int(seeds[1]))  # dropout

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of an augmented batch."""
        targets = F.one_hot(batch["label"], len(self.labels)).float()
        with self._full_precision():
            waveform = to_float(batch["waveform"])
            if self.augment is not None:
                waveform = self.augment(waveform, self.generator)
            if self.mixup_alpha > 0:
                waveform, targets = mixup(
                    waveform, targets, alpha=self.mixup_alpha, p=self.mixup_p, generator=self.generator
                )
            spectrogram = self.features(waveform[:, None])
            if self.spec_augment is not None:
                spectrogram = self.spec_augment(spectrogram, self.generator)
        second_loss = None
        if isinstance(self.model, HasOwnLoss):
            logits, second_loss = self.model.logits_and_loss(spectrogram)
        else:
            logits = self.model(spectrogram)
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.label_smoothing)
        self.log("train_loss", loss, prog_bar=True)
        if second_loss is None:
            return loss
        self.log("train_second_loss", second_loss)
        return loss + second_loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count the clips that are named right."""
        logits = self(batch["waveform"])
        self.validation_accuracy.update(logits, batch["label"])
        loss = F.cross_entropy(logits, batch["label"])
        self.log("validation_loss", loss, batch_size=len(logits), sync_dist=True)
        self.log("validation_accuracy", self.validation_accuracy, prog_bar=True)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count every pair of true and predicted label."""
        self.test_confusion.update(self(batch["waveform"]), batch["label"])

    def on_test_epoch_end(self) -> None:
        """Log the accuracy; the whole confusion matrix stays in ``confusion``."""
        self.confusion = self.test_confusion.compute().cpu()
        self.test_confusion.reset()
        self.log("test_accuracy", self.confusion.trace() / self.confusion.sum())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return SGD, with Adam for what the front-end learns, and the schedule per step."""
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            self.model.parameters(), self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )
        if learned := list(self.features.parameters()):
            optimizer = Together([optimizer, torch.optim.Adam(learned, self.features_learning_rate)])
        return with_warmup_cosine(self, optimizer, warmup_epochs=self.warmup_epochs)
