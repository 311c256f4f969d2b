"""Recognition of one word a clip: augmentation, front-end and network in one Lightning module."""

from typing import cast

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torchmetrics.aggregation import CatMetric
from torchmetrics.classification import MulticlassAccuracy

from audionet.augment import Augment, SpecAugment, mixup, to_float
from audionet.checks import check_at_least, check_positive
from audionet.datasets.batches import ClipBatch
from audionet.labels import is_word
from audionet.metrics import Answers, Calibration, calibrate, recognition_figures
from audionet.models import HasAuxiliaryHeads, HasOwnLoss, RecognitionNetwork
from audionet.randomness import check_seed, random_generator
from audionet.training.data import ClipData
from audionet.training.domain import DomainHead
from audionet.training.optimizers import ChainedOptimizer, with_warmup_cosine

AUXILIARY_WEIGHT = 0.3
"""Weight of the loss of each auxiliary classifier (Szegedy et al., 2014, arXiv 1409.4842, section 5)."""


def compile_network(network: nn.Module) -> None:
    """Compile a network in place with torch.compile; a batch of another size, such as the last, is compiled again."""
    network.compile(dynamic=False)
    if isinstance(network, HasOwnLoss):  # in training, that is what is called
        network.logits_and_loss = torch.compile(network.logits_and_loss, dynamic=False)  # type: ignore[method-assign]
    if isinstance(network, HasAuxiliaryHeads):  # likewise
        network.auxiliary_logits = torch.compile(network.auxiliary_logits, dynamic=False)  # type: ignore[method-assign]


class Recognition(LightningModule):
    """The training of a network that names the one word of each clip, by default with BC-ResNet's released recipe.

    Subclass it to change a part: `inputs_and_targets` is the way from a waveform to the network's input, `loss` is what
    is minimised, and `make_optimizer` says what minimises it. All random numbers of a batch follow from the seed, the
    batch's number and the process, so that a resumed run equals an uninterrupted one.

    Args:
        front_end: Front-end, (batch, 1, time) -> (batch, 1, n_bands, frame).
        model: Network, (batch, 1, n_bands, frame) -> (batch, n_classes) logits. One that offers ``logits_and_loss``
            learns from the sum of both losses; one that offers ``auxiliary_logits`` from those of its further
            classifiers, too, each times 0.3.
        n_classes: Number of classes.
        augment: Chain of waveform augmentations; None for none.
        spec_augment: Masks on the spectrogram; None for none.
        mixup_alpha: Parameter of mixup's Beta distribution; 0 for no mixup.
        mixup_p: Probability of mixup for a clip.
        learning_rate: Peak of the learning rate of SGD.
        warmup_epochs: Epochs over which the rate rises from 0; a cosine then takes it back to 0.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of SGD, on all parameters of the network.
        front_end_learning_rate: Peak of the learning rate of Adam, which steps the parameters of a learned front-end:
            frequencies, widths and rates, each on a scale of its own.
        label_smoothing: Probability that the target spreads over all classes.
        domain_weight: Weight with which the network unlearns what tells synthetic clips from ``speech``; 0 for none.
        speech: Real speech without labels, (clip, time) int16, which a `DomainHead` tells from the labelled clips, all
            of them synthetic.
        seed: Seed of augmentation, masks, mixup and dropout.

    Raises:
        ValueError: The front-end makes complex numbers, a number is out of its range, or ``domain_weight`` is without
            speech or for a network with a loss of its own.

    Batches:
        `audionet.datasets.batches.ClipBatch`; waveforms may be float, too.

    Example:
        >>> class FocalRecognition(audionet.training.Recognition):
        ...     def loss(self, logits, targets):
        ...         log_p = logits.log_softmax(-1)
        ...         return -(targets * (1 - log_p.exp()) ** 2 * log_p).sum(-1).mean()
        >>> front_end = audionet.features.LogMel(sample_rate=16_000, n_mels=40)
        >>> model = audionet.models.create("tcresnet", n_classes=2, n_bands=40)
        >>> task = FocalRecognition(front_end=front_end, model=model, n_classes=2)
        >>> task.loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
        tensor(0.1733)
    """

    def __init__(
        self,
        *,
        front_end: nn.Module,
        model: nn.Module,
        n_classes: int,
        augment: Augment | None = None,
        spec_augment: SpecAugment | None = None,
        mixup_alpha: float = 0.0,
        mixup_p: float = 0.5,
        learning_rate: float = 0.1,
        warmup_epochs: float = 5.0,
        momentum: float = 0.9,
        weight_decay: float = 1e-3,
        front_end_learning_rate: float = 1e-3,
        label_smoothing: float = 0.0,
        domain_weight: float = 0.0,
        speech: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(2, n_classes=n_classes, whole=True)
        check_positive(learning_rate=learning_rate, front_end_learning_rate=front_end_learning_rate)
        check_at_least(0, warmup_epochs=warmup_epochs, weight_decay=weight_decay, mixup_alpha=mixup_alpha)
        check_at_least(0, domain_weight=domain_weight)
        check_at_least(0, 1, mixup_p=mixup_p, momentum=momentum, label_smoothing=label_smoothing)
        check_seed(seed)
        if getattr(front_end, "is_complex", False):
            raise ValueError(f"front_end: expected real numbers, got the complex ones of {front_end}; give it a power")
        self.front_end, self.model, self.n_classes = front_end, model, n_classes
        self.augment, self.spec_augment = augment, spec_augment
        self.mixup_alpha, self.mixup_p = mixup_alpha, mixup_p
        self.learning_rate, self.warmup_epochs, self.momentum = learning_rate, warmup_epochs, momentum
        self.weight_decay, self.label_smoothing, self.seed = weight_decay, label_smoothing, seed
        self.front_end_learning_rate = front_end_learning_rate
        self.domain = DomainHead(model, speech, domain_weight) if domain_weight else None
        self.validation_accuracy = MulticlassAccuracy(n_classes, average="micro")
        self.calibration, self.words = Calibration(), [True] * n_classes
        self.rows = CatMetric(nan_strategy="disable")  # of each clip: its place in the store, its label and its logits

    @property
    def network(self) -> RecognitionNetwork:
        """The network, as one that has ``embed`` and ``head``."""
        return cast(RecognitionNetwork, self.model)

    def inputs_and_targets(self, batch: ClipBatch) -> tuple[Tensor, Tensor]:
        """Return the spectrogram (batch, 1, n_bands, frame) and the target probabilities (batch, n_classes)."""
        waveform = to_float(batch["waveform"])
        targets = F.one_hot(batch["label"], self.n_classes).float()
        if self.augment is not None:
            waveform = self.augment(waveform, self.generator, batch.get("silence"))
        if self.mixup_alpha > 0:
            waveform, targets = mixup(
                waveform, targets, alpha=self.mixup_alpha, p=self.mixup_p, generator=self.generator
            )
        spectrogram = self.front_end(waveform[:, None])
        if self.spec_augment is not None:
            spectrogram = self.spec_augment(spectrogram, self.generator)
        return spectrogram, targets

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits and target probabilities, both (batch, n_classes): their cross-entropy."""
        loss: Tensor = F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
        return loss

    def make_optimizer(self) -> Optimizer:
        """Return SGD for the network, chained with Adam for what the front-end learns."""
        parameters = [*self.model.parameters(), *([] if self.domain is None else self.domain.parameters())]
        optimizer: Optimizer = torch.optim.SGD(
            parameters, self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )
        if learned := list(self.front_end.parameters()):
            optimizer = ChainedOptimizer([optimizer, torch.optim.Adam(learned, self.front_end_learning_rate)])
        return optimizer

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimizer with its schedule, a warm-up and a cosine."""
        return with_warmup_cosine(self, self.make_optimizer(), warmup_epochs=self.warmup_epochs)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (batch, time), int16 or float, to logits (batch, n_classes)."""
        with self._full_precision():
            spectrogram = self.front_end(to_float(waveform)[:, None])
        logits: Tensor = self.model(spectrogram)
        return logits.float()

    def _full_precision(self) -> torch.autocast:
        # For all that comes before the network: powers span more decades than 16 bits hold.
        return torch.autocast(self.device.type, enabled=False)

    def on_train_batch_start(self, batch: ClipBatch, batch_idx: int) -> None:
        """Derive the batch's random numbers from the seed, the batch's number and the process alone."""
        number = self.trainer.fit_loop.total_batch_idx
        draw = random_generator(self.seed, "augmentation and dropout", number, self.global_rank)
        seeds = draw.integers(2**63, size=2)
        self.generator = torch.Generator().manual_seed(int(seeds[0]))
        torch.manual_seed(int(seeds[1]))  # dropout

    def training_step(self, batch: ClipBatch, batch_idx: int) -> Tensor:
        """Return the loss of an augmented batch."""
        with self._full_precision():
            spectrogram, targets = self.inputs_and_targets(batch)
        if self.domain is not None:
            return self._loss_of_both_domains(self.domain, spectrogram, targets)
        logits, second_loss = self._logits_and_second_loss(spectrogram, targets)
        loss = self.loss(logits.float(), targets)
        self.log("train_loss", loss, prog_bar=True)
        if second_loss is None:
            return loss
        self.log("train_second_loss", second_loss)
        return loss + second_loss

    def _logits_and_second_loss(self, spectrogram: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the logits, and the network's own loss or that of its auxiliary classifiers; None for neither."""
        if isinstance(self.model, HasOwnLoss):
            return self.model.logits_and_loss(spectrogram)
        if isinstance(self.model, HasAuxiliaryHeads):
            logits, others = self.model.auxiliary_logits(spectrogram)
            losses = [AUXILIARY_WEIGHT * self.loss(each.float(), targets) for each in others]
            return logits, torch.stack(losses).sum() if losses else None
        logits = self.model(spectrogram)
        return logits, None

    def _loss_of_both_domains(self, domain: DomainHead, spectrogram: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch, with that of telling it from as augmented real speech."""
        with self._full_precision():
            speech = domain.draw(len(targets), self.generator).to(targets.device)
            batch: ClipBatch = {
                "waveform": speech,
                "label": torch.zeros(len(speech), dtype=torch.long, device=speech.device),
            }
            real, _ = self.inputs_and_targets(batch)
        embedding = self.network.embed(torch.cat([spectrogram, real]))
        loss = self.loss(self.network.head(embedding[: len(targets)]).float(), targets)
        progress = self.trainer.global_step / self.trainer.estimated_stepping_batches
        told = domain.loss(embedding, torch.arange(len(embedding), device=loss.device) >= len(targets), progress)
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_domain_loss", told)
        return loss + told

    def validation_step(self, batch: ClipBatch, batch_idx: int) -> None:
        """Count the clips that are named right."""
        logits = self(batch["waveform"])
        self.validation_accuracy.update(logits, batch["label"])
        loss = F.cross_entropy(logits, batch["label"])
        self.log("validation_loss", loss, batch_size=len(logits), sync_dist=True)
        self.log("validation_accuracy", self.validation_accuracy, prog_bar=True)

    def on_test_start(self) -> None:
        """Fit temperature and threshold on the validation clips of a `ClipData`, with the weights that are tested."""
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, ClipData):
            return
        self.words = [is_word(label) for label in data.corpus.labels]
        batches, limit = data.val_dataloader(), self.trainer.limit_val_batches
        for number, batch in enumerate(batches):
            if number < (limit if isinstance(limit, int) else limit * len(batches)):
                moved = self.trainer.strategy.batch_to_device(batch)
                with self.trainer.precision_plugin.forward_context():
                    self.test_step(moved, number)
        if self.rows.update_called:
            _, true, logits = self._collect()
            self.calibration = calibrate(logits, true, self.words)

    def test_step(self, batch: ClipBatch, batch_idx: int) -> None:
        """Keep the logits of each clip."""
        logits = self(batch["waveform"])
        self.rows.update(torch.cat([batch["clip"][:, None], batch["label"][:, None], logits], 1).flatten())

    def on_test_epoch_end(self) -> None:
        """Log the accuracy, and keep the answers.

        ``answers`` keeps what each clip was taken for and how sure that was, ``confusion`` the counts, and ``figures``
        what `audionet.metrics.recognition_figures` returns for the training record.
        """
        self.keep_answers(*self._collect())
        self.log("test_accuracy", self.confusion.trace() / self.confusion.sum())

    def keep_answers(self, clips: np.ndarray, true: np.ndarray, logits: np.ndarray) -> None:
        """Keep ``answers``, ``confusion`` and ``figures`` of a test.

        Args:
            clips: Place of each clip in the store, (clip,).
            true: Its class, (clip,).
            logits: (clip, n_classes).
        """
        self.answers = Answers.of_logits(clips, true, logits, self.calibration.temperature)
        self.figures = recognition_figures(self.answers, self.words, self.calibration.threshold)
        self.confusion = torch.from_numpy(self.answers.confusion(self.n_classes))

    def _collect(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return place in the store (clip,), label (clip,) and logits (clip, n_classes) of all that was kept."""
        rows = self.rows.compute().reshape(-1, 2 + self.n_classes).double().cpu().numpy()
        self.rows.reset()
        rows = rows[np.argsort(rows[:, 0], kind="stable")]  # several processes have tested turn by turn
        clips, true = rows[:, :2].T.astype(np.int64)
        return clips, true, rows[:, 2:]
