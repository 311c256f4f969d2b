from . import adapt as adapt
from . import audio as audio
from . import augment as augment
from . import bulk as bulk
from . import bundle as bundle
from . import datasets as datasets
from . import decoding as decoding
from . import evaluate as evaluate
from . import export as export
from . import features as features
from . import inference as inference
from . import insight as insight
from . import metrics as metrics
from . import models as models
from . import plots as plots
from . import report as report
from . import training as training
from .audio import load_audio as load_audio
from .audio import save_audio as save_audio
from .inference import load as load
from .inference import load_detector as load_detector
from .inference import load_embedder as load_embedder
from .inference import load_generator as load_generator
from .inference import load_recognizer as load_recognizer

__version__: str
