from .espeak import espeak_version as espeak_version
from .espeak import speak as speak
from .espeak import variants as variants
from .espeak import voices as voices
from .noise import make_noise as make_noise
from .words import fingerprint as fingerprint
from .words import index as index
from .words import render as render
