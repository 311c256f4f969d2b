"""The parts of a page about single clips: the maps of each stage, and what decided."""

from html import escape

import numpy as np

from audionet import insight, plots
from audionet.features import FrontEnd
from audionet.models import Layer
from audionet.plots.style import png
from audionet.report.page import image, scrolled, section, shown
from audionet.report.players import player
from audionet.report.subject import HeardClip, LeftOut, Subject

SHARE = 0.2
"""Share of the spectrogram that is played as the part that decided."""

METHODS = {
    "saliency": "Saliency: where a small change of the spectrogram changes the label's score most",
    "grad_cam": "Grad-CAM: where the last maps with frames speak for the label",
    "occlusion": "Occlusion: how much the score falls where a patch is covered",
    "integrated_gradients": "Integrated gradients: what each place adds on the way from the mean of its band",
}
"""The methods that are shown, with what they say."""

_NO_CLIP = "there is no clip to look at; give FILE or --recordings DIR"


def maps_section(subject: Subject) -> str:
    """Return the card of the activation maps of every stage for each clip.

    Raises:
        LeftOut: There is no clip.
    """
    if not subject.clips:
        raise LeftOut(_NO_CLIP)
    front_end = subject.front_end
    content = []
    for clip in subject.clips:
        maps = insight.activations(subject.network, clip.spectrogram)
        drawn = png(plots.plot_activations(maps, clip.spectrogram, front_end))
        heard = ", ".join(f"{label} {share:.1%}" for label, share in clip.predictions)
        content.append(
            f"<h3>{shown(clip.name)}</h3>"
            + "".join(
                f'<p class="note">{escape(text)}</p>'
                for text in (heard and f"Heard as {heard}.", *_remarks(subject, clip))
                if text
            )
            + player(clip.waveform, subject.sample_rate, clip.name)
            + scrolled(image(drawn, f"Maps of each stage for {clip.name}"))
        )
    return section("Activation maps", "".join(content), wide=True)


def decided_section(subject: Subject) -> str:
    """Return the card of what decided in each clip: four maps over its spectrogram, each with the part to hear.

    Raises:
        LeftOut: There is no clip with a sound, or the network knows no labels.
    """
    if subject.recognizer is None:
        raise LeftOut("the network knows no labels to decide for")
    clips = [clip for clip in subject.clips if not clip.is_silent]
    if not clips:
        raise LeftOut("all clips are silent: nothing decided" if subject.clips else _NO_CLIP)
    note = (
        f'<p class="note">What spoke for a label, by four methods. "The part" is the {SHARE:.0%} of '
        "the spectrogram that counted most; orange speaks for the label, blue against it.</p>"
    )
    content = [note]
    for clip in clips:
        label = subject.asked(clip)
        content.append(f"<h3>{shown(clip.name)}: what speaks for {shown(label)}</h3>")
        content.append(player(clip.waveform, subject.sample_rate, f"{clip.name}, whole"))
        figures = "".join(_decided(subject, clip, label, method) for method in METHODS)
        content.append(f'<div class="pictures">{figures}</div>')
    return section("What decided", "".join(content), wide=True)


def _decided(subject: Subject, clip: HeardClip, label: str, method: str) -> str:
    """Return what one method says, as a picture and as sound; or why it says nothing."""
    front_end = subject.front_end
    index = subject.bundle.labels.index(label)
    try:
        relevance = insight.METHODS[method](subject.network, clip.spectrogram, index)[0].detach()
        part = insight.heard_part(clip.waveform, relevance, front_end, share=SHARE)
    except ValueError as error:
        return f"<figure><figcaption>{METHODS[method]}. Left out: {escape(str(error))}.</figcaption></figure>"
    drawn = png(plots.plot_relevance(clip.spectrogram[0, 0], relevance, front_end))
    rest = np.asarray(clip.waveform) - part
    return (
        f"<figure>{image(drawn, f'{method} for {label} in {clip.name}')}"
        + f"<figcaption>{METHODS[method]}.</figcaption><h4>The part alone: {_answer(subject, part)}</h4>"
        + player(part, subject.sample_rate, f"{clip.name}: the part that decided, by {method}")
        + f"<h4>The sound without it: {_answer(subject, rest)}</h4>"
        + player(rest, subject.sample_rate, f"{clip.name}: the sound without that part, by {method}")
        + "</figure>"
    )


def _answer(subject: Subject, waveform: np.ndarray) -> str:
    """Return what the network answers to a clip."""
    assert subject.recognizer is not None
    label, share = subject.recognizer.recognize(waveform.astype(np.float32), subject.sample_rate, top_k=1)[0]
    return f"{shown(label)} {share:.1%}"


def _remarks(subject: Subject, clip: HeardClip) -> list[str]:
    """Return what is to be known of a clip before its maps are read."""
    if clip.is_silent:
        return ["It is silent: the maps are what the network answers to nothing."]
    deepest = next(
        (layer for layer in reversed(subject.layers) if layer.field is not None and layer.field.frames), None
    )
    seen = 0.0 if deepest is None else _seconds(deepest, subject.front_end)
    if deepest is not None and clip.seconds < seen:
        return [
            f"It lasts {clip.seconds:.2f} s, less than the {seen:.2f} s that one output of {deepest.name} sees: the "
            "network saw the silence around it, too."
        ]
    return []


def _seconds(layer: Layer, front_end: FrontEnd) -> float:
    """Return how long the part of a sound is that one output of a layer sees."""
    assert layer.field is not None and layer.field.frames is not None
    return ((layer.field.frames - 1) * front_end.framing.hop_length + front_end.framing.span) / front_end.sample_rate
