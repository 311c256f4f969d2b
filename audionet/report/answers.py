"""The parts of a page about the answers of a recogniser: what it confuses, its scores, its errors."""

from collections.abc import Mapping, Sequence

import numpy as np

from audionet.metrics import ClassScores
from audionet.plots.confusion import WIDE, plot_confusion, tick_names
from audionet.plots.style import png
from audionet.report.clips import ReportClip, clips_part
from audionet.report.page import image, section
from audionet.report.tables import WrongAnswer, confusion_list, error_table, score_table


def confusion_sections(
    confusion: np.ndarray, scores: Sequence[ClassScores], counts: Mapping[str, Mapping[str, int]]
) -> tuple[bytes, list[str]]:
    """Return the picture of the confusion matrix, and the cards of that, of the scores by label and of confusions.

    Args:
        confusion: Counts of clips, (true class, predicted class).
        scores: The scores of each class.
        counts: Clips of the other splits, {label: {split: clips}}; empty if there are none.
    """
    labels = [score.label for score in scores]
    matrix = png(plot_confusion(confusion, labels))
    matrix_image = image(matrix, "Confusion matrix; the table of labels has the same figures label by label")
    named = zip(tick_names(labels), labels, strict=True)
    numbers = [name if name.startswith("#") and name != label else "" for name, label in named]
    if any(numbers):
        matrix_image += '<p class="file">A number with # stands for a label of the table.</p>'
    is_wide, confused = len(labels) > WIDE, confusion_list(confusion, labels)
    return matrix, [
        section("Confusion matrix", matrix_image, wide=is_wide),
        section("Scores by label", score_table(scores, numbers, counts), wide=is_wide),
        *([section("What is heard as what", confused)] if confused else []),
    ]


def errors_part(
    errors: Sequence[WrongAnswer], worst: Sequence[ReportClip], *, what: str, most: int, elsewhere: str = ""
) -> str:
    """Return the HTML part of the errors: the worst to hear, then a table; without errors, it is empty.

    Args:
        errors: The errors, the most confident first.
        worst: Recordings of some to show and play, each with at least one prediction.
        what: What was tested, in the plural, such as "test clips".
        most: Errors of the table, at most.
        elsewhere: File that holds the others; empty if none does.
    """
    if not errors:
        return ""
    note = f'<p class="note">{len(errors):,} {what} were taken for something else, the most confident first.</p>'
    shown, more = errors[:most], len(errors) - most
    rest = f'<p class="file">{more:,} more are in {elsewhere}.</p>' if more > 0 and elsewhere else ""
    summary = f"The first {len(shown)}" if more > 0 else f"All {len(shown)}"
    table = f'<details class="card"><summary>{summary}</summary>{error_table(shown)}{rest}</details>'
    return (clips_part("Errors", worst, note) or f"<h2>Errors</h2>{note}") + table
