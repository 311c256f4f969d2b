from .generator import Generator as Generator
from .loading import load as load
from .loading import load_generator as load_generator
from .loading import load_recognizer as load_recognizer
from .recognizer import Prediction as Prediction
from .recognizer import Predictions as Predictions
from .recognizer import Recognizer as Recognizer
