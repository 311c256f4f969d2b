from .clips import ReportClip as ReportClip
from .clips import plot_clip as plot_clip
from .generation import write_generation as write_generation
from .recognition import write_recognition as write_recognition
