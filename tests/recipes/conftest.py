"""A test module's recipe, the one in its ``RECIPE`` folder: loaded, and run as a user runs it."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def recipe(request: pytest.FixtureRequest) -> ModuleType:
    return _load(request.module.RECIPE)


@pytest.fixture
def few_words(tmp_path: Path) -> Path:
    """Write the card of the synthetic words with 40 clips of each in place of 500, which take a while to speak."""
    words = (Path(__file__).parents[2] / "data" / "words" / "card.yaml").read_text()
    assert "clips_per_label: 500" in words
    card = tmp_path / "few_words" / "card.yaml"
    card.parent.mkdir()
    card.write_text(words.replace("clips_per_label: 500", "clips_per_label: 40"))
    return card


@pytest.fixture
def load_recipe() -> Callable[[Path], ModuleType]:
    return _load


def _load(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("train", folder / "train.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    return partial(_run, request.module.RECIPE / "train.py")


def _run(script: Path, *arguments: object, cwd: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *map(str, arguments)]
    environment = os.environ | {"AUDIONET_CACHE": str(cache), "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280)
