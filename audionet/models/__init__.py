"""Networks, one architecture a file.

Recognisers map a spectrogram (batch, 1, n_bands, frame) to logits (batch, n_classes). `RecognitionNetwork` is what they
have in common. WaveNets map samples (batch, time) to the distribution of each next sample.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
