"""The report of a recogniser: its accuracy and how sure it is, what it confuses, its errors and its scores by label."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from audionet.checks import check_that, listed
from audionet.metrics import Answers, accuracy, per_class, right_by_name
from audionet.plots.curves import plot_curves
from audionet.plots.style import png
from audionet.report.answers import confusion_sections, errors_part
from audionet.report.certainty import INTERVALS, interval
from audionet.report.clips import ReportClip, clips_part
from audionet.report.knowing import knowing_sections
from audionet.report.page import fact_list, image, page_text, section, write_page
from audionet.report.tables import WrongAnswer, settings_part, speaker_table

_MOST_ERRORS = 100  # in the page


def write_recognition(
    folder: str | os.PathLike[str],
    *,
    title: str,
    facts: Mapping[str, str],
    labels: Sequence[str],
    answers: Answers,
    history: str | os.PathLike[str] | None,
    temperature: float = 1.0,
    threshold: float = 0.0,
    kind: str = "",
    beside: Sequence[tuple[str, str]] = (),
    cautions: Sequence[str] = (),
    settings: Mapping[str, object] = MappingProxyType({}),
    counts: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    speakers: Sequence[str] = (),
    speaker_counts: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    errors: Sequence[WrongAnswer] = (),
    clips: Sequence[ReportClip] = (),
    worst: Sequence[ReportClip] = (),
    people: str = "",
) -> Path:
    r"""Write report.html, a page that contains everything, and its pictures: confusion.png, curves.png and the like.

    Args:
        folder: Folder of the files, created if it is missing. Files of these names are replaced.
        title: Heading of the page.
        facts: Facts about the run, such as data, model, seed, training time and command.
        labels: Name of each class.
        answers: What the recogniser answered for the test clips, with calibrated probabilities.
        history: Path of the metrics.csv of Lightning's CSVLogger; None where there was no training to plot.
        temperature: Temperature of these probabilities.
        threshold: Probability from which on a word is the answer.
        kind: What the accuracy is not to be taken without, such as "synthetic"; empty for nothing.
        beside: Other figures with their meanings, such as the accuracy on people.
        cautions: What the accuracy does not say, a sentence each.
        settings: Values of the run, as a preset has them; empty to show none.
        counts: Clips of each label in each split, {label: {split: clips}}; empty to show those of the test alone.
        speakers: Who speaks in each of the answered clips; empty to show no speakers.
        speaker_counts: Clips of each speaker in each split, {speaker: {split: clips}}.
        errors: Test clips that were taken for something else, the most confident first.
        clips: Recordings to show and play, each with at least one prediction.
        worst: Recordings of errors to show and play, likewise.
        people: HTML of a test on real recordings, as `audionet.report.people.people_part` returns it.

    Returns:
        The path of report.html.

    Raises:
        ValueError: There is no answer, or the history or a clip cannot be used.

    Example:
        >>> _ = Path("metrics.csv").write_text("step,validation_accuracy\n0,0.5\n1,0.875\n")
        >>> true, given = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
        >>> page = write_recognition(
        ...     "words",
        ...     title="Words",
        ...     facts={"seed": "0"},
        ...     labels=["yes", "no"],
        ...     answers=Answers(np.arange(4), true, given, np.array([0.9, 0.8, 0.9, 0.6])),
        ...     history="metrics.csv",
        ... )
        >>> sorted(file.name for file in page.parent.iterdir())
        ['confusion.png', 'curves.png', 'reliability.png', 'report.html']
    """
    for clip in (*clips, *worst):
        check_that(clip.predictions, clip.path, "at least one (label, probability)", clip.predictions)
    confusion = answers.confusion(len(labels))
    scores = per_class(confusion, labels)
    n_right, n_clips = int(np.trace(confusion)), int(confusion.sum())
    untested = [score.label for score in scores if not score.support]
    if untested:
        cautions = [*cautions, f"Without test clips, and so not scored: {listed(untested, 10)}."]
    known, pictures = knowing_sections(answers, labels, temperature=temperature, threshold=threshold)
    pictures["confusion.png"], named = confusion_sections(confusion, scores, counts)
    run = [section("The run", fact_list(facts))]
    if history is not None:
        pictures["curves.png"] = png(plot_curves(history))
        curves = image(pictures["curves.png"], "Loss, accuracy and learning rate over the epochs of training")
        run.append(section("Training", curves))
    wrong = errors_part(errors, worst, what="test clips", most=_MOST_ERRORS, elsewhere="errors.csv")
    page = page_text(
        title=title,
        figure=f"{accuracy(confusion):.1%}",
        kind=kind,
        meaning=f"accuracy: {n_right:,} of {n_clips:,} test clips named right, {interval(n_right, n_clips)}",
        beside=beside,
        notes=[*cautions, INTERVALS],
        sections=[*run, *named, *known, *_speakers(answers, speakers, speaker_counts)],
        below=people + wrong + clips_part("Listen", clips) + settings_part(settings),
    )
    return write_page(Path(folder, "report.html"), page, pictures)


def _speakers(answers: Answers, speakers: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the card of the speakers, where they are known."""
    right = right_by_name(speakers, answers.true == answers.given) if speakers else {}
    return [section("Speakers", speaker_table(right, counts))] if right else []
