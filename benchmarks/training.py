"""Training throughput on two threads: networks forward and backward, and the whole step of the released recipe."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from audionet import features, models
from audionet.augment import Augment
from audionet.datasets.batches import Batches, ClipBatch, gather_clips
from audionet.training import Recognition
from benchmarks.measure import Figure, interleaved, ratios
from benchmarks.plain_bcresnet import plain_bcresnet

N_THREADS = 2
N_CLASSES = 12
SAMPLE_RATE = 16_000
REPEATS = {1: 25, 2: 15, 3: 11, 8: 5}  # by tau


def check_plain_is_equal(tau: float) -> None:
    """Raise unless both networks, given the same weights by order, agree in logits and gradients in float64."""
    ours = models.create("bcresnet", n_classes=N_CLASSES, tau=tau, dropout=0.0).double()
    plain = plain_bcresnet(N_CLASSES, tau=tau, dropout=0.0).double()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # no norm is left at its trivial start
    pairs_of_tensors = zip(plain.state_dict().items(), ours.state_dict().values(), strict=True)
    # Ours ends in a linear layer, the plain network in a 1 x 1 convolution.
    plain.load_state_dict({name: value.view_as(tensor) for (name, tensor), value in pairs_of_tensors})
    spectrogram = torch.randn(3, 1, 40, 101, dtype=torch.float64)
    logits = [network(spectrogram) for network in (ours, plain)]
    gradients = [
        torch.autograd.grad(each.square().sum(), list(network.parameters()))
        for each, network in zip(logits, (ours, plain), strict=True)
    ]
    pairs = {
        "logits in training": logits,
        "gradients": [torch.cat([gradient.flatten() for gradient in each]) for each in gradients],
        "logits in use": [network.eval()(spectrogram) for network in (ours, plain)],  # the statistics, too
    }
    for name, (got, expected) in pairs.items():
        error = ((got - expected).norm() / expected.norm()).item()
        if not error < 1e-9:
            raise RuntimeError(f"tau = {tau}: the plain network's {name} differ by {error:.1e}")


def forward_backward(model: nn.Module, batch_size: int, *, bf16: bool = False) -> Callable[[], None]:
    """Return a call that computes the gradients of one batch of made-up log-mels."""
    spectrogram = torch.randn(batch_size, 1, 40, 101)
    targets = torch.randint(N_CLASSES, (batch_size,))

    def call() -> None:
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(spectrogram)
        F.cross_entropy(logits.float(), targets).backward()

    return call


def whole_step(model: nn.Module, batch_size: int, n_clips: int) -> Callable[[], None]:
    """Return a call that makes one training step: gather, augment, front-end, forward, backward, optimiser."""
    generator = np.random.default_rng(0)
    waveforms = generator.integers(-8000, 8000, (n_clips, SAMPLE_RATE), np.int16)
    background = torch.from_numpy(generator.integers(-8000, 8000, 300 * SAMPLE_RATE, np.int16))
    targets = generator.integers(N_CLASSES, size=n_clips)
    batches = Batches(gather_clips(waveforms, targets), np.arange(n_clips), batch_size=batch_size, seed=0)
    released: dict[str, dict[str, Any] | None] = {"time_shift": {"seconds": 0.1}, "noise": {"max_amplitude": 0.1}}
    task = Recognition(
        front_end=features.create("LogMel"),
        model=model,
        n_classes=N_CLASSES,
        augment=Augment(released, sample_rate=SAMPLE_RATE, background=background, p=0.8),
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=task.momentum, weight_decay=task.weight_decay)
    task.generator = torch.Generator().manual_seed(0)
    steps = forever(batches)

    def call() -> None:
        batch = next(steps)
        optimizer.zero_grad()
        task.training_step(batch, 0).backward()
        optimizer.step()

    return call


def forever(batches: Batches[ClipBatch]) -> Iterator[ClipBatch]:
    """Go through the epochs without end."""
    while True:
        yield from batches


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure; ``tiny`` only sees that everything runs.

    Returns:
        What else there is to know, and the figures.
    """
    warnings.filterwarnings("ignore", "You are trying to `self.log")  # there is no trainer
    torch.manual_seed(0)
    torch.set_num_threads(N_THREADS)
    batch_size = 4 if tiny else 100
    figures = []
    for tau, repeats in REPEATS.items():
        check_plain_is_equal(tau)
        ours, plain = models.create("bcresnet", n_classes=N_CLASSES, tau=tau), plain_bcresnet(N_CLASSES, tau=tau)
        for bf16 in (False, True):
            work = {
                "ours": forward_backward(ours, batch_size, bf16=bf16),
                "plain": forward_backward(plain, batch_size, bf16=bf16),
            }
            if tau == 1 and not bf16:
                work["step"] = whole_step(ours, batch_size, n_clips=10 * batch_size)
                work["small"] = forward_backward(models.create("tcresnet", n_classes=N_CLASSES), batch_size)
            seconds = interleaved(work, 2 if tiny else repeats, warm_up=2)
            rates = {name: [batch_size / value for value in values] for name, values in seconds.items()}
            name = f"BC-ResNet-{tau}, {'bf16 autocast' if bf16 else 'float32'}"
            is_goal = tau == 1 and not bf16
            figures += [
                Figure(f"{name}: forward + backward", "clips/s", rates["ours"]),
                Figure(f"{name}: the same, plain implementation", "clips/s", rates["plain"]),
                Figure(f"{name}: ours / plain", "", ratios(rates["ours"], rates["plain"]), 1.2 if is_goal else None),
            ]
            if is_goal:
                figures += [
                    Figure(f"{name}: whole training step", "clips/s", rates["step"]),
                    Figure(f"{name}: whole step / forward + backward", "", ratios(rates["step"], rates["ours"]), 0.75),
                    Figure("TC-ResNet8, float32: forward + backward", "clips/s", rates["small"]),
                    Figure("TC-ResNet8 / BC-ResNet-1", "", ratios(rates["small"], rates["ours"]), 3.0),
                ]
    facts = {
        "threads": N_THREADS,
        "batch": f"{batch_size} clips of 1 s at 16 kHz, 40 bands x 101 frames",
        "check": "plain and ours agree within 1e-9 in logits and gradients (float64) at every tau",
    }
    return facts, figures
