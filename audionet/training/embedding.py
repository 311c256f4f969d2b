"""Training of an embedding: words of many languages are told apart, and a teacher's numbers are imitated."""

from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.aggregation import CatMetric

from audionet.augment import Augment, to_float
from audionet.checks import check_at_least, check_positive, check_that
from audionet.randomness import check_seed, random_generator
from audionet.training.embedding_data import EmbeddingBatch
from audionet.training.head import fit_head


class Embedding(LightningModule):
    """The training of a network whose embeddings of one word lie near each other, whoever speaks.

    Two linear layers learn beside the network, and are not needed afterwards: one names the word, the other gives the
    numbers that a teacher gives for the clean clip. The loss is the cross-entropy of the clips with a word, plus the
    mean squared error of those with a target. The rate follows one cycle (Smith, 2018) of AdamW.

    Args:
        front_end: Front-end, (batch, 1, time) -> (batch, 1, n_bands, frame).
        model: Network with ``embed``, without a classifier.
        n_classes: Number of words.
        n_numbers: Numbers of a target; 0 without a teacher.
        augment: Chain of waveform augmentations; None for none.
        spectrogram_augment: Augmentations of the spectrogram, each called with it and a generator, in turn.
        n_steps: Steps of the training.
        learning_rate: Peak of the learning rate.
        warmup: Share of the steps in which the rate rises.
        weight_decay: Weight decay of AdamW.
        label_smoothing: Probability that the target spreads over all words.
        dropout: Probability that a channel of the embedding is dropped before the word is named.
        distillation: Weight of the squared error.
        n_shots: Recordings of a word that it is learnt from in the test.
        seed: Seed of augmentation, masks and dropout.

    Raises:
        ValueError: A number is out of its range, or the network has a classifier.

    Batches:
        `audionet.training.embedding_data.EmbeddingBatch`.
    """

    def __init__(
        self,
        *,
        front_end: nn.Module,
        model: nn.Module,
        n_classes: int,
        n_numbers: int = 0,
        augment: Augment | None = None,
        spectrogram_augment: nn.ModuleList | None = None,
        n_steps: int = 5000,
        learning_rate: float = 2.5e-3,
        warmup: float = 0.1,
        weight_decay: float = 0.02,
        label_smoothing: float = 0.05,
        dropout: float = 0.1,
        distillation: float = 1.0,
        n_shots: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(2, n_classes=n_classes, whole=True)
        check_at_least(0, n_numbers=n_numbers, whole=True)
        check_at_least(1, whole=True, n_steps=n_steps, n_shots=n_shots)
        check_positive(learning_rate=learning_rate)
        check_at_least(0, weight_decay=weight_decay, distillation=distillation)
        check_at_least(0, 0.9, warmup=warmup, dropout=dropout, label_smoothing=label_smoothing)
        check_seed(seed)
        check_that(model.n_classes == 0, "model", "n_classes=0, a network without a classifier", model.n_classes)
        self.front_end = front_end
        self.model: Any = model  # with embed
        self.augment, self.spectrogram_augment = augment, spectrogram_augment or nn.ModuleList()
        self.n_steps, self.learning_rate, self.warmup, self.weight_decay = n_steps, learning_rate, warmup, weight_decay
        self.label_smoothing, self.dropout, self.distillation = label_smoothing, dropout, distillation
        self.n_shots, self.seed = n_shots, seed
        n_channels = _n_channels(front_end, model)
        self.words = nn.Linear(n_channels, n_classes)
        self.numbers = nn.Linear(n_channels, n_numbers) if n_numbers else None
        self.test_rows = CatMetric(nan_strategy="disable")

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW with one cycle of its rate."""
        learned = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(learned, self.learning_rate, weight_decay=self.weight_decay)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            self.learning_rate,
            total_steps=self.n_steps,
            pct_start=self.warmup,
            final_div_factor=1000,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}

    def on_train_batch_start(self, batch: EmbeddingBatch, batch_idx: int) -> None:
        """Derive the batch's random numbers from the seed, the batch's number and the process alone."""
        number = self.trainer.fit_loop.total_batch_idx
        draw = random_generator(self.seed, "augmentation and dropout", number, self.global_rank)
        seeds = draw.integers(2**63, size=2)
        self.generator = torch.Generator().manual_seed(int(seeds[0]))
        torch.manual_seed(int(seeds[1]))  # dropout

    def spectrogram(self, waveform: Tensor) -> Tensor:
        """Map (batch, time), int16 or float, to an augmented spectrogram (batch, 1, n_bands, frame)."""
        waveform = to_float(waveform)
        if self.augment is not None:
            waveform = self.augment(waveform, self.generator)
        spectrogram = self.front_end(waveform[:, None])
        for augment in self.spectrogram_augment:
            spectrogram = augment(spectrogram, self.generator)
        result: Tensor = spectrogram
        return result

    def training_step(self, batch: EmbeddingBatch, batch_idx: int) -> Tensor:
        """Return the loss of an augmented batch."""
        with torch.autocast(self.device.type, enabled=False):  # powers span more decades than 16 bits hold
            spectrogram = self.spectrogram(batch["waveform"])
        embedding = self.model.embed(spectrogram).float()
        n_words = int((batch["label"] >= 0).sum())  # they come first
        logits = self.words(F.dropout(embedding[:n_words], self.dropout, True))
        loss = F.cross_entropy(logits, batch["label"][:n_words], label_smoothing=self.label_smoothing)
        batch_size = len(embedding)
        self.log("train_loss", loss, prog_bar=True, batch_size=batch_size)
        if self.numbers is not None:
            known = ~batch["target"][:, 0].isnan()
            if known.any():
                error = (self.numbers(embedding[known]) - batch["target"][known]).square().mean()
                self.log("train_distillation", error, prog_bar=True, batch_size=batch_size)
                loss = loss + self.distillation * error
        return loss

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (batch, time), int16 or float, to embeddings (batch, channels)."""
        embedding: Tensor = self.model.embed(self.front_end(to_float(waveform)[:, None]))
        return embedding.float()

    def test_step(self, batch: EmbeddingBatch, batch_idx: int) -> None:
        """Keep the embedding and the label of each clip."""
        embedding = self(batch["waveform"])
        self.test_rows.update(torch.cat([batch["label"][:, None].to(embedding), embedding], 1).flatten())

    def on_test_epoch_end(self) -> None:
        """Learn the words of the test from a few clips of each, name the others, and log how many are named right."""
        rows = self.test_rows.compute().reshape(-1, 1 + self.words.in_features).cpu()
        self.test_rows.reset()
        _, labels = rows[:, 0].long().unique(return_inverse=True)
        self.n_tested, self.few_shot_accuracy = few_shot(rows[:, 1:], labels, n_shots=self.n_shots, seed=self.seed)
        self.log("few_shot_accuracy", self.few_shot_accuracy)


def few_shot(embeddings: Tensor, labels: Tensor, *, n_shots: int, seed: int = 0) -> tuple[int, float]:
    """Fit a head on a few clips of each word, and test it on the others.

    Args:
        embeddings: (clip, channels).
        labels: (clip,) int64, the word of each, from 0 on.
        n_shots: Clips of a word to learn from; of fewer clips than twice that, half.
        seed: Seed of the choice.

    Returns:
        How many clips were tested, and the share of them that was named right.
    """
    order = torch.from_numpy(random_generator(seed, "few shots").permutation(len(labels)))
    learned = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        rows = order[labels[order] == label]
        learned[rows[: max(min(n_shots, len(rows) // 2), 1)]] = True
    with torch.inference_mode(False):
        head = fit_head(embeddings[learned].clone(), labels[learned])
        right = head(embeddings[~learned]).argmax(-1) == labels[~learned]
    return len(right), float(right.float().mean()) if len(right) else 0.0


@torch.no_grad()
def _n_channels(front_end: Any, model: Any) -> int:
    """Return the channels of the embedding, by trying one."""
    was_training = model.training
    try:
        channels: int = model.eval().embed(torch.zeros(1, 1, front_end.n_bands, 101)).shape[1]
    finally:
        model.train(was_training)
    return channels
