from .events import Event as Event
from .events import EventSettings as EventSettings
from .events import EventState as EventState
from .events import advance as advance
from .events import detect as detect
from .events import start as start
