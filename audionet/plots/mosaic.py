"""Many small pictures side by side in one, which is drawn as fast as one."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from audionet.features.frontend import FrontEnd
from audionet.plots.style import COLORS, SOFT, font_families

Part = tuple[tuple[int, int], tuple[int, int]]
"""Part of a picture: its frames and its bands, each as the first and the one behind the last."""

_HERTZ = (125.0, 500.0, 2000.0, 8000.0)
_GAP = 0.08  # between two pictures, in their widths
_HEADING = 0.3  # above a picture, in inches


def draw_mosaic(
    axes: Axes,
    pictures: np.ndarray,
    names: Sequence[str],
    *,
    n_columns: int,
    height: float,
    colors: str | Colormap,
    limits: tuple[float, float],
    front_end: FrontEnd | None,
    parts: Sequence[Part] = (),
) -> AxesImage:
    """Draw pictures (picture, band, frame) in rows, each below its name.

    The axes beside the first picture of the last row hold for all: milliseconds and, if the pictures span all bands of
    the front-end, hertz.

    Args:
        axes: Axes to draw on.
        pictures: (picture, band, frame)
        names: Name of each picture.
        n_columns: Pictures of a row.
        height: Height of a picture in inches.
        colors: Map of colours.
        limits: Values at the ends of the colours.
        front_end: What provides milliseconds and hertz; None for frames and bands.
        parts: Part of each picture to frame, as its frames and its bands; none for no frames.

    Returns:
        The image, for a colour bar.
    """
    n_pictures, n_bands, n_frames = pictures.shape
    n_rows, aside, above = ceil(n_pictures / n_columns), ceil(_GAP * n_frames), ceil(_HEADING / height * n_bands)
    wide, high = n_frames + aside, n_bands + above
    canvas = np.full((n_rows * high, n_columns * wide - aside), np.nan)
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        row, column = divmod(number, n_columns)
        bottom, left = (n_rows - 1 - row) * high, column * wide
        canvas[bottom : bottom + n_bands, left : left + n_frames] = picture
        axes.annotate(
            name,
            (left - 0.5, bottom + n_bands - 0.5),
            xytext=(0, 2),
            textcoords="offset points",
            color=SOFT,
            fontsize=8,
            parse_math=False,
            fontfamily=font_families(name),
        )
        for (first, end), (lowest, top) in parts[number : number + 1]:
            corner = (left + first - 0.5, bottom + lowest - 0.5)
            axes.add_patch(Rectangle(corner, end - first, top - lowest, fill=False, color=COLORS[1], linewidth=1.2))
    image = axes.imshow(
        canvas, cmap=colors, vmin=limits[0], vmax=limits[1], origin="lower", aspect="auto", interpolation="nearest"
    )
    axes.spines[:].set_visible(False)
    _label(axes, n_bands, n_frames, front_end)
    return image


def milliseconds(front_end: FrontEnd) -> float:
    """Return the time from one frame of a front-end to the next in milliseconds."""
    return 1000 * front_end.framing.hop_length / front_end.sample_rate


def _label(axes: Axes, n_bands: int, n_frames: int, front_end: FrontEnd | None) -> None:
    """Put times below, and bands beside, the picture at the lower left."""
    frames = np.array([0, n_frames])
    axes.set_xticks(frames - 0.5, [f"{frame * (milliseconds(front_end) if front_end else 1):g}" for frame in frames])
    axes.set_xlabel("time (ms)" if front_end else "frame", loc="left")
    frequencies = None if front_end is None or front_end.n_bands != n_bands else front_end.axis.frequencies
    if frequencies is None:
        bands = np.unique(np.linspace(0, n_bands - 1, min(n_bands, 3)).astype(int))
        axes.set_yticks(bands, [str(band) for band in bands])
        axes.set_ylabel("band", loc="bottom")
    else:
        centers = frequencies.detach().cpu().numpy()
        hertz = [each for each in _HERTZ if centers.min() <= each <= centers.max()] or centers[:1].tolist()
        axes.set_yticks([int(np.abs(centers - each).argmin()) for each in hertz], [f"{each:g}" for each in hertz])
        axes.set_ylabel("frequency (Hz)", loc="bottom")
