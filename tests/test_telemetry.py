"""Nothing is written outside audionet's own folders, and nothing is loaded that reports on its user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

TRAIN_AND_RECOGNIZE = """
import importlib.util, sys
from audionet.cli.main import main

spec = importlib.util.spec_from_file_location("train", sys.argv[1])
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)
recipe.main(sys.argv[3:])
assert main(["recognize", "run/model.safetensors", sys.argv[2]]) == 0
print("LOADED", *sys.modules)
"""


def test_a_training_and_a_recognition_leave_no_trace_elsewhere(tone_folder: Path, tmp_path: Path) -> None:
    """Torchmetrics would import onnxruntime, which writes a device id and a database into the user's cache."""
    pytest.importorskip("onnxruntime", reason="it cannot be imported where it is not installed")
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(REPOSITORY), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    environment |= {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    data = ["--data.card=null", f"--data.root={tone_folder}", "--data.sample_rate=8000", "--data.clip_seconds=0.5"]
    data += ["--data.negatives=false"]  # the engines that speak them load it, without its telemetry
    parts = ["--data.batch_size=16", "--model.name=tcresnet", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"]
    script = [REPOSITORY / "recipes" / "recognition" / "train.py", tone_folder / "low" / "00.wav"]
    command = [sys.executable, "-c", TRAIN_AND_RECOGNIZE, *map(str, script), *data, *parts, "--output=run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = done.stdout.split("LOADED")[1].split()
    assert "lightning" in loaded and "torchmetrics" in loaded
    assert [name for name in loaded if name.partition(".")[0] == "onnxruntime"] == []
    assert [str(path) for path in home.rglob("*") if path.is_file()] == []
