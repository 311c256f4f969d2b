"""The part of a page about where a recogniser's invariance ends: shift, speed, level and noise."""

from audionet.checks import listed
from audionet.insight import measure_invariance
from audionet.plots import plot_invariance
from audionet.plots.style import png
from audionet.report.page import image, scrolled, section
from audionet.report.subject import LeftOut, Subject

_MOST = 60  # recordings, each changed some forty times


def curve_section(subject: Subject) -> str:
    """Return the card of accuracy and of the embedding's distance against shift, speed, level and noise.

    Raises:
        LeftOut: There are no recordings, or the network has no labels.
        ValueError: The recordings are of no label that the network knows.
    """
    if subject.recognizer is None:
        raise LeftOut("the network has no labels to be right about")
    if subject.recordings is None:
        raise LeftOut("there are no recordings; give --recordings DIR")
    curves = measure_invariance(subject.recognizer, subject.recordings.folder, most=_MOST, seed=subject.seed)
    n_clips = len(curves[0].right_before)
    names = listed([curve.change for curve in curves], len(curves))
    note = (
        f'<p class="note">{n_clips} recordings, changed more and more: {names}. Where accuracy and embedding stay, the '
        "network is invariant; where the embedding's frames move with a shift, it is equivariant.</p>"
    )
    picture = image(png(plot_invariance(curves)), "Accuracy and distance of the embedding over each change")
    return section("Shift, speed, level and noise", note + scrolled(picture), wide=True)
