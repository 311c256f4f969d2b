from .generation import bits_per_sample as bits_per_sample
from .generation import embeddings_and_probabilities as embeddings_and_probabilities
from .generation import summarize as summarize
from .recordings import NONE as NONE
from .recordings import Evaluation as Evaluation
from .recordings import evaluate_folder as evaluate_folder
from .recordings import known_as as known_as
from .recordings import recordings_in as recordings_in
