"""The engines by name, those that are installed here, and those that speak a language."""

import functools
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import NamedTuple

from audionet.checks import check_one_of, check_that, listed, nearest
from audionet.datasets.synthesis.voices.engine import Engine, MissingEngine, is_accent
from audionet.registry import Registry

_NAMES = {
    "espeak": "Espeak",
    "pico": "Pico",
    "hibari": "Hibari",
    "piper": "Piper",
    "kokoro": "Kokoro",
    "flite": "Flite",
    "festival": "Festival",
}
ENGINES: Registry[Engine] = Registry(
    "engine",
    {name: f"audionet.datasets.synthesis.voices.{name}:{kind}" for name, kind in _NAMES.items()},
    group="audionet.voices",
)


class Survey(NamedTuple):
    """The engines of this machine.

    Attributes:
        engines: Those that can speak, by name.
        missing: Why the others cannot, by name.
    """

    engines: dict[str, Engine]
    missing: dict[str, str]


@functools.cache
def open_engine(name: str) -> Engine:
    """Return an engine, which stays loaded in this process.

    Args:
        name: A key of `ENGINES`.

    Raises:
        ValueError: The name is unknown.
        MissingEngine: The engine is not installed, or fails to start.

    Example:
        >>> open_engine("espeak").voices("en-us")[:2]
        ['en-us', 'en-us-nyc']
    """
    kind = None
    try:
        kind = ENGINES[name]
        return kind()
    except Exception as error:  # of whatever kind: an engine's own affair, which must not stop the others
        if isinstance(error, MissingEngine) or (kind is None and isinstance(error, ValueError)):  # or an unknown name
            raise
        raise MissingEngine(f"{name}: expected an engine that starts, got {error!r}; repair it") from error


def survey(names: Sequence[str] | None = None) -> Survey:
    """Find out which engines can speak here.

    Args:
        names: Their names; None for all, those of installed packages among them.

    Raises:
        ValueError: A name is unknown.
    """
    found = Survey({}, {})
    for name in engine_names() if names is None else known_engines(names):
        try:
            found.engines[name] = open_engine(name)
        except MissingEngine as error:
            found.missing[name] = str(error)
    return found


def engine_names() -> list[str]:
    """List the names of all engines, installed or not: audionet's, those that are added, and those of packages."""
    offered = {entry.name for entry in entry_points(group=ENGINES.group)}
    return [*ENGINES, *sorted(offered.difference(ENGINES))]


def known_engines(names: Sequence[str], what: str = "engine") -> list[str]:
    """Return names of engines as `engine_names` spells them, each once.

    Args:
        names: The names, in upper or lower case.
        what: Name of the argument that has them, for messages.

    Raises:
        ValueError: A name is unknown.

    Example:
        >>> known_engines(["Pico", "espeak", "pico"])
        ['pico', 'espeak']
    """
    known = {name.casefold(): name for name in engine_names()}
    for name in names:
        advice = "one of your own is known once --import names its module"
        check_one_of([*known.values()], what, known.get(name.casefold(), name), advice)
    return list(dict.fromkeys(known[name.casefold()] for name in names))


def speaking(language: str, names: Sequence[str] | None = None) -> Survey:
    """Find the engines that speak a language, and say of the others why they do not.

    Args:
        language: Code of a language, such as "en", or of one of its accents, such as "en-gb".
        names: Names of the engines to choose from; None for all.

    Raises:
        ValueError: No engine that is installed speaks the language, or a name is unknown.

    Example:
        >>> "espeak" in speaking("lt").engines
        True
    """
    found = survey(names)
    able = {name: engine for name, engine in found.engines.items() if language and engine.voices(language)}
    if not able:
        _refuse(language, found)
    unable = {
        name: f"{name}: {_lack(engine, language) or f'it does not speak {language}'}"
        for name, engine in found.engines.items()
        if name not in able
    }
    return Survey(able, {**found.missing, **unable})


def added_engines() -> tuple[type[Engine], ...]:
    """Return the engines that a user's module or script has added to `ENGINES`, for worker processes to adopt."""
    return tuple(ENGINES[name] for name in ENGINES if ENGINES.home(name) is None)


def adopt(kinds: Sequence[type[Engine]]) -> None:
    """Add engines to `ENGINES`, in a worker process that has not run what added them elsewhere."""
    for kind in kinds:
        if kind.name not in ENGINES:
            ENGINES.add(kind.name, kind)


def language_codes() -> list[str]:
    """List the codes of all languages and accents that an installed engine speaks, sorted."""
    return sorted({code for engine in survey().engines.values() for code in engine.languages()})


def _lack(engine: Engine, language: str) -> str:
    """Return what an engine needs for a language beside what is installed; nothing where that would not help."""
    needed = {what for code, what in engine.lacking.items() if language and is_accent(code, language)}
    return f"for {language} it needs {' and '.join(sorted(needed))}" if needed else ""


def _refuse(language: str, found: Survey) -> None:
    check_that(found.engines, "engines", "one that is installed", "none", "; ".join(found.missing.values()))
    codes = {code: code for engine in found.engines.values() for code in engine.languages()}
    names: dict[str, str] = {}
    for engine in found.engines.values():
        names |= engine.language_names()
    by_name = {name.casefold(): code for code, name in names.items()}
    code = by_name.get(language.casefold())
    advice = f"{language.capitalize()} is {code!r}" if code else nearest(language, [*codes, *by_name])
    lacks = {name: _lack(engine, language) for name, engine in found.engines.items()}
    advice = "; ".join(f"{name}: {lack}" for name, lack in lacks.items() if lack) or advice
    roots = sorted({code.partition("-")[0] for code in codes})
    expected = f"one that {listed(found.engines, 10)} can speak ({listed(roots, 20)})"
    check_that(False, "language", expected, language, advice)
