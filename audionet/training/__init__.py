"""Training with Lightning: what is optimised and measured, the data that are served, and the run itself."""

import lazy_loader

# Before anything here imports Lightning.
from audionet.training import without_onnxruntime as without_onnxruntime

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
