"""Use of trained networks. `load` is the way in.

Names are imported when they are first used, so the engines of generation also run where no library reads sound files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
