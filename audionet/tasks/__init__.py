"""Lightning modules: what is optimised, and how it is measured."""

from audionet.tasks.generation import Generation
from audionet.tasks.recognition import Recognition
from audionet.tasks.training import fit_and_test, training_record

__all__ = ["Generation", "Recognition", "fit_and_test", "training_record"]
