"""The report of a recogniser: how many test clips it names right, and which it takes for which."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from audionet.metrics import ClassScores, accuracy, per_class
from audionet.plots.confusion import WIDE, plot_confusion
from audionet.plots.curves import plot_curves
from audionet.plots.style import png
from audionet.report.clips import ReportClip, clip_cards, generated_part
from audionet.report.page import fact_list, frame, image, section, write_files


def write(
    folder: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    labels: Sequence[str],
    confusion: ArrayLike,
    history: Path,
    clips: Sequence[ReportClip] = (),
    generated: Sequence[ReportClip] = (),
) -> Path:
    """Write confusion.png, curves.png and report.html, one page with everything in it.

    Args:
        folder: Where to; made if it is missing. Files of these names are replaced.
        title: Heading of the page.
        facts: What to know about the run, such as data, model, seed, training time and command.
        labels: Name of each class.
        confusion: (true, predicted), counts over the test clips.
        history: metrics.csv of Lightning's CSVLogger.
        clips: Recordings to show and play.
        generated: Generated clips to show and play below them.

    Returns:
        The path of report.html.

    Raises:
        ValueError: The confusion matrix, the history or a clip cannot be used.

    Example:
        >>> write(Path("demo"), title="Words", facts={"seed": "0"}, labels=labels, confusion=confusion,
        ...       history=Path("runs/words/metrics.csv"))  # doctest: +SKIP
    """
    for clip in clips:
        if not clip.predictions:
            raise ValueError(f"{clip.path}: no predictions; give at least one (label, probability)")
    scores = per_class(confusion, labels)
    n_right, n_clips = np.trace(np.asarray(confusion)), sum(score.support for score in scores)
    matrix, curves = png(plot_confusion(confusion, labels)), png(plot_curves(history))
    matrix_image = image(matrix, "Confusion matrix; the table of labels says the same label by label")
    is_wide = len(labels) > WIDE
    page = frame(
        title=title,
        figure=f"{accuracy(confusion):.1%}",
        meaning=f"accuracy: {n_right:,.0f} of {n_clips:,} test clips named right",
        sections=[
            section("The run", fact_list(facts)),
            section("Training", image(curves, "Loss, accuracy and learning rate in the course of training")),
            section("What was taken for what", matrix_image, wide=is_wide),
            section("Label by label", _score_table(scores), wide=is_wide),
        ],
        below=(f"<h2>Listen</h2>{clip_cards(clips)}" if clips else "") + generated_part(generated),
    )
    write_files(folder, {"confusion.png": matrix, "curves.png": curves, "report.html": page.encode()})
    return Path(folder) / "report.html"


def _score_table(scores: Sequence[ClassScores]) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("label", "precision", "recall", "F1", "clips"))
    rows = "".join(map(_score_row, scores))
    return f'<table class="scores"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _score_row(score: ClassScores) -> str:
    shares = "".join(f"<td>{share:.1%}</td>" for share in (score.precision, score.recall, score.f1))
    return f'<tr><th scope="row">{escape(score.label)}</th>{shares}<td>{score.support:,}</td></tr>'
