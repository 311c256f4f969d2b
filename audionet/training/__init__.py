"""Lightning modules: what is optimised, and how it is measured."""

from audionet.training.fit import fit_and_test, training_record
from audionet.training.generation import Generation, LogSound
from audionet.training.recognition import Recognition

__all__ = ["Generation", "LogSound", "Recognition", "fit_and_test", "training_record"]
