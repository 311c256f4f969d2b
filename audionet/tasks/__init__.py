"""Lightning modules: what is optimised, and how it is measured."""

from audionet.tasks.generation import Generation, LogSound
from audionet.tasks.recognition import Recognition
from audionet.tasks.training import fit_and_test, training_record

__all__ = ["Generation", "LogSound", "Recognition", "fit_and_test", "training_record"]
