"""The report of a training run: pictures, and one HTML page that can be mailed.

The page loads nothing. Pictures and sounds are inside it, and its content security policy forbids everything else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
