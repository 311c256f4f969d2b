"""The parts of a page about a network that generates: what of a look inside applies to it."""

import numpy as np
import torch
from matplotlib.figure import Figure

from audionet.audio import FULL_SCALE
from audionet.bundle import Bundle
from audionet.checks import check_that
from audionet.models import WaveNet, WaveNetAutoencoder
from audionet.plots.style import COLORS, make_figure, make_plain, make_plain_colorbar, png
from audionet.report.network_part import wavenet_section
from audionet.report.page import image, section

NOT_FOR_GENERATION = (
    "Activation maps, dead filters and what excites a unit: they are of networks that hear a spectrogram; this one "
    "hears samples, one after the other.",
    "Templates, what decided, and most confused pairs: the network knows no labels to decide for.",
    "The embedding, nearest training clips, and curves of shift, speed, level and noise: it has no embedding.",
)
"""What of the page does not apply, and why."""

_N_AMPLITUDES = 256


def generator_sections(bundle: Bundle) -> list[tuple[str, str]]:
    """Return the cards of a network that generates, by their headings: layers, dilations, first filters.

    Raises:
        ValueError: The network is no WaveNet.
    """
    network = bundle.model.module
    wavenet = network.decoder if isinstance(network, WaveNetAutoencoder) else network
    check_that(isinstance(wavenet, WaveNet), "bundle", "a WaveNet or a WaveNetAutoencoder", bundle.model.name)
    assert isinstance(wavenet, WaveNet)
    seen, filters = png(plot_dilations(wavenet, bundle.sample_rate)), png(plot_first_filters(wavenet))
    note = (
        '<p class="note">How each channel of the first dilated layer answers to the amplitude of the samples that it '
        "sees: its weights times what the input layer makes of a sample. The upper half are filters, the lower ones "
        "gates.</p>"
    )
    return [
        ("Layers", wavenet_section(wavenet, bundle.sample_rate)),
        ("Dilations", section("Dilations", image(seen, "Samples that one output of each layer sees"))),
        ("First filters", section("First filters", note + image(filters, "Answer of each channel to an amplitude"))),
    ]


def plot_dilations(network: WaveNet, sample_rate: int) -> Figure:
    """Plot how many samples one output of each dilated layer sees.

    Args:
        network: The network.
        sample_rate: In hertz.

    Example:
        >>> figure = plot_dilations(WaveNet(n_layers=8, n_cycles=2), 16_000)
        >>> [int(bar.get_width()) for bar in figure.axes[0].patches]
        [2, 4, 8, 16, 17, 19, 23, 31]
    """
    seen = 1 + (network.kernel_size - 1) * np.cumsum(network.dilations)
    figure, axes = make_figure(7.0, 0.8 + 0.2 * len(seen), title=f"{1000 * seen[-1] / sample_rate:.4g} ms in all")
    axes.barh(range(len(seen)), seen, height=0.7, color=COLORS[0])
    axes.set_xscale("log", base=2)
    axes.set_yticks(range(len(seen)), [f"{row}: {dilation}" for row, dilation in enumerate(network.dilations)])
    axes.invert_yaxis()
    axes.set_xlabel("samples that one output sees")
    axes.set_ylabel("layer: its dilation")
    return figure


def plot_first_filters(network: WaveNet) -> Figure:
    """Plot how the channels of the first dilated layer answer to the amplitude of each sample that they see.

    Example:
        >>> len(plot_first_filters(WaveNet(n_layers=4, n_cycles=1, kernel_size=3)).axes)  # and the scale of colours
        4
    """
    amplitudes = torch.linspace(-1, 1, _N_AMPLITUDES + 1)[:-1] + 1 / FULL_SCALE
    with torch.no_grad():
        made = network.input(network.distribution.from_waveform(amplitudes[None]))[0]  # (amplitude, R)
        taps = (
            network.layers[0].dilated.weight[:, : network.kernel_size * made.shape[1]].unflatten(1, (-1, made.shape[1]))
        )
        answers = torch.einsum("gtr,ar->tga", taps, made).numpy()
    largest = float(np.abs(answers).max()) or 1.0
    figure = Figure(figsize=(2.2 + 2.6 * len(answers), 4.0), layout="constrained")
    rows = figure.subplots(1, len(answers), sharey=True, squeeze=False)[0]
    for tap, (axes, answer) in enumerate(zip(rows, answers, strict=True)):
        back = (len(answers) - tap) * network.dilations[0]
        make_plain(axes, title=f"{back} {'sample' if back == 1 else 'samples'} before")
        drawn = axes.imshow(
            answer, cmap="PuOr", vmin=-largest, vmax=largest, aspect="auto", extent=(-1, 1, len(answer), 0)
        )
        axes.set_xlabel("amplitude")
    rows[0].set_ylabel("channel")
    make_plain_colorbar(figure.colorbar(drawn, ax=list(rows), pad=0.02), "answer")
    return figure
