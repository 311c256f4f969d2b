"""The parts of a report on what a recogniser knows of itself: its probabilities, and the threshold of its answers."""

from collections.abc import Sequence
from html import escape

from audionet.labels import is_word
from audionet.metrics import Answers, calibration_error, rates_at, rejection, reliability
from audionet.plots.calibration import plot_rejection, plot_reliability
from audionet.plots.style import png
from audionet.report.certainty import between
from audionet.report.page import image, section


def knowing_sections(
    answers: Answers, labels: Sequence[str], *, temperature: float, threshold: float
) -> tuple[list[str], dict[str, bytes]]:
    """Return the cards of calibration and threshold, and their pictures by file name.

    Args:
        answers: What the recogniser answered for the test clips, with calibrated probabilities.
        labels: Name of each class.
        temperature: Temperature of the probabilities.
        threshold: Probability from which on a word is the answer.
    """
    reliable = png(plot_reliability(reliability(answers)))
    error = calibration_error(answers)
    text = (
        f"Of the answers of a probability, so many are right. On the line, 90% is right nine times in ten; the answers "
        f"are off it by {100 * error:.1f} points in the mean, with the temperature {temperature:.2f} that was fitted "
        "on the validation clips. The numbers count answers."
    )
    sections = [section("How right its probabilities are", image(reliable, text) + _note(text))]
    pictures = {"reliability.png": reliable}
    words = [is_word(label) for label in labels]
    if (curve := rejection(answers, words)) is not None:
        picture = png(plot_rejection(curve, threshold))
        sentence = threshold_sentence(answers, words, threshold)
        sections.append(section("When it answers “none of these”", image(picture, sentence) + _note(sentence)))
        pictures["threshold.png"] = picture
    return sections, pictures


def threshold_sentence(answers: Answers, words: Sequence[bool], threshold: float) -> str:
    """Return in words what a threshold accepts and rejects of the clips; empty without both kinds of clips."""
    rates = rates_at(answers, words, threshold)
    if rates is None:
        return ""
    n_words = sum(words[true] for true in answers.true.tolist())
    n_others = len(answers.true) - n_words
    accepted, rejected = round(rates[0] * n_others), round(rates[1] * n_words)
    return (
        f"At the threshold {threshold:g}, {accepted:,} of {n_others:,} clips that hold none of the words are answered "
        f"with a word ({rates[0]:.1%}; {between(accepted, n_others)}), and {rejected:,} of {n_words:,} words "
        f"with none ({rates[1]:.1%}; {between(rejected, n_words)})."
    )


def _note(text: str) -> str:
    return f'<p class="below">{escape(text)}</p>'
