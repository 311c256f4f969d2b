"""Whatever writes, on a full disk or where it may not: an error with the path, and what was there before stays."""

import errno
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audionet import audio, bundle
from audionet.bulk.features import choose_front_end, extract, make_plan
from audionet.cli.main import main
from audionet.console import sentence
from audionet.datasets import open_corpus
from audionet.datasets.build import StoreError
from audionet.report.page import write_page
from audionet.training.checkpoints import write_checkpoint
from audionet.training.learning_rate import _tell
from audionet.training.loggers import MetricsFile
from audionet.training.record import write_config

pytestmark = pytest.mark.usefixtures("elsewhere")
SOUND = np.linspace(-0.5, 0.5, 8000, dtype=np.float32)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the limit from a git that looks into the repository."""
    monkeypatch.chdir(tmp_path)


@contextmanager
def full_disk(n_bytes: int = 100) -> Iterator[None]:
    """Let no file grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def save_metrics(folder: Path) -> None:
    metrics = MetricsFile(folder / "metrics.csv")
    metrics.lines = [{"step": step, "loss": step / 3} for step in range(20)]
    metrics.save()


def make_features(format: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        if format != "npy":
            pytest.importorskip({"zarr": "zarr", "parquet": "pyarrow"}[format])
        front_end, settings = choose_front_end(arguments={"n_mels": 20})
        plan = make_plan([folder.parent / "a.wav"], folder, base=folder.parent, settings=settings, format=format)
        list(extract(plan, front_end, workers=1))

    return write


WRITERS: Mapping[str, Callable[[Path], Any]] = {
    "save_audio": lambda folder: audio.save_audio(folder / "new.wav", SOUND, 8000),
    "write_config": lambda folder: write_config(folder, {"data": "x" * 1000}),
    "learning rate": lambda folder: _tell(folder / "learning_rate.json", 0.1, [0.1] * 100, [1.0] * 100),
    "metrics": save_metrics,
    "checkpoint": lambda folder: write_checkpoint(folder / "last.ckpt", {"x": list(range(100))}),
    "page": lambda folder: write_page(folder / "report.html", "a page" * 100),
    **{f"features, {format}": make_features(format) for format in ("npy", "zarr", "parquet")},
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_gives_an_error_with_the_path(tmp_path: Path, writer: str) -> None:
    audio.save_audio(tmp_path / "a.wav", SOUND, 8000)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises((OSError, audio.AudioError), match="out") as caught, full_disk():
        WRITERS[writer](folder)
    told = sentence(caught.value)
    assert str(folder) in told and ("free some space" in told or "bytes of room" in told) and "\n" not in told
    assert all(path.name.startswith(".") or path.stat().st_size <= 100 for path in folder.rglob("*") if path.is_file())
    assert not [path for path in folder.rglob("*.partial") if path.is_file()]
    WRITERS[writer](folder)  # once there is room


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_where_a_folder_should_be_gives_an_error_with_the_path(tmp_path: Path, writer: str) -> None:
    audio.save_audio(tmp_path / "a.wav", SOUND, 8000)
    folder = tmp_path / "out"
    folder.write_text("mine")
    with pytest.raises((OSError, ValueError), match="out") as caught:
        WRITERS[writer](folder)
    assert str(folder) in sentence(caught.value) and "; " in sentence(caught.value)
    assert folder.read_text() == "mine"


def test_a_bundle_on_a_full_disk_or_in_no_folder_leaves_the_one_before(write_bundle: Callable[..., Path]) -> None:
    path = write_bundle()
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"tiny\.safetensors") as caught, full_disk(len(before) // 2):
        write_bundle(training={"seed": 1})
    assert "free some space" in sentence(caught.value)
    assert path.read_bytes() == before and [*path.parent.iterdir()] == [path]
    with pytest.raises(OSError, match=r"tiny\.safetensors") as caught:
        write_bundle(path / "new.safetensors")
    assert caught.value.errno in (errno.EEXIST, errno.ENOTDIR)
    assert "a file is where a folder should be" in sentence(caught.value)
    assert bundle.load(path).training["seed"] == 0


def test_a_clip_store_on_a_full_disk(tone_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    with pytest.raises(StoreError, match="cache.*AUDIONET_CACHE"), full_disk(1 << 18):
        open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5, workers=1)
    assert len(open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5, workers=1).labels) == 3


def test_a_recipe_is_copied_whole_or_an_error_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk():
        assert main(["copy", "recognition", str(tmp_path / "mine")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'mine'}: the copy is not whole" in line and line.endswith("name another folder")


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "permission"),
        (errno.EACCES, "permission"),
        (errno.ENOTDIR, "a file is where"),
        (errno.EIO, "check the path and the disk"),
    ],
)
def test_what_to_do(number: int, advice: str) -> None:
    told = sentence(OSError(number, "Odd\nthing", "a/b.wav"))
    assert told.startswith("a/b.wav: odd thing; ") and advice in told
    assert sentence(OSError("a/b.wav: full; free it")) == "a/b.wav: full; free it"
