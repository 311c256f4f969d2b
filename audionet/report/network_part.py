"""The parts of a page about what a network is: its layers and what each of them sees."""

from collections.abc import Sequence
from html import escape

from audionet.bundle import Bundle
from audionet.features import FrontEnd
from audionet.models import Layer, WaveNet
from audionet.report.page import fact_list, section

_FEW = 24  # layers that are seen at once


def fact_section(bundle: Bundle) -> str:
    """Return the card of what a bundle says of itself."""
    facts = {"task": bundle.task, "test": bundle.test_figure}
    for field, part in bundle.parts.items():
        arguments = ", ".join(f"{key}={value!r}" for key, value in part.arguments.items() if key != "categories")
        facts[field.replace("_", "-")] = f"{part.name}({arguments})"
    facts["clips"] = f"{bundle.clip_length / bundle.sample_rate:g} s at {bundle.sample_rate} Hz"
    facts |= {f"{category}s": ", ".join(map(str, values)) for category, values in bundle.categories.items()}
    if data := bundle.training.get("data"):
        facts["trained on"] = str(data)
    return section("What it is", fact_list(facts))


def layer_section(layers: Sequence[Layer], front_end: FrontEnd) -> str:
    """Return the card of a recogniser's layers: size, parameters, multiplications and receptive field of each.

    Args:
        layers: The layers, in the order of the data.
        front_end: The front-end, whose frames and bands they see.
    """
    parameters, macs = (sum(each) for each in zip(*((layer.parameters, layer.macs) for layer in layers), strict=True))
    rows = [
        [
            layer.name,
            layer.kind,
            " × ".join(map(str, layer.shape)),
            _count(layer.parameters, parameters),
            _count(layer.macs, macs),
            _seen(layer, front_end),
        ]
        for layer in layers
    ]
    heads = ["layer", "kind", "output", "parameters", "multiplications", "one output sees"]
    rows.append(["all", "", "", f"{parameters:,}", f"{macs:,}", ""])
    note = (
        '<p class="note">The output of one clip is channels × bands × frames, channels × frames, or channels. What one '
        "output sees is counted on the network itself.</p>"
    )
    return section("Layers", note + _folded(table(heads, rows, n_names=2), len(layers)), wide=True)


def wavenet_section(network: WaveNet, sample_rate: int) -> str:
    """Return the card of a WaveNet's layers: dilation, parameters, multiplications for a sample, receptive field."""
    rows, seen = [], 1
    own: list[tuple[str, str, int]] = [
        ("input", type(network.input).__name__, 1),
        *((f"layers.{number}", "dilated", dilation) for number, dilation in enumerate(network.dilations)),
        *((name, "pointwise", 1) for name in ("skip", "hidden", "output")),
    ]
    for name, kind, dilation in own:
        seen += (network.kernel_size - 1) * dilation if kind == "dilated" else 0
        module = network.get_submodule(name)
        n = sum(weight.numel() for weight in module.parameters())
        macs = sum(weight.numel() for weight in module.parameters() if weight.ndim > 1) if kind != "CodeInput" else 0
        field = f"{seen:,} samples, {1000 * seen / sample_rate:.2f} ms"
        rows.append([name, kind, str(dilation) if kind == "dilated" else "", f"{n:,}", f"{macs:,}", field])
    heads = ["layer", "kind", "dilation", "parameters", "multiplications", "one output sees"]
    note = (
        f'<p class="note">Each dilated layer has {network.kernel_size} taps, so many samples apart as its dilation is. '
        "The multiplications are those of one sample; categories and places are not counted.</p>"
    )
    return section("Layers", note + _folded(table(heads, rows, n_names=2), len(rows)), wide=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, n_names: int) -> str:
    """Return an HTML table, whose first columns are names and the others values.

    Example:
        >>> table(["layer", "parameters"], [["stem", "16"]], n_names=1)[-68:]
        '<tbody><tr><th scope="row">stem</th><td>16</td></tr></tbody></table>'
    """
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join(
        "<tr>"
        + "".join(f'<th scope="row">{escape(each)}</th>' for each in row[:n_names])
        + "".join(f"<td>{escape(each)}</td>" for each in row[n_names:])
        + "</tr>"
        for row in rows
    )
    return f'<table class="scores layers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _folded(content: str, n_rows: int) -> str:
    """Return a table, behind a line to click on where it is long."""
    return content if n_rows <= _FEW else f"<details><summary>All {n_rows} layers</summary>{content}</details>"


def _count(part: int, whole: int) -> str:
    """Return a number and its share of the whole."""
    return f"{part:,} ({part / whole:.1%})" if part else ""


def _seen(layer: Layer, front_end: FrontEnd) -> str:
    """Return what one output of a layer sees, in bands, frames and milliseconds."""
    if layer.field is None:
        return ""
    bands, frames, _ = layer.field
    if frames is None:
        return "the whole clip"
    framing = front_end.framing
    seconds = ((frames - 1) * framing.hop_length + framing.span) / front_end.sample_rate
    return f"{bands} {'band' if bands == 1 else 'bands'}, {frames} frames: {1000 * seconds:,.0f} ms"
