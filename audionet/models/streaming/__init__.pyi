from .fixed import FixedStep as FixedStep
from .network import Frames as Frames
from .network import StreamingNetwork as StreamingNetwork
from .steps import NetworkState as NetworkState
