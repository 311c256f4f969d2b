from .autoencoder import WaveNetAutoencoder as WaveNetAutoencoder
from .classifier import WaveNetClassifier as WaveNetClassifier
from .network import WaveNet as WaveNet
