"""The format `esphome`: a keyword for micro_wake_word, on an ESP32 or in Home Assistant's satellites.

A .tflite file in 8 bits takes 40 features of the microfrontend for each of some frames of 10 ms, remembers what it
heard before, and returns one probability. The manifest, a JSON file of version 2, says how to use it.
"""

import json
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from audionet.checks import check_that, listed
from audionet.export.int8 import Recordings, read_recordings
from audionet.export.keyword_step import ADVICE, KeywordStep, keyword_step
from audionet.export.source import Exported, Source
from audionet.features import MicroFrontend
from audionet.files import whole_file
from audionet.inference import Recognizer
from audionet.labels import is_word

NEAR, SHARE = 0.1, 0.95
"""So near to torch's must the probabilities of the held-out recordings be, and so many of them: with 256 steps for what
flows between layers, the logits have a tenth, which is 0.025 where the sigmoid is steepest."""

SMOOTHING = 2
"""Probabilities that are averaged, as `Detector` does."""

VERSION = "2024.7.0"
"""Of ESPHome, the first that reads such manifests."""


def write(source: Source, folder: Path) -> Exported:
    """Write NAME.tflite and its manifest NAME.json, for a recogniser of one keyword.

    Half of the people of the calibration folder are held out. On their recordings, one after the other as a stream,
    the files are run by pymicro-wakeword, as Home Assistant's satellites do, and compared with torch.

    Raises:
        ValueError: The recogniser has several keywords, another front-end than `MicroFrontend`, or a network that a
            chip cannot run step by step; there is no calibration folder, or too little in it; the extra `esphome` is
            not installed; or the probabilities differ too much from torch's.
        OSError: A file cannot be written.
    """
    path, recognizer = folder / f"{source.name}.tflite", source.recognizer
    keyword = only_keyword(recognizer)
    got = type(recognizer.front_end).__name__
    check_that(isinstance(recognizer.front_end, MicroFrontend), "front_end", "MicroFrontend", got, ADVICE)
    step = keyword_step(
        recognizer.network,
        label_index=recognizer.labels.index(keyword),
        temperature=recognizer.temperature,
        n_frames=_features(recognizer, np.zeros((1, recognizer.clip_length), np.float32)).shape[-1],
    )
    advice = "give --calibration DIR, with a folder of recordings for each label"
    check_that(source.calibration is not None, "calibration", "a folder of recordings for esphome", "none", advice)
    assert source.calibration is not None
    check_packages()
    from audionet.export import tflite

    measured, held_out = (_stream(recognizer, each) for each in read_recordings(recognizer, source.calibration))
    model = tflite.converted(step, _chunks(measured, step.machine.stride))
    settings = manifest(source.name, keyword, recognizer.thresholds[keyword], tflite.arena_size(model))
    expected = _expected(step, held_out)
    differences = np.abs(heard(model, settings, held_out)[-len(expected) :] - expected)
    near, advice = float((differences <= NEAR).mean()), "nothing was written; calibrate on more recordings"
    got = f"{near:.1%} of {len(differences)}"
    check_that(near >= SHARE, path, f"{SHARE:.0%} of probabilities within {NEAR:g} of torch's", got, advice)
    _write_files(folder, settings, model)
    every = f"one probability every {10 * step.machine.stride} ms"
    lag = f"{10 * step.machine.delay} ms late"
    same = f"{near:.1%} of {len(differences)} within {NEAR:g} of torch's, {differences.mean():.3f} on average"
    return Exported(path, (f"{keyword}, with {source.name}.json", f"{every}, {lag}", same))


def only_keyword(recognizer: Recognizer) -> str:
    """Return the one keyword of a recogniser.

    Raises:
        ValueError: There are several, or more than two labels that are none.
    """
    words = [label for label in recognizer.labels if is_word(label)]
    advice = f"each keyword is a file of its own: {ADVICE}"
    check_that(len(words) == 1, "labels", "one keyword", listed(words), advice)
    n_others = len(recognizer.labels) - 1
    check_that(1 <= n_others <= 2, "labels", "one or two beside the keyword", n_others)
    return words[0]


def check_packages() -> None:
    """Refuse to go on without the packages of the extra `esphome`.

    Raises:
        ValueError: One of them is missing or broken.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with suppress(ImportError):
        import_module("triton")  # which torch loads when it needs it, and which crashes if that is behind tensorflow
    try:
        import pymicro_wakeword as pymicro_wakeword
        import tensorflow as tensorflow
    except ImportError as error:
        raise ValueError(f"esphome: expected its packages, got {error}; pip install 'audionet[esphome]'") from None


def manifest(name: str, keyword: str, threshold: float, arena_size: int) -> dict[str, Any]:
    """Return the manifest, version 2.

    Args:
        name: What the model's file is called, without its ending.
        keyword: What is waited for.
        threshold: Probability from which on it is reported.
        arena_size: Bytes that the chip keeps free for the model.

    Example:
        >>> manifest("alexa", "alexa", 0.9, 30_720)["micro"]["probability_cutoff"]
        0.9
    """
    return {
        "type": "micro",
        "wake_word": keyword,
        "author": "audionet",
        "model": f"{name}.tflite",
        "trained_languages": [],
        "version": 2,
        "micro": {
            "probability_cutoff": round(threshold, 4),
            "sliding_window_size": SMOOTHING,
            "feature_step_size": 10,
            "tensor_arena_size": arena_size,
            "minimum_esphome_version": VERSION,
        },
    }


def heard(model: bytes, settings: dict[str, Any], features: np.ndarray) -> np.ndarray:
    """Return what pymicro-wakeword makes of a stream: the mean of the last probabilities after each step, (step,).

    Args:
        model: The .tflite file.
        settings: The manifest.
        features: (band, frame).
    """
    from pymicro_wakeword import MicroWakeWord

    from audionet.export.tflite import LARGEST

    with TemporaryDirectory() as folder:
        _write_files(Path(folder), settings, model)
        wake_word = MicroWakeWord.from_config(Path(folder, settings["model"]).with_suffix(".json"))
        frames = features.clip(0, LARGEST).T  # as a chip does
        found = [wake_word.process_streaming_prob(frame[None, None]) for frame in frames]
        stride = wake_word.stride
        wake_word.close()
    return np.array(found[stride - 1 :: stride], np.float32)


def _expected(step: KeywordStep, features: np.ndarray) -> np.ndarray:
    """Return what torch makes of a stream (band, frame), as `heard`, from the step on with which a window is full."""
    with torch.no_grad():
        probabilities = step.probabilities(torch.from_numpy(features)[None, None]).numpy()
    lag, stride = step.machine.delay // step.machine.stride, step.machine.stride
    means: np.ndarray = np.convolve(probabilities, np.full(SMOOTHING, 1 / SMOOTHING), "valid")
    return means[: features.shape[-1] // stride - lag - step.window - SMOOTHING + 2]


def _write_files(folder: Path, settings: dict[str, Any], model: bytes) -> None:
    path = folder / settings["model"]
    with whole_file(path, sync=True) as file:
        file.write(model)
    with whole_file(path.with_suffix(".json"), sync=True) as file:
        file.write(json.dumps(settings, indent=2, ensure_ascii=False).encode() + b"\n")


def _stream(recognizer: Recognizer, recordings: Recordings) -> np.ndarray:
    """Return the features (band, frame) of recordings, one after the other."""
    return _features(recognizer, recordings.clips.reshape(1, -1))


def _features(recognizer: Recognizer, waveform: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        features: np.ndarray = recognizer.front_end(torch.from_numpy(waveform))[0].numpy()
    return features


def _chunks(features: np.ndarray, stride: int) -> list[np.ndarray]:
    """Return features (band, frame) as chunks (1, stride, band)."""
    n_chunks = features.shape[-1] // stride
    return [*features.T[: n_chunks * stride].reshape(n_chunks, 1, stride, -1)]
