"""A whole made-up device for each clip, from the room that it stands in to the level that it leaves."""

import torch
from torch import Generator, Tensor, nn

from audionet.augment.chain import Augment
from audionet.checks import check_at_least
from audionet.registry import NamedArguments


class Device(NamedArguments, nn.Module):
    """A made-up device for each clip: each of its parts is there with a probability of its own.

    The parts are `Room`, `Microphone`, `NoiseFloor`, `Clipping`, `Gate`, `BandLimit`, `Codec` and `Level` with their
    defaults, in this order; to change one, name it in the chain itself.

    Args:
        sample_rate: Sample rate in hertz.
        room_p: Probability of a room.
        microphone_p: Probability of a microphone's response.
        noise_floor_p: Probability of a noise floor.
        clipping_p: Probability of clipping.
        gate_p: Probability of a noise gate.
        band_limit_p: Probability of a band.
        codec_p: Probability of a codec.
        level_p: Probability of another level.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> device = Device(sample_rate=sample_rate, room_p=0)
        >>> device(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        room_p: float = 0.3,
        microphone_p: float = 0.7,
        noise_floor_p: float = 0.6,
        clipping_p: float = 0.15,
        gate_p: float = 0.3,
        band_limit_p: float = 0.4,
        codec_p: float = 0.3,
        level_p: float = 0.3,
    ) -> None:
        super().__init__()
        check_at_least(0, 1, room_p=room_p, microphone_p=microphone_p, noise_floor_p=noise_floor_p)
        check_at_least(0, 1, clipping_p=clipping_p, gate_p=gate_p, band_limit_p=band_limit_p)
        check_at_least(0, 1, codec_p=codec_p, level_p=level_p)
        shares = {
            "room": room_p,
            "microphone": microphone_p,
            "noise_floor": noise_floor_p,
            "clipping": clipping_p,
            "gate": gate_p,
            "band_limit": band_limit_p,
            "codec": codec_p,
            "level": level_p,
        }
        parts = {name: {"p": p} for name, p in shares.items() if p > 0}
        self.chain = Augment(parts, sample_rate=sample_rate, background=torch.empty(0))

    def forward(self, waveform: Tensor, generator: Generator, silence: Tensor | None = None) -> Tensor:
        """Map (batch, time) to (batch, time); ``silence``, (batch,) bool, says which clips are silences."""
        heard: Tensor = self.chain(waveform, generator, silence)
        return heard
