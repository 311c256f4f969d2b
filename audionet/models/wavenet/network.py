"""WaveNet: a stack of dilated causal convolutions that predicts each sample of a sound from those before it.

Figure 4 of the paper (van den Oord et al., 2016), in the words of this file:

    samples ─► input ─► stream ─► Layer ─► Layer ─► ... ─► Layer
                                    │        │               │
                                    ▼        ▼               ▼
                                   unit     unit    ...     unit
                                    └────────┴───► skip ◄────┘
                                                    │
                      parameters of the next sample's distribution ◄─ output ◄─ ReLU ◄─ hidden ◄─ ReLU
"""

from collections.abc import Mapping, Sequence
from math import lcm, prod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_that
from audionet.models.wavenet import distributions
from audionet.models.wavenet.conditioning import Categories, GateBias, Places, Upsampler
from audionet.models.wavenet.layers import CodeInput, Layer, ValueInput, cycled_dilations
from audionet.registry import NamedArguments


class WaveNet(NamedArguments, nn.Module):
    """WaveNet (van den Oord et al., 2016): p(x_t | x_0 ... x_{t-1}, conditions) for every t at once.

    Before a clip there is nothing, which is not silence: every layer sees zeros there, and the first sample is
    predicted from the conditions alone. All skip connections are one matrix over the units side by side,
    which gives the same sum as a matrix for each.

    Args:
        n_layers: Dilated layers, in all cycles together.
        n_cycles: Number of times that the dilations 1, 2, 4 ... are gone through; divides n_layers.
        kernel_size: Taps of each dilated convolution, at least 2.
        residual_channels: Width of the residual stream, R.
        gate_channels: Width of filter and gate together, G; even.
        skip_channels: Width of the sum of the skip connections, S.
        output_channels: Width of the layer between that sum and the outputs, A.
        output: "softmax" (256 codes of mu-law), "logistic_mixture" or "gaussian" (16 bit).
        n_mixtures: Components of a "logistic_mixture".
        categories: Global conditioning: the values of each named category, such as
            {"label": ["yes", "no"], "speaker": ["a", "b"]}.
        category_channels: Width of the categories' embeddings, which are summed.
        n_places: Number of places that are told apart from the start and from the end of a clip, for a network that
            is told how long the sound is to last; 0 for a network that is not.
        place_length: Samples of one place.
        local_bands: Bands of the frames of local conditioning, such as mel bands; 0 for none.
        local_channels: Width of the upsampled frames.
        upsample: Factors whose product is the hop of the frames in samples.

    Shape:
        samples (batch, time) -> (batch, time, n_outputs): output t depends on the samples before t alone. Samples are
        int64 codes for "softmax", float in [-1, 1] otherwise; ``distribution.from_waveform`` makes them.

    Raises:
        ValueError: A size does not fit.

    Attributes:
        distribution: Form of the samples, loss and draws.
        receptive_field: Samples that an output depends on, (kernel_size - 1) * sum of dilations + 1.
        hop_length: Samples of one frame of local conditioning; 1 for a network without.
        place_length: Samples of one place; 1 for a network that is not told the place.
        step_length: Samples whose multiples windows of clips may begin at: whole frames and whole places.

    Example:
        >>> network = WaveNet(n_layers=8, n_cycles=2, output="gaussian", categories={"label": ["yes", "no"]})
        >>> samples = network.distribution.from_waveform(waveform)
        >>> network(samples, {"label": torch.tensor([0])}).shape == (*waveform.shape, 2)
        True
        >>> network.receptive_field
        31
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
        check_at_least(1, residual_channels=residual_channels, gate_channels=gate_channels)
        check_at_least(1, skip_channels=skip_channels, output_channels=output_channels)
        check_at_least(1, n_mixtures=n_mixtures, category_channels=category_channels, place_length=place_length)
        check_at_least(2, kernel_size=kernel_size)
        check_at_least(0, n_places=n_places)
        check_that(gate_channels % 2 == 0, "gate_channels", "an even number, half filter and half gate", gate_channels)
        self.kernel_size, self.local_bands, self.n_places = kernel_size, local_bands, n_places
        self.dilations = cycled_dilations(n_layers, n_cycles)
        self.receptive_field = (kernel_size - 1) * sum(self.dilations) + 1
        self.hop_length, self.place_length = prod(upsample), place_length if n_places else 1
        self.step_length = lcm(self.hop_length, self.place_length)

        self.distribution = distributions.create(output, n_mixtures=n_mixtures)
        kind = CodeInput if self.distribution.is_discrete else ValueInput
        self.input: CodeInput | ValueInput = kind(residual_channels)

        self.embeddings = Categories(categories or {}, category_channels)
        self.categories: Mapping[str, Sequence[str]] = {name: [*values] for name, values in (categories or {}).items()}
        self.places = Places(n_places, place_length, category_channels) if n_places else None
        self.gate_bias = nn.Parameter(torch.zeros(n_layers, gate_channels))
        self.condition = None  # brings categories and places to the gates of all layers
        if self.categories or n_places:
            self.condition = nn.Linear(category_channels, n_layers * gate_channels, bias=False)
        self.upsampler = Upsampler(local_bands, local_channels, upsample) if local_bands or upsample else None

        layers = [
            Layer(
                residual_channels,
                gate_channels,
                [dilation * tap for tap in reversed(range(kernel_size))],
                local_channels=local_channels if local_bands else 0,
                is_last=number == n_layers - 1,
            )
            for number, dilation in enumerate(self.dilations)
        ]
        self.layers = cast(Sequence[Layer], nn.ModuleList(layers))
        self.skip = nn.Linear(n_layers * (gate_channels // 2), skip_channels)
        self.hidden = nn.Linear(skip_channels, output_channels)
        self.output = nn.Linear(output_channels, self.distribution.n_outputs)

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
            conditions: Positions (batch,) int64 in each category's values.
            frames: Local conditioning, (batch, local_bands, frame).
            start: (batch,) int64, samples of each clip that come before these, in whole places; None for none. Only
                a network that is conditioned on the place makes a difference.
            length: (batch,) int64, samples of the whole clips; None for clips that end with these samples.

        Returns:
            (batch, time, n_outputs), the parameters of the distribution of each sample.

        Raises:
            ValueError: Conditions or frames are missing, not expected or of another shape.
        """
        batch, time = samples.shape
        bias = self.bias(conditions, frames, batch=batch, time=time, start=start, length=length)
        return self.head(self.units(samples, bias))

    def units(self, samples: Tensor, bias: GateBias) -> Tensor:
        """Map samples (batch, time) to the units of all layers side by side, (batch, time, n_layers * G / 2)."""
        time = samples.shape[1]
        steps, local = bias.steps[:, :, None], bias.local  # (batch, n, 1, n_layers, G)
        stream = F.pad(self.input(samples[:, : time - 1]), (0, 0, 1, 0))  # an output sees only what was before
        if torch.amp.is_autocast_available(device := stream.device.type) and torch.is_autocast_enabled(device):
            # The stream too: additions move more memory than the matrix products do.
            stream, steps = stream.to(torch.get_autocast_dtype(device)), steps.to(torch.get_autocast_dtype(device))
        filling = (0, 0, 0, -time % bias.step_length)  # to whole places
        stream, local = F.pad(stream, filling), None if local is None else F.pad(local, filling)
        units = []
        for number, layer in enumerate(self.layers):
            stream, unit = layer(stream, steps[:, :, :, number], local)
            units.append(unit)
        return torch.cat(units, -1)[:, :time]

    def head(self, units: Tensor) -> Tensor:
        """Map all layers' units (..., n_layers * G / 2) to the distribution's parameters (..., n_outputs)."""
        outputs: Tensor = self.output(F.relu(self.hidden(F.relu(self.skip(units)))))
        return outputs

    def bias(
        self,
        conditions: Mapping[str, Tensor] | None = None,
        frames: Tensor | None = None,
        *,
        batch: int,
        time: int,
        start: Tensor | None = None,
        length: Tensor | None = None,
    ) -> GateBias:
        """Return what the conditions add to the gates of every layer, for ``time`` samples of ``batch`` clips.

        The other arguments are those of `forward`.

        Raises:
            ValueError: Conditions or frames are missing, not expected or of another shape.
        """
        embedded = self.embeddings(conditions or {})
        if self.places is not None:
            start = torch.zeros(batch, dtype=torch.int64, device=self.gate_bias.device) if start is None else start
            embedded = self.places(self.places.between(start, time, length), embedded)
        steps = self.gate_bias.expand(batch, 1, -1, -1)
        if self.condition is not None:
            steps = self.gate_bias + self.condition(embedded).unflatten(-1, self.gate_bias.shape)
        if self.upsampler is None:
            if frames is not None:
                raise ValueError(f"frames: expected None without local conditioning, got {tuple(frames.shape)}")
            return GateBias(steps, self.place_length)
        local = self.upsampler(frames, time)
        weights = tuple(layer.dilated.weight[:, -local.shape[-1] :] for layer in self.layers)
        return GateBias(steps, self.place_length, local, weights)
