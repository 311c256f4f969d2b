"""Reading and writing of sound files, and the conversion of waveforms to what networks take: mono, rate, length.

Waveforms are ``(channel, time)`` float32 arrays in [-1, 1] and travel with their sample rate. This folder alone
touches soundfile and soxr. Importing it loads neither of them, nor torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
