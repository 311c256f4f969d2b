"""What a training run came to, as pictures and as one page that can be mailed.

Nothing here touches pyplot's global state, and the page loads nothing: pictures and sounds are inside it, and a
browser is told to refuse everything else.
"""

from audionet.plots.confusion import plot_confusion, plot_distribution, plot_spectrogram
from audionet.plots.curves import plot_curves
from audionet.report.clips import ReportClip, plot_clip
from audionet.report.generation import write_generation
from audionet.report.recognition import write

__all__ = [
    "ReportClip",
    "plot_clip",
    "plot_confusion",
    "plot_curves",
    "plot_distribution",
    "plot_spectrogram",
    "write",
    "write_generation",
]
