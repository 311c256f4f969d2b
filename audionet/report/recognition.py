"""The report of a recogniser: its accuracy and how sure it is, what it confuses, its errors and its scores by label."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from audionet.checks import check_that, listed
from audionet.metrics import accuracy, per_class
from audionet.plots.confusion import WIDE, plot_confusion, tick_names
from audionet.plots.curves import plot_curves
from audionet.plots.style import png
from audionet.report.certainty import interval
from audionet.report.clips import ReportClip, clips_part, generated_part
from audionet.report.page import fact_list, image, section, write_page
from audionet.report.tables import WrongAnswer, error_table, score_table, settings_part

_MOST_ERRORS = 100  # in the page


def write_recognition(
    folder: str | os.PathLike[str],
    *,
    title: str,
    facts: Mapping[str, str],
    labels: Sequence[str],
    confusion: ArrayLike,
    history: str | os.PathLike[str] | None,
    cautions: Sequence[str] = (),
    settings: Mapping[str, object] = MappingProxyType({}),
    counts: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    errors: Sequence[WrongAnswer] = (),
    clips: Sequence[ReportClip] = (),
    worst: Sequence[ReportClip] = (),
    generated: Sequence[ReportClip] = (),
) -> Path:
    r"""Write confusion.png, curves.png and report.html, a page that contains everything.

    Args:
        folder: Folder of the files, created if it is missing. Files of these names are replaced.
        title: Heading of the page.
        facts: Facts about the run, such as data, model, seed, training time and command.
        labels: Name of each class.
        confusion: Counts of the test clips, (true, predicted).
        history: Path of the metrics.csv of Lightning's CSVLogger; None where there was no training to plot.
        cautions: What the accuracy does not say, a sentence each.
        settings: Values of the run, as a preset has them; empty to show none.
        counts: Clips of each label in each split, {label: {split: clips}}; empty to show those of the test alone.
        errors: Test clips that were taken for something else, the most confident first.
        clips: Recordings to show and play, each with at least one prediction.
        worst: Recordings of errors to show and play, likewise.
        generated: Generated clips to show and play below the recordings.

    Returns:
        The path of report.html.

    Raises:
        ValueError: The confusion matrix, the history or a clip cannot be used.

    Example:
        >>> _ = Path("metrics.csv").write_text("step,validation_accuracy\n0,0.5\n1,0.875\n")
        >>> page = write_recognition(
        ...     "words",
        ...     title="Words",
        ...     facts={"seed": "0"},
        ...     labels=["yes", "no"],
        ...     confusion=[[30, 10], [0, 40]],
        ...     history="metrics.csv",
        ... )
        >>> sorted(file.name for file in page.parent.iterdir())
        ['confusion.png', 'curves.png', 'report.html']
    """
    for clip in (*clips, *worst):
        check_that(clip.predictions, clip.path, "at least one (label, probability)", clip.predictions)
    scores = per_class(confusion, labels)
    n_right, n_clips = np.trace(np.asarray(confusion)), sum(score.support for score in scores)
    untested = [score.label for score in scores if not score.support]
    if untested:
        cautions = [*cautions, f"Without test clips, and so not scored: {listed(untested, 10)}."]
    matrix, curves = png(plot_confusion(confusion, labels)), None if history is None else png(plot_curves(history))
    matrix_image = image(matrix, "Confusion matrix; the table of labels has the same figures label by label")
    named = zip(tick_names(labels), labels, strict=True)
    numbers = [name if name.startswith("#") and name != label else "" for name, label in named]
    if any(numbers):
        matrix_image += '<p class="file">A number with # stands for a label of the table.</p>'
    is_wide = len(labels) > WIDE
    sections = [
        section("The run", fact_list(facts)),
        *([] if curves is None else [_curves(curves)]),
        section("Confusion matrix", matrix_image, wide=is_wide),
        section("Scores by label", score_table(scores, numbers, counts), wide=is_wide),
    ]
    return write_page(
        folder,
        {"confusion.png": matrix} | ({} if curves is None else {"curves.png": curves}),
        title=title,
        figure=f"{accuracy(confusion):.1%}",
        meaning=f"accuracy: {n_right:,.0f} of {n_clips:,} test clips named right, {interval(n_right, n_clips)}",
        notes=cautions,
        sections=sections,
        below=_errors_part(errors, worst)
        + clips_part("Listen", clips)
        + generated_part(generated)
        + settings_part(settings),
    )


def _curves(picture: bytes) -> str:
    return section("Training", image(picture, "Loss, accuracy and learning rate over the epochs of training"))


def _errors_part(errors: Sequence[WrongAnswer], worst: Sequence[ReportClip]) -> str:
    """Return the HTML part of the errors: the worst to hear, then a table."""
    if not errors:
        return ""
    note = f'<p class="note">{len(errors):,} test clips were taken for something else, the most confident first.</p>'
    shown = errors[:_MOST_ERRORS]
    more = len(errors) - len(shown)
    rest = f'<p class="file">{more:,} more are in errors.csv.</p>' if more else ""
    summary = f"The first {len(shown)}" if more else f"All {len(shown)}"
    table = f'<details class="card"><summary>{summary}</summary>{error_table(shown)}{rest}</details>'
    return (clips_part("Errors", worst, note) or f"<h2>Errors</h2>{note}") + table
