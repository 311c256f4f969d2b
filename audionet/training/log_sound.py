"""Sounds and pictures of a network that generates audio, while it is trained."""

from collections.abc import Callable, Mapping

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor


class LogSound(Callback):
    """A callback that logs a generated sound and pictures of it to TensorBoard.

    It does so after each validation or, without validation, after each epoch.

    Args:
        make: Returns a waveform (time,) in [-1, 1] and pictures by name, made with the weights of the moment.
        sample_rate: Sample rate in hertz.
    """

    def __init__(self, make: Callable[[], tuple[Tensor, Mapping[str, Figure]]], sample_rate: int) -> None:
        self.make, self.sample_rate = make, sample_rate

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log with the weights that were validated, which may be averaged ones."""
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
