"""The parts of a page about what a network has learned: filters, templates, dead channels, what excites its units."""

from html import escape

from audionet import insight, plots
from audionet.features.learned.time_domain import TimeDomain
from audionet.insight.neighbors import Embedded
from audionet.plots.style import png
from audionet.report.page import image, scrolled, section, shown
from audionet.report.players import fairly, player
from audionet.report.subject import LeftOut, Subject

_MOST_ACTIVE = 300  # recordings that go through the network for activity and excitation
_FEW = 3  # clips that excite a unit
_NO_RECORDINGS = "there are no recordings; give --recordings DIR"


def filter_section(subject: Subject) -> str:
    """Return the card of the first layer's filters, and of the front-end's own where it learned some.

    Raises:
        ValueError: The first layer has no filters over the spectrogram.
    """
    front_end = subject.front_end
    filters = insight.first_filters(subject.network)
    note = (
        f'<p class="note">{len(filters)} filters of {filters.shape[1]} bands and {filters.shape[2]} frames, on one '
        "scale of colours around 0: what the first layer looks for.</p>"
    )
    content = note + scrolled(image(png(plots.plot_filters(filters, front_end)), "Filters of the first layer"))
    if any(isinstance(module, TimeDomain) for module in front_end.modules()):
        found = insight.learned_filters(front_end)
        drawn = plots.plot_learned_filters(found.frequencies, found.responses, found.centers, found.bandwidths)
        content += "<h3>The front-end's own</h3>" + image(png(drawn), "What each filter of the front-end passes")
    return section("First filters", content, wide=True)


def template_section(subject: Subject) -> str:
    """Return the card of the templates of a linear network's classes.

    Raises:
        LeftOut: The network has no labels.
        ValueError: The network is not linear.
    """
    if not subject.bundle.labels:
        raise LeftOut("the network has no labels")
    templates = insight.templates(subject.network)
    drawn = plots.plot_templates(templates, subject.bundle.labels, subject.front_end)
    note = '<p class="note">A label is the more probable, the better the clip agrees with its template.</p>'
    return section("Templates", note + scrolled(image(png(drawn), "Template of each label")), wide=True)


def dead_section(subject: Subject) -> str:
    """Return the card of the channels that recordings leave silent.

    Raises:
        LeftOut: There are no recordings.
        ValueError: All of them are silent.
    """
    found, rows = _corpus(subject)
    report = insight.dead_filters(subject.network, subject.spectrograms(found, rows))
    dead = {stage: int(each.dead.sum()) for stage, each in report.items()}
    told = ", ".join(f"{n} of {len(report[stage].dead)} in {stage}" for stage, n in dead.items() if n)
    told = f"{told}: they answer to none of" if told else "Every channel answers to some of"
    note = f'<p class="note">{escape(told)} {len(rows)} recordings.</p>'
    drawn = plots.plot_dead_filters({stage: each.clips for stage, each in report.items()})
    return section("Dead filters", note + image(png(drawn), "Share of the clips in which each channel is active"))


def unit_section(subject: Subject) -> str:
    """Return the card of what excites some units most: recordings, and a sound that was made for each.

    Raises:
        LeftOut: There is no clip to choose units by.
        ValueError: A unit does not depend on the sound.
    """
    units = units_of(subject)
    clips: dict[insight.Unit, list[insight.Excitation]] = {}
    if subject.recordings is not None:
        found, rows = _corpus(subject)
        batches = subject.spectrograms(found, rows)
        clips = insight.most_exciting(subject.network, batches, units.values(), n_clips=_FEW)
    content = []
    for name, unit in units.items():
        content.append(f'<h3>{shown(name)}</h3><div class="pictures">{_made(subject, name, unit)}')
        if excited := clips.get(unit):
            content.append(_excited(subject, found, rows, excited))
        content.append("</div>")
    note = (
        '<p class="note">A channel of each of some stages, the one that answers most to the first clip, and a label. '
        "The recordings that excite each most, with a frame around the part that does, and a sound that was made for "
        "it from noise, step by step up the gradient.</p>"
    )
    return section("What excites a unit", note + "".join(content), wide=True)


def units_of(subject: Subject) -> dict[str, insight.Unit]:
    """Return the units that are looked at by their names: the label asked for, and a channel of up to three stages.

    Raises:
        LeftOut: There is no clip with a sound.
    """
    clip = next((clip for clip in subject.clips if not clip.is_silent), None)
    if clip is None:
        raise LeftOut("units are chosen by what they answer to a clip with a sound; give FILE or --recordings DIR")
    maps = {
        stage: each[0].flatten(1).amax(1)
        for stage, each in insight.activations(subject.network, clip.spectrogram).items()
        if each.ndim > 2
    }
    stages = [*maps]
    chosen = dict.fromkeys(stages[row] for row in (-1, len(stages) // 2, 0)) if stages else {}
    if subject.recordings is None:
        chosen = dict.fromkeys(stages[-1:])
    units: dict[str, insight.Unit] = {}
    if subject.recognizer is not None:
        label = subject.asked(clip)
        units[f"the label {label}"] = ("head", subject.recognizer.labels.index(label))
    for stage in chosen:
        channel = int(maps[stage].argmax())
        units[f"channel {channel} of {stage}"] = (stage, channel)
    return units


def _corpus(subject: Subject) -> tuple[Embedded, list[int]]:
    """Return the recordings, and the rows of those that go through the network."""
    if subject.recordings is None:
        raise LeftOut(_NO_RECORDINGS)
    return subject.recordings, fairly(subject.recordings.labels)[:_MOST_ACTIVE]


def _made(subject: Subject, name: str, unit: insight.Unit) -> str:
    """Return the sound that was made to excite a unit, or why there is none."""
    front_end, length = subject.front_end, subject.bundle.clip_length
    try:
        made = insight.maximize(subject.network, unit, front_end, length=length, seed=subject.seed)
    except ValueError as error:
        return f"<figure><figcaption>No sound was made for it. {escape(str(error))}.</figcaption></figure>"
    drawn = png(plots.plot_maximized(made.spectrogram, front_end, made.history))
    heard = "" if made.waveform is None else player(made.waveform.numpy(), subject.sample_rate, f"made for {name}")
    told = f"made for it: from {made.before:.2f} to {made.after:.2f}"
    return f"<figure>{image(drawn, f'Made for {name}')}{heard}<figcaption>{told}</figcaption></figure>"


def _excited(subject: Subject, found: Embedded, rows: list[int], excited: list[insight.Excitation]) -> str:
    """Return the recordings that excite a unit, to see and to hear."""
    clips = [found.clips[rows[each.clip_index]] for each in excited]
    names = [clip.label for clip in clips]
    drawn = png(plots.plot_exciting(excited, subject.front_end, names=names))
    players = "".join(
        player(subject.hear(found.folder / clip.path), subject.sample_rate, f"{clip.label}, {clip.path}")
        for clip in clips
    )
    paths = "<br>".join(shown(clip.path) for clip in clips)
    return (
        f"<figure>{image(drawn, 'Recordings that excite the unit')}{players}"
        f'<figcaption class="file">{paths}</figcaption></figure>'
    )
