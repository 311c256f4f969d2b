"""What a WaveNet can be told about a clip: its categories, the place within it, and frames of local conditioning.

Whatever it is told arrives in the gates of every layer as a bias. `GateBias` holds that bias for a whole clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from audionet.checks import check_at_least, check_that


class Categories(nn.ModuleDict):
    """Global conditioning: the sum of one embedding for each category.

    Args:
        categories: Values of each category, {name: values}.
        channels: Width of the embeddings.

    Raises:
        ValueError: A category has no values, or other values than distinct texts.
    """

    def __init__(self, categories: Mapping[str, Sequence[str]], channels: int) -> None:
        if empty := [name for name, values in categories.items() if not values]:
            raise ValueError(f"categories: expected at least one value for each, got none for {', '.join(empty)}")
        for name, values in categories.items():
            fits = not isinstance(values, str) and all(isinstance(value, str) for value in values)
            check_that(fits and len({*values}) == len(values), f"categories, {name}", "distinct texts", values)
        super().__init__({name: nn.Embedding(len(values), channels) for name, values in categories.items()})

    def forward(self, conditions: Mapping[str, Tensor]) -> Tensor | None:
        """Map positions (batch,) in each category's values to (batch, 1, channels), or None without categories.

        Raises:
            ValueError: The conditions are for other categories.
        """
        check_that(conditions.keys() == self.keys(), "conditions", f"{list(self)}", list(conditions))
        embedded: list[Tensor] = [self[name](positions)[:, None] for name, positions in conditions.items()]
        return sum(embedded[1:], embedded[0]) if embedded else None


class Places(nn.Module):
    """The place within a clip: embeddings of the distances from its start and from its end, in places.

    Distances are told apart up to ``n_places - 1``; all that is further away counts as that.

    Args:
        n_places: Number of places.
        place_length: Samples of one place.
        channels: Width of the embeddings.
    """

    def __init__(self, n_places: int, place_length: int, channels: int) -> None:
        super().__init__()
        self.n_places, self.place_length = n_places, place_length
        self.from_start = nn.Embedding(n_places, channels)
        self.from_end = nn.Embedding(n_places, channels)
        # A place means something else for each value of a category, so both go through a layer together.
        self.mix = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())

    def between(self, start: Tensor, time: int, length: Tensor | None = None) -> Tensor:
        """Return the places of samples of clips.

        Args:
            start: (batch,) int64, samples of each clip before these; multiples of place_length.
            time: Number of samples.
            length: (batch,) int64, samples of the whole clips; None for clips that end with these samples.

        Returns:
            (batch, n, 2) int64, the place from the start and from the end for each ``place_length`` samples.
        """
        n = -(-time // self.place_length)
        places = start[:, None] // self.place_length + torch.arange(n, device=start.device)
        length = start + time if length is None else length
        from_end = (length[:, None] - 1) // self.place_length - places
        return torch.stack([places, from_end], -1).clamp(0, self.n_places - 1)

    def forward(self, places: Tensor, embedded: Tensor | None) -> Tensor:
        """Map places (batch, n, 2) and embedded categories (batch, 1, channels) to (batch, n, channels)."""
        place = self.from_start(places[..., 0]) + self.from_end(places[..., 1])
        mixed: Tensor = self.mix(place if embedded is None else embedded + place)
        return mixed


class Upsampler(nn.Module):
    """Local conditioning: frames brought to the rate of the samples, stretched and smoothed once for each factor.

    Args:
        n_bands: Bands of the frames, such as mel bands.
        channels: Channels of the result.
        factors: Stretches whose product is the hop in samples.

    Shape:
        (batch, n_bands, frame) -> (batch, time, channels)

    Raises:
        ValueError: A size is too small, or only one of bands and factors is given; from ``forward``, the frames have
            another shape or do not cover the time.
    """

    def __init__(self, n_bands: int, channels: int, factors: Sequence[int]) -> None:
        super().__init__()
        expected = "both or neither, with factors of at least 1 whose product is the hop"
        is_both = n_bands >= 1 and len(factors) > 0 and min(factors) >= 1
        check_that(is_both, "local_bands, upsample", expected, (n_bands, list(factors)))
        check_at_least(1, local_channels=channels)
        self.n_bands, self.factors = n_bands, list(factors)
        self.hop_length: int = prod(factors)
        self.mix = nn.Conv1d(n_bands, channels, 5, padding=2)
        self.smooth = nn.ModuleList()
        for factor in factors:
            taps = 2 * factor + 1
            conv = nn.Conv1d(channels, channels, taps, padding=factor, groups=channels, bias=False)
            nn.init.constant_(conv.weight, 1 / taps)
            self.smooth.append(conv)

    def forward(self, frames: Tensor | None, time: int) -> Tensor:
        """Stretch frames (batch, n_bands, frame) over ``time`` samples: (batch, time, channels)."""
        expected = f"frames: expected (batch, {self.n_bands} bands, frame) at a hop of {self.hop_length} samples"
        if frames is None or frames.ndim != 3 or frames.shape[1] != self.n_bands:
            raise ValueError(f"{expected}, got {None if frames is None else tuple(frames.shape)}")
        if frames.shape[2] * self.hop_length < time:
            raise ValueError(f"{expected} that cover {time} samples, got {frames.shape[2]} frames; give more")
        signal: Tensor = self.mix(frames)
        for factor, conv in zip(self.factors, self.smooth, strict=True):
            signal = conv(signal.repeat_interleave(factor, -1))
        return signal.mT[:, :time]


@dataclass(frozen=True)
class GateBias:
    """The bias in the gates of every layer, over a clip: all that is not a signal from samples.

    Attributes:
        steps: (batch, n, n_layers, G), the layers' own bias with what categories and places add; n is 1 if it is
            constant.
        step_length: Samples for which each step holds.
        local: (batch, time, local_channels), the upsampled local conditioning, or None.
        local_weights: (G, local_channels) for each layer, which bring ``local`` to its gates; none without.
    """

    steps: Tensor
    step_length: int
    local: Tensor | None = None
    local_weights: tuple[Tensor, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether the bias is the same for all samples of a clip."""
        return self.steps.shape[1] == 1 and self.local is None

    def between(self, first: int, last: int) -> Tensor:
        """Return the bias of samples, (batch, last - first, n_layers, G); (batch, 1, n_layers, G) if it is constant."""
        bias = self.steps
        if bias.shape[1] > 1:
            bias = bias[:, torch.arange(first, last, device=bias.device) // self.step_length]
        if self.local is not None:
            weights = torch.stack(self.local_weights)
            bias = bias + torch.einsum("btc,lgc->btlg", self.local[:, first:last], weights)
        return bias
