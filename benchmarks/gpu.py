"""What recognition, front-ends and WaveNet take on a GPU, and whether the GPU computes what the CPU does.

    python -m benchmarks.gpu [--output gpu.json]     under nine minutes; without CUDA it measures nothing and says so

There are as many clips as the preset's corpus has: FSDD's (in shared/data or ../shared/data), repeated, or noise where
there are none. It needs torch, torchaudio, lightning, torchmetrics, rich, tensorboard and yaml, but no library that
reads sound files.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
import yaml
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torchaudio import transforms
from torchaudio.functional import resample

import benchmarks.lazy_loading  # noqa: F401, I001  before audionet
from audionet import features, models, resources
from audionet.augment import AUGMENTATIONS, Augment, SpecAugment, mixup, to_float
from audionet.datasets.batches import Batches, gather_clips
from audionet.inference.wavenet.stepwise import Stepwise
from audionet.training import Recognition, fit_and_test
from benchmarks.measure import Figure, interleaved, machine, markdown, record

PRESET = "speech_commands_v2_12"
SAMPLE_RATE = 16_000
LABELS = [*"0123456789", "_unknown_", "_silence_"]
SIZES = {"train": 36_923, "validation": 4_445, "test": 4_890}
N_EPOCHS = 4  # the first one is not counted


class Mode(NamedTuple):
    """How to train: the trainer's precision, float32 matrix products, torch.compile's mode (None: eager), the bar."""

    precision: str = "32-true"
    matrix_products: str = "highest"
    compile_mode: str | None = None
    progress_bar: bool = True


# The most telling ones first.
MODES = {
    "bf16-mixed": Mode("bf16-mixed"),
    "bf16-mixed, compiled": Mode("bf16-mixed", compile_mode="default"),
    "float32 (torch's defaults, the preset as it is)": Mode(),
    "TF32": Mode(matrix_products="high"),
    "bf16-mixed, no progress bar": Mode("bf16-mixed", progress_bar=False),  # the bar waits for the GPU at every step
    "TF32, compiled": Mode(matrix_products="high", compile_mode="default"),
    "bf16-mixed, compiled with CUDA graphs": Mode("bf16-mixed", compile_mode="reduce-overhead"),
}


# ---- made-up corpus ---------------------------------------------------------------------------------------------


def read_wav(path: Path) -> np.ndarray:
    """Read 16-bit mono samples, (time,) int16."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def recordings() -> tuple[Tensor, np.ndarray, Tensor, str]:
    """Return clips (clip, time) int16, their digits, the background (time,) int16, and where they are from."""
    for root in (Path("shared/data"), Path("../shared/data")):
        paths = sorted((root / "fsdd" / "recordings").glob("*.wav"))  # digit_speaker_take.wav, 8 kHz
        noises = sorted((root / "background_noise").glob("*.wav"))
        if paths and noises:
            short = np.zeros((len(paths), 8_000), np.int16)
            for row, path in zip(short, paths, strict=True):
                samples = read_wav(path)[:8_000]
                start = (8_000 - len(samples)) // 2
                row[start : start + len(samples)] = samples
            waveforms = (resample(torch.from_numpy(short) / 32_768, 8_000, SAMPLE_RATE) * 32_767).clamp(-32_768, 32_767)
            digits = np.array([int(path.name[0]) for path in paths])
            background = torch.from_numpy(np.concatenate([read_wav(path) for path in noises]))
            return waveforms.to(torch.int16), digits, background, f"{len(paths)} clips of FSDD, repeated"
    generator = Generator().manual_seed(0)
    clips = (torch.randn(1_000, SAMPLE_RATE, generator=generator) * 3_000).to(torch.int16)
    background = (torch.randn(60 * SAMPLE_RATE, generator=generator) * 3_000).to(torch.int16)
    return clips, np.arange(1_000) % 10, background, "made-up noise"


class Corpus(LightningDataModule):
    """As many clips as the preset's corpus has, an eighth of them silences, the whole store on the device."""

    def __init__(self, clips: Tensor, digits: np.ndarray, *, device: str, batch_size: int, share: float) -> None:
        super().__init__()
        self.batch_size = batch_size
        sizes = [int(size * share) for size in SIZES.values()]
        self.parts = dict(zip(SIZES, np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1]), strict=True))
        rows = np.random.default_rng(0).integers(len(clips), size=sum(sizes))
        targets = digits[rows]
        targets[::8] = LABELS.index("_silence_")
        self.targets = targets
        self.waveforms = clips.to(device)[torch.from_numpy(rows).to(device)]
        self.waveforms[::8] = 0

    def train_dataloader(self) -> Batches:
        """Shuffled training batches."""
        return Batches(
            gather_clips(self.waveforms, self.targets), self.parts["train"], batch_size=self.batch_size, seed=0
        )

    def val_dataloader(self) -> Batches:
        """Validation batches in order."""
        return Batches(gather_clips(self.waveforms, self.targets), self.parts["validation"], batch_size=self.batch_size)

    def test_dataloader(self) -> Batches:
        """Test batches in order."""
        return Batches(gather_clips(self.waveforms, self.targets), self.parts["test"], batch_size=self.batch_size)


# Augmentations that round, compare with a threshold or look for a maximum decide otherwise where two values are next to
# equal: a step, a block or a frame of a clip is another one then.
DECISIONS = {"codec": 0.02, "level": 1e-3, "gate": 0.02, "pitch": 0.2, "stretch": 0.2, "device": 0.05}


# ---- does the device compute what the CPU does? -------------------------------------------------------------------


def compare(clips: Tensor, background: Tensor, device: str) -> list[Figure]:
    """Compare augmentation, front-ends and networks on the device with the CPU's, in full float32."""
    waveform = to_float(clips[:: len(clips) // 8][:8])
    waveform[3] = 0  # a silence
    spectrogram = features.create("LogMel")(waveform)[:, None]
    arguments: dict[str, dict[str, Any]] = {
        "equalize": {"low_pass_hz": 3000},
        "noise": {"min_snr_db": 5, "max_snr_db": 40},
    }
    checks: dict[str, tuple[float, Callable[[str], Tensor]]] = {}  # tolerance, and what computes on a device
    given: dict[str, Any] = {"sample_rate": SAMPLE_RATE, "background": background, "speech": background}
    for name in AUGMENTATIONS:
        step = Augment({name: arguments.get(name, {})}, **given)
        checks[name] = DECISIONS.get(name, 1e-5), partial(_augmented, step, waveform)
    checks["SpecAugment"] = 1e-5, partial(_augmented, SpecAugment(), spectrogram)
    checks["mixup"] = 1e-5, partial(_mixed, waveform)
    for name in features.FEATURES:
        checks[name] = 1e-5, partial(_applied, features.create(name), waveform)
    for name, sizes in (("bcresnet", {"tau": 1}), ("bcresnet", {"tau": 8}), ("tcresnet", {})):
        model = models.create(name, n_classes=len(LABELS), dropout=0.0, **sizes)
        title = " ".join([name, *(f"{key} = {value}" for key, value in sizes.items())])
        checks[f"{title}, gradients"] = 1e-3, partial(_gradients, model, spectrogram)
        checks[f"{title}, logits"] = 1e-4, partial(_applied, model, spectrogram)
    figures = []
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for name, (tolerance, compute) in checks.items():
            expected, got = compute("cpu").double(), compute(device).cpu().double()
            error = ((got - expected).norm() / expected.norm()).item()
            figures.append(Figure(f"{device} against CPU: {name}", "relative error", [error], at_most=tolerance))
    return figures


def _augmented(step: nn.Module, x: Tensor, where: str) -> Tensor:
    return step(x.to(where), Generator().manual_seed(1))


@torch.no_grad()
def _applied(module: nn.Module, x: Tensor, where: str) -> Tensor:
    return module.to(where).eval()(x.to(where))


def _mixed(waveform: Tensor, where: str) -> Tensor:
    targets = torch.eye(len(waveform), device=where)
    mixed = mixup(waveform.to(where), targets, alpha=0.5, p=0.8, generator=Generator().manual_seed(1))
    return torch.cat([each.flatten() for each in mixed])


def _gradients(model: nn.Module, spectrogram: Tensor, where: str) -> Tensor:
    loss = F.cross_entropy(model.to(where).train()(spectrogram.to(where)), torch.arange(8, device=where))
    return torch.cat([each.flatten() for each in torch.autograd.grad(loss, list(model.parameters()))])


# ---- how fast? ----------------------------------------------------------------------------------------------------


def make_task(preset: dict[str, Any], background: Tensor) -> Recognition:
    """Build the preset's task as recipes/recognition/train.py does."""
    lightning.seed_everything(0, verbose=False)
    network = dict(preset["model"])
    return Recognition(
        front_end=features.create("LogMel", sample_rate=SAMPLE_RATE),
        model=models.create(network.pop("name"), n_classes=len(LABELS), **network),
        n_classes=len(LABELS),
        augment=Augment(preset["augment"], sample_rate=SAMPLE_RATE, background=background, p=preset["augment_p"]),
        spec_augment=SpecAugment(**preset["spec_augment"]),
        **preset["task"],
    )


def synchronize(device: str) -> None:
    """Wait for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


class Clock(Callback):
    """Take the times of epochs, and the GPU's utilisation from the second epoch on; stop when the time is up."""

    def __init__(self, device: str, deadline: float) -> None:
        self.device, self.deadline = device, deadline
        self.starts: list[float] = []
        self.trained: list[float] = []
        self.utilisation: list[float] = []
        self.sampler: subprocess.Popen[str] | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark it."""
        synchronize(self.device)
        self.starts.append(time.perf_counter())
        if len(self.starts) == 2 and self.device == "cuda":
            query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200"]
            self.sampler = subprocess.Popen(query, stdout=subprocess.PIPE, text=True)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the end of the training batches."""
        if not trainer.sanity_checking:
            synchronize(self.device)
            self.trained.append(time.perf_counter() - self.starts[-1])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if the time is up and an epoch has been counted."""
        trainer.should_stop = len(self.starts) > 1 and time.perf_counter() > self.deadline

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the end of the last epoch."""
        self.starts.append(time.perf_counter())
        if self.sampler is not None:
            self.sampler.terminate()
            self.utilisation = [float(line) for line in self.sampler.communicate()[0].split() if line.isdigit()]


def train(
    mode: Mode, preset: dict[str, Any], corpus: Corpus, background: Tensor, device: str, deadline: float
) -> Clock:
    """Train a few epochs just as the recipe does, with its checkpoints, logs, validation and test."""
    torch.set_float32_matmul_precision(mode.matrix_products)
    torch.compiler.reset()
    task = make_task(preset, background)
    if mode.compile_mode is not None:
        # One graph for each batch size: with a dynamic one, inductor fails on this network (torch 2.14, CPU).
        task.model.compile(mode=mode.compile_mode, dynamic=False)
    clock = Clock(device, deadline)
    settings = {
        "accelerator": "cpu" if device == "cpu" else "gpu",
        "devices": 1,
        "max_epochs": N_EPOCHS,
        "precision": mode.precision,
        "enable_progress_bar": mode.progress_bar,
    }
    with tempfile.TemporaryDirectory() as output:
        fit_and_test(
            task, corpus, output=Path(output), monitor="validation_accuracy", callbacks=[clock], trainer=settings
        )
    torch.set_float32_matmul_precision("highest")
    return clock


def speed(mode: str, clock: Clock, corpus: Corpus, n_epochs: int) -> list[Figure]:
    """Turn a training's times into figures, leaving the first epoch out."""
    clips = len(corpus.train_dataloader()) * corpus.batch_size
    epochs = np.diff(clock.starts)
    figures = [
        Figure(f"{mode}: training", "clips/s", [clips / seconds for seconds in clock.trained[1:]]),
        Figure(f"{mode}: first epoch, with start and validation", "s", [float(epochs[0])]),
        Figure(f"{mode}: each later epoch, with validation and checkpoints", "s", epochs[1:].tolist()),
        Figure(f"{mode}: {n_epochs} epochs", "min", (epochs[1:] * n_epochs / 60).tolist(), at_most=10),
    ]
    if clock.utilisation:
        figures.append(Figure(f"{mode}: GPU utilisation (nvidia-smi)", "%", clock.utilisation))
    return figures


def parts(preset: dict[str, Any], corpus: Corpus, background: Tensor, device: str, repeats: int) -> list[Figure]:
    """Time the parts of a training step without a trainer in bf16, waiting for the device after each."""
    task = make_task(preset, background).to(device)
    optimizer = torch.optim.SGD(task.model.parameters(), 0.01, momentum=task.momentum, weight_decay=task.weight_decay)
    generator = Generator().manual_seed(0)
    batches = corpus.train_dataloader()
    batch = next(iter(batches))
    targets = batch["label"].to(device)
    waveform = to_float(batch["waveform"])
    assert task.augment is not None and task.spec_augment is not None
    augment, masks = task.augment, task.spec_augment
    spectrogram = task.front_end(waveform[:, None])

    def forward_backward() -> None:
        task.model.zero_grad()
        with torch.autocast(device, torch.bfloat16):
            logits = task.model(spectrogram)
        F.cross_entropy(logits.float(), targets).backward()

    work: dict[str, Callable[[], object]] = {
        "gather": lambda: next(iter(batches)),
        "waveform augmentation": lambda: augment(waveform, generator),
        "front-end": lambda: task.front_end(waveform[:, None]),
        "masks": lambda: masks(spectrogram, generator),
        "forward + backward": forward_backward,
        "optimiser": optimizer.step,
    }
    # The gather draws the epoch's order each time, so that its figure is an upper bound.
    timed = {name: partial(_and_wait, call, device) for name, call in work.items()}
    seconds = interleaved(timed, repeats, warm_up=3)
    return [Figure(f"bf16 step: {name}", "ms", [1e3 * value for value in values]) for name, values in seconds.items()]


def _and_wait(call: Callable[[], object], device: str) -> None:
    call()
    synchronize(device)


@torch.no_grad()
def front_ends(device: str, *, quick: bool) -> list[Figure]:
    """Time front-ends on many one-second clips beside torchaudio, and beside copying the clips, the least there is."""
    clips = 0.1 * torch.randn(16 if quick else 4096, SAMPLE_RATE, device=device)
    room = torch.empty_like(clips)
    mel = transforms.MelSpectrogram(SAMPLE_RATE, n_fft=512, win_length=480, hop_length=160, n_mels=40).to(device)
    work: dict[str, Callable[[], object]] = {
        name: partial(features.create(name).to(device), clips) for name in ("LogMel", "MFCC", "PCEN", "CQT", "LEAF")
    }
    work |= {"torchaudio log-mel": lambda: (mel(clips) + 1e-6).log(), "a copy": lambda: room.copy_(clips)}
    seconds = interleaved({name: partial(_and_wait, call, device) for name, call in work.items()}, 2 if quick else 10)
    return [
        Figure(f"front-end, {len(clips)} clips: {name}", "clips/s", [len(clips) / value for value in values])
        for name, values in seconds.items()
    ]


# ---- WaveNet ------------------------------------------------------------------------------------------------------


class CountOperations(TorchDispatchMode):
    """Counts what launches a kernel: all operations but views."""

    n_operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and go on."""
        self.n_operations += not any(result.alias_info for result in func._schema.returns)
        return func(*args, **(kwargs or {}))


def generation(device: str, *, quick: bool) -> list[Figure]:
    """Generate step by step, the same samples as on the CPU; and replay as many kernels that do next to nothing."""
    torch.manual_seed(0)
    model = models.WaveNet(n_layers=30, n_cycles=3, skip_channels=256, output_channels=256).eval()
    bias = model.bias(batch=1, time=1).steps.detach().numpy()
    n_samples, repeats = (64, 2) if quick else (2_000, 5)

    def generate(engine: Stepwise, batch: int, n: int, outputs: np.ndarray | None = None) -> np.ndarray:
        uniforms = np.random.default_rng(0).random((batch, n, 2))
        return engine.run(engine.start(batch), bias=bias.repeat(batch, 0), uniforms=uniforms, outputs=outputs)

    with CountOperations() as count:
        generate(Stepwise(model), 1, 1)
    expected, found = np.empty((2, 4, n_samples // 4, 256), np.float32)
    samples = generate(Stepwise(model), 4, n_samples // 4, expected)
    engine = Stepwise(model.to(device))
    same = (generate(engine, 4, n_samples // 4, found) == samples).mean()
    figures = [
        Figure("WaveNet, GPU against CPU: samples that are the same", "share", [float(same)], at_least=1.0),
        Figure("WaveNet, GPU against CPU: largest difference of outputs", "", [float(abs(found - expected).max())]),
    ]
    for batch in (1, 16) if quick else (1, 16, 256):
        state = engine.start(batch)  # one capture for all repeats
        uniforms = np.random.default_rng(0).random((batch, n_samples, 2))
        run = partial(engine.run, state, bias=bias.repeat(batch, 0), uniforms=uniforms)
        took = interleaved({"run": run}, repeats)["run"]
        rates = [batch * n_samples / seconds for seconds in took]
        wanted = 24_000 if batch == 1 else None
        figures.append(Figure(f"WaveNet 30 x 64, batch {batch}, together", "samples/s", rates, at_least=wanted))
    if device == "cuda":
        figures.append(launch_floor(count.n_operations, n_samples, repeats))
    return figures


def launch_floor(n_kernels: int, n_replays: int, repeats: int) -> Figure:
    """Replay a CUDA graph of as many kernels as a step has, each on one number."""
    number = torch.zeros(1, device="cuda")
    number.add_(1)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(n_kernels):
            number.add_(1)

    def replay() -> None:
        for _ in range(n_replays):
            graph.replay()
        torch.cuda.synchronize()

    rates = [n_replays / seconds for seconds in interleaved({"replay": replay}, repeats)["replay"]]
    return Figure(f"launch floor: replays of {n_kernels} kernels on one number", "replays/s", rates)


def main() -> None:
    """Compare, then time as many modes as fit."""
    place = Path(os.environ["OUT"]) / "gpu.json" if "OUT" in os.environ else None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Measure training on a GPU.")
    parser.add_argument("--output", type=Path, default=place, help="JSON file; by default $OUT/gpu.json if OUT is set")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tau = 1, few clips: only see that everything runs")
    parser.add_argument("--minutes", type=float, default=6.0, help="no mode is started later than this")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device: nothing has been measured")
        return
    started = time.perf_counter()
    device = options.device
    path = resources.folder("recipes") / "recognition" / "presets" / f"{PRESET}.yaml"
    preset: dict[str, Any] = yaml.safe_load(path.read_text())
    if options.quick:
        preset["model"]["tau"] = 1
    clips, digits, background, source = recordings()
    facts: dict[str, Any] = machine()
    if device == "cuda":
        facts["GPU"] = torch.cuda.get_device_name()
    batch_size = preset["data"]["batch_size"]
    corpus = Corpus(clips, digits, device=device, batch_size=batch_size, share=0.01 if options.quick else 1.0)
    sizes = " / ".join(f"{len(part):,}" for part in corpus.parts.values())
    facts["preset"] = f"{PRESET}, BC-ResNet-{preset['model']['tau']}, batch {batch_size}"
    facts["clips"] = f"{sizes} for training / validation / test, of {source}"
    facts["not measured"] = []
    command = f"python -m benchmarks.gpu --device {device}{' --quick' if options.quick else ''}"
    figures = compare(clips, background, device)
    figures += front_ends(device, quick=options.quick)
    figures += generation(device, quick=options.quick)
    figures += parts(preset, corpus, background, device, 3 if options.quick else 50)
    for number, mode in enumerate(MODES):
        left = 60 * options.minutes - (time.perf_counter() - started)
        if left < 0:
            facts["not measured"].append(f"{mode}: no time left")
        else:
            deadline = time.perf_counter() + left / (len(MODES) - number)
            try:
                clock = train(MODES[mode], preset, corpus, background, device, deadline)
                figures += speed(mode, clock, corpus, preset["trainer"]["max_epochs"])
            except Exception as error:  # a compiler that fails must not cost the other modes their place in the call
                facts["not measured"].append(f"{mode}: {type(error).__name__}: {str(error)[:500]}")
        print(f"{mode}: {time.perf_counter() - started:.0f} s after the start", flush=True)
        if options.output:  # now, not at the end: the call may be cut off
            options.output.write_text(json.dumps(record(command, facts, figures), indent=2) + "\n")
    print(markdown("gpu", command, facts, figures))


if __name__ == "__main__":
    main()
