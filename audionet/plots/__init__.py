"""Every picture that audionet draws."""

from audionet.plots.features import plot as plot_features

__all__ = ["plot_features"]
