"""Labels: which stand for words, and which are the same word."""

import pytest

from audionet.labels import spelled, tidied


@pytest.mark.parametrize("name", [" Lights_On ", "lights-on", "lights  on", "LIGHTS\u00a0ON", "\ufefflights\u200b on"])
def test_names_are_spelled_alike(name: str) -> None:
    assert spelled(name) == "lights on"


def test_letters_are_compared_and_not_their_codes() -> None:
    assert spelled("Ku\u0308che") == spelled("KÜCHE") != spelled("Kuche")
    assert spelled("Straße") == spelled("STRASSE") and spelled("ｓｔｏｐ") == spelled("stop")
    assert len({spelled(name) for name in ("unknown", "_unknown_", "_unknown")}) == 3


def test_what_belongs_to_the_spelling_stays() -> None:
    assert (
        tidied("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645") == "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    )
    assert tidied(" Lights_On\t now ") == "Lights_On now" and tidied("a\u00adb\u200e") == "ab"
