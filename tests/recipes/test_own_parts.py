"""A copied recipe with a network, front-end, augmentation, loss, optimizer and logger of the user's own."""

import difflib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import audionet

SHIPPED = Path(__file__).parents[2] / "recipes" / "recognition" / "train.py"
MOST_LINES = 60

MY_NET = '''\
"""A network and a front-end: what is needed to use the bundle."""
from torch import nn
from audionet.features import FEATURES, MelSpectrogram
from audionet.models import MODELS


class RootMel(MelSpectrogram):
    def block(self, frames):
        return super().block(frames) ** (1 / 3)


class MyNet(nn.Module):
    def __init__(self, n_classes, *, n_bands, channels=8):
        super().__init__()
        self.n_bands, self.n_classes = n_bands, n_classes
        self.body = nn.Sequential(nn.Conv2d(1, channels, 5, 2), nn.ReLU(), nn.BatchNorm2d(channels))
        self.head = nn.Linear(channels, n_classes)

    def embed(self, spectrogram):
        return self.body(spectrogram).mean((2, 3))

    def forward(self, spectrogram):
        return self.head(self.embed(spectrogram))


MODELS.add("my_net", MyNet)
FEATURES.add("root_mel", RootMel)
'''

MY_TASK = '''\
"""An augmentation, a loss, an optimizer and a logger: what is needed to train."""
import torch
from lightning.pytorch.loggers import CSVLogger
from audionet.augment import AUGMENTATIONS
from audionet.training import Recognition


class Polarity(torch.nn.Module):
    def forward(self, waveform, generator):
        return waveform * (1 - 2 * torch.randint(2, (len(waveform), 1), generator=generator)).to(waveform)


class MyRecognition(Recognition):
    def loss(self, logits, targets):
        self.log("my_loss", (loss := (logits.softmax(-1) - targets).square().sum(-1).mean()))
        return loss

    def make_optimizer(self):
        return torch.optim.AdamW(self.parameters(), self.learning_rate)


class MyLogger(CSVLogger):
    def __init__(self, save_dir):
        super().__init__(save_dir, "mine", "")


AUGMENTATIONS.add("polarity", Polarity)
'''

EDITS = [
    ("    audionet.training.check_run(", "    import my_net\n    audionet.training.check_run("),
    ("audionet.augment.KINDS)", '("polarity", *audionet.augment.KINDS))'),
    ("    return audionet.training.Recognition(", "    import my_task\n\n    return my_task.MyRecognition("),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the recipe as a user does, edit it, and put the user's modules beside it."""
    folder = tmp_path_factory.mktemp("own") / "mine"
    audionet_command(folder.parent, "copy", "recognition", "mine")
    text = (folder / "train.py").read_text()
    for before, after in EDITS:
        assert text.count(before) == 1
        text = text.replace(before, after)
    (folder / "train.py").write_text(text)
    (folder / "my_net.py").write_text(MY_NET)
    (folder / "my_task.py").write_text(MY_TASK)
    return folder


def audionet_command(folder: Path, *arguments: object, fails: bool = False) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "audionet", *arguments, fails=fails)


def run(folder: Path, *arguments: object, fails: bool = False) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(SHIPPED.parents[2]), "AUDIONET_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )
    assert (done.returncode != 0) == fails, done.stderr[-3000:]
    return done


def test_the_edits_are_few(folder: Path) -> None:
    edited = difflib.unified_diff(SHIPPED.read_text().splitlines(), (folder / "train.py").read_text().splitlines(), n=0)
    added = [line for line in edited if line.startswith("+") and not line.startswith("+++")]
    added += MY_NET.splitlines() + MY_TASK.splitlines()
    assert len(added) < MOST_LINES


@pytest.mark.usefixtures("registries_as_they_were")
def test_own_parts_train_and_their_bundle_is_used(folder: Path, tone_folder: Path, monkeypatch) -> None:
    data = ["--data.card=null", f"--data.root={tone_folder}", "--data.sample_rate=8000", "--data.clip_seconds=0.5"]
    data += ["--data.negatives=false"]
    parts = ["--features.name=root_mel", "--features.n_mels=20", "--model.name=my_net", "--model.channels=16"]
    parts += ["--augment.polarity.p=0.5", "--trainer.logger=my_task.MyLogger", "--task.learning_rate=0.02"]
    trainer = ["--trainer.accelerator=cpu", "--trainer.max_epochs=8", "--trainer.log_every_n_steps=1"]
    done = run(folder, "train.py", *data, *parts, *trainer, "--data.batch_size=16", "--output=out")
    accuracy = float(done.stdout.split("test accuracy ")[1].split("%")[0])
    assert accuracy > 60
    assert "my_loss" in (folder / "out" / "mine" / "metrics.csv").read_text()

    clip = next((tone_folder / "low").iterdir())
    told = audionet_command(folder, "recognize", "--import", "my_net", "out/model.safetensors", clip, "--json")
    assert json.loads(told.stdout)["predictions"][0]["label"] in ("high", "low", "middle")
    error = audionet_command(folder, "recognize", "out/model.safetensors", clip, fails=True).stderr
    assert "my_net" in error or "root_mel" in error
    assert "--import" in error and "Traceback" not in error

    monkeypatch.syspath_prepend(folder)  # and in Python, after an import
    __import__("my_net")
    recognizer = audionet.load_recognizer(folder / "out" / "model.safetensors")
    assert recognizer.bundle.model.name == "my_net" and recognizer.recognize_file(clip)[0].label
