"""The page of an evaluation: how a recogniser does on a folder of recordings, without a training around it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audionet.evaluate import Evaluation
from audionet.files import whole_file
from audionet.plots.confusion import WIDE, plot_confusion, tick_names
from audionet.plots.style import png
from audionet.report.certainty import INTERVALS, interval
from audionet.report.clips import ReportClip, clips_part
from audionet.report.page import fact_list, image, page_text, section
from audionet.report.tables import WrongAnswer, confusion_list, error_table, score_table, speaker_table

if TYPE_CHECKING:
    from audionet.inference import Recognizer

_WORST, _MOST_ERRORS = 10, 200


def write_evaluation(
    path: str | os.PathLike[str],
    found: Evaluation,
    recognizer: "Recognizer",
    *,
    model: str,
    notes: Sequence[str] = (),
) -> Path:
    """Write a page with the accuracy and how sure it is, scores, confusions, and the worst errors to hear.

    Args:
        path: Path of the page; folders above it are made.
        found: What the recogniser answered.
        recognizer: The recogniser, which says more of the worst errors.
        model: Name or path of its bundle.
        notes: Further sentences below the figure.

    Returns:
        The path.

    Raises:
        OSError: It cannot be written.
    """
    n_right, n = int(found.right.sum()), len(found.right)
    facts = {"model": model, "recordings": str(found.folder), "threshold": f"{found.threshold:g}"}
    (rejected, n_words), (false, n_others) = found.rejected, found.false_words
    facts |= {"words answered with no word": f"{rejected} of {n_words}"} if n_words else {}
    facts |= {"other sounds answered with a word": f"{false} of {n_others}"} if n_others else {}
    page = page_text(
        title=f"Evaluation: {found.folder.name}",
        figure=f"{found.accuracy:.1%}",
        meaning=f"accuracy: {n_right:,} of {n:,} recordings named right, {interval(n_right, n)}",
        notes=[*notes, *(f"left out: {error}" for error in found.errors), INTERVALS],
        sections=[section("Evaluation", fact_list(facts)), *evaluation_cards(found)],
        below=evaluation_errors(found, recognizer),
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(page.encode(errors="backslashreplace"))
    return path


def evaluation_cards(found: Evaluation) -> list[str]:
    """Return the cards of an evaluation: confusion matrix, scores by label, what is heard as what, and speakers."""
    used = sorted({*found.answers.true.tolist(), *found.answers.given.tolist()})
    labels = [found.labels[position] for position in used]
    confusion = found.answers.confusion(len(found.labels))[used][:, used]
    numbers = [
        name if name.startswith("#") and name != label else ""
        for name, label in zip(tick_names(labels), labels, strict=True)
    ]
    matrix = image(png(plot_confusion(confusion, labels)), "Confusion matrix; the table of labels has the same figures")
    is_wide, confused = len(labels) > WIDE, confusion_list(confusion, labels)
    return [
        section("Confusion matrix", matrix, wide=is_wide),
        section("Scores by label", score_table(found.scores, numbers, {}), wide=is_wide),
        *([section("What is heard as what", confused)] if confused else []),
        *([section("Speakers", speaker_table(found.by_speaker, {}))] if found.by_speaker else []),
    ]


def evaluation_errors(found: Evaluation, recognizer: "Recognizer") -> str:
    """Return the HTML part of the errors: the most confident to hear, then a table."""
    worst = found.worst
    if not worst:
        return ""
    clips = [
        ReportClip(found.folder / path, true, recognizer.recognize_file(found.folder / path, top_k=3))
        for path, true, _, _ in worst[:_WORST]
    ]
    rows = [WrongAnswer(path, true, given, share) for path, true, given, share in worst[:_MOST_ERRORS]]
    note = f'<p class="note">{len(worst):,} recordings were taken for something else, the most confident first.</p>'
    table = f'<details class="card"><summary>The first {len(rows)}</summary>{error_table(rows)}</details>'
    return clips_part("Errors", clips, note) + table
