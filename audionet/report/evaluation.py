"""The page of an evaluation: how a recogniser does on a folder of recordings, without a training around it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audionet.evaluate import Evaluation
from audionet.report.answers import confusion_sections, errors_part
from audionet.report.certainty import INTERVALS, interval
from audionet.report.clips import ReportClip
from audionet.report.page import fact_list, page_text, section, write_page
from audionet.report.tables import WrongAnswer, speaker_table

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
    return write_page(path, page)


def evaluation_cards(found: Evaluation) -> list[str]:
    """Return the cards of an evaluation: confusion matrix, scores by label, what is heard as what, and speakers."""
    used = sorted({*found.answers.true.tolist(), *found.answers.given.tolist()})
    confusion = found.answers.confusion(len(found.labels))[used][:, used]
    _, cards = confusion_sections(confusion, found.scores, {})
    speakers = [section("Speakers", speaker_table(found.by_speaker, {}))] if found.by_speaker else []
    return [*cards, *speakers]


def evaluation_errors(found: Evaluation, recognizer: "Recognizer") -> str:
    """Return the HTML part of the errors: the most confident to hear, then a table."""
    clips = [
        ReportClip(found.folder / path, true, recognizer.recognize_file(found.folder / path, top_k=3))
        for path, true, _, _ in found.worst[:_WORST]
    ]
    errors = [WrongAnswer(*each) for each in found.worst]
    return errors_part(errors, clips, what="recordings", most=_MOST_ERRORS)
