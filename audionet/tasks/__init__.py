"""Lightning modules: what is optimised, and how it is measured."""

from audionet.tasks.recognition import Recognition
from audionet.tasks.training import fit_and_test, training_record

__all__ = ["Recognition", "fit_and_test", "training_record"]
