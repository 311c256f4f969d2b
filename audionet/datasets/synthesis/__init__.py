"""Sound that is made instead of recorded: words by speech synthesis, noise."""

from audionet.datasets.synthesis.words import espeak_version, fingerprint, index, noise, render

__all__ = ["espeak_version", "fingerprint", "index", "noise", "render"]
