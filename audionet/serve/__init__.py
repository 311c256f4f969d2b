"""A trained network for other programs: over HTTP, with the page on which it listens. The extra `serve` is needed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
