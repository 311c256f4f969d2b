"""The report of a network that generates audio: bits per sample of real audio, and clips that it generated."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from matplotlib.figure import Figure

from audionet.plots.curves import plot_curves
from audionet.plots.style import png
from audionet.report.clips import ReportClip, generated_part
from audionet.report.page import fact_list, image, page_text, section, write_page
from audionet.report.tables import count_table, settings_part

_EXPLANATION = (
    '<p class="note">Each column is the distribution that the network predicts for a sample from those before it, '
    "the stronger the colour, the more probable. The line is the actual waveform.</p>"
)
_ALT = "Probability of each amplitude over time"


def write_generation(
    folder: str | os.PathLike[str],
    *,
    title: str,
    bits: float,
    n_test_clips: int,
    facts: Mapping[str, str],
    history: str | os.PathLike[str],
    clips: Sequence[ReportClip],
    cautions: Sequence[str] = (),
    settings: Mapping[str, object] = MappingProxyType({}),
    counts: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    heat_map: Figure | None = None,
) -> Path:
    r"""Write curves.png, heat_map.png if given, and report.html, a page that contains everything.

    Args:
        folder: Folder of the files, created if it is missing. Files of these names are replaced.
        title: Heading of the page.
        bits: Bits per sample on the test clips.
        n_test_clips: Number of test clips.
        facts: Facts about the run, such as data, model, seed, training time and command.
        history: Path of the metrics.csv of Lightning's CSVLogger.
        clips: Generated clips to show and play, with the predictions of a recogniser and recordings to compare them
            with if they have any.
        cautions: What the bits do not say, a sentence each.
        settings: Values of the run, as a preset has them; empty to show none.
        counts: Clips of each label in each split, {label: {split: clips}}; empty to show none.
        heat_map: Distributions that the network predicts for a clip, as `audionet.plots.plot_distribution` draws them.

    Returns:
        The path of report.html.

    Raises:
        ValueError: The history or a clip cannot be used.

    Example:
        >>> _ = Path("metrics.csv").write_text("step,validation_bits\n0,4.5\n1,2.31\n")
        >>> clips = [ReportClip(Path("seven.wav"), "seven")]
        >>> page = write_generation(
        ...     "digits", title="Digits", bits=2.31, n_test_clips=300, facts={}, history="metrics.csv", clips=clips
        ... )
        >>> sorted(file.name for file in page.parent.iterdir())
        ['curves.png', 'report.html']
    """
    pictures = {"curves.png": png(plot_curves(history))}
    curves = image(pictures["curves.png"], "Bits per sample and learning rate over the epochs of training")
    sections = [section("The run", fact_list(facts)), section("Training", curves)]
    if heat_map is not None:
        pictures["heat_map.png"] = png(heat_map)
        sections.append(
            section("Predicted distributions", _EXPLANATION + image(pictures["heat_map.png"], _ALT), wide=True)
        )
    if counts:
        sections.append(section("Clips", count_table(counts)))
    page = page_text(
        title=title,
        figure=f"{bits:.2f} bits",
        meaning=f"per sample on {n_test_clips:,} test clips",
        notes=cautions,
        sections=sections,
        below=generated_part(clips) + settings_part(settings),
    )
    return write_page(Path(folder, "report.html"), page, pictures)
