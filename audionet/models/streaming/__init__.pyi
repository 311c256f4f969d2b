from .fixed import FixedStep as FixedStep
from .network import Frames as Frames
from .network import StreamingNetwork as StreamingNetwork
from .sliding import Embeddings as Embeddings
from .sliding import SlidingNetwork as SlidingNetwork
from .sliding import SlidingState as SlidingState
from .steps import NetworkState as NetworkState
