"""A map of clips in a page: each is a point that plays its sound when it is clicked, tapped, or chosen by keys."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from audionet.report.page import shown

_SIZE, _MARGIN = 600, 20  # of the map, in its own units
_GOLDEN_ANGLE = 137.508  # degrees, so that neighbouring groups have hues far apart
_MOST_NAMES = 40  # of a legend


class Point(NamedTuple):
    """A clip on a map.

    Attributes:
        name: Its name.
        groups: The group of each way to colour it, such as its label and its speaker.
        sound: Number of its sound among those of the page; None where the page does not hold it.
        answer: What the network takes it for; empty where it does not say.
    """

    name: str
    groups: tuple[str, ...]
    sound: int | None
    answer: str = ""


def clip_map(
    points: Sequence[Point], layouts: Mapping[str, np.ndarray], ways: Sequence[str], sounds: Sequence[str]
) -> str:
    """Return the HTML of a map.

    Args:
        points: The clips.
        layouts: Where they lie, (clip, 2), by the name of the layout; the first is shown at the beginning.
        ways: Names of the ways to colour them, one for each of their groups.
        sounds: The sounds, as base64 texts of FLAC files.
    """
    groups = [[*dict.fromkeys(sorted(point.groups[way] for point in points))] for way in range(len(ways))]
    places = [_placed(layout) for layout in layouts.values()]
    data = {
        "clips": [
            [
                point.name,
                [names.index(group) for names, group in zip(groups, point.groups, strict=True)],
                point.sound,
                point.answer,
            ]
            for point in points
        ],
        "by": [{"names": names, "hues": [_hue(row) for row in range(len(names))]} for names in groups],
        "places": [place.tolist() for place in places],
        "sounds": [*sounds],
    }
    content = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    choices = _buttons("place", [*layouts]) if len(layouts) > 1 else ""
    colors = _buttons("by", [f"by {way}" for way in ways]) if len(ways) > 1 else ""
    legends = "".join(_legend(points, way, names) for way, names in enumerate(groups))
    return (
        f'<div class="map"><div>{choices}<svg viewBox="0 0 {_SIZE} {_SIZE}" role="group" aria-label="Map of '
        f'{len(points)} clips; arrow keys move from one to the next, Enter plays it">'
        + "".join(_dot(point, place, row) for row, (point, place) in enumerate(zip(points, places[0], strict=True)))
        + '</svg></div><div><output class="note" aria-live="polite">Click or tap a point to hear its clip, or move '
        "with the arrow keys and press Enter.</output>"
        f'<audio controls aria-label="the chosen clip"></audio>{colors}{legends}</div>'
        f'<script type="application/json">{content}</script></div>'
    )


def _placed(layout: np.ndarray) -> np.ndarray:
    """Return places (clip, 2) within the map; both axes have one scale, and the second points up."""
    low, high = layout.min(0), layout.max(0)
    scale = (_SIZE - 2 * _MARGIN) / max(float((high - low).max()), 1e-12)
    centered = (layout - (low + high) / 2) * scale * [1, -1]
    return np.asarray((centered + _SIZE / 2).round(1))


def _hue(row: int) -> int:
    return round(row * _GOLDEN_ANGLE) % 360


def _dot(point: Point, place: np.ndarray, row: int) -> str:
    kind = ' class="mute"' if point.sound is None else ""
    return (
        f'<path d="M0 0h.01" role="button" tabindex="{0 if row == 0 else -1}" aria-label="{escape(point.name)}, '
        f'{escape(", ".join(point.groups))}"{kind} style="transform:translate({place[0]}px,{place[1]}px)"/>'
    )


def _buttons(kind: str, names: Sequence[str]) -> str:
    return "".join(
        f'<button data-kind="{kind}" data-number="{number}">{escape(name)}</button>'
        for number, name in enumerate(names)
    )


def _legend(points: Sequence[Point], way: int, names: Sequence[str]) -> str:
    """Return the legend of a way to colour, whose entries can be pressed to see one group alone."""
    counts = Counter(point.groups[way] for point in points)
    first = sorted(names, key=lambda name: -counts[name])[:_MOST_NAMES]
    entries = "".join(
        f'<button data-kind="value" data-number="{row}" style="--hue:{_hue(row)}"><i></i>{shown(name) or "unknown"} '
        f"{counts[name]}</button>"
        for row, name in enumerate(names)
        if name in first
    )
    more = len(names) - len(first)
    rest = f'<p class="file">{more} smaller groups have colours, too, and no entry here.</p>' if more else ""
    return f'<div class="legend"{" hidden" if way else ""}>{entries}{rest}</div>'
