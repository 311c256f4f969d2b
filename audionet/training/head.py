"""A classifier for a network that is trained already: a linear head, fitted on embeddings of few recordings.

The network's body stays as it is, so a recording goes through it once, with some augmented copies, and a head is then
fitted within a second. `embed_copies` makes the embeddings, `fit_head` fits.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.augment import to_float
from audionet.checks import check_at_least, check_no_misfits, check_positive, check_rows, check_that
from audionet.console import progress
from audionet.models.contract import RecognitionNetwork
from audionet.randomness import random_generator

LENGTH = 10.0  # that embeddings are scaled to; it sets what `c` means
PENALTY = 0.1
"""How much a row counts against the penalty, by default: the smaller, the smoother."""

PER_CLASS, IN_ALL, MOST_COPIES = 200, 20_000, 20

Augmentation = Callable[..., Tensor]
"""Maps waveforms (batch, time), a generator and, (batch,) bool, which are silences, to (batch, time)."""


class Copies(NamedTuple):
    """Embeddings of clips and of augmented copies of them.

    Attributes:
        embeddings: (row, channels) float32; the first rows are those of the clips themselves, in their order.
        clip: (row,) int64, position of the clip that each is of.
    """

    embeddings: Tensor
    clip: Tensor

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return int(self.clip.max()) + 1

    @property
    def weights(self) -> Tensor:
        """How much each row counts, (row,) float64, so that a clip counts once, however many copies it has."""
        return 1 / torch.bincount(self.clip).double()[self.clip]


def copies_for(labels: np.ndarray) -> np.ndarray:
    """Return how many augmented copies of each clip are worth their time, (clip,): many of few, and none of many.

    A class comes to about 200 embeddings, and all together to 20,000 at most.

    Args:
        labels: (clip,) whole numbers, the class of each clip.

    Example:
        >>> copies_for(np.repeat([0, 1, 2], [1, 10, 1000]))[[0, 1, -1]]
        array([20, 19,  0])
    """
    counts = np.bincount(labels)
    wanted = min(PER_CLASS, IN_ALL / np.count_nonzero(counts))
    return np.clip(np.ceil(wanted / np.maximum(counts, 1)) - 1, 0, MOST_COPIES).astype(int)[labels]  # type: ignore[no-any-return]


@torch.no_grad()
def embed_copies(
    waveforms: np.ndarray | Tensor,
    *,
    front_end: nn.Module,
    network: RecognitionNetwork,
    augment: Augmentation | None = None,
    n_copies: int | np.ndarray = 0,
    silence: np.ndarray | None = None,
    seed: int = 0,
    batch_size: int = 100,
) -> Copies:
    """Return embeddings of clips and of augmented copies of them.

    Args:
        waveforms: (clip, time), int16 or float in [-1, 1], which may be mapped from a file.
        front_end: Front-end, (batch, 1, time) -> (batch, 1, n_bands, frame).
        network: Network with ``embed``. It is used in evaluation mode and is in its own mode again afterwards.
        augment: Chain of augmentations, such as `audionet.augment.Augment`; None for the clips alone.
        n_copies: Augmented copies of each clip, or of all; `copies_for` their labels is a good number.
        silence: (clip,) bool, the silences that the chain fills with noise; None for none.
        seed: Seed of the augmentation.
        batch_size: Clips that go through the network at once.

    Raises:
        ValueError: There is no clip, a number is out of its range, or copies are asked for without a chain.

    Example:
        >>> front_end = audionet.features.LogMel(sample_rate=16_000, n_mels=40)
        >>> network = audionet.models.create("tcresnet", n_classes=0)
        >>> gain = audionet.augment.Gain()
        >>> embed_copies(waveform, front_end=front_end, network=network, augment=gain, n_copies=3).embeddings.shape
        torch.Size([4, 48])
    """
    fits = waveforms.ndim == 2 and 0 not in waveforms.shape
    check_that(fits, "waveforms", "(clip, time), at least one", tuple(waveforms.shape))
    check_at_least(1, whole=True, batch_size=batch_size)
    numbers = np.broadcast_to(n_copies, len(waveforms))
    check_at_least(0, whole=True, n_copies=int(numbers.min()))
    check_that(augment is not None or not numbers.any(), "n_copies", "0 without augmentations", n_copies)
    clips = np.concatenate([np.flatnonzero(numbers >= copy) for copy in range(numbers.max() + 1)])
    assert isinstance(network, nn.Module)
    was_training, device = network.training, next((each.device for each in network.parameters()), torch.device("cpu"))
    rows: list[Tensor] = []
    network.eval()
    try:
        with progress("embeddings", len(clips)) as advance:
            for start in range(0, len(clips), batch_size):
                chosen = clips[start : start + batch_size]
                batch = to_float(torch.as_tensor(np.asarray(waveforms[chosen])).to(device))
                n_plain = min(max(len(waveforms) - start, 0), len(chosen))  # the clips come before all copies
                if augment is not None and n_plain < len(chosen):
                    draw = random_generator(seed, "copies of recordings", start)
                    generator = torch.Generator().manual_seed(int(draw.integers(2**63)))
                    given = () if silence is None else (torch.from_numpy(silence[chosen[n_plain:]]),)
                    batch = torch.cat([batch[:n_plain], augment(batch[n_plain:], generator, *given)])
                rows.append(network.embed(front_end(batch[:, None])).float().cpu())
                advance(len(batch))
    finally:
        network.train(was_training)
    return Copies(torch.cat(rows), torch.from_numpy(clips))


def fit_head(
    embeddings: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    *,
    weights: np.ndarray | Tensor | None = None,
    n_classes: int | None = None,
    c: float = PENALTY,
    balanced: bool = True,
) -> nn.Linear:
    """Fit a linear classifier of embeddings: multinomial logistic regression with an L2 penalty.

    It minimises half the squared norm of the weights plus ``c`` times the summed cross-entropies of the rows (that of
    scikit-learn's ``LogisticRegression`` without an intercept), by L-BFGS in float64, for embeddings that are scaled to
    a length of 10: the direction of an embedding tells the word, whoever speaks. To standardise the channels instead,
    by a few recordings of one speaker, makes much of what is only the voice, and so do biases. The layer takes
    embeddings as they are, and is exact for those of the mean length. The same input gives the same layer.

    Args:
        embeddings: (row, channels).
        labels: (row,) whole numbers, the class of each.
        weights: (row,) how much each counts, such as those of `Copies`; None for 1 each.
        n_classes: Number of classes; None for one more than the highest label.
        c: How much a row counts against the penalty: the smaller, the smoother.
        balanced: Whether all classes count alike, however many clips they have.

    Returns:
        The layer, (batch, channels) -> (batch, n_classes), float32, with a bias of 0.

    Raises:
        ValueError: The embeddings are not finite or not as described, or a class has none.

    Example:
        >>> embeddings = torch.tensor([[0.0, 1.0], [0.2, 0.9], [1.0, 0.1]])
        >>> head = fit_head(embeddings, torch.tensor([0, 0, 1]))
        >>> head(embeddings).argmax(-1)
        tensor([0, 0, 1])
    """
    x, y, counts = _checked(embeddings, labels, weights)
    check_positive(c=c)
    counted = torch.bincount(y, counts, minlength=0 if n_classes is None else n_classes)
    n_classes = len(counted) if n_classes is None else n_classes
    check_that(len(counted) == n_classes and n_classes > 1, "labels", f"those of {n_classes} classes", int(y.max()))
    missing = (counted == 0).nonzero()[:, 0].tolist()
    check_no_misfits([f"none of {missing}"] if missing else [], "labels", "clips of each class", "add recordings")
    if balanced:
        counts = counts * (counts.sum() / n_classes / counted)[y]
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    check_that(length.max() > 0, "embeddings", "some other than zero", "zeros alone")
    length = length.clamp(min=1e-6 * float(length.max()))
    solution = _solve(LENGTH * x / length, y, counts, n_classes, c)
    head = nn.Linear(x.shape[1], n_classes)
    with torch.no_grad():
        head.weight.copy_(solution * (LENGTH * counts.sum() / (counts * length[:, 0]).sum()))
        head.bias.zero_()
    return head


def _checked(
    embeddings: np.ndarray | Tensor, labels: np.ndarray | Tensor, weights: np.ndarray | Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return embeddings (row, channels) float64, the class of each row, and how much each counts."""
    x, y = torch.as_tensor(embeddings).detach().cpu().double(), torch.as_tensor(labels).cpu()
    check_that(x.ndim == 2 and 0 not in x.shape, "embeddings", "(row, channels)", tuple(x.shape))
    check_rows(x.isfinite().all(-1), "embeddings", "finite numbers")
    fits = y.shape == (len(x),) and not (y.is_floating_point() or y.is_complex()) and bool((y >= 0).all())
    check_that(fits, "labels", f"({len(x)},) whole numbers from 0 on, one a row", (tuple(y.shape), y.dtype))
    counts = torch.ones(len(x)) if weights is None else torch.as_tensor(weights).cpu()
    fits = counts.shape == (len(x),) and bool((counts >= 0).all()) and bool(counts.isfinite().all())
    check_that(fits, "weights", f"({len(x)},) finite numbers from 0 on, one a row", tuple(counts.shape))
    return x, y.long(), counts.double()


def _solve(x: Tensor, y: Tensor, weights: Tensor, n_classes: int, c: float) -> Tensor:
    """Return the weights (n_classes, channels) that minimise the penalised loss."""
    solution = torch.zeros(n_classes, x.shape[1], dtype=torch.float64)
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
        log_p = (x @ solution.T).log_softmax(-1)
        error = (log_p.exp() - one_hot) * (weights / total)[:, None]
        penalty = solution / (c * total)
        solution.grad = error.T @ x + penalty
        loss = -(log_p[torch.arange(len(y)), y] * weights).sum() / total
        return float(loss + (penalty * solution).sum() / 2)

    optimizer.step(closure)
    assert math.isfinite(closure())
    return solution
