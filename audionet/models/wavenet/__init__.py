"""WaveNet and its variants."""

from audionet.models.wavenet.autoencoder import WaveNetAutoencoder
from audionet.models.wavenet.classifier import WaveNetClassifier
from audionet.models.wavenet.network import WaveNet

__all__ = ["WaveNet", "WaveNetAutoencoder", "WaveNetClassifier"]
