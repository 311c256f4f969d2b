"""A classifier for a network that is trained already: a linear head, fitted on embeddings of few recordings.

The network's body stays as it is, so a recording goes through it once, with some augmented copies, and a head is then
fitted within a second. `embed_copies` makes the embeddings, `fit_head` fits.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.augment import to_float
from audionet.checks import check_at_least, check_no_misfits, check_positive, check_that
from audionet.console import progress
from audionet.models.contract import RecognitionNetwork
from audionet.randomness import random_generator

N_EMBEDDINGS, MOST_COPIES = 2000, 20

Augmentation = Callable[..., Tensor]
"""Maps waveforms (batch, time), a generator and, (batch,) bool, which are silences, to (batch, time)."""


def copies_for(n_clips: int) -> int:
    """Return how many augmented copies of each recording are worth their time: many of few, and one of many.

    Example:
        >>> copies_for(10), copies_for(100), copies_for(500), copies_for(10_000)
        (20, 19, 3, 1)
    """
    return min(max(N_EMBEDDINGS // max(n_clips, 1) - 1, 1), MOST_COPIES)


@torch.inference_mode()
def embed_copies(
    waveforms: np.ndarray | Tensor,
    *,
    front_end: nn.Module,
    network: RecognitionNetwork,
    augment: Augmentation | None = None,
    n_copies: int | None = None,
    silence: np.ndarray | None = None,
    seed: int = 0,
    batch_size: int = 100,
) -> Tensor:
    """Return embeddings of recordings and of augmented copies of them.

    Args:
        waveforms: (clip, time), int16 or float in [-1, 1], which may be mapped from a file.
        front_end: Front-end, (batch, 1, time) -> (batch, 1, n_bands, frame).
        network: Network with ``embed``. It is used in evaluation mode and is in its own mode again afterwards.
        augment: Chain of augmentations, such as `audionet.augment.Augment`; None for the recordings alone.
        n_copies: Augmented copies of each recording; None for `copies_for` their number, and for none without a chain.
        silence: (clip,) bool, the silences that the chain fills with noise; None for none.
        seed: Seed of the augmentation.
        batch_size: Clips that go through the network at once.

    Returns:
        (clip, 1 + n_copies, channels) float32 on the CPU; the first of each clip is that of the recording itself.

    Raises:
        ValueError: There is no clip, a number is out of its range, or copies are asked for without a chain.

    Example:
        >>> front_end = audionet.features.LogMel(sample_rate=16_000, n_mels=40)
        >>> network = audionet.models.create("tcresnet", n_classes=0)
        >>> gain = audionet.augment.Gain()
        >>> embed_copies(waveform, front_end=front_end, network=network, augment=gain, n_copies=3).shape
        torch.Size([1, 4, 48])
    """
    fits = waveforms.ndim == 2 and 0 not in waveforms.shape
    check_that(fits, "waveforms", "(clip, time), at least one", tuple(waveforms.shape))
    n_clips = len(waveforms)
    n_copies = n_copies if n_copies is not None else 0 if augment is None else copies_for(n_clips)
    check_at_least(0, whole=True, n_copies=n_copies)
    check_at_least(1, whole=True, batch_size=batch_size)
    check_that(augment is not None or not n_copies, "n_copies", "0 without augmentations", n_copies)
    module, was_training = network, getattr(network, "training", False)
    assert isinstance(module, nn.Module)
    device = next((each.device for each in module.parameters()), torch.device("cpu"))
    copies: list[Tensor] = []
    module.eval()
    try:
        with progress("embeddings", n_clips * (1 + n_copies)) as advance:
            for copy in range(1 + n_copies):
                rows = []
                for start in range(0, n_clips, batch_size):
                    chosen = slice(start, start + batch_size)
                    batch = to_float(torch.as_tensor(np.asarray(waveforms[chosen])).to(device))
                    if copy and augment is not None:
                        draw = random_generator(seed, "copies of recordings", copy, start)
                        generator = torch.Generator().manual_seed(int(draw.integers(2**63)))
                        given = () if silence is None else (torch.from_numpy(np.asarray(silence[chosen])),)
                        batch = augment(batch, generator, *given)
                    rows.append(network.embed(front_end(batch[:, None])).float().cpu())
                    advance(len(batch))
                copies.append(torch.cat(rows))
    finally:
        module.train(was_training)
    return torch.stack(copies, 1)


def fit_head(
    embeddings: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    *,
    n_classes: int | None = None,
    c: float = 1.0,
    balanced: bool = True,
) -> nn.Linear:
    """Fit a linear classifier of embeddings: multinomial logistic regression with an L2 penalty.

    It minimises half the squared norm of the weights plus ``c`` times the summed cross-entropies of the clips (that of
    scikit-learn's ``LogisticRegression``), by L-BFGS in float64, for embeddings whose channels are standardised. The
    standardisation is folded into the layer, which takes embeddings as they are. The same input gives the same layer.

    Args:
        embeddings: (clip, channels), or with copies of each clip (clip, copy, channels), which count as one together.
        labels: (clip,) whole numbers, the class of each clip.
        n_classes: Number of classes; None for one more than the highest label.
        c: How much a clip counts against the penalty: the smaller, the smoother.
        balanced: Whether all classes count alike, however many clips they have.

    Returns:
        The layer, (batch, channels) -> (batch, n_classes), float32.

    Raises:
        ValueError: The embeddings are not finite or not as described, or a class has none.

    Example:
        >>> embeddings = torch.tensor([[0.0, 1.0], [0.2, 0.9], [1.0, 0.1]])
        >>> head = fit_head(embeddings, torch.tensor([0, 0, 1]))
        >>> head(embeddings).argmax(-1)
        tensor([0, 0, 1])
    """
    x, y, weights = _checked(embeddings, labels)
    check_positive(c=c)
    counted = torch.bincount(y, weights, minlength=0 if n_classes is None else n_classes)
    n_classes = len(counted) if n_classes is None else n_classes
    check_that(len(counted) == n_classes and n_classes > 1, "labels", f"those of {n_classes} classes", int(y.max()))
    missing = (counted == 0).nonzero()[:, 0].tolist()
    check_no_misfits([f"none of {missing}"] if missing else [], "labels", "clips of each class", "add recordings")
    if balanced:
        weights = weights * (weights.sum() / n_classes / counted)[y]
    std, mean = torch.std_mean(x, 0, correction=0)
    std = torch.where(std > 1e-6 * std.max(), std, 1.0)  # a channel that says nothing here must not say much later
    solution = _solve((x - mean) / std, y, weights, n_classes, c)
    head = nn.Linear(x.shape[1], n_classes)
    with torch.no_grad():
        scaled = solution[:, :-1] / std
        head.weight.copy_(scaled)
        head.bias.copy_(solution[:, -1] - scaled @ mean)
    return head


def _checked(embeddings: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return embeddings (row, channels) float64, the class of each row, and how much each counts."""
    x, y = torch.as_tensor(embeddings).detach().cpu().double(), torch.as_tensor(labels).cpu()
    fits = x.ndim in (2, 3) and 0 not in x.shape
    check_that(fits, "embeddings", "(clip, channels) or (clip, copy, channels)", tuple(x.shape))
    check_that(x.isfinite().all(), "embeddings", "finite numbers", "others")
    fits = y.shape == (len(x),) and not (y.is_floating_point() or y.is_complex()) and bool((y >= 0).all())
    check_that(fits, "labels", f"({len(x)},) whole numbers from 0 on, one a clip", (tuple(y.shape), y.dtype))
    n_copies = x.shape[1] if x.ndim == 3 else 1
    y = y.long().repeat_interleave(n_copies)
    return x.reshape(len(y), -1), y, torch.full((len(y),), 1 / n_copies, dtype=torch.float64)


def _solve(x: Tensor, y: Tensor, weights: Tensor, n_classes: int, c: float) -> Tensor:
    """Return weights and, in the last column, biases (n_classes, channels + 1) that minimise the penalised loss."""
    solution = torch.zeros(n_classes, x.shape[1] + 1, dtype=torch.float64)
    total = weights.sum()
    optimizer = torch.optim.LBFGS(
        [solution],
        max_iter=1000,
        history_size=20,
        tolerance_grad=1e-7,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )
    one_hot = F.one_hot(y, n_classes).double()

    def closure() -> float:  # the gradient by hand takes half of autograd's time for so small a problem
        log_p = (x @ solution[:, :-1].T + solution[:, -1]).log_softmax(-1)
        error = (log_p.exp() - one_hot) * (weights / total)[:, None]
        penalty = solution[:, :-1] / (c * total)
        solution.grad = torch.cat([error.T @ x + penalty, error.sum(0)[:, None]], 1)
        loss = -(log_p[torch.arange(len(y)), y] * weights).sum() / total
        return float(loss + (penalty * solution[:, :-1]).sum() / 2)

    optimizer.step(closure)
    assert math.isfinite(closure())
    return solution
