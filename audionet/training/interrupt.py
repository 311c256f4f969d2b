"""Requests to stop a training: Ctrl-C, a batch system's SIGTERM, a terminal that is closed."""

import os
import signal
import sys
import threading
from types import FrameType

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # not every system has all


class StopRequests(Callback):
    """A callback that notes the first signal to stop, which then takes effect between two steps; a second acts at once.

    A signal that was ignored when the training began, as under nohup, stays so.

    Attributes:
        is_made: Whether a signal has come.
    """

    def __init__(self) -> None:
        self.is_made = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle the signals until Lightning restores all handlers, which it does however the training ends."""
        self.is_made = trainer.received_sigterm
        if threading.current_thread() is threading.main_thread():  # Python allows it in no other
            for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.is_made = True
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if number == getattr(signal, "SIGHUP", None):
            _leave_terminal()


def _leave_terminal() -> None:
    """Let what is told go nowhere: writing to a terminal that is gone fails."""
    with open(os.devnull, "w") as nowhere:
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None and stream.isatty():
                os.dup2(nowhere.fileno(), stream.fileno())
