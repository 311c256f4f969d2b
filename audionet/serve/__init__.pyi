from .http import make_app as make_app
from .limits import Limits as Limits
from .running import listen as listen
from .running import run as run
from .running import serving as serving
