"""Sound meets convolutional networks: recognise speech commands, generate audio, extract features.

Importing this package is silent and fast: a name loads what it needs when it is first used.

Example:
    >>> import audionet
    >>> recognizer = audionet.load_recognizer("digits")
    >>> waveform, sample_rate = audionet.load_audio("seven.wav")
    >>> recognizer.recognize(waveform, sample_rate)[0].label
    'seven'
"""

import lazy_loader

__version__ = "0.1.0"  # the build reads it, too

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
