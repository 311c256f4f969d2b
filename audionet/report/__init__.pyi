from .clips import ReportClip as ReportClip
from .clips import plot_clip as plot_clip
from .clips import plot_generated as plot_generated
from .clips import save_generated as save_generated
from .clips import save_labels as save_labels
from .generation import write_generation as write_generation
from .recognition import write_recognition as write_recognition
