"""Trainings that a figure needs: each is a run of a recipe or of `audionet train-words` in a process of its own."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_LAST = 2000  # characters of a log that an error shows


def preset(name: str, recipe: str = "recognition") -> Path:
    """Return the path of a preset of a recipe, by its name or as it is."""
    path = Path(name)
    return path if path.suffix else REPOSITORY / "recipes" / recipe / "presets" / f"{name}.yaml"


def identity(*parts: str | Path) -> str:
    """Return what tells trainings apart: the content of files, and flags."""
    texts = [part.read_text() if isinstance(part, Path) else part for part in parts]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:10]


def train(recipe: str, run: Path, config: Path, flags: Sequence[str], name: str = "model") -> Path:
    """Run a recipe, or go on with it, unless it has ended; return its bundle, which it calls by this name."""
    bundle = run / f"{name}.safetensors"
    if not bundle.exists():
        script = REPOSITORY / "recipes" / recipe / "train.py"
        always = ["--config", str(config), "--output", str(run), "--resume", "true"]
        _execute([str(script), *always, "--trainer.enable_progress_bar", "false", *flags], run)
    return bundle


def train_words(words: Sequence[str], run: Path, config: Path, flags: Sequence[str]) -> Path:
    """Run the recipe that `audionet train-words` runs, or go on with it, unless it has ended; return its bundle."""
    return train("words", run, config, ["--data.words", json.dumps(words), *flags])


def command(run: Path, words: Sequence[str], flags: Sequence[str]) -> None:
    """Run `audionet train-words` itself."""
    _execute(["-m", "audionet", "train-words", *words, "--output", str(run / "words.safetensors"), *flags], run)


def _execute(arguments: list[str], run: Path) -> None:
    """Run Python, with its output in a log.

    Raises:
        RuntimeError: It failed; the message holds the end of the log.
    """
    run.mkdir(parents=True, exist_ok=True)
    log = run / "log.txt"
    print(f"{run}: trains; see {log}", flush=True)
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    with log.open("a") as stream:
        done = subprocess.run([sys.executable, *arguments], stdout=stream, stderr=stream, env=environment)
    if done.returncode:
        raise RuntimeError(f"{run}: the training ended with {done.returncode}:\n{log.read_text()[-_LAST:]}")
