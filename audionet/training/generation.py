"""Generation: training of a network that predicts each sample from those before it."""

from typing import cast

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from audionet.augment import to_float
from audionet.checks import check_at_least, check_positive, check_that
from audionet.datasets.crops import CropBatch
from audionet.models import SampleModel
from audionet.training.optimizers import muon_and_adam, with_warmup_cosine


class Generation(LightningModule):
    """The training of a WaveNet, or of a network like it, by the bits that it needs for each sample.

    Subclass it to change a part: `bits` is what is minimised, and `make_optimizer` says what minimises it.

    Args:
        model: Network that is an `audionet.models.SampleModel`, such as a WaveNet.
        front_end: Front-end of the local conditioning, (batch, time) -> (batch, n_bands, frame), with centred frames;
            None for none.
        margin: Samples that each batch carries on either side for the front-end, a multiple of the network's hop.
        learning_rate: Peak of Adam's learning rate.
        matrix_learning_rate: Peak of the learning rate of Muon, which steps the matrices between hidden layers and
            learns in a fraction of the steps; None for Adam alone.
        warmup_epochs: Epochs over which the rates rise from 0; a cosine then takes them back to 0.
        betas: Adam's decay rates of the first and the second moment.

    Raises:
        ValueError: A number is out of its range.

    Batches:
        `audionet.datasets.crops.CropBatch`.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        front_end: nn.Module | None = None,
        margin: int = 0,
        learning_rate: float = 1e-3,
        matrix_learning_rate: float | None = 2e-3,
        warmup_epochs: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:
        super().__init__()
        check_positive(learning_rate=learning_rate)
        if matrix_learning_rate is not None:
            check_positive(matrix_learning_rate=matrix_learning_rate)
        check_at_least(0, warmup_epochs=warmup_epochs, margin=margin)
        check_that(all(0 <= beta < 1 for beta in betas), "betas", "two numbers from 0 to below 1", betas)
        self.model, self.front_end, self.margin = model, front_end, margin
        self.learning_rate, self.matrix_learning_rate = learning_rate, matrix_learning_rate
        self.warmup_epochs, self.betas = warmup_epochs, betas

    def bits(self, batch: CropBatch) -> Tensor:
        """Return the bits of each sample that counts, in one row."""
        model = cast(SampleModel, self.model)
        counted, waveform = batch["counted"], to_float(batch["waveform"])
        n_samples = counted.shape[1]
        frames = None
        if self.front_end is not None:
            with torch.autocast(self.device.type, enabled=False):
                hop = model.hop_length
                frames = self.front_end(waveform)[..., self.margin // hop :][..., : -(-n_samples // hop)]
        samples = model.distribution.from_waveform(waveform[:, self.margin : self.margin + n_samples])
        outputs = model(samples, batch["conditions"], frames, batch["start"], batch["length"])
        return model.distribution.bits(outputs[counted], samples[counted])

    def make_optimizer(self) -> Optimizer:
        """Return Adam, chained with Muon for the matrices between hidden layers."""
        if self.matrix_learning_rate is None:
            return torch.optim.Adam(self.model.parameters(), self.learning_rate, betas=self.betas)
        return muon_and_adam(
            self.model,
            matrix_learning_rate=self.matrix_learning_rate,
            learning_rate=self.learning_rate,
            betas=self.betas,
            ends=("input", "output", "condition"),
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimizer with its schedule, a warm-up and a cosine."""
        return with_warmup_cosine(self, self.make_optimizer(), warmup_epochs=self.warmup_epochs)

    def training_step(self, batch: CropBatch, batch_idx: int) -> Tensor:
        """Return the mean bits of the samples that count."""
        loss = self.bits(batch).mean()
        self.log("train_bits", loss, prog_bar=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin to count."""
        self.total_bits, self.n_counted = 0.0, 0

    def validation_step(self, batch: CropBatch, batch_idx: int) -> None:
        """Add up bits and samples, since windows differ in the number of samples that count."""
        bits = self.bits(batch)
        self.total_bits += bits.sum().item()
        self.n_counted += bits.numel()

    def on_validation_epoch_end(self) -> None:
        """Log bits per sample."""
        self._log_bits("validation_bits")

    def on_test_epoch_start(self) -> None:
        """Begin to count."""
        self.on_validation_epoch_start()

    def test_step(self, batch: CropBatch, batch_idx: int) -> None:
        """Add up bits and samples, as in validation."""
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """Log bits per sample."""
        self._log_bits("test_bits")

    def _log_bits(self, name: str) -> None:
        # What all processes counted; as float32 means, since a total has more digits and not every device has float64.
        counted = torch.tensor([self.total_bits / max(self.n_counted, 1), self.n_counted], device=self.device)
        means, counts = torch.as_tensor(self.all_gather(counted)).reshape(-1, 2).unbind(1)
        self.log(name, (means * counts).sum() / counts.sum(), prog_bar=True)
