from .formats import FORMATS as FORMATS
from .formats import write_formats as write_formats
from .source import Exported as Exported
from .source import Source as Source
