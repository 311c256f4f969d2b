"""Batched augmentation of waveforms and spectrograms, on whatever device they are.

Every random number is drawn on the CPU from the generator passed in, so that the same seed gives the same parameters
on any device. Waveforms are (batch, time), mono, float.

`Augment` finds a waveform augmentation by its name in `AUGMENTATIONS`. It is a torch module whose
`forward(waveform, generator)` maps (batch, time) to (batch, time). Where its constructor takes `sample_rate`,
`background` or `speech`, or its `forward` takes `silence`, (batch,) bool, the chain fills them in. The chain applies
the probability `p`, unless the constructor takes that, too.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
