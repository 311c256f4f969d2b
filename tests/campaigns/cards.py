"""Cards that are damaged or meant to harm."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from audionet import resources
from audionet.datasets import index, read_card
from audionet.datasets.cards import CardError
from tests.campaigns.harness import Campaign, Good
from tests.hostile_archives import mutate

_DEEP = "[" * 3000
_BOMB = "&a [x, x]" + "".join(f"\n  - &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]" for n in range(25))
_TEXTS: tuple[str, ...] = ("null", "true", "-1", "0", "1", "1e400", ".nan", "10" * 2000, '""', "x", "[]", "{}", "..")
_TEXTS += ("../x", "/etc", "a/../../b", "C:/x", '"a\\0b"', '"\\n"', "http://", "https://x/y", "file:///etc/passwd")
_TEXTS += ("!!python/object/apply:os.system [x]", "2001-01-01", "*unknown", _DEEP, "(?P<label>", "[x, x]", "{x: y}")
_TEXTS += ("NUL", "~", "'~'", "'*'", "'" + "x" * 5000 + "'", "yes", "on", "0x10", "1_000", "'(a+)+$'")


def _case(generator: np.random.Generator, folder: Path) -> Good:
    shipped = sorted(resources.folder("data").glob("*/card.yaml"))
    path = folder / "mine" / "card.yaml"
    for place in (path.parent / "recordings" / "yes", path.parent / "recordings" / "no", folder / "beside"):
        place.mkdir(parents=True)
        (place / "0_a_1.wav").write_bytes(b"RIFF")
    path.write_bytes(_damaged(shipped[generator.integers(len(shipped))].read_bytes(), generator))
    try:
        card = read_card(path)
    except CardError as error:
        assert str(path.parent.name) in str(error) and len(str(error)) < 10_000, f"no sentence: {error}"
        return "refused"
    assert card.default_root.parent in (path.parent.resolve(), folder.resolve()), f"a corpus in {card.default_root}"
    for file in card.files:
        place = (card.default_root / file.folder).resolve()
        assert place != card.default_root.resolve() and place.is_relative_to(card.default_root.resolve()), place
        assert (card.default_root / file.name).resolve().parent == card.default_root.resolve(), file.name
    try:
        clips = index(card)
    except ValueError:
        return "refused"
    is_spoken = card.layout.kind == "synthesis"  # whose clips have no files
    is_elsewhere = any("beside" in clip.path or ".." in clip.path for clip in clips)
    assert is_spoken or not is_elsewhere, "clips from elsewhere"
    return "whole"


def _damaged(content: bytes, generator: np.random.Generator) -> bytes:
    """Damage a card's bytes, or replace one to three of its values."""
    if generator.random() < 0.3:
        return mutate(content, generator)
    values = copy.deepcopy(yaml.safe_load(content))
    chosen = {}
    for number in range(generator.integers(1, 4)):
        places = list(_places(values))
        holder, key = places[generator.integers(len(places))]
        holder[key] = f"REPLACED{number}"
        chosen[f"REPLACED{number}"] = _BOMB if generator.random() < 0.05 else str(generator.choice(_TEXTS))
    text = yaml.safe_dump(values)
    for name, new in chosen.items():
        text = text.replace(name, new)
    return text.encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list or mapping at any depth, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


CAMPAIGNS = (Campaign("cards", _case, count=2000, tiny=60),)
