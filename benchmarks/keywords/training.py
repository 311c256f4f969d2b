"""Recognisers of the three words from their text alone, which hear no person, nor the engine that talks, nor the noise.

First an embedding of words of two dozen languages, in two stages, as `audionet/pretrained/embedding/embedding.md` tells
of the one that ships, whose third stage has heard the recordings that this benchmark tests on; then, once a seed, what
`audionet train-words alexa computer jarvis` runs.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from audionet.datasets.synthesis import survey
from benchmarks.keywords.sounds import WORDS
from benchmarks.keywords.talk import HELD_OUT
from benchmarks.people import runs

_SECOND_STAGE = ["--task.n_steps", "4500", "--task.learning_rate", "2e-3", "--task.warmup", "0.05"]
_ALL_TEACH = ["--data.validation_engines", "[]", "--data.test_engines", "[]"]  # for the test here is of people


def trained(output: Path, seeds: Sequence[int]) -> dict[int, Path]:
    """Train what is missing, or go on with it; return the bundle of each seed.

    Args:
        output: Folder of what the benchmark keeps.
        seeds: Seeds of the recognisers; the embedding is one.
    """
    engines = ["--data.engines", json.dumps([name for name in survey().engines if name != HELD_OUT])]
    text = runs.preset("multilingual", "embedding")
    first = runs.train("embedding", output / "embedding_1", text, engines, "embedding")
    going_on = ["--init", str(first), "--seed", "1", *_SECOND_STAGE]
    second = runs.train("embedding", output / "embedding_2", text, [*engines, *going_on], "embedding")
    flags = ["--init", str(second), *_ALL_TEACH, *engines]
    words = runs.preset("words", "words")
    return {
        seed: runs.train_words(WORDS, output / f"words_{seed}", words, [*flags, "--seed", str(seed)]) for seed in seeds
    }
