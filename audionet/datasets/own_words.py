"""A user's own words: spoken by every engine that knows them, and recorded in class folders if there are some."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from audionet.checks import check_no_misfits, check_that, listed
from audionet.console import note
from audionet.datasets import synthesis
from audionet.datasets.cards import Card
from audionet.datasets.classes import ClassSelection, PooledClass
from audionet.datasets.corpus import Corpus, open_corpus
from audionet.datasets.layouts import FolderLayout
from audionet.datasets.own_layout import OwnWords
from audionet.datasets.plain import plain_card
from audionet.datasets.synthesis.casting import check_names, working
from audionet.datasets.synthesis.negatives import can_be_spoken
from audionet.files import safe_names
from audionet.labels import SILENCE, UNKNOWN, is_word, spelled, tidied

MANY = 100
"""Recordings of each word from which on a whole network is trained on them."""

_ALL = 1e6  # percent: as many as there are
_CLIPS, _FEW_CLIPS = 500, 100  # utterances of each word, where engines alone speak it and beside few recordings


def words_card(
    words: Sequence[str] = (),
    *,
    language: str = "en",
    engines: Sequence[str] | None = None,
    validation_engines: Sequence[str] | None = None,
    test_engines: Sequence[str] | None = None,
    recordings: str | Path | None = None,
    negatives: Sequence[str] | None = None,
    synthetic: bool | None = None,
    clips_per_label: int | None = None,
    seed: int = 0,
) -> Card:
    """Describe the corpus of some words: utterances by the engines of a language, and recordings if there are some.

    The arguments are those of `open_words`.

    Example:
        >>> card = words_card(["lights on", "lights off"])
        >>> card.name, card.labels.keep
        ('lights on-lights off', ('lights on', 'lights off'))
    """
    given = tuple(map(tidied, words))
    plain = None if recordings is None else _plain(recordings)
    counts = {} if plain is None else _recordings_by_folder(plain)
    chosen = given or _words_of_folders(counts)
    check_that(chosen, "words", "at least one word or phrase", [*words], "give them, or recordings in class folders")
    names = [*map(spelled, chosen)]
    twice = sorted({word for word in chosen if names.count(spelled(word)) > 1})
    check_no_misfits(twice, "words", "each word once", "leave out the second")
    if given:
        check_names(given)
    recorded = {word: sum(n for folder, n in counts.items() if spelled(folder) == spelled(word)) for word in chosen}
    if plain is not None:
        _say_folders(recordings, counts, recorded)
    engines = working(chosen, language, engines)
    spoken = _spoken(chosen, recorded, language, engines, synthetic, is_asked=bool(given))
    layout = OwnWords(
        words=chosen,
        spoken=spoken,
        clips_per_label=clips_per_label if clips_per_label is not None else _CLIPS if given else _FEW_CLIPS,
        language=language,
        engines=engines,
        validation_engines=validation_engines if validation_engines is None else (*validation_engines,),
        test_engines=test_engines if test_engines is None else (*test_engines,),
        negatives=tuple(str(Path(folder).resolve()) for folder in negatives or ()),
        seed=seed,
    )
    name = safe_names(["-".join(chosen)])["-".join(chosen)]
    by = " and ".join(["engines"] * bool(spoken) + [f"the recordings in {recordings}"] * (plain is not None))
    card = Card(
        name=name,
        title=f"{listed(chosen, 12)} by {by}",
        description="Words by speech synthesis, and recordings of them if there are some.",
        homepage="",
        license="",
        citation="",
        sample_rate=16_000,
        layout=layout,
        labels=ClassSelection(keep=chosen, unknown=PooledClass(UNKNOWN, percentage=_ALL) if negatives else None),
    )
    return card if plain is None else _with_recordings(card, plain, counts, recorded)


def open_words(
    words: Sequence[str] = (),
    *,
    recordings: str | Path | None = None,
    negatives: Sequence[str] | None = None,
    language: str = "en",
    engines: Sequence[str] | None = None,
    validation_engines: Sequence[str] | None = None,
    test_engines: Sequence[str] | None = None,
    synthetic: bool | None = None,
    clips_per_label: int | None = None,
    sample_rate: int = 16_000,
    clip_seconds: float | None = None,
    background: str | Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
) -> Corpus:
    """Open the corpus of some words; what is not there yet is spoken first.

    Args:
        words: Words or phrases of up to two seconds; none to take the class folders of the recordings.
        recordings: Folder of class folders, which hold recordings of the words; those of other names hold unknown
            words. None for no recordings.
        negatives: Folders of recordings in which none of the words is said, such as of one's room, searched at any
            depth. Stretches of 2 s train as unknown, spread over all of them, at most as many as a word has training
            clips. None for none.
        language: Code of the language that the words are in, such as "en".
        engines: Names of the engines that may speak; None for all that are installed.
        validation_engines: Names of those for the validation alone; none to divide voices instead; None to choose one
            where four engines speak the language.
        test_engines: Names of those for the test alone; none to divide voices instead; None to choose one where two
            engines speak the language, and two where six do.
        synthetic: Whether engines speak the words, too; None to let them speak those that can be words.
        clips_per_label: Utterances of each word, in all splits together; None for 500, or 100 where the class folders
            of recordings are the words.
        sample_rate: Sample rate of the clips, 1000 to 768,000 Hz.
        clip_seconds: Length of the clips; None for 1 to 2 s, as the longest word asks.
        background: Folder of noise recordings; None for synthetic noise.
        seed: Decides voices, rates and pitches.
        workers: Processes that speak; None for one a core.
        progress: Show a bar meanwhile, if standard error is a terminal.

    Raises:
        ValueError: There are no words, one comes twice, no engine can speak one that is not recorded, or the folder
            holds none of them.
    """
    card = words_card(
        words,
        language=language,
        engines=engines,
        validation_engines=validation_engines,
        test_engines=test_engines,
        recordings=recordings,
        negatives=negatives,
        synthetic=synthetic,
        clips_per_label=clips_per_label,
        seed=seed,
    )
    return open_corpus(
        card,
        sample_rate=sample_rate,
        clip_seconds=clip_seconds,
        background=background,
        negatives=True,
        language=language,
        workers=workers,
        skip_bad=True,
        progress=progress,
    )


def _plain(recordings: str | Path) -> Card:
    """Return the card of a folder of recordings."""
    is_folder = recordings != "" and Path(recordings).is_dir()
    advice = "see its path, and unpack it if it is an archive"
    check_that(is_folder, "recordings", "a folder of class folders", str(recordings), advice)
    return plain_card(recordings)


def _recordings_by_folder(plain: Card) -> dict[str, int]:
    """Return how many recordings each class folder holds."""
    listing = plain.layout.index(plain.default_root)
    counts = Counter(clip.label for clip in listing.clips)
    return dict(sorted({**dict.fromkeys(listing.empty, 0), **counts}.items()))


def _words_of_folders(folders: Iterable[str]) -> tuple[str, ...]:
    """Return the words that class folders are called as, each once."""
    by_word: dict[str, list[str]] = {}
    for folder in filter(is_word, folders):
        by_word.setdefault(spelled(folder), []).append(folder)
    if shared := [" and ".join(each) for each in by_word.values() if len(each) > 1]:
        note(f"recordings of one word lie in several folders and are taken together: {listed(shared, 10)}")
    return tuple(tidied(each[0]) for each in by_word.values())


def _with_recordings(card: Card, plain: Card, counts: Mapping[str, int], recorded: Mapping[str, int]) -> Card:
    """Return a card whose words are recorded, too; class folders of other names hold unknown words.

    Args:
        card: The card of the words.
        plain: That of the folder of recordings.
        counts: Recordings in each class folder.
        recorded: Recordings of each word.
    """
    layout, recordings, labels = card.layout, plain.layout, card.labels
    assert isinstance(layout, OwnWords) and isinstance(recordings, FolderLayout)
    many = min(count for count in recorded.values() if count) >= MANY
    rule = plain.splits[plain.split or ""] if many else None
    words = {*map(spelled, layout.words)}
    others = {folder for folder, count in counts.items() if count and spelled(folder) not in words}
    if SILENCE in others:
        labels = replace(labels, keep=(*labels.keep, SILENCE))
    if others - {SILENCE}:
        labels = replace(labels, unknown=PooledClass(UNKNOWN, percentage=_ALL))
    return replace(card, layout=replace(layout, recordings=recordings, rule=rule), labels=labels, path=plain.path)


def _say_folders(place: str | Path | None, counts: Mapping[str, int], recorded: Mapping[str, int]) -> None:
    """Say which words have no recordings, and which recordings are of no word; refuse a folder without any word."""
    expected = f"class folders that are called as the words ({listed(recorded, 10)})"
    advice = "rename them, or leave out the words to learn those of the folders"
    check_that(any(recorded.values()), "recordings", expected, listed(counts, 10), advice)
    words = {*map(spelled, recorded)}
    others = [folder for folder, count in counts.items() if count and spelled(folder) not in words and is_word(folder)]
    if others:
        note(f"{place}: the recordings in {listed(others, 10)} are of no word that is asked for, and train as unknown")
    if lacking := [word for word, count in recorded.items() if not count]:
        note(f"{place}: no recordings of {listed(lacking, 10)}")


def _spoken(
    words: Sequence[str],
    recorded: Mapping[str, int],
    language: str,
    engines: Sequence[str] | None,
    synthetic: bool | None,
    *,
    is_asked: bool,
) -> tuple[str, ...]:
    """Return the words that engines speak; those that none can speak are learnt from recordings, which is said."""
    if synthetic is False:
        unheard = [word for word in words if not recorded[word]]
        check_no_misfits(unheard, "recordings", "some of each word, since engines must not speak", "record them")
        return ()
    able = synthesis.speaking(language, engines).engines.values()
    known = [word for word in words if any(engine.knows(word, language) for engine in able)]
    if not is_asked and synthetic is None:
        known = [word for word in known if can_be_spoken(word) and not word.startswith("_")]
    # Those that cannot be spoken and are not recorded are refused when they are to be spoken, with the reason.
    spoken = tuple(word for word in words if word in known or not recorded[word])
    if left := [word for word in words if word not in spoken]:
        note(f"learnt from the recordings alone, since no engine speaks them in {language}: {listed(left, 10)}")
    return spoken
