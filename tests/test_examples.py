"""Every Example in a docstring of the package runs and shows its result."""

import doctest
import importlib
import pkgutil
import shutil
from pathlib import Path

import pytest

import audionet

MODULES = [each.name for each in pkgutil.walk_packages(audionet.__path__, "audionet.") if "__main__" not in each.name]
RECORDINGS = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    """The names np, torch, audionet, waveform and sample_rate are there, and seven.wav in the current folder."""
    if name == "audionet.features.sklearn":
        pytest.importorskip("sklearn")
    if name == "audionet.models.timm_backbone":
        pytest.importorskip("timm")
    module = importlib.import_module(name)
    examples = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    if not examples:
        return
    import numpy as np
    import torch

    shutil.copy(RECORDINGS / "seven.wav", tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    waveform, sample_rate = audionet.load_audio("seven.wav", sample_rate=16_000)
    given = {"np": np, "torch": torch, "audionet": audionet, "waveform": waveform, "sample_rate": sample_rate}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in examples:
        assert not any(example.options.get(doctest.SKIP) for example in test.examples), f"{test.name} is never run"
        test.globs = {**vars(module), **given}
        runner.run(test)
    assert runner.failures == 0, f"{runner.failures} examples fail; the output above says which"
