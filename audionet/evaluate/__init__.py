"""Evaluation: runs a network over recordings or generated clips and hands arrays to `audionet.metrics`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
