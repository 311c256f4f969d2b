"""Pictures of features, training curves, confusion matrices, calibration and distributions.

Each function returns a matplotlib figure. matplotlib is imported with the first function, and pyplot never.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
