"""The report of a network that generates audio: the bits that real audio costs it, and what it makes itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from audionet.plots.curves import plot_curves
from audionet.plots.style import png
from audionet.report.clips import ReportClip, generated_part
from audionet.report.page import fact_list, frame, image, section, write_files


def write_generation(
    folder: Path,
    *,
    title: str,
    bits: float,
    n_test_clips: int,
    facts: Mapping[str, str],
    history: Path,
    clips: Sequence[ReportClip],
    heat_map: Figure | None = None,
) -> Path:
    """Write curves.png, heat_map.png if there is one, and report.html, one page with everything in it.

    Args:
        folder: Where to; made if it is missing. Files of these names are replaced.
        title: Heading of the page.
        bits: Bits per sample on the test clips.
        n_test_clips: Number of them.
        facts: What to know about the run, such as data, model, seed, training time and command.
        history: metrics.csv of Lightning's CSVLogger.
        clips: Generated clips to show and play; a recogniser's predictions are shown where there are any.
        heat_map: What the network expected of a clip, as `plot_distribution` pictures it.

    Returns:
        The path of report.html.

    Raises:
        ValueError: The history or a clip cannot be used.

    Example:
        >>> write_generation(Path("demo"), title="Digits", bits=2.31, n_test_clips=300, facts={"seed": "0"},
        ...                  history=Path("runs/digits/metrics.csv"), clips=clips)  # doctest: +SKIP
    """
    files = {"curves.png": png(plot_curves(history))}
    curves = image(files["curves.png"], "Bits per sample and learning rate in the course of training")
    sections = [section("The run", fact_list(facts)), section("Training", curves)]
    if heat_map is not None:
        files["heat_map.png"] = png(heat_map)
        sections.append(section("What it expected", _explained(files["heat_map.png"]), wide=True))
    page = frame(
        title=title,
        figure=f"{bits:.2f} bits",
        meaning=f"per sample on {n_test_clips:,} test clips",
        sections=sections,
        below=generated_part(clips),
    )
    write_files(folder, {**files, "report.html": page.encode()})
    return Path(folder) / "report.html"


def _explained(heat_map: bytes) -> str:
    note = (
        "Each column is what the network, knowing the samples before, held probable for the next one: "
        "the stronger the colour, the more probable. The line is what came."
    )
    return f'<p class="note">{note}</p>{image(heat_map, "Probability of each amplitude in the course of time")}'
