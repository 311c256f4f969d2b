"""How good generated audio is: numbers from a recogniser's embeddings and probabilities, and from waveforms.

Numbers from embeddings and probabilities are defined as in the SC09 literature (DiffWave, Kong et al., 2021, appendix;
SaShiMi, Goel et al., 2022, appendix). They compare only under the same recogniser.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from audionet.checks import check_rows, check_that
from audionet.features.frontend import Framing, check_waveform
from audionet.features.functional import stft

RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))
"""FFT size, window and hop in samples (Yamamoto et al., Parallel WaveGAN, 2020, table 1)."""

MAGNITUDE_FLOOR = 10**-3.5
"""Smallest spectral magnitude in a logarithm; it is a little above the rounding noise of 16 bits."""


# ---- from embeddings ---------------------------------------------------------------------------------------


def frechet_distance(embeddings_a: Tensor, embeddings_b: Tensor) -> float:
    """Fit a Gaussian to each of two sets of embeddings and return their squared Fréchet distance, the FID.

    |mean_a - mean_b|² + tr(C_a + C_b - 2 (C_a C_b)^½), Heusel et al., 2017, eq. 6; C divides by clips - 1. SaShiMi's
    evaluation takes it between the generated and the training clips.

    Args:
        embeddings_a: (clip, channels).
        embeddings_b: (clip, channels); the number of clips may differ.

    Returns:
        The distance: 0 for equal Gaussians.

    Raises:
        ValueError: The embeddings are not finite, of different widths, or of so few clips that a covariance is
            singular.

    Example:
        >>> embeddings = torch.eye(4)[:, :2]
        >>> round(frechet_distance(embeddings, embeddings + 1), 6)
        2.0
    """
    shapes = tuple(embeddings_a.shape), tuple(embeddings_b.shape)
    fits = embeddings_a.ndim == embeddings_b.ndim == 2 and embeddings_a.shape[1] == embeddings_b.shape[1]
    check_that(fits, "embeddings", "(clip, channels) twice, of one width", shapes, "take both from one network")
    (mean_a, a), (mean_b, b) = (_moments(embeddings.double()) for embeddings in (embeddings_a, embeddings_b))
    # With C = Rᵀ R, the eigenvalues of C_a C_b are the squared singular values of R_a R_bᵀ: nothing squared has to be
    # rooted again, which would leave half the digits and could meet negative numbers.
    spread = a.square().sum() + b.square().sum() - 2 * torch.linalg.matrix_norm(a @ b.mT, "nuc")
    return float(((mean_a - mean_b).square().sum() + spread).clamp(min=0))


def _moments(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (channels,) and a factor R of the covariance Rᵀ R."""
    n_clips, channels = embeddings.shape
    expected = f"at least {channels + 1} clips for the covariance of {channels} channels"
    check_that(n_clips > channels, "embeddings", expected, n_clips, "give several times as many")
    check_rows(embeddings.isfinite().all(-1), "embeddings", "finite numbers")
    mean = embeddings.mean(0)
    return mean, torch.linalg.qr((embeddings - mean) / math.sqrt(n_clips - 1), mode="r").R


# ---- from probabilities ------------------------------------------------------------------------------------


def inception_score(probabilities: Tensor) -> float:
    """Return exp(E_x KL(p(y|x) || p(y))), the IS (Salimans et al., 2016, section 4); p(y) is the mean over all clips.

    SaShiMi's code takes p(y) from one random half of the clips and x from the other.

    Args:
        probabilities: (clip, n_classes), p(y|x) of the generated clips.

    Returns:
        The score: 1 if all clips are taken for the same, n_classes if they are clear and evenly spread.

    Raises:
        ValueError: These are no probabilities.

    Example:
        >>> round(inception_score(torch.eye(10)), 6)
        10.0
    """
    probabilities = _checked(probabilities)
    return math.exp(_divergence(probabilities, probabilities.mean(0)).mean())


def modified_inception_score(probabilities: Tensor) -> float:
    """Return exp(E_x E_x' KL(p(y|x) || p(y|x'))), the mIS (Gurumurthy et al., DeLiGAN, 2017).

    The mean is over all pairs of clips, pairs of a clip with itself included. SaShiMi's code draws 10,000 pairs.

    Args:
        probabilities: (clip, n_classes), p(y|x) of the generated clips.

    Returns:
        The score: 1 if all clips are taken for the same. It has no upper bound, and is infinite if a class is
        impossible for one clip and possible for another.

    Raises:
        ValueError: These are no probabilities.

    Example:
        >>> round(modified_inception_score(torch.tensor([[0.9, 0.1], [0.2, 0.8]])), 3)
        1.872
    """
    probabilities = _checked(probabilities)
    mean, mean_log = probabilities.mean(0), probabilities.log().mean(0)
    # KL = cross entropy - entropy, and the mean over all pairs of the first needs no pairs.
    cross_entropy = -torch.where(mean > 0, mean * mean_log, 0.0).sum()
    return float((cross_entropy - torch.special.entr(probabilities).sum(-1).mean()).exp())


def am_score(training_distribution: Tensor, probabilities: Tensor) -> float:
    """Return KL(p_train(y) || p(y)) + E_x H(p(y|x)) in nats, the AM score (Zhou et al., 2018).

    Args:
        training_distribution: (n_classes,), the mean of the recogniser's probabilities over the training clips.
        probabilities: (clip, n_classes), p(y|x) of the generated clips; p(y) is their mean.

    Returns:
        The score: 0 if each clip is clear and the classes are spread as in training; more is worse.

    Raises:
        ValueError: These are no probabilities, or not of the same classes.

    Example:
        >>> am_score(torch.tensor([0.5, 0.5]), torch.eye(2))
        0.0
    """
    probabilities = _checked(probabilities)
    shape = tuple(training_distribution.shape)
    expected = f"({probabilities.shape[1]},), one a class of the probabilities"
    fits = shape == probabilities.shape[1:]
    check_that(fits, "training_distribution", expected, shape, "take both from one recogniser")
    (training,) = _checked(training_distribution[None])
    entropy = torch.special.entr(probabilities).sum(-1).mean()
    return float(_divergence(training, probabilities.mean(0)) + entropy)


def class_accuracy(probabilities: Tensor, label_indices: Tensor | Sequence[int]) -> float:
    """Return the share of clips that the recogniser takes for what they were meant to say.

    Args:
        probabilities: (clip, n_classes).
        label_indices: Index of each clip's intended label, (clip,).

    Raises:
        ValueError: These are no probabilities, or the indices do not fit them.

    Example:
        >>> class_accuracy(torch.tensor([[0.6, 0.4], [0.9, 0.1]]), [0, 1])
        0.5
    """
    probabilities = _checked(probabilities)
    indices = torch.as_tensor(label_indices, device=probabilities.device)
    n_clips, n_classes = probabilities.shape
    check_that(indices.shape == (n_clips,), "label_indices", f"({n_clips},), one a clip", tuple(indices.shape))
    fits = not indices.is_floating_point() and ((indices >= 0) & (indices < n_classes)).all()
    check_that(fits, "label_indices", f"whole numbers from 0 to {n_classes - 1}", indices.tolist())
    return float((probabilities.argmax(-1) == indices).double().mean())


# ---- from waveforms ----------------------------------------------------------------------------------------


def stft_distance(generated: Tensor, reference: Tensor) -> Tensor:
    """Return the multi-resolution STFT distance of a vocoder's sound (Yamamoto et al., Parallel WaveGAN, 2020, eq. 6).

    For each of `RESOLUTIONS` the spectral convergence (eq. 4) and the mean absolute difference of the natural
    logarithms of the magnitudes (eq. 5) are added (eq. 3). The result is the mean of the three. In the logarithm,
    magnitudes below `MAGNITUDE_FLOOR` are raised to it.

    Args:
        generated: (..., time), float in [-1, 1].
        reference: The true sound, the same shape.

    Returns:
        The distance of each clip, (...), differentiable; 0 for equal sound.

    Raises:
        ValueError: The shapes differ, samples are not finite, a clip is shorter than 1025 samples or the reference of
            one is silent.

    Example:
        >>> reference = torch.from_numpy(np.sin(np.arange(4000))).float()
        >>> stft_distance(reference, reference)
        tensor(0.)
    """
    expected = f"the shape of the reference, {tuple(reference.shape)}"
    fits = generated.shape == reference.shape
    check_that(fits, "generated", expected, tuple(generated.shape), "cut both to the same samples")
    for name, waveform in (("generated", generated), ("reference", reference)):
        check_waveform(waveform, name=name)
    distances = []
    for n_fft, win_length, hop_length in RESOLUTIONS:
        window = torch.hann_window(win_length, dtype=reference.dtype, device=reference.device)
        framing = Framing.centered(n_fft, hop_length=hop_length)
        produced, true = (
            stft(framing.pad(waveform), window, n_fft=n_fft, hop_length=hop_length, power=1)
            for waveform in (generated, reference)
        )
        norm = true.square().sum((-2, -1)).sqrt()
        check_rows(norm != 0, "reference", "sound in each clip", "leave out those that are silent")
        convergence = torch.linalg.matrix_norm(true - produced) / norm
        logarithms = [magnitude.clamp(min=MAGNITUDE_FLOOR).log() for magnitude in (true, produced)]
        distances.append(convergence + (logarithms[0] - logarithms[1]).abs().mean((-2, -1)))
    return torch.stack(distances).mean(0)


# ---- shared ------------------------------------------------------------------------------------------------


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """Return KL(p || q) in nats over the last axis. Where p is 0, q does not matter."""
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def _checked(probabilities: Tensor) -> Tensor:
    """Return probabilities (clip, n_classes) as float64, or raise a ValueError."""
    shape = tuple(probabilities.shape)
    check_that(
        len(shape) == 2 and 0 not in shape, "probabilities", "(clip, n_classes)", shape, "give at least one clip"
    )
    probabilities = probabilities.double()
    is_distribution = (probabilities >= 0).all(-1) & ((probabilities.sum(-1) - 1).abs() < 1e-3)  # NaN fits neither
    check_rows(is_distribution, "probabilities", "rows in [0, 1] with the sum 1", "of logits, take the .softmax(-1)")
    return probabilities
