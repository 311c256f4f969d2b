"""Augmentations of waveforms by name, in the order of nature: voice, room, noise, microphone, codec, level."""

from typing import TYPE_CHECKING

from audionet.registry import Registry

if TYPE_CHECKING:
    from torch import nn

KINDS = {
    "speed": "Speed",
    "pitch": "Pitch",
    "stretch": "Stretch",
    "vocal_tract": "VocalTract",
    "time_shift": "TimeShift",
    "equalize": "Equalize",
    "reverb": "Reverb",
    "room": "Room",
    "gain": "Gain",
    "other_speech": "OtherSpeech",
    "noise": "BackgroundNoise",
    "microphone": "Microphone",
    "noise_floor": "NoiseFloor",
    "clipping": "Clipping",
    "gate": "Gate",
    "band_limit": "BandLimit",
    "codec": "Codec",
    "level": "Level",
    "device": "Device",
}
"""The class of each augmentation."""

AUGMENTATIONS: "Registry[nn.Module]" = Registry(
    "augmentation",
    {name: f"audionet.augment:{kind}" for name, kind in KINDS.items()},
    group="audionet.augmentations",
)
