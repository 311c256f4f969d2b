"""What several test files use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def write_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a small recogniser of ten digits with random weights; keywords replace what `bundle.save` is given."""
    import torch

    from audionet import bundle, features, models

    def write(path: Path = tmp_path / "tiny.safetensors", **changes: Any) -> Path:
        model_arguments = changes.get("model_arguments", {"n_classes": 10, "n_mels": 20})
        features_arguments = changes.get("features_arguments", {"sample_rate": 8000, "n_mels": 20})
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = models.create("tcresnet", **model_arguments)
        values: dict[str, Any] = {
            "task": "recognition",
            "model": model,
            "model_name": "tcresnet",
            "model_arguments": model_arguments,
            "features": features.create("LogMel", **features_arguments),
            "features_name": "LogMel",
            "features_arguments": features_arguments,
            "sample_rate": 8000,
            "clip_length": 8000,
            "labels": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
            "training": {"data": "made up", "accuracy": 0.5, "seed": 0},
        }
        bundle.save(path, **values | changes)
        return path

    return write
