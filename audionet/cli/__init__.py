"""The command `audionet`."""

from audionet.cli.main import main

__all__ = ["main"]
