"""A preset and the flags that change it."""

from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentParser

from audionet.flags import parse

PRESET = """\
features: {name: LogMel, n_mels: 40, n_fft: 256}
model: {name: bcresnet, tau: 2}
steps: 3
"""


def parsed(folder: Path, *flags: str, preset: bool = True) -> dict[str, Any]:
    parser = ArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--features", type=dict[str, Any] | None, default={"name": "MFCC"})
    parser.add_argument("--model", type=dict[str, Any], default={"name": "tcresnet"})
    parser.add_argument("--steps", type=int, default=1)
    (folder / "preset.yaml").write_text(PRESET)
    arguments = [*(["--config", str(folder / "preset.yaml")] if preset else []), *flags]
    config = parse(parser, arguments, named=("features", "model")).as_dict()
    return config


FROM_PRESET = {
    "features": {"name": "LogMel", "n_mels": 40, "n_fft": 256},
    "model": {"name": "bcresnet", "tau": 2},
    "steps": 3,
}


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        ([], {}),
        (["--steps", "5"], {"steps": 5}),
        (["--features.n_mels", "80"], {"features": {"name": "LogMel", "n_mels": 80, "n_fft": 256}}),
        (["--features.name", "LogMel"], {}),
        (["--features.name=leaf"], {"features": {"name": "leaf"}}),
        (["--features.name", "leaf", "--features.n_filters", "8"], {"features": {"name": "leaf", "n_filters": 8}}),
        (["--features.n_fft", "256", "--features.name", "MFCC"], {"features": {"name": "MFCC", "n_fft": 256}}),
        (["--features", '{"name": "leaf", "n_filters": 8}'], {"features": {"name": "leaf", "n_filters": 8}}),
        (["--features", "null"], {"features": None}),
        (["--model.name=tcresnet"], {"model": {"name": "tcresnet"}}),
    ],
)
def test_another_name_leaves_the_presets_arguments_behind(tmp_path, flags, changed):
    assert parsed(tmp_path, *flags) == FROM_PRESET | changed


def test_the_preset_may_stand_anywhere_in_any_form(tmp_path):
    (tmp_path / "preset.yaml").write_text(PRESET)
    form = f"--config={tmp_path / 'preset.yaml'}"
    assert parsed(tmp_path, form, "--model.name", "tcresnet", preset=False) == FROM_PRESET | {
        "model": {"name": "tcresnet"}
    }
    assert parsed(tmp_path, preset=False) == {"features": {"name": "MFCC"}, "model": {"name": "tcresnet"}, "steps": 1}
    assert parsed(tmp_path, "--features.name", "leaf", preset=False)["features"] == {"name": "leaf"}
