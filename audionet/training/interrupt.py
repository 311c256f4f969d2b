"""Ctrl-C during a training."""

import signal
import threading
from types import FrameType

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class StopBetweenSteps(Callback):
    """A callback that lets Ctrl-C take effect between two steps, so that the checkpoint then written is exact.

    A second Ctrl-C takes effect at once.
    """

    def __init__(self) -> None:
        self.is_asked = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle the signal; Python allows that in the main thread only."""
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True
        signal.signal(signal.SIGINT, self.previous)

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """Stop if Ctrl-C was pressed."""
        if self.is_asked:
            raise KeyboardInterrupt

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restore the former handler of the signal."""
        if hasattr(self, "previous"):
            signal.signal(signal.SIGINT, self.previous)
