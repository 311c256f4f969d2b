from .calibration import plot_rejection as plot_rejection
from .calibration import plot_reliability as plot_reliability
from .confusion import plot_confusion as plot_confusion
from .curves import plot_curves as plot_curves
from .distribution import plot_distribution as plot_distribution
from .features import plot_features as plot_features
from .relevance import plot_relevance as plot_relevance
