"""The report of a recogniser: its accuracy, its confusion matrix and its scores label by label."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from audionet.checks import check_that
from audionet.metrics import ClassScores, accuracy, per_class
from audionet.plots.confusion import WIDE, plot_confusion
from audionet.plots.curves import plot_curves
from audionet.plots.style import png
from audionet.report.clips import ReportClip, clips_part, generated_part
from audionet.report.page import fact_list, image, section, write_page


def write_recognition(
    folder: str | os.PathLike[str],
    *,
    title: str,
    facts: Mapping[str, str],
    labels: Sequence[str],
    confusion: ArrayLike,
    history: str | os.PathLike[str],
    clips: Sequence[ReportClip] = (),
    generated: Sequence[ReportClip] = (),
) -> Path:
    r"""Write confusion.png, curves.png and report.html, a page that contains everything.

    Args:
        folder: Folder of the files, created if it is missing. Files of these names are replaced.
        title: Heading of the page.
        facts: Facts about the run, such as data, model, seed, training time and command.
        labels: Name of each class.
        confusion: Counts of the test clips, (true, predicted).
        history: Path of the metrics.csv of Lightning's CSVLogger.
        clips: Recordings to show and play, each with at least one prediction.
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
    for clip in clips:
        check_that(clip.predictions, clip.path, "at least one (label, probability)", clip.predictions)
    scores = per_class(confusion, labels)
    n_right, n_clips = np.trace(np.asarray(confusion)), sum(score.support for score in scores)
    matrix, curves = png(plot_confusion(confusion, labels)), png(plot_curves(history))
    matrix_image = image(matrix, "Confusion matrix; the table of labels has the same figures label by label")
    is_wide = len(labels) > WIDE
    return write_page(
        folder,
        {"confusion.png": matrix, "curves.png": curves},
        title=title,
        figure=f"{accuracy(confusion):.1%}",
        meaning=f"accuracy: {n_right:,.0f} of {n_clips:,} test clips named right",
        sections=[
            section("The run", fact_list(facts)),
            section("Training", image(curves, "Loss, accuracy and learning rate over the epochs of training")),
            section("Confusion matrix", matrix_image, wide=is_wide),
            section("Scores by label", _score_table(scores), wide=is_wide),
        ],
        below=clips_part("Listen", clips) + generated_part(generated),
    )


def _score_table(scores: Sequence[ClassScores]) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("label", "precision", "recall", "F1", "clips"))
    rows = "".join(map(_score_row, scores))
    return f'<table class="scores"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _score_row(score: ClassScores) -> str:
    shares = "".join(f"<td>{share:.1%}</td>" for share in (score.precision, score.recall, score.f1))
    return f'<tr><th scope="row">{escape(score.label)}</th>{shares}<td>{score.support:,}</td></tr>'
