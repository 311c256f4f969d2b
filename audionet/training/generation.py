"""Generation: train what predicts each sample from those before it, in one Lightning module."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from matplotlib.figure import Figure
from torch import Tensor, nn

from audionet.augment import to_float
from audionet.training.optimizers import muon_and_adam
from audionet.training.schedule import with_warmup_cosine


class Generation(LightningModule):
    """Train a WaveNet, or what is called like one, by the bits that it needs for each sample.

    Args:
        model: Network with a ``distribution``: (samples, conditions, frames) -> outputs, as `WaveNet.forward`.
        features: Front-end of the local conditioning, (batch, time) -> (batch, n_bands, frame), centred; None for none.
        margin: Samples that each batch carries on either side for it, a multiple of the model's hop.
        learning_rate: Peak of the schedule, for Adam.
        matrix_learning_rate: The same for Muon, which steps the matrices between hidden layers and learns in a fraction
            of the steps; None: Adam for all.
        warmup_epochs: Epochs over which the rates rise from 0; a cosine then takes them back to 0.
        betas: Of Adam.

    Batches:
        As `audionet.datasets.crops.Crops.take` makes them.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        features: nn.Module | None = None,
        margin: int = 0,
        learning_rate: float = 1e-3,
        matrix_learning_rate: float | None = 2e-3,
        warmup_epochs: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:
        super().__init__()
        self.model, self.features, self.margin = model, features, margin
        self.learning_rate, self.matrix_learning_rate = learning_rate, matrix_learning_rate
        self.warmup_epochs, self.betas = warmup_epochs, betas

    def bits(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the bits of each counted sample, in one row."""
        model: Any = self.model
        counted, waveform = batch["counted"], to_float(batch["waveform"])
        n_samples = counted.shape[1]
        frames = None
        if self.features is not None:
            with torch.autocast(self.device.type, enabled=False):
                hop = model.hop_length
                frames = self.features(waveform)[..., self.margin // hop :][..., : -(-n_samples // hop)]
        samples = model.distribution.from_waveform(waveform[:, self.margin : self.margin + n_samples])
        outputs = model(samples, batch["conditions"], frames, batch["start"], batch["length"])
        return model.distribution.bits(outputs[counted], samples[counted])

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Return the mean bits of the counted samples."""
        loss = self.bits(batch).mean()
        self.log("train_bits", loss, prog_bar=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin to count."""
        self.total_bits, self.n_counted = 0.0, 0

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        """Add up bits and samples: windows count for as many samples as they have."""
        bits = self.bits(batch)
        self.total_bits += bits.sum().item()
        self.n_counted += bits.numel()

    def on_validation_epoch_end(self) -> None:
        """Log bits per sample."""
        self._log_bits("validation_bits")

    def on_test_epoch_start(self) -> None:
        """Begin to count."""
        self.on_validation_epoch_start()

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        """Add up, as in validation."""
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """Log bits per sample."""
        self._log_bits("test_bits")

    def _log_bits(self, name: str) -> None:
        # What all processes counted; as float32 means, since a total has more digits and not every device has float64.
        counted = torch.tensor([self.total_bits / max(self.n_counted, 1), self.n_counted], device=self.device)
        means, counts = torch.as_tensor(self.all_gather(counted)).reshape(-1, 2).unbind(1)
        self.log(name, (means * counts).sum() / counts.sum(), prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimizer and its schedule per step."""
        optimizer: torch.optim.Optimizer
        if self.matrix_learning_rate is None:
            optimizer = torch.optim.Adam(self.model.parameters(), self.learning_rate, betas=self.betas)
        else:
            optimizer = muon_and_adam(
                self.model,
                matrix_learning_rate=self.matrix_learning_rate,
                learning_rate=self.learning_rate,
                betas=self.betas,
                ends=("input", "output", "condition"),
            )
        return with_warmup_cosine(self, optimizer, warmup_epochs=self.warmup_epochs)


class LogSound(Callback):
    """Let TensorBoard play and show what the network makes, after each validation or, without one, each epoch.

    Args:
        make: Returns a waveform (time,) in [-1, 1] and pictures by name, made with the weights of the moment.
        sample_rate: In Hz.
    """

    def __init__(self, make: Callable[[], tuple[Tensor, Mapping[str, Figure]]], sample_rate: int) -> None:
        self.make, self.sample_rate = make, sample_rate

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log with the weights that were validated: averaged ones, where they are averaged."""
        if not trainer.sanity_checking:
            self._log(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log where there is no validation."""
        if not any(trainer.num_val_batches):
            self._log(trainer)

    def _log(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero:
            return
        waveform, pictures = self.make()
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_audio("generated", waveform, trainer.global_step, self.sample_rate)
                for name, picture in pictures.items():
                    logger.experiment.add_figure(name, picture, trainer.global_step)
