"""Augmentations of waveforms by name, in the order of nature: voice, room, noise, microphone, codec, level."""

from typing import TYPE_CHECKING

from audionet.registry import Registry

if TYPE_CHECKING:
    from torch import nn

KINDS = {
    "speed": "Speed",
    "vocal_tract": "VocalTract",
    "time_shift": "TimeShift",
    "equalize": "Equalize",
    "reverb": "Reverb",
    "gain": "Gain",
    "noise": "BackgroundNoise",
    "noise_floor": "NoiseFloor",
    "clipping": "Clipping",
    "gate": "Gate",
    "band_limit": "BandLimit",
    "codec": "Codec",
    "level": "Level",
}
"""The class of each augmentation."""

AUGMENTATIONS: "Registry[nn.Module]" = Registry(
    "augmentation",
    {name: f"audionet.augment:{kind}" for name, kind in KINDS.items()},
    group="audionet.augmentations",
)
