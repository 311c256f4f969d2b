"""A look inside of trained networks: what their filters are, what they answer to, and what decided."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
