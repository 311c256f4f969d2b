"""The pieces of work that write files: each goes on where a former try stopped, and leaves the same in the end."""

import contextlib
import importlib.util
import io
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

import audionet
from audionet import audio, bundle
from audionet.bulk.features import choose_front_end, extract, make_plan
from audionet.datasets import DownloadError, StoreError, get, open_store, read_card, synthesis
from audionet.datasets.cards import File
from audionet.datasets.clip import Clip
from tests.campaigns.processes import seconds_of

ROOT = Path(__file__).parents[2]
RATE = 8000


@dataclass(frozen=True)
class Work:
    """Something that writes files.

    Attributes:
        do: Does it in a folder, or goes on with it.
        documented: The exceptions that may end it.
        kept: Tells by its name whether a file is a part of the result.
        read: Reads such a file for comparison.
    """

    do: Callable[[Path], object]
    documented: tuple[type[BaseException], ...]
    kept: Callable[[str], bool] = lambda name: not name.startswith(".lock")
    read: Callable[[Path], object] = Path.read_bytes

    def left(self, folder: Path) -> dict[str, object]:
        """Return what it has left in a folder: the content of each file of the result."""
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and self.kept(path.name)]
        return {path.relative_to(folder).as_posix(): self.read(path) for path in paths}


@cache
def whole(name: str) -> tuple[dict[str, object], float]:
    """Return what a piece of work leaves when nothing disturbs it, and the seconds that it takes."""
    paths(), server()  # here, not in each process
    folders = [Path(tempfile.mkdtemp()) for _ in range(2)]
    seconds = [seconds_of(partial(WORK[name].do, folder)) for folder in folders]
    left = [WORK[name].left(folder) for folder in folders]
    assert left[0] and left[0] == left[1], f"{name}: two runs are not alike"
    return left[0], min(seconds)


# ---- what is given ------------------------------------------------------------------------------------------------


@cache
def recordings() -> Path:
    """Write class folders of tones, as a user has them, and return their folder."""
    folder, generator = Path(tempfile.mkdtemp(), "recordings"), np.random.default_rng(0)
    for label, hertz in (("low", 300), ("middle", 900), ("high", 2500)):
        (folder / label).mkdir(parents=True)
        for number in range(20):
            tone = 0.3 * np.sin(2 * np.pi * hertz * generator.uniform(0.9, 1.1) * np.arange(4000) / RATE)
            audio.save_audio(folder / label / f"{number:02d}.wav", tone + 0.01 * generator.standard_normal(4000), RATE)
    return folder


@cache
def paths() -> tuple[str, ...]:
    """Return the paths of the recordings."""
    return tuple(map(str, sorted(recordings().rglob("*.wav"))))


@cache
def server() -> str:
    """Serve an archive of the recordings on this machine, slowly; return its address."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tape:
        tape.add(recordings(), "recordings")
    _Slow.body = buffer.getvalue()
    served = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{served.server_port}/tones.tar.gz"


class _Slow(BaseHTTPRequestHandler):
    """Sends some kilobytes at a time."""

    body = b""

    def do_GET(self) -> None:
        first = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(self.body) - 1}/{len(self.body)}")
        self.send_header("Content-Length", str(len(self.body) - first))
        self.send_header("ETag", '"1"')
        self.end_headers()
        with contextlib.suppress(OSError):  # the client was killed
            for start in range(first, len(self.body), 1 << 14):
                self.wfile.write(self.body[start : start + (1 << 14)])
                time.sleep(0.005)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


# ---- what is done -------------------------------------------------------------------------------------------------


def build_store(folder: Path) -> None:
    """Build a clip store."""
    splits = ("train", "validation", "test")
    clips = [Clip(path, Path(path).parent.name, "", splits[number % 3]) for number, path in enumerate(paths())]
    render = partial(audio.read_mono, sample_rate=RATE)
    open_store(clips, render, folder=folder, fingerprint="", sample_rate=RATE, clip_length=4000, workers=1)


def speak(folder: Path) -> None:
    """Build a clip store of words that two engines speak, one of them in a process of its own."""
    clips = synthesis.index(["stop", "lights on"], [], clips_per_label=100, engines=["espeak", "pico"])
    render = partial(synthesis.render, sample_rate=RATE)
    open_store(clips, render, folder=folder, fingerprint="", sample_rate=RATE, clip_length=RATE, workers=1)


def download(folder: Path) -> None:
    """Download a corpus and unpack it."""
    from dataclasses import replace

    card = replace(read_card("fsdd"), files=(File(server(), None, "recordings"),))
    get(card, folder, progress=False)


def compute_features(format: str, folder: Path) -> None:
    """Compute features, with a picture of each for the format npy."""
    front_end, settings = choose_front_end("LogMel", arguments={"sample_rate": RATE})
    plan = make_plan(paths(), folder, base=recordings(), settings=settings, format=format)
    failures = [failure for _, bad in extract(plan, front_end, workers=1, chunk_files=4) for failure in bad]
    assert not failures, failures


def generate(folder: Path) -> None:
    """Generate sound and save it."""
    made = audionet.load_generator("digits").generate(0.1, label="seven", seed=0)
    for extension in ("wav", "flac"):
        audio.save_audio(folder / f"seven.{extension}", made, RATE)


def save_bundle(folder: Path) -> None:
    """Write a bundle."""
    bundle.save(folder / "digits.safetensors", bundle.load("digits", "recognition"))


def train(recipe: str, folder: Path) -> None:
    """Train by a recipe, for some steps."""
    os.environ["AUDIONET_CACHE"] = str(folder / "cache")
    spec = importlib.util.spec_from_file_location("train", ROOT / "recipes" / recipe / "train.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = ["--resume=true", f"--data.root={recordings()}", f"--output={folder / 'run'}"]
    with open(os.devnull, "w") as nobody, contextlib.redirect_stdout(nobody):
        module.main([*_TRAINING, *_TRAININGS[recipe], *given])


_TRAINING = [
    *("--data.card=null", "--data.sample_rate=8000", "--data.clip_seconds=0.5", "--data.batch_size=8"),
    *("--trainer.accelerator=cpu", "--trainer.max_epochs=3", "--trainer.enable_progress_bar=false"),
    *("--trainer.log_every_n_steps=1", "--ema_decay=0.8"),
]
_TRAININGS = {
    "recognition": [
        *("--features.n_mels=20", "--model.name=tcresnet", "--task.warmup_epochs=0.5", "--task.learning_rate=0.3"),
        *("--augment.time_shift.seconds=0.05", "--augment.noise.max_snr_db=20", "--augment.noise.min_snr_db=0"),
    ],
    "wavenet": [
        *("--model.n_layers=4", "--model.n_cycles=1", "--model.residual_channels=8", "--model.gate_channels=8"),
        *("--model.skip_channels=8", "--model.output_channels=8", "--data.window_seconds=0.05", "--n_generated=1"),
    ],
}


# ---- how it is compared -------------------------------------------------------------------------------------------


def _weights(path: Path) -> object:
    """Return all the numbers of a bundle: its description has the time of the training."""
    return {
        f"{kind}.{name}": tensor.numpy().tobytes()
        for kind, part in bundle.load(path).parts.items()
        for name, tensor in part.module.state_dict().items()
    }


def _rows(path: Path) -> object:
    """Return the rows of a Parquet file by their path: their order tells when they were made."""
    from pyarrow import parquet

    return sorted(parquet.read_table(path).to_pylist(), key=lambda row: row["path"])


def _is_named(name: str) -> bool:
    """Tell a file from what a kill leaves in a folder that is the user's, where nobody can know whose it is."""
    return not name.startswith(".")


def _is_features(name: str) -> bool:
    return not name.startswith(".lock") and name not in ("sources.jsonl", "features.json")


_OF_DISK = (OSError, ValueError)
WORK: Mapping[str, Work] = {
    "store": Work(build_store, (StoreError,)),
    "speaking": Work(speak, (StoreError,)),
    "download": Work(download, (DownloadError,)),
    "features npy": Work(partial(compute_features, "npy"), _OF_DISK, _is_features),
    "features zarr": Work(partial(compute_features, "zarr"), _OF_DISK, _is_features),
    "features parquet": Work(partial(compute_features, "parquet"), _OF_DISK, _is_features, _rows),
    "generation": Work(generate, (audio.AudioError,), _is_named),
    "bundle": Work(save_bundle, (bundle.BundleError, OSError), _is_named),
    "recognition": Work(
        partial(train, "recognition"), (*_OF_DISK, SystemExit), _is_bundle := "model.safetensors".__eq__, _weights
    ),
    "wavenet": Work(partial(train, "wavenet"), (*_OF_DISK, SystemExit), _is_bundle, _weights),
}
