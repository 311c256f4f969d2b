"""WaveNet: a stack of dilated causal convolutions that says, sample by sample, what sound comes next."""

from collections.abc import Mapping, Sequence
from math import lcm, prod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.models.wavenet import distributions
from audionet.registry import NamedArguments


class Upsampler(nn.Module):
    """Bring frames to the rate of the samples: a convolution over frames, then stretch and smooth once a factor.

    Args:
        n_bands: Channels of the frames, such as mel bands.
        channels: Channels of the result.
        factors: Stretches whose product is the hop in samples.

    Shape:
        (batch, n_bands, frame) -> (batch, frame * hop, channels)
    """

    def __init__(self, n_bands: int, channels: int, factors: Sequence[int]) -> None:
        super().__init__()
        self.factors = list(factors)
        self.mix = nn.Conv1d(n_bands, channels, 5, padding=2)
        smooth = [
            nn.Conv1d(channels, channels, 2 * factor + 1, padding=factor, groups=channels, bias=False)
            for factor in factors
        ]
        self.smooth = nn.ModuleList(smooth)
        for conv in smooth:
            nn.init.constant_(conv.weight, 1 / conv.kernel_size[0])

    def forward(self, frames: Tensor) -> Tensor:
        """Stretch (batch, n_bands, frame) to (batch, time, channels)."""
        signal = self.mix(frames)
        for factor, conv in zip(self.factors, self.smooth, strict=True):
            signal = conv(signal.repeat_interleave(factor, -1))
        return signal.mT


class Layer(nn.Module):
    """The gated unit with its residual connection (van den Oord et al., 2016, eq. 2 and figure 4).

    Args:
        residual_channels: Width of the residual stream, R.
        gate_channels: Width of filter and gate together, G.
        kernel_size: Taps.
        dilation: Samples between two taps.
        local_channels: Width of the local conditioning.
        is_last: Nothing comes after it: no residual connection.
    """

    def __init__(
        self,
        *,
        residual_channels: int,
        gate_channels: int,
        kernel_size: int,
        dilation: int,
        local_channels: int,
        is_last: bool,
    ) -> None:
        super().__init__()
        self.residual_channels = residual_channels
        self.shifts = [dilation * tap for tap in reversed(range(kernel_size))]
        # One matrix for all taps, oldest first, then the local conditioning; its bias comes with the conditions.
        self.dilated = nn.Linear(kernel_size * residual_channels + local_channels, gate_channels, bias=False)
        self.residual = None if is_last else nn.Linear(gate_channels // 2, residual_channels)

    def forward(self, stream: Tensor, bias: Tensor, local: Tensor | None) -> tuple[Tensor, Tensor]:
        """Advance the residual stream.

        Args:
            stream: (batch, time, R); before its start are zeros.
            bias: (batch, n_places, 1, G), the layer's own and its global conditioning; each for as many samples.
            local: (batch, time, local_channels) or None.

        Returns:
            The stream (batch, time, R) and the unit's output (batch, time, G / 2).
        """
        time = stream.shape[1]
        taps = [F.pad(stream, (0, 0, shift, 0))[:, :time] if shift else stream for shift in self.shifts]
        gates = self.dilated(torch.cat(taps if local is None else [*taps, local], -1))
        unit = gated((gates.unflatten(1, (bias.shape[1], -1)) + bias).flatten(1, 2))
        return (stream if self.residual is None else stream + self.residual(unit)), unit


def gated(gates: Tensor) -> Tensor:
    """Return tanh of the first half of the channels times the sigmoid of the second."""
    filter_, gate = gates.chunk(2, -1)
    return torch.tanh(filter_) * torch.sigmoid(gate)


class WaveNet(NamedArguments, nn.Module):
    """WaveNet (van den Oord et al., 2016): p(x_t | x_0 ... x_{t-1}, conditions) for every t at once.

    Before a clip is nothing, which is not silence: every convolution sees zeros there, and the first sample is
    predicted from conditions alone. All layers' skip connections are one matrix over their outputs laid side by side,
    which is the same sum.

    Args:
        n_layers: Dilated layers, in all cycles together.
        n_cycles: Times that the dilations 1, 2, 4 ... are gone through; divides n_layers.
        kernel_size: Taps of each dilated convolution.
        residual_channels: R.
        gate_channels: G, even: one half filters, the other gates.
        skip_channels: S.
        output_channels: Width of the layer between the skip sum and the outputs, A.
        output: "softmax" (256 codes of mu-law), "logistic_mixture" or "gaussian" (16 bit).
        n_mixtures: Components, for "logistic_mixture".
        categories: Global conditioning: the values of each named category, such as
            {"label": ["yes", "no"], "speaker": ["a", "b"]}.
        category_channels: Width of the categories' embeddings, which are summed.
        n_places: Clips that are whole can also be conditioned on the place in the clip, how far from its start and how
            far from its end, so that the network need not work out how long the sound is to last: the number of places
            that are told apart from either end (the last one lasts); 0 for none.
        place_length: Samples of one place.
        local_bands: Local conditioning: bands of its frames, such as mel bands; 0 for none.
        local_channels: Width of the upsampled frames.
        upsample: Factors whose product is the hop of the frames in samples.

    Shape:
        samples (batch, time) -> (batch, time, n_outputs): output t depends on the samples before t alone. Samples are
        int64 codes for "softmax", float in [-1, 1] otherwise: ``distribution.from_waveform`` makes them.

    Raises:
        ValueError: A size does not fit.
    """

    def __init__(
        self,
        *,
        n_layers: int = 30,
        n_cycles: int = 3,
        kernel_size: int = 2,
        residual_channels: int = 64,
        gate_channels: int = 128,
        skip_channels: int = 256,
        output_channels: int = 256,
        output: str = "softmax",
        n_mixtures: int = 10,
        categories: Mapping[str, Sequence[str]] | None = None,
        category_channels: int = 32,
        n_places: int = 0,
        place_length: int = 80,
        local_bands: int = 0,
        local_channels: int = 64,
        upsample: Sequence[int] = (),
    ) -> None:
        super().__init__()
        sizes = {
            "n_layers": n_layers,
            "n_cycles": n_cycles,
            "residual_channels": residual_channels,
            "gate_channels": gate_channels,
            "skip_channels": skip_channels,
            "output_channels": output_channels,
            "n_mixtures": n_mixtures,
            "category_channels": category_channels,
            "place_length": place_length,
            "local_channels": local_channels,
        }
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if n_layers % n_cycles:
            raise ValueError(f"n_layers must be a multiple of n_cycles, got {n_layers} and {n_cycles}")
        if kernel_size < 2:
            raise ValueError(f"kernel_size must be at least 2, got {kernel_size}")
        if n_places < 0:
            raise ValueError(f"n_places must be at least 0, got {n_places}")
        if gate_channels % 2:
            raise ValueError(f"gate_channels must be even (one half filters, the other gates), got {gate_channels}")
        if bool(local_bands) != bool(upsample) or any(factor < 1 for factor in upsample):
            raise ValueError(
                "local_bands and upsample go together (upsample: factors of at least 1 whose product is the hop), got "
                f"local_bands = {local_bands} and upsample = {list(upsample)}"
            )
        self.categories = {name: list(values) for name, values in (categories or {}).items()}
        if empty := [name for name, values in self.categories.items() if not values]:
            raise ValueError(f"categories: {', '.join(empty)} without any value")
        self.kernel_size, self.local_bands, self.hop_length = kernel_size, local_bands, prod(upsample)
        mixture = {"n_mixtures": n_mixtures} if output == "logistic_mixture" else {}
        self.distribution = distributions.create(output, **mixture)
        self.dilations = [2 ** (layer % (n_layers // n_cycles)) for layer in range(n_layers)]

        self.input: nn.Module
        if self.distribution.is_discrete:
            self.input = nn.Embedding(distributions.N_CODES, residual_channels)
            # Codes next to each other sound alike, so they begin alike: a random walk through the codes.
            walk = torch.randn(distributions.N_CODES, residual_channels).cumsum(0)
            walk = (walk - walk.mean(0)) / walk.std(0)
            self.input.weight.data = walk + 0.1 * torch.randn_like(walk)
        else:
            self.input = nn.Linear(1, residual_channels)
        self.embeddings = nn.ModuleDict(
            {name: nn.Embedding(len(values), category_channels) for name, values in self.categories.items()}
        )
        self.n_places, self.place_length = n_places, place_length if n_places else 1
        if n_places:
            self.place = nn.Embedding(n_places, category_channels)
            self.place_from_end = nn.Embedding(n_places, category_channels)
            # Places mean something to each value of a category only together with it.
            self.mix = nn.Sequential(nn.Linear(category_channels, category_channels), nn.ReLU())
        self.gate_bias = nn.Parameter(torch.zeros(n_layers, gate_channels))
        # For all layers at once: (layer, gate).
        self.condition = None
        if self.categories or n_places:
            self.condition = nn.Linear(category_channels, n_layers * gate_channels, bias=False)
        self.upsampler = Upsampler(local_bands, local_channels, upsample) if local_bands else None
        layers = [
            Layer(
                residual_channels=residual_channels,
                gate_channels=gate_channels,
                kernel_size=kernel_size,
                dilation=dilation,
                local_channels=local_channels if local_bands else 0,
                is_last=number == n_layers - 1,
            )
            for number, dilation in enumerate(self.dilations)
        ]
        self.layers = cast(Sequence[Layer], nn.ModuleList(layers))
        self.skip = nn.Linear(n_layers * (gate_channels // 2), skip_channels)
        self.hidden = nn.Linear(skip_channels, output_channels)
        self.output = nn.Linear(output_channels, self.distribution.n_outputs)

    @property
    def receptive_field(self) -> int:
        """Samples that an output depends on: (kernel_size - 1) * sum of dilations + 1."""
        return (self.kernel_size - 1) * sum(self.dilations) + 1

    @property
    def step_length(self) -> int:
        """Samples whose multiples windows of clips may begin at: whole frames and whole places."""
        return lcm(self.hop_length, self.place_length)

    def embed(self, samples: Tensor) -> Tensor:
        """Bring samples (...) into the residual stream (..., R)."""
        return self.input(samples if self.distribution.is_discrete else samples[..., None])

    def global_bias(self, conditions: Mapping[str, Tensor], batch: int, places: Tensor | None = None) -> Tensor:
        """What stands before all signals in each layer's gates: the layer's bias and what categories and place add.

        Args:
            conditions: Positions (batch,) int64 in each category's values.
            batch: Number of clips.
            places: (batch, n, 2) int64, of `places_from`; None for a network that is not conditioned on the place.

        Returns:
            (batch, n_layers, G), or (batch, n, n_layers, G) with places.

        Raises:
            ValueError: Conditions for other categories than the network's.
        """
        if conditions.keys() != self.categories.keys():
            raise ValueError(f"conditions: expected {list(self.categories)}, got {list(conditions)}")
        if self.condition is None:
            return self.gate_bias.expand(batch, -1, -1)
        embedded = sum(self.embeddings[name](values)[:, None] for name, values in conditions.items())  # 0 for none
        if places is not None:
            place = self.place(places[..., 0]) + self.place_from_end(places[..., 1])
            embedded = self.mix(embedded + place)
        bias = self.gate_bias + self.condition(embedded).unflatten(-1, self.gate_bias.shape)
        return bias[:, 0] if places is None else bias

    def places_from(self, start: Tensor, time: int, length: Tensor | None = None) -> Tensor | None:
        """Say in which places of their clips samples are.

        Args:
            start: (batch,) int64, samples of each clip before; whole places.
            time: Samples.
            length: (batch,) int64, samples of the whole clips; None for clips that end with these samples.

        Returns:
            (batch, n, 2) int64, places from the start and from the end, one pair for each ``place_length`` samples;
            None for a network that does not know places.
        """
        if not self.n_places:
            return None
        n = -(-time // self.place_length)
        places = start[:, None] // self.place_length + torch.arange(n, device=start.device)
        length = start + time if length is None else length
        from_end = (length[:, None] - 1) // self.place_length - places
        return torch.stack([places, from_end], -1).clamp(0, self.n_places - 1)

    def local_signal(self, frames: Tensor | None, time: int) -> Tensor | None:
        """Upsample local conditioning to ``time`` samples.

        Args:
            frames: (batch, local_bands, frame), or None for a network without local conditioning.
            time: Samples that it must cover.

        Returns:
            (batch, time, local_channels) or None.

        Raises:
            ValueError: Frames are missing, not expected, of the wrong number of bands, or too few.
        """
        if self.upsampler is None or frames is None:
            if (self.upsampler is None) != (frames is None):
                raise ValueError(
                    f"local conditioning: expected {self.local_bands or 'no'} bands, "
                    f"got {'none' if frames is None else tuple(frames.shape)}"
                )
            return None
        if frames.ndim != 3 or frames.shape[1] != self.local_bands:
            raise ValueError(
                f"local conditioning: expected (batch, {self.local_bands} bands, frame) at a hop of "
                f"{self.hop_length} samples, got {tuple(frames.shape)}"
            )
        if frames.shape[2] * self.hop_length < time:
            raise ValueError(
                f"local conditioning: {frames.shape[2]} frames of {self.hop_length} samples do not cover {time} samples"
            )
        return self.upsampler(frames)[:, :time]

    def local_bias(self, local: Tensor) -> Tensor:
        """What the upsampled local conditioning adds to each layer's gates.

        Args:
            local: (batch, time, local_channels), of `local_signal`.

        Returns:
            (batch, time, n_layers, G).
        """
        weights = torch.stack([layer.dilated.weight[:, -local.shape[-1] :] for layer in self.layers])
        return torch.einsum("btc,lgc->btlg", local, weights)

    def forward(
        self,
        samples: Tensor,
        conditions: Mapping[str, Tensor] | None = None,
        frames: Tensor | None = None,
        start: Tensor | None = None,
        length: Tensor | None = None,
    ) -> Tensor:
        """Predict every sample from those before it.

        Args:
            samples: (batch, time), codes or values.
            conditions: Positions (batch,) in each category's values.
            frames: Local conditioning, (batch, local_bands, frame).
            start: (batch,) int64, samples of each clip that are left out before, whole places; None for none. Only a
                network that is conditioned on the place makes a difference.
            length: (batch,) int64, samples of the whole clips; None for clips that end with these samples.

        Returns:
            (batch, time, n_outputs), the parameters of the distribution of each sample.
        """
        return self.head(self.units(samples, conditions, frames, start, length))

    def units(
        self,
        samples: Tensor,
        conditions: Mapping[str, Tensor] | None = None,
        frames: Tensor | None = None,
        start: Tensor | None = None,
        length: Tensor | None = None,
    ) -> Tensor:
        """Run all layers.

        Args:
            samples: As for `forward`, like the others.
            conditions: See there.
            frames: See there.
            start: See there.
            length: See there.

        Returns:
            (batch, time, n_layers * G / 2), the gated units of all layers side by side.
        """
        batch, time = samples.shape
        start = torch.zeros(batch, dtype=torch.int64, device=samples.device) if start is None else start
        bias = self.global_bias(conditions or {}, batch, self.places_from(start, time, length))
        bias = bias.view(batch, -1, 1, *self.gate_bias.shape)  # (batch, place, 1, layer, G)
        local = self.local_signal(frames, time)
        stream = F.pad(self.embed(samples[:, : time - 1]), (0, 0, 1, 0))  # an output sees only what was before
        if torch.is_autocast_enabled(device := stream.device.type):
            # The stream too: additions move more memory than the matrix products do.
            stream, bias = stream.to(torch.get_autocast_dtype(device)), bias.to(torch.get_autocast_dtype(device))
        filling = (0, 0, 0, -time % self.place_length)  # to whole places
        stream, local = F.pad(stream, filling), None if local is None else F.pad(local, filling)
        units = []
        for number, layer in enumerate(self.layers):
            stream, unit = layer(stream, bias[:, :, :, number], local)
            units.append(unit)
        return torch.cat(units, -1)[:, :time]

    def head(self, units: Tensor) -> Tensor:
        """Map all layers' outputs (..., n_layers * G / 2) to the distribution's parameters (..., n_outputs)."""
        return self.output(F.relu(self.hidden(F.relu(self.skip(units)))))
