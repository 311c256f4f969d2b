"""Clips that voices speak where a page has no recordings to show."""

from pathlib import Path

from audionet.audio import save_audio
from audionet.bundle import Bundle
from audionet.datasets import synthesis
from audionet.datasets.spoken import known_words
from audionet.datasets.synthesis.words import COMMANDS
from audionet.files import safe_names
from audionet.labels import is_word

_CLIPS_PER_WORD = 3
_MOST_WORDS = 12


def speak(bundle: Bundle, folder: Path, *, seed: int = 0) -> Path:
    """Let the voices that are installed speak the words of a recogniser, or well-known words for an embedding.

    Args:
        bundle: The network.
        folder: An empty folder, which gets a folder of sound files for each word.
        seed: Number that decides who speaks, how fast and how high.

    Returns:
        The folder.

    Raises:
        ValueError: No voice is installed, or none knows the words.

    Example:
        >>> folder = speak(audionet.bundle.load("digits", task="recognition"), Path("spoken"))
        >>> len({path.parent.name for path in folder.rglob("*.wav")})
        10
    """
    words = [label for label in bundle.labels if is_word(label)] or list(COMMANDS)
    language = str(bundle.training.get("language", "en"))
    known = known_words({language: words[:_MOST_WORDS]})[language]
    clips = synthesis.index(
        known, (), clips_per_label=_CLIPS_PER_WORD, training_only=True, language=language, seed=seed
    )
    names = safe_names(known)
    for number, clip in enumerate(clips):
        speaker = "".join(letter if letter.isalnum() else "-" for letter in clip.speaker)
        path = folder / names[clip.label] / f"{speaker}_nohash_{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        waveform = synthesis.render(clip.path, sample_rate=bundle.sample_rate)
        save_audio(path, waveform, bundle.sample_rate)
    return folder
