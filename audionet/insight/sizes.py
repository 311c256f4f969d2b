"""The table of a recogniser's layers: what each gives, costs and sees, in milliseconds and hertz."""

from collections.abc import Sequence

from audionet.features import FrontEnd
from audionet.models import Layer, ReceptiveField

LAYER_HEADS = ("LAYER", "KIND", "OUTPUT", "PARAMETERS", "MACS", "SEES IN TIME", "SEES IN FREQUENCY")
"""The columns of the table."""


def layer_rows(layers: Sequence[Layer], front_end: FrontEnd) -> list[tuple[str, ...]]:
    """Return the rows of the table, one a layer, and one for all of them.

    Layers that change no size and learn nothing, such as activations, have none.

    Args:
        layers: The layers of a recogniser, in the order of the data, from `audionet.models.layer_table`.
        front_end: The front-end whose frames and bands they see.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=12)
        >>> rows = layer_rows(audionet.models.layer_table(network), audionet.features.LogMel(sample_rate=16_000))
        >>> rows[0]
        ('stem', 'Conv1d', '16 x 101', '1,920 (2.9%)', '193,920 (12.4%)', '52 ms', 'all')
        >>> rows[-1]
        ('all', '', '', '65,148', '1,563,264', '', '')
    """
    parameters, macs = sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)
    shown = [
        layer
        for before, layer in zip([None, *layers], layers, strict=False)
        if before is None or layer.parameters or layer.shape != before.shape
    ]
    rows = [
        (
            layer.name,
            layer.kind,
            " x ".join(map(str, layer.shape)),
            _share(layer.parameters, parameters),
            _share(layer.macs, macs),
            *(("", "") if layer.field is None else seen(layer.field, front_end)),
        )
        for layer in shown
    ]
    return [*rows, ("all", "", "", f"{parameters:,}", f"{macs:,}", "", "")]


def seen(field: ReceptiveField, front_end: FrontEnd) -> tuple[str, str]:
    """Return what an output sees: the milliseconds, and the hertz that so many bands span in the middle of all.

    Args:
        field: The bands and frames that it sees.
        front_end: The front-end that makes them.

    Example:
        >>> front_end = audionet.features.LogMel(sample_rate=16_000)
        >>> seen(audionet.models.ReceptiveField(bands=5, frames=9, stride=2), front_end)
        ('112 ms', '1,416-2,006 Hz')
    """
    if field.frames is None:
        return "the whole clip", "all"
    framing = front_end.framing
    seconds = ((field.frames - 1) * framing.hop_length + framing.span) / front_end.sample_rate
    frequencies = front_end.axis.frequencies
    if field.bands >= front_end.n_bands:
        spanned = "all"
    elif frequencies is None:
        spanned = f"{field.bands} bands"
    else:
        first = (front_end.n_bands - field.bands) // 2
        low, high = float(frequencies[first]), float(frequencies[first + field.bands - 1])
        spanned = f"{low:,.0f}-{high:,.0f} Hz"
    return f"{1000 * seconds:,.0f} ms", spanned


def _share(part: int, whole: int) -> str:
    """Return a number and its share of the whole; nothing for 0."""
    return f"{part:,} ({part / whole:.1%})" if part else ""
