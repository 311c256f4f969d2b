"""What the server answers about sound: pure functions from a request's content, which run in threads."""

import json
import threading
from collections.abc import Mapping
from typing import Any

import torch

from audionet import audio
from audionet.checks import check_at_least, check_no_misfits, check_one_of, check_that
from audionet.inference import Detector, Generator, Recognizer

_NUMBERS = ("seconds", "temperature", "top_k", "top_p", "seed")


def describe(name: str, model: Recognizer | Generator) -> dict[str, Any]:
    """Return what a program has to know of a network, in plain JSON values.

    Example:
        >>> facts = describe("digits", audionet.load_recognizer("digits"))
        >>> facts["task"], facts["keywords"][:2], facts["sample_rate"]
        ('recognition', ('zero', 'one'), 16000)
    """
    bundle = model.bundle
    facts = {"name": name, "task": bundle.task, "network": bundle.model.name, "sample_rate": bundle.sample_rate}
    if isinstance(model, Generator):
        return facts | {"categories": model.categories}
    settings = Detector(model).settings
    thresholds = dict(zip(settings.keywords, settings.thresholds, strict=True))
    seconds = model.clip_length / model.sample_rate
    return facts | {
        "labels": model.labels,
        "keywords": settings.keywords,
        "threshold": model.threshold,
        "thresholds": thresholds,
        "clip_seconds": seconds,
    }


def recognize(recognizer: Recognizer, content: bytes, query: Mapping[str, str]) -> dict[str, Any]:
    """Name what is said in an audio file.

    Args:
        recognizer: The recogniser.
        content: The file.
        query: "top_k" and "threshold", as for `Recognizer.recognize_file`, where they are wanted.

    Raises:
        ValueError: The file cannot be read, or a value is not as described.
    """
    check_no_misfits(sorted(query.keys() - {"top_k", "threshold"}), "query", "top_k and threshold only")
    values = {name: number(name, text) for name, text in query.items()}
    threshold = values.pop("threshold", None)
    check_at_least(1, whole=True, **values)
    top_k = int(values["top_k"]) if values else None
    return recognizer.recognize_file(content, top_k=top_k, threshold=threshold).facts()


def generate(generator: Generator, content: bytes, *, most_seconds: float, stop: threading.Event) -> bytes:
    """Generate a sound, as a WAV file.

    Args:
        generator: The generator.
        content: JSON: an object with seconds, temperature, top_k, top_p, seed, and categories, an object; what is left
            out is as for `Generator.generate`.
        most_seconds: Longest sound that is made.
        stop: Set by another thread when nobody waits for the sound any more.

    Raises:
        ValueError: The content is no such object, or a value is not as described.
    """
    asked = _asked(content)
    usual = generator.bundle.clip_length / generator.sample_rate
    check_at_least(0, most_seconds, seconds=asked.get("seconds", usual))
    categories = asked.pop("categories", {})
    check_that(isinstance(categories, dict), "categories", 'an object, such as {"label": "seven"}', categories)
    unknown = sorted(categories.keys() - generator.categories.keys())
    check_no_misfits(unknown, "categories", f"some of {', '.join(generator.categories) or 'none'}")
    for name, value in categories.items():
        check_one_of(generator.categories[name], name, value)
    pieces = []
    for piece in generator.stream(**asked, **categories):
        if stop.is_set():
            break
        pieces.append(piece)
    return audio.encode_audio(torch.cat(pieces, 1)[0], generator.sample_rate, ".wav")


def number(name: str, text: str) -> float:
    """Return the number that a text says.

    Raises:
        ValueError: It says none.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name}: expected a number, got {text[:80]!r}") from None


def _asked(content: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"body: expected a JSON object, got something else ({error})") from None
    check_that(isinstance(asked, dict), "body", "a JSON object", type(asked).__name__)
    check_no_misfits(
        sorted(asked.keys() - {*_NUMBERS, "categories"}), "body", f"{', '.join(_NUMBERS)} and categories only"
    )
    return {name: value for name, value in asked.items() if value is not None}
