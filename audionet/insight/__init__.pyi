from .activity import ChannelActivity as ChannelActivity
from .activity import activations as activations
from .activity import dead_filters as dead_filters
