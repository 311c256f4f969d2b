"""Lightning modules: what is optimised, and how it is measured."""

from audionet.tasks.recognition import Recognition

__all__ = ["Recognition"]
