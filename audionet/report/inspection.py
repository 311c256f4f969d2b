"""The page about the inside of a network: what it is, what it learned, what decided, and what it holds to be alike."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from audionet.bundle import Bundle
from audionet.checks import check_that, listed
from audionet.console import sentence
from audionet.inference import Embedder, Recognizer
from audionet.insight.neighbors import embed_folder
from audionet.labels import is_word
from audionet.models import layer_table
from audionet.parallel import one_thread
from audionet.report.clip_part import decided_section, maps_section
from audionet.report.corpus_part import confused_section, map_section, nearest_section
from audionet.report.curve_part import curve_section
from audionet.report.generator_part import NOT_FOR_GENERATION, generator_sections
from audionet.report.learned_part import dead_section, filter_section, template_section, unit_section
from audionet.report.network_part import fact_section, layer_section
from audionet.report.page import page_text, section, write_page
from audionet.report.players import fairly
from audionet.report.spoken import speak
from audionet.report.subject import Subject, check_sound, heard

NAME = "inspection.html"
"""Name of the page."""

MOST_RECORDINGS, MOST_CLIPS = 3000, 6
_MOST_BYTES = 19_000_000  # of the cards
_FEW_CLIPS = 2  # of recordings that are looked at where no file is named

Part = tuple[str, Callable[[Subject], str]]

PARTS: tuple[Part, ...] = (
    ("Layers", lambda subject: layer_section(subject.layers, subject.front_end)),
    ("First filters", filter_section),
    ("Templates", template_section),
    ("Dead filters", dead_section),
    ("Activation maps", maps_section),
    ("What excites a unit", unit_section),
    ("What decided", decided_section),
    ("Shift, speed, level and noise", curve_section),
    ("How recordings lie", map_section),
    ("Nearest training clips", nearest_section),
    ("Most confused", confused_section),
)
"""The parts of the page of a recogniser or an embedding, in their order: heading, and what makes the card."""


def write_inspection(
    folder: str | os.PathLike[str],
    bundle: Bundle,
    *,
    name: str,
    files: Sequence[str | os.PathLike[str]] = (),
    recordings: str | os.PathLike[str] | None = None,
    training: str | os.PathLike[str] | None = None,
    label: str | None = None,
    seed: int = 0,
) -> Path:
    """Write inspection.html, one page with all that can be seen and heard of the inside of a network.

    Pictures and sounds are in the page, which loads nothing. What does not apply to the network, or cannot be shown for
    want of clips, is said at its end. Without files and recordings, a voice speaks the labels, if one is installed.

    Args:
        folder: Folder of the page, made if it is missing.
        bundle: The network.
        name: Its name or path.
        files: Clips to look at, 6 at most; without any, some of the recordings.
        recordings: Folder of recordings, in a folder for each label; of more than 3,000, as many are drawn.
        training: Folder of recordings that it was trained on, likewise, among which the nearest are found.
        label: Label whose evidence is shown in the clips; None for the network's answer.
        seed: Number that decides what is drawn.

    Returns:
        The path of the page.

    Raises:
        ValueError: The folder holds such a page, the network has weights that are not numbers, the label is not known,
            or recordings cannot be read.

    Example:
        >>> page = write_inspection("inside", audionet.bundle.load("digits"), name="digits", files=["seven.wav"])
        >>> page.name, page.stat().st_size < 20_000_000
        ('inspection.html', True)
    """
    page = check_free(folder)
    check_sound(bundle, label)
    if bundle.task == "generation":
        return write_page(page, _page(name, bundle, generator_sections(bundle), NOT_FOR_GENERATION))
    with one_thread(), ExitStack() as stack:
        remarks = []
        if not files and recordings is None:
            spoken = Path(stack.enter_context(TemporaryDirectory()))
            try:
                recordings = speak(bundle, spoken, seed=seed)
                remarks.append("No recordings were given: voices that are installed here spoke these.")
            except ValueError as error:
                remarks.append(f"No recordings were given, and no voice can speak some: {sentence(error)}.")
        subject, more = _subject(name, bundle, files, recordings, training, label, seed)
        remarks += more
        parts, left = _made(subject)
    return write_page(page, _page(name, bundle, parts, [*remarks, *left]))


def check_free(folder: str | os.PathLike[str]) -> Path:
    """Return the path of the page in a folder.

    Raises:
        ValueError: It is there already, or the folder is a file.
    """
    path = Path(folder, NAME)
    fits = not os.path.lexists(path) and (Path(folder).is_dir() or not os.path.lexists(folder))
    expected = f"a folder without {NAME}"
    check_that(fits, "output", expected, str(folder), "name another, or move it away first")
    return path


def _subject(
    name: str,
    bundle: Bundle,
    files: Sequence[str | os.PathLike[str]],
    recordings: str | os.PathLike[str] | None,
    training: str | os.PathLike[str] | None,
    label: str | None,
    seed: int,
) -> tuple[Subject, list[str]]:
    """Return what the page looks at, and remarks about what it does not."""
    embedder = Embedder(bundle)
    recognizer = Recognizer(bundle) if bundle.labels else None
    found = {
        kind: None if folder is None else embed_folder(embedder, folder, most=MOST_RECORDINGS, seed=seed)
        for kind, folder in {"recordings": recordings, "training": training}.items()
    }
    remarks = [sentence(error) for each in found.values() if each is not None for error in each.errors]
    looked = [(Path(file), "") for file in files[:MOST_CLIPS]]
    if len(files) > MOST_CLIPS:
        remarks.append(f"Of {len(files)} files, the first {MOST_CLIPS} are looked at.")
    if (corpus := found["recordings"]) is not None and not files:
        rows = sorted(fairly(corpus.labels), key=lambda row: not is_word(corpus.labels[row]))[:_FEW_CLIPS]
        looked = [(corpus.folder / corpus.clips[row].path, corpus.clips[row].label) for row in rows]
    clips = []
    for path, truth in looked:
        part = embedder.hearing.file(path)
        clips.append(heard(embedder, recognizer, path=path, truth=truth, waveform=part.clip, seconds=part.seconds))
    n_frames = clips[0].spectrogram.shape[-1] if clips else _n_frames(bundle)
    table = tuple(layer_table(bundle.model.module, n_frames))
    made = Subject(
        name,
        bundle,
        embedder,
        recognizer,
        table,
        tuple(clips),
        recordings=found["recordings"],
        training=found["training"],
        label=label,
        seed=seed,
    )
    return made, remarks


def _n_frames(bundle: Bundle) -> int:
    """Return the frames of a clip."""
    import torch

    assert bundle.front_end is not None
    with torch.no_grad():
        return int(bundle.front_end.module(torch.zeros(1, 1, bundle.clip_length)).shape[-1])


def _made(subject: Subject) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the cards by their headings, and why others are left out; the map takes the room that the others leave."""
    made, left = dict[str, str](), dict[str, str]()
    for heading, make in sorted(PARTS, key=lambda part: part[1] is map_section):
        room = min(subject.room, _MOST_BYTES - sum(map(len, made.values())))
        try:
            made[heading] = make(replace(subject, room=room))
        except ValueError as error:
            left[heading] = f"{heading}: {sentence(error)}."
    headings = [heading for heading, _ in PARTS]
    return [(each, made[each]) for each in headings if each in made], [left[each] for each in headings if each in left]


def _page(name: str, bundle: Bundle, parts: Sequence[tuple[str, str]], left: Sequence[str]) -> str:
    """Return the HTML of the page."""
    if left:
        items = "".join(f"<li>{escape(reason)}</li>" for reason in left)
        parts = [*parts, ("Not shown", section("Not shown", f"<ul>{items}</ul>", wide=True))]
    links = "".join(f'<a href="#part-{number}">{escape(heading)}</a>' for number, (heading, _) in enumerate(parts))
    cards = "".join(f'<div id="part-{number}">{card}</div>' for number, (_, card) in enumerate(parts))
    n_parameters = sum(weight.numel() for weight in bundle.model.module.parameters())
    knows = listed(bundle.labels, 12) or f"no labels: it is for {bundle.task}"
    here = Path(__file__)
    return page_text(
        title=f"Inside {name}",
        figure=f"{n_parameters:,}",
        meaning=f"parameters of {bundle.model.name}, which knows {knows}",
        sections=[fact_section(bundle)],
        below=f'<nav aria-label="Parts">{links}</nav><div class="parts">{cards}</div>',
        style=here.with_suffix(".css").read_text(encoding="utf-8"),
        script=here.with_suffix(".js").read_text(encoding="utf-8"),
    )
